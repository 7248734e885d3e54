"""Which guards know of which open loaders. While a loader is open there is always a guard that keeps the record of this
process (docs/memory.md): one that the program has opened, or one of our own."""

from __future__ import annotations

import contextlib
import ctypes
import os
import threading

from . import _abi
from ._library import LIB, new

VARIABLE = "HEADRACE_RECORD"  # "0": no guard of our own

_lock = threading.RLock()  # a collected loader may be closed inside of any of these
_loaders: list[int] = []
_guards: list[int] = []  # that the program has opened
_own = ctypes.c_void_p()
_made: bytes | None = None  # the folder, where our own guard has made it


def record_folder() -> bytes:
    room = ctypes.create_string_buffer(LIB.hr_default_record_folder(None, 0) + 1)
    LIB.hr_default_record_folder(room, len(room))
    return room.value


def _open_own() -> None:
    global _made
    if _guards or _own or os.environ.get(VARIABLE) == "0":
        return
    options = new(_abi.hr_guard_options)
    options.record_folder = folder = os.path.abspath(record_folder())
    _made = None if os.path.isdir(folder) else folder
    # Without one the loader does its work all the same.
    LIB.hr_guard_open(ctypes.byref(options), ctypes.byref(_own), None)


def _close_own() -> None:
    guard, _own.value = _own.value, None
    if guard is not None:
        LIB.hr_guard_close(guard)
        if _made is not None:
            with contextlib.suppress(OSError):  # other records are in it
                os.rmdir(_made)


def _watching() -> list[int]:
    return [*_guards] if _own.value is None else [*_guards, _own.value]


def loader_opened(loader: int) -> None:
    with _lock:
        _loaders.append(loader)  # first, so that the guard stays if another loader is collected meanwhile
        _open_own()
        for guard in _watching():
            LIB.hr_guard_watch(guard, loader, None)


def loader_closing(loader: int) -> None:
    """Also one that an interrupt kept from being known here."""
    with _lock:
        for guard in _watching():  # first, so that an interrupt leaves no guard with a closed loader
            LIB.hr_guard_unwatch(guard, loader)
        if loader in _loaders:
            _loaders.remove(loader)
        if not _loaders:
            _close_own()


def guard_opened(guard: int) -> None:
    with _lock:
        _close_own()
        _guards.append(guard)
        for loader in _loaders:
            LIB.hr_guard_watch(guard, loader, None)


def guard_close(guard: int) -> None:
    with _lock:
        if guard in _guards:
            _guards.remove(guard)
        LIB.hr_guard_close(guard)


def _after_fork() -> None:
    """Guards and loaders are the parent's."""
    global _lock
    _lock = threading.RLock()
    _own.value = None
    _loaders.clear()
    _guards.clear()


os.register_at_fork(after_in_child=_after_fork)
