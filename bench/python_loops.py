"""The loop over a loader in Python against `headrace epoch` on the same file: rates in turns, and what a batch costs in
Python when it is ready, in parts."""

import ctypes
import itertools
import math
import time
import timeit

import programs
import python_runs

PROMISED = {"256 x 2 KiB": 0.95, "32 x 400 B": 0.80}
FIELDS = ("x", "y")
REST_S = 0.06  # in which batches become ready
READY_BYTES = 24 << 20  # of batches, which have room in the window
REPEATS = 40


def by_command(path, batch, epochs, threads):
    """Samples per second."""
    options = ["--batch", batch, "--shuffle", "--seed", 1, "--epochs", epochs, "--threads", threads]
    got = programs.epoch(path, *options, "--budget", python_runs.BUDGET, "--io", "cached")
    return got["samples"] / got["seconds"]


def by_python(path, batch, epochs, threads):
    hr = python_runs.package()
    with hr.open(path) as data:
        samples = 0
        loader = data.loader(
            batch, shuffle=True, seed=1, epochs=epochs, threads=threads, budget=python_runs.BUDGET, io="cached"
        )
        start = time.perf_counter()
        for _ in range(epochs):
            for taken in loader:
                for name in FIELDS:
                    array = taken[name]
                samples += len(array)
        seconds = time.perf_counter() - start
        loader.close()
    return samples / seconds


def raw(loop, count):
    """The two calls of the C library, and nothing else."""
    from headrace import _abi
    from headrace._library import LIB, new

    room = (ctypes.c_void_p * len(FIELDS))()
    taken, error = new(_abi.hr_taken_batch), _abi.hr_error()
    taken.data, taken.num_data = ctypes.cast(room, type(taken.data)), len(room)
    references = ctypes.byref(taken), ctypes.byref(error)
    with loop._stream.use() as pointer:
        start = time.perf_counter()
        for _ in range(count):
            if LIB.hr_loader_take(pointer, 10**9, *references) != _abi.HR_OK:
                raise RuntimeError(error.message.decode())
            LIB.hr_batch_let_go(taken.batch)
        return time.perf_counter() - start


def take(loop, count):
    stream = loop._stream
    start = time.perf_counter()
    for _ in range(count):
        stream.take(loop)
    return time.perf_counter() - start


def whole(loop, count):
    start = time.perf_counter()
    for batch in itertools.islice(loop, count):
        for name in FIELDS:
            batch[name]
    return time.perf_counter() - start


def array(batch):
    return min(timeit.repeat(lambda: batch[FIELDS[0]], number=1000, repeat=20)) / 1000


def overhead(path, batch, repeats):
    """Microseconds of a batch: of an epoch of few batches, which is decoded before it is taken, so that no thread is
    waited for or woken; without the first, with which it is learnt what batches are. The lowest of many."""
    hr = python_runs.package()
    with hr.open(path) as data:
        few = READY_BYTES // (batch * sum(field.sample_bytes for field in data.fields.values()))
        few = max(2, min(48, few, data.num_samples // batch))
        options = {"shuffle": True, "epochs": 1, "io": "cached", "budget": python_runs.BUDGET}
        options["subset"] = data.subset(0, few * batch)

        def lowest(run):
            found = []
            for _ in range(repeats):
                with data.loader(batch, **options) as loader:
                    loop = iter(loader)
                    whole(loop, 1)
                    time.sleep(REST_S)
                    found.append(run(loop, few - 1) / (few - 1))
            return 1e6 * min(found)

        raw_us, take_us, whole_us = lowest(raw), lowest(take), lowest(whole)
        with data.loader(batch, **options) as loader:
            array_us = 1e6 * array(next(iter(loader)))
    return {
        "fields": len(FIELDS),
        "raw_us": raw_us,
        "take_us": take_us - raw_us,
        "array_us": array_us,
        "left_us": whole_us - take_us - len(FIELDS) * array_us,
        "whole_us": whole_us,
    }


def one_set(name, path, batch, rounds, seconds, threads, repeats):
    programs.read_whole(path)
    samples = programs.epoch(path, "--batch", batch)["samples"]
    epochs = max(2, math.ceil(seconds * by_command(path, batch, 1, threads) / samples))
    ways = {
        "command": lambda: by_command(path, batch, epochs, threads),
        "python": lambda: by_python(path, batch, epochs, threads),
    }
    got = programs.in_rounds(f"loops, batches of {name}", ways, rounds)
    shares = [ours / theirs for ours, theirs in zip(got["python"], got["command"])]
    return {
        "name": name,
        "batch": batch,
        "epochs": epochs,
        "command": programs.summary(got["command"]),
        "python": programs.summary(got["python"]),
        "share": programs.summary(shares),
        "promised": PROMISED[name],
        "overhead": overhead(path, batch, repeats),
    }


def measure(folder, size_bytes, rounds, seconds, threads, repeats=REPEATS):
    rows = [one_set(*one, rounds, seconds, threads, repeats) for one in python_runs.sets(folder, size_bytes)]
    return {"rounds": rounds, "threads": threads, "rows": rows}
