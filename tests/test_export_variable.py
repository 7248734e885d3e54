"""Values of variable length: `headrace export` to HDF5 as h5py has them, to .npz as offsets and values, to .npy not."""

import os
import signal
import subprocess
import time

import pytest

np = pytest.importorskip("numpy", minversion="1.24")
h5py = pytest.importorskip("h5py")

from headrace_command import PROGRAM, good, headrace  # noqa: E402
from python_package import ENVIRONMENT, hr  # noqa: E402
from test_export_hdf5 import helpers_of  # noqa: E402

N = 5000
RNG = np.random.default_rng(11)
ELEMENTS = ["int8", "uint16", "int32", "int64", "uint8", "float16", "float32", "float64", "complex64", "complex128"]
TEXTS = ["aé€😀" * int(k) for k in RNG.integers(0, 40, N)]
BLOBS = [RNG.bytes(int(k)) for k in RNG.integers(0, 90, N)]
ROWS = {name: [RNG.integers(0, 99, int(k)).astype(name) for k in RNG.integers(0, 20, N)] for name in ELEMENTS}
MEMORY = ("import resource, subprocess, sys; done = subprocess.run(sys.argv[1:]); "
          "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss); sys.exit(done.returncode)")


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    path = tmp_path_factory.mktemp("set") / "a.hrd"
    columns = {"text": TEXTS, "deep/blob": BLOBS, "x": np.arange(N), **{f"of {name}": ROWS[name] for name in ELEMENTS}}
    fields = {"text": "utf8", "deep/blob": "bytes", **{f"of {name}": f"{name}[]" for name in ELEMENTS}}
    hr.from_arrays(path, columns, fields=fields, options={"field_attributes": {"text": {"unit": "words"}}})
    return path


def of_npz(archive, name, kind):
    return hr.Ragged(archive[f"{name}.offsets"], archive[f"{name}.values"], kind)


@pytest.mark.parametrize("options", [[], ["--gzip", "0"], ["--budget", "16M", "--threads", "1"]], ids=" ".join)
def test_hdf5__read_by_h5py__as_h5py_would_write_it(options, data, tmp_path):
    good("export", data, "-o", tmp_path / "a.h5", *options)
    with h5py.File(tmp_path / "a.h5") as file:
        assert h5py.check_string_dtype(file["text"].dtype) == ("utf-8", None)
        assert [value.decode() for value in file["text"][:]] == TEXTS
        assert h5py.check_vlen_dtype(file["deep/blob"].dtype) == np.uint8
        assert [value.tobytes() for value in file["deep/blob"][:]] == BLOBS
        np.testing.assert_array_equal(file["x"], np.arange(N))
        for name in ELEMENTS:
            found = file[f"of {name}"]
            assert h5py.check_vlen_dtype(found.dtype) == np.dtype(name)
            for value, expected in zip(found[:], ROWS[name], strict=True):
                assert value.dtype == expected.dtype and value.tobytes() == expected.tobytes()
        assert dict(file["text"].attrs) == {"unit": "words"}
    assert [path.name for path in tmp_path.iterdir()] == ["a.h5"]


@pytest.mark.parametrize("options", [[], ["--gzip", "0"], ["--budget", "16M", "--threads", "1"]], ids=" ".join)
def test_npz__loaded_by_numpy__is_offsets_and_values(options, data, tmp_path):
    good("export", data, "-o", tmp_path / "a.npz", *options)
    with np.load(tmp_path / "a.npz") as found:
        assert found["text.offsets"].dtype == np.int64 and found["text.offsets"].shape == (N + 1,)
        assert found["text.values"].dtype == np.uint8
        assert list(of_npz(found, "text", "utf8")) == TEXTS
        assert list(of_npz(found, "deep/blob", "bytes")) == BLOBS
        np.testing.assert_array_equal(found["x"], np.arange(N))
        for name in ELEMENTS:
            rows = of_npz(found, f"of {name}", f"{name}[]")
            assert rows.values.dtype == np.dtype(name)
            assert [row.tobytes() for row in rows] == [row.tobytes() for row in ROWS[name]]
    assert [path.name for path in tmp_path.iterdir()] == ["a.npz"]


