"""What a program makes becomes a data set: writers, arrays, tables, iterators."""

import os
import re
import signal
import subprocess
import sys
import tracemalloc

import pytest

np = pytest.importorskip("numpy", minversion="1.24")

from python_package import ENVIRONMENT, hr  # noqa: E402

DTYPES = ["bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "float16", "float32",
          "float64", "complex64", "complex128"]


def made(dtype, count, shape, seed=1):
    random = np.random.default_rng(seed)
    values = random.integers(0, 2 if dtype == "bool" else 100, (count, *shape)).astype(dtype)
    return values + values * 1j if dtype.startswith("complex") else values


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(), (3,), (2, 0), (2, 3, 4)])
def test_writer__each_type_and_shape__read_back(tmp_path, dtype, shape):
    rows = made(dtype, 70, shape).astype(dtype)
    with hr.Writer(tmp_path / "a.hrd", fields={"x": (dtype, shape)}) as writer:
        for begin in range(0, 70, 30):
            writer.append(x=rows[begin : begin + 30])
    data = hr.open(tmp_path / "a.hrd")
    assert data["x"].dtype == np.dtype(dtype)
    np.testing.assert_array_equal(data["x"][:], rows)


@pytest.mark.parametrize("rows", [
    np.arange(60, dtype=">i4").reshape(20, 3),
    np.asfortranarray(np.arange(60, dtype="i4").reshape(20, 3)),
    np.arange(120, dtype="i4").reshape(20, 6)[:, ::2],
    np.arange(60, dtype="i2").reshape(20, 3),
    np.arange(60, dtype="i4").reshape(20, 3).tolist(),
], ids=["big-endian", "fortran", "strided", "narrower", "list"])
def test_writer__rows_of_another_layout__the_same_values(tmp_path, rows):
    with hr.Writer(tmp_path / "a.hrd", fields={"x": ("int32", (3,))}) as writer:
        writer.append(x=rows)
    np.testing.assert_array_equal(hr.open(tmp_path / "a.hrd")["x"][:], np.asarray(rows))


def test_writer__text_and_bytes__padded_with_zeros(tmp_path):
    with hr.Writer(tmp_path / "a.hrd", fields={"t": "utf8:6", "b": ("bytes:4", (2,))}) as writer:
        writer.append(t=["Käse", "a"], b=np.array([[b"ab", b"c"], [b"", b"wxyz"]]))
    data = hr.open(tmp_path / "a.hrd")
    assert np.char.decode(data["t"][:], "utf-8").tolist() == ["Käse", "a"]
    assert data["b"][:].tolist() == [[b"ab", b"c"], [b"", b"wxyz"]]
    assert (data["t"].kind, data["b"].kind) == ("fixed_utf8", "fixed_bytes")


@pytest.mark.parametrize(("given", "words"), [
    ({"x": np.zeros((2, 4), "f4"), "y": [1, 2]}, "x was appended with shape (2, 4), expected (samples, 3)"),
    ({"x": np.zeros((2, 3), "f4")}, "append() was given 'x', expected 'x', 'y'"),
    ({"x": np.zeros((2, 3), "f4"), "y": [1, 2], "z": [1, 2]}, "'z', expected 'x', 'y'"),
    ({"x": np.zeros((2, 3), "f4"), "y": [1, 2, 3]}, "different numbers of samples: x 2, y 3"),
    ({"x": np.zeros((2, 3), "c8"), "y": [1, 2]}, "x was appended as complex64, and its field is float32"),
    ({"x": np.zeros((2, 3), "f4"), "y": ["a", "b"]}, "as <U1, and its field is int64, which has no such values; "
     "convert it first (.astype), or make the field utf8"),
    ({"x": np.zeros((2, 3), "f4"), "y": np.array([1, 2], object)}, "no such values; convert it first (.astype)"),
    ({"x": 1.0, "y": [1, 2]}, "x was appended with shape ()"),
])
def test_append__what_does_not_fit__refused_with_words_and_the_writer_goes_on(tmp_path, given, words):
    with hr.Writer(tmp_path / "a.hrd", fields={"x": ("float32", (3,)), "y": "int64"}) as writer:
        with pytest.raises(hr.InvalidError) as refused:
            writer.append(given)
        assert words in str(refused.value)
        writer.append(x=np.ones((5, 3), "f4"), y=np.arange(5))
    assert len(hr.open(tmp_path / "a.hrd")) == 5


