"""Ctrl-C and other interrupts in loops, and the end of the interpreter with loops under way; each in a process."""

import os
import pathlib
import signal
import subprocess
import sys
import textwrap
import time

import pytest

from c_headers import COMPILER, needs_compiler
from python_package import ENVIRONMENT, write_indexed

#: Ends of the interpreter of each kind, and interrupts of each loop.
ENDS = int(os.environ.get("HEADRACE_ENDS", "2"))
INTERRUPTS = int(os.environ.get("HEADRACE_INTERRUPTS", "1500"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("interrupts")
    write_indexed(made, 20_000)
    return made


@pytest.fixture(scope="module")
def slow_reads(tmp_path_factory):
    library = tmp_path_factory.mktemp("slow") / "slow_reads.so"
    source = pathlib.Path(__file__).with_name("slow_reads.c")
    subprocess.run([COMPILER, "-D_GNU_SOURCE", "-shared", "-fPIC", "-o", library, source, "-ldl"], check=True)
    return library


def start(code, folder, *args, **environment):
    program = "import sys\nfrom python_package import check, hr, memory_in_use\n" + textwrap.dedent(code)
    return subprocess.Popen(
        [sys.executable, "-c", program, *map(str, args)],
        cwd=folder,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**ENVIRONMENT, **{name: str(value) for name, value in environment.items()}},
    )


def finished(process, timeout=60):
    out, err = process.communicate(timeout=timeout)
    assert process.returncode == 0, (process.returncode, out, err)
    return out, err


WAIT = """
    import os, pathlib, threading, time
    data = hr.open("train.hrd")
    slow = pathlib.Path(os.environ["SLOW_READS"])
    loader = data.loader(batch=100, io="threads", threads=1, io_depth=1)
    iterator = iter(loader)
    number = len(loader) * 0  # it is planned, which reads
    for interrupt in range(3):
        slow.touch()
        try:
            print("waiting", flush=True)
            while True:
                batch = next(iterator)
                check(batch)
                assert batch.number == number % len(loader), (batch, number)
                number += 1
        except KeyboardInterrupt:
            print(time.monotonic(), flush=True)
        assert loader.step == number
        slow.unlink()
    for batch in iterator:
        assert batch.number == number % len(loader)
        check(batch)
        number += 1
    assert number == len(loader), number
    print("whole")
"""


@needs_compiler
def test_ctrl_c__while_a_batch_is_waited_for__comes_at_once_and_loses_none(folder, slow_reads, tmp_path):
    process = start(WAIT, folder, LD_PRELOAD=slow_reads, SLOW_READS=tmp_path / "slow")
    for _ in range(3):
        assert process.stdout.readline() == "waiting\n", process.communicate()
        time.sleep(0.5)
        sent = time.monotonic()
        process.send_signal(signal.SIGINT)
        took = float(process.stdout.readline()) - sent
        assert took < 0.3
    assert finished(process)[0] == "whole\n"


ASK = """
    import os, pathlib, threading, time
    data = hr.open("train.hrd")
    slow = pathlib.Path(os.environ["SLOW_READS"])
    loader = data.loader(batch=100, io="threads", threads=1, io_depth=1)
    iterator = iter(loader)
    assert len(loader) > 0
    slow.touch()
    ended = []
    def wait():
        try:
            for batch in iterator:
                check(batch)
        except hr.ClosedError as error:
            ended.append(error)
    thread = threading.Thread(target=wait)
    thread.start()
    time.sleep(0.3)
    for ask in (loader.state, loader.report, loader.info, lambda: loader.step):
        began = time.monotonic()
        ask()
        assert time.monotonic() - began < 0.35, (ask, time.monotonic() - began)
    threading.Timer(0.2, slow.unlink).start()
    loader.close()
    thread.join()
    assert len(ended) == 1
"""


@needs_compiler
def test_state_and_report__while_another_thread_waits__come_within_a_step(folder, slow_reads, tmp_path):
    finished(start(ASK, folder, LD_PRELOAD=slow_reads, SLOW_READS=tmp_path / "slow"))


INTERRUPTED = """
    import gc, os, random, signal, threading, time
    class Interrupt(Exception):
        pass
    def interrupt(*_):
        raise Interrupt
    signal.signal(signal.SIGALRM, interrupt)
    swallowed = []
    def swallow(unraisable):
        "What came inside of a __del__: Python goes on."
        swallowed.append(unraisable.exc_value)
        arm()
    sys.unraisablehook = swallow
    rng = random.Random(int(sys.argv[2]))
    wanted, numbers, lost, caught = int(sys.argv[1]), [], 0, 0
    data = hr.open("train.hrd")
    before = memory_in_use()
    def arm():
        signal.setitimer(signal.ITIMER_REAL, rng.choice(times) * rng.random() + 1e-6)
    def disarm():
        signal.setitimer(signal.ITIMER_REAL, 0)
    def seen(batch):
        "Kept with nothing that could be interrupted half way."
        numbers.append((batch.epoch, batch.number))
        return batch["y"][0] == batch.number * 100
    def in_order():
        "Each once and in order, but for at most one that is missing where an interrupt was."
        place = [epoch * 200 + number for epoch, number in numbers]
        steps = [b - a for a, b in zip(place, place[1:])]
        assert all(step >= 1 for step in steps), (min(steps), numbers[steps.index(min(steps))])
        return sum(step - 1 for step in steps)
"""

NEXT = (
    INTERRUPTED
    + """
    times = 3e-5, 1e-4, 3e-4, 1e-3
    loader = data.loader(batch=100)
    iterator = iter(loader)
    while caught < wanted:
        batch = None
        try:
            arm()
            while True:
                batch = next(iterator, None)
                if batch is None:
                    iterator = iter(loader)
                else:
                    assert seen(batch)
                    batch = None
        except Interrupt:
            caught += 1
        disarm()
    lost = in_order()
    assert lost <= caught + len(swallowed), (lost, caught, len(swallowed))
    assert all(isinstance(error, Interrupt) for error in swallowed), swallowed
    iterator = batch = None
    loader.close()
    gc.collect()
    assert memory_in_use() == before, (memory_in_use(), before)
    print(lost, caught, len(numbers), len(swallowed))
"""
)

LOOPS = (
    INTERRUPTED
    + """
    times = 1e-3, 1e-2, 3e-2  # opening takes some milliseconds
    loader = data.loader(batch=100)
    while caught < wanted:
        batch = None
        try:
            arm()
            while True:
                for batch in loader:
                    assert seen(batch)
                    batch = None
        except Interrupt:
            caught += 1
        disarm()
    lost = in_order()
    assert lost <= caught + len(swallowed), (lost, caught, len(swallowed))
    assert all(isinstance(error, Interrupt) for error in swallowed), swallowed
    batch = None
    loader.close()
    loader = None
    gc.collect()
    time.sleep(0.1)  # a thread is seen for a moment after it was joined
    names = [open(f"/proc/self/task/{task}/comm").read() for task in os.listdir("/proc/self/task")]
    threads = sum(name.startswith("hr-") for name in names)
    print(lost, caught, len(numbers), len(swallowed), memory_in_use() - before, threads)
"""
)

JOBS = (
    INTERRUPTED
    + """
    import numpy as np
    times = 1e-4, 1e-3, 1e-2
    class Rows:
        shape, dtype, reads = (40, 256), np.dtype("float64"), 0
        def __len__(self):
            return 40
        def __getitem__(self, rows):
            Rows.reads += 1
            return np.zeros((rows.stop - rows.start, 256))
    hr.writer._BLOCK_BYTES = 2048  # a row at a time
    completed = 0
    while caught < wanted:
        try:
            arm()
            while True:
                hr.from_arrays("made.hrd", x=Rows(), options={"replace": True})
                completed += 1
        except Interrupt:
            caught += 1
        disarm()
        reads = Rows.reads
        time.sleep(1e-3)
        assert Rows.reads == reads, (Rows.reads, reads)
    assert all(isinstance(error, Interrupt) for error in swallowed), swallowed
    assert hr.open("made.hrd")["x"].shape == (40, 256) or not completed
    gc.collect()
    time.sleep(0.1)  # a thread is seen for a moment after it was joined
    names = [open(f"/proc/self/task/{task}/comm").read() for task in os.listdir("/proc/self/task")]
    threads = sum(name.startswith("hr-") for name in names)
    print(caught, completed, len(swallowed), memory_in_use() - before, threads)
"""
)


def test_interrupts__in_next__lose_one_batch_each_at_most_and_repeat_none(folder):
    lost, caught, delivered, swallowed = map(int, finished(start(NEXT, folder, INTERRUPTS, 1), 120)[0].split())
    assert caught == INTERRUPTS and delivered > 0 and lost <= caught + swallowed


def test_interrupts__that_leave_loops__repeat_none_and_leave_nothing(folder):
    out = finished(start(LOOPS, folder, INTERRUPTS // 10, 2), 120)[0]
    _, caught, delivered, _, memory, threads = map(int, out.split())
    assert caught == INTERRUPTS // 10 and delivered > 0
    assert (memory, threads) == (0, 0)


def test_interrupts__of_long_calls__stop_them_wherever_they_come_and_leave_nothing(folder):
    caught, _, _, memory, threads = map(int, finished(start(JOBS, folder, INTERRUPTS // 10, 3), 120)[0].split())
    assert caught == INTERRUPTS // 10
    assert (memory, threads) == (0, 0)


ENDINGS = {
    "a conversion in a daemon thread": """
import threading, numpy as np
class Rows:
    shape, dtype = (10**6, 1000), np.dtype("float64")
    def __len__(self):
        return 10**6
    def __getitem__(self, rows):
        begun.set()
        return np.zeros((rows.stop - rows.start, 1000))
def write():
    try:
        hr.from_arrays("never.hrd", x=Rows(), options={"replace": True})
    except hr.CancelledError:
        pass
begun = threading.Event()
threading.Thread(target=write, daemon=True).start()
begun.wait()
""",
    "a daemon thread that begins a conversion": """
import threading
def write():
    begun.set()
    hr.from_arrays("never.hrd", x=[1.5] * 1000, options={"replace": True})
begun = threading.Event()
threading.Thread(target=write, daemon=True).start()
begun.wait()
""",
    "a daemon thread that appends": """
import threading, numpy as np
def write():
    rows = np.zeros((4096, 256))
    with hr.Writer("never.hrd", {"x": ("float64", (256,))}, replace=True) as writer:
        while True:
            writer.append(x=rows)
            begun.set()
begun = threading.Event()
threading.Thread(target=write, daemon=True).start()
begun.wait()
""",
    "a daemon thread that reads": """
import threading
def read():
    while True:
        data["X"][:]
        begun.set()
begun = threading.Event()
threading.Thread(target=read, daemon=True).start()
begun.wait()
""",
    "a loader": "loader = data.loader(batch=100)\nfor batch in loader:\n    check(batch)\n",
    "a loop half way": "iterator = iter(data.loader(batch=100, shuffle=True))\nnext(iterator)\n",
    "a batch": "batch = next(iter(data.loader(batch=100)))\n",
    "a view": "iterator = iter(data.loader(batch=100))\nview = next(iterator)['X'][5]\n",
    "a cycle": "kept = [data, iter(data.loader(batch=100))]\nkept += [next(kept[1])['X'], kept]\n",
    "names in a module": """
import builtins
builtins.kept = (iter(data.loader(batch=100)), data)
builtins.batch = next(builtins.kept[0])
""",
    "an exception": "for batch in data.loader(batch=100):\n    raise SystemExit(0)\n",
    "a daemon thread in next()": """
def run():
    while True:
        for batch in loader:
            check(batch)
import threading
loader = data.loader(batch=100, shuffle=True, held=4)
threads = [threading.Thread(target=run, daemon=True) for _ in range(2)]
[thread.start() for thread in threads]
threading.Event().wait(0.05)
""",
    "a thread that goes on": """
def run():
    for batch in data.loader(batch=100, epochs=1):
        check(batch)
import threading
threading.Thread(target=run).start()
""",
    "a forked child": """
import os
iterator = iter(data.loader(batch=100))
batch = next(iterator)
view = batch["X"]
if os.fork():
    assert os.wait()[1] == 0
""",
}


@pytest.mark.parametrize("name", ENDINGS)
def test_interpreter__that_ends_with__ends_in_time_and_clean(name, folder):
    code = "data = hr.open('train.hrd')\n" + ENDINGS[name]
    for _ in range(ENDS):
        out, err = finished(start(code, folder, PYTHONWARNINGS="error"), 20)
        # Python tells of what ends a daemon thread as far as it still can: that the loader is closed.
        assert out == "" and (err == "" or ("daemon" in name and "Fatal" not in err))


@needs_compiler
def test_interpreter__that_ends_with_a_daemon_thread_that_waits__ends_in_time(folder, slow_reads, tmp_path):
    code = """
        import os, pathlib, threading
        data = hr.open("train.hrd")
        iterator = iter(data.loader(batch=100, io="threads", threads=1))
        pathlib.Path(os.environ["SLOW_READS"]).touch()
        threading.Thread(target=lambda: list(map(check, iterator)), daemon=True).start()
        threading.Event().wait(0.2)
        threading.Timer(0.3, os.unlink, [os.environ["SLOW_READS"]]).start()
    """
    for _ in range(ENDS):
        assert finished(start(code, folder, LD_PRELOAD=slow_reads, SLOW_READS=tmp_path / "slow"), 20)[0] == ""
