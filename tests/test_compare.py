"""`headrace compare` and hr.compare(): what differs, where, and the exit code."""

import json
import os
import subprocess

import pytest

np = pytest.importorskip("numpy", minversion="1.24")

from headrace_command import figures, good, headrace, layout  # noqa: E402
from python_package import hr, rows_of  # noqa: E402

DIFFERENT = 4


@pytest.fixture
def place(tmp_path, monkeypatch):
    """a.hrd of X.npy and y.npy; b/X.npy, in which three elements are others."""
    monkeypatch.chdir(tmp_path)
    for name, array in rows_of(np.arange(500)).items():
        np.save(f"{name}.npy", array)
    good("convert", "X.npy", "y.npy", "-o", "a.hrd", "--quiet")
    os.mkdir("b")
    x = np.load("X.npy")
    x[17, 3, 4] = 0.1
    x[499, 0, :2] = np.nan
    x.view("u4")[499, 0, 1] = 0x7FC00001
    np.save("b/X.npy", x)
    return tmp_path


def test_compare__equal__exit_0(place):
    assert good("compare", "X.npy", "X.npy").startswith("X: float32 (4, 6), equal\nequal: one field, 46.9 KiB compared")
    assert good("compare", "a.hrd", ".", "--fields", "X,y").splitlines()[:2] == [
        "X: float32 (4, 6), equal", "y: int64 (), equal"]
    assert good("compare", "a.hrd", "a.hrd", "--quiet") == ""


def test_compare__values_differ__exit_4_and_where(place):
    done = headrace("compare", "X.npy", "b/X.npy")
    assert (done.returncode, done.stderr) == (DIFFERENT, "")
    assert done.stdout.splitlines()[:4] == [
        "X: float32 (4, 6), 3 of 12,000 elements differ",
        "    [17, 3, 4]: 430.0 and 0.1",
        "    [499, 0, 0]: 11976.0 and nan",
        "    [499, 0, 1]: 11977.0 and nan(0x7fc00001)",
    ]
    assert "different: 1 of 1 field" in done.stdout
    done = headrace("compare", "X.npy", "b/X.npy", "--show", "1")
    assert "3 of 12,000 elements differ; the first are" in done.stdout and "[499" not in done.stdout
    done = headrace("compare", "a.hrd", "b/X.npy", "--quiet")
    assert (done.returncode, done.stdout) == (DIFFERENT, "")


def test_compare__types_shapes_and_names_differ__each_is_named(place):
    os.mkdir("c")
    np.save("c/X.npy", np.zeros((400, 4, 7), "f8"))
    np.save("c/z.npy", np.zeros(400))
    done = headrace("compare", "a.hrd", "c")
    assert done.returncode == DIFFERENT
    assert done.stdout.splitlines()[:3] == [
        "X: float32 (4, 6) and float64 (4, 7), 500 and 400 samples", "y: only in a.hrd", "z: only in c"]


def test_compare__json__layout_and_exit_code(place):
    done = headrace("compare", "a.hrd", "b/X.npy", "--json")
    assert done.returncode == DIFFERENT
    out = json.loads(done.stdout)
    side = {"name": "str", "dtype": "str", "element_dtype": "NoneType", "width_bytes": "int", "shape": ["int"],
            "samples": "int"}
    first, second = out.pop("fields")
    assert layout(out) == {"a": "str", "b": "str", "equal": "bool", "bytes": "int", "seconds": "float"}
    assert layout(first) == {
        "a": side, "b": side, "differs": ["str"], "compared_samples": "int", "elements": "int", "different": "int",
        "differences": [{"sample": "int", "position": ["int"], "first_byte": "int", "a": "str", "b": "str"}]}
    assert first["differs"] == ["values"] and first["different"] == 3
    assert second["b"] is None and second["differs"] == ["only in a"]
    assert figures("compare", "a.hrd", "a.hrd")["equal"] is True


