"""An open loader of the C library: batches come out of it one by one."""

from __future__ import annotations

import contextlib
import ctypes
import functools
import gc
import struct
import threading
import weakref
from collections.abc import Iterator
from threading import get_ident
from typing import TYPE_CHECKING, Any, NoReturn

from . import _abi, _box, _variable, errors
from ._handle import Handle, User, completed, register_fork
from ._library import LIB, call, new
from .batch import Batch, BatchField, Hold, RaggedField
from .dtypes import name_of, to_numpy

if TYPE_CHECKING:
    from .dataset import Dataset

_STEP_NS = 100_000_000  # between two looks at what Python has to do: interrupts, a close in another thread
_FIGURES = struct.Struct("=QQIII")  # of hr_taken_batch, from `epoch` on: at once, as this is on the path of every batch
_FIGURES_OFF = _abi.hr_taken_batch.epoch.offset
_take = LIB.hr_loader_take
CLOSED = "the loader is closed: its loop has ended, was left, or its data set was closed"


class _ParentsFields(dict[str, BatchField]):
    """In a forked child: of batches that are the parent's."""

    def _refuse(self, *_: Any) -> NoReturn:
        raise errors.ForkedError(
            "the batch was made before fork(), and is the parent's; copy it before (batch.copy()), or make a loader in "
            "the child"
        )

    get = __iter__ = keys = _refuse


class Opened:
    """The loader, the lock under which it is used, and what batches look like. Batches refer to this and not to the
    stream, so that a stream is closed when its loader is gone, whatever batches are kept."""

    __slots__ = (
        "__weakref__",
        "closing",
        "data",
        "device_index",
        "fields",
        "lock",
        "owner",
        "pointer",
        "taken",
        "turn",
        "user",
        "writable",
    )

    def __init__(self, data: Handle, writable: bool, device: int) -> None:
        self.lock = threading.Lock()
        self.turn = threading.Lock()  # who waits for the lock has this one; see Stream.take()
        self.owner = 0  # the thread that uses the pointer
        self.closing = False
        self.data = data  # stays open until the loader is closed
        self.user = User()
        self.pointer = ctypes.c_void_p()
        self.taken = new(_abi.hr_taken_batch)
        self.writable = writable
        #: None: batches are in host memory.
        self.device_index = None if device == _abi.HR_DEVICE_HOST else device - _abi.HR_DEVICE_CUDA(0)
        self.fields: dict[str, BatchField] = {}  # known with the first batch
        register_fork(self)

    def after_fork(self) -> None:
        self.lock = threading.Lock()
        self.turn = threading.Lock()
        self.fields = _ParentsFields(self.fields)
        self.taken.batch = None

    @contextlib.contextmanager
    def use(self) -> Iterator[int]:
        """The pointer, which stays valid inside; waits for `take()` in another thread, a tenth of a second at most."""
        if self.owner == get_ident():
            yield self.valid()  # a collection has come inside of use() or take()
            return
        try:
            with self.turn, self.lock:
                self.owner = get_ident()
                try:
                    yield self.valid()
                finally:
                    self.owner = 0
        finally:
            if self.closing:
                _close(self)

    def valid(self) -> int:
        if self.closing or self.pointer.value is None:
            raise errors.ClosedError(CLOSED)
        return self.pointer.value


def _close(opened: Opened) -> None:
    completed(lambda: _close_once(opened))


def _close_once(opened: Opened) -> None:
    opened.closing = True  # a take() in another thread ends at its next step
    if opened.owner == get_ident():
        return  # a collection has come inside of use() or take(), which closes it then
    with opened.lock:
        if opened.pointer.value is not None:
            _box.loader_closing(opened.pointer.value)
            batch, opened.taken.batch = opened.taken.batch, None
            LIB.hr_batch_let_go(batch)  # one that an interrupt kept from being handed over
            pointer, opened.pointer.value = opened.pointer.value, None
            LIB.hr_loader_close(pointer)
    opened.data.leave(opened.user)


class Taker:
    """A loop that takes batches, by however many threads: of one epoch, that of its first batch. What it knows of that
    is read and written under the stream's lock, as threads wait there from before the first batch until after the last.
    """

    epoch: int | None = None
    over = False


