"""Sparse matrices in HDF5 files (AnnData, 10x) as dense rows, and as what their rows hold: against the matrices that
they were made of, refused where nobody asked for them, and damaged ones refused with their reason. Uses the program
tool_hdf5_dump of the build that $HEADRACE_BIN is the bin folder of (default: build/release/bin)."""

import re
import subprocess
import time

import h5py
import numpy as np
import pytest

from hdf5_dump import BUILD, TOOL, assert_rows, list_sources, read_bytes, read_rows
from headrace_command import PROGRAM, figures, good, headrace
from python_package import hr

pytestmark = pytest.mark.skipif(TOOL is None, reason=f"no tool_hdf5_dump in {BUILD}")


@pytest.fixture
def out(tmp_path):
    return tmp_path / "rows"


def random_matrix(rows, columns, dtype="f4", density=0.1, seed=1):
    rng = np.random.default_rng(seed)
    x = np.zeros((rows, columns), dtype)
    there = rng.random((rows, columns)) < density
    x[there] = rng.integers(1, 100, int(there.sum())).astype(dtype)
    return x


def parts(x, shuffled=False, seed=1):
    """data, indices and indptr of the rows of x."""
    rng = np.random.default_rng(seed)
    data, indices, indptr = [], [], [0]
    for row in x:
        places = np.flatnonzero(row)
        if shuffled:
            rng.shuffle(places)
        data.append(row[places])
        indices.append(places)
        indptr.append(indptr[-1] + len(places))
    none = [np.zeros(0, x.dtype)], [np.zeros(0, int)]
    return np.concatenate(data or none[0]), np.concatenate(indices or none[1]), np.array(indptr)


def write_parts(group, data, indices, indptr, index_type="i4", **layout):
    if layout:
        layout["maxshape"] = (None,)  # chunks may be larger than the data
    group.create_dataset("data", data=data, **layout)
    group.create_dataset("indices", data=indices.astype(index_type), **layout)
    group.create_dataset("indptr", data=indptr.astype(index_type), **layout)


def write_csr(group, x, *, shuffled=False, index_type="i4", encoding="csr_matrix", **layout):
    write_parts(group, *parts(x, shuffled), index_type, **layout)
    group.attrs["encoding-type"] = encoding
    group.attrs["encoding-version"] = "0.1.0"
    group.attrs["shape"] = x.shape


def write_csc(group, x, *, attribute="encoding-type", **layout):
    write_csr(group, x.T, **layout)
    del group.attrs["encoding-type"]
    group.attrs[attribute] = "csc_matrix" if attribute == "encoding-type" else "csc"
    group.attrs["shape"] = x.shape


def write_10x(group, x, **layout):
    """x: cells x genes; the file says genes x cells, stored by columns."""
    write_parts(group, *parts(x), "i8", **layout)
    group["shape"] = np.array(x.shape[::-1], "i4")


@pytest.mark.parametrize("layout", [{}, {"chunks": (64,)}, {"chunks": (1000,), "compression": "gzip"}])
@pytest.mark.parametrize("dtype", ["i1", "<u2", "<f4", ">f8", "<i8", "<c16", "?"])
def test_csr__of_every_width_and_layout__is_its_dense_rows(tmp_path, out, dtype, layout):
    x = random_matrix(211, 67, dtype)
    with h5py.File(tmp_path / "a.h5ad", "w") as f:
        write_csr(f.create_group("X"), x, **(layout if dtype != ">f8" else {}))
    assert_rows(tmp_path / "a.h5ad", "X", out, x.astype(x.dtype.newbyteorder("<")), step=37, DENSE=1)


