"""Memory that can be seen: what this process uses, what limits it, a guard that acts before the limit does, and why the
last process died. docs/memory.md is the manual."""

from __future__ import annotations

import contextlib
import ctypes
import os
import warnings
import weakref
from collections.abc import Callable
from typing import Any

from . import _abi, _arrays, _box, _sizes, errors
from ._handle import Handle
from ._library import LIB, as_dict, call, new, path_bytes

Path = str | os.PathLike[str]
_UNKNOWN = 2**64 - 1


def _limit(kind: str, name: str) -> str:
    """Both, but of the machine, which is called as its kind."""
    return kind if kind == name else f"{kind} {name}"


class MemoryWarning(UserWarning):
    """Memory runs low."""


class MemoryLowError(errors.Error, MemoryError):
    """Memory runs low, and `guard(action="raise")` was asked for."""


def memory_cap() -> int | None:
    """What all loaders, data sets and writers of this process may hold together, in bytes; None: no cap."""
    return LIB.hr_memory_cap() or None


def set_memory_cap(cap: int | str | None) -> None:
    """Cap what all loaders, data sets, writers and conversions of this process hold together; None: no cap. Each has
    its own budget besides.

    >>> hr.set_memory_cap("2G"); hr.memory_cap()
    2147483648
    >>> hr.set_memory_cap(None)
    """
    LIB.hr_memory_set_cap(_sizes.parse(cap, "cap"))


def _known(n_bytes: int) -> int | None:
    return None if n_bytes == _UNKNOWN else n_bytes


class Memory:
    """What this process uses, and the limit that it will come to first; sizes in bytes, None where they are not known.
    Printed, it is a few lines.

    >>> found = hr.memory()
    >>> found.resident > 0, found.headrace >= 0
    (True, True)
    """

    def __init__(self, found: _abi.hr_process_memory, gpus: list[dict[str, Any]]) -> None:
        #: Of this process, in memory now; of it what is no file's (arrays, heap); the most there ever was.
        self.resident = _known(found.resident_bytes)
        self.anonymous = _known(found.anonymous_bytes)
        self.peak = _known(found.peak_resident_bytes)
        #: What Headrace holds of its budgets.
        self.headrace: int = found.headrace_bytes
        #: Who set the limit with the least headroom: "cgroup v2", "cgroup v1", "RLIMIT_AS", "RLIMIT_DATA", "machine"
        #: or "none"; and which it is: the control group's folder, ...
        self.limit_kind: str = LIB.hr_memory_limit_kind_name(found.limit_kind).decode()
        self.limit_name: str = found.limit_name.decode("utf-8", "replace")
        self.limit = _known(found.limit_bytes)
        #: Counted against that limit, of all processes that share it; of it the page cache that the kernel gives up
        #: first.
        self.used = _known(found.used_bytes)
        self.reclaimable = _known(found.reclaimable_bytes)
        #: limit - (used - reclaimable)
        self.headroom = _known(found.headroom_bytes)
        #: Processes of this control group that the kernel has ended for want of memory.
        self.oom_kills = _known(found.oom_kills)
        self.machine = _known(found.machine_bytes)
        self.machine_available = _known(found.machine_available_bytes)
        #: `hr_gpu_memory` of each GPU that the driver shows.
        self.gpus = gpus

    def _rows(self) -> list[tuple[str, str]]:
        def size(n_bytes: int | None) -> str:
            return "not known" if n_bytes is None else _sizes.text(n_bytes)

        where = _limit(self.limit_kind, self.limit_name)
        rows = [
            ("this process", f"{size(self.resident)} resident, {size(self.peak)} at most"),
            ("of it arrays, heap", size(self.anonymous)),
            ("of it Headrace", size(self.headrace)),
            ("limit", f"{size(self.limit)}, by {where}" if self.limit is not None else "none is known"),
        ]
        if self.limit is not None:
            rows.append(("used of it", f"{size(self.used)}, of which {size(self.reclaimable)} can be taken back"))
            rows.append(("headroom", size(self.headroom)))
        for gpu in self.gpus:
            mine = _known(gpu["process_bytes"])
            words = f"{size(gpu['used_bytes'])} of {size(gpu['total_bytes'])} used"
            rows.append(
                (f"GPU {gpu['index']}", words + (f", {size(mine)} by this process" if mine is not None else ""))
            )
        return rows

    def __str__(self) -> str:
        return "\n".join(f"{name:<18} {said}" for name, said in self._rows())

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        from html import escape

        from ._html import table

        return table(("", ""), ((escape(name), escape(said)) for name, said in self._rows()))