class Stream:
    """Made by Loader. `take()` may be called by any thread: one at a time is served."""

    def __init__(self, dataset: Dataset, options: _abi.hr_loader_options, writable: bool) -> None:
        # Of a stream that was closed by hand.
        self.last_state: bytes | None = None
        self.last_report: _abi.hr_loader_report_info | None = None
        self.last_info: _abi.hr_loader_info | None = None
        self._max_held = options.max_held_batches or 2
        opened = self._opened = Opened(dataset._handle, writable, options.device)
        weakref.finalize(self, _close, opened)
        dataset._streams.add(self)
        num_fields = (options.num_fields or len(dataset.fields)) + options.num_pads  # a mask is a field of its own
        self._data = (ctypes.c_void_p * num_fields)()
        self._taken = opened.taken
        self._taken.data = ctypes.cast(self._data, type(self._taken.data))
        self._taken.num_data = len(self._data)
        self._error = _abi.hr_error()
        self._view = memoryview(self._taken).cast("B")
        self._pointers = memoryview(self._data).cast("B").cast("P").tolist
        self._arguments = opened.pointer, _STEP_NS, ctypes.byref(self._taken), ctypes.byref(self._error)
        try:
            with opened.lock:
                data = opened.data.enter(opened.user)
                if opened.closing:  # as the data set is by another thread
                    raise errors.ClosedError(CLOSED)
                call("hr_loader_open", data, ctypes.byref(options), ctypes.byref(opened.pointer))
                _box.loader_opened(opened.pointer.value or 0)
        except BaseException:  # an interrupt, too
            _close(opened)
            raise

    @property
    def fields(self) -> dict[str, BatchField]:
        return self._opened.fields

    def use(self) -> contextlib.AbstractContextManager[int]:
        return self._opened.use()

    @property
    def closed(self) -> bool:
        return self._opened.closing

    def close(self) -> None:
        completed(self._end)

    def _end(self) -> None:
        """What is told of it afterwards is read when no other thread can take one batch more."""
        with contextlib.suppress(errors.ClosedError, errors.ForkedError), self.use() as pointer:
            self.last_state = self._place(pointer)
            self.last_report = self._read("hr_loader_report", pointer)
            self.last_info = self._read("hr_loader_describe", pointer)
            self._opened.closing = True
        _close(self._opened)

    def take(self, taker: Taker) -> Batch | None:
        """The next batch; None at the end of the taker's epoch: where an interrupt came when that was told, the next
        batch is of another epoch, and stays for the next loop."""
        opened, taken = self._opened, self._taken
        while True:
            try:
                with opened.lock:
                    opened.owner = get_ident()
                    try:
                        if taker.over:
                            return None
                        # A batch is there already where an interrupt came before it was handed over.
                        status = self._step() if taken.batch is None else _abi.HR_OK
                        if status == _abi.HR_OK:
                            return self._hand_over(taker)
                        taker.over = status == _abi.HR_END_OF_EPOCH
                    finally:
                        opened.owner = 0
            finally:
                if opened.closing:
                    _close(opened)
            if status == _abi.HR_END_OF_EPOCH:
                return None
            if status != _abi.HR_TIMEOUT:
                self._refuse(status)
            with opened.turn:  # others get the lock that wait for it
                pass

    def _hand_over(self, taker: Taker) -> Batch | None:
        opened, taken = self._opened, self._taken
        figures = _FIGURES.unpack_from(self._view, _FIGURES_OFF)
        if taker.epoch is None:
            taker.epoch = figures[0]
        elif figures[0] != taker.epoch:
            taker.over = True
            return None
        if not opened.fields:
            self._read_fields()
        batch = Batch(opened, self._pointers(), figures)
        hold, let_go = Hold(), functools.partial(LIB.hr_batch_let_go, taken.batch)
        if opened.closing:  # a collection has closed it: the next loop begins with this batch
            raise errors.ClosedError(CLOSED)
        # Nothing that could be interrupted comes between these: the memory has one owner.
        hold.__del__ = let_go
        hold.pointer = taken.batch
        taken.batch = None
        batch._hold = hold
        return batch

    def _step(self) -> int:
        self._opened.valid()
        status: int = _take(*self._arguments)
        if status == _abi.HR_ERR_BUSY:
            gc.collect()  # maybe held by what only the collector can free
            self._opened.valid()
            status = _take(*self._arguments)
        return status

    def _refuse(self, status: int) -> NoReturn:
        error = errors.from_status(status, self._error)
        if status == _abi.HR_ERR_BUSY:
            held = f"{self._max_held} batches are" if self._max_held > 1 else "1 batch is"
            error.args = (
                f"{held} held, as many as held={self._max_held} says, by variables or arrays of theirs; enumerate(), "
                "zip() and pairwise() keep one, too. Make the loader with "
                f"held={self._max_held + 1} or more, delete what is done with, or keep copies (batch.copy())",
            )
        raise error

    def _read_fields(self) -> None:
        batch, fields = self._taken.batch, dict[str, BatchField]()
        for index in range(LIB.hr_batch_num_fields(batch)):
            described = _abi.hr_field()
            call("hr_batch_field", batch, index, ctypes.byref(described))
            name = described.name.decode()
            shape = tuple(described.shape[: described.rank])
            if described.dtype in (_abi.HR_VAR_BYTES, _abi.HR_VAR_UTF8):
                element = described.element_dtype
                kind, dtype = _variable.kind_of(described.dtype, element), _variable.dtype_of(element)
                fields[name] = RaggedField(index, name, kind, dtype, shape)
                continue
            dtype = to_numpy(described.dtype, described.width_bytes)
            fields[name] = BatchField(index, name, name_of(described.dtype), dtype, shape)
        self._opened.fields = fields  # all of them, whatever interrupt comes

    def state(self) -> bytes:
        """The place after the batches that `take()` has returned."""
        with self.use() as pointer:
            return self._place(pointer)

    def _place(self, pointer: int) -> bytes:
        if self._taken.batch is not None:
            return self._state("hr_loader_state_at", pointer, self._taken.epoch, self._taken.number)
        return self._state("hr_loader_state", pointer)

    def state_at(self, epoch: int, number: int) -> bytes:
        with self.use() as pointer:
            return self._state("hr_loader_state_at", pointer, epoch, number)

    def _state(self, function: str, *pointer_and_place: int) -> bytes:
        room = ctypes.create_string_buffer(_abi.HR_LOADER_STATE_BYTES)
        used = ctypes.c_size_t()
        call(function, *pointer_and_place, room, len(room), ctypes.byref(used))
        return room.raw[: used.value]

    def describe(self) -> _abi.hr_loader_info:
        with self.use() as pointer:
            found: _abi.hr_loader_info = self._read("hr_loader_describe", pointer)
            return found

    def report(self) -> _abi.hr_loader_report_info:
        with self.use() as pointer:
            found: _abi.hr_loader_report_info = self._read("hr_loader_report", pointer)
            return found

    def _read(self, function: str, pointer: int) -> Any:
        found = new(_abi.hr_loader_info if function == "hr_loader_describe" else _abi.hr_loader_report_info)
        call(function, pointer, ctypes.byref(found))
        return found