@pytest.mark.parametrize("seed", range(12))
def test_csr__random_shapes_and_steps__is_its_dense_rows(tmp_path, out, seed):
    rng = np.random.default_rng(seed)
    rows, columns = int(rng.integers(1, 6000)), int(rng.integers(1, 90))
    x = random_matrix(rows, columns, density=float(rng.choice([0, 0.01, 0.3, 1])), seed=seed)
    with h5py.File(tmp_path / "a.h5ad", "w") as f:
        write_csr(f.create_group("X"), x, shuffled=bool(seed % 2), index_type=str(rng.choice(["i4", "i8", "u4"])),
                  chunks=(int(rng.integers(1, 5000)),))
    assert_rows(tmp_path / "a.h5ad", "X", out, x, step=int(rng.integers(1, 700)), DENSE=1)


def test_csr__more_values_in_a_row_than_are_read_at_once__is_its_dense_rows(tmp_path, out):
    x = random_matrix(5, 150_000, "f4", density=0.9)
    with h5py.File(tmp_path / "a.h5ad", "w") as f:
        write_csr(f.create_group("X"), x, shuffled=True)
    assert_rows(tmp_path / "a.h5ad", "X", out, x, step=2, DENSE=1)


def test_csr__of_old_files__is_known_by_their_attributes(tmp_path, out):
    x = random_matrix(20, 9)
    with h5py.File(tmp_path / "a.h5ad", "w") as f:
        write_parts(f.create_group("X"), *parts(x))
        f["X"].attrs["h5sparse_format"] = "csr"
        f["X"].attrs["h5sparse_shape"] = x.shape
    assert_rows(tmp_path / "a.h5ad", "X", out, x, DENSE=1)


def test_10x__samples_are_the_cells(tmp_path, out):
    x = random_matrix(120, 31, "i4")
    with h5py.File(tmp_path / "a.h5", "w") as f:
        write_10x(f.create_group("matrix"), x, chunks=(50,), compression="gzip")
        f["matrix/barcodes"] = np.array([b"AAAC-%03d" % i for i in range(120)])
    assert_rows(tmp_path / "a.h5", "matrix", out, x, step=50, DENSE=1)
    assert [s["name"] for s in list_sources(tmp_path / "a.h5", DENSE=1).answer] == ["matrix"]
    done = hr.convert(tmp_path / "a.h5", tmp_path / "a.h5:/matrix/barcodes", out=tmp_path / "a.hrd", sparse="dense")
    assert (done.num_samples, done.num_fields) == (120, 2)


@pytest.mark.parametrize("x", [np.zeros((0, 5), "f4"), np.zeros((4, 7), "f4")], ids=["no_rows", "no_values"])
def test_csr__with_nothing_in_it__is_its_dense_rows(tmp_path, out, x):
    with h5py.File(tmp_path / "a.h5ad", "w") as f:
        write_csr(f.create_group("X"), x)
    assert_rows(tmp_path / "a.h5ad", "X", out, x, DENSE=1)


def test_field__is_named_by_its_group_and_keeps_other_attributes(tmp_path):
    x = random_matrix(20, 9)
    with h5py.File(tmp_path / "a.h5ad", "w") as f:
        write_csr(f.create_group("layers/counts"), x)
        f["layers/counts"].attrs["unit"] = "reads"
        f["label"] = np.arange(20)
    assert [s["name"] for s in list_sources(tmp_path / "a.h5ad", DENSE=1).answer] == ["label", "layers/counts"]
    assert [s["name"] for s in list_sources(tmp_path / "a.h5ad", "layers/counts", DENSE=1).answer] == ["counts"]
    hr.convert(tmp_path / "a.h5ad", out=tmp_path / "a.hrd", sparse="dense")
    with hr.open(tmp_path / "a.hrd") as ds:
        assert np.array_equal(ds["layers/counts"][:], x)
        assert dict(ds["layers/counts"].attributes) == {"unit": "reads"}


