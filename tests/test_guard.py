"""Processes that end, and what their record says: in a real control group whose limit ends them, by a signal,
at the limit that HR_GUARD_HARD sets."""

import os
import pathlib
import signal
import subprocess
import time

import pytest

from headrace_command import PROGRAM, figures, good, headrace, needs_program

ROOT = pathlib.Path(__file__).resolve().parent.parent
GUARDED = PROGRAM.parent.parent / "tests" / "tool_guarded"
LIMITED = ROOT / "script" / "with-memory-limit"
pytestmark = [needs_program, pytest.mark.skipif(not GUARDED.is_file(), reason=f"no program {GUARDED}")]

SANITIZED = bool(os.environ.get("HEADRACE_SANITIZE"))
MIB = 1 << 20


def in_group(limit, script):
    """A shell in a control group of that size, which outlives what is killed in it."""
    done = subprocess.run([LIMITED, limit, "bash", "-c", script], capture_output=True, text=True, timeout=100)
    if "by cgroup" not in done.stderr:
        pytest.skip("no control group can be made here")
    return done


def script(folder, *arguments):
    words = " ".join(map(str, arguments))
    return f"'{GUARDED}' '{folder}' {words} >&2; echo $?; '{PROGRAM}' why-died '{folder}'"


@pytest.mark.skipif(SANITIZED, reason="a sanitizer's memory is no measure")
def test_leak__killed_by_the_limit__is_told_with_its_growth(tmp_path):
    done = in_group("192M", script(tmp_path, "leak", 8))
    code, sentence, *rest = done.stdout.splitlines()
    assert int(code) == 128 + signal.SIGKILL
    assert sentence.startswith("killed by the memory limit of its control group ") or "container" in sentence
    assert " of 192 MiB were in use when it was last seen; Headrace held nothing; " in sentence
    rate = float(sentence.split("grew ")[1].split(" MiB per epoch from epoch ")[0])
    assert 6 <= rate <= 11  # of 8, as the looks come
    assert f"{GUARDED} {tmp_path} leak 8" in rest[0]


@pytest.mark.skipif(SANITIZED, reason="a sanitizer's memory is no measure")
def test_burst__faster_than_any_look__is_told_by_the_peak(tmp_path):
    done = in_group("192M", script(tmp_path, "burst", 4000))
    code, sentence, *_ = done.stdout.splitlines()
    assert int(code) == 128 + signal.SIGKILL
    assert sentence.startswith("killed by ")


def test_kill__without_want_of_memory__is_no_sign(tmp_path):
    process = subprocess.Popen([GUARDED, tmp_path, "pause"], stdout=subprocess.PIPE, text=True)
    process.stdout.readline()
    assert headrace("why-died", tmp_path).returncode == 1  # it lives
    process.kill()
    process.wait()
    told = figures("why-died", tmp_path)
    assert told["verdict"] == "no sign" and told["sentence"].startswith("no sign that memory ended it: ")
    assert told["pid"] == process.pid and told["told"] is False
    assert told["command"] == f"{GUARDED} {tmp_path} pause"[:200]
    assert abs(told["last_seen_unix_s"] - time.time()) < 60


@pytest.mark.skipif(SANITIZED, reason="a sanitizer's memory is no measure")
def test_kill__in_a_group_where_nothing_was_ended__is_no_sign(tmp_path):
    pause = f"'{GUARDED}' '{tmp_path}' pause & sleep 1.5; kill -9 $!; wait"
    done = in_group("192M", f"{pause}; '{PROGRAM}' why-died '{tmp_path}'")
    assert "no sign that memory ended it: " in done.stdout and " of 192 MiB were in use" in done.stdout


@pytest.mark.skipif(SANITIZED, reason="a sanitizer's memory is no measure")
def test_hard__allocations_fail_before_the_limit__and_the_process_lives(tmp_path):
    done = in_group("192M", script(tmp_path, "hard"))
    held = int(done.stderr.splitlines()[1])
    code, *rest = done.stdout.splitlines()
    assert int(code) == 0 and rest == []
    assert 150 <= held < 192
    assert list(tmp_path.iterdir()) == []  # a clean end leaves no record


@pytest.mark.skipif(SANITIZED, reason="a sanitizer's time is no measure")
def test_overhead__of_the_thread__is_small(tmp_path):
    """docs/memory.md has the figure of a quiet machine."""
    done = subprocess.run([GUARDED, tmp_path, "idle", "3"], capture_output=True, text=True, check=True)
    assert 0 < float(done.stdout) <= 0.005


def test_memory__in_a_group__is_that_of_the_group(tmp_path):
    done = in_group("300M", f"'{PROGRAM}' memory --json")
    assert '"limit_bytes": 314572800' in done.stdout and '"limit_kind": "cgroup' in done.stdout
    assert figures("memory")["limit_bytes"] != 300 * MIB
    assert "headroom " in good("memory")