def test_compare__hostile_text__never_reaches_the_terminal(place):
    np.save("s.npy", np.array(["a\x1b[31mb", "\x9b31m", "q‮x", "größe", "x" * 90]))
    np.save("t.npy", np.array(["-", "-", "-", "-", "x" * 89 + "y"], dtype="U90"))
    out = headrace("compare", "s.npy", "t.npy").stdout
    for words in (r'"a\x1b[31mb"', r'"\xc2\x9b31m"', r'"q\xe2\x80\xaex"', '"größe"', 'from byte 89 on "x" and "y"'):
        assert words in out, out
    assert not [c for c in out if c < " " and c != "\n"] and "\x9b" not in out and "‮" not in out


@pytest.mark.parametrize(("args", "words"), [
    ([], "FILE is missing"), (["a.hrd"], "name two"), (["a", "b", "c"], "name two"),
    (["a.hrd", "b.hrd", "--show", "0"], "--show"), (["a.hrd", "b.hrd", "--fields", "x,,y"], "--fields"),
])
def test_compare__wrong_command_line__says_what(args, words, tmp_path):
    done = headrace("compare", *args, cwd=tmp_path)
    assert done.returncode == 2 and words in done.stderr


def test_compare__file_that_is_not_there_or_damaged__is_no_difference(place):
    done = headrace("compare", "a.hrd", "missing.hrd")
    assert done.returncode == 1 and "missing.hrd" in done.stderr
    damaged = bytearray((place / "a.hrd").read_bytes())
    damaged[131072 + 400] ^= 1
    (place / "bad.hrd").write_bytes(damaged)
    assert headrace("compare", "a.hrd", "bad.hrd").returncode == 3


def test_compare__hdf5__members_and_whole_files(place):
    h5py = pytest.importorskip("h5py")
    with h5py.File("f.h5", "w") as file:
        file.create_dataset("X", data=np.load("X.npy"), chunks=(50, 4, 6), compression="gzip", shuffle=True)
        file.create_dataset("g/y", data=np.load("y.npy").astype(">i8"))
    assert good("compare", "a.hrd", "f.h5", "--fields", "X")
    assert good("compare", "y.npy", "f.h5:/g/y")
    assert good("compare", "f.h5", "f.h5", "--helpers", "2")
    done = headrace("compare", "a.hrd", "f.h5")
    assert done.returncode == DIFFERENT and "y: only in a.hrd" in done.stdout and "g/y: only in f.h5" in done.stdout


def test_compare__npz__arrays_of_any_lengths(place):
    np.savez("a.npz", X=np.load("X.npy"), y=np.load("y.npy"), other=np.zeros(3))
    np.savez_compressed("b.npz", other=np.zeros(3), y=np.load("y.npy"), X=np.load("b/X.npy"))
    assert good("compare", "a.hrd", "a.npz", "--fields", "X,y")
    done = headrace("compare", "a.npz", "b.npz")
    assert done.returncode == DIFFERENT
    assert "X: float32 (4, 6), 3 of 12,000 elements differ" in done.stdout and "other: float64 (), equal" in done.stdout


def test_compare__values_of_variable_length__between_data_sets(place):
    def write(path, chunk, texts, numbers):
        with hr.Writer(path, fields={"t": "utf8", "b": "bytes", "s": "int32[]"}, samples_per_chunk=chunk) as writer:
            writer.append(t=texts, b=[text.encode() for text in texts], s=numbers)

    texts = ["a", "größe", "", "x" * 100, "end"] * 1000
    numbers = [[1, 2], [], range(40), [7], [8]] * 1000
    write("v.hrd", 7, texts, numbers)
    write("same.hrd", 64, texts, numbers)
    assert good("compare", "v.hrd", "same.hrd", "--budget", "16M").startswith("t: utf8 (), equal\n")
    texts[7] = "!"
    texts[1003] = "x" * 99 + "yz"
    numbers[2] = [*range(30), -1]
    write("other.hrd", 64, texts, numbers)
    done = headrace("compare", "v.hrd", "other.hrd")
    assert done.returncode == DIFFERENT
    assert done.stdout.splitlines()[:8] == [
        "t: utf8 (), 2 of 5,000 elements differ", '    [7]: "" and "!"', '    [1003]: from byte 99 on "x" and "yz"',
        "b: bytes (), 2 of 5,000 elements differ", '    [7]: b"" and b"!"',
        '    [1003]: from byte 99 on b"x" and b"yz"',
        "s: int32[], 1 of 5,000 elements differ",
        "    [2]: from byte 120 on [30 31 32 33 34 35 36 37 38 39] and [-1]"]
    found = hr.compare("v.hrd", "other.hrd").fields
    assert (found[0].differences[0].a, found[0].differences[0].b) == ("", "!")
    assert found[2].differences[0].b.tolist() == [-1]


