"""Columns of a program's own data, as they are handed to a writer: whatever has a length, a type and slices. Known by
what they can do, never by importing their libraries: NumPy arrays and memmaps, h5py and zarr data sets, pandas
columns, Arrow arrays, tensors on the host, lists."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NoReturn

import numpy as np
import numpy.typing as npt

from . import _text, errors
from .ragged import Ragged

#: NumPy makes texts of such among texts.
_SCALARS = (str, bytes, bool, int, float, complex, np.generic)


def _is_missing(value: Any) -> bool:
    """None, NaN, and the NA of pandas, which no comparison says anything about."""
    if value is None or hasattr(value, "__len__"):
        return value is None
    try:
        return bool(value != value)
    except TypeError:
        return True


def _refuse_kinds(name: str, kinds: set[type]) -> NoReturn:
    raise errors.InvalidError(
        f"{name} has values of {', '.join(sorted(kind.__name__ for kind in kinds))} that no one type holds"
        f"{', as they are larger than 64 bits' if kinds == {int} else ''}; make them alike first"
    )


def _is_mixed(kinds: set[type]) -> bool:
    """Texts among other scalars."""
    return any(issubclass(kind, (str, bytes)) for kind in kinds) and all(issubclass(kind, _SCALARS) for kind in kinds)


def _of_list(name: str, listed: Any) -> npt.NDArray[Any]:
    """A list of numbers or rows; of objects, where it has texts, or where NumPy finds no one type; refused where NumPy
    would change values so that they have one."""
    kinds = set(map(type, listed)) if isinstance(listed, Sequence) else set()
    if _is_mixed(kinds) and not _text.are_alike(listed):
        _refuse_kinds(name, kinds)
    try:
        array = _text.as_array(listed)
    except ValueError:  # rows of different lengths
        array = np.empty(len(listed), object)
        array[:] = listed
        return array
    kinds = {type(value) for value in listed} if array.ndim == 1 else set()
    mixed = array.dtype.kind in "US" and len(kinds) > 1 and not _text.are_alike(listed)
    if mixed or ((array.dtype.kind == "f" or array.dtype == object) and kinds == {int}):
        _refuse_kinds(name, kinds)
    return array


class Column:
    """Rows `begin` to `end` of a source, as an array."""

    def __init__(self, name: str, source: Any, variable: bool = False) -> None:
        self.name = name
        self._source = source
        if isinstance(source, (str, bytes, bytearray)):
            raise errors.InvalidError(
                f"{name} is one {type(source).__name__}, expected one value for each sample, such as a list: [{name}]"
            )
        if not (hasattr(source, "__len__") and (hasattr(source, "__getitem__") or hasattr(source, "__array__"))):
            raise errors.InvalidError(
                f"{name} is a {type(source).__name__}, expected something with a length and rows, such as an array; "
                "for iterators see from_iterator()"
            )
        if not variable and not hasattr(source, "shape") and not hasattr(source, "to_numpy"):
            self._source = _of_list(name, source)
        if getattr(self._source, "shape", None) == ():
            raise errors.InvalidError(f"{name} is a single value, expected an array of one row for each sample")

    @property
    def source(self) -> Any:
        return self._source

    def __len__(self) -> int:
        return len(self._source)

    def read(self, begin: int, end: int) -> npt.NDArray[Any]:
        return self._as_array(self._rows(begin, end), begin)

    def values(self, begin: int, end: int) -> Any:
        """The same as values of different lengths: a list, or a `Ragged`."""
        rows = self._rows(begin, end)
        if isinstance(rows, Ragged):
            return rows
        listed = rows.to_pylist() if hasattr(rows, "to_pylist") else list(rows)
        self._check_all_there(listed, begin)
        return listed

    def _check_all_there(self, listed: list[Any], begin: int) -> None:
        for row, value in enumerate(listed, begin):
            if _is_missing(value):
                self._refuse_missing(row)

    def _refuse_missing(self, row: int) -> NoReturn:
        raise errors.DataError(
            f"{self.name} has missing values, the first in row {row}, which a field cannot hold; fill or drop them "
            "first"
        )

    def _rows(self, begin: int, end: int) -> Any:
        source = self._source
        if hasattr(source, "iloc"):  # pandas, by place and not by label
            return source.iloc[begin:end]
        if hasattr(source, "slice") and hasattr(source, "to_numpy"):  # Arrow
            return source.slice(begin, end - begin)
        return source[begin:end]

    def _check_none_missing(self, rows: Any, begin: int) -> None:
        """Of the types of pandas's own, whose missing values may become NaN, and of Arrow's."""
        missing: Any = ()
        if hasattr(rows, "isna") and not isinstance(rows.dtype, np.dtype):
            missing = rows.isna()
        elif hasattr(rows, "slice") and hasattr(rows, "null_count") and rows.null_count:
            missing = rows.is_null()
        places = np.flatnonzero(np.asarray(missing, bool))
        if len(places):
            self._refuse_missing(begin + int(places[0]))

    def _as_array(self, rows: Any, begin: int) -> npt.NDArray[Any]:
        self._check_none_missing(rows, begin)
        if np.ma.is_masked(rows):
            raise errors.DataError(f"{self.name} has masked values, which a field cannot hold; fill or drop them first")
        if hasattr(rows, "to_numpy"):
            try:
                array = np.asarray(rows.to_numpy(zero_copy_only=False))
            except TypeError:
                array = np.asarray(rows.to_numpy())
        else:
            array = np.asarray(rows)
        if array.dtype.kind == "T":  # NumPy's strings of any length
            array = array.astype(object)
        return self._of_objects(array, begin) if array.dtype == object else array

    def _of_objects(self, array: npt.NDArray[Any], begin: int) -> npt.NDArray[Any]:
        """Texts and bytes stay objects; else rows of the same shape."""
        if _text.are_alike(array.flat):
            return array
        listed = array.tolist()
        kinds = {type(value) for value in listed}
        self._check_all_there(listed, begin)
        if _is_mixed(kinds):
            _refuse_kinds(self.name, kinds)
        try:
            stacked = np.array([np.asarray(value) for value in listed])
        except ValueError:
            stacked = array
        if stacked.dtype == object:
            names = ", ".join(sorted(kind.__name__ for kind in kinds))
            raise errors.UnsupportedError(
                f"{self.name} has rows of {names} that differ in shape or type; rows of a field have one, "
                f"unless it is said to be of variable length: fields={{{self.name!r}: 'int32[]'}}"
            )
        return stacked


def of_table(source: Any) -> list[tuple[str, Any]] | None:
    """Columns with their names of a mapping, a pandas or Arrow table, a NumPy structured array, an h5py group; None: it
    is none."""
    if isinstance(source, Mapping):
        return list(source.items())
    if hasattr(source, "column_names") and hasattr(source, "column"):
        return [(name, source.column(place)) for place, name in enumerate(source.column_names)]
    if hasattr(source, "columns") and hasattr(source, "iloc"):
        return [(str(name), source.iloc[:, place]) for place, name in enumerate(source.columns)]
    names = getattr(getattr(source, "dtype", None), "names", None)
    return [(name, source[name]) for name in names] if names else None


def of_all(
    tables: tuple[Any, ...], named: Mapping[str, Any], variable: Callable[[str, Any], bool]
) -> dict[str, Column]:
    """`variable` says of a name and its source whether it is read by `Column.values()`."""
    found: dict[str, Any] = {}

    def add(name: str, source: Any) -> None:
        if not isinstance(name, str):
            raise errors.InvalidError(f"an array was given by the name {name!r}, expected a str; rename it")
        if name in found:
            raise errors.InvalidError(
                f"two arrays are named {name!r}, and a data set has one field of each name; rename or drop one first"
            )
        found[name] = source

    for table in tables:
        entries = of_table(table)
        if entries is None:
            raise errors.InvalidError(
                f"a {type(table).__name__} was given without a name, expected a table or a dict of arrays; name "
                "arrays: from_arrays(out, X=array)"
            )
        for name, source in entries:
            add(name, source)
    for name, source in named.items():
        add(name, source)
    if not found:
        raise errors.InvalidError("no array was given; name at least one: from_arrays(out, X=array)")
    columns = {name: Column(name, source, variable(name, source)) for name, source in found.items()}
    lengths = {name: len(column) for name, column in columns.items()}
    if len(set(lengths.values())) > 1:
        listed = ", ".join(f"{name} {length}" for name, length in lengths.items())
        raise errors.InvalidError(f"the arrays have different numbers of samples: {listed}; all need the same")
    return columns
