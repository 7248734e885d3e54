"""The `headrace` command for tests: run, and its JSON."""

import json
import os
import pathlib
import subprocess

import pytest

PLACE = pathlib.Path(os.environ.get("HEADRACE_BIN", "build/release/bin")).resolve()
PROGRAM = PLACE / "headrace" if PLACE.is_dir() else PLACE
DATA_COMMANDS = ["convert", "info", "verify", "plan", "export", "epoch", "split", "bench"]
COMMANDS = [*DATA_COMMANDS, "join", "compare", "head", "memory", "why-died"]
needs_program = pytest.mark.skipif(not PROGRAM.is_file(), reason=f"no program {PROGRAM}")

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
