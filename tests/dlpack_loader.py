"""A loader by ctypes, its batches as DLPack tensors, and data of every type that DLPack has. For tests with pytest and
programs without it; NumPy is needed."""

import ctypes
import os
import pathlib
import subprocess

import numpy as np

BIN = pathlib.Path(os.environ.get("HEADRACE_BIN", "build/release/bin"))
LIBRARY = BIN.parent / "lib" / "libheadrace.so"

NUM_SAMPLES, BATCH, SHAPE = 300, 32, (2, 3)
CPU, CUDA = 1, 2
NAMES = {"versioned": b"dltensor_versioned", "legacy": b"dltensor"}
DTYPES = ["bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64",
          "float16", "float32", "float64", "complex64", "complex128"]

capsule_new = ctypes.pythonapi.PyCapsule_New
capsule_new.restype = ctypes.py_object
capsule_new.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p]
capsule_name = ctypes.pythonapi.PyCapsule_GetName
capsule_name.restype = ctypes.c_char_p
capsule_name.argtypes = [ctypes.py_object]


class NotAsked(Exception):
    """A consumer does not say that it takes versioned tensors."""


class Error(ctypes.Structure):
    _fields_ = [("status", ctypes.c_int), ("os_errno", ctypes.c_int32), ("file_off", ctypes.c_uint64),
                ("message", ctypes.c_char * 512)]


class Options(ctypes.Structure):
    """The first of hr_loader_options; the others are defaults."""

    _fields_ = [
        ("struct_bytes", ctypes.c_uint32), ("flags", ctypes.c_uint32), ("batch_samples", ctypes.c_uint32),
        ("window_visits", ctypes.c_uint32), ("seed", ctypes.c_uint64), ("first_epoch", ctypes.c_uint64),
        ("num_epochs", ctypes.c_uint64), ("num_streams", ctypes.c_uint32), ("rank", ctypes.c_uint32),
        ("world_size", ctypes.c_uint32), ("max_held_batches", ctypes.c_uint32), ("budget_bytes", ctypes.c_uint64),
        ("num_threads", ctypes.c_uint32), ("io", ctypes.c_int), ("fields", ctypes.c_void_p),
        ("num_fields", ctypes.c_uint32), ("io_depth", ctypes.c_uint32), ("resume_state", ctypes.c_void_p),
        ("resume_state_bytes", ctypes.c_size_t), ("subset", ctypes.c_void_p), ("finish", ctypes.c_void_p),
        ("num_finish", ctypes.c_uint32), ("device", ctypes.c_uint32),
    ]


def device_of(name):
    """"host" or "cuda:0" as DLPack has it: (kind, index)."""
    return (CPU, 0) if name == "host" else (CUDA, int(name.removeprefix("cuda:")))


class Loader:
    """A data set's batches in order, two of them held at most."""

    def __init__(self, path, device="host"):
        self.lib = ctypes.CDLL(str(LIBRARY.resolve()))
        self.lib.hr_status_name.restype = ctypes.c_char_p
        self.lib.hr_batch_data.restype = ctypes.c_void_p
        self.lib.hr_batch_num_samples.restype = ctypes.c_uint32
        self.lib.hr_dlpack_delete.restype = self.lib.hr_dlpack_delete_legacy.restype = None
        self.data_set, self.loader = ctypes.c_void_p(), ctypes.c_void_p()
        self.device = device_of(device)
        options = Options(struct_bytes=ctypes.sizeof(Options), batch_samples=BATCH)
        if self.device[0] == CUDA:
            options.device = 0x100 + self.device[1]
        self.must("hr_dataset_open", str(path).encode(), None, ctypes.byref(self.data_set))
        self.must("hr_loader_open", self.data_set, ctypes.byref(options), ctypes.byref(self.loader))

    def call(self, name, *args):
        self.error = Error()
        return self.lib.hr_status_name(getattr(self.lib, name)(*args, ctypes.byref(self.error))).decode()

    def must(self, name, *args):
        status = self.call(name, *args)
        assert status == "HR_OK", f"{name}: {status}: {self.error.message.decode()}"

    def next(self):
        """(status, batch)"""
        batch = ctypes.c_void_p()
        return self.call("hr_loader_next", self.loader, ctypes.c_int64(-1), ctypes.byref(batch)), batch

    def field(self, name):
        number = ctypes.c_uint32()
        self.must("hr_dataset_find_field", self.data_set, name.encode(), ctypes.byref(number))
        return number

    def pointer(self, batch, name):
        return self.lib.hr_batch_data(batch, self.field(name))

    def release(self, batch):
        self.lib.hr_batch_release(batch)

    def pass_batches(self, most=None):
        """Releases batches up to the end of the epoch, or as many over all epochs; how many there were."""
        passed = 0
        while most is None or passed < most:
            status, batch = self.next()
            if status == "HR_OK":
                self.release(batch)
                passed += 1
            elif status != "HR_END_OF_EPOCH":
                raise AssertionError(f"hr_loader_next: {status}: {self.error.message.decode()}")
            elif most is None:
                break
        return passed

    def close(self):
        self.lib.hr_loader_close(self.loader)
        self.lib.hr_dataset_close(self.data_set)
        self.loader = self.data_set = None