def test_unasked__is_refused_with_its_size_and_what_to_do(tmp_path):
    with h5py.File(tmp_path / "a.h5ad", "w") as f:
        write_csr(f.create_group("X"), random_matrix(20, 9))
    result = list_sources(tmp_path / "a.h5ad")
    assert result.status == "HR_ERR_UNSUPPORTED"
    assert "/X: it is a sparse matrix of 20 x 9" in result.message and " 720 bytes" in result.message
    assert "--sparse dense" in result.message and "--sparse varlen" in result.message
    with pytest.raises(hr.UnsupportedError, match="sparse matrix"):
        hr.convert(tmp_path / "a.h5ad:/X", out=tmp_path / "a.hrd")


@pytest.mark.parametrize("attribute", ["encoding-type", "h5sparse_format"])
def test_csc__is_its_dense_rows(tmp_path, out, attribute):
    x = random_matrix(211, 67)
    with h5py.File(tmp_path / "a.h5ad", "w") as f:
        write_csc(f.create_group("X"), x, attribute=attribute, shuffled=True)
    assert_rows(tmp_path / "a.h5ad", "X", out, x, step=37, DENSE=1)
    assert "211 x 67" in list_sources(tmp_path / "a.h5ad").message
    good("convert", tmp_path / "a.h5ad", "-o", tmp_path / "a.hrd", "--sparse", "dense")
    assert headrace("compare", tmp_path / "a.hrd", tmp_path / "a.h5ad").returncode == 0


@pytest.mark.parametrize("shape", [(0, 5), (5, 0), (4, 7)])
def test_csc__with_nothing_in_it__is_its_dense_rows(tmp_path, out, shape):
    with h5py.File(tmp_path / "a.h5ad", "w") as f:
        write_csc(f.create_group("X"), np.zeros(shape, "f4"))
    assert_rows(tmp_path / "a.h5ad", "X", out, np.zeros(shape, "f4"), DENSE=1)


@pytest.mark.parametrize("axis", [0, 1])
def test_csc__larger_than_the_budget__is_put_together_from_its_columns(tmp_path, axis):
    x = random_matrix(40_000, 600, density=0.02)
    with h5py.File(tmp_path / "a.h5ad", "w") as f:
        write_csc(f.create_group("X"), x, chunks=(50_000,), compression="gzip")
    done = hr.convert(tmp_path / "a.h5ad:/X", out=tmp_path / "a.hrd", sparse="dense", axis=axis, budget="32M")
    assert done.num_samples == x.shape[axis]
    with hr.open(tmp_path / "a.hrd") as ds:
        assert np.array_equal(ds["X"][:], x if axis == 0 else x.T)
    assert [p.name for p in tmp_path.iterdir() if p.name not in ("a.h5ad", "a.hrd")] == []


def test_parts_of_it__are_data_sets_by_their_paths(tmp_path, out):
    with h5py.File(tmp_path / "a.h5ad", "w") as f:
        write_csr(f.create_group("X"), random_matrix(20, 9))
        expected = f["X/indices"][:]
    assert_rows(tmp_path / "a.h5ad", "X/indices", out, expected)


@pytest.mark.parametrize("chunk", [2_000_000, 100_000, 3000])
def test_chunks__of_which_each_window_needs_a_part__are_read_once(tmp_path, out, chunk):
    x = random_matrix(40_000, 100, "f4", density=0.5)
    with h5py.File(tmp_path / "a.h5ad", "w") as f:
        write_csr(f.create_group("X"), x, chunks=(chunk,), shuffle=True)  # any filter: else parts of chunks are read
    before = read_bytes()
    assert_rows(tmp_path / "a.h5ad", "X", out, x, step=50, DENSE=1)
    # What the test itself reads back, and what programs read to start.
    once = (tmp_path / "a.h5ad").stat().st_size + x.nbytes
    assert read_bytes() - before < 1.1 * once + (2 << 20)


