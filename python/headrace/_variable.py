"""Fields of variable length: how they are named, written and read."""

from __future__ import annotations

import ctypes
from collections.abc import Iterable, Iterator, Mapping, Set
from typing import Any

import numpy as np
import numpy.typing as npt

from . import _abi, _exact, _rows, _sizes, errors
from ._library import as_dict, call, new
from .dtypes import name_of, parse, to_numpy
from .field import Field
from .ragged import Ragged

_NAMES = {"utf8": _abi.HR_VAR_UTF8, "str": _abi.HR_VAR_UTF8, "bytes": _abi.HR_VAR_BYTES}
_TYPES: dict[Any, str] = {str: "utf8", bytes: "bytes"}
#: A call of the library: its function, which samples, and how many.
_Part = tuple[str, tuple[Any, ...], int]
_BLOCK_SAMPLES = 1024  # that iteration reads at once,
_BLOCK_BYTES = 4 << 20  # or fewer, where they are longer


def parse_kind(dtype: Any, where: str) -> tuple[int, int] | None:
    """The format's type, and that of a sequence's elements, else 0; None where the type is of fixed size."""
    named = _TYPES.get(dtype, dtype) if isinstance(dtype, type) else dtype
    if not isinstance(named, str):
        return None
    if named in _NAMES:
        return _NAMES[named], 0
    if named.endswith("[]"):
        return _abi.HR_VAR_BYTES, parse(named[:-2], where)[0]
    return None


def kind_of(number: int, element: int) -> str:
    """The reverse: "utf8", "bytes", "int32[]"."""
    return f"{name_of(element)}[]" if element else name_of(number)


def dtype_of(element: int) -> np.dtype[Any]:
    return to_numpy(element, 0) if element else np.dtype(np.uint8)


class Column:
    """Values as hr_writer_append() takes them, of samples from `first` on; keeps what the struct points to."""

    def __init__(self, name: str, kind: str, dtype: np.dtype[Any], values: Any, first: int) -> None:
        self.name, self.kind, self.dtype, self._first = name, kind, dtype, first
        ragged = values if isinstance(values, Ragged) else self._joined(values)
        if ragged.kind != kind:
            raise errors.InvalidError(f"{name} was appended as {ragged.kind}, and its field is {kind}")
        self._values = np.ascontiguousarray(self._cast(ragged))
        self._offsets = np.ascontiguousarray(ragged.offsets * dtype.itemsize)
        self.struct = _abi.hr_varlen_column(
            self._offsets.ctypes.data_as(ctypes.POINTER(ctypes.c_int64)), self._values.ctypes.data, self._values.nbytes
        )

    def _cast(self, ragged: Ragged) -> npt.NDArray[Any]:
        values, offsets = np.asarray(ragged.values), ragged.offsets

        def sample_of(place: int) -> int:
            return self._first + int(np.searchsorted(offsets, place, "right")) - 1

        return _exact.cast(values, self.dtype, self.name, self.kind, sample_of)

    def _joined(self, values: Any) -> Ragged:
        one = isinstance(values, (str, bytes, bytearray, Mapping, Set)) or getattr(values, "shape", None) == ()
        if one or not isinstance(values, Iterable):
            raise errors.InvalidError(
                f"{self.name} was appended as one {type(values).__name__}, expected a value for each sample, such as a "
                f"list: [{self.name}]"
            )
        parts = [self._part(sample, value) for sample, value in enumerate(values, self._first)]
        offsets = np.zeros(len(parts) + 1, np.int64)
        np.cumsum([len(part) for part in parts], out=offsets[1:])
        if self.dtype == np.uint8 and not self.kind.endswith("[]"):
            return Ragged(offsets, b"".join(parts), self.kind)
        return Ragged(offsets, np.concatenate(parts) if parts else np.empty(0, self.dtype), self.kind)

    def _part(self, sample: int, value: Any) -> Any:
        if self.kind == "utf8" and isinstance(value, str):
            return value.encode("utf-8", "surrogatepass")
        if self.kind in ("utf8", "bytes"):
            if isinstance(value, (bytes, bytearray, memoryview)):
                return bytes(value)
            raise errors.InvalidError(f"{self.name} was appended with a {type(value).__name__}, expected {self.kind}")
        array = np.asarray(value)
        if array.ndim != 1:
            raise errors.InvalidError(
                f"{self.name} was appended with a value of shape {array.shape}, expected one sequence for each sample"
            )
        if not array.size:
            return np.empty(0, self.dtype)
        return _exact.cast(array, self.dtype, self.name, self.kind, lambda _: sample)

    def __len__(self) -> int:
        return len(self._offsets) - 1