def test_append__text_too_long_or_not_utf8__refused(tmp_path):
    with hr.Writer(tmp_path / "a.hrd", fields={"t": "utf8:3"}) as writer:
        with pytest.raises(hr.InvalidError, match=r"t, sample 1: 4 bytes .* of 3; make it wider, or .*'utf8'"):
            writer.append(t=["a", "Käs", "b"])
        with pytest.raises(hr.DataError, match="UTF-8"):
            writer.append(t=np.array([b"\xff"]))
        writer.append(t=["Kä"])
    assert hr.open(tmp_path / "a.hrd")["t"][:].tolist() == ["Kä".encode()]


def test_writer__an_exception_inside__no_file_and_what_is_there_is_resumed(tmp_path):
    path, fields = tmp_path / "a.hrd", {"y": "int64"}

    def fail():
        with hr.Writer(path, fields=fields, samples_per_chunk=10) as writer:
            writer.append(y=np.arange(35))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert not path.exists()
    with hr.Writer(path, fields=fields, samples_per_chunk=10, resume=True) as writer:
        kept = writer.num_samples
        assert kept % 10 == 0
        writer.append(y=np.arange(kept, 50))
    np.testing.assert_array_equal(hr.open(path)["y"][:], np.arange(50))


@pytest.mark.parametrize("end", ["close", "__del__"])
def test_writer__closed_or_dropped_without_a_commit__warns_of_what_is_lost(tmp_path, end):
    writer = hr.Writer(tmp_path / "a.hrd", fields={"y": "int64"})
    writer.append(y=[1, 2])
    with pytest.warns(UserWarning, match=r"a.hrd: the writer was closed without commit.*are not in the file \(2\)"):
        getattr(writer, end)()
    assert not (tmp_path / "a.hrd").exists() and not (tmp_path / "a.hrd.partial").exists()


def append_and_fail(path):
    with hr.Writer(path, fields={"y": "int64"}) as writer:
        writer.append(y=[1])
        raise ZeroDivisionError


@pytest.mark.filterwarnings("error")
def test_writer__committed_empty_or_left_by_an_exception__warns_of_nothing(tmp_path):
    hr.Writer(tmp_path / "a.hrd", fields={"y": "int64"}).close()
    writer = hr.Writer(tmp_path / "a.hrd", fields={"y": "int64"})
    writer.append(y=[1])
    writer.commit()
    writer.close()
    with pytest.raises(ZeroDivisionError):
        append_and_fail(tmp_path / "b.hrd")


def test_writer__file_exists__refused_unless_it_is_to_be_replaced(tmp_path):
    hr.from_arrays(tmp_path / "a.hrd", y=[1, 2])
    with pytest.raises(FileExistsError), hr.Writer(tmp_path / "a.hrd", fields={"y": "int64"}) as writer:
        writer.append(y=[3])
    hr.from_arrays(tmp_path / "a.hrd", y=[3, 4, 5], options={"replace": True})
    assert hr.open(tmp_path / "a.hrd")["y"][:].tolist() == [3, 4, 5]


def test_writer__two_of_one_file__the_second_is_busy(tmp_path):
    with hr.Writer(tmp_path / "a.hrd", fields={"y": "int64"}) as writer:
        with pytest.raises(hr.BusyError):
            hr.Writer(tmp_path / "a.hrd", fields={"y": "int64"})
        writer.append(y=[1])


def test_writer__closed__says_so(tmp_path):
    writer = hr.Writer(tmp_path / "a.hrd", fields={"y": "int64"})
    writer.append(y=[1])
    writer.commit()
    with pytest.raises(hr.ClosedError, match="is closed"):
        writer.append(y=[2])


