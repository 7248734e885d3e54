"""Memory as Python shows it, the guard's action between two bytecodes, and why a process died."""

import os
import pathlib
import re
import signal
import subprocess
import sys

import pytest

np = pytest.importorskip("numpy", minversion="1.24")

from python_package import ENVIRONMENT, SOURCE, hr, write_indexed  # noqa: E402

WITH_LIMIT = SOURCE / "script" / "with-memory-limit"
LIMIT_MIB = 300


def can_limit():
    done = subprocess.run([WITH_LIMIT, "64M", "true"], capture_output=True, text=True)
    return done.returncode == 0 and "cgroup" in done.stderr


needs_limit = pytest.mark.skipif(not can_limit(), reason="no control group can be made here")


def start(program, folder, *words, limit=None):
    limited = [str(WITH_LIMIT), f"{limit}M"] if limit else []
    env = {**ENVIRONMENT, "HEADRACE_STATE_DIR": str(folder / "records")}
    return subprocess.Popen([*limited, sys.executable, "-c", program, *map(str, words)], env=env, cwd=folder,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def finished(child):
    out, err = child.communicate(timeout=60)
    return child.returncode, out, err


@pytest.fixture
def data(tmp_path):
    return write_indexed(tmp_path)


# ---- what is used, and what limits ----


def test_memory__this_process__figures_that_make_sense():
    found = hr.memory()
    resident = int(pathlib.Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE")
    assert abs(found.resident - resident) < 64 << 20
    assert found.resident <= found.peak
    assert found.machine > found.resident
    assert "this process" in str(found)
    assert "<table>" in found._repr_html_()


@needs_limit
def test_memory__under_a_limit__that_one_is_named(tmp_path):
    program = "import python_package; m = python_package.hr.memory(); print(m.limit, m.limit_kind, m.limit_name)"
    code, out, _ = finished(start(program, tmp_path, limit=LIMIT_MIB))
    assert code == 0
    assert re.match(rf"{LIMIT_MIB << 20} cgroup v[12] /sys/fs/cgroup/", out)


def test_memory_cap__too_small__loaders_are_refused(data):
    opened = hr.open(data)
    hr.set_memory_cap("1M")
    try:
        assert hr.memory_cap() == 1 << 20
        with pytest.raises(hr.BudgetError, match="cap"):
            next(iter(opened.loader(batch=10)))
    finally:
        hr.set_memory_cap(None)
    assert hr.memory_cap() is None
    assert next(iter(opened.loader(batch=10))).num_samples == 10


# ---- the guard ----

GROWING = """
import sys, time, warnings, numpy as np
from python_package import hr
action = sys.argv[1]
seen = []
watch = hr.guard(action={"call": lambda guard: seen.append(guard.message)}.get(action, action), interval=0.01)
hoard = []
try:
    for k in range(10_000):
        hoard.append(np.ones(1 << 17))
        time.sleep(0.003)
        if seen and k % 10 == 0:
            print(seen[0]); break
except MemoryError as error:
    print(type(error).__name__, error)
print("alive", len(hoard))
watch.close()
"""


@needs_limit
def test_guard__raise__a_memory_error_that_names_the_largest_arrays(tmp_path):
    code, out, err = finished(start(GROWING, tmp_path, "raise", limit=LIMIT_MIB))
    assert code == 0, err
    assert out.startswith("MemoryLowError memory runs low: ")
    assert re.search(r"the largest arrays are hoard \d+ MiB \(\d+ arrays\)", out)
    assert "more than when the guard began" in out
    assert "\nalive" in out


@needs_limit
def test_guard__function__is_given_the_guard_and_the_program_goes_on(tmp_path):
    code, out, err = finished(start(GROWING, tmp_path, "call", limit=LIMIT_MIB))
    assert code == 0, err
    assert out.startswith("memory runs low: ")


@needs_limit
def test_guard__warn__a_warning_before_the_end(tmp_path):
    code, _, err = finished(start(GROWING, tmp_path, "warn", limit=LIMIT_MIB))
    assert code == 137
    assert "MemoryWarning: memory runs low" in err


HARD = """
import numpy as np
from python_package import hr
with hr.guard(hard=True) as watch:
    hoard = []
    try:
        while True:
            hoard.append(np.ones(1 << 20))
    except MemoryError:
        print("MemoryError", len(hoard))
import resource
print(resource.getrlimit(resource.RLIMIT_DATA)[0] == resource.RLIM_INFINITY)
"""


@needs_limit
def test_guard__hard__the_allocation_fails_and_the_limit_is_put_back(tmp_path):
    code, out, err = finished(start(HARD, tmp_path, limit=LIMIT_MIB))
    assert code == 0, err
    assert re.match(r"MemoryError \d+\nTrue\n", out)


RAISES = """
import time
from python_package import hr
def act(guard):
    raise LookupError("of the action")
try:
    with hr.guard("1K", act, interval=0.01, record=False):
        time.sleep(0.5)
        for _ in range(1000): pass
except LookupError as error:
    print(error)
"""


def test_guard__action_that_raises__raised_in_the_main_thread(tmp_path):
    code, out, err = finished(start(RAISES, tmp_path))
    assert (code, out, err) == (0, "of the action\n", "")


CLOSED = """
import time
from python_package import hr
called = []
for _ in range(200):
    watch = hr.guard("1K", lambda guard: called.append(1), interval=0.001, record=False)
    watch.close()
    del watch
for _ in range(100_000): pass
print("fine")
"""


def test_guard__closed_while_calls_are_posted__nothing_happens(tmp_path):
    code, out, err = finished(start(CLOSED, tmp_path))
    assert (code, out, err) == (0, "fine\n", "")


def test_guard__wrong_action__refused():
    with pytest.raises(hr.InvalidError, match="action is 'shout'"):
        hr.guard(action="shout")


# ---- why it died ----

LEAKS = """
import sys, time, numpy as np
from python_package import hr
data, hoard = hr.open(sys.argv[1]), []
loader = data.loader(batch=10, shuffle=True, budget="32M")
for epoch in range(10_000):
    for batch in loader:
        hoard.append(np.ones(20_000))
        time.sleep(0.002)
"""

STOPS = """
import sys, time
from python_package import hr
for batch in hr.open(sys.argv[1]).loader(batch=10):
    print("at", batch.number, flush=True)
    time.sleep(60)
"""

ASKS = "import sys; from python_package import hr; death = hr.why_died(); print(death.verdict, '|', death)"


@needs_limit
def test_why_died__the_limit_killed_it__told_at_import_once_and_when_asked(tmp_path, data):
    code, _, _ = finished(start(LEAKS, tmp_path, data, limit=LIMIT_MIB))
    assert code == 137
    _, out, told = finished(start(ASKS, tmp_path))
    assert re.match(r"(likely|killed) \| (likely )?killed by the memory limit", out)
    assert "Headrace held" in out
    assert re.match(r"headrace: the last process here was (likely )?killed by the memory limit", told)
    assert told.count("\n") == 1
    _, out, told = finished(start(ASKS, tmp_path))
    assert "killed by the memory limit" in out
    assert told == ""


def test_why_died__killed_by_hand__no_sign_of_memory(tmp_path, data):
    child = start(STOPS, tmp_path, data)
    assert child.stdout.readline() == "at 0\n"
    child.send_signal(signal.SIGKILL)
    finished(child)
    _, out, told = finished(start(ASKS, tmp_path))
    assert out.startswith("no sign | ")
    assert told == ""


def test_why_died__ended_well__there_is_no_record(tmp_path, data):
    program = "import sys; from python_package import hr\nfor b in hr.open(sys.argv[1]).loader(batch=10): pass"
    assert finished(start(program, tmp_path, data)) == (0, "", "")
    _, out, _ = finished(start(ASKS, tmp_path))
    assert out.startswith("none | no process that kept a record in ")


def test_record__while_a_loader_is_open__is_there_and_not_afterwards(tmp_path, data, monkeypatch):
    monkeypatch.setenv("HEADRACE_STATE_DIR", str(tmp_path / "r"))
    loader = hr.open(data).loader(batch=10)
    loop = iter(loader)
    next(loop)
    assert len(list((tmp_path / "r").glob("*.box"))) == 1
    del loop
    assert not (tmp_path / "r").exists()
    monkeypatch.setenv("HEADRACE_RECORD", "0")
    loop = iter(loader)
    assert not (tmp_path / "r").exists()
    del loop


def test_record__folder_that_was_there__stays_wherever_the_program_goes(tmp_path, data, monkeypatch):
    own, other = tmp_path / "own", tmp_path / "other"
    for folder in (own, other / ".headrace"):
        folder.mkdir(parents=True)
    monkeypatch.setenv("HEADRACE_STATE_DIR", str(own))
    for _ in hr.open(data).loader(batch=10):
        pass
    assert own.is_dir()
    monkeypatch.delenv("HEADRACE_STATE_DIR")
    monkeypatch.chdir(tmp_path)
    loop = iter(hr.open(data).loader(batch=10))
    next(loop)
    assert len(list((tmp_path / ".headrace").glob("*.box"))) == 1
    monkeypatch.chdir(other)
    del loop
    assert (other / ".headrace").is_dir()
    assert not (tmp_path / ".headrace").exists()


def test_record__a_guard_of_the_program__is_the_one_that_keeps_it(tmp_path, data):
    with hr.guard("1T", record=tmp_path / "mine") as watch:
        for _ in hr.open(data).loader(batch=10):
            pass
        watch.step(3, 700)
        assert watch.state()["record_kept"] == 1
        assert len(list((tmp_path / "mine").iterdir())) == 1
    assert list((tmp_path / "mine").iterdir()) == []
