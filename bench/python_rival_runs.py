"""Headrace and other readers of the same rows, each in a process of its own under the same memory limit, with none of
its file in the page cache when it begins."""

import collections
import concurrent.futures
import json
import zlib

import numpy as np

import bench_data
import memory_runs
import peak_memory
import programs
import python_runs
from python_rivals import RIVALS

ORDERS = ("sequential", "shuffled")
SAMPLING_S = 0.1
OVERTIME_S = 60
CHUNK = (bench_data.HDF5_CHUNK_ROWS, bench_data.ROW_FLOATS)


def make_contiguous(x, y, target):
    import h5py

    with h5py.File(target, "w") as file:
        made = file.create_dataset("x", x.shape, x.dtype)
        for first in range(0, len(x), bench_data.BLOCK_ROWS):
            made[first : first + bench_data.BLOCK_ROWS] = x[first : first + bench_data.BLOCK_ROWS]
        file["y"] = y


def gzipped(rows):
    """A chunk as HDF5's filters make it of rows: shuffled by bytes, deflated at the default level."""
    full = np.zeros(CHUNK, rows.dtype)
    full[: len(rows)] = rows
    return zlib.compress(full.view(np.uint8).reshape(-1, full.itemsize).T.tobytes(), 4)


def make_gzipped(x, y, target):
    """On two threads, which h5py by itself does not use."""
    import h5py

    with h5py.File(target, "w") as file, concurrent.futures.ThreadPoolExecutor(2) as pool:
        made = file.create_dataset("x", x.shape, x.dtype, chunks=CHUNK, compression="gzip", shuffle=True)
        file["y"] = y
        pending = collections.deque()
        for first in range(0, len(x), CHUNK[0]):
            pending.append((first, pool.submit(gzipped, x[first : first + CHUNK[0]])))
            if len(pending) > 8:
                at, chunk = pending.popleft()
                made.id.write_direct_chunk((at, 0), chunk.result())
        for at, chunk in pending:
            made.id.write_direct_chunk((at, 0), chunk.result())


def make_zarr(x, _, target):
    import zarr

    made = zarr.create_array(store=target, shape=x.shape, chunks=CHUNK, dtype=x.dtype)
    for first in range(0, len(x), bench_data.BLOCK_ROWS):
        made[first : first + bench_data.BLOCK_ROWS] = x[first : first + bench_data.BLOCK_ROWS]


FILES = {
    "rows.h5": (make_contiguous, ("h5py",)),
    "gzip.h5": (make_gzipped, ("h5py",)),
    "rows.zarr": (make_zarr, ("zarr",)),
}


def make_files(folder, size_bytes):
    """The same rows and labels in every format; those that are there are kept. The folder."""
    x_path, y_path = python_runs.arrays(folder, size_bytes)
    python_runs.convert(x_path, y_path)
    x, y = np.load(x_path, mmap_mode="r"), np.load(y_path)
    for name, (make, modules) in FILES.items():
        target = x_path.with_name(name)
        if not target.exists() and python_runs.have(*modules):
            programs.say(f"data: {target.name}, {size_bytes >> 20} MiB of rows")
            partial = target.with_name(f"partial-{name}")
            make(x, y, partial)
            partial.rename(target)
    return x_path.parent


def drop(path):
    """A file, or all below a folder."""
    for file in [path] if path.is_file() else [file for file in path.rglob("*") if file.is_file()]:
        programs.drop_from_cache(file)


def stored_bytes(path):
    return sum(file.stat().st_size for file in ([path] if path.is_file() else path.rglob("*")) if file.is_file())


def one(name, folder, order, seconds, limit_bytes):
    for file in RIVALS[name].files:
        drop(folder / file)
    ends = ["timeout", "-k", "5", str(int(seconds + OVERTIME_S))]
    command = ends + python_runs.command("python_rivals.py", name, folder, order, seconds)
    with open(folder / "errors.txt", "w") as errors:
        got = peak_memory.measure(command, limit_bytes, SAMPLING_S, env=python_runs.environment(), stderr=errors)
    found = json.loads(got["stdout"].splitlines()[-1]) if got["stdout"].strip() else {}
    how = {0: "yes", 137: "killed for memory", 124: f"no batch within {OVERTIME_S} s"}
    ended = how.get(got["returncode"], f"failed with {got['returncode']}")
    if got["returncode"] not in how:
        programs.say(f"{name}, {order}: {ended}: {(folder / 'errors.txt').read_text()[-500:]}")
    return {"ended": ended, "peak_bytes": got["peak_pss_bytes"]} | found


def summed_up(runs):
    """Of the rounds of one reader in one order; its rate where one round survived at least."""
    lived = [run for run in runs if run["ended"] == "yes"]
    found = {
        "survived": len(lived),
        "runs": len(runs),
        "ended": next((run["ended"] for run in runs if run["ended"] != "yes"), "yes"),
        "peak_bytes": programs.summary([run["peak_bytes"] for run in runs]),
    }
    for key in ("samples_per_s", "first_batch_s", "before_bytes"):
        found[key] = programs.summary([run[key] for run in lived]) if lived else None
    return found


def measure(folder, size_bytes, limit_bytes, rounds, seconds):
    limited = memory_runs.can_limit(limit_bytes)
    files = make_files(folder, size_bytes)
    there = {name: rival for name, rival in RIVALS.items() if python_runs.have(*rival.modules)}
    runs = {
        (name, order): lambda name=name, order=order: one(
            name, files, order, seconds, limit_bytes if limited else None
        )
        for name in there
        for order in ORDERS
    }
    got = programs.in_rounds("rivals", runs, rounds)
    rows = [
        {
            "name": name,
            "words": rival.words,
            "how": rival.how,
            "stored_bytes": sum(stored_bytes(files / file) for file in rival.files),
            "versions": {module: python_runs.version_of(module) for module in rival.modules},
            "orders": {order: summed_up(got[name, order]) for order in ORDERS},
        }
        for name, rival in there.items()
    ]
    return {
        "rounds": rounds,
        "seconds": seconds,
        "size_bytes": size_bytes,
        "limit_bytes": limit_bytes if limited else None,
        "rows": rows,
        "missing": {rival.words: rival.modules for name, rival in RIVALS.items() if name not in there},
    }
