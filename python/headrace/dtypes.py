"""Element types: the format's and NumPy's."""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np

from . import _abi, errors
from ._library import LIB

_SAME = {
    _abi.HR_BOOL: "bool",
    _abi.HR_INT8: "int8",
    _abi.HR_INT16: "int16",
    _abi.HR_INT32: "int32",
    _abi.HR_INT64: "int64",
    _abi.HR_UINT8: "uint8",
    _abi.HR_UINT16: "uint16",
    _abi.HR_UINT32: "uint32",
    _abi.HR_UINT64: "uint64",
    _abi.HR_FLOAT16: "float16",
    _abi.HR_FLOAT32: "float32",
    _abi.HR_FLOAT64: "float64",
    _abi.HR_COMPLEX64: "complex64",
    _abi.HR_COMPLEX128: "complex128",
}
_NUMBERS = {np.dtype(name): number for number, name in _SAME.items()}


def bfloat16() -> np.dtype[Any]:
    """bfloat16 of ml_dtypes where that is installed, else uint16 with the same bits."""
    try:
        kind: Any = importlib.import_module("ml_dtypes").bfloat16
    except ImportError:
        kind = "uint16"
    made: np.dtype[Any] = np.dtype(kind)
    return made


def name_of(number: int) -> str:
    """The format's name of a type: "float32", "fixed_utf8", ..."""
    name = LIB.hr_dtype_name(number)
    return "unknown" if name is None else str(name.decode())


def to_numpy(number: int, width_bytes: int) -> np.dtype[Any]:
    """NumPy's type for elements of a field. Text is bytes in UTF-8, padded with zeros, of which NumPy shows none."""
    if number == _abi.HR_BFLOAT16:
        return bfloat16()
    if number in (_abi.HR_FIXED_BYTES, _abi.HR_FIXED_UTF8):
        return np.dtype(f"S{width_bytes}")
    if number not in _SAME:
        raise errors.UnsupportedError(
            f"elements of type {name_of(number)} have no type of NumPy's; leave the field out"
        )
    return np.dtype(_SAME[number])


def from_numpy(dtype: np.dtype[Any], where: str) -> tuple[int, int]:
    """The format's type, and the bytes of an element of fixed width, else 0. Byte order does not matter here."""
    if dtype.kind == "S":
        return _abi.HR_FIXED_BYTES, max(dtype.itemsize, 1)
    if dtype.kind == "U":
        return _abi.HR_FIXED_UTF8, max(dtype.itemsize, 1)
    if dtype.name == "bfloat16":
        return _abi.HR_BFLOAT16, 0
    number = _NUMBERS.get(dtype.newbyteorder("="))
    if number is None:
        raise errors.UnsupportedError(
            f"{where} has the type {dtype}, expected numbers, bool, or bytes or text of fixed width; convert it first"
        )
    return number, 0


def parse(dtype: Any, where: str) -> tuple[int, int]:
    """The same of whatever names a type: "bfloat16", "utf8:16", "bytes:8", np.float32, "<f4", ..."""
    if isinstance(dtype, str):
        kind, _, width = dtype.partition(":")
        fixed = {"utf8": _abi.HR_FIXED_UTF8, "bytes": _abi.HR_FIXED_BYTES}.get(kind)
        if fixed is not None and width.isdecimal() and int(width) > 0:
            return fixed, int(width)
        if dtype == "bfloat16":
            return _abi.HR_BFLOAT16, 0
    try:
        made = np.dtype(dtype)
    except TypeError as error:
        raise errors.InvalidError(
            f"{where} has the type {dtype!r}, expected one such as 'float32', np.int64, 'bfloat16', 'utf8:16' "
            f"or 'bytes:8', or 'utf8', 'bytes' or 'int32[]' of variable length ({error})"
        ) from None
    return from_numpy(made, where)
