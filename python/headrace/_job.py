"""Long calls of the library: run in a thread of their own, so that the calling thread sees interrupts and can draw a
progress bar meanwhile."""

from __future__ import annotations

import contextlib
import sys
import threading
import warnings
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
    with tqdm(desc=what, unit=unit, unit_scale=True, unit_divisor=1024 if unit == "B" else 1000) as bar:

        def draw(watch: Watch) -> None:
            bar.total = watch.total or None
            bar.update(watch.done - bar.n)

        yield draw


def run(call: Callable[[], Any], watch: Watch, what: str, unit: str = "B", progress: bool | None = False) -> None:
    """Call, and wait until it has returned; what it raises is raised here. An interrupt stops it first."""
    raised: list[BaseException] = []
    done = threading.Event()  # and not join(): a thread whose join() was interrupted counts as ended in some Pythons

    def body() -> None:
        try:
            call()
        except BaseException as error:
            raised.append(error)
        finally:
            done.set()

    threading.Thread(target=body, name="hr-job").start()
    interrupt: BaseException | None = None
    with _bar(what, unit, wanted(progress)) as draw:
        while not done.is_set():
            try:
                done.wait(_LOOK_S)
                draw(watch)
            except BaseException as error:
                interrupt = error
                watch.stop = True
        draw(watch)
    if interrupt is not None and (not raised or isinstance(raised[0], errors.CancelledError)):
        raise interrupt
    if raised:
        raise raised[0]
