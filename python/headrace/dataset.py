"""Data sets: one .hrd file, or several as one, opened for reading."""

from __future__ import annotations

import ctypes
import json
import os
import uuid
import weakref
from collections.abc import Iterable, Iterator, KeysView, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from . import _abi, _sizes, errors
from ._handle import Handle
from ._library import LIB, as_dict, call, new, path_bytes
from ._options import counted
from ._variable import VariableField
from .field import Field
from .subset import Subset

if TYPE_CHECKING:
    from .loader import Loader

Path = str | os.PathLike[str]


def open(paths: Path | Sequence[Path], *, budget: int | str | None = None) -> Dataset:
    """Open a data set: a .hrd file, or several with the same fields as one, in their order.

    :param budget: bytes, or "256M": for the index, and again for what one index or read brings; None: a quarter of
        what this process may still use, at most 1 GiB
    :raises NotFoundError: no such file
    :raises NotDatasetError: no .hrd file (a `CorruptError`, too)
    :raises CorruptError: damaged or truncated
    :raises MismatchError: the files do not fit together

    >>> data = hr.open("train.hrd")
    >>> len(data), list(data.fields)
    (1000, ['X', 'y'])
    """
    if not isinstance(paths, str | bytes | os.PathLike | Iterable):
        raise errors.InvalidError(f"open() was given {paths!r}, expected the path of a .hrd file, or several")
    many = [paths] if isinstance(paths, str | bytes | os.PathLike) else list(paths)
    if not many:
        raise errors.InvalidError("open() was given no paths, expected the path of a .hrd file, or several")
    return Dataset(many, _sizes.parse(budget, "budget"))


def opened(data: Dataset | Path, what: str) -> Dataset:
    """A data set that is open, or opened here by its path."""
    if isinstance(data, str | bytes | os.PathLike) and not isinstance(data, Dataset):
        return open(data)
    if not isinstance(data, Dataset):
        raise errors.InvalidError(f"{what} was given {data!r:.80}, expected a data set: hr.open(path)")
    return data


