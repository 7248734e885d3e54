"""Arrays in another type, where every value is the same in it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from . import errors


def is_float(dtype: np.dtype[Any]) -> bool:
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


def _no_integer(array: npt.NDArray[Any], dtype: np.dtype[Any]) -> npt.NDArray[np.bool_]:
    """Reals that `dtype`, an integer type or bool, does not have."""
    wide = array if array.dtype.itemsize > 8 else array.astype(np.float64)
    least, end = (0.0, 2.0) if dtype.kind == "b" else (float(np.iinfo(dtype).min), float(int(np.iinfo(dtype).max) + 1))
    lost: npt.NDArray[np.bool_] = ~((wide >= least) & (wide < end) & (np.trunc(wide) == wide))
    return lost


def _holds_all(dtype: np.dtype[Any], of: np.dtype[Any]) -> bool:
    """NumPy calls it safe to round integers of 64 bits."""
    return np.can_cast(of, dtype, "safe") and not (of.kind in "iu" and of.itemsize == 8 and is_float(dtype))


def _comparable(of: np.dtype[Any], dtype: np.dtype[Any]) -> bool:
    """Some values of one type are values of the other. Complex numbers are none of a real type, whatever they are."""
    if of.kind == "c" or not (of.kind in "biu" or is_float(of)):
        return dtype.kind == "c" and of.kind == "c"
    return dtype.kind in "biu" or is_float(dtype)


def _lost(array: npt.NDArray[Any], made: npt.NDArray[Any]) -> npt.NDArray[np.bool_] | None:
    if is_float(array.dtype):
        return _overflows(array, made) if is_float(made.dtype) else _no_integer(array, made.dtype)
    if made.dtype.kind == "b":
        return np.asarray((array != 0) & (array != 1))
    return _changed(array, made) if array.dtype.kind in "iu" else None


def _advice(dtype: np.dtype[Any], kind: str) -> str:
    """What the field would be for values of `dtype`, where there are such fields."""
    if not (dtype.kind in "biuUS" or is_float(dtype)):
        return ""
    name = {"U": "utf8", "S": "bytes"}.get(dtype.kind, dtype.name)
    many = "[]" if kind.endswith("[]") and dtype.kind not in "US" else ""
    return f"make the field {name}{many}"


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
    advice = _advice(array.dtype, kind)
    if not _comparable(array.dtype, dtype):
        raise errors.InvalidError(
            f"{name} was appended as {array.dtype}, and its field is {kind}, which has no such values; convert it "
            f"first (.astype){', or ' if advice else ''}{advice}"
        )
    with np.errstate(over="ignore", invalid="ignore"):
        made = array.astype(dtype)
        bad = None if _holds_all(dtype, array.dtype) else _lost(array, made)
    if bad is not None and bad.any():
        place = int(bad.reshape(-1).argmax())
        raise errors.DataError(
            f"{name}, sample {sample_of(place)}: {array.reshape(-1)[place]} of {array.dtype} is no value of "
            f"{kind.removesuffix('[]')}, which its field {'holds' if kind.endswith('[]') else 'is'}; {advice}, or "
            "convert it first (.astype), if the loss is meant"
        )
    return made