class VariableField(Field):
    """A field whose values differ in length. Read it like any other: an integer index gives a `str`, `bytes` or an
    array, a slice or a list of indices a `headrace.Ragged`."""

    def __init__(self, dataset: Any, index: int, described: _abi.hr_field) -> None:
        element = described.element_dtype
        super().__init__(dataset, index, described, dtype_of(element))
        self.kind = kind_of(described.dtype, element)

    @property
    def lengths(self) -> dict[str, Any] | None:
        """Figures of the values' lengths, made when they were written (`hr_length_statistics` of the C API: num_values,
        num_empty, total_bytes, min_bytes, max_bytes, mean_bytes, std_bytes); None where a file has none."""
        found = new(_abi.hr_length_statistics)
        with self._dataset._handle.use() as pointer:
            call("hr_dataset_length_statistics", pointer, self._index, ctypes.byref(found))
        return as_dict(found) if found.valid else None

    @property
    def sample_bytes(self) -> int:
        """Decoded bytes of one sample: of the longest value, where the lengths are known, else 0."""
        lengths = self.lengths
        return lengths["max_bytes"] if lengths else 0

    @property
    def nbytes(self) -> int:
        """Decoded bytes of all values, where the lengths are known, else 0."""
        lengths = self.lengths
        return lengths["total_bytes"] if lengths else 0

    def read(self, first: int = 0, num_samples: int | None = None) -> Any:
        """Samples `first`, `first + 1`, ... whatever the budget says; `num_samples` None: to the end."""
        length = self._dataset.num_samples
        count = length - first if num_samples is None else num_samples
        if first < 0 or count < 0 or first + count > length:
            raise errors.InvalidError(
                f"{_sizes.samples(count)} from {first} of {self.name} cannot be read, expected some of its {length}"
            )
        return self._fetch(count, self._runs(first, count), None)

    def _runs(self, first: int, count: int) -> list[_Part]:
        """In pieces, so that an interrupt is seen between two."""
        step = _rows.PIECE_CHUNKS * self._dataset.samples_per_chunk
        begins = range(first, first + count, step) if count else (first,)
        sizes = [min(step, first + count - begin) for begin in begins]
        return [("hr_dataset_read_values", (begin, n), n) for begin, n in zip(begins, sizes, strict=True)]

    def _lists(self, indices: npt.NDArray[np.uint64]) -> list[_Part]:
        """The same of indices that ascend; others are one piece: in several, chunks would be read several times."""
        pieces = [slice(0, len(indices))]
        if _rows.order_of(indices) is None:
            pieces = _rows.pieces(indices, self._dataset.samples_per_chunk)
        listed = [indices[piece] for piece in pieces]
        to = ctypes.POINTER(ctypes.c_uint64)
        return [("hr_dataset_gather_values", (part.ctypes.data_as(to), len(part)), len(part)) for part in listed]

    def _call(
        self,
        pointer: int,
        function: str,
        which: tuple[Any, ...],
        offsets: npt.NDArray[np.int64],
        values: npt.NDArray[Any] | None,
    ) -> None:
        where = offsets.ctypes.data_as(ctypes.POINTER(ctypes.c_int64))
        room = (None, 0) if values is None else (values.ctypes.data, values.nbytes)
        call(function, pointer, self._index, *which, where, *room, ctypes.byref(ctypes.c_uint64()))

    def _offsets(self, pointer: int, count: int, function: str, which: tuple[Any, ...]) -> npt.NDArray[np.int64]:
        """In bytes."""
        offsets = np.zeros(count + 1, np.int64)
        self._call(pointer, function, which, offsets, None)
        return offsets

    def _fetch(self, count: int, parts: list[_Part], most_bytes: int | None) -> Ragged:
        """First the offsets, which say how much there is to come."""
        offsets, done = np.zeros(count + 1, np.int64), 0
        with self._dataset._handle.use() as pointer:
            for function, which, n in parts:
                offsets[done + 1 : done + n + 1] = offsets[done] + self._offsets(pointer, n, function, which)[1:]
                done += n
            n_bytes = int(offsets[-1])
            if most_bytes is not None and n_bytes > most_bytes:
                raise errors.BudgetError(
                    f"{_sizes.samples(count)} of {self.name} would take {_sizes.text(n_bytes)}, more than the budget "
                    f"of {_sizes.text(most_bytes)}; index fewer, open the data set with a larger budget, or call "
                    "read(), which takes them whatever the budget says"
                )
            places = offsets // self.dtype.itemsize
            values, done = np.empty(int(places[-1]), self.dtype), 0
            for function, which, n in parts:
                own = values[places[done] : places[done + n]]
                self._call(pointer, function, which, np.empty(n + 1, np.int64), own)
                done += n
        return Ragged(places, values, self.kind)

    def __getitem__(self, index: Any) -> Any:
        rows = _rows.find(index, len(self), self.name)
        parts = self._runs(rows.first, rows.count) if rows.indices is None else self._lists(rows.indices)
        found = self._fetch(rows.count, parts, self._dataset.budget_bytes)
        if not rows.then:
            return found
        return found[rows.then[0]] if len(rows.then) == 1 else np.asarray(found)[rows.then]

    def __iter__(self) -> Iterator[Any]:
        for first in range(0, len(self), _BLOCK_SAMPLES):
            count = min(_BLOCK_SAMPLES, len(self) - first)
            with self._dataset._handle.use() as pointer:
                ends = self._offsets(pointer, count, "hr_dataset_read_values", (first, count))
            begin = 0
            while begin < count:
                end = max(begin + 1, int(np.searchsorted(ends, ends[begin] + _BLOCK_BYTES, "right")) - 1)
                yield from self.read(first + begin, end - begin)
                begin = end

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> npt.NDArray[Any]:
        if copy is False:
            raise ValueError(f"{self.name} lies in a file: an array of it is a copy")
        return np.asarray(self[:], dtype)