@pytest.mark.parametrize(("fields", "words"), [
    ({"y": "flaot32"}, "field y has the type 'flaot32'"),
    ({"y": object}, "has the type object"),
    ({"y": ("int64", (-1,))}, "shape of field y is -1"),
    ({"y": "utf8:0"}, "field y has the type 'utf8:0'"),
    ({}, ""),
    ({"a/": "int8"}, "a/"),
])
def test_writer__fields_that_cannot_be__refused(tmp_path, fields, words):
    with pytest.raises(hr.Error) as refused:
        hr.Writer(tmp_path / "a.hrd", fields=fields)
    assert words in str(refused.value)
    assert os.listdir(tmp_path) == []


def test_writer__attributes__kept(tmp_path):
    with hr.Writer(tmp_path / "a.hrd", fields={"y": "int64"}, attributes={"from": "Käse"},
                   field_attributes={"y": {"unit": "mm"}}) as writer:
        writer.append(y=[1])
    data = hr.open(tmp_path / "a.hrd")
    assert data.attributes == {"from": "Käse"}
    assert data["y"].attributes == {"unit": "mm"}


def test_writer__bfloat16__by_its_bits_or_by_ml_dtypes(tmp_path):
    with hr.Writer(tmp_path / "a.hrd", fields={"x": "bfloat16"}) as writer:
        writer.append(x=np.array([0x3F80, 0x4000], "uint16").view(writer._fields[0].dtype))
    data = hr.open(tmp_path / "a.hrd")
    assert data["x"].kind == "bfloat16"
    assert data["x"][:].view("uint16").tolist() == [0x3F80, 0x4000]


# ---- arrays and tables ----


class Series:
    """As pandas has it: labels that are no places, rows by iloc, to_numpy()."""

    def __init__(self, values):
        self.values = np.asarray(values)

    def __len__(self):
        return len(self.values)

    def __getitem__(self, label):
        raise KeyError(label)

    @property
    def iloc(self):
        return _Places(self)

    def to_numpy(self):
        return self.values


class _Places:
    def __init__(self, of):
        self.of = of

    def __getitem__(self, rows):
        return Series(self.of.values[rows])


class Arrow:
    """As Arrow has it: slice(), to_numpy() that must be told that a copy is fine, which values are missing."""

    def __init__(self, values, null_count=0):
        self.values, self.null_count = values, null_count

    def __len__(self):
        return len(self.values)

    def __getitem__(self, row):
        raise TypeError("Arrow's own scalars")

    def slice(self, first, count):
        return Arrow(self.values[first : first + count], self.null_count)

    def is_null(self):
        return [value is None for value in self.values]

    def to_numpy(self, zero_copy_only=True):
        if zero_copy_only:
            raise ValueError("needs a copy")
        return np.asarray(self.values)


class ArrowTable:
    column_names = ("a", "b")

    def column(self, place):
        return Arrow(([1, 2, 3], ["x", "yy", "zzz"])[place])


class Twice(ArrowTable):
    column_names = ("a", "a")


def read(path):
    return {name: field[:].tolist() for name, field in hr.open(path).fields.items()}


def test_from_arrays__sources_of_all_kinds__their_values(tmp_path):
    np.save(tmp_path / "m.npy", np.arange(12.0).reshape(3, 4))
    hr.from_arrays(
        tmp_path / "a.hrd",
        array=np.arange(6, dtype="u1").reshape(3, 2),
        memmap=np.load(tmp_path / "m.npy", mmap_mode="r"),
        listed=[1, 2, 3],
        ranged=range(3),
        series=Series([1.5, 2.5, 3.5]),
        arrow=Arrow([7, 8, 9]),
        text=["a", "Käse", ""],
        objects=np.array(["x", "yyyy", "z"], dtype=object),
        rows=[np.ones(2), np.zeros(2), np.ones(2)],
    )
    found = read(tmp_path / "a.hrd")
    assert found["memmap"] == np.arange(12.0).reshape(3, 4).tolist()
    assert (found["listed"], found["ranged"]) == ([1, 2, 3], [0, 1, 2])
    assert (found["series"], found["arrow"]) == ([1.5, 2.5, 3.5], [7, 8, 9])
    assert found["text"] == [b"a", "Käse".encode(), b""]
    assert found["objects"] == [b"x", b"yyyy", b"z"]
    assert found["rows"] == [[1, 1], [0, 0], [1, 1]]


