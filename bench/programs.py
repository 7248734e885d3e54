"""The programs that script/bench runs, and the ways it runs them."""

import json
import os
import pathlib
import resource
import shutil
import statistics
import subprocess
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
BUILD = pathlib.Path(os.environ.get("HEADRACE_BIN", ROOT / "build" / "release" / "bin")).parent
HEADRACE = BUILD / "bin" / "headrace"
ENCODE_LIMIT = BUILD / "bench" / "encode_limit"
WIDE_INDEX = BUILD / "bench" / "wide_index"
SIDE_BY_SIDE = BUILD / "bench" / "side_by_side"
SOAK = BUILD / "bench" / "soak"
PAGE_BYTES = 4096


def say(text):
    print(f"bench: {text}", flush=True)


def have(program):
    return shutil.which(program) is not None


def run(*command):
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(map(str, command))}: {done.returncode}: {done.stderr.strip()}")
    return done.stdout


def run_json(*command):
    return json.loads(run(*command))


def seconds_of(function):
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def children_seconds():
    """Processor time of the programs that have ended."""
    use = resource.getrusage(resource.RUSAGE_CHILDREN)
    return use.ru_utime + use.ru_stime


def sync_file(path):
    fd = os.open(path, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def drop_from_cache(path):
    """Of this file only; needs no rights."""
    sync_file(path)
    fd = os.open(path, os.O_RDONLY)
    try:
        os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
    finally:
        os.close(fd)


def read_whole(path):
    """Through the page cache, where it then is. Bytes per second."""
    buffer = bytearray(1 << 20)
    total = 0
    start = time.perf_counter()
    with open(path, "rb", buffering=0) as file:
        while count := file.readinto(buffer):
            total += count
    return total / (time.perf_counter() - start)


def soak(folder, batches, cycles, *options):
    """What the process held before and at the end; "grown" says in words what it did not give back."""
    command = [str(word) for word in (SOAK, folder, batches, cycles, *options)]
    done = subprocess.run(command, capture_output=True, text=True)
    if not done.stdout:
        raise RuntimeError(f"{' '.join(command)}: {done.returncode}: {done.stderr.strip()}")
    return json.loads(done.stdout) | {"kept": done.returncode == 0, "grown": done.stderr.splitlines()}


def encode_limit(path, source):
    """Of a file's frames; source: what it was made of, in the page cache."""
    read_whole(source)
    return run_json(ENCODE_LIMIT, path, source)


def epoch(path, *options):
    return run_json(HEADRACE, "epoch", path, "--json", "--quiet", *options)


def plan(path, *options):
    return run_json(HEADRACE, "plan", path, "--json", *options)


def bench(path, *options):
    """The measures of `headrace bench` by name, beside its other figures."""
    answer = run_json(HEADRACE, "bench", path, "--json", "--quiet", *options)
    return answer | {"measures": {measure["name"]: measure for measure in answer["measures"]}}


def convert(*arguments):
    return run_json(HEADRACE, "convert", *arguments, "--force", "--json", "--quiet")


def round_to_pages(n_bytes):
    return -(-n_bytes // PAGE_BYTES) * PAGE_BYTES


def fio(path, pattern, block_bytes, depth=64):
    """One pass over a file past the page cache, in pieces of the chunks' size. Bytes per second."""
    answer = run_json(
        *("fio", "--name=headrace", f"--filename={path}", "--readonly", "--ioengine=libaio", "--direct=1"),
        *(f"--rw={pattern}", f"--bs={block_bytes}", f"--iodepth={depth}", "--output-format=json"),
        *("--loops=1", "--invalidate=0"),
    )
    return answer["jobs"][0]["read"]["bw_bytes"]


def fio_write(path, n_bytes):
    """A new file of n_bytes, on disk at the end. Bytes per second."""
    answer = run_json(
        *("fio", "--name=headrace", f"--filename={path}", "--ioengine=psync", "--rw=write", "--bs=1m"),
        *(f"--size={round_to_pages(n_bytes)}", "--end_fsync=1", "--output-format=json"),
        *("--refill_buffers=1", "--unlink=1"),
    )
    return n_bytes * 1e3 / answer["jobs"][0]["write"]["runtime"]


def in_rounds(what, measurements, rounds):
    """Every measurement once in each round, each round beginning with another one, so that whatever drifts
    meets all of them alike. name -> list of results, one for each round."""
    results = {name: [] for name in measurements}
    names = list(measurements)
    for number in range(rounds):
        say(f"{what}, round {number + 1} of {rounds}")
        shift = number % len(names)
        for name in names[shift:] + names[:shift]:
            results[name].append(measurements[name]())
    return results


def summary(values):
    return {"median": statistics.median(values), "low": min(values), "high": max(values), "runs": len(values)}
