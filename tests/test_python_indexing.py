"""Fields are indexed as NumPy's arrays are: by seeds, the same result or the same refusal."""

import operator
import os
import warnings

import numpy as np
import pytest

from headrace_command import good
from python_package import hr

CASES = int(os.environ.get("HEADRACE_INDEX_CASES", "400"))
NUM_SAMPLES = 301
SHAPE = (3, 4)


@pytest.fixture(scope="module")
def fields(tmp_path_factory):
    """Pairs of a field and the array that it was made of."""
    folder = tmp_path_factory.mktemp("indexing")
    rng = np.random.default_rng(0)
    arrays = {
        "X": rng.integers(0, 1000, (NUM_SAMPLES, *SHAPE)).astype("int16"),
        "y": rng.integers(-9, 9, NUM_SAMPLES).astype("float64"),
        "text": np.array([f"row {number}" for number in range(NUM_SAMPLES)], "S8"),
    }
    for name, array in arrays.items():
        np.save(folder / f"{name}.npy", array)
    good("convert", "X.npy", "y.npy", "text.npy", "-o", "t.hrd", "--chunk-bytes", "1K", "--quiet", cwd=folder)
    with hr.open(folder / "t.hrd") as data:
        assert data.info()["num_chunks"] > 5
        yield [(data[name], array) for name, array in arrays.items()]