def test_python__a_part_of_the_samples__is_exported(data, tmp_path):
    source = hr.open(data)
    names = ["text", "of int32"]
    hr.export(source, tmp_path / "a.h5", fields=names, range=(1234, 2011))
    hr.export(source, tmp_path / "a.npz", fields=names, range=(1234, 2011))
    with h5py.File(tmp_path / "a.h5") as file, np.load(tmp_path / "a.npz") as archive:
        assert [value.decode() for value in file["text"][:]] == TEXTS[1234:2011]
        assert list(of_npz(archive, "text", "utf8")) == TEXTS[1234:2011]
        for found in (list(file["of int32"]), list(of_npz(archive, "of int32", "int32[]"))):
            assert [row.tolist() for row in found] == [row.tolist() for row in ROWS["int32"][1234:2011]]


def test_bfloat16__values_for_h5py_and_bits_for_numpy(tmp_path):
    bits = [np.array([0x3F80, 0xC020], "u2"), np.array([], "u2"), np.array([0x7F80], "u2")]
    with hr.Writer(tmp_path / "a.hrd", fields={"x": "bfloat16[]"}) as writer:
        writer.append(x=[row.view(hr.dtypes.bfloat16()) for row in bits])
    good("export", tmp_path / "a.hrd", "-o", tmp_path / "a.h5")
    with h5py.File(tmp_path / "a.h5") as file:
        assert [row.tolist() for row in file["x"]] == [[1, -2.5], [], [np.inf]]
    done = headrace("export", tmp_path / "a.hrd", "-o", tmp_path / "a.npz")
    assert done.stderr.count("holds its bits as uint16") == 1
    assert np.load(tmp_path / "a.npz")["x.values"].tolist() == [0x3F80, 0xC020, 0x7F80]


def test_npy__is_refused_with_what_does_it(data, tmp_path):
    done = headrace("export", data, "-o", tmp_path / "folder", "--fields", "x,text")
    assert done.returncode == 1
    assert "the values of the field text differ in length" in done.stderr and ".h5 or .npz" in done.stderr
    assert not any(tmp_path.iterdir())


def test_hdf5__a_text_with_a_zero_in_it__is_refused_and_npz_holds_it(tmp_path):
    texts = ["a"] * 1000 + ["b\0c"]
    hr.from_arrays(tmp_path / "a.hrd", {"t": texts}, fields={"t": "utf8"})
    done = headrace("export", tmp_path / "a.hrd", "-o", tmp_path / "a.h5")
    assert done.returncode == 1
    assert "field t" in done.stderr and "sample 1000" in done.stderr and ".npz" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["a.hrd"]
    good("export", tmp_path / "a.hrd", "-o", tmp_path / "a.npz")
    assert list(of_npz(np.load(tmp_path / "a.npz"), "t", "utf8")) == texts


def test_npz__a_field_with_the_name_of_a_part__is_refused(tmp_path):
    hr.from_arrays(tmp_path / "a.hrd", {"t": ["a"], "t.offsets": np.arange(1)}, fields={"t": "utf8"})
    done = headrace("export", tmp_path / "a.hrd", "-o", tmp_path / "a.npz")
    assert done.returncode == 1 and "the field t would take the name of the field t.offsets" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["a.hrd"]
    good("export", tmp_path / "a.hrd", "-o", tmp_path / "a.npz", "--fields", "t")


def test_nothing__no_samples_and_empty_values__are_exported(tmp_path):
    fields = {"t": "utf8", "s": "int32[]"}
    for name, count in (("none", 0), ("empty", 3)):
        columns = {"t": [""] * count, "s": [np.empty(0, np.int32)] * count}
        with hr.Writer(tmp_path / f"{name}.hrd", fields=fields) as writer:
            writer.append(**columns)
        good("export", tmp_path / f"{name}.hrd", "-o", tmp_path / f"{name}.h5")
        good("export", tmp_path / f"{name}.hrd", "-o", tmp_path / f"{name}.npz")
        with h5py.File(tmp_path / f"{name}.h5") as file:
            assert list(file["t"]) == [b""] * count and [len(row) for row in file["s"]] == [0] * count
        with np.load(tmp_path / f"{name}.npz") as archive:
            assert archive["s.offsets"].tolist() == [0] * (count + 1) and archive["s.values"].shape == (0,)


