"""DLPack into a framework: gpu_frameworks.py FRAMEWORK [--device host|cuda:0], of numpy, torch, jax and cupy. Prints
what became of each case. Exit status: 0, 1 where one failed, 77 where the framework or the device is not there. The
library and the command are those that HEADRACE_BIN stands for."""

import argparse
import ctypes
import gc
import pathlib
import sys
import tempfile
import time
import traceback

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
try:
    import frameworks

    import dlpack_loader
except ImportError as why:
    print(f"skipped: {why}: these cases need NumPy")
    sys.exit(77)
from dlpack_loader import BATCH, CUDA, DTYPES, NUM_SAMPLES, Exported, Loader, NotAsked

BATCHES = -(-NUM_SAMPLES // BATCH)
MANY = 6 * BATCHES + BATCHES // 2  # batches behind one that is still read; the last are others
MOST_GROWTH = 4 << 20
FIELDS = [*DTYPES, "bfloat16"]


class Skip(Exception):
    """Says why a case cannot be."""


class Case:
    """A loader on the device, and what its batches hold by a loader on the host."""

    def __init__(self, framework, path, device, expected):
        self.framework, self.expected = framework, expected
        self.loader = Loader(path, device)

    def next(self):
        status, batch = self.loader.next()
        assert status == "HR_OK", f"a batch was expected, found {status}: {self.loader.error.message.decode()}"
        return batch

    def take(self, batch, field, way):
        exported = Exported(self.loader, batch, field, "legacy" if way == "capsule" else way)
        try:
            tensor = self.framework.take(exported, way)
        except NotAsked:
            raise Skip("it asks for no versioned tensors") from None
        except Exception as why:
            exported.drop()
            if field not in self.framework.may_lack:
                raise
            raise Skip(f"it does not take {field}: {why}") from None
        assert exported.is_taken(), "it has not taken the deleter"
        return tensor

    def takes(self, batch, way):
        """A tensor of each field that every version of the framework has a type for."""
        return {field: self.take(batch, field, way) for field in FIELDS if field not in self.framework.may_lack}

    def check(self, tensor, field, number):
        found, expected = self.framework.values(tensor), self.expected[field][number]
        assert found == expected, f"{field} of batch {number} begins {found[:16].hex()}, expected {expected[:16].hex()}"

    def close(self):
        if self.loader.loader is not None:
            self.loader.close()


def host_values(path):
    """The bytes of each field, batch by batch."""
    loader = Loader(path)
    values = {field: [] for field in FIELDS}
    for _ in range(BATCHES):
        _, batch = loader.next()
        samples = loader.lib.hr_batch_num_samples(batch)
        for field in FIELDS:
            n_bytes = samples * dlpack_loader.sample_bytes(field)
            values[field].append(ctypes.string_at(loader.pointer(batch, field), n_bytes))
        loader.release(batch)
    loader.close()
    return values


# ---- the cases ----


def type_is_right(case, way, field):
    """The values, and the memory itself: no copy is made."""
    with case.framework.stream():
        batch = case.next()
        tensor = case.take(batch, field, way)
        assert tuple(tensor.shape) == (BATCH, *dlpack_loader.SHAPE), f"shape {tuple(tensor.shape)}"
        assert case.framework.type_name(tensor) == field, f"type {case.framework.type_name(tensor)}"
        where, there = case.loader.pointer(batch, field), case.framework.pointer(tensor)
        assert where == there, f"a copy was made: the batch is at {where:#x}, the tensor at {there:#x}"
        case.check(tensor, field, 0)


def kept_when_closed(case, way):
    with case.framework.stream():
        batch = case.next()
        tensors = case.takes(batch, way)
        case.loader.release(batch)
        case.loader.pass_batches()
        case.loader.close()
        for field, tensor in tensors.items():
            case.check(tensor, field, 0)


def let_go_when_gone(case, way):
    tensors = []
    with case.framework.stream():
        for _ in range(2):
            batch = case.next()
            tensors.append(case.take(batch, "float32", way))
            case.loader.release(batch)
        status, _ = case.loader.next()
        assert status == "HR_ERR_BUSY", f"two batches are held by tensors, and the next is {status}"
        del tensors[0]
        deadline = time.monotonic() + 5
        while status == "HR_ERR_BUSY" and time.monotonic() < deadline:
            gc.collect()
            status, batch = case.loader.next()
        assert status == "HR_OK", f"a tensor is gone, and the next is {status}"
        case.check(tensors[0], "float32", 1)


def read_late(case, way, waits, stream=None):
    """A copy of the first batch that is made behind long work, while many more batches come; stream: instead of the
    framework's own."""
    framework = case.framework
    with framework.stream():
        spare = case.next()
        room = framework.prepare(case.take(spare, "float32", way))
        case.loader.release(spare)
        case.loader.pass_batches()
        batch = case.next()
        if stream is None:
            tensor = case.take(batch, "float32", way)
        else:
            case.loader.must("hr_batch_wait_on", batch, ctypes.c_void_p(framework.current_stream()))
            tensor = framework.take(OnStream(case.loader, batch, stream), "legacy")
        case.loader.release(batch)
        copy = framework.copy_later(tensor, room)
        if waits:
            framework.wait(copy)
        del tensor
        gc.collect()
        case.loader.pass_batches(MANY)
        framework.wait(copy)
        return framework.values(copy)


class OnStream(Exported):
    """Whatever stream is asked for."""

    def __init__(self, loader, batch, stream):
        super().__init__(loader, batch, "float32", "legacy")
        self.stream = stream

    def __dlpack__(self, *, stream=None, **rest):
        return super().__dlpack__(stream=self.stream)


def ordered_on_stream(case, way):
    """What lets go of the tensor comes before the work on it is done, and is ordered behind it."""
    found = read_late(case, way, waits=not case.framework.tells_stream)
    assert found == case.expected["float32"][0], "it read what a later batch brought"


def unordered_is_seen(case):
    """The case above would find a lost order."""
    if case.loader.device[0] != CUDA or not hasattr(case.framework, "current_stream"):
        raise Skip("it has no streams here")
    found = read_late(case, "legacy", waits=False, stream=-1)
    assert found != case.expected["float32"][0], "without an order it read the first batch all the same"


def unwaited_work(case):
    """Not asserted: what happens where a framework computes on a stream that it does not tell."""
    if case.framework.tells_stream:
        raise Skip("its stream is known")
    found = read_late(case, "legacy", waits=False)
    same = found == case.expected["float32"][0]
    print(f"  let go of before its work was done, it read {'its batch' if same else 'what a LATER batch brought'}")


def no_growth(case, way):
    """Each batch as tensors that are used, for some epochs and as many again."""
    framework, sizes = case.framework, []
    with framework.stream():
        for _ in range(3):
            for _ in range(10 * BATCHES):
                status, batch = case.loader.next()
                if status == "HR_END_OF_EPOCH":
                    continue
                for tensor in case.takes(batch, way).values():
                    framework.use(tensor)
                del tensor
                case.loader.release(batch)
                gc.collect(0)
            sizes.append(memory_in_use(case.loader.device))
    grown = sizes[2] - sizes[1]
    assert grown <= MOST_GROWTH, f"ten epochs more took {grown} bytes more; at most {MOST_GROWTH} were expected"


# ---- memory ----


def resident_bytes():
    pages = int(pathlib.Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096


def memory_in_use(device):
    """Of the GPU, as its driver counts it; on the host, and where there is no driver, of the process."""
    try:
        driver = ctypes.CDLL("libcuda.so.1") if device[0] == CUDA else None
    except OSError:
        driver = None
    if driver is None:
        return resident_bytes()
    gpu, context, free, total = ctypes.c_int(), ctypes.c_void_p(), ctypes.c_size_t(), ctypes.c_size_t()
    for code in (
        driver.cuInit(0),
        driver.cuDeviceGet(ctypes.byref(gpu), device[1]),
        driver.cuDevicePrimaryCtxRetain(ctypes.byref(context), gpu),
        driver.cuCtxPushCurrent_v2(context),
        driver.cuCtxSynchronize(),
        driver.cuMemGetInfo_v2(ctypes.byref(free), ctypes.byref(total)),
        driver.cuCtxPopCurrent_v2(ctypes.byref(context)),
        driver.cuDevicePrimaryCtxRelease_v2(gpu),
    ):
        assert code == 0, f"the driver answers {code} to the question for the GPU's memory"
    return total.value - free.value


# ---- running them ----


def all_cases(framework):
    for way in framework.ways:
        for field in FIELDS:
            yield f"{way} {field}", lambda case, way=way, field=field: type_is_right(case, way, field)
        for function in (kept_when_closed, let_go_when_gone, ordered_on_stream, no_growth):
            yield f"{way} {function.__name__}", lambda case, way=way, function=function: function(case, way)
    yield "unordered_is_seen", unordered_is_seen
    yield "unwaited_work", unwaited_work


def run(name, function, make_case):
    """The word for what became of it."""
    case, outcome, words = None, "ok", ""
    try:
        case = make_case()
        function(case)
    except Skip as why:
        outcome, words = "skipped", f": {why}"
    except Exception as why:
        outcome, words = "failed", f": {why}"
        if not isinstance(why, AssertionError):
            traceback.print_exc(file=sys.stdout)
    finally:
        if case is not None:
            case.close()
    print(f"{outcome:8}{name}{words}", flush=True)
    return outcome


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("framework", choices=frameworks.FRAMEWORKS)
    parser.add_argument("--device", default="cuda:0")
    options = parser.parse_args()
    try:
        framework = frameworks.FRAMEWORKS[options.framework](options.device)
    except frameworks.Missing as why:
        print(f"skipped {options.framework} on {options.device}: {why}")
        return 77
    print(f"{options.framework} {framework.version} on {options.device}")
    with tempfile.TemporaryDirectory() as folder:
        path, _ = dlpack_loader.write_data(pathlib.Path(folder))
        expected = host_values(path)
        outcomes = [
            run(name, function, lambda: Case(framework, path, options.device, expected))
            for name, function in all_cases(framework)
        ]
    print(", ".join(f"{outcomes.count(word)} {word}" for word in ("ok", "failed", "skipped")))
    return 1 if "failed" in outcomes else 0


if __name__ == "__main__":
    sys.exit(main())