def test_chunks__larger_than_the_budget__are_refused(tmp_path, out):
    with h5py.File(tmp_path / "a.h5ad", "w") as f:
        write_csr(f.create_group("X"), random_matrix(200, 100), chunks=(2_000_000,))
    result, _ = read_rows(tmp_path / "a.h5ad", "X", out, budget=8 << 20, DENSE=1)
    assert result.status == "HR_ERR_BUDGET" and "X" in result.message


# --- damaged -------------------------------------------------------------------------------------------------------


def replace(group, name, values):
    del group[name]
    group[name] = values


def set_value(name, place, value):
    return lambda g: g[name].__setitem__(place, value)


DAMAGE = {
    "descending": (set_value("indptr", 5, 0), "CORRUPT", "row 4 is said to begin at"),
    "negative": (set_value("indptr", 5, -7), "CORRUPT", "to end at -7"),
    "beyond": (set_value("indptr", -1, 2**31 - 1), "CORRUPT", "to end at 2147483647"),
    "late": (set_value("indptr", 0, 1), "CORRUPT", "row 0 is said to begin at value 1"),
    "column": (set_value("indices", 3, 9), "CORRUPT", "in column 9 of 9"),
    "column_negative": (set_value("indices", 3, -1), "CORRUPT", "in column -1 of 9"),
    "twice": (lambda g: g["indices"].__setitem__(1, g["indices"][0]), "DATA", "two values in column"),
    "crowded": (lambda g: g["indptr"].__setitem__(slice(1, -1), g["indptr"][-1]), "DATA", "values for 9 columns"),
    "fewer_starts": (lambda g: replace(g, "indptr", g["indptr"][:-1]), "CORRUPT", "expected one more than"),
    "no_starts": (lambda g: replace(g, "indptr", np.zeros(0, "i4")), "CORRUPT", "has 0 entries"),
    "fewer_indices": (lambda g: replace(g, "indices", g["indices"][:-1]), "CORRUPT", "should be equally many"),
    "starts_of_2_axes": (lambda g: replace(g, "indptr", np.zeros((21, 1), "i4")), "CORRUPT", "more than one axis"),
    "float_indices": (lambda g: replace(g, "indices", g["indices"][:].astype("f4")), "UNSUPPORTED", "no integers"),
    "text": (lambda g: replace(g, "data", g["data"][:].astype("S4")), "UNSUPPORTED", "no numbers"),
    "a_group": (lambda g: (g.pop("data"), g.create_group("data")), "CORRUPT", "its data: it is no data set"),
    "missing": (lambda g: g.pop("indptr"), "NOT_FOUND", 'there is no "indptr"'),
    "no_shape": (lambda g: g.attrs.pop("shape"), "CORRUPT", "shape is not two integers"),
    "shape_of_3": (lambda g: g.attrs.__setitem__("shape", (20, 9, 1)), "CORRUPT", "shape is not two integers"),
    "shape_of_floats": (lambda g: g.attrs.__setitem__("shape", (20., 9.)), "CORRUPT", "not two integers"),
    "shape_negative": (lambda g: g.attrs.__setitem__("shape", (-1, 9)), "CORRUPT", "(-1, 9)"),
    "shape_huge": (lambda g: g.attrs.__setitem__("shape", (20, 2**62)), "UNSUPPORTED", "larger than 16 GiB"),
    "shape_other": (lambda g: g.attrs.__setitem__("shape", (21, 9)), "CORRUPT", "expected one more than its 21"),
}


@pytest.mark.parametrize("kind", DAMAGE)
def test_damaged__is_refused_with_its_reason(tmp_path, out, kind):
    damage, status, words = DAMAGE[kind]
    with h5py.File(tmp_path / "a.h5ad", "w") as f:
        write_csr(f.create_group("X"), random_matrix(20, 9, density=0.5))
        damage(f["X"])
    result, _ = read_rows(tmp_path / "a.h5ad", "X", out, DENSE=1)
    assert result.status == f"HR_ERR_{status}" and words in result.message, result.message