class Dataset:
    """An open data set; made by `headrace.open()`. Any thread may use it; after fork() it goes on in the child;
    pickled, it is opened again by its path where it is unpickled. It is the commit that was newest when it was
    opened."""

    def __init__(self, paths: Sequence[Path], budget_bytes: int) -> None:
        encoded = [path_bytes(path) for path in paths]
        self._asked = ([os.fsdecode(path) for path in encoded], budget_bytes)
        options = new(_abi.hr_open_options)
        options.budget_bytes = budget_bytes
        what = f"the data set {self._asked[0][0]}" if paths else "a data set of no files"
        pointer = ctypes.c_void_p()
        self._handle = Handle(what, pointer, LIB.hr_dataset_close)
        call(
            "hr_dataset_open_many",
            (ctypes.c_char_p * len(encoded))(*encoded),
            len(encoded),
            ctypes.byref(options),
            ctypes.byref(pointer),
        )
        self._streams: weakref.WeakSet[Any] = weakref.WeakSet()
        self.num_samples: int = LIB.hr_dataset_num_samples(pointer)
        self.budget_bytes: int = budget_bytes or LIB.hr_default_budget()
        self.samples_per_chunk: int = self.info()["samples_per_chunk"]
        #: By name, in the order of the file.
        self.fields: Mapping[str, Field] = self._read_fields(pointer)

    def _read_fields(self, pointer: ctypes.c_void_p) -> dict[str, Field]:
        found = {}
        for index in range(LIB.hr_dataset_num_fields(pointer)):
            described = _abi.hr_field()
            call("hr_dataset_field", pointer, index, ctypes.byref(described))
            variable = described.dtype in (_abi.HR_VAR_BYTES, _abi.HR_VAR_UTF8)
            field = (VariableField if variable else Field)(self, index, described)
            found[field.name] = field
        return found

    @property
    def path(self) -> str:
        """The path it was opened by; of several files the first."""
        return self._asked[0][0]

    @property
    def paths(self) -> list[str]:
        return list(self._asked[0])

    def __fspath__(self) -> str:
        """Its path, wherever one is meant."""
        if len(self._asked[0]) != 1:
            raise errors.InvalidError(
                f"a data set of {len(self._asked[0])} files was given where a path is expected; give one of its paths"
            )
        return self.path

    def info(self) -> dict[str, Any]:
        """Figures of the file or files: `hr_dataset_info` of the C API, the UUID as text."""
        found = new(_abi.hr_dataset_info)
        with self._handle.use() as pointer:
            call("hr_dataset_describe", pointer, ctypes.byref(found))
        return {**as_dict(found), "uuid": str(uuid.UUID(bytes=bytes(found.uuid)))}

    @property
    def footer(self) -> dict[str, Any]:
        """The file's footer: fields, codecs and why they were chosen, provenance; layout in docs/format.md."""
        with self._handle.use() as pointer:
            parsed: dict[str, Any] = json.loads(LIB.hr_dataset_json(pointer))
        return parsed

    @property
    def attributes(self) -> dict[str, Any]:
        """What whoever made the file wrote about it."""
        found: dict[str, Any] = self.footer.get("attributes") or {}
        return found

    def loader(self, batch: int, **options: Any) -> Loader:
        """Batches of `batch` samples in order or shuffled: see `headrace.Loader`, whose options these are."""
        from .loader import Loader

        return Loader(self, batch, **options)

    def plan(self, batch: int, **options: Any) -> dict[str, Any]:
        """What a loader with these options would need and do, without starting one: `hr_loader_plan` of the C API.

        >>> data.plan(batch=100, shuffle=True)["batches_per_epoch"]
        10
        """
        from .loader import Loader

        return Loader(self, batch, **options).plan()

    def subset(self, first: int | Iterable[int] = 0, end: int | None = None, step: int = 1) -> Subset:
        """Some samples, each at most once: `first`, `first + step`, ... below `end`, or those of an ascending list. One
        number alone is refused: it could be either end.
        Give it to a loader: `data.loader(subset=...)`.

        >>> data.subset(100, 200).num_samples, data.subset([5, 7, 900]).num_samples
        (100, 3)
        """
        if isinstance(first, slice):
            raise errors.InvalidError(f"a subset was asked for by {first}; give its ends: subset(first, end, step)")
        if isinstance(first, (int, np.integer)):
            if first and end is None and step == 1:
                raise errors.InvalidError(
                    f"subset({first}) may mean the first {first} samples or those behind them; say which: "
                    f"subset(0, {first}) or subset({first}, len(data))"
                )
            return Subset.from_range(self, first, end, step)
        return Subset.from_indices(self, first)

    def subset_from_npy(self, path: Path) -> Subset:
        """The samples that a .npy file lists, as `headrace split` writes it."""
        return Subset.from_npy(self, path)

    def split(
        self,
        *fractions: float,
        seed: int = 0,
        contiguous: bool = False,
        stratify: str | None = None,
        budget: int | str | None = None,
    ) -> list[Subset]:
        """Disjoint parts of these fractions, drawn by a seed, the same on every machine; `contiguous`: ranges in the
        order of the file; `stratify`: of each value of that field, every part gets its share.

        >>> train, test = data.split(0.8, 0.2, seed=1)
        >>> train.num_samples, test.num_samples
        (800, 200)
        """
        return Subset.split(self, fractions, seed, contiguous, stratify, _sizes.parse(budget, "budget"))

    def field_index(self, name: str) -> int:
        field = self.fields.get(name) if isinstance(name, str) else None
        if field is None:
            raise errors.FieldNotFoundError(
                f"{self.path} has no field {name!r}; it has {', '.join(map(repr, self.fields))}"
            )
        return field._index

    def __getitem__(self, index: Any) -> Any:
        """`data["X"]`: a field; `data[5:10]`, `data[[3, 1]]`, `data[7]`: these samples of all fields, as a dict."""
        if isinstance(index, str):
            self.field_index(index)
            return self.fields[index]
        if isinstance(index, (tuple, list)) and index and all(isinstance(name, str) for name in index):
            raise errors.InvalidError(
                f"{self.path} was indexed by the names {', '.join(map(repr, index))}; index one field at a time, or "
                "ask for samples of some: {name: data[name][5:10] for name in (...)}"
            )
        return {name: field[index] for name, field in self.fields.items()}

    def __contains__(self, name: object) -> bool:
        """`"X" in data`: whether there is such a field."""
        return name in self.fields

    def keys(self) -> KeysView[str]:
        """The names of the fields."""
        return self.fields.keys()

    def head(self, n: int = 5) -> dict[str, Any]:
        """The first samples of all fields; on a terminal `headrace head` shows images as images, too.

        >>> data.head(3)["y"]
        array([0, 1, 2])
        """
        found: dict[str, Any] = self[: counted(n, "n", 0, 2**63 - 1)]
        return found

    def __len__(self) -> int:
        return self.num_samples

    def __iter__(self) -> Iterator[dict[str, Any]]:
        for rows in zip(*self.fields.values(), strict=True):
            yield {
                name: row if isinstance(row, (str, bytes)) else np.asarray(row)
                for name, row in zip(self.fields, rows, strict=True)
            }

    def close(self) -> None:
        """Close it, and the loops over its loaders; batches and arrays that are held stay as they are."""
        for stream in list(self._streams):
            stream.close()
        self._handle.close()

    def __enter__(self) -> Dataset:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __reduce__(self) -> tuple[Any, ...]:
        return Dataset, self._asked

    def __repr__(self) -> str:
        fields = ", ".join(f"{name} {field.sample_shape} {field.kind}" for name, field in self.fields.items())
        return f"<headrace.Dataset {self.path!r}: {_sizes.samples(self.num_samples)} of {fields}>"

    def _repr_html_(self) -> str:
        from ._html import dataset_html

        return dataset_html(self)