def outcome(array, index):
    """What indexing gives: an array with dtype and shape, or IndexError."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            found = np.asarray(array[index])
        except IndexError:
            return "IndexError"
    return found.dtype, found.shape, found.tobytes()


def same(fields, index):
    for field, array in fields:
        assert outcome(field, index) == outcome(array, index), (field.name, index)


def number(rng, over=0):
    return int(rng.integers(-NUM_SAMPLES - over, NUM_SAMPLES + over))


def maybe(rng, value):
    return None if rng.random() < 0.2 else value


def a_slice(rng):
    step = int(rng.choice([-400, -7, -3, -2, -1, 1, 2, 3, 5, 150, 400]))
    return slice(maybe(rng, number(rng, 50)), maybe(rng, number(rng, 50)), maybe(rng, step))


def numbers(rng, over=0):
    return [number(rng, over) for _ in range(rng.integers(0, 12))]


def an_array(rng):
    dtype = rng.choice(["int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"])
    shape = tuple(rng.integers(0, 4, rng.integers(1, 4)))
    low = -100 if dtype.startswith("int") else 0
    return rng.integers(low, 120, shape).astype(dtype)


def a_mask(rng):
    mask = rng.random(NUM_SAMPLES) < rng.choice([0, 0.01, 0.5, 1])
    return mask if rng.random() < 0.5 else mask.tolist()


FIRST = {
    "integer": lambda rng: number(rng),
    "NumPy's integer": lambda rng: np.int16(number(rng)),
    "integer out of range": lambda rng: number(rng, 5),
    "slice": a_slice,
    "list": numbers,
    "list out of range": lambda rng: numbers(rng, 2),
    "range": lambda rng: range(number(rng) % 50, number(rng) % 250, 3),
    "array": an_array,
    "mask": a_mask,
    "mask of another length": lambda rng: np.ones(int(rng.integers(1, 2 * NUM_SAMPLES)), bool),
    "ellipsis": lambda rng: ...,
}
OTHER = {
    "integer": lambda rng: int(rng.integers(-4, 4)),
    "slice": lambda rng: slice(
        *[maybe(rng, int(rng.integers(-4, 5))) for _ in range(2)], int(rng.choice([-2, -1, 1, 2]))
    ),
    "list": lambda rng: [int(entry) for entry in rng.integers(-3, 3, rng.choice([1, 2]))],
    "ellipsis": lambda rng: ...,
    "new axis": lambda rng: None,
    "mask": lambda rng: rng.random(3) < 0.5,
}


@pytest.mark.parametrize("kind", FIRST)
def test_index__of_each_kind__is_as_numpys(kind, fields):
    rng = np.random.default_rng(list(kind.encode()))
    for _ in range(CASES // 10):
        same(fields, FIRST[kind](rng))


@pytest.mark.parametrize("kind", FIRST)
def test_index__with_others_after_it__is_as_numpys(kind, fields):
    rng = np.random.default_rng(list(kind.encode()))
    for _ in range(CASES // 4):
        others = [OTHER[rng.choice(list(OTHER))](rng) for _ in range(rng.integers(0, 4))]
        same(fields, (FIRST[kind](rng), *others))


EDGES = {
    "nothing": (),
    "empty list": [],
    "empty lists": [[]],
    "empty array of floats": np.array([]),
    "one of an array": np.array(3),
    "one of a mask": np.array([True] * NUM_SAMPLES),
    "first": 0,
    "last": -1,
    "one too far": NUM_SAMPLES,
    "one too far back": -NUM_SAMPLES - 1,
    "far too far": 2**70,
    "far too far in a list": [2**62],
    "beyond all in a list": [2**70],
    "all ones of 64 bits": np.array([2**63 + 5], np.uint64),
    "a number with a point": 1.0,
    "numbers with a point": [1.0, 2.0],
    "text": "a",
    "texts": ["a"],
    "a tuple in a tuple": ((1, 2),),
    "two ellipses": (..., ...),
    "ellipsis and a number": (..., 0),
    "too many": (0, 0, 0, 0),
    "bool among numbers": [True, 5],
    "nested": [[1, 2], [3, -1]],
    "slices of nothing": slice(5, 5),
    "slices beyond": slice(10_000, None),
    "slice backwards": slice(None, None, -1),
    "huge step": slice(None, None, 2**62),
    "huge step back": slice(None, None, -(2**62)),
}


@pytest.mark.parametrize("name", EDGES)
def test_index__at_an_edge__is_as_numpys(name, fields):
    same(fields, EDGES[name])


def test_index__by_a_mask_of_no_samples__is_refused(fields):
    with pytest.raises(IndexError, match=r"a mask of shape \(0,\) was given for X, expected \(301,\)"):
        fields[0][0][np.array([], bool)]


@pytest.mark.parametrize("index", [None, True, False, np.True_, (None, 3)])
def test_index__that_adds_an_axis__is_refused_with_words(index, fields):
    with pytest.raises(IndexError, match="expected an integer, a slice, a list of integers or a mask"):
        fields[0][0][index]


def test_index__of_all_fields__is_a_dict_of_them(fields):
    data = fields[0][0]._dataset
    for index in (5, slice(10, 2, -3), [3, 1, 4]):
        rows = data[index]
        assert list(rows) == ["X", "y", "text"]
        for field, array in fields:
            assert np.array_equal(rows[field.name], array[index])


def test_arrays__that_indexing_gives__are_the_callers_own(fields):
    for field, array in fields:
        for index in (slice(0, 5), slice(9, 0, -2), [1, 2], ...):
            got = field[index]
            assert got.flags.writeable
            got[...] = got[0]
            assert np.array_equal(field[index], array[index])


@pytest.mark.parametrize("index", [slice(None, None, 2), np.arange(300, dtype=np.uint64), np.arange(300)[::-1]])
def test_index__of_many_chunks__is_read_in_pieces_between_which_interrupts_are_seen(fields, index, monkeypatch):
    calls = []

    def counted(name, *arguments):
        calls.append(arguments[3])
        call(name, *arguments)

    call = hr.field.call
    monkeypatch.setattr(hr._rows, "PIECE_CHUNKS", 3)
    monkeypatch.setattr(hr.field, "call", counted)
    field, array = fields[0]
    chunk = field._dataset.samples_per_chunk
    assert np.array_equal(field[index], array[index]) and len(calls) > 3 and max(calls) <= 3 * chunk
    assert sum(calls) == len(array[index])


@pytest.mark.parametrize("compare", [operator.eq, operator.ne, operator.lt, operator.le, operator.gt, operator.ge])
def test_comparison__of_a_field_with_values__is_refused_with_what_to_do(fields, compare):
    field, array = fields[1]
    for other in (3, "x", array, [1, 2]):
        with pytest.raises(TypeError, match=r"field 'y' was compared.*data\['y'\]\[:\]"):
            compare(field, other)


def test_equality__of_fields__is_that_they_are_the_same(fields):
    x, y = fields[0][0], fields[1][0]
    assert x == x and x != y and x != None and x in (y, x) and {x: 1, y: 2}[y] == 2  # noqa: E711
    assert len({x, y, x}) == 2 and x is x._dataset["X"] and y.size == NUM_SAMPLES and x.size == NUM_SAMPLES * 12


def test_index__by_a_bool__says_so(fields):
    for index in (True, np.False_, (False, 0)):
        with pytest.raises(IndexError, match=r"y is indexed by the bool (True|False), expected"):
            fields[1][0][index]


def test_index__of_a_data_set_by_several_names__is_refused_with_words(fields):
    for index in (("X", "y"), ["X", "y"]):
        with pytest.raises(hr.InvalidError, match="indexed by the names 'X', 'y'; index one field at a time"):
            fields[0][0]._dataset[index]
