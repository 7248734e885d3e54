"""Peak memory is a contract: conversions and epochs of data larger than their budget stay within it, with
32 MiB for the process and 16 MiB for each helper, and more epochs need no more than one. It is measured
from outside, and where a control group can be made, the kernel enforces it too."""

import json
import os
import pathlib
import subprocess
import sys

import pytest

np = pytest.importorskip("numpy")

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "bench"))

import bench_data  # noqa: E402
import peak_memory  # noqa: E402

PROGRAM = pathlib.Path(os.environ.get("HEADRACE_BIN", ROOT / "build" / "release" / "bin")) / "headrace"
pytestmark = pytest.mark.skipif(not PROGRAM.is_file(), reason=f"no program {PROGRAM}")

MIB = 1 << 20
DATA_BYTES = 256 * MIB
BUDGET_BYTES = 80 * MIB
HELPERS = 2
FLAT_BYTES = 4 * MIB
# Of the peak, so much at least is the batches: a sampler that sees nothing would pass everything.
SEEN_BYTES = 32 * MIB


def run(*arguments, limit_bytes=None):
    command = [PROGRAM, *arguments, "--budget", BUDGET_BYTES, "--json", "--quiet"]
    done = peak_memory.measure(command, limit_bytes)
    assert done["returncode"] == 0
    assert done["samples"] > 0
    return done, json.loads(done["stdout"])


def run_limited(*arguments, helpers=0):
    """Where the promise is not kept, the kernel ends the command. A control group counts all processes
    together, and what the kernel itself holds for them."""
    return run(*arguments, limit_bytes=peak_memory.promised_bytes(BUDGET_BYTES, helpers))[1]


def assert_within(done, helpers):
    """Every process by itself, of which the kernel keeps the peak, and all together as sampled."""
    assert done["helpers"] <= helpers
    assert done["peak_pss_bytes"] <= peak_memory.promised_bytes(BUDGET_BYTES, helpers)
    assert done["peak_hwm_bytes"] <= peak_memory.promised_bytes(BUDGET_BYTES, helpers)


@pytest.fixture(scope="module")
def control_group():
    """For what is enforced by the kernel; without one, a limit would be one of address space."""
    said = subprocess.run([peak_memory.WITH_LIMIT, "64M", "true"], capture_output=True, text=True, check=True)
    if "cgroup" not in said.stderr:
        pytest.skip(f"no control group can be made here ({said.stderr.strip()})")


@pytest.fixture(scope="module")
def npy(tmp_path_factory):
    x, _ = bench_data.make_part(tmp_path_factory.mktemp("npy"), 0, DATA_BYTES)
    return x


@pytest.fixture(scope="module")
def hdf5(npy, tmp_path_factory):
    pytest.importorskip("h5py")
    folder = tmp_path_factory.mktemp("hdf5")
    small, large = folder / "small.h5", folder / "large.h5"
    bench_data.write_hdf5(np.load(npy, mmap_mode="r")[: 16 * MIB // bench_data.ROW_BYTES], small)
    bench_data.repeat_hdf5(small, large, DATA_BYTES)
    return large


@pytest.fixture(scope="module")
def from_npy(npy):
    """A data set, and how much memory its conversion took."""
    target = npy.parent / "train.hrd"
    done, report = run("convert", npy, "-o", target)
    assert report["decoded_bytes"] == DATA_BYTES
    return target, done


@pytest.fixture(scope="module")
def from_hdf5(hdf5):
    target = hdf5.parent / "train.hrd"
    done, report = run("convert", hdf5, "-o", target, "--helpers", HELPERS)
    assert report["decoded_bytes"] == DATA_BYTES
    return target, done


def test_convert__from_npy__stays_within_the_budget(from_npy):
    assert_within(from_npy[1], helpers=0)


def test_convert__from_hdf5__stays_within_the_budget(from_hdf5):
    assert from_hdf5[1]["helpers"] > 0
    assert_within(from_hdf5[1], HELPERS)


def test_convert__from_npy_under_a_limit__ends_well(control_group, npy, tmp_path):
    report = run_limited("convert", npy, "-o", tmp_path / "train.hrd")
    assert report["decoded_bytes"] == DATA_BYTES


def test_convert__from_hdf5_under_a_limit__ends_well(control_group, hdf5, tmp_path):
    target = tmp_path / "train.hrd"
    report = run_limited("convert", hdf5, "-o", target, "--helpers", HELPERS, helpers=HELPERS)
    assert report["decoded_bytes"] == DATA_BYTES


def can_read_directly(path):
    try:
        os.close(os.open(path, os.O_RDONLY | os.O_DIRECT))
    except OSError:
        return False
    return True


ORDERS = pytest.mark.parametrize("order", [["--shuffle"], []], ids=["shuffled", "sequential"])


@ORDERS
@pytest.mark.parametrize("source, io", [("npy", "direct"), ("npy", "cached"), ("hdf5", "auto")])
def test_epoch__one_and_three__stay_within_the_budget_and_are_alike(request, source, io, order):
    data_set = request.getfixturevalue(f"from_{source}")[0]
    if io == "direct" and not can_read_directly(data_set):
        pytest.skip("this file system has no O_DIRECT")
    one, _ = run("epoch", data_set, "--io", io, *order)
    three, report = run("epoch", data_set, "--io", io, "--epochs", 3, *order)
    assert report["bytes"] == 3 * DATA_BYTES
    assert_within(one, helpers=0)
    assert_within(three, helpers=0)
    # What one epoch reserved and had no use for, because its consumer kept up, a later one may fill.
    for peak in ("peak_hwm_bytes", "peak_pss_bytes"):
        assert three[peak] <= max(one[peak], report["reserved_bytes"]) + FLAT_BYTES
    if order == ["--shuffle"]:
        assert three["peak_pss_bytes"] >= SEEN_BYTES


@ORDERS
@pytest.mark.parametrize("source", ["npy", "hdf5"])
def test_epoch__three_under_a_limit__end_well(control_group, request, source, order):
    data_set = request.getfixturevalue(f"from_{source}")[0]
    report = run_limited("epoch", data_set, "--epochs", 3, *order)
    assert report["bytes"] == 3 * DATA_BYTES
