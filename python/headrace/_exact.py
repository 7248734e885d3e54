"""Arrays in another type, where every value is the same in it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from . import errors


def _is_float(dtype: np.dtype[Any]) -> bool:
    return dtype.kind in "fc" or dtype.name == "bfloat16"


def _overflows(array: npt.NDArray[Any], made: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
    """Finite, and no longer so. Rounding is what whoever chose a shorter type wants."""
    found: npt.NDArray[np.bool_] = np.isfinite(array) & ~np.isfinite(made)
    return found


def _changed(array: npt.NDArray[Any], made: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
    """Integers that are another number."""
    if made.dtype.kind in "iu":
        differ: npt.NDArray[np.bool_] = (made.astype(array.dtype) != array) | ((made < 0) != (array < 0))
        return differ
    wide = (made.real if made.dtype.kind == "c" else made).astype(np.float64)
    beyond = ~np.isfinite(wide) | (wide >= 2.0 ** (8 * array.itemsize - (array.dtype.kind == "i")))
    back = np.where(beyond, 0, wide).astype(array.dtype)
    changed: npt.NDArray[np.bool_] = beyond | (back != array)
    return changed


def _holds_all(dtype: np.dtype[Any], of: np.dtype[Any]) -> bool:
    """NumPy calls it safe to round integers of 64 bits."""
    return np.can_cast(of, dtype, "safe") and not (of.kind in "iu" and of.itemsize == 8 and _is_float(dtype))


def _comparable(of: np.dtype[Any], dtype: np.dtype[Any]) -> bool:
    """Some values of one type are values of the other. bfloat16 says so of complex numbers, too."""
    if of.kind in "iu" and dtype.kind in "iu":
        return True
    return np.can_cast(of, dtype, "same_kind") and (of.kind != "c" or dtype.kind == "c")


def _lost(array: npt.NDArray[Any], made: npt.NDArray[Any]) -> npt.NDArray[np.bool_] | None:
    if array.dtype.kind in "iu":
        return _changed(array, made)
    return _overflows(array, made) if _is_float(array.dtype) else None


def cast(
    array: npt.NDArray[Any], dtype: np.dtype[Any], name: str, kind: str, sample_of: Callable[[int], int]
) -> npt.NDArray[Any]:
    """`array` as `dtype`. `sample_of` says which sample the element of a place in it belongs to; `kind` is what people
    call the field's type.

    >>> cast(np.array([1, 2]), np.dtype("int8"), "X", "int8", int)
    array([1, 2], dtype=int8)
    """
    if array.dtype == dtype:
        return array
    if not _comparable(array.dtype, dtype):
        raise errors.InvalidError(
            f"{name} was appended as {array.dtype}, and its field is {kind}, which cannot hold every such value; "
            f"convert it first (.astype), or make the field {array.dtype}"
        )
    with np.errstate(over="ignore", invalid="ignore"):
        made = array.astype(dtype)
        bad = None if _holds_all(dtype, array.dtype) else _lost(array, made)
    if bad is not None and bad.any():
        place = int(bad.reshape(-1).argmax())
        raise errors.DataError(
            f"{name}, sample {sample_of(place)}: {array.reshape(-1)[place]} of {array.dtype} is no value of {kind}, "
            f"which its field is; make the field {array.dtype}, or convert it first (.astype), if the loss is meant"
        )
    return made
