"""Long calls of the library: run in a thread of their own, so that the calling thread sees interrupts and can draw a
progress bar meanwhile."""

from __future__ import annotations

import _thread
import atexit
import contextlib
import os
import sys
import warnings
import weakref
from collections.abc import Callable, Iterator
from typing import Any

from . import errors

_LOOK_S = 0.1


class Watch:
    """What the job's callbacks tell, in its thread; and whether it is to stop."""

    def __init__(self) -> None:
        self.done = 0
        self.total = 0
        self.notes: list[str] = []
        self.stop = False

    def tell(self, done: int, total: int) -> int:
        self.done, self.total = done, total
        return int(self.stop)


def _in_notebook() -> bool:
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    return type(shell).__name__ == "ZMQInteractiveShell"


def wanted(progress: bool | None) -> bool:
    """Where nothing is said, on a terminal and in a notebook."""
    return (sys.stderr.isatty() or _in_notebook()) if progress is None else progress


@contextlib.contextmanager
def _bar(what: str, unit: str, shown: bool) -> Iterator[Callable[[Watch], None]]:
    if not shown:
        yield lambda watch: None
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # tqdm's own, where a notebook has no widgets
        from tqdm.auto import tqdm
    with contextlib.ExitStack() as opened:
        bar: Any = None

        def draw(watch: Watch) -> None:
            nonlocal bar
            if bar is None and (watch.done or watch.total):  # what is refused at once shows none
                made = tqdm(desc=what, unit=unit, unit_scale=True, unit_divisor=1024 if unit == "B" else 1000)
                bar = opened.enter_context(made)
            if bar is not None:
                bar.total = watch.total or None
                bar.update(watch.done - bar.n)

        yield draw


class _Job:
    """A call and its thread. Nothing here can be left half done by an interrupt, which is why neither `Thread.start()`
    nor an `Event` is used: both have moments in which an interrupt leaves a lock held for ever."""

    def __init__(self, call: Callable[[], Any], watch: Watch) -> None:
        self.raised: BaseException | None = None
        self.ended = False
        self._call = call
        self._watch = watch
        self._claim: dict[str, str] = {}
        self._wake = _thread.allocate_lock()
        self._wake.acquire()

    def start(self) -> None:
        _thread.start_new_thread(self._run, ())

    def _run(self) -> None:
        if self._claim.setdefault("call", "thread") != "thread":
            return
        _RUNNING.add(self)
        try:
            if _ending:
                raise errors.CancelledError("Python is ending")
            self._call()
        except BaseException as error:
            self.raised = error
        _RUNNING.discard(self)
        self.ended = True
        self._wake.release()

    def stop(self) -> None:
        """It is over soon: at once, and for ever, if its thread has not begun; else when it looks at its watch."""
        self._watch.stop = True
        if self._claim.setdefault("call", "nobody") == "nobody":
            self.ended = True

    def wait(self) -> None:
        """Until it has ended, or for a while."""
        self._wake.acquire(timeout=_LOOK_S)


#: Calls of daemon threads, which must not come back into an interpreter that has ended.
_RUNNING: set[_Job] = set()
_ending = False

# What is registered last runs first at the end. Finalizers are registered with the first of them, here at the latest:
# so none closes what a call uses before the call was stopped.
weakref.finalize(_Job, int)


@atexit.register
def _stop_all() -> None:
    global _ending
    _ending = True  # for those that are not among the running yet
    running = list(_RUNNING)
    for job in running:
        job.stop()
    for job in running:
        while not job.ended:
            job.wait()


os.register_at_fork(after_in_child=_RUNNING.clear)


def run(call: Callable[[], Any], watch: Watch, what: str, unit: str = "B", progress: bool | None = False) -> None:
    """Call, and wait until it has returned; what it raises is raised here. An interrupt stops it first, wherever it
    comes: no call goes on behind the caller's back."""
    job = _Job(call, watch)
    interrupt: BaseException | None = None
    with _bar(what, unit, wanted(progress)) as draw:
        while True:
            try:
                if interrupt is None:
                    job.start()
                else:
                    job.stop()
                while not job.ended:
                    job.wait()
                    draw(watch)
                break
            except BaseException as error:
                interrupt = error
        draw(watch)
    raised, job.raised = job.raised, None
    if interrupt is not None and (raised is None or isinstance(raised, errors.CancelledError)):
        raised = interrupt
    try:
        if raised is not None:
            raise raised
    finally:
        del raised, interrupt  # whose traceback has this frame: together they would keep what the caller has