def test_compare__one_field_of_a_data_set__is_a_field_of_it(place):
    for path, text in (("t.hrd", "größe"), ("u.hrd", "other")):
        with hr.Writer(path, fields={"t": "utf8", "x": "int32", "s": "int32[]"}) as writer:
            writer.append(t=["a", text], x=[1, 2], s=[[1], []])
    assert good("compare", "t.hrd:t", "t.hrd", "--fields", "t").startswith("t: utf8 (), equal\n")
    assert hr.compare("t.hrd:/s", "u.hrd:s").fields[0].num_elements == 2
    assert hr.compare("t.hrd:t", "u.hrd:t").fields[0].num_different == 1
    assert hr.compare("t.hrd:x", "u.hrd:x")
    with pytest.raises(hr.NotFoundError, match='no field "z"; it has: t, x, s'):
        hr.compare("t.hrd:z", "t.hrd")


def test_compare__progress__goes_to_what_is_compared(place, monkeypatch):
    for path, count, other in (("t.hrd", 1000, "utf8"), ("u.hrd", 500, "bytes")):
        with hr.Writer(path, fields={"t": "utf8", "o": other}) as writer:
            writer.append(t=["text"] * count, o=["text"] * count if other == "utf8" else [b"text"] * count)
    told = []
    monkeypatch.setattr(hr._job.Watch, "tell", lambda self, done, total: told.append(total) or 0)
    found = hr.compare("t.hrd", "u.hrd")
    assert set(told) == {found.compared_bytes} == {4 * 500}


def test_compare__memory__is_bounded(tmp_path):
    """Two files of 64 MiB, a budget of 16 MiB."""
    rng = np.random.default_rng(1)
    np.save(tmp_path / "x.npy", rng.integers(0, 9, (4096, 4096), "u4"))
    good("convert", "x.npy", "-o", "x.hrd", "--quiet", cwd=tmp_path)
    peak = ("import resource, subprocess, sys; done = subprocess.run(sys.argv[1:]); "
            "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss); sys.exit(done.returncode)")
    from headrace_command import PROGRAM
    done = subprocess.run(["python3", "-c", peak, PROGRAM, "compare", "x.hrd", "x.npy", "--quiet", "--budget", "16M"],
                          cwd=tmp_path, capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) < 40 << 10


def test_compare__fortran_order_in_a_stream__goes_through_a_temporary_file(tmp_path, monkeypatch):
    x = np.asfortranarray(np.random.default_rng(0).integers(0, 9, (400_000, 25), np.int32))
    np.savez_compressed(tmp_path / "x.npz", x=x)
    good("convert", "x.npz", "-o", "x.hrd", cwd=tmp_path)
    (tmp_path / "tmp").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))
    good("compare", "x.npz", "x.hrd", "--budget", "48M", cwd=tmp_path)
    assert not list((tmp_path / "tmp").iterdir())
    monkeypatch.setenv("TMPDIR", str(tmp_path / "none"))
    done = headrace("compare", "x.npz", "x.hrd", "--budget", "48M", cwd=tmp_path)
    assert done.returncode == 1 and f"{tmp_path}/none" in done.stderr and "temporary file" in done.stderr


