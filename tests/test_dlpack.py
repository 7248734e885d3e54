"""Batches as DLPack tensors, as NumPy takes them: no copy is made, and a batch stays as it is for as
long as an array lies in it."""

import ctypes
import gc
import os
import pathlib
import subprocess

import pytest

np = pytest.importorskip("numpy", minversion="1.24")

BIN = pathlib.Path(os.environ.get("HEADRACE_BIN", "build/release/bin"))
LIBRARY = BIN.parent / "lib" / "libheadrace.so"
pytestmark = pytest.mark.skipif(not LIBRARY.is_file(), reason=f"no {LIBRARY}")

NUM_SAMPLES, BATCH = 300, 32
CPU = 1
NAMES = {"versioned": b"dltensor_versioned", "legacy": b"dltensor"}
DTYPES = ["bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64",
          "float16", "float32", "float64", "complex64", "complex128"]

capsule_new = ctypes.pythonapi.PyCapsule_New
capsule_new.restype = ctypes.py_object
capsule_new.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p]
capsule_name = ctypes.pythonapi.PyCapsule_GetName
capsule_name.restype = ctypes.c_char_p
capsule_name.argtypes = [ctypes.py_object]


class Error(ctypes.Structure):
    _fields_ = [("status", ctypes.c_int), ("os_errno", ctypes.c_int32), ("file_off", ctypes.c_uint64),
                ("message", ctypes.c_char * 512)]


class Options(ctypes.Structure):
    """The first of hr_loader_options; the others are defaults."""

    _fields_ = [(name, ctypes.c_uint32) for name in ("struct_bytes", "flags", "batch_samples",
                                                     "window_visits")]


class Loader:
    """A data set's batches in order, two of them held at most."""

    def __init__(self, path):
        self.lib = ctypes.CDLL(str(LIBRARY.resolve()))
        self.lib.hr_status_name.restype = ctypes.c_char_p
        self.lib.hr_batch_data.restype = ctypes.c_void_p
        self.lib.hr_dlpack_delete.restype = self.lib.hr_dlpack_delete_legacy.restype = None
        self.data_set, self.loader = ctypes.c_void_p(), ctypes.c_void_p()
        options = Options(ctypes.sizeof(Options), 0, BATCH, 0)
        assert self.call("hr_dataset_open", str(path).encode(), None,
                         ctypes.byref(self.data_set)) == "HR_OK"
        assert self.call("hr_loader_open", self.data_set, ctypes.byref(options),
                         ctypes.byref(self.loader)) == "HR_OK"

    def call(self, name, *args):
        self.error = Error()
        return self.lib.hr_status_name(getattr(self.lib, name)(*args, ctypes.byref(self.error))).decode()

    def next(self):
        """(status, batch)"""
        batch = ctypes.c_void_p()
        return self.call("hr_loader_next", self.loader, ctypes.c_int64(-1), ctypes.byref(batch)), batch

    def field(self, name):
        number = ctypes.c_uint32()
        assert self.call("hr_dataset_find_field", self.data_set, name.encode(),
                         ctypes.byref(number)) == "HR_OK"
        return number

    def release(self, batch):
        self.lib.hr_batch_release(batch)

    def close(self):
        self.lib.hr_loader_close(self.loader)
        self.lib.hr_dataset_close(self.data_set)
        self.loader = self.data_set = None


class Exported:
    """What numpy.from_dlpack() asks for a field of a batch."""

    def __init__(self, loader, batch, name, kind):
        self.loader, self.batch, self.kind = loader, batch, kind
        self.field = loader.field(name)

    def __dlpack_device__(self):
        return CPU, 0

    def __dlpack__(self, *, stream=None, max_version=None, **_):
        if self.kind == "versioned" and max_version is None:
            pytest.skip("this NumPy takes no versioned tensors")
        call = "hr_batch_dlpack" if self.kind == "versioned" else "hr_batch_dlpack_legacy"
        tensor = ctypes.c_void_p()
        status = self.loader.call(call, self.batch, self.field, ctypes.c_int64(stream or 0),
                                  ctypes.byref(tensor))
        assert status == "HR_OK", self.loader.error.message
        self.capsule = capsule_new(tensor, NAMES[self.kind], None)
        return self.capsule


