"""The `headrace` command for tests: run, on a terminal, and its JSON."""

import fcntl
import json
import os
import pathlib
import pty
import re
import signal
import struct
import subprocess
import termios
import time

import pytest

PLACE = pathlib.Path(os.environ.get("HEADRACE_BIN", "build/release/bin")).resolve()
PROGRAM = PLACE / "headrace" if PLACE.is_dir() else PLACE
DATA_COMMANDS = ["convert", "info", "verify", "plan", "export", "epoch", "split", "bench"]
COMMANDS = [*DATA_COMMANDS, "join", "compare", "head", "memory", "why-died"]
needs_program = pytest.mark.skipif(not PROGRAM.is_file(), reason=f"no program {PROGRAM}")

TERMINAL = {"TERM": "xterm-256color", "COLORTERM": "truecolor", "LC_ALL": "C.UTF-8"}

# Kinds of numbers in a layout.
WHOLE = "int"
FIGURE = "float"


def headrace(*args, cwd=None, **options):
    options = {"capture_output": True, "text": True, "timeout": 100, **options}
    return subprocess.run([str(PROGRAM), *map(str, args)], cwd=cwd, **options)


def good(*args, **options):
    done = headrace(*args, **options)
    assert done.returncode == 0, done.stderr
    return done.stdout


def on_terminal(*args, columns=100, **environment):
    pid, fd = pty.fork()
    if pid == 0:
        fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
        os.execve(str(PROGRAM), [str(PROGRAM), *args], {**os.environ, "NO_COLOR": "", **TERMINAL, **environment})
    out = b""
    while True:
        try:
            read = os.read(fd, 65536)
        except OSError:
            break
        if not read:
            break
        out += read
    _, status = os.waitpid(pid, 0)
    os.close(fd)
    assert os.waitstatus_to_exitcode(status) == 0, out
    return out.decode("utf-8").replace("\r\n", "\n")


def helpers_of(process):
    """The process numbers of its helpers."""
    found = set()
    for task in pathlib.Path(f"/proc/{process}/task").glob("*/children"):
        try:
            children = task.read_text().split()
            found.update(n for n in children if "headrace-source" in pathlib.Path(f"/proc/{n}/cmdline").read_text())
        except OSError:
            continue  # it has ended
    return found


def wait_until(condition, seconds=30):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "nothing happened"
        time.sleep(0.005)


def listens_to_interrupts(process):
    """It has a handler of its own; before that an interrupt simply ends it."""
    status = pathlib.Path(f"/proc/{process}/status").read_text()
    return int(re.search(r"^SigCgt:\s*(\w+)", status, re.MULTILINE)[1], 16) >> (signal.SIGINT - 1) & 1 == 1


def figures(*args, **options):
    return json.loads(good(*args, "--json", **options))


def layout(value):
    """The keys and types of a JSON value; a list is the layout of its entries, all alike."""
    if isinstance(value, dict):
        return {key: layout(entry) for key, entry in value.items()}
    if isinstance(value, list):
        kinds = [layout(entry) for entry in value]
        assert all(kind == kinds[0] for kind in kinds), kinds
        return [kinds[0]] if kinds else []
    return type(value).__name__
