"""Are two files' arrays equal, bit for bit? `headrace compare` in Python."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from . import _abi, _job, _names, _sizes
from ._library import call, new, path_bytes, set_callback
from ._options import counted
from .dtypes import name_of, to_numpy

Path = str | os.PathLike[str]

_WORDS = {
    _abi.HR_DIFFERS_VALUES: "values",
    _abi.HR_DIFFERS_DTYPE: "dtype",
    _abi.HR_DIFFERS_SHAPE: "shape",
    _abi.HR_DIFFERS_SAMPLES: "samples",
    _abi.HR_DIFFERS_ONLY_A: "only in a",
    _abi.HR_DIFFERS_ONLY_B: "only in b",
}


class Difference(NamedTuple):
    """One element that differs: of sample `sample`, at `position` in it. Of bytes and texts longer than 64, `a` and `b`
    are 64 bytes from byte `first_byte` on, the first that differs."""

    sample: int
    position: tuple[int, ...]
    a: Any
    b: Any
    first_byte: int


class ComparedField(NamedTuple):
    """What was found of one field: `differs` is empty where it is equal, else some of "values", "dtype", "shape",
    "samples", "only in a", "only in b". `element_dtypes` are those of a sequence's elements, of other fields None."""

    name: str
    differs: tuple[str, ...]
    dtypes: tuple[str | None, str | None]
    shapes: tuple[tuple[int, ...] | None, tuple[int, ...] | None]
    num_elements: int
    num_different: int
    differences: tuple[Difference, ...]
    element_dtypes: tuple[str | None, str | None]


class Comparison(NamedTuple):
    """True where all is equal."""

    equal: bool
    fields: tuple[ComparedField, ...]
    compared_bytes: int
    seconds: float

    def __bool__(self) -> bool:
        return self.equal


def _described(field: Any, num_samples: int) -> tuple[str | None, tuple[int, ...] | None]:
    if not field:
        return None, None
    found = field.contents
    return name_of(found.dtype), (num_samples, *found.shape[: found.rank])


def _element(field: Any) -> str | None:
    return name_of(field.contents.element_dtype) if field and field.contents.element_dtype else None


def _value(field: _abi.hr_field, side: bytes) -> Any:
    """An element, or a value of variable length: of these, what was kept."""
    if field.element_dtype:
        return np.frombuffer(side, to_numpy(field.element_dtype, 0))
    if field.dtype in (_abi.HR_VAR_BYTES, _abi.HR_VAR_UTF8):
        return side if field.dtype == _abi.HR_VAR_BYTES else side.decode("utf-8", "replace")
    return np.frombuffer(side, to_numpy(field.dtype, len(side)))[0]


def _difference(field: _abi.hr_field, shape: tuple[int, ...], told: _abi.hr_difference) -> Difference:
    a, b = _value(field, bytes(told.a)[: told.a_bytes]), _value(field, bytes(told.b)[: told.b_bytes])
    position = tuple(int(place) for place in np.unravel_index(told.element, shape)) if shape else ()
    return Difference(told.sample, position, a, b, told.first_byte)


def _compared(told: _abi.hr_compared_field) -> ComparedField:
    dtype_a, shape_a = _described(told.a, told.num_samples_a)
    dtype_b, shape_b = _described(told.b, told.num_samples_b)
    field = (told.a or told.b).contents
    sample_shape = tuple(field.shape[: field.rank])
    return ComparedField(
        field.name.decode(),
        tuple(word for bit, word in _WORDS.items() if told.differs & bit),
        (dtype_a, dtype_b),
        (shape_a, shape_b),
        told.num_elements,
        told.num_different,
        tuple(_difference(field, sample_shape, told.differences[k]) for k in range(told.num_differences)),
        (_element(told.a), _element(told.b)),
    )


def compare(
    a: Path,
    b: Path,
    *,
    fields: Sequence[str] | None = None,
    show: int = 10,
    follow_external: bool = False,
    budget: int | str | None = None,
    threads: int = 0,
    helpers: int = 0,
    helper_timeout: float = 0,
    helper_memory: int | str | None = None,
    progress: bool | None = None,
) -> Comparison:
    """Compare the arrays of two files bit for bit, in bounded memory: .hrd, .npy, .npz, HDF5 ("F.h5:/path" too), CSV,
    IDX, or a folder or pattern of these. Fields go by name; of two single arrays the names do not matter. A sparse
    matrix in an HDF5 file is compared as the .hrd file on the other side has it, else as dense rows.

    :param fields: only these, a list of names
    :param show: so many differences are kept of each field, at most
    :param budget: bytes, or "256M", for everything it holds
    :param helpers: processes that read one HDF5 file; `helper_timeout` seconds is the longest silence of each, and
        `helper_memory`, as `budget`, the memory that each may use

    >>> bool(hr.compare("train.hrd", "X.npy", fields=["X"]))
    True
    >>> np.save("other.npy", np.array([0, 1, 9]))
    >>> np.save("one.npy", np.array([0, 1, 2]))
    >>> found = hr.compare("one.npy", "other.npy").fields[0]
    >>> found.differs, found.num_different, int(found.differences[0].b)
    (('values',), 1, 9)
    """
    options, result, watch = new(_abi.hr_compare_options), new(_abi.hr_compare_result), _job.Watch()
    found: list[ComparedField] = []
    options.flags = follow_external * _abi.HR_CONVERT_FOLLOW_EXTERNAL
    options.a, options.b = path_bytes(a), path_bytes(b)
    if fields is not None:
        names = _names.listed(fields, "fields")
        options.fields, options.num_fields = (ctypes.c_char_p * len(names))(*names), len(names)
    options.max_differences = counted(show, "show", 1, 4096)
    options.budget_bytes = _sizes.parse(budget, "budget")
    options.num_threads = counted(threads, "threads")
    options.num_helpers = counted(helpers, "helpers")
    options.helper_timeout_ns = int(helper_timeout * 1e9)
    options.helper_memory_bytes = _sizes.parse(helper_memory, "helper_memory")
    set_callback(
        options, "on_progress", lambda _, told: watch.tell(told.contents.done_bytes, told.contents.total_bytes)
    )
    set_callback(options, "on_field", lambda _, told: found.append(_compared(told.contents)))
    _job.run(
        lambda: call("hr_compare", ctypes.byref(options), ctypes.byref(result)), watch, "compare", progress=progress
    )
    return Comparison(bool(result.equal), tuple(found), result.compared_bytes, result.elapsed_ns / 1e9)