def test_from_arrays__h5py_data_sets_and_groups__their_values(tmp_path):
    h5py = pytest.importorskip("h5py")
    with h5py.File(tmp_path / "f.h5", "w") as file:
        file["x"] = np.arange(40).reshape(10, 4)
        hr.from_arrays(tmp_path / "a.hrd", x=file["x"])
    np.testing.assert_array_equal(hr.open(tmp_path / "a.hrd")["x"][:], np.arange(40).reshape(10, 4))


def test_from_arrays__tables__a_field_for_each_column(tmp_path):
    structured = np.array([(1, 2.5), (3, 4.5)], dtype=[("i", "i4"), ("f", "f4")])
    hr.from_arrays(tmp_path / "s.hrd", structured)
    hr.from_arrays(tmp_path / "t.hrd", ArrowTable(), {"c": [7, 8, 9]})
    assert read(tmp_path / "s.hrd") == {"i": [1, 3], "f": [2.5, 4.5]}
    assert read(tmp_path / "t.hrd") == {"a": [1, 2, 3], "b": [b"x", b"yy", b"zzz"], "c": [7, 8, 9]}


def test_from_arrays__real_pandas_and_arrow__their_values(tmp_path):
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"a": [1, 2, 3], "t": ["x", "Käse", "z"]}, index=[5, 0, 9])
    hr.from_arrays(tmp_path / "p.hrd", frame)
    assert read(tmp_path / "p.hrd") == {"a": [1, 2, 3], "t": [b"x", "Käse".encode(), b"z"]}
    arrow = pytest.importorskip("pyarrow")
    hr.from_arrays(tmp_path / "q.hrd", arrow.Table.from_pandas(frame, preserve_index=False))
    assert read(tmp_path / "q.hrd") == read(tmp_path / "p.hrd")
    with pytest.raises(hr.DataError, match="missing values"):
        hr.from_arrays(tmp_path / "n.hrd", x=arrow.array([1, None, 3]))
    for values in ([1, None], [None, 1]):
        with pytest.raises(hr.DataError, match=f"x has missing values, the first in row {values.index(None)}"):
            hr.from_arrays(tmp_path / "n.hrd", x=pandas.array(values, dtype="Int64"))
        with pytest.raises(hr.DataError, match=f"x has missing values, the first in row {values.index(None)}"):
            hr.from_arrays(tmp_path / "n.hrd", pandas.DataFrame({"x": pandas.Series(values, dtype="Int64")}))
    for twice in (pandas.DataFrame([[1, 2]], columns=["a", "a"]), pandas.DataFrame([[1, 2]], columns=[1, "1"])):
        with pytest.raises(hr.InvalidError, match="two arrays are named"):
            hr.from_arrays(tmp_path / "n.hrd", twice)


