"""The package headrace of python/ with the library of the build, and the ways script/bench-python runs programs with
it."""

import importlib.util
import json
import os
import pathlib
import subprocess
import sys

import numpy as np

import bench_data
import programs

MIB = 1 << 20
BUDGET = "256M"
SMALL_FLOATS = 100
HERE = pathlib.Path(__file__).resolve().parent
SETTINGS = {
    "HEADRACE_LIBRARY": str(programs.BUILD / "lib" / "libheadrace.so.0"),
    "PYTHONPATH": os.pathsep.join((str(programs.ROOT / "python"), str(HERE))),
    "KERAS_BACKEND": "tensorflow",
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "CUDA_VISIBLE_DEVICES": "-1",
    "JAX_PLATFORMS": "cpu",
}


def package():
    """The module headrace, in this process."""
    os.environ.setdefault("HEADRACE_LIBRARY", SETTINGS["HEADRACE_LIBRARY"])
    if not have("headrace"):
        sys.path.insert(0, str(programs.ROOT / "python"))
    import headrace

    return headrace


def have(*modules):
    return all(importlib.util.find_spec(name) is not None for name in modules)


def version_of(module):
    """Without importing it: some take seconds."""
    from importlib import metadata

    for name in (module, f"{module}-cpu"):
        try:
            return metadata.version(name)
        except metadata.PackageNotFoundError:
            pass
    return "unknown"


def command(program, *arguments):
    return [sys.executable, str(HERE / program), *map(str, arguments)]


def environment():
    return {**os.environ, **SETTINGS}


def answer(program, *arguments):
    """The JSON that a program of this folder prints, run in a process of its own."""
    done = subprocess.run(command(program, *arguments), capture_output=True, text=True, env=environment())
    if done.returncode != 0:
        raise RuntimeError(f"{program} {' '.join(map(str, arguments))}: {done.returncode}: {done.stderr[-2000:]}")
    return json.loads(done.stdout.splitlines()[-1])


def arrays(folder, size_bytes):
    """x.npy and y.npy of rows of 2 KiB and labels, in a folder for this size; kept for the next run."""
    x, y = bench_data.make_part(folder / f"rows-{size_bytes // MIB}", 0, size_bytes)
    return x, y


def convert(x, y):
    """rows.hrd beside them."""
    target = x.with_name("rows.hrd")
    if not target.exists():
        programs.convert("--field", f"x={x}", "--field", f"y={y}", "-o", target)
        programs.sync_file(target)
    return target


def small_rows(folder, size_bytes):
    """Samples of 100 float32 to two decimals, and a label: 400 B."""
    target = folder / f"small-{size_bytes // MIB}.hrd"
    if target.exists():
        return target
    x, y = target.with_suffix(".x.npy"), target.with_suffix(".y.npy")

    def make(start, count):
        random = np.random.default_rng([bench_data.SEED, start])
        values = random.standard_normal((count, SMALL_FLOATS), dtype=np.float32).round(2)
        return values, random.integers(0, 2, count, dtype=np.int64)

    rows = size_bytes // (4 * SMALL_FLOATS)
    shapes = ((SMALL_FLOATS,), ())
    bench_data.write_blocks((x, y), shapes, (np.float32, np.int64), rows, bench_data.BLOCK_ROWS, make)
    programs.convert("--field", f"x={x}", "--field", f"y={y}", "-o", target)
    for source in (x, y):
        source.unlink()
    return target


def sets(folder, size_bytes):
    """What loops and adapters are measured with: name, file, batch."""
    return (
        ("256 x 2 KiB", convert(*arrays(folder, size_bytes)), 256),
        ("32 x 400 B", small_rows(folder, size_bytes), 32),
    )