def memory(*, gpus: bool = True) -> Memory:
    """What this process uses, and the limit that will really end it: of its control groups with all ancestors, ulimits,
    and the machine. `gpus`: ask the driver, too, where there is one."""
    found = new(_abi.hr_process_memory)
    call("hr_process_memory_read", ctypes.byref(found))
    return Memory(found, _gpus() if gpus else [])


def _gpus() -> list[dict[str, Any]]:
    seen: list[dict[str, Any]] = []
    while True:
        found = new(_abi.hr_gpu_memory)
        if LIB.hr_gpu_memory_read(len(seen), ctypes.byref(found), None) != _abi.HR_OK:
            return seen
        seen.append(as_dict(found))


Action = str | Callable[["Guard"], Any]

_add_pending_call = ctypes.cast(ctypes.pythonapi.Py_AddPendingCall, ctypes.c_void_p)
_is_true = ctypes.pythonapi.PyObject_IsTrue


class _Call:
    """What the guard's thread asks the interpreter to call: it takes the truth of this object, between two bytecodes
    of the main thread. What that raises is raised there."""

    def __init__(self, guard: Guard) -> None:
        self._guard = weakref.ref(guard)

    def __bool__(self) -> bool:
        guard = self._guard()
        if guard is not None:
            guard._called()
        return False


_calls: list[_Call] = []  # kept for ever: the interpreter may come to one after its guard was closed


class Guard:
    """Made by `guard()`; closed by `close()`, at the end of a `with`, or when it is collected."""

    _handle: Handle | None = None  # known when the guard is open, which its thread may be before
    _called_early = False

    def __init__(
        self,
        limit: int | str | None,
        action: Action,
        hard: bool | int | str,
        interval: float | None,
        record: bool | Path,
    ) -> None:
        if action not in ("warn", "raise") and not callable(action):
            raise errors.InvalidError(f"action is {action!r}, expected 'warn', 'raise' or a function")
        self._action = action
        options, made = new(_abi.hr_guard_options), ctypes.c_void_p()
        options.flags = _abi.HR_GUARD_HARD if hard else 0
        options.hard_bytes = 0 if isinstance(hard, bool) else _sizes.parse(hard, "hard")
        options.limit_bytes = _sizes.parse(limit, "limit")
        options.interval_ns = 0 if interval is None else int(interval * 1e9)
        _calls.append(_Call(self))
        options.on_low = ctypes.cast(_is_true, type(options.on_low))
        options.user = id(_calls[-1])
        options.post = _add_pending_call
        if record:
            options.record_folder = _box.record_folder() if record is True else path_bytes(record)
        call("hr_guard_open", ctypes.byref(options), ctypes.byref(made))
        assert made.value is not None
        self._handle = Handle("the guard", made.value, _box.guard_close)
        _box.guard_opened(made.value)
        if self._called_early:
            self._act()

    def _called(self) -> None:
        if self._handle is None:
            self._called_early = True
        elif not self._handle.closed:
            self._act()

    def _pointer(self) -> contextlib.AbstractContextManager[int]:
        assert self._handle is not None
        return self._handle.use()

    def state(self) -> dict[str, Any]:
        """The figures of the last look: `hr_guard_info` of the C API."""
        found = new(_abi.hr_guard_info)
        with self._pointer() as pointer:
            call("hr_guard_state", pointer, ctypes.byref(found))
        return {**as_dict(found), "limit_kind": LIB.hr_memory_limit_kind_name(found.limit_kind).decode()}

    def step(self, epoch: int, step: int) -> None:
        """Say how far a loop is that has no loader of Headrace's, for the record."""
        with self._pointer() as pointer:
            LIB.hr_guard_step(pointer, epoch, step)

    @property
    def message(self) -> str:
        """What runs low, by how much it has grown, and the largest arrays."""
        state = self.state()
        used = state["low_used_bytes"] or state["used_bytes"] - state["reclaimable_bytes"]
        grown = state["resident_growth_bytes"]
        words = (
            f"memory runs low: {_sizes.text(used)} of {_sizes.text(state['limit_bytes'])} are in use "
            f"({_limit(state['limit_kind'], state['limit_name'])}); "
            f"this process has {_sizes.text(state['resident_bytes'])}, "
            f"{_sizes.text(abs(grown))} {'more' if grown >= 0 else 'less'} than when the guard began, of which "
            f"Headrace holds {_sizes.text(state['headrace_bytes'])}"
        )
        arrays = _arrays.largest()
        if arrays:
            words += f"; the largest arrays are {', '.join(map(str, arrays))}"
        return words + "; delete what is not needed, stream it with a loader, or raise the limit"

    def _act(self) -> None:
        if self._action == "warn":
            warnings.warn(self.message, MemoryWarning, stacklevel=3)
        elif self._action == "raise":
            raise MemoryLowError(self.message)
        else:
            self._action(self)  # type: ignore[operator]

    @property
    def closed(self) -> bool:
        return self._handle is None or self._handle.closed

    def close(self) -> None:
        """No action comes afterwards; the record is removed."""
        if self._handle is not None:
            self._handle.close()

    def __enter__(self) -> Guard:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        if self.closed:
            return "<headrace.Guard: closed>"
        state = self.state()
        level, left = _sizes.text(state["level_bytes"]), _sizes.text(state["headroom_bytes"])
        return f"<headrace.Guard: acts at {level}, {left} left>"