@pytest.mark.parametrize(("tables", "named", "words"), [
    ((), {}, "no array was given"),
    ((np.zeros(3),), {}, "ndarray was given without a name"),
    ((), {"a": [1, 2], "b": [1]}, "different numbers of samples: a 2, b 1"),
    ((), {"a": 5}, "a is a int, expected something with a length"),
    ((), {"a": (k for k in range(3))}, "a is a generator"),
    ((), {"a": Arrow([1, 2, None], null_count=1)}, "missing values, the first in row 2"),
    ((), {"a": "abc"}, "a is one str, expected one value for each sample"),
    ((), {"a": b"abc"}, "a is one bytes"),
    ((), {"a": {"b": 1}}, "a is a single value"),
    ((Twice(),), {}, "two arrays are named 'a'"),
    ((ArrowTable(),), {"a": [4, 5, 6]}, "two arrays are named 'a'"),
    (({"a": [1]}, {"a": [1]}), {}, "two arrays are named 'a'"),
    (({1: [1]},), {}, "by the name 1, expected a str"),
    ((), {"a": np.array(["x", None], dtype=object)}, "missing values, the first in row 1"),
    ((), {"a": np.array([[1], [2, 3]], dtype=object)}, "differ in shape or type"),
])
def test_from_arrays__what_cannot_be__refused_and_nothing_is_left(tmp_path, tables, named, words):
    with pytest.raises(hr.Error) as refused:
        hr.from_arrays(tmp_path / "a.hrd", *tables, **named)
    assert words in str(refused.value)
    assert not (tmp_path / "a.hrd").exists()


@pytest.mark.parametrize(("dtype", "values", "words"), [
    ("int32", [[1, 2], [3, 2**31]], "x, sample 3: 2147483648 of int64 is no value of int32"),
    ("uint8", np.array([[1, 2], [3, 256]], "u2"), "x, sample 3: 256 of uint16 is no value of uint8"),
    ("uint16", np.array([[1, 2**32]], "u8"), "x, sample 2: 4294967296 of uint64"),
    ("float32", [[2**24, 2**24 + 1]], "x, sample 2: 16777217 of int64 is no value of float32"),
    ("float64", np.array([[0, 2**64 - 1]], "u8"), "x, sample 2: 18446744073709551615 of uint64"),
    ("float16", [[0.1, 65520.0]], "x, sample 2: 65520.0 of float64 is no value of float16"),
    ("uint64", [[5, -1]], "x, sample 2: -1 of int64 is no value of uint64"),
    ("int64", np.array([[5, 2**63]], "u8"), "x, sample 2: 9223372036854775808 of uint64 is no value of int64"),
    ("float32", [[0.1, 1j]], "x was appended as complex128"),
    ("int64", [[2, 1.5]], "x, sample 2: 1.5 of float64 is no value of int64, which its field is; make .* float64, or"),
    ("int8", [[128.0, 1]], "x, sample 2: 128.0 of float64 is no value of int8"),
    ("uint8", np.array([[0, np.nan]], "f2"), "x, sample 2: nan of float16 is no value of uint8"),
    ("uint64", [[-1.0, 2.0]], "x, sample 2: -1.0"),
    ("int64", [[2.0**63, 2]], "x, sample 2: 9.22"),
])
def test_append__numbers_that_would_change__are_refused(tmp_path, dtype, values, words):
    with hr.Writer(tmp_path / "a.hrd", {"x": (dtype, (2,))}) as writer:
        writer.append(x=[[1, 2], [3, 4]])
        with pytest.raises(hr.Error, match=words) as refused:
            writer.append(x=values)
        assert "astype" in str(refused.value)
    np.testing.assert_array_equal(hr.open(tmp_path / "a.hrd")["x"][:], [[1, 2], [3, 4]])


@pytest.mark.parametrize(("dtype", "values"), [
    ("int8", [-128, 127]), ("uint8", [0, 255]), ("float32", [2**24, -(2**31)]), ("float32", [0.1, np.inf]),
    ("float16", [np.nan, -np.inf]), ("complex64", [1, 2j]),
    ("int32", np.array([1, 2], ">i4")), ("uint8", [True]), ("int32", [1.0, -(2.0**31)]),
    ("int8", np.array([-128.0], "f2")), ("uint64", [2.0**63, -0.0]), ("bool", [0, 1]), ("bool", [0.0, 1.0]),
    ("int8", []),
])
@pytest.mark.filterwarnings("ignore:.* has 1 (NaN|Inf)")
def test_append__numbers_that_fit_another_type__are_those(tmp_path, dtype, values):
    with hr.Writer(tmp_path / "a.hrd", {"x": dtype}) as writer:
        writer.append(x=np.array(values))
    np.testing.assert_array_equal(hr.open(tmp_path / "a.hrd")["x"][:], np.array(values).astype(dtype))


