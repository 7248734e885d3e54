"""Readers of the same rows and labels, each as its documentation would have it, and Headrace:
python_rivals.py NAME FOLDER ORDER SECONDS runs one and prints what it reached as JSON.

A reader's prepare(folder, shuffled) imports what it needs, and returns a function that begins an epoch: of batches
(x, y)."""

import dataclasses
import json
import sys
import time

import numpy as np

import peak_memory

BATCH = 256
WARM_UP = 0.15  # of the time
SEED = 1
TF_BUFFER_SAMPLES = 16_384
WORKERS = 2


def labels(folder):
    return np.load(folder / "y_0.npy")


def row_batches(count, shuffled, epoch):
    """Slices in order, or sorted random rows, each row once."""
    if not shuffled:
        for first in range(0, count, BATCH):
            yield slice(first, first + BATCH)
        return
    rows = np.random.default_rng([SEED, epoch]).permutation(count)
    for first in range(0, count, BATCH):
        yield np.sort(rows[first : first + BATCH])


def memmap(folder, shuffled):
    def epoch(number):
        x, y = np.load(folder / "x_0.npy", mmap_mode="r"), labels(folder)
        for rows in row_batches(len(x), shuffled, number):
            yield x[rows], y[rows]

    return epoch


def of_hdf5(name):
    def prepare(folder, shuffled):
        import h5py

        def epoch(number):
            with h5py.File(folder / name, "r") as file:
                x, y = file["x"], file["y"][:]
                for rows in row_batches(len(x), shuffled, number):
                    yield x[rows], y[rows]

        return epoch

    return prepare


def zarr(folder, shuffled):
    import zarr

    def epoch(number):
        x, y = zarr.open_array(folder / "rows.zarr", mode="r"), labels(folder)
        for rows in row_batches(x.shape[0], shuffled, number):
            yield (x.oindex[rows] if shuffled else x[rows]), y[rows]

    return epoch


class Hdf5Samples:
    """A map-style data set of PyTorch: each worker opens the file for itself, at its first sample."""

    def __init__(self, path, count):
        self.path, self.count, self.file = path, count, None

    def __len__(self):
        return self.count

    def __getitem__(self, index):
        import h5py

        if self.file is None:
            self.file = h5py.File(self.path, "r")
        return self.file["x"][index], self.file["y"][index]


def torch_loader(folder, shuffled):
    import torch
    from torch.utils.data import DataLoader

    torch.manual_seed(SEED)

    def epoch(_):
        samples = Hdf5Samples(folder / "rows.h5", len(labels(folder)))
        return iter(DataLoader(samples, batch_size=BATCH, shuffle=shuffled, num_workers=WORKERS))

    return epoch


def tf_data(folder, shuffled):
    import h5py
    import tensorflow as tf

    def samples():
        with h5py.File(folder / "rows.h5", "r") as file:
            x, y = file["x"], file["y"]
            for first in range(0, len(x), BATCH):
                yield from zip(x[first : first + BATCH], y[first : first + BATCH])

    def epoch(_):
        width = int(np.load(folder / "x_0.npy", mmap_mode="r").shape[1])
        spec = (tf.TensorSpec((width,), tf.float32), tf.TensorSpec((), tf.int64))
        made = tf.data.Dataset.from_generator(samples, output_signature=spec)
        if shuffled:
            made = made.shuffle(TF_BUFFER_SAMPLES, seed=SEED)
        return made.batch(BATCH).prefetch(tf.data.AUTOTUNE).as_numpy_iterator()

    return epoch


def headrace(folder, shuffled):
    import python_runs

    hr = python_runs.package()
    made = []

    def epoch(_):
        if not made:
            data = hr.open(folder / "rows.hrd")
            made.append(data.loader(BATCH, shuffle=shuffled, seed=SEED, budget=python_runs.BUDGET))
        for taken in made[0]:
            yield taken["x"], taken["y"]

    return epoch


@dataclasses.dataclass(frozen=True)
class Rival:
    words: str
    how: str
    modules: tuple
    files: tuple
    prepare: object


RIVALS = {
    "memmap": Rival(
        "NumPy memmap",
        "`np.load(..., mmap_mode=\"r\")`, `x[a:b]`; shuffled: `x[rows]`, rows of a permutation, sorted in each batch",
        ("numpy",),
        ("x_0.npy",),
        memmap,
    ),
    "h5py": Rival(
        "h5py, contiguous",
        "`x[a:b]`; shuffled: `x[rows]` likewise; labels in memory",
        ("h5py",),
        ("rows.h5",),
        of_hdf5("rows.h5"),
    ),
    "h5py_gzip": Rival(
        "h5py, gzip, chunks of 256 KiB",
        "the same, of a file with `compression=\"gzip\", shuffle=True`",
        ("h5py",),
        ("gzip.h5",),
        of_hdf5("gzip.h5"),
    ),
    "zarr": Rival(
        "zarr 3, chunks of 256 KiB",
        "its default codec (zstd); `x[a:b]`; shuffled: `x.oindex[rows]`; labels in memory",
        ("zarr",),
        ("rows.zarr",),
        zarr,
    ),
    "torch": Rival(
        "PyTorch DataLoader over h5py",
        f"a map-style data set of single samples of the contiguous file, `num_workers={WORKERS}, shuffle=...`",
        ("torch", "h5py"),
        ("rows.h5",),
        torch_loader,
    ),
    "tf_data": Rival(
        "tf.data from a generator over h5py",
        "`from_generator` of samples (read 256 at once), `.batch(256).prefetch(AUTOTUNE)`; shuffled: "
        f"`.shuffle({TF_BUFFER_SAMPLES:,})`, which mixes within that many samples only",
        ("tensorflow", "h5py"),
        ("rows.h5",),
        tf_data,
    ),
    "headrace": Rival(
        "Headrace",
        "`data.loader(256, shuffle=..., budget=\"256M\")`",
        ("numpy",),
        ("rows.hrd",),
        headrace,
    ),
}


def consume(x, y):
    """Reads every value once, as whoever computes with it would at least."""
    return float(np.asarray(x).sum()) + int(y[0])


def resident_bytes():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4096


def run(begin, seconds):
    """Epochs, for so long from the first batch on; the rate leaves the beginning of that out."""
    before = peak_memory.number_of("/proc/self/smaps_rollup", "Pss:")
    start = time.perf_counter()
    marks = []  # (time, samples by then)
    epoch, samples = 0, 0
    while not marks or marks[-1][0] - marks[0][0] < seconds:
        for x, y in begin(epoch):
            consume(x, y)
            samples += len(y)
            marks.append((time.perf_counter(), samples))
            if marks[-1][0] - marks[0][0] >= seconds:
                break
        epoch += 1
    warm = next(mark for mark in marks if mark[0] - marks[0][0] >= WARM_UP * seconds or mark is marks[-2])
    return {
        "samples_per_s": (samples - warm[1]) / (marks[-1][0] - warm[0]),
        "first_batch_s": marks[0][0] - start,
        "samples": samples,
        "seconds": marks[-1][0] - start,
        "before_bytes": before,
    }


def main(name, folder, order, seconds):
    import pathlib

    begin = RIVALS[name].prepare(pathlib.Path(folder), order == "shuffled")
    print(json.dumps(run(begin, float(seconds))), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
