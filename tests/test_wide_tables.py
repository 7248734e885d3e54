"""Tables of hundreds of fields: exported and compared in groups, they are what they were, and differences are told of
the right field and sample."""

import pytest

np = pytest.importorskip("numpy")

from headrace_command import good, headrace, needs_program  # noqa: E402

pytestmark = needs_program

SAMPLES, FIRST, END = 3000, 130, 2890


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wide")
    rng = np.random.default_rng(0)
    kinds = ["<f4", "u1", "<U3", "<i8", ("<f2", (3,)), "S2", "?"]
    array = np.zeros(SAMPLES, [(f"f{i}", *(kind if isinstance(kind, tuple) else (kind,)))
                               for i, kind in ((i, kinds[i % len(kinds)]) for i in range(300))])
    for name in array.dtype.names:
        column = array[name]
        if column.dtype.kind in "US":
            words = ["", "a", "xyz", "äö"] if column.dtype.kind == "U" else [b"", b"q"]
            column[:] = rng.choice(np.array(words), SAMPLES)
        elif column.dtype.kind == "b":
            column[:] = rng.integers(0, 2, SAMPLES)
        else:
            column[:] = rng.integers(0, 100, column.shape)
    np.save(folder / "t.npy", array)
    good("convert", "t.npy", "-o", "t.hrd", "--chunk-bytes", "200K", cwd=folder)
    return folder, array


OPTIONS = [[], ["--budget", "24M", "--threads", "3"], ["--range", f"{FIRST}:{END}"]]


@pytest.mark.parametrize("options", OPTIONS, ids=" ".join)
@pytest.mark.parametrize("out", ["folder", "t.npz", "t.h5"])
def test_export__of_many_fields__gives_each_its_values(table, tmp_path, out, options):
    folder, array = table
    expected = array[FIRST:END] if "--range" in options else array
    good("export", folder / "t.hrd", "-o", tmp_path / out, *options)
    if out == "t.h5":
        h5py = pytest.importorskip("h5py")
        with h5py.File(tmp_path / out) as file:
            found = {name: file[name][:] for name in file}
    elif out == "t.npz":
        found = dict(np.load(tmp_path / out))
    else:
        found = {path.stem: np.load(path) for path in (tmp_path / out).iterdir()}
    assert sorted(found) == sorted(array.dtype.names)
    for name, values in found.items():
        if out == "t.h5" and array[name].dtype.kind == "U":
            values = np.char.decode(values.astype("S"), "utf-8")
        assert np.array_equal(values, expected[name]), name
    if not options:
        good("compare", folder / "t.hrd", tmp_path / out)


@pytest.mark.parametrize("other", ["npy", "hrd", "folder"])
def test_compare__of_many_fields__tells_where_one_differs(table, tmp_path, other):
    folder, array = table
    array = array.copy()
    array["f203"][2501] = 7 - array["f203"][2501]
    np.save(tmp_path / "u.npy", array)
    what = "u.npy"
    if other != "npy":
        good("convert", "u.npy", "-o", "u.hrd", cwd=tmp_path)
        what = "u.hrd"
    if other == "folder":
        good("export", "u.hrd", "-o", "u", cwd=tmp_path)
        what = "u"
    for budget in ("24M", "256M"):
        done = headrace("compare", folder / "t.hrd", what, "--budget", budget, "--threads", "3", cwd=tmp_path)
        assert done.returncode == 4, (done.stdout, done.stderr)
        differing = [line for line in done.stdout.splitlines() if "differ" in line and "equal" not in line]
        assert any(line.startswith("f203") for line in differing), done.stdout
        assert "2,501" in done.stdout or "2501" in done.stdout
        assert done.stdout.count(", equal") == 299
