"""The package headrace of python/ with the library of the build, for tests and the programs that they start; and a data
set whose every value follows from the sample's index."""

import atexit
import os
import pathlib
import shutil
import sys
import tempfile
import warnings

import numpy as np
import pytest

from headrace_command import PLACE, good

SOURCE = pathlib.Path(__file__).resolve().parent.parent
LIBRARY = PLACE.parent / "lib" / "libheadrace.so.0"
if not pathlib.Path(os.environ.setdefault("HEADRACE_LIBRARY", str(LIBRARY))).is_file():
    pytest.skip(f"no library {os.environ['HEADRACE_LIBRARY']}", allow_module_level=True)
if "HEADRACE_STATE_DIR" not in os.environ:  # records of processes lie here, and not beside the work
    os.environ["HEADRACE_STATE_DIR"] = tempfile.mkdtemp(prefix="headrace-records-")
    atexit.register(shutil.rmtree, os.environ["HEADRACE_STATE_DIR"], ignore_errors=True)
sys.path.insert(0, str(SOURCE / "python"))

import headrace as hr  # noqa: E402

#: For programs that tests start: the same package and library, and these helpers.
ENVIRONMENT = {**os.environ, "PYTHONPATH": os.pathsep.join([str(SOURCE / "python"), str(SOURCE / "tests")])}


def rows_of(indices):
    """Fields X, float32 of shape (n, 4, 6), and y, int64, of the samples with these indices."""
    y = np.asarray(indices, np.int64)
    x = y[:, None] * 24 + np.arange(24)
    return {"X": x.astype(np.float32).reshape(-1, 4, 6), "y": y}


def check(batch):
    """Each row of a batch, or of a dict of arrays, is the sample that its y names."""
    wanted = rows_of(batch["y"])
    assert np.array_equal(np.asarray(batch["X"]), wanted["X"])


def write_indexed(folder, num_samples=1000, chunk_bytes="16K", name="train.hrd"):
    """X.npy, y.npy, and of both a data set of several chunks; its path."""
    for field, array in rows_of(np.arange(num_samples)).items():
        np.save(folder / f"{field}.npy", array)
    good("convert", "X.npy", "y.npy", "-o", name, "--chunk-bytes", chunk_bytes, "--quiet", cwd=folder)
    return folder / name


def memory_in_use():
    """Bytes that the library holds of budgets."""
    return int(hr._library.LIB.hr_memory_in_use())


def run_in_child(work):
    """The exit status of a forked child that does it: 0 if nothing was raised."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of Python and of JAX, for any process with threads
        child = os.fork()
    if child == 0:
        try:
            work()
            os._exit(0)
        except BaseException as error:
            print("in the child:", repr(error), file=sys.__stderr__, flush=True)
            os._exit(1)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
