"""Batches as DLPack tensors, as NumPy takes them: no copy is made, and a batch stays as it is for as
long as an array lies in it."""

import ctypes
import gc
import os
import pathlib
import subprocess
import sys

import pytest

np = pytest.importorskip("numpy", minversion="1.24")
from dlpack_loader import (  # noqa: E402
    BATCH,
    BIN,
    CUDA,
    DTYPES,
    LIBRARY,
    NAMES,
    Exported,
    Loader,
    NotAsked,
    convert,
    write_data,
)

SOURCE = pathlib.Path(os.environ.get("HEADRACE_SOURCE", pathlib.Path(__file__).parent.parent))
STAND_IN = BIN.parent / "tests" / "gpu" / "libstand_in_cuda.so"

pytestmark = pytest.mark.skipif(not LIBRARY.is_file(), reason=f"no {LIBRARY}")


def as_array(loader, batch, name, kind):
    exported = Exported(loader, batch, name, kind)
    try:
        array = np.from_dlpack(exported)
    except NotAsked:
        pytest.skip("this NumPy takes no versioned tensors")
    assert exported.is_taken()
    return array


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return write_data(tmp_path_factory.mktemp("dlpack"))


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
    assert array.ctypes.data == loader.pointer(batch, dtype)
    assert array.flags.writeable or kind == "legacy"
    np.testing.assert_array_equal(array, data[1][dtype][:BATCH])


@pytest.mark.parametrize("kind", NAMES)
def test_from_dlpack__released_and_closed__array_as_it_was(loader, data, kind):
    _, first = loader.next()
    arrays = {dtype: as_array(loader, first, dtype, kind) for dtype in DTYPES}
    loader.release(first)
    assert loader.pass_batches() == 9
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
    convert(tmp_path / "name.npy", "-o", tmp_path / "t.hrd")
    loader = Loader(tmp_path / "t.hrd")
    _, batch = loader.next()
    tensor = ctypes.c_void_p(1)
    status = loader.call("hr_batch_dlpack", batch, 0, ctypes.c_int64(0), ctypes.byref(tensor))
    assert status == "HR_ERR_UNSUPPORTED"
    assert tensor.value is None
    assert b"name" in loader.error.message
    assert b"hr_batch_data()" in loader.error.message
    loader.close()


@pytest.mark.skipif(not STAND_IN.is_file(), reason=f"no {STAND_IN}")
@pytest.mark.parametrize("kind", NAMES)
def test_dlpack__on_a_gpu__ordered_and_let_go(data, kind, monkeypatch):
    monkeypatch.setenv("HEADRACE_CUDA", str(STAND_IN.resolve()))
    loader = Loader(data[0], "cuda:1")
    for _ in range(5):
        _, batch = loader.next()
        exported = Exported(loader, batch, "bfloat16", kind)
        assert exported.__dlpack_device__() == (CUDA, 1)
        exported.__dlpack__(stream=1, max_version=(1, 0))
        loader.release(batch)
        exported.drop()
    loader.close()


def frameworks(name, device):
    command = [sys.executable, SOURCE / "tests" / "gpu" / "gpu_frameworks.py", name, "--device", device]
    return subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=100)


def test_gpu_frameworks__a_framework_on_the_host__every_case_is_ok():
    done = frameworks("numpy", "host")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "ok      legacy float32\n" in done.stdout and " 0 failed" in done.stdout


def test_gpu_frameworks__not_there__skipped_in_words():
    done = frameworks("numpy", "cuda:0")
    assert done.returncode == 77, done.stdout + done.stderr
    assert done.stdout == "skipped numpy on cuda:0: NumPy has no arrays on a GPU\n"