def test_append__numbers_that_are_no_bool__are_refused(tmp_path):
    with hr.Writer(tmp_path / "a.hrd", {"x": "bool"}) as writer:
        writer.append(x=[1, 0])
        for values in ([0, 1, 2], [0, 1, 0.5], [0, 1, -1]):
            with pytest.raises(hr.DataError, match=r"x, sample 4: .* is no value of bool"):
                writer.append(x=values)
    assert hr.open(tmp_path / "a.hrd")["x"][:].tolist() == [True, False]


def test_append__no_samples__is_fine(tmp_path):
    with hr.Writer(tmp_path / "a.hrd", {"x": ("int8", (2, 3)), "t": "utf8:4", "v": "utf8", "s": "int8[]"}) as writer:
        writer.append(x=[], t=[], v=[], s=[])
    assert hr.open(tmp_path / "a.hrd")["x"].shape == (0, 2, 3)


def test_from_arrays__larger_than_a_block__all_of_it(tmp_path):
    x = np.random.default_rng(1).integers(0, 9, (30_000, 1000), dtype="u1")
    hr.from_arrays(tmp_path / "a.hrd", x=x, progress=False)
    data = hr.open(tmp_path / "a.hrd")
    assert data["x"].shape == x.shape
    np.testing.assert_array_equal(data["x"][::1000], x[::1000])


def test_from_iterator__samples_and_batches__all_in_order(tmp_path):
    count = hr.from_iterator(tmp_path / "a.hrd", ({"x": np.full(3, k), "y": k} for k in range(150)))
    batched = hr.from_iterator(
        tmp_path / "b.hrd", ({"y": np.arange(k, k + 50)} for k in range(0, 150, 50)), batched=True
    )
    assert (count, batched) == (150, 150)
    assert hr.open(tmp_path / "a.hrd")["x"][:, 1].tolist() == list(range(150))
    assert hr.open(tmp_path / "b.hrd")["y"][:].tolist() == list(range(150))
    with pytest.raises(hr.InvalidError, match="yielded nothing"):
        hr.from_iterator(tmp_path / "c.hrd", iter([]))
    assert hr.from_iterator(tmp_path / "c.hrd", iter([]), fields={"y": "int64"}) == 0


INTERRUPTED = """
import sys, numpy as np
from numpy.random import default_rng  # here: an interrupt while it is imported is lost, in NumPy's own compiled code
from python_package import hr
class Slow:
    shape, dtype = (10**6, 1000), np.dtype("float64")
    def __len__(self): return 10**6
    def __getitem__(self, rows):
        print("reading", flush=True)
        return default_rng(rows.start or 0).random((rows.stop - rows.start, 1000))
try:
    hr.from_arrays(sys.argv[1], x=Slow())
except KeyboardInterrupt:
    print("interrupted")
"""


def test_from_arrays__interrupted__stops_and_no_file_has_its_name(tmp_path):
    child = subprocess.Popen([sys.executable, "-c", INTERRUPTED, str(tmp_path / "a.hrd")], env=ENVIRONMENT,
                             stdout=subprocess.PIPE, text=True)
    assert child.stdout.readline() == "reading\n"
    child.send_signal(signal.SIGINT)
    rest = child.stdout.read()
    assert child.wait(timeout=30) == 0
    assert rest.endswith("interrupted\n")
    assert not (tmp_path / "a.hrd").exists()


