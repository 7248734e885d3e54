"""Handles of the C library: closed once, when nobody is in a call with them, by hand, by the garbage collector, or at
the end of the process."""

from __future__ import annotations

import contextlib
import os
import threading
import weakref
from collections.abc import Callable, Iterator
from typing import Protocol

from . import errors


class Handle:
    """A pointer of the C library's, and the function that closes it."""

    def __init__(self, what: str, pointer: int, close: Callable[[int], None]) -> None:
        self._what = what
        self._pointer = pointer
        self._close = close
        self._lock = threading.Lock()
        self._users = 0
        self._closed = False
        register_fork(self)
        self._finalizer = weakref.finalize(self, close, pointer)

    @property
    def closed(self) -> bool:
        return self._closed

    @contextlib.contextmanager
    def use(self) -> Iterator[int]:
        """The pointer, which stays valid inside."""
        with self._lock:
            if self._closed:
                raise errors.ClosedError(f"{self._what} is closed; open it again")
            self._users += 1
        try:
            yield self._pointer
        finally:
            with self._lock:
                self._users -= 1
                last = self._closed and self._users == 0
            if last:
                self._finalizer()

    def close(self) -> None:
        """Closes now, or when the calls in progress are done."""
        with self._lock:
            self._closed = True
            idle = self._users == 0
        if idle:
            self._finalizer()

    def after_fork(self) -> None:
        """The threads that were in a call are the parent's."""
        self._lock = threading.Lock()
        self._users = 0


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