def test_damaged__values_that_nobody_wrote__are_not_all_read(tmp_path, out):
    """2^60 values in a file of some KiB: a row may not have more than it has columns."""
    with h5py.File(tmp_path / "a.h5ad", "w") as f:
        write_csr(f.create_group("X"), random_matrix(20, 9))
        for name in ("data", "indices"):
            del f["X"][name]
            f["X"].create_dataset(name, shape=(2**60,), dtype="i4", chunks=(1024,))
        replace(f["X"], "indptr", np.array([0] * 20 + [2**60]))
    result, _ = read_rows(tmp_path / "a.h5ad", "X", out, DENSE=1)
    assert result.status == "HR_ERR_DATA" and "row 19 holds 1152921504606846976 values" in result.message


def test_csc__damaged__is_refused_with_words_for_columns(tmp_path, out):
    with h5py.File(tmp_path / "a.h5ad", "w") as f:
        write_csc(f.create_group("X"), random_matrix(20, 9, density=0.5))
        f["X/indices"][3] = 20
    result, _ = read_rows(tmp_path / "a.h5ad", "X", out, DENSE=1)
    assert result.status == "HR_ERR_CORRUPT" and "has a value in row 20 of 20" in result.message, result.message


@pytest.mark.parametrize("shape", [(31, 120, 1), (31, -1), (30, 121)])
def test_10x__of_another_shape__is_refused(tmp_path, shape):
    with h5py.File(tmp_path / "a.h5", "w") as f:
        write_10x(f.create_group("matrix"), random_matrix(120, 31, "i4"))
        replace(f["matrix"], "shape", np.array(shape, "i4"))
    result = list_sources(tmp_path / "a.h5", DENSE=1)
    assert result.status == "HR_ERR_CORRUPT" and "/matrix: its" in result.message


# --- the command ---------------------------------------------------------------------------------------------------


def test_command__a_folder_of_parts__is_one_field_and_equal(tmp_path):
    x = random_matrix(3000, 40)
    (tmp_path / "in").mkdir()
    for k in range(3):
        with h5py.File(tmp_path / "in" / f"part_{k}.h5ad", "w") as f:
            write_csr(f.create_group("X"), x[k * 1000 : (k + 1) * 1000], chunks=(500,), compression="gzip")
    sparse = ("--sparse", "dense")
    assert figures("convert", tmp_path / "in", "-o", tmp_path / "a.hrd", *sparse, "--helpers", 3)["samples"] == 3000
    with hr.open(tmp_path / "a.hrd") as ds:
        assert np.array_equal(ds["X"][:], x)
    good("convert", tmp_path / "in" / "part_0.h5ad", "-o", tmp_path / "b.hrd", *sparse)
    assert headrace("compare", tmp_path / "b.hrd", tmp_path / "in" / "part_0.h5ad").returncode == 0
    assert headrace("compare", tmp_path / "b.hrd", tmp_path / "in" / "part_1.h5ad").returncode == 4


def test_command__unknown_word__is_a_usage_error(tmp_path):
    done = headrace("convert", "a.h5ad", "-o", tmp_path / "a.hrd", "--sparse", "thin")
    assert done.returncode == 2 and "--sparse" in done.stderr
    done = headrace("convert", "a.h5ad", "-o", tmp_path / "a.hrd")
    assert done.returncode == 1


def test_command__along_the_columns__is_the_matrix_transposed(tmp_path):
    x = random_matrix(300, 40)
    with h5py.File(tmp_path / "a.h5ad", "w") as f:
        write_csr(f.create_group("X"), x, chunks=(500,), compression="gzip")
    good("convert", tmp_path / "a.h5ad", "-o", tmp_path / "a.hrd", "--sparse", "dense", "--axis", 1)
    with hr.open(tmp_path / "a.hrd") as ds:
        assert np.array_equal(ds["X"][:], x.T)