@pytest.mark.parametrize("samples, words", [
    ([{"x": 1}, {"x": 1, "y": 2}], "sample 1 of the iterator has 'x', 'y', expected 'x'"),
    ([{"x": 1}] * 70 + [{"y": 2}], "sample 70 of the iterator has 'y', expected 'x'"),
    ([{"x": [1, 2]}, {"x": [1]}], "x of sample 1 has shape (1,), others have (2,)"),
    ([1, 2], "first sample is 1, expected a dict"),
    ([{}], "first sample is {}, expected a dict"),
    ([{"x": 1}, 2], "sample 1 of the iterator is a int"),
])  # fmt: skip
def test_from_iterator__samples_that_differ__are_named(tmp_path, samples, words):
    with pytest.raises(hr.InvalidError, match=re.escape(words)):
        hr.from_iterator(tmp_path / "a.hrd", samples)
    assert not (tmp_path / "a.hrd").exists()


def test_masked_values__are_missing_ones(tmp_path):
    masked = np.ma.array([1.0, 2.0, 3.0], mask=[0, 1, 0])
    with pytest.raises(hr.DataError, match="x has masked values"):
        hr.from_arrays(tmp_path / "a.hrd", x=masked)
    with pytest.raises(hr.DataError, match="x of sample 1 has masked values"):
        hr.from_iterator(tmp_path / "a.hrd", ({"x": masked[k : k + 1]} for k in range(3)))
    with (
        pytest.raises(hr.DataError, match="x has masked values"),
        hr.Writer(tmp_path / "a.hrd", {"x": "float64"}) as writer,
    ):
        writer.append(x=masked)
    hr.from_arrays(tmp_path / "b.hrd", x=np.ma.array([1.0, 2.0, 3.0]))
    assert hr.open(tmp_path / "b.hrd")["x"][:].tolist() == [1, 2, 3]


@pytest.mark.parametrize("values, words", [
    ([True, 2, "x"], "x has values of bool, int, str that no one type holds"),
    (["x", 2], "x has values of int, str that no one type holds"),
    (np.array(["x", 2], object), "x has values of int, str that no one type holds"),
    ([-1, 2**63 + 1025], "larger than 64 bits"),
    ([2**70], "larger than 64 bits"),
    (np.zeros(()), "x is a single value"),
    (["\ud800"], "x has text that is no Unicode"),
    ([[1, 2], [3]], "unless it is said to be of variable length"),
])  # fmt: skip
def test_from_arrays__lists_of_no_one_type__are_refused(tmp_path, values, words):
    with pytest.raises(hr.Error, match=words):
        hr.from_arrays(tmp_path / "a.hrd", x=values)
    assert not (tmp_path / "a.hrd").exists()


def test_from_arrays__strings_of_any_length_of_numpy(tmp_path):
    kind = getattr(np.dtypes, "StringDType", None) if hasattr(np, "dtypes") else None
    if kind is None:
        pytest.skip("NumPy before 2")
    hr.from_arrays(tmp_path / "a.hrd", x=np.array(["a", "bcd"], dtype=kind()))
    assert hr.open(tmp_path / "a.hrd")["x"][:].tolist() == [b"a", b"bcd"]


ONE_LONG = [f"text {k}" for k in range(20_000)] + ["ä" * 50_000]


def traced_peak(work):
    """Bytes that Python and NumPy have reserved at most."""
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("make", [list, lambda texts: Series(np.array(texts, object)),
                                  lambda texts: Arrow(np.array(texts, object)),
                                  lambda texts: np.array(texts, object), lambda texts: [t.encode() for t in texts]],
                         ids=["list", "pandas", "arrow", "objects", "bytes"])
def test_from_arrays__one_long_text_among_short_ones__of_variable_length_in_little_memory(tmp_path, make):
    source = make(ONE_LONG)
    assert traced_peak(lambda: hr.from_arrays(tmp_path / "a.hrd", t=source)) < 32 << 20
    field = hr.open(tmp_path / "a.hrd")["t"]
    assert field.kind in ("utf8", "bytes")
    assert [value if isinstance(value, str) else value.decode() for value in field] == ONE_LONG
    assert (tmp_path / "a.hrd").stat().st_size < 2 << 20


