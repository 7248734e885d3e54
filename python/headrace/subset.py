"""Subsets of a data set, and splits into them: parts that loaders deliver without a copy of the data."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterable, Sequence
from numbers import Real
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from . import _abi, errors
from ._handle import Handle
from ._library import LIB, call, new, path_bytes
from ._options import counted

if TYPE_CHECKING:
    from .dataset import Dataset

_ALL = 2**64 - 1
_Indices = ctypes.POINTER(ctypes.c_uint64)


class Subset:
    """Some samples of one data set, each at most once; made by `Dataset.subset()` and `Dataset.split()`. It never
    changes. Pickled, it carries the list of its samples."""

    def __init__(self, dataset: Dataset, pointer: int) -> None:
        self._dataset = dataset
        self._handle = Handle("the subset", pointer, LIB.hr_subset_free)
        self.num_samples: int = LIB.hr_subset_num_samples(pointer)

    @classmethod
    def _make(cls, dataset: Dataset, function: str, *arguments: Any) -> Subset:
        made = ctypes.c_void_p()
        with dataset._handle.use() as pointer:
            call(function, pointer, *arguments, ctypes.byref(made))
        assert made.value is not None
        return cls(dataset, made.value)

    @classmethod
    def from_range(cls, dataset: Dataset, first: int, end: int | None, step: int) -> Subset:
        first, step = counted(first, "first", -(2**63), 2**63), counted(step, "step", -(2**63), 2**63)
        end = None if end is None else counted(end, "end", -(2**63), 2**63)
        if first < 0 or step < 1 or (end is not None and end < 0):
            raise errors.InvalidError(
                f"a subset of samples {first} to {end} in steps of {step} was asked for; expected 0 or more, and steps "
                "of 1 or more"
            )
        return cls._make(dataset, "hr_subset_from_range", first, _ALL if end is None else end, step)

    @classmethod
    def from_indices(cls, dataset: Dataset, indices: Iterable[int] | npt.NDArray[Any]) -> Subset:
        listed = np.asarray(indices if hasattr(indices, "__array__") else list(indices))
        if listed.ndim != 1 or (listed.size and listed.dtype.kind not in "iu") or (listed < 0).any():
            raise errors.InvalidError(
                f"a subset was asked for by an array of {listed.dtype} of shape {listed.shape}; expected one dimension "
                "of sample indices, 0 or more, in ascending order (np.flatnonzero() makes them of a mask)"
            )
        numbers = np.ascontiguousarray(listed, np.uint64)
        return cls._make(dataset, "hr_subset_from_indices", numbers.ctypes.data_as(_Indices), numbers.size)

    @classmethod
    def from_npy(cls, dataset: Dataset, path: str | os.PathLike[str]) -> Subset:
        return cls._make(dataset, "hr_subset_from_npy", path_bytes(path))

    @classmethod
    def split(
        cls,
        dataset: Dataset,
        fractions: Sequence[float],
        seed: int,
        contiguous: bool,
        stratify: str | None,
        budget_bytes: int,
    ) -> list[Subset]:
        for fraction in fractions:
            if not isinstance(fraction, Real):
                raise errors.InvalidError(
                    f"split() was given {fraction!r:.80}, expected fractions one by one: split(0.8, 0.2)"
                )
        if stratify is not None and not isinstance(stratify, str):
            raise errors.InvalidError(f"stratify is {stratify!r}, expected the name of a field")
        parts = (ctypes.c_void_p * max(1, len(fractions)))()
        options = new(_abi.hr_split_options)
        options.flags = _abi.HR_SPLIT_CONTIGUOUS if contiguous else 0
        options.seed = counted(seed, "seed", 0, 2**64 - 1)
        options.fractions = (ctypes.c_double * max(1, len(fractions)))(*fractions)
        options.num_fractions = len(fractions)
        options.stratify_field = None if stratify is None else stratify.encode()
        options.budget_bytes = budget_bytes
        with dataset._handle.use() as pointer:
            call("hr_split", pointer, ctypes.byref(options), parts)
        return [cls(dataset, part) for part in parts if part is not None]

    def indices(self, first: int = 0, count: int | None = None) -> npt.NDArray[np.uint64]:
        """Indices of its samples in the data set, ascending: 8 bytes each.

        >>> data.subset(10, 20, 5).indices()
        array([10, 15], dtype=uint64)
        """
        number = self.num_samples - first if count is None else count
        out = np.empty(max(0, number), np.uint64)
        with self._handle.use() as pointer:
            call("hr_subset_indices", pointer, first, number, out.ctypes.data_as(_Indices))
        return out

    def __len__(self) -> int:
        return self.num_samples

    def __reduce__(self) -> tuple[Any, ...]:
        return Subset.from_indices, (self._dataset, self.indices())

    def __repr__(self) -> str:
        return f"<headrace.Subset: {self.num_samples} of {self._dataset.num_samples} samples of {self._dataset.path!r}>"
