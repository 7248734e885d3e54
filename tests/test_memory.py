"""Peak memory is a contract: conversions and epochs of data larger than their budget stay within it, with
32 MiB for the process and 16 MiB for each helper, and more epochs need no more than one."""

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


def run(*arguments):
    done = peak_memory.measure([PROGRAM, *arguments, "--budget", BUDGET_BYTES, "--json", "--quiet"])
    assert done["returncode"] == 0
    assert done["samples"] > 0
    return done, json.loads(done["stdout"])


def assert_within(done, helpers):
    """Every process by itself, of which the kernel keeps the peak, and all together as sampled."""
    assert done["helpers"] <= helpers
    assert done["peak_pss_bytes"] <= peak_memory.promised_bytes(BUDGET_BYTES, helpers)
    assert done["peak_hwm_bytes"] <= peak_memory.promised_bytes(BUDGET_BYTES, helpers)


@pytest.fixture(scope="module")
def rows(tmp_path_factory):
    x, _ = bench_data.make_part(tmp_path_factory.mktemp("rows"), 0, DATA_BYTES)
    return x


@pytest.fixture(scope="module")
def data_set(rows):
    target = rows.parent / "train.hrd"
    done, report = run("convert", rows, "-o", target)
    assert report["decoded_bytes"] == DATA_BYTES
    return target, done


def test_convert__from_npy__stays_within_the_budget(data_set):
    assert_within(data_set[1], helpers=0)


def test_convert__shuffled_by_a_temporary_file__stays_within_the_budget(rows, tmp_path):
    done, report = run("convert", rows, "-o", tmp_path / "t.hrd", "--shuffle", 1, "--index-field", "row")
    assert report["decoded_bytes"] > DATA_BYTES
    assert done["peak_pss_bytes"] >= SEEN_BYTES
    assert_within(done, helpers=0)


@pytest.fixture(scope="module")
def hdf5_rows(rows):
    pytest.importorskip("h5py")
    small, large = rows.parent / "small.h5", rows.parent / "large.h5"
    bench_data.write_hdf5(np.load(rows, mmap_mode="r")[: 16 * MIB // bench_data.ROW_BYTES], small)
    bench_data.repeat_hdf5(small, large, DATA_BYTES)
    return large


@pytest.fixture(scope="module")
def hdf5_data_set(hdf5_rows):
    target = hdf5_rows.parent / "from-hdf5.hrd"
    done, report = run("convert", hdf5_rows, "-o", target, "--helpers", HELPERS)
    assert report["decoded_bytes"] == DATA_BYTES
    return target, done


def test_convert__from_hdf5__stays_within_the_budget(hdf5_data_set):
    assert hdf5_data_set[1]["helpers"] > 0
    assert_within(hdf5_data_set[1], HELPERS)


@pytest.mark.parametrize("order", [["--shuffle"], []], ids=["shuffled", "sequential"])
def test_epoch__of_data_from_hdf5__stays_within_the_budget(hdf5_data_set, order):
    done, report = run("epoch", hdf5_data_set[0], "--epochs", 3, *order)
    assert report["bytes"] == 3 * DATA_BYTES
    assert_within(done, helpers=0)


def run_limited(helpers, *arguments):
    """In a control group of the promised size: the kernel ends what passes it."""
    limit_mib = peak_memory.promised_bytes(BUDGET_BYTES, helpers) // MIB
    done = subprocess.run(
        [ROOT / "script" / "with-memory-limit", f"{limit_mib}M", PROGRAM, *arguments,
         "--budget", str(BUDGET_BYTES), "--json", "--quiet"],
        capture_output=True, text=True,
    )
    if "by cgroup" not in done.stderr:
        pytest.skip("no control group can be made here")
    assert done.returncode == 0, done.stderr


def test_convert__under_the_promised_limit__is_not_killed(rows, hdf5_rows, tmp_path):
    run_limited(0, "convert", rows, "-o", tmp_path / "npy.hrd")
    run_limited(0, "convert", rows, "-o", tmp_path / "shuffled.hrd", "--shuffle", "1")
    run_limited(HELPERS, "convert", hdf5_rows, "-o", tmp_path / "hdf5.hrd", "--helpers", str(HELPERS))


@pytest.mark.parametrize("order", [["--shuffle"], []], ids=["shuffled", "sequential"])
def test_epoch__under_the_promised_limit__is_not_killed(data_set, order):
    run_limited(0, "epoch", data_set[0], "--epochs", "3", *order)


def can_read_directly(path):
    try:
        os.close(os.open(path, os.O_RDONLY | os.O_DIRECT))
    except OSError:
        return False
    return True


@pytest.mark.parametrize("order", [["--shuffle"], []], ids=["shuffled", "sequential"])
@pytest.mark.parametrize("io", ["direct", "cached"])
def test_epoch__one_and_three__stay_within_the_budget_and_are_alike(data_set, order, io):
    if io == "direct" and not can_read_directly(data_set[0]):
        pytest.skip("this file system has no O_DIRECT")
    one, _ = run("epoch", data_set[0], "--io", io, *order)
    three, report = run("epoch", data_set[0], "--io", io, "--epochs", 3, *order)
    assert report["bytes"] == 3 * DATA_BYTES
    assert_within(one, helpers=0)
    assert_within(three, helpers=0)
    # What one epoch reserved and had no use for, because its consumer kept up, a later one may fill.
    for peak in ("peak_hwm_bytes", "peak_pss_bytes"):
        assert three[peak] <= max(one[peak], report["reserved_bytes"]) + FLAT_BYTES


def test_epoch__shuffled__is_seen_by_the_sampler(data_set):
    done, _ = run("epoch", data_set[0], "--shuffle", "--epochs", 3)
    assert done["peak_pss_bytes"] >= SEEN_BYTES