class Exported:
    """What a from_dlpack() asks for a field of a batch."""

    def __init__(self, loader, batch, name, kind):
        self.loader, self.batch, self.kind = loader, batch, kind
        self.field = loader.field(name)
        self.capsule = None

    def __dlpack_device__(self):
        return self.loader.device

    def __dlpack__(self, *, stream=None, max_version=None, **_):
        if self.kind == "versioned" and max_version is None:
            raise NotAsked
        call = "hr_batch_dlpack" if self.kind == "versioned" else "hr_batch_dlpack_legacy"
        self.tensor = ctypes.c_void_p()
        self.loader.must(call, self.batch, self.field, ctypes.c_int64(stream or 0), ctypes.byref(self.tensor))
        self.capsule = capsule_new(self.tensor, NAMES[self.kind], None)
        return self.capsule

    def is_taken(self):
        """The deleter is the consumer's."""
        return self.capsule is not None and capsule_name(self.capsule) == b"used_" + NAMES[self.kind]

    def drop(self):
        """Deletes what nobody has taken."""
        if self.capsule is not None and not self.is_taken():
            delete = "hr_dlpack_delete" if self.kind == "versioned" else "hr_dlpack_delete_legacy"
            getattr(self.loader.lib, delete)(self.tensor)
            self.capsule = None


def convert(*args):
    subprocess.run([str(BIN / "headrace"), "convert", *map(str, args), "--quiet"], check=True, timeout=60)


def bfloat16_bits(array):
    """Of small whole numbers, which it has exactly."""
    return (array.astype("float32").view("uint32") >> 16).astype("uint16")


def write_data(folder):
    """A data set with a field of each type, named as it, and their values; of bfloat16 the bits."""
    rng, arrays, inputs = np.random.default_rng(3), {}, []
    for dtype in DTYPES:
        numbers = rng.integers(2 if dtype == "bool" else 100, size=(NUM_SAMPLES, *SHAPE))
        arrays[dtype] = numbers.astype(dtype)
        np.save(folder / f"{dtype}.npy", arrays[dtype])
        inputs += ["--field", f"{dtype}={folder / dtype}.npy"]
    arrays["bfloat16"] = bfloat16_bits(rng.integers(100, size=(NUM_SAMPLES, *SHAPE)))
    arrays["bfloat16"].tofile(folder / "bfloat16.bin")
    raw = ["--dtype", "bfloat16", "--shape", ",".join(map(str, SHAPE))]
    convert(*inputs, "--field", f"bfloat16={folder / 'bfloat16.bin'}", *raw, "-o", folder / "all.hrd")
    return folder / "all.hrd", arrays


def sample_bytes(dtype):
    return int(np.prod(SHAPE)) * (2 if dtype == "bfloat16" else np.dtype(dtype).itemsize)