def assert_values(path, name, x, shuffled=False):
    """The two fields of what the rows of x hold."""
    data, indices, indptr = parts(x, shuffled)
    with hr.open(path) as dataset:
        for field, expected in ((f"{name}/indices", indices), (f"{name}/data", data)):
            assert dataset.fields[field].attributes["headrace:sparse_columns"] == x.shape[1]
            rows = dataset[field][:]
            assert len(rows) == len(x)
            for i, row in enumerate(rows):
                assert np.array_equal(row, expected[indptr[i] : indptr[i + 1]]), (field, i)


@pytest.mark.parametrize("layout", [{}, {"chunks": (64,)}, {"chunks": (5000,), "compression": "gzip"}])
@pytest.mark.parametrize("dtype", ["i1", "<u2", "<f4", ">f8", "<i8", "<c16", "?"])
def test_varlen__of_every_width_and_layout__is_what_the_rows_hold(tmp_path, dtype, layout):
    x = random_matrix(211, 67, dtype)
    with h5py.File(tmp_path / "a.h5ad", "w") as f:
        write_csr(f.create_group("X"), x, shuffled=True, index_type="i2", **layout)
        f["X"].attrs["unit"] = "counts"
    good("convert", tmp_path / "a.h5ad", "-o", tmp_path / "a.hrd", "--sparse", "varlen")
    assert_values(tmp_path / "a.hrd", "X", x, shuffled=True)
    with hr.open(tmp_path / "a.hrd") as dataset:
        assert list(dataset.fields) == ["X/indices", "X/data"]
        assert dataset.fields["X/data"].attributes == {"headrace:sparse_columns": 67, "unit": "counts"}


@pytest.mark.parametrize("kind", ["varlen", "dense"])
def test_compare__with_the_matrix__reads_it_as_the_data_set_has_it(tmp_path, kind):
    x = random_matrix(2000, 67)
    with h5py.File(tmp_path / "a.h5ad", "w") as f:
        write_csr(f.create_group("X"), x, chunks=(500,), compression="gzip")
        f["y"] = np.arange(2000)
    good("convert", "a.h5ad", "-o", "a.hrd", "--sparse", kind, cwd=tmp_path)
    for sides in (("a.hrd", "a.h5ad"), ("a.h5ad", "a.hrd")):
        good("compare", *sides, cwd=tmp_path)
    with h5py.File(tmp_path / "a.h5ad", "r+") as f:
        f["X/data"][1234] += 1
    row = np.searchsorted(parts(x, False)[2], 1234, side="right") - 1
    for sides in (("a.hrd", "a.h5ad"), ("a.h5ad", "a.hrd")):
        done = headrace("compare", *sides, cwd=tmp_path)
        assert done.returncode == 4
        assert re.search(rf"\[{row}\b", done.stdout), (row, done.stdout)


@pytest.mark.parametrize("seed", range(8))
def test_varlen__random_shapes_and_budgets__is_what_the_rows_hold(tmp_path, seed):
    rng = np.random.default_rng(seed)
    rows, columns = int(rng.integers(1, 20_000)), int(rng.integers(1, 200))
    x = random_matrix(rows, columns, density=float(rng.choice([0, 0.01, 0.5, 1])), seed=seed)
    with h5py.File(tmp_path / "a.h5", "w") as f:
        write_10x(f.create_group("matrix"), x, chunks=(int(rng.integers(1, 5000)),))
    hr.convert(tmp_path / "a.h5", out=tmp_path / "a.hrd", sparse="varlen", budget=["48M", "1G"][seed % 2])
    assert_values(tmp_path / "a.hrd", "matrix", x)


