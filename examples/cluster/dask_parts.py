"""Blocks of Dask arrays become parts, each written by the worker that holds it, and are joined.

    python dask_parts.py X.npy y.npy train.hrd [SCHEDULER]

SCHEDULER is the address of a cluster ("tcp://host:8786") whose workers see the folder of train.hrd; without it two
processes on this machine do it. To be adapted: where the arrays come from, and what is done to them.
"""

import pathlib
import sys

import dask
import dask.array
import numpy as np
from dask.distributed import Client, LocalCluster

import headrace as hr

BLOCK = 4096  # samples of a part; far more where there are many
# The same for all parts. A task that runs again writes its part again.
OPTIONS = {"samples_per_chunk": 256, "replace": True}


def load(path):
    """An array in blocks along axis 0, read by the workers."""
    rows = np.load(path, mmap_mode="r")
    return dask.array.from_array(rows, chunks=(BLOCK, *rows.shape[1:]))


def write_part(path, images, labels):
    hr.from_arrays(path, X=images, y=labels, options=OPTIONS)
    return path


def main(images, labels, out, scheduler=None):
    out = pathlib.Path(out).absolute()
    x = load(images).astype("float32") / 255  # whatever Dask can do
    y = load(labels)
    with Client(scheduler or LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None)) as client:
        blocks = list(zip(x.to_delayed().ravel(), y.to_delayed().ravel(), strict=True))
        parts = [
            dask.delayed(write_part)(f"{out}.part-{i:05d}-of-{len(blocks):05d}.hrd", *block)
            for i, block in enumerate(blocks)
        ]
        paths = client.gather(client.compute(parts))
    done = hr.join(*paths, out=out, replace=True)
    print(f"{out.name}: {done.num_samples} samples of {done.num_parts} parts")
    for path in paths:
        pathlib.Path(path).unlink()


if __name__ == "__main__":
    main(*sys.argv[1:])