def test_a_long_value__needs_a_budget__and_is_then_exported(tmp_path):
    rows = [np.arange(10), np.arange(1_500_000), np.arange(3)]
    with hr.Writer(tmp_path / "a.hrd", fields={"s": "int64[]"}, samples_per_chunk=1) as writer:
        writer.append(s=rows)
    done = headrace("export", tmp_path / "a.hrd", "-o", tmp_path / "a.h5", "--budget", "32M")
    assert done.returncode == 1 and "has 12000000 bytes" in done.stderr and "give at least" in done.stderr
    done = headrace("export", tmp_path / "a.hrd", "-o", tmp_path / "a.npz", "--budget", "10M")
    assert done.returncode == 1 and "sample 1:" in done.stderr and "give at least" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["a.hrd"]
    good("export", tmp_path / "a.hrd", "-o", tmp_path / "a.h5", "--budget", "128M")
    good("export", tmp_path / "a.hrd", "-o", tmp_path / "a.npz", "--budget", "32M")
    with h5py.File(tmp_path / "a.h5") as file:
        assert all(np.array_equal(a, b) for a, b in zip(file["s"], rows, strict=True))
    for a, b in zip(of_npz(np.load(tmp_path / "a.npz"), "s", "int64[]"), rows, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    path = tmp_path_factory.mktemp("large") / "a.hrd"
    letters = bytes(RNG.integers(97, 123, 200_000, np.uint8)).decode()
    with hr.Writer(path, fields={"t": "utf8"}) as writer:
        for _ in range(20):
            starts = RNG.integers(0, 190_000, 10_000).tolist()
            writer.append(t=[letters[at : at + 600 + at % 500] for at in starts])
    return path


@pytest.mark.parametrize("name", ["a.h5", "a.npz"])
def test_memory__of_command_and_helper__is_bounded(name, large, tmp_path):
    options = [large, "-o", tmp_path / name, "--gzip", "1", "--budget", "32M", "--quiet"]
    done = subprocess.run(["python3", "-c", MEMORY, PROGRAM, "export", *map(str, options)], env=ENVIRONMENT,
                          capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / name).stat().st_size > 60 << 20
    assert int(done.stdout) < 60 << 10  # the larger of the command and its helper


def begin(large, out):
    child = subprocess.Popen([PROGRAM, "export", large, "-o", out, "--gzip", "9"], env=ENVIRONMENT,
                             stderr=subprocess.PIPE, text=True)
    partial = out.with_name(out.name + ".partial")
    while not partial.exists() or partial.stat().st_size < 1 << 20:
        assert child.poll() is None
        time.sleep(0.005)
    return child


@pytest.mark.parametrize("name", ["a.h5", "a.npz"])
def test_helper_killed_while_it_writes__clear_and_nothing_left(name, large, tmp_path):
    child = begin(large, tmp_path / name)
    (helper,) = helpers_of(child.pid)
    os.kill(helper, signal.SIGKILL)
    assert child.wait(30) == 1
    assert "the helper that writes this file was ended by signal 9" in child.stderr.read()
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["a.h5", "a.npz"])
def test_interrupted__exit_130_and_nothing_left(name, large, tmp_path):
    child = begin(large, tmp_path / name)
    child.send_signal(signal.SIGINT)
    assert child.wait(30) == 130
    assert not any(tmp_path.iterdir())


def test_file_size_limit__is_an_error_that_says_so(large, tmp_path):
    command = f"ulimit -f 9000; '{PROGRAM}' export '{large}' -o '{tmp_path}/a.h5'"
    done = subprocess.run(["bash", "-c", command], env=ENVIRONMENT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1 and "ulimit -f" in done.stderr, done.stderr
    assert not any(tmp_path.iterdir())
