"""Fields: named arrays of a data set, read by NumPy's indexing."""

from __future__ import annotations

import ctypes
import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np
import numpy.typing as npt

from . import _abi, _rows, _sizes, errors
from ._library import as_dict, call, new
from .dtypes import name_of, to_numpy

if TYPE_CHECKING:
    from .dataset import Dataset

_BLOCK_BYTES = 4 << 20  # that iteration reads at once
_OF_LABELS = "longest_run_samples", "num_runs", "num_distinct", "distinct_overflow", "looks_sorted"


class Field:
    """A field as an array of shape `(num_samples, *sample_shape)` that stays on disk until it is indexed.

    Indexing reads: integers, slices (negative steps too), lists of integers, boolean masks, and what follows for the
    other axes, with NumPy's meaning, into memory of its own. Each chunk of the file is read once. What takes more than
    the data set's budget is refused (`BudgetError`): `read()` takes it all the same.

    >>> X = data["X"]
    >>> X.shape, str(X.dtype)
    ((1000, 28, 28), 'uint8')
    >>> X[5:10].shape, X[[3, 1, 4]].shape, X[-1, 0].shape
    ((5, 28, 28), (3, 28, 28), (28,))
    """

    def __init__(
        self, dataset: Dataset, index: int, described: _abi.hr_field, dtype: np.dtype[Any] | None = None
    ) -> None:
        self._dataset = dataset
        self._index = index
        self.name: str = described.name.decode()
        #: The format's name of the element type: "float32", "fixed_utf8", ...
        self.kind = name_of(described.dtype)
        #: NumPy's element type; of values of variable length that of `Ragged.values`.
        self.dtype: np.dtype[Any] = to_numpy(described.dtype, described.width_bytes) if dtype is None else dtype
        self.sample_shape: tuple[int, ...] = tuple(described.shape[: described.rank])
        self.attributes: dict[str, Any] = json.loads(described.attributes_json or b"{}")

    @property
    def shape(self) -> tuple[int, ...]:
        """`(num_samples, *sample_shape)`"""
        return (self._dataset.num_samples, *self.sample_shape)

    @property
    def ndim(self) -> int:
        return 1 + len(self.sample_shape)

    @property
    def size(self) -> int:
        """Elements of all samples; of values of variable length their number."""
        return self._dataset.num_samples * int(np.prod(self.sample_shape, dtype=np.int64))

    @property
    def sample_bytes(self) -> int:
        """Decoded bytes of one sample."""
        return int(np.prod(self.sample_shape, dtype=np.int64)) * self.dtype.itemsize

    @property
    def nbytes(self) -> int:
        """Decoded bytes of all samples."""
        return self._dataset.num_samples * self.sample_bytes

    @property
    def statistics(self) -> dict[str, Any] | None:
        """Figures over all samples, made when they were converted (`hr_statistics` of the C API: num_nan, num_inf,
        min, max, mean, std, ...); None for bytes and text, and where a file has none. A figure that does not exist (a
        minimum of complex numbers, the first NaN of none) is None."""
        found = new(_abi.hr_statistics)
        with self._dataset._handle.use() as pointer:
            call("hr_dataset_statistics", pointer, self._index, ctypes.byref(found))
        if not found.valid:
            return None
        known = {
            **dict.fromkeys(("min", "max", "mean", "std"), found.has_moments),
            **dict.fromkeys(("min_int", "max_int"), found.has_moments and self.dtype.kind in "bi"),
            **dict.fromkeys(("min_uint", "max_uint"), found.has_moments and self.dtype.kind == "u"),
            **dict.fromkeys(_OF_LABELS, found.has_labels),
            "first_nan_sample": found.num_nan,
            "first_inf_sample": found.num_inf,
        }
        return {name: value if known.get(name, True) else None for name, value in as_dict(found).items()}

    def read(self, first: int = 0, num_samples: int | None = None) -> npt.NDArray[Any]:
        """Samples `first`, `first + 1`, ... whatever the budget says; `num_samples` None: to the end."""
        length = self._dataset.num_samples
        count = length - first if num_samples is None else num_samples
        if first < 0 or count < 0 or first + count > length:
            raise errors.InvalidError(
                f"{_sizes.samples(count)} from {first} of {self.name} cannot be read, expected some of its {length}"
            )
        out = np.empty((count, *self.sample_shape), self.dtype)
        self._read_into(first, out)
        return out

    def _read_into(self, first: int, out: npt.NDArray[Any]) -> None:
        """In pieces, so that an interrupt is seen between two."""
        chunk = self._dataset.samples_per_chunk
        step = max(1, 4 * _BLOCK_BYTES // max(1, self.sample_bytes) // chunk) * chunk
        done = 0
        with self._dataset._handle.use() as pointer:
            while done == 0 or done < len(out):
                count = min(len(out) - done, step - (first + done) % chunk)  # where a chunk ends, as a rule
                part = out[done : done + count]
                call("hr_dataset_read", pointer, self._index, first + done, count, part.ctypes.data, part.nbytes)
                if count == 0:
                    return
                done += count

    def _gather(self, indices: npt.NDArray[np.uint64]) -> npt.NDArray[Any]:
        """In pieces, as `_read_into()`."""
        out = np.empty((len(indices), *self.sample_shape), self.dtype)
        order = _rows.order_of(indices)
        wanted = np.ascontiguousarray(indices if order is None else indices[order])
        with self._dataset._handle.use() as pointer:
            for piece in _rows.pieces(wanted, self._dataset.samples_per_chunk):
                listed = wanted[piece]
                part = out[piece] if order is None else np.empty((len(listed), *self.sample_shape), self.dtype)
                call(
                    "hr_dataset_gather",
                    pointer,
                    self._index,
                    listed.ctypes.data_as(ctypes.POINTER(ctypes.c_uint64)),
                    len(listed),
                    part.ctypes.data,
                    part.nbytes,
                )
                if order is not None:
                    out[order[piece]] = part
        return out

    def _check_budget(self, count: int) -> None:
        n_bytes, budget = count * self.sample_bytes, self._dataset.budget_bytes
        if n_bytes > budget:
            raise errors.BudgetError(
                f"{_sizes.samples(count)} of {self.name} would take {_sizes.text(n_bytes)}, more than the budget of "
                f"{_sizes.text(budget)}; stream them with loader(), index fewer, open the data set with a larger "
                "budget, or call read(), which takes them whatever the budget says"
            )

    def __len__(self) -> int:
        return self._dataset.num_samples

    def __getitem__(self, index: Any) -> Any:
        rows = _rows.find(index, len(self), self.name, self._check_budget)
        read = self.read(rows.first, rows.count) if rows.indices is None else self._gather(rows.indices)
        return read[rows.then] if rows.then else read

    def __iter__(self) -> Iterator[Any]:
        step = max(1, _BLOCK_BYTES // max(1, self.sample_bytes))
        for first in range(0, len(self), step):
            yield from self.read(first, min(step, len(self) - first))

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> npt.NDArray[Any]:
        if copy is False:
            raise ValueError(f"{self.name} lies in a file: an array of it is a copy")
        array: npt.NDArray[Any] = self[:]
        return array if dtype is None else array.astype(dtype, copy=False)

    def _refuse_comparison(self, _: object) -> NoReturn:
        raise TypeError(
            f"field {self.name!r} was compared, and lies in a file; compare its values: data[{self.name!r}][:]"
        )

    def __eq__(self, other: object) -> bool:
        """Whether it is the same field: of another one, or None. Its values are not compared."""
        return self is other if other is None or isinstance(other, Field) else self._refuse_comparison(other)

    __hash__ = object.__hash__
    __lt__ = __le__ = __gt__ = __ge__ = _refuse_comparison

    def __repr__(self) -> str:
        return f"<headrace.Field {self.name!r}: shape {self.shape}, {self.kind}>"