def test_varlen__a_row_longer_than_a_slot__needs_the_budget_and_is_read(tmp_path):
    x = np.zeros((5, 2_000_000), "f8")
    x[3] = np.arange(1, 2_000_001)
    with h5py.File(tmp_path / "a.h5ad", "w") as f:
        write_csr(f.create_group("X"), x)
    varlen = ("--sparse", "varlen")
    refused = headrace("convert", tmp_path / "a.h5ad", "-o", tmp_path / "a.hrd", *varlen, "--budget", "64M")
    assert refused.returncode == 1 and "sample 3 has " in refused.stderr
    good("convert", tmp_path / "a.h5ad", "-o", tmp_path / "a.hrd", "--sparse", "varlen", "--budget", "1G")
    assert_values(tmp_path / "a.hrd", "X", x)


@pytest.mark.parametrize("write", [write_csr, write_csc])
def test_varlen__range_fields_append_and_several_files__are_put_together(tmp_path, write):
    x = random_matrix(900, 30)
    (tmp_path / "in").mkdir()
    for i in range(3):
        with h5py.File(tmp_path / "in" / f"p_{i}.h5ad", "w") as f:
            write(f.create_group("X"), x[300 * i : 300 * (i + 1)], chunks=(100,))
    varlen = ("--sparse", "varlen")
    good("convert", tmp_path / "in", "-o", tmp_path / "a.hrd", *varlen, "--range", "100:700")
    assert_values(tmp_path / "a.hrd", "X", x[100:700])
    good("convert", tmp_path / "in" / "p_0.h5ad", "-o", tmp_path / "a.hrd", *varlen, "--append")
    assert_values(tmp_path / "a.hrd", "X", np.concatenate([x[100:700], x[:300]]))
    good("convert", tmp_path / "in" / "p_1.h5ad", "-o", tmp_path / "b.hrd", *varlen, "--fields", "X/data")
    with hr.open(tmp_path / "b.hrd") as dataset:
        assert list(dataset.fields) == ["X/data"]
        assert np.array_equal(np.concatenate(list(dataset["X/data"][:])), parts(x[300:600])[0])
    good("compare", tmp_path / "b.hrd", tmp_path / "in" / "p_1.h5ad", "--fields", "X/data")


@pytest.mark.parametrize("layout", [{}, {"chunks": (64,)}, {"chunks": (5000,), "compression": "gzip"}])
@pytest.mark.parametrize("dtype", ["i1", "<u2", "<f4", ">f8", "<i8", "<c16", "?"])
def test_varlen__of_a_matrix_by_columns__is_what_its_rows_hold(tmp_path, dtype, layout):
    x = random_matrix(211, 67, dtype)
    with h5py.File(tmp_path / "a.h5ad", "w") as f:
        write_csc(f.create_group("X"), x, shuffled=True, index_type="i2", **layout)
        f["X"].attrs["unit"] = "counts"
    plain = headrace("convert", tmp_path / "a.h5ad", "-o", tmp_path / "a.hrd")
    assert plain.returncode == 1 and "--sparse dense" in plain.stderr and "--sparse varlen" in plain.stderr
    good("convert", tmp_path / "a.h5ad", "-o", tmp_path / "a.hrd", "--sparse", "varlen")
    assert_values(tmp_path / "a.hrd", "X", x)
    with hr.open(tmp_path / "a.hrd") as dataset:
        assert list(dataset.fields) == ["X/indices", "X/data"]
        assert dataset.fields["X/data"].attributes == {"headrace:sparse_columns": 67, "unit": "counts"}


