"""Batches: what a loop gets. Their arrays are views of the memory that they were decoded into."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, ItemsView, Iterator, KeysView, Mapping, ValuesView
from typing import TYPE_CHECKING, Any, cast
from weakref import ref

import numpy as np
import numpy.typing as npt
from numpy import ndarray

from . import _abi, _sizes, errors
from ._dlpack import DeviceArray
from ._library import LIB, as_dict, call, new
from .ragged import Ragged

if TYPE_CHECKING:
    from ._stream import Opened


class Hold:
    """Keeps the memory of one batch, for as long as it is referred to: by the batch, and by what its arrays lie in.
    What is called at its end is in a slot, so that no code of Python's runs there, which an interrupt could end: the
    memory would be held for ever."""

    __slots__ = ("__del__", "pointer")
    __del__: Any
    pointer: int


class BatchField:
    """A field as batches have it, after finishing."""

    def __init__(
        self, index: int, name: str, element: str, dtype: np.dtype[Any], sample_shape: tuple[int, ...]
    ) -> None:
        self.index = index
        self.name = name
        self.element = element  # the format's name of the type: NumPy may lack bfloat16
        self.dtype = dtype
        self.sample_shape = sample_shape
        self.sample_bytes = int(np.prod(sample_shape, dtype=np.int64)) * dtype.itemsize
        self.kinds: dict[int, tuple[Callable[[int], Any], tuple[int, ...]]] = {}

    def kind(self, num_samples: int) -> tuple[Callable[[int], Any], tuple[int, ...]]:
        """What makes an object of the memory of so many samples at an address, which has room for a Hold; and the shape
        of the array."""
        memory: Any = ctypes.c_uint8 * (num_samples * self.sample_bytes)
        room: Any = type("BatchMemory", (memory,), {"__slots__": ("hold",)})
        self.kinds[num_samples] = room.from_address, (num_samples, *self.sample_shape)
        return self.kinds[num_samples]


class _Values:
    """Where the values of a batch lie, for as long as it is referred to."""

    __slots__ = ("__array_interface__", "__weakref__", "hold")

    def __init__(self, address: int, shape: tuple[int], hold: Hold) -> None:
        self.hold = hold
        self.__array_interface__ = {"data": (address, False), "shape": shape, "typestr": "|u1", "version": 3}


class RaggedField(BatchField):
    """A field of variable length."""

    def offsets(self, hold: Hold, num_samples: int) -> npt.NDArray[np.int64]:
        """A copy, in bytes."""
        return np.ctypeslib.as_array(LIB.hr_batch_offsets(hold.pointer, self.index), (num_samples + 1,)).copy()

    def memory(self, hold: Hold, n_bytes: int) -> _Values:
        address = LIB.hr_batch_data(hold.pointer, self.index)
        return _Values(address or 0, (n_bytes,), hold)


class Batch(Mapping[str, Any]):
    """Samples of all fields: `batch["X"]` is a NumPy array of shape `(num_samples, *sample_shape)`, on a GPU a
    `DeviceArray` for `from_dlpack()`; of a field of variable length a `Ragged`.

    Arrays are views, made without a copy; each keeps the batch's memory as it is. When the batch and the last of them
    are gone (or after `release()`) the memory is used for another batch. They may be written to, unless the loader
    was made with `writable=False`. Any thread may use and drop them.

    >>> batch = next(iter(data.loader(batch=4)))
    >>> batch["X"].shape, batch.num_samples, batch.epoch, batch.number
    ((4, 28, 28), 4, 0, 0)
    >>> kept = batch.copy()
    """

    __slots__ = ("_figures", "_hold", "_opened", "_pointers", "_views")

    def __init__(self, opened: Opened, pointers: list[int], figures: tuple[int, int, int, int, int]) -> None:
        self._opened = opened
        self._hold: Hold | None = None  # given by the stream
        self._pointers = pointers
        self._figures = figures
        self._views: dict[str, ref[Any]] = {}

    @property
    def epoch(self) -> int:
        """The epoch that it belongs to, from 0."""
        return self._figures[0]

    @property
    def number(self) -> int:
        """Its number in that epoch, from 0."""
        return self._figures[1]

    @property
    def num_samples(self) -> int:
        """Samples in it, padding included: all its arrays have this length."""
        return self._figures[2]

    @property
    def num_padding(self) -> int:
        """Rows that only fill it up (`last="pad"`); see `padding`."""
        return self._figures[3]

    @property
    def num_held(self) -> int:
        """Batches of the loader that were held when this one came, itself included."""
        return self._figures[4]

    def _held(self) -> Hold:
        if self._hold is None:
            raise errors.ClosedError(f"batch {self.number} of epoch {self.epoch} was released; use it before release()")
        return self._hold

    def _field(self, name: str) -> BatchField:
        field = self._opened.fields.get(name)
        if field is None:
            raise errors.FieldNotFoundError(
                f"the batch has no field {name!r}; it has {', '.join(map(repr, self._opened.fields))}"
            )
        return field

    def __getitem__(self, name: str) -> Any:
        hold = self._hold or self._held()
        opened = self._opened
        field = opened.fields.get(name) or self._field(name)
        if isinstance(field, RaggedField):
            return self._ragged(field, hold)
        if opened.device_index is not None:
            return DeviceArray(opened, hold, field, self.num_samples, self._pointers[field.index])
        memory_at, shape = field.kinds.get(self._figures[2]) or field.kind(self._figures[2])
        known = self._views.get(name)
        memory = None if known is None else known()
        if memory is None:
            memory = memory_at(self._pointers[field.index])
            memory.hold = hold
            self._views[name] = ref(memory)
        array: npt.NDArray[Any] = ndarray(shape, field.dtype, memory)
        if not opened.writable:
            array.flags.writeable = False
        return array

    def _ragged(self, field: RaggedField, hold: Hold) -> Ragged:
        offsets = field.offsets(hold, self.num_samples)
        known = self._views.get(field.name)
        memory = None if known is None else known()
        if memory is None:
            memory = field.memory(hold, int(offsets[-1]))
            self._views[field.name] = ref(memory)
        values: npt.NDArray[Any] = np.asarray(memory).view(field.dtype)
        values.flags.writeable = self._opened.writable
        return Ragged(offsets // field.dtype.itemsize, values, field.element)

    def __iter__(self) -> Iterator[str]:
        return iter(self._opened.fields)

    def __len__(self) -> int:
        """The number of fields, as of any mapping; see `num_samples`."""
        return len(self._opened.fields)

    def keys(self) -> KeysView[str]:
        return cast("KeysView[str]", self._opened.fields.keys())

    def values(self) -> ValuesView[Any]:
        return dict(self).values()

    def items(self) -> ItemsView[str, Any]:
        return {name: self[name] for name in self._opened.fields}.items()

    def copy(self) -> dict[str, Any]:
        """Arrays of their own, which hold nothing of the loader's: to keep batches for longer."""
        return {
            name: value.copy() if isinstance(value, Ragged) else np.array(value)
            for name, value in ((name, self[name]) for name in self._opened.fields)
        }

    def release(self) -> None:
        """Give the memory back now. Afterwards the batch cannot be indexed; releasing again does nothing.

        :raises BufferError: an array of it is still in use, as `memoryview.release()` does
        """
        used = [name for name, view in self._views.items() if view() is not None]
        if used:
            raise BufferError(
                f"batch {self.number} of epoch {self.epoch} cannot be released: arrays of {', '.join(map(repr, used))} "
                "are still in use; delete them (del) or copy them first"
            )
        self._hold = None

    @property
    def released(self) -> bool:
        return self._hold is None

    @property
    def indices(self) -> npt.NDArray[np.uint64]:
        """The sample's index in the data set of each row, of padding too. It is known while the loop is under way."""
        out = np.empty(self.num_samples, np.uint64)
        self._ask("hr_batch_indices", out.ctypes.data_as(ctypes.POINTER(ctypes.c_uint64)))
        return out

    @property
    def padding(self) -> npt.NDArray[np.bool_]:
        """Which rows are padding: leave them out of sums and scores."""
        if self.num_padding == 0:
            return np.zeros(self.num_samples, np.bool_)
        out = np.empty(self.num_samples, np.uint8)
        self._ask("hr_batch_padding", out.ctypes.data_as(ctypes.POINTER(ctypes.c_uint8)))
        return out.view(np.bool_)

    def bad_values(self, name: str) -> dict[str, Any] | None:
        """NaN and infinities of a field in this batch (`hr_bad_values` of the C API); None where they were not counted:
        see `Finish(check_finite=True)`."""
        found = new(_abi.hr_bad_values)
        self._ask("hr_batch_bad_values", self._field(name).index, ctypes.byref(found))
        return as_dict(found) if found.checked else None

    def _ask(self, function: str, *arguments: Any) -> None:
        hold = self._held()
        try:
            with self._opened.use():
                call(function, hold.pointer, *arguments)
        except errors.ClosedError:
            raise errors.ClosedError(
                f"batch {self.number} of epoch {self.epoch}: its loop has ended or was left; ask while it is under way"
            ) from None

    def __enter__(self) -> Batch:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()

    def __reduce__(self) -> tuple[Any, ...]:
        raise errors.UnsupportedError("a batch cannot be pickled: it is memory of its loader's; pickle batch.copy()")

    def __repr__(self) -> str:
        state = ", released" if self.released else ""
        return (
            f"<headrace.Batch {self.number} of epoch {self.epoch}: {_sizes.samples(self.num_samples)} of "
            f"{', '.join(dict.keys(self._opened.fields))}{state}>"
        )
