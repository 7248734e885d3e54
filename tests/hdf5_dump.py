"""The program tool_hdf5_dump, which reads HDF5 sources as the library does, for tests of them: of the build
that $HEADRACE_BIN is the bin folder of (default: build/release/bin)."""
import json
import os
import re
import subprocess
from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve().parent
BUILD = Path(os.environ.get("HEADRACE_BIN", HERE.parent / "build" / "release" / "bin")).parent
LIMIT_S = 60


def find_tool():
    for folder in ("tests", "bin"):
        if (BUILD / folder / "tool_hdf5_dump").exists():
            return str(BUILD / folder / "tool_hdf5_dump")
    return None


TOOL = find_tool()


class Result:
    def __init__(self, done):
        assert done.returncode in (0, 1), f"exit code {done.returncode}: {done.stderr}"
        self.ok = done.returncode == 0
        self.answer = json.loads(done.stdout)
        self.status = None if self.ok else self.answer["status"]
        self.message = None if self.ok else self.answer["message"]


def run(*args, **env):
    env = dict(os.environ, **{k: str(v) for k, v in env.items()})
    done = subprocess.run([TOOL, *map(str, args)], capture_output=True, text=True, timeout=LIMIT_S, env=env)
    return Result(done)


def list_sources(path, member="-", **env):
    return run("list", path, member, **env)


def read_rows(path, member, out, step=1000, budget=64 << 20, **env):
    result = run("rows", path, member, 0, out, step, budget, **env)
    return result, out.read_bytes() if result.ok else None


def assert_rows(path, member, out, expected, **options):
    result, data = read_rows(path, member, out, **options)
    assert result.ok, result.message
    assert result.answer["num_samples"] == expected.shape[0]
    assert result.answer["shape"] == list(expected.shape[1:])
    assert data == expected.tobytes()


def any_bits(dtype, shape, seed=1):
    """Every bit pattern may occur: NaN payloads, infinities, -0.0."""
    dtype = np.dtype(dtype)
    rng = np.random.default_rng(seed)
    raw = rng.integers(0, 256, size=int(np.prod(shape)) * dtype.itemsize, dtype=np.uint8)
    return np.frombuffer(raw.tobytes(), dtype=dtype).reshape(shape)


def read_bytes():
    """By this process and all that it has waited for."""
    return int(re.search(r"^rchar: (\d+)", Path("/proc/self/io").read_text(), re.MULTILINE)[1])