def guard(
    limit: int | str | None = None,
    action: Action = "warn",
    *,
    hard: bool | int | str = False,
    interval: float | None = None,
    record: bool | Path = True,
) -> Guard:
    """Watch memory, and act before the kernel does: keep what it returns, for as long as it should watch.

    A thread of the C library looks, without Python's lock. When little is left, the action comes as soon as Python
    allows: between two bytecodes of the main thread, so not inside of a long call into C.

    :param limit: act when so much is in use, bytes or "12G"; None: when less than a tenth of any limit is left
    :param action: "warn" (a `MemoryWarning`), "raise" (a `MemoryLowError` in the main thread, wherever that is), or a
        function that is given the guard; what it raises is raised there, too
    :param hard: lower RLIMIT_DATA besides, so that the allocation itself raises MemoryError where use would come within
        a fiftieth of the limit, or to these bytes
    :param interval: seconds between two looks at least; None: 0.1
    :param record: keep the record that `why_died()` reads: True: in $HEADRACE_STATE_DIR, else .headrace; or in this
        folder

    >>> watch = hr.guard("1T", action="warn", record=False)
    >>> watch.state()["num_low"]
    0
    >>> watch.close()
    """
    return Guard(limit, action, hard, interval, record)


class Death:
    """Why the last process died that left a record; printed, it is a sentence."""

    def __init__(self, found: _abi.hr_death_report | None, folder: str) -> None:
        #: "killed", "likely", "no sign", "restarted", or "none": there is no record of a process that died.
        self.verdict = "none" if found is None else LIB.hr_death_name(found.verdict).decode()
        #: `hr_death_report` of the C API; empty where there is none.
        self.figures: dict[str, Any] = {} if found is None else as_dict(found)
        self.sentence: str = self.figures.get("sentence") or f"no process that kept a record in {folder} has died"

    def __str__(self) -> str:
        return self.sentence

    def __repr__(self) -> str:
        return self.sentence


def why_died(folder: Path | None = None) -> Death:
    """Why the last process died that had a loader or a guard here and did not end by itself.

    :param folder: of records; None: $HEADRACE_STATE_DIR, else .headrace

    >>> hr.why_died("records").verdict
    'none'
    """
    return _why_died(None if folder is None else path_bytes(folder), 0)


def _why_died(folder: bytes | None, flags: int) -> Death:
    found, error = new(_abi.hr_death_report), _abi.hr_error()
    status = LIB.hr_why_died(folder, flags, ctypes.byref(found), ctypes.byref(error))
    if status == _abi.HR_ERR_NOT_FOUND:
        return Death(None, os.fsdecode(folder or _box.record_folder()))
    if status != _abi.HR_OK:
        raise errors.from_status(status, error)
    return Death(found, "")


def tell_once() -> str | None:
    """At import: the sentence about a process that memory has ended, unless it was told before."""
    try:
        death = _why_died(None, _abi.HR_WHY_MARK_TOLD)
    except errors.Error:
        return None
    return death.sentence if death.verdict in ("killed", "likely") and not death.figures["told"] else None
