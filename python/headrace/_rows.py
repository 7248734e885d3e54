"""Which samples an index of NumPy's asks for, and how their rows are put in place."""

from __future__ import annotations

import operator
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True)
class Rows:
    """Samples to read: `first`, `first + 1`, ... in ascending order, or `indices` in any; then the array that holds
    them, whose first axis they are, is indexed by `then`, if that is not empty."""

    count: int
    first: int
    indices: npt.NDArray[np.uint64] | None
    then: tuple[Any, ...]


def _of_slice(index: slice, length: int, check: Callable[[int], None], rest: tuple[Any, ...]) -> Rows:
    start, stop, step = index.indices(length)
    wanted = range(start, stop, step)
    if len(wanted) == 0:
        return Rows(0, 0, None, (slice(None), *rest))
    check(len(wanted))
    if step == 1:
        return Rows(len(wanted), start, None, (slice(None), *rest) if rest else ())
    if step == -1:
        return Rows(len(wanted), wanted[-1], None, (slice(None, None, -1), *rest))
    ascending = np.arange(min(wanted), max(wanted) + 1, abs(step), dtype=np.uint64)
    order = slice(None) if step > 0 else slice(None, None, -1)
    return Rows(len(wanted), 0, ascending, (order, *rest))


def _checked(number: int, length: int, name: str) -> int:
    if not -length <= number < length:
        raise IndexError(f"sample {number} of {name} was asked for, it has {length} samples")
    return number + length if number < 0 else number


def _of_array(index: npt.NDArray[Any], length: int, name: str, rest: tuple[Any, ...]) -> Rows:
    if index.dtype == bool:
        if index.shape != (length,):
            raise IndexError(
                f"a mask of shape {index.shape} was given for {name}, expected ({length},): one bool for each sample"
            )
        index = np.flatnonzero(index)
    if index.dtype.kind not in "iu":
        raise IndexError(f"{name} is indexed by an array of {index.dtype}, expected integers or bool")
    numbers = index.astype(np.int64, copy=False)
    bad = (numbers < -length) | (numbers >= length)
    if bad.any():
        _checked(int(numbers[bad][0]), length, name)
    flat = np.where(numbers < 0, numbers + length, numbers).reshape(-1).astype(np.uint64)
    if index.ndim == 1 and not rest:
        return Rows(flat.size, 0, flat, ())
    return Rows(flat.size, 0, flat, (np.arange(flat.size).reshape(index.shape), *rest))


PIECE_CHUNKS = 64


def order_of(indices: npt.NDArray[np.uint64]) -> npt.NDArray[np.intp] | None:
    """The order in which they ascend, so that each chunk is read once; None: they do already, or are so few that one
    piece has them all."""
    if len(indices) <= PIECE_CHUNKS or bool((indices[1:] >= indices[:-1]).all()):
        return None
    return np.argsort(indices, kind="stable")


def pieces(indices: npt.NDArray[np.uint64], samples_per_chunk: int) -> list[slice]:
    """Ascending indices, or few, in pieces that touch some chunks each: between two of them an interrupt is seen.

    >>> pieces(np.arange(0, 1000, 7, dtype=np.uint64), 10)
    [slice(0, 92, None), slice(92, 143, None)]
    """
    ends: list[int] = []
    if len(indices) > PIECE_CHUNKS:
        begins_chunk = np.flatnonzero(np.diff(indices // np.uint64(samples_per_chunk))) + 1
        ends = begins_chunk[PIECE_CHUNKS - 1 :: PIECE_CHUNKS].tolist()
    return [slice(begin, end) for begin, end in zip([0, *ends], [*ends, len(indices)], strict=True)]


def find(index: Any, length: int, name: str, check: Callable[[int], None] = lambda count: None) -> Rows:
    """What `array[index]` asks for where `array` has `length` samples. `check` is told how many samples, before
    memory for their indices is taken.

    >>> find(slice(None, None, -3), 10, "X").indices
    array([0, 3, 6, 9], dtype=uint64)
    >>> find(-1, 10, "X").first
    9
    """
    first, rest = (index[0], index[1:]) if isinstance(index, tuple) and index else (index, ())
    if isinstance(index, tuple) and not index:
        first = slice(None)
    if first is Ellipsis:
        check(length)
        return Rows(length, 0, None, (Ellipsis, *rest))
    if isinstance(first, slice):
        return _of_slice(first, length, check, rest)
    if isinstance(first, (bool, np.bool_)):
        raise IndexError(
            f"{name} is indexed by the bool {first}, expected an integer, a slice, a list of integers or a mask of one "
            "bool for each sample"
        )
    try:
        number = operator.index(first)
    except TypeError:
        pass
    else:
        return Rows(1, _checked(number, length, name), None, (0, *rest))
    array = np.asarray(first)
    if array.size == 0 and not hasattr(first, "dtype"):
        array = array.astype(np.int64)  # an empty list
    if first is None or array.ndim == 0:
        raise IndexError(f"{name} is indexed by {first!r}, expected an integer, a slice, a list of integers or a mask")
    rows = _of_array(array, length, name, rest)
    check(rows.count)
    return rows
