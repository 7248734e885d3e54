"""`headrace export -o F.npz`: what numpy.load() and zipfile read of it, and what becomes of a helper that is killed."""

import os
import signal
import subprocess
import time
import zipfile

import pytest

np = pytest.importorskip("numpy", minversion="1.24")

from headrace_command import PROGRAM, good, headrace  # noqa: E402
from python_package import ENVIRONMENT, hr  # noqa: E402
from test_export_hdf5 import COLUMNS, RNG, helpers_of  # noqa: E402

N = len(COLUMNS["label"])


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("set")
    for name, column in COLUMNS.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        np.save(folder / f"{name}.npy", column)
    np.save(folder / "text.npy", np.array(["aé", "ß€z", ""] * (N // 3)))
    sources = [f"{name}={folder / name}.npy" for name in [*COLUMNS, "text"]]
    good("convert", *(word for source in sources for word in ("--field", source)), "-o", folder / "a.hrd", "--quiet")
    return folder / "a.hrd"


@pytest.mark.parametrize("level", [0, 1, 4])
def test_export__loaded_by_numpy__is_what_was_converted(level, data, tmp_path):
    good("export", data, "-o", tmp_path / "a.npz", "--gzip", level)
    with np.load(tmp_path / "a.npz") as found:
        assert sorted(found.files) == sorted([*COLUMNS, "text"])
        for name, column in COLUMNS.items():
            assert found[name].dtype == column.dtype and found[name].shape == column.shape
            assert found[name].tobytes() == column.tobytes()
        assert found["text"].dtype == "<U3" and found["text"][:3].tolist() == ["aé", "ß€z", ""]
    with zipfile.ZipFile(tmp_path / "a.npz") as archive:
        assert archive.testzip() is None
        for entry in archive.infolist():
            assert entry.compress_type == (zipfile.ZIP_DEFLATED if level > 0 else zipfile.ZIP_STORED)
            assert entry.date_time[0] == 1980
    assert [path.name for path in tmp_path.iterdir()] == ["a.npz"]


def test_export__and_back__is_equal_bit_for_bit(data, tmp_path):
    good("export", data, "-o", tmp_path / "a.npz", "--quiet")
    assert "equal: all fields" in good("compare", data, tmp_path / "a.npz")
    good("export", data, "-o", tmp_path / "b.npz", "--quiet", "--budget", "16M", "--threads", "1")
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()


def test_export__python_part_and_kind__as_asked(data, tmp_path):
    source = hr.open(data)
    hr.export(source, tmp_path / "part.npz", fields=["label", "raw"], range=(100, 1101), gzip=0)
    with np.load(tmp_path / "part.npz") as found:
        np.testing.assert_array_equal(found["label"], np.arange(100, 1101))
    hr.export(source, tmp_path / "odd.name", fields=["label"], kind="npz")
    assert zipfile.is_zipfile(tmp_path / "odd.name")
    with pytest.raises(FileExistsError):
        hr.export(source, tmp_path / "odd.name", kind="npz")
    hr.export(source, tmp_path / "odd.name", kind="npz", fields=["raw"], replace=True)
    with np.load(tmp_path / "odd.name") as found:
        assert found.files == ["raw"]


def test_export__bfloat16__its_bits_and_a_note(tmp_path):
    bits = np.array([0x3F80, 0xC020, 0x7FC1], "u2")
    with hr.Writer(tmp_path / "a.hrd", fields={"x": "bfloat16"}) as writer:
        writer.append(x=bits.view(hr.dtypes.bfloat16()))
    done = headrace("export", tmp_path / "a.hrd", "-o", tmp_path / "a.npz")
    assert "holds its bits as uint16" in done.stderr
    np.testing.assert_array_equal(np.load(tmp_path / "a.npz")["x"], bits)


def test_export__helper_killed_while_it_writes__clear_and_nothing_left(tmp_path):
    hr.from_arrays(tmp_path / "a.hrd", x=RNG.random((40_000, 400), np.float32))
    child = subprocess.Popen([PROGRAM, "export", tmp_path / "a.hrd", "-o", tmp_path / "a.npz", "--gzip", "9"],
                             env=ENVIRONMENT, stderr=subprocess.PIPE, text=True)
    partial = tmp_path / "a.npz.partial"
    while not partial.exists() or partial.stat().st_size < 1 << 20:
        assert child.poll() is None
        time.sleep(0.01)
    (helper,) = helpers_of(child.pid)
    os.kill(helper, signal.SIGKILL)
    assert child.wait(30) == 1
    assert "the helper that writes this file was ended by signal 9" in child.stderr.read()
    assert [path.name for path in tmp_path.iterdir()] == ["a.hrd"]


def test_export__interrupted__exit_130_and_nothing_left(tmp_path):
    hr.from_arrays(tmp_path / "a.hrd", x=RNG.random((40_000, 400), np.float32))
    child = subprocess.Popen([PROGRAM, "export", tmp_path / "a.hrd", "-o", tmp_path / "a.npz", "--gzip", "9"],
                             env=ENVIRONMENT, stderr=subprocess.PIPE, text=True)
    partial = tmp_path / "a.npz.partial"
    while not partial.exists() or partial.stat().st_size < 1 << 20:
        assert child.poll() is None
        time.sleep(0.01)
    child.send_signal(signal.SIGINT)
    assert child.wait(30) == 130
    assert [path.name for path in tmp_path.iterdir()] == ["a.hrd"]


@pytest.mark.parametrize("level", [0, 4])
def test_export__file_size_limit__is_an_error_that_says_so(level, data, tmp_path):
    command = f"ulimit -f 9000; '{PROGRAM}' export '{data}' -o '{tmp_path}/a.npz' --gzip {level}"
    done = subprocess.run(["bash", "-c", command], env=ENVIRONMENT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1 and "ulimit -f" in done.stderr, done.stderr
    assert not any(tmp_path.iterdir())


def test_export__no_samples__empty_arrays(tmp_path):
    with hr.Writer(tmp_path / "a.hrd", fields={"x": ("float32", (3,)), "y": "int64"}):
        pass
    good("export", tmp_path / "a.hrd", "-o", tmp_path / "a.npz")
    with np.load(tmp_path / "a.npz") as found:
        assert found["x"].shape == (0, 3) and found["y"].dtype == "int64"
