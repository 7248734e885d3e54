"""Ray tasks write parts, each of a range of samples, and the parts are joined.

    python ray_parts.py X.npy y.npy train.hrd [ADDRESS]

ADDRESS is that of a Ray cluster ("auto", "ray://host:10001") whose nodes see the folders of all files; without it Ray
is started on this machine. To be adapted: what a task reads, and what it makes of it.
"""

import pathlib
import sys

import numpy as np
import ray

import headrace as hr

NUM_PARTS = 6
BLOCK = 512  # samples that a task holds at a time


@ray.remote(num_cpus=1, max_retries=3)
def write_part(path, images, labels, first, end):
    """Samples first .. end - 1. A task that is tried again writes its part again."""
    x, y = (np.load(source, mmap_mode="r") for source in (images, labels))
    fields = {"X": ("float32", x.shape[1:]), "y": y.dtype}
    # The options are the same for all parts.
    with hr.Writer(path, fields, samples_per_chunk=256, replace=True, threads=1) as writer:
        for begin in range(first, end, BLOCK):
            rows = slice(begin, min(begin + BLOCK, end))
            writer.append(X=x[rows].astype("float32") / 255, y=y[rows])
    return path


def main(images, labels, out, address=None):
    images, labels, out = (pathlib.Path(path).absolute() for path in (images, labels, out))
    num_samples = len(np.load(labels, mmap_mode="r"))
    if address is None:
        ray.init(num_cpus=2, include_dashboard=False, object_store_memory=100 << 20)
    else:
        ray.init(address)
    bounds = [num_samples * i // NUM_PARTS for i in range(NUM_PARTS + 1)]
    paths = ray.get(
        [
            write_part.remote(f"{out}.part-{i:05d}-of-{NUM_PARTS:05d}.hrd", images, labels, bounds[i], bounds[i + 1])
            for i in range(NUM_PARTS)
        ]
    )
    ray.shutdown()
    done = hr.join(*paths, out=out, replace=True)
    print(f"{out.name}: {done.num_samples} samples of {done.num_parts} parts")
    for path in paths:
        pathlib.Path(path).unlink()


if __name__ == "__main__":
    main(*sys.argv[1:])