def as_array(loader, batch, name, kind):
    exported = Exported(loader, batch, name, kind)
    array = np.from_dlpack(exported)
    assert capsule_name(exported.capsule) == b"used_" + NAMES[kind]  # the deleter is NumPy's now
    return array


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder, rng = tmp_path_factory.mktemp("dlpack"), np.random.default_rng(3)
    arrays = {}
    for dtype in DTYPES:
        shape = (NUM_SAMPLES, 2, 3)
        bits = rng.integers(2, size=shape) if dtype == "bool" else rng.integers(100, size=shape)
        arrays[dtype] = bits.astype(dtype)
        np.save(folder / f"{dtype}.npy", arrays[dtype])
    command = [BIN / "headrace", "convert", *(folder / f"{n}.npy" for n in arrays), "--quiet",
               "-o", folder / "all.hrd"]
    subprocess.run(list(map(str, command)), check=True, timeout=60)
    return folder / "all.hrd", arrays


@pytest.fixture
def loader(data):
    made = Loader(data[0])
    yield made
    if made.loader is not None:
        made.close()


@pytest.mark.parametrize("kind", NAMES)
@pytest.mark.parametrize("dtype", DTYPES)
def test_from_dlpack__each_type__the_batch_itself(loader, data, dtype, kind):
    status, batch = loader.next()
    assert status == "HR_OK"
    array = as_array(loader, batch, dtype, kind)
    assert array.dtype == np.dtype(dtype)
    assert array.flags.c_contiguous
    assert array.ctypes.data == loader.lib.hr_batch_data(batch, loader.field(dtype))
    assert array.flags.writeable or kind == "legacy"
    np.testing.assert_array_equal(array, data[1][dtype][:BATCH])


@pytest.mark.parametrize("kind", NAMES)
def test_from_dlpack__released_and_closed__array_as_it_was(loader, data, kind):
    _, first = loader.next()
    arrays = {dtype: as_array(loader, first, dtype, kind) for dtype in DTYPES}
    loader.release(first)
    status, batch = loader.next()
    while status == "HR_OK":
        loader.release(batch)
        status, batch = loader.next()
    assert status == "HR_END_OF_EPOCH"
    loader.close()
    for dtype, array in arrays.items():
        np.testing.assert_array_equal(array, data[1][dtype][:BATCH])


@pytest.mark.parametrize("kind", NAMES)
def test_from_dlpack__two_batches_kept__busy_until_an_array_is_gone(loader, data, kind):
    arrays = []
    for _ in range(2):
        _, batch = loader.next()
        arrays.append(as_array(loader, batch, "float16", kind))
        loader.release(batch)
    view = arrays[0][3:5, 1]
    assert loader.next()[0] == "HR_ERR_BUSY"
    del arrays[0]
    gc.collect()
    assert loader.next()[0] == "HR_ERR_BUSY"  # a view is enough
    del view
    gc.collect()
    assert loader.next()[0] == "HR_OK"
    np.testing.assert_array_equal(arrays[0], data[1]["float16"][BATCH:2 * BATCH])


def test_dlpack__text__refused_with_words(tmp_path):
    np.save(tmp_path / "name.npy", np.array([b"abc", b"de"] * 40))
    command = [BIN / "headrace", "convert", tmp_path / "name.npy", "--quiet", "-o", tmp_path / "t.hrd"]
    subprocess.run(list(map(str, command)), check=True, timeout=60)
    loader = Loader(tmp_path / "t.hrd")
    _, batch = loader.next()
    tensor = ctypes.c_void_p(1)
    status = loader.call("hr_batch_dlpack", batch, 0, ctypes.c_int64(0), ctypes.byref(tensor))
    assert status == "HR_ERR_UNSUPPORTED"
    assert tensor.value is None
    assert b"name" in loader.error.message
    assert b"hr_batch_data()" in loader.error.message
    loader.close()
