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


class _Opened:
    """What a handle closes, and who is in a call with it. It outlives the handle, whose finalizer has it."""

    def __init__(self, pointer: ctypes.c_void_p, close: Callable[[Any], None]) -> None:
        self.pointer = pointer
        self.lock = threading.RLock()  # a collected loader may leave while it is held
        self.users = 0
        self.closed = False
        self._close = close

    def close(self) -> None:
        """Once, whoever comes first: no other thread runs, and no interrupt comes, until the call."""
        value, self.pointer.value = self.pointer.value, None
        if value is not None:
            self._close(value)

    def close_when_idle(self) -> None:
        """Now, or when the calls in progress are done."""
        with self.lock:
            self.closed = True
            idle = self.users == 0
        if idle:
            self.close()


class Handle:
    """A pointer of the C library's, and the function that closes it. It may be filled later: so that what comes between
    leaves nothing open, an interrupt for instance. At the end of the process daemon threads may be in calls: what they
    use stays open as long as they do."""

    def __init__(self, what: str, pointer: int | ctypes.c_void_p, close: Callable[[Any], None]) -> None:
        self._what = what
        self._opened = _Opened(pointer if isinstance(pointer, ctypes.c_void_p) else ctypes.c_void_p(pointer), close)
        self._forks = 0
        register_fork(self)
        weakref.finalize(self, self._opened.close_when_idle)

    @property
    def closed(self) -> bool:
        return self._opened.closed

    @property
    def pointer(self) -> ctypes.c_void_p:
        """For what keeps the handle as long as it has the pointer."""
        return self._opened.pointer

    def enter(self, user: User) -> int:
        """The pointer, which stays valid until the user has left."""
        opened = self._opened
        with opened.lock:
            if opened.closed or opened.pointer.value is None:
                raise errors.ClosedError(f"{self._what} is closed; open it again")
            opened.users += 1  # nothing that could be interrupted comes between these two
            user.entered = self._forks
            return opened.pointer.value

    def leave(self, user: User) -> None:
        """A user that has not entered is fine."""
        opened = self._opened
        with opened.lock:
            if user.entered == self._forks:
                opened.users -= 1
            user.entered = None
            last = opened.closed and opened.users == 0
        if last:
            opened.close()

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
        self._opened.close_when_idle()

    def after_fork(self) -> None:
        """The threads that were in a call, and the loaders, are the parent's."""
        self._opened.lock = threading.RLock()
        self._opened.users = 0
        self._forks += 1


class User:
    """Somebody who uses a handle for a while."""

    __slots__ = ("entered",)

    def __init__(self) -> None:
        self.entered: int | None = None


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
