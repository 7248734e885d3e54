"""What gpu_frameworks.py asks of a framework: to take a tensor, where it lies and what is in it, and work that is still
reading it when the host goes on. A framework that is not there, or sees no such device, is Missing in words."""

import contextlib
import importlib
import os

import numpy as np

LONG_CYCLES = 400_000_000  # about a fifth of a second on the GPUs of these years
SPIN = 'extern "C" __global__ void spin(long long n) { long long t = clock64(); while (clock64() - t < n) ; }'
WIDE, ROUNDS = 4096, 200  # of JAX's long work: so many products of matrices as wide


class Missing(Exception):
    """Says what is not there."""


def load(name):
    try:
        return importlib.import_module(name)
    except ImportError as why:
        raise Missing(f"{name} cannot be imported: {why}") from None


class Numpy:
    """On the host only."""

    may_lack = ("bfloat16",)  # by its version; it takes all others
    ways = ("versioned", "legacy")
    tells_stream = True  # the one that it asks a tensor for is the one that it computes on

    def __init__(self, device):
        if device != "host":
            raise Missing("NumPy has no arrays on a GPU")
        self.version = np.__version__

    def stream(self):
        """A stream that is the framework's current one."""
        return contextlib.nullcontext()

    def take(self, exported, way):
        return np.from_dlpack(exported)

    def pointer(self, tensor):
        return tensor.ctypes.data

    def type_name(self, tensor):
        return str(tensor.dtype)

    def values(self, tensor):
        return tensor.tobytes()

    def use(self, tensor):
        """Reads all of it, some time."""
        return tensor.sum()

    def prepare(self, tensor):
        """Room for a copy, so that nothing is allocated behind long work."""
        return np.empty_like(tensor)

    def copy_later(self, tensor, room):
        """Long work, and then a copy of the tensor; the host does not wait where the framework has streams."""
        np.copyto(room, tensor)
        return room

    def wait(self, tensor):
        """Until its values are there."""


class Torch(Numpy):
    may_lack = ("bool", "uint16", "uint32", "uint64")
    ways = ("versioned", "legacy", "capsule")

    def __init__(self, device):
        self.torch = load("torch")
        self.version = self.torch.__version__
        self.device = None if device == "host" else device
        if self.device and not self.torch.cuda.is_available():
            raise Missing(f"PyTorch {self.version} sees no GPU")

    @contextlib.contextmanager
    def stream(self):
        if self.device is None:
            yield
            return
        stream = self.torch.cuda.Stream(self.device)
        with self.torch.cuda.stream(stream):
            yield
        stream.synchronize()

    def current_stream(self):
        return self.torch.cuda.current_stream(self.device).cuda_stream if self.device else 0

    def take(self, exported, way):
        if way != "capsule":
            return self.torch.from_dlpack(exported)
        from_capsule = importlib.import_module("torch.utils.dlpack").from_dlpack
        return from_capsule(exported.__dlpack__(stream=self.current_stream()))

    def pointer(self, tensor):
        return tensor.data_ptr()

    def type_name(self, tensor):
        return str(tensor.dtype).removeprefix("torch.")

    def values(self, tensor):
        there = tensor.cpu()
        if there.dtype == self.torch.bfloat16:
            there = there.view(self.torch.int16)
        return there.numpy().tobytes()

    def use(self, tensor):
        return tensor.clone()

    def prepare(self, tensor):
        return self.torch.empty_like(tensor)

    def copy_later(self, tensor, room):
        if self.device:
            self.torch.cuda._sleep(LONG_CYCLES)
        return room.copy_(tensor)

    def wait(self, tensor):
        if self.device:
            self.torch.cuda.synchronize(self.device)


class Cupy(Numpy):
    def __init__(self, device):
        if device == "host":
            raise Missing("CuPy has no arrays on the host")
        self.cupy = load("cupy")
        self.version = self.cupy.__version__
        self.streams = []  # each must live as long as the tensors that were asked for it
        try:
            self.cupy.cuda.Device(int(device.removeprefix("cuda:"))).use()
            self.cupy.zeros(1)
        except Exception as why:  # of the driver, the runtime or the compiler
            raise Missing(f"CuPy {self.version} cannot use {device}: {why}") from None

    @contextlib.contextmanager
    def stream(self):
        stream = self.cupy.cuda.Stream(non_blocking=True)
        self.streams.append(stream)
        with stream:
            yield
        stream.synchronize()

    def current_stream(self):
        return self.cupy.cuda.get_current_stream().ptr

    def take(self, exported, way):
        return self.cupy.from_dlpack(exported)

    def pointer(self, tensor):
        return tensor.data.ptr

    def values(self, tensor):
        return self.cupy.asnumpy(tensor).tobytes()

    def use(self, tensor):
        return tensor.copy()

    def prepare(self, tensor):
        self.spin = self.cupy.RawKernel(SPIN, "spin")
        self.spin((1,), (1,), (np.int64(1),))  # compiled here
        return self.cupy.empty_like(tensor)

    def copy_later(self, tensor, room):
        self.spin((1,), (1,), (np.int64(LONG_CYCLES),))
        self.cupy.copyto(room, tensor)
        return room

    def wait(self, tensor):
        self.cupy.cuda.Device().synchronize()


class Jax(Numpy):
    """Its work is on a stream of its own, which it does not tell: it asks for another, on which what it takes is
    to be ready."""

    may_lack = ("bool", "complex64", "complex128")

    def __init__(self, device):
        os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
        if device == "host":
            os.environ.setdefault("JAX_PLATFORMS", "cpu")
        self.jax = load("jax")
        self.dlpack = load("jax.dlpack")
        self.jax.config.update("jax_enable_x64", True)
        self.version = self.jax.__version__
        self.tells_stream = device == "host"
        try:
            self.jax.devices("cpu" if device == "host" else "cuda")
        except RuntimeError:
            raise Missing(f"JAX {self.version} sees no GPU") from None

    def take(self, exported, way):
        return self.dlpack.from_dlpack(exported)

    def pointer(self, tensor):
        return tensor.unsafe_buffer_pointer()

    def values(self, tensor):
        return np.asarray(tensor).tobytes()

    def use(self, tensor):
        return self.jax.block_until_ready(self.jax.numpy.copy(tensor))

    def prepare(self, tensor):
        def later(values, matrix):
            for_long = self.jax.lax.fori_loop(0, ROUNDS, lambda _, m: m @ matrix, matrix)
            return values + (for_long[0, 0] * 0).astype(values.dtype)

        wide = 256 if self.tells_stream else WIDE
        matrix = self.jax.numpy.eye(wide, dtype="float32")
        compiled = self.jax.jit(later).lower(tensor, matrix).compile()
        return compiled, self.jax.block_until_ready(matrix)

    def copy_later(self, tensor, room):
        compiled, matrix = room
        return compiled(tensor, matrix)

    def wait(self, tensor):
        self.jax.block_until_ready(tensor)


FRAMEWORKS = {"numpy": Numpy, "torch": Torch, "jax": Jax, "cupy": Cupy}
