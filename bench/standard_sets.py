"""The five data sets that epochs are measured with, each of one field and compressible to about a half in the way
that data of its kind are. Made from a seed, block by block, in bounded memory; kept as .hrd files for the next run."""

import dataclasses
import functools

import numpy as np

import bench_data
import programs

SEED = 20260301
VOCABULARY = 50_257
TOKEN_TABLE = 1 << 20
BLOCK_BYTES = 8 << 20


def floats(random, count):
    """A sensor's readings: normally distributed, in steps of 1/256."""
    values = random.standard_normal((count, 512), dtype=np.float32)
    return np.rint(values * np.float32(256)) / np.float32(256)


def tabular(random, count):
    """Sixteen columns: five of categories, four of counts, five measured to two decimals, and two of full
    precision."""
    rows = np.empty((count, 16), dtype=np.float32)
    for column, classes in enumerate((2, 2, 7, 24, 365)):
        rows[:, column] = random.integers(0, classes, count)
    rows[:, 5:9] = random.geometric(0.05, (count, 4))
    rows[:, 9:14] = np.rint(random.normal(20, 5, (count, 5)) * 100) / 100
    rows[:, 14:] = random.standard_normal((count, 2), dtype=np.float32)
    return rows


def smooth(random, count, side):
    """(count, side, side): values that change slowly, from a grid of 5 x 5 by linear interpolation."""
    grid = random.uniform(30, 220, (count, 5, 5)).astype(np.float32)
    at = np.linspace(0, 4, side, dtype=np.float32)
    left = np.minimum(at.astype(np.int64), 3)
    part = at - left
    lines = grid[:, left] * (1 - part)[None, :, None] + grid[:, left + 1] * part[None, :, None]
    return lines[:, :, left] * (1 - part) + lines[:, :, left + 1] * part


def images(random, count, side):
    """An object, smoothly lit and with the noise of a camera, before an even background that takes about half of
    the picture."""
    light = smooth(random, count, side)
    tint = random.uniform(0.6, 1.0, (count, 1, 1, 3)).astype(np.float32)
    noise = random.integers(-3, 4, (count, side, side, 3), dtype=np.int8)
    pictures = (light[..., None] * tint + noise).astype(np.uint8)
    span = np.linspace(-1, 1, side, dtype=np.float32)
    radius = random.uniform(0.62, 0.95, (count, 2)).astype(np.float32)
    distance = (span[None, :, None] / radius[:, :1, None]) ** 2 + (span[None, None, :] / radius[:, 1:, None]) ** 2
    pictures[distance > 1] = 250
    return pictures


@functools.cache
def token_table():
    """A token for each of a million equally likely draws: by Zipf's law, under ids in no order."""
    weights = 1 / (np.arange(VOCABULARY) + 2.7)
    edges = np.cumsum(weights) / weights.sum()
    ranks = np.searchsorted(edges, (np.arange(TOKEN_TABLE) + 0.5) / TOKEN_TABLE)
    return np.random.default_rng(SEED).permutation(VOCABULARY).astype(np.int32)[ranks]


def tokens(random, count):
    return token_table()[random.integers(0, TOKEN_TABLE, (count, 1024), dtype=np.int32)]


@dataclasses.dataclass(frozen=True)
class StandardSet:
    name: str
    file: str
    make: object  # (random, count) -> array
    shape: tuple
    dtype: type
    batch: int
    promised_memory: float
    windows_mib: tuple  # measured; empty: the default only

    @property
    def row_bytes(self):
        return int(np.prod(self.shape)) * np.dtype(self.dtype).itemsize


PROMISED_DISK = 0.85
SETS = (
    StandardSet("float32 rows, 2 KiB", "rows", floats, (512,), np.float32, 256, 0.92, (64, 256)),
    StandardSet("tabular float32 rows, 64 B", "tabular", tabular, (16,), np.float32, 256, 0.87, ()),
    StandardSet(
        "uint8 images, 3 KiB", "images", functools.partial(images, side=32), (32, 32, 3), np.uint8, 256, 0.92, (64, 256)
    ),
    StandardSet(
        "uint8 images, 150 KB",
        "pictures",
        functools.partial(images, side=224),
        (224, 224, 3),
        np.uint8,
        64,
        0.97,
        (64, 256),
    ),
    StandardSet("int32 token sequences, 4 KiB", "tokens", tokens, (1024,), np.int32, 256, 0.92, (64, 256)),
)


def make_npy(chosen, path, size_bytes):
    block_rows = max(1, BLOCK_BYTES // chosen.row_bytes)

    def make(start, count):
        return (chosen.make(np.random.default_rng([SEED, start // block_rows]), count),)

    rows = max(1, size_bytes // chosen.row_bytes)
    bench_data.write_blocks((path,), (chosen.shape,), (chosen.dtype,), rows, block_rows, make)


def make_hrd(chosen, folder, size_bytes):
    """folder/FILE-MIB.hrd, unless it is there from the last run."""
    path = folder / f"{chosen.file}-{size_bytes >> 20}.hrd"
    if not path.exists():
        programs.say(f"data: {size_bytes >> 20} MiB of {chosen.name}")
        source = path.with_suffix(".npy")
        make_npy(chosen, source, size_bytes)
        programs.convert(source, "-o", path)
        programs.sync_file(path)
        source.unlink()
    return path