@pytest.mark.parametrize("seed", range(12))
def test_varlen__by_columns__random_shapes_and_budgets__is_what_the_rows_hold(tmp_path, seed):
    rng = np.random.default_rng(seed)
    rows, columns = int(rng.choice([1, 100, 30_000])), int(rng.choice([1, 3, 200]))
    x = random_matrix(rows, columns, density=float(rng.choice([0, 0.01, 0.5, 1])), seed=seed)
    with h5py.File(tmp_path / "a.h5ad", "w") as f:
        write_csc(f.create_group("X"), x, chunks=(int(rng.integers(1, 5000)),), index_type=["i4", "i8"][seed % 2])
    hr.convert(tmp_path / "a.h5ad", out=tmp_path / "a.hrd", sparse="varlen", budget=["48M", "1G"][seed // 2 % 2])
    assert_values(tmp_path / "a.hrd", "X", x)


@pytest.mark.parametrize("shape", [(0, 7), (7, 0), (0, 0)])
def test_varlen__by_columns_with_nothing_in_it__is_as_many_empty_rows(tmp_path, shape):
    with h5py.File(tmp_path / "a.h5ad", "w") as f:
        write_csc(f.create_group("X"), np.zeros(shape, "f4"))
    good("convert", tmp_path / "a.h5ad", "-o", tmp_path / "a.hrd", "--sparse", "varlen")
    assert_values(tmp_path / "a.hrd", "X", np.zeros(shape, "f4"))


def test_varlen__by_columns_whose_rows_are_narrow_numbers__has_numbers_that_hold_its_columns(tmp_path):
    x = random_matrix(100, 700, density=0.3)
    with h5py.File(tmp_path / "a.h5ad", "w") as f:
        write_csc(f.create_group("X"), x, index_type="i4")
        replace(f["X"], "indices", f["X/indices"][:].astype("u1"))
    good("convert", tmp_path / "a.h5ad", "-o", tmp_path / "a.hrd", "--sparse", "varlen")
    assert_values(tmp_path / "a.hrd", "X", x)


@pytest.mark.parametrize("damage", ["starts", "row", "lengths"])
def test_varlen__by_columns_damaged__is_refused_with_its_reason(tmp_path, damage):
    with h5py.File(tmp_path / "a.h5ad", "w") as f:
        write_csc(f.create_group("X"), random_matrix(20, 9, density=0.5))
        if damage == "starts":
            f["X/indptr"][5] = 10_000
        elif damage == "row":
            f["X/indices"][7] = 20
        else:
            replace(f["X"], "data", np.zeros(3, "f4"))
    done = headrace("convert", tmp_path / "a.h5ad", "-o", tmp_path / "a.hrd", "--sparse", "varlen")
    said = {"starts": "column 4 ", "row": "has a value in row 20 of 20", "lengths": "equally many"}
    assert done.returncode == 3 and "/X" in done.stderr and said[damage] in done.stderr
    assert not (tmp_path / "a.hrd").exists()


def test_varlen__by_columns_through_a_file__resumes_and_leaves_nothing(tmp_path):
    x = random_matrix(40_000, 60, density=0.6)
    with h5py.File(tmp_path / "a.h5ad", "w") as f:
        write_csc(f.create_group("X"), x, chunks=(5000,))
    command = ("convert", tmp_path / "a.h5ad", "-o", tmp_path / "a.hrd", "--sparse", "varlen", "--budget", "48M")
    for seconds in (0.2, 0.4, 0.6):
        process = subprocess.Popen([str(PROGRAM), *map(str, command), "--resume"])
        time.sleep(seconds)
        process.kill()
        process.wait()
        if (tmp_path / "a.hrd").exists():
            break
    else:
        good(*command, "--resume")
    assert_values(tmp_path / "a.hrd", "X", x)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.h5ad", "a.hrd"]


@pytest.mark.parametrize("damage", ["starts", "column"])
def test_varlen__damaged__is_refused_with_its_reason(tmp_path, damage):
    with h5py.File(tmp_path / "a.h5ad", "w") as f:
        write_csr(f.create_group("X"), random_matrix(20, 9, density=0.5))
        if damage == "starts":
            f["X/indptr"][5] = 10_000
        else:
            f["X/indices"][7] = 9
    done = headrace("convert", tmp_path / "a.h5ad", "-o", tmp_path / "a.hrd", "--sparse", "varlen")
    assert done.returncode == 3 and "a.h5ad:/X/" in done.stderr and "row " in done.stderr
    assert not (tmp_path / "a.hrd").exists()
