"""`headrace export -o F.h5`: what h5py reads of it, what comes back of it, what becomes of a helper that is killed."""

import os
import pathlib
import signal
import subprocess
import time

import pytest

np = pytest.importorskip("numpy", minversion="1.24")
h5py = pytest.importorskip("h5py")

from headrace_command import PROGRAM, good, headrace  # noqa: E402
from python_package import ENVIRONMENT, hr  # noqa: E402

N = 3000
RNG = np.random.default_rng(5)
COLUMNS = {
    "image": RNG.integers(0, 255, (N, 3, 32, 32), np.uint8),
    "wide": RNG.random((N // 10 * 10, 1), np.float32).astype("f8") + np.zeros((1, 90)),
    "half": RNG.random(N).astype("f2"),
    "pair": (RNG.random((N, 2)) + 1j).astype("c8"),
    "complex": RNG.random(N) + 2j,
    "flags": RNG.random((N, 5)) > 0.5,
    "label": np.arange(N),
    "small": np.arange(N).astype("u2"),
    "raw": np.array([b"ab", b"cdefg", b""] * (N // 3)),
    "empty": np.zeros((N, 0, 3), "f4"),
    "group/deep/x": RNG.integers(-9, 9, (N, 7)).astype("i4"),
    "nan": np.full((N, 3), np.nan, "f4"),
}
ATTRIBUTES = {"title": "häh", "count": 3, "scale": [1.5, 2], "ids": [1, 2, 3], "ok": True, "bools": [True, False],
              "nested": {"a": [1, "b"]}, "none": None, "blank": "", "mixed": [1, "x"], "huge": "x" * 70000}


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    path = tmp_path_factory.mktemp("set") / "a.hrd"
    COLUMNS["nan"].view("u4")[7, 1] = 0xFFC00123
    hr.from_arrays(path, COLUMNS, text=["aé", "ß€z", ""] * (N // 3),
                   options={"attributes": ATTRIBUTES, "field_attributes": {"label": {"unit": "mm"}}})
    return path


@pytest.mark.parametrize("level", [0, 1, 4])
def test_export__read_by_h5py__as_h5py_would_write_it(level, data, tmp_path):
    done = headrace("export", data, "-o", tmp_path / "a.h5", "--gzip", level)
    assert done.returncode == 0, done.stderr
    with h5py.File(tmp_path / "a.h5") as file:
        for name, column in COLUMNS.items():
            found = file[name]
            assert found.dtype == column.dtype and found.shape == column.shape
            assert found[:].tobytes() == column.tobytes()
            stored = level > 0 and column.size > 0
            assert found.compression == ("gzip" if stored else None)
            assert found.compression_opts == (level if stored else None)
            assert found.shuffle == (stored and column.dtype.itemsize > 1 and column.dtype.kind != "S")
            if stored:
                assert 0 < np.prod(found.chunks) * column.itemsize <= 128 << 10
        assert h5py.check_string_dtype(file["text"].dtype) == ("utf-8", 5 + 1)
        assert [value.decode() for value in file["text"][:3]] == ["aé", "ß€z", ""]


def test_export__attributes__have_types_where_hdf5_has_them(data, tmp_path):
    done = headrace("export", data, "-o", tmp_path / "a.h5", "--fields", "label")
    assert "the attribute huge of the data set is too large" in done.stderr
    with h5py.File(tmp_path / "a.h5") as file:
        found = dict(file.attrs)
        assert (found["title"], found["count"], found["ok"], found["blank"]) == ("häh", 3, np.True_, "")
        assert found["scale"].tolist() == [1.5, 2] and found["ids"].dtype == "i8"
        assert found["bools"].dtype == bool
        assert (found["nested"], found["none"], found["mixed"]) == ('{"a":[1,"b"]}', "null", '[1,"x"]')
        assert "huge" not in found
        assert dict(file["label"].attrs) == {"unit": "mm"}


def test_export__and_back__is_equal_bit_for_bit(data, tmp_path):
    good("export", data, "-o", tmp_path / "a.h5", "--quiet")
    assert "equal: all fields" in good("compare", data, tmp_path / "a.h5")
    good("convert", tmp_path / "a.h5", "-o", tmp_path / "b.hrd", "--quiet")
    assert "equal: all fields" in good("compare", data, tmp_path / "b.hrd")


def test_export__bfloat16__bits_for_us_and_values_for_h5py(tmp_path):
    bits = np.array([0x3F80, 0xC020, 0x7F80, 0x0001, 0x7FC1], "u2")
    with hr.Writer(tmp_path / "a.hrd", fields={"x": "bfloat16"}) as writer:
        writer.append(x=bits.view(hr.dtypes.bfloat16()))
    good("export", tmp_path / "a.hrd", "-o", tmp_path / "a.h5")
    assert good("compare", tmp_path / "a.hrd", tmp_path / "a.h5")
    with h5py.File(tmp_path / "a.h5") as file:
        np.testing.assert_array_equal(file["x"][:], (bits.astype("u4") << 16).view("f4"))


def test_export__kind_said_by_the_command__is_made_whatever_the_name(data, tmp_path):
    limits = ["--helper-timeout", "2m", "--helper-memory", "1G"]
    good("export", data, "-o", tmp_path / "odd.name", "--kind", "hdf5", *limits)
    assert h5py.is_hdf5(tmp_path / "odd.name")
    good("export", data, "-o", tmp_path / "dir.h5", "--kind", "npy", "--fields", "label")
    assert (tmp_path / "dir.h5" / "label.npy").is_file()


@pytest.mark.parametrize("ending", ["h5", "npz"])
def test_export__a_helper_without_memory__is_an_error_and_nothing_is_made(data, tmp_path, ending):
    done = headrace("export", data, "-o", tmp_path / f"a.{ending}", "--helper-memory", "8M")
    assert done.returncode == 1 and "the helper that writes this file" in done.stderr
    with pytest.raises(hr.Error):
        hr.export(hr.open(data), tmp_path / f"a.{ending}", helper_memory="8M")
    assert list(tmp_path.iterdir()) == []


def test_export__part_and_kind__as_asked(data, tmp_path):
    source = hr.open(data)
    hr.export(source, tmp_path / "part.hdf5", fields=["label", "raw"], range=(100, 1101), gzip=0, threads=1)
    with h5py.File(tmp_path / "part.hdf5") as file:
        assert list(file) == ["label", "raw"]
        np.testing.assert_array_equal(file["label"][:], np.arange(100, 1101))
    hr.export(source, tmp_path / "dir.h5", fields=["label"], kind="npy")
    assert (tmp_path / "dir.h5" / "label.npy").is_file()
    hr.export(source, tmp_path / "odd.name", fields=["label"], kind="hdf5", budget="16M")
    assert h5py.is_hdf5(tmp_path / "odd.name")
    with pytest.raises(FileExistsError):
        hr.export(source, tmp_path / "odd.name", kind="hdf5")
    hr.export(source, tmp_path / "odd.name", kind="hdf5", fields=["raw"], replace=True)
    with h5py.File(tmp_path / "odd.name") as file:
        assert list(file) == ["raw"]


def test_export__names_that_hdf5_cannot_have__are_refused(tmp_path):
    hr.from_arrays(tmp_path / "a.hrd", {"a//b": np.arange(3)})
    done = headrace("export", tmp_path / "a.hrd", "-o", tmp_path / "a.h5")
    assert done.returncode == 1 and "a//b" in done.stderr and not (tmp_path / "a.h5").exists()
    hr.from_arrays(tmp_path / "b.hrd", {"a": np.arange(3), "a/b": np.arange(3)})
    done = headrace("export", tmp_path / "b.hrd", "-o", tmp_path / "b.h5")
    assert done.returncode == 1 and "cannot have both fields a and a/b" in done.stderr
    done = headrace("export", tmp_path / "a.hrd", "-o", tmp_path / "a.h5", "--fields", "a//b,a//b")
    assert done.returncode == 1 and "named twice" in done.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.hrd", "b.hrd"]


def helpers_of(pid):
    """The processes that a process started."""
    found = []
    for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
        found += map(int, (task / "children").read_text().split())
    return found


def test_export__helper_killed_while_it_writes__clear_and_nothing_left(tmp_path):
    hr.from_arrays(tmp_path / "a.hrd", x=RNG.random((40_000, 400), np.float32))
    child = subprocess.Popen([PROGRAM, "export", tmp_path / "a.hrd", "-o", tmp_path / "a.h5", "--gzip", "9"],
                             env=ENVIRONMENT, stderr=subprocess.PIPE, text=True)
    partial = tmp_path / "a.h5.partial"
    while not partial.exists() or partial.stat().st_size < 1 << 20:
        assert child.poll() is None
        time.sleep(0.01)
    (helper,) = helpers_of(child.pid)
    os.kill(helper, signal.SIGKILL)
    assert child.wait(30) == 1
    words = child.stderr.read()
    assert "the helper that writes this file was ended by signal 9" in words and "nothing was made" in words
    assert [path.name for path in tmp_path.iterdir()] == ["a.hrd"]


def test_export__interrupted__exit_130_and_nothing_left(tmp_path):
    hr.from_arrays(tmp_path / "a.hrd", x=RNG.random((40_000, 400), np.float32))
    child = subprocess.Popen([PROGRAM, "export", tmp_path / "a.hrd", "-o", tmp_path / "a.h5", "--gzip", "9"],
                             env=ENVIRONMENT, stderr=subprocess.PIPE, text=True)
    while not (tmp_path / "a.h5.partial").exists():
        assert child.poll() is None
        time.sleep(0.01)
    child.send_signal(signal.SIGINT)
    assert child.wait(30) == 130
    assert "nothing of" in child.stderr.read()
    assert [path.name for path in tmp_path.iterdir()] == ["a.hrd"]


def test_export__file_size_limit__is_an_error_that_says_so(data, tmp_path):
    done = subprocess.run(["bash", "-c", f"ulimit -f 9000; '{PROGRAM}' export '{data}' -o '{tmp_path}/a.h5' --gzip 0"],
                          env=ENVIRONMENT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1 and "ulimit -f" in done.stderr, done.stderr
    assert not any(tmp_path.iterdir())


def test_export__memory_of_the_command__is_bounded(tmp_path):
    hr.from_arrays(tmp_path / "a.hrd", x=RNG.integers(0, 9, (60_000, 1000)).astype("u2"))
    peak = ("import resource, subprocess, sys; done = subprocess.run(sys.argv[1:]); "
            "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss); sys.exit(done.returncode)")
    options = ["a.hrd", "-o", "a.h5", "--gzip", "1", "--budget", "32M", "--quiet"]
    done = subprocess.run(["python3", "-c", peak, PROGRAM, "export", *options], cwd=tmp_path, env=ENVIRONMENT,
                          capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) < 60 << 10  # the larger of the command and its helper