@pytest.mark.parametrize("texts, kind", [
    (["a"] * 100 + ["b" * 256], "fixed_utf8"),
    (["a"] * 100 + ["ä" * 129], "utf8"),
    (["a" * 100] * 100 + ["b" * 400], "fixed_utf8"),
    (np.array(["a"] * 100 + ["b" * 256]), "fixed_utf8"),
    (np.array(["a"] * 100 + ["b" * 257]), "utf8"),
    (np.array([b"a"] * 100 + [b"b" * 257]), "fixed_bytes"),
    ([["a"] * 2] * 100 + [["b" * 257, ""]], "fixed_utf8"),
])  # fmt: skip
def test_from_arrays__texts__are_of_fixed_width_where_that_is_small(tmp_path, texts, kind):
    hr.from_arrays(tmp_path / "a.hrd", t=texts)
    field = hr.open(tmp_path / "a.hrd")["t"]
    assert field.kind == kind
    found = [value if isinstance(value, (str, list)) else value.decode() for value in field[:].tolist()]
    expected = [value.decode() if isinstance(value, bytes) else value for value in np.asarray(texts).tolist()]
    assert [[t.decode() for t in row] if isinstance(row, list) else row for row in found] == expected


def test_writer__a_long_text_for_a_narrow_field__is_refused_in_little_memory(tmp_path):
    with hr.Writer(tmp_path / "a.hrd", {"t": "utf8:16"}) as writer:

        def append(texts):
            with pytest.raises(hr.InvalidError, match="t, sample 20000: 100000 bytes"):
                writer.append(t=texts)

        for texts in (ONE_LONG, np.array(ONE_LONG, object)):
            assert traced_peak(lambda texts=texts: append(texts)) < 16 << 20
        writer.append(t=ONE_LONG[:3])
        writer.append(t=np.array(ONE_LONG[3:5], object))
    assert hr.open(tmp_path / "a.hrd")["t"][:].tolist() == [text.encode() for text in ONE_LONG[:5]]


@pytest.mark.parametrize("samples, batched", [
    ([{"s": "a"}] * 70 + [{"s": "bbbbb"}], False),
    ([{"s": ["a"] * 70 + ["b"]}, {"s": ["bbbbb"]}], True),
], ids=["samples", "batches"])  # fmt: skip
def test_from_iterator__a_text_longer_than_the_first_ones__is_named_with_the_way_out(tmp_path, samples, batched):
    number = 71 if batched else 70
    with pytest.raises(hr.InvalidError, match=rf"s, sample {number}: 5 bytes .* 4; .* fields=\{{'s': 'utf8'\}}"):
        hr.from_iterator(tmp_path / "a.hrd", samples, batched=batched)


def test_from_iterator__a_batch_with_one_long_text__of_variable_length(tmp_path):
    samples = [{"t": ONE_LONG}, {"t": ["x" * 200_000]}]
    assert traced_peak(lambda: hr.from_iterator(tmp_path / "a.hrd", samples, batched=True)) < 32 << 20
    assert list(hr.open(tmp_path / "a.hrd")["t"]) == [*ONE_LONG, "x" * 200_000]


@pytest.mark.parametrize("name", ["a.npy", "a.NPZ", "a.h5", "a.csv"])
def test_outputs__with_the_ending_of_another_kind_of_file__are_refused(tmp_path, name):
    hr.from_arrays(tmp_path / "x.hrd", x=[1.5, 2.5])
    np.save(tmp_path / "x.npy", np.zeros(3))
    (tmp_path / name).write_bytes(b"mine")
    for make in (
        lambda out: hr.from_arrays(out, x=[1], options={"replace": True}),
        lambda out: hr.convert(tmp_path / "x.npy", out=out, replace=True),
        lambda out: hr.join(tmp_path / "x.hrd", out=out, replace=True),
        lambda out: hr.salvage(tmp_path / "x.hrd", out=out, replace=True),
    ):
        with pytest.raises(hr.InvalidError, match="is the ending of another kind of file"):
            make(tmp_path / name)
    assert (tmp_path / name).read_bytes() == b"mine"
