"""An open loader of the C library: batches come out of it one by one."""

from __future__ import annotations

import contextlib
import ctypes
import gc
import struct
import threading
import weakref
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NoReturn

from . import _abi, _box, errors
from ._handle import register_fork
from ._library import LIB, call, new
from .batch import Batch, BatchField, Hold
from .dtypes import name_of, to_numpy

if TYPE_CHECKING:
    from .dataset import Dataset

_STEP_NS = 100_000_000  # between two looks at what Python has to do: interrupts, a close in another thread
_FIGURES = struct.Struct("=QQIII")  # of hr_taken_batch, from `epoch` on: at once, as this is on the path of every batch
_FIGURES_OFF = _abi.hr_taken_batch.epoch.offset


class Opened:
    """The pointer, the lock under which it is used, and what batches look like. Batches refer to this and not to the
    stream, so that a stream is closed when its loader is gone, whatever batches are kept."""

    __slots__ = ("device_index", "fields", "lock", "pointer", "writable")

    def __init__(self, writable: bool, device: int) -> None:
        self.lock = threading.Lock()
        self.pointer: int | None = None
        self.writable = writable
        #: None: batches are in host memory.
        self.device_index = None if device == _abi.HR_DEVICE_HOST else device - _abi.HR_DEVICE_CUDA(0)
        self.fields: dict[str, BatchField] = {}  # known with the first batch

    @contextlib.contextmanager
    def use(self) -> Iterator[int]:
        """The pointer, which stays valid inside; waits for `take()` in another thread, for a tenth of a second at
        most."""
        with self.lock:
            if self.pointer is None:
                raise errors.ClosedError(
                    "the loader is closed: its loop has ended, was left, or its data set was closed"
                )
            yield self.pointer


def _close(opened: Opened) -> None:
    with opened.lock:
        pointer, opened.pointer = opened.pointer, None
        if pointer is not None:
            _box.loader_closing(pointer)
            LIB.hr_loader_close(pointer)


class Stream:
    """Made by Loader. `take()` may be called by any thread: one at a time is served."""

    def __init__(self, dataset: Dataset, options: _abi.hr_loader_options, writable: bool) -> None:
        self.dataset = dataset  # lives at least as long
        self._max_held = options.max_held_batches or 2
        self._opened = Opened(writable, options.device)
        self._closing = False
        pointer = ctypes.c_void_p()
        with dataset._handle.use() as data:
            call("hr_loader_open", data, ctypes.byref(options), ctypes.byref(pointer))
        self._opened.pointer = pointer.value
        self._finalizer = weakref.finalize(self, _close, self._opened)
        _box.loader_opened(pointer.value or 0)
        dataset._streams.add(self)
        register_fork(self)
        self._data = (ctypes.c_void_p * (options.num_fields or len(dataset.fields)))()
        self._taken = new(_abi.hr_taken_batch)
        self._taken.data = ctypes.cast(self._data, type(self._taken.data))
        self._taken.num_data = len(self._data)
        self._error = _abi.hr_error()
        self._view = memoryview(self._taken).cast("B")
        self._references = ctypes.byref(self._taken), ctypes.byref(self._error)

    def after_fork(self) -> None:
        self._opened.lock = threading.Lock()

    @property
    def fields(self) -> dict[str, BatchField]:
        return self._opened.fields

    def use(self) -> contextlib.AbstractContextManager[int]:
        return self._opened.use()

    @property
    def closed(self) -> bool:
        return self._opened.pointer is None

    def close(self) -> None:
        self._closing = True  # a take() in another thread ends at its next step
        self._finalizer()

    def take(self) -> Batch | None:
        """The next batch; None at the end of an epoch."""
        opened, taken = self._opened, self._taken
        while True:
            with opened.lock:
                status = self._step(opened.pointer) if taken.batch is None else _abi.HR_OK
                # A batch is there already where an interrupt came before it was handed over.
                if status == _abi.HR_OK:
                    if not opened.fields:
                        self._read_fields()
                    hold = Hold()
                    # Nothing that could be interrupted comes between these two: the batch has one owner.
                    hold.pointer = taken.batch
                    taken.batch = None
                    return Batch(opened, hold, self._data[:], _FIGURES.unpack_from(self._view, _FIGURES_OFF))
            if status == _abi.HR_END_OF_EPOCH:
                return None
            if status != _abi.HR_TIMEOUT:
                self._refuse(status)

    def _step(self, pointer: int | None) -> int:
        if pointer is None or self._closing:
            raise errors.ClosedError("the loader is closed: its loop has ended, was left, or its data set was closed")
        status: int = LIB.hr_loader_take(pointer, _STEP_NS, *self._references)
        if status == _abi.HR_ERR_BUSY and gc.collect() >= 0:  # maybe held by what only the collector can free
            status = LIB.hr_loader_take(pointer, _STEP_NS, *self._references)
        return status

    def _refuse(self, status: int) -> NoReturn:
        error = errors.from_status(status, self._error)
        if status == _abi.HR_ERR_BUSY:
            error.args = (
                f"{error}. In Python a batch is held by its arrays, too: delete those that are done with, keep copies "
                f"(batch.copy()), or make the loader with held={self._max_held + 1} or more",
            )
        raise error

    def _read_fields(self) -> None:
        batch = self._taken.batch
        for index in range(LIB.hr_batch_num_fields(batch)):
            described = _abi.hr_field()
            call("hr_batch_field", batch, index, ctypes.byref(described))
            name = described.name.decode()
            shape = tuple(described.shape[: described.rank])
            dtype = to_numpy(described.dtype, described.width_bytes)
            self._opened.fields[name] = BatchField(index, name, name_of(described.dtype), dtype, shape)

    def state(self) -> bytes:
        """The place after the batches that `take()` has returned."""
        return self._state("hr_loader_state")

    def state_at(self, epoch: int, number: int) -> bytes:
        return self._state("hr_loader_state_at", epoch, number)

    def _state(self, function: str, *place: int) -> bytes:
        room = ctypes.create_string_buffer(_abi.HR_LOADER_STATE_BYTES)
        used = ctypes.c_size_t()
        with self.use() as pointer:
            call(function, pointer, *place, room, len(room), ctypes.byref(used))
        return room.raw[: used.value]

    def describe(self) -> _abi.hr_loader_info:
        found = new(_abi.hr_loader_info)
        self._fill("hr_loader_describe", found)
        return found

    def report(self) -> _abi.hr_loader_report_info:
        found = new(_abi.hr_loader_report_info)
        self._fill("hr_loader_report", found)
        return found

    def _fill(self, function: str, found: Any) -> None:
        with self.use() as pointer:
            call(function, pointer, ctypes.byref(found))
