"""Handles of the C library: closed once, when nobody is in a call with them, by hand, by the garbage collector, or at
the end of the process."""

from __future__ import annotations

import contextlib
import ctypes
import os
import threading
import weakref
from collections.abc import Callable, Iterator
from typing import Any, Protocol

from . import errors


class Handle:
    """A pointer of the C library's, and the function that closes it. It may be filled later: so that what comes between
    leaves nothing open, an interrupt for instance."""

    def __init__(self, what: str, pointer: int | ctypes.c_void_p, close: Callable[[Any], None]) -> None:
        self._what = what
        self._pointer = pointer if isinstance(pointer, ctypes.c_void_p) else ctypes.c_void_p(pointer)
        self._close = close
        self._lock = threading.RLock()  # a collected loader may leave inside of any of these
        self._users = 0
        self._forks = 0
        self._closed = False
        register_fork(self)
        weakref.finalize(self, _close_pointer, close, self._pointer)

    @property
    def closed(self) -> bool:
        return self._closed

    def enter(self, user: User) -> int:
        """The pointer, which stays valid until the user has left."""
        with self._lock:
            if self._closed or self._pointer.value is None:
                raise errors.ClosedError(f"{self._what} is closed; open it again")
            self._users += 1  # nothing that could be interrupted comes between these two
            user.entered = self._forks
            return self._pointer.value

    def leave(self, user: User) -> None:
        """A user that has not entered is fine."""
        with self._lock:
            if user.entered == self._forks:
                self._users -= 1
            user.entered = None
            last = self._closed and self._users == 0
        if last:
            _close_pointer(self._close, self._pointer)

    @contextlib.contextmanager
    def use(self) -> Iterator[int]:
        """The pointer, which stays valid inside."""
        user = User()
        try:
            yield self.enter(user)
        finally:
            self.leave(user)

    def close(self) -> None:
        """Closes now, or when the calls in progress are done."""
        with self._lock:
            self._closed = True
            idle = self._users == 0
        if idle:
            _close_pointer(self._close, self._pointer)

    def after_fork(self) -> None:
        """The threads that were in a call, and the loaders, are the parent's."""
        self._lock = threading.RLock()
        self._users = 0
        self._forks += 1


class User:
    """Somebody who uses a handle for a while."""

    __slots__ = ("entered",)

    def __init__(self) -> None:
        self.entered: int | None = None


def _close_pointer(close: Callable[[Any], None], pointer: ctypes.c_void_p) -> None:
    """Once, whoever comes first: no other thread runs, and no interrupt comes, until the call."""
    value, pointer.value = pointer.value, None
    if value is not None:
        close(value)


def completed(work: Callable[[], None]) -> None:
    """Does it; where an interrupt came in between, does all of it once more, before the interrupt goes on its way."""
    try:
        work()
    except errors.Error:
        raise
    except BaseException:
        work()
        raise


class _Forks(Protocol):
    def after_fork(self) -> None: ...


_LIVE: weakref.WeakSet[_Forks] = weakref.WeakSet()


def register_fork(made: _Forks) -> None:
    """Its `after_fork()` is called in forked children, for as long as it lives."""
    _LIVE.add(made)


def _after_fork() -> None:
    for made in list(_LIVE):
        made.after_fork()


os.register_at_fork(after_in_child=_after_fork)
