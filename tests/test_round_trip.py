"""Arrays of odd shapes, every codec and filter: converted, verified, exported, equal bit for bit."""

import os
import subprocess
from pathlib import Path

import numpy as np
import pytest

HEADRACE = Path(os.environ.get("HEADRACE_BIN", "")) / "headrace"
pytestmark = pytest.mark.skipif(not HEADRACE.is_file(), reason="the headrace command is not built")

SHAPES = {
    "no samples": (0, 3),
    "samples of no bytes": (7, 0, 2),
    "scalars": (100_001,),
    "one sample": (1, 5),
    "five dimensions": (50, 2, 3, 4, 5),
    "larger than a chunk": (5, 100_000),
    "larger than a frame": (3, 700, 401),
    "odd row": (999, 7),
}
STORAGE = {
    "tried": [],
    "raw": ["--codec", "raw"],
    "zstd": ["--codec", "zstd", "--filter", "none"],
    "zstd and shuffle": ["--codec", "zstd", "--filter", "shuffle"],
    "zstd and bit shuffle": ["--codec", "zstd", "--filter", "bitshuffle"],
    "zstd and delta": ["--codec", "zstd", "--filter", "delta"],
    "zstd, delta and shuffle": ["--codec", "zstd", "--filter", "delta+shuffle"],
    "zstd, delta and bit shuffle": ["--codec", "zstd", "--filter", "delta+bitshuffle"],
    "high level": ["--codec", "zstd", "--filter", "shuffle", "--level", "12"],
    "small chunks": ["--chunk-bytes", "1000"],
}


def run(*arguments):
    command = [str(HEADRACE), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def check(source, options, tmp_path):
    target, out = tmp_path / "t.hrd", tmp_path / "out"
    done = run("convert", source, "-o", target, "--force", *options)
    assert done.returncode == 0, done.stderr
    assert run("verify", target).returncode == 0
    done = run("export", target, "-o", out, "--force")
    assert done.returncode == 0, done.stderr
    exported = np.load(out / source.name)
    original = np.load(source)
    assert exported.dtype == original.dtype and exported.shape == original.shape
    assert exported.tobytes() == original.tobytes()


@pytest.mark.parametrize("storage", STORAGE)
@pytest.mark.parametrize("shape", SHAPES)
def test_shapes(shape, storage, tmp_path):
    rng = np.random.default_rng(len(shape))
    values = rng.integers(0, 1000, size=SHAPES[shape]).astype(np.float32)
    np.save(tmp_path / "x.npy", values)
    check(tmp_path / "x.npy", STORAGE[storage], tmp_path)


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8", "c8", "c16"])
@pytest.mark.parametrize("storage", STORAGE)
def test_every_bit_pattern_of_floats(dtype, storage, tmp_path):
    """NaN payloads, both zeros, infinities, subnormals."""
    bits = np.random.default_rng(1).bytes(40_000 * np.dtype(dtype).itemsize)
    values = np.frombuffer(bits, dtype=dtype).copy()
    values[:3] = [np.nan, -0.0, np.inf]
    np.save(tmp_path / "x.npy", values.reshape(-1, 40))
    check(tmp_path / "x.npy", STORAGE[storage], tmp_path)
