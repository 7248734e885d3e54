"""Values of variable length: texts, bytes, sequences of numbers."""

from __future__ import annotations

import operator
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from . import errors


class Ragged:
    """Values of different lengths, one after the other: value `i` is `values[offsets[i]:offsets[i + 1]]`. Indexed by
    an integer it gives a `str`, `bytes`, or an array of a sequence's numbers; by a slice those samples, without a
    copy of the values unless it has a step.

    >>> words = hr.Ragged([0, 3, 3, 5], b"onetwo", "utf8")
    >>> words[0], list(words), words.lengths.tolist()
    ('one', ['one', '', 'tw'], [3, 0, 2])
    """

    def __init__(self, offsets: Any, values: Any, kind: str) -> None:
        #: int64, one more than there are values; counts elements of `values`: bytes of texts and bytes.
        self.offsets: npt.NDArray[np.int64] = np.asarray(offsets, np.int64)
        #: uint8 for texts and bytes, else the sequences' numbers.
        self.values: npt.NDArray[Any] = np.frombuffer(values, np.uint8) if isinstance(values, bytes) else values
        #: "utf8", "bytes", or such as "int32[]"
        self.kind = kind
        if self.offsets.ndim != 1 or len(self.offsets) == 0:
            raise errors.InvalidError(
                f"offsets of shape {self.offsets.shape} were given, expected one more than there are values"
            )

    @property
    def lengths(self) -> npt.NDArray[np.int64]:
        """Elements of each value."""
        return np.diff(self.offsets)

    @property
    def nbytes(self) -> int:
        """Of all values."""
        return int(self.offsets[-1] - self.offsets[0]) * self.values.itemsize

    def copy(self) -> Ragged:
        """With memory of its own."""
        return Ragged(self.offsets.copy(), self.values.copy(), self.kind)

    def tolist(self) -> list[Any]:
        return list(self)

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def _value(self, index: int) -> Any:
        part = self.values[self.offsets[index] : self.offsets[index + 1]]
        if self.kind == "utf8":
            return part.tobytes().decode()
        return part.tobytes() if self.kind == "bytes" else part

    def _gathered(self, places: range) -> Ragged:
        parts = [self.values[self.offsets[i] : self.offsets[i + 1]] for i in places]
        offsets = np.zeros(len(parts) + 1, self.offsets.dtype)
        np.cumsum([len(part) for part in parts], out=offsets[1:])
        return Ragged(offsets, np.concatenate(parts) if parts else self.values[:0], self.kind)

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            first, stop, step = index.indices(len(self))
            if step == 1:
                return Ragged(self.offsets[first : max(first, stop) + 1], self.values, self.kind)
            return self._gathered(range(first, stop, step))
        number = operator.index(index)
        if not -len(self) <= number < len(self):
            raise IndexError(f"value {number} was asked for, there are {len(self)}")
        return self._value(number % len(self))

    def __iter__(self) -> Iterator[Any]:
        return map(self._value, range(len(self)))

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> npt.NDArray[Any]:
        if copy is False:
            raise ValueError("values of different lengths become an array of objects, which is a copy")
        array = np.empty(len(self), object)
        for i, value in enumerate(self):
            array[i] = value
        return array if dtype is None else array.astype(dtype)

    def __repr__(self) -> str:
        return f"<headrace.Ragged: {len(self)} values of {self.kind}, {self.nbytes} bytes>"