def test_compare__large_chunks__leave_the_readers_what_they_need(tmp_path):
    """Chunks of 17 MiB, of which a reader takes three: half of a third of the budget for pieces would be too much."""
    h5py = pytest.importorskip("h5py")
    with h5py.File(tmp_path / "x.h5", "w") as file:
        file.create_dataset("x", (2 * 17408, 1024), "u1", chunks=(17408, 1024), compression="gzip")[::1000, 5] = 7
    good("convert", "x.h5", "-o", "x.hrd", "--quiet", cwd=tmp_path)
    good("compare", "x.h5", "x.hrd", "--quiet", "--budget", "240M", cwd=tmp_path)


@pytest.mark.parametrize("seed", range(6))
def test_compare__records__together_find_what_each_field_does_alone(tmp_path, seed):
    import h5py

    rng = np.random.default_rng(seed)
    n = int(rng.integers(1, 30_000))
    kinds = [("f4",), ("<i8", (3,)), (">u2",), ("S5",), ("f8", (2, 2)), ("?",)]
    dtype = np.dtype([(f"m{i}", *kinds[int(rng.integers(len(kinds)))]) for i in range(int(rng.integers(1, 9)))])
    rows = np.frombuffer(rng.integers(0, 2, n * dtype.itemsize, np.uint8).tobytes(), dtype).copy()
    changed = rows.copy()
    for name in rng.choice(dtype.names, 2):
        changed[name][rng.integers(0, n, 20)] = rows[name][0]
    for side, values in (("a", rows), ("b", changed)):
        with h5py.File(tmp_path / f"{side}.h5", "w") as f:
            f.create_dataset("t", data=values, chunks=(int(rng.integers(1, n + 1)),), compression="gzip")
    good("convert", "a.h5", "-o", "a.hrd", cwd=tmp_path)
    for sides in (("a.h5", "b.h5"), ("a.hrd", "b.h5"), ("b.h5", "a.hrd"), ("a.hrd", "a.h5")):
        together = json.loads(headrace("compare", *sides, "--json", "--threads", 3, cwd=tmp_path).stdout)
        assert [field["a"]["name"] for field in together["fields"]] == [f"t/{name}" for name in dtype.names]
        for field in together["fields"]:
            alone = headrace("compare", *sides, "--fields", field["a"]["name"], "--json", cwd=tmp_path)
            assert json.loads(alone.stdout)["fields"] == [field]


def test_python__compare__what_the_command_finds(place):
    same = hr.compare("a.hrd", "X.npy", fields=["X"])
    assert same and same.equal and same.fields[0].differs == () and same.compared_bytes == 500 * 96
    found = hr.compare("a.hrd", "b/X.npy")
    assert not found
    x, y = found.fields
    assert (x.name, x.differs, x.num_different, x.num_elements) == ("X", ("values",), 3, 12000)
    assert x.dtypes == ("float32", "float32") and x.shapes == ((500, 4, 6), (500, 4, 6))
    first = x.differences[0]
    assert (first.sample, first.position, first.a, first.b) == (17, (3, 4), 430, np.float32(0.1))
    assert (y.differs, y.dtypes, y.shapes) == (("only in a",), ("int64", None), ((500,), None))
    assert len(hr.compare("X.npy", "b/X.npy", show=2).fields[0].differences) == 2


@pytest.mark.parametrize("fields", [[], "X", [3]])
def test_python__compare_and_export__fields_that_are_no_list_of_names__are_refused(place, fields):
    with pytest.raises(hr.InvalidError, match=r'expected a list of names such as .* None means all'):
        hr.compare("a.hrd", ".", fields=fields)
    with pytest.raises(hr.InvalidError, match='expected a list of names'):
        hr.export(hr.open("a.hrd"), "out", fields=fields)


def test_python__compare__errors_are_exceptions(place):
    with pytest.raises(FileNotFoundError):
        hr.compare("a.hrd", "missing.npy")
    with pytest.raises(hr.NotFoundError, match="has a field z"):
        hr.compare("a.hrd", "a.hrd", fields=["z"])
    with pytest.raises(ValueError, match="show is 0"):
        hr.compare("a.hrd", "a.hrd", show=0)
