"""Headrace and other writers of the same arrays: time, size, memory, and what a kill in the middle leaves. Each runs in
a process of its own, in turns, its source in the page cache, and its result synchronised to the disk."""

import importlib.metadata
import importlib.util
import json
import os
import shutil
import signal
import subprocess
import sys
import time

import numpy as np

import bench_data
import convert_writers
import peak_memory
import programs
import standard_sets
from convert_writers import WRITERS, write_command

SETS = {  # the words, its name among the standard sets, and another element type
    "images": ("uint8 images, 150 KB", "uint8 images, 150 KB", None),
    "features": ("float32 features, 2 KiB", "float32 rows, 2 KiB", None),
    "tokens": ("int64 tokens, 8 KiB", "int32 token sequences, 4 KiB", np.int64),
}
DISTRIBUTIONS = {"streaming": "mosaicml-streaming", "lance": "pylance"}
KILL_AT = (0.5, 0.25, 0.1, 0.03)  # of the time that it takes: sooner where it had ended by then
SAMPLING_S = 0.02


def make_source(folder, name, size_bytes):
    """FOLDER/NAME.npy of about so many bytes, kept for the next run."""
    _, standard, dtype = SETS[name]
    made = next(one for one in standard_sets.SETS if one.name == standard)
    dtype = np.dtype(dtype or made.dtype)
    count = max(1, size_bytes // (dtype.itemsize * int(np.prod(made.shape))))
    path = folder / f"{name}.npy"
    if path.exists() and np.load(path, mmap_mode="r").shape == (count, *made.shape):
        return path
    programs.say(f"data: {path}")
    block = max(1, standard_sets.BLOCK_BYTES // (dtype.itemsize * int(np.prod(made.shape))))

    def make(start, rows):
        random = np.random.default_rng([standard_sets.SEED, start])
        return [made.make(random, rows).astype(dtype, copy=False)]

    bench_data.write_blocks((path,), (made.shape,), (dtype,), count, block, make)
    return path


def files_of(target):
    return [target] if target.is_file() else sorted(path for path in target.rglob("*") if path.is_file())


def remove(target):
    for path in target.parent.glob(f"{target.name}*"):
        shutil.rmtree(path) if path.is_dir() else path.unlink()


def write_once(name, source, target):
    """Seconds until all is on the disk, the imports of its modules left out; bytes; and memory at its peak."""
    remove(target)
    programs.read_whole(source)
    with open(target.parent / "errors.txt", "w") as errors:
        got = peak_memory.measure(write_command(name, source, target), None, SAMPLING_S, stderr=errors)
    if got["returncode"] != 0:
        words = (target.parent / "errors.txt").read_text().strip().splitlines()
        raise RuntimeError(f"{name}: {words[-1] if words else got['returncode']}")
    synced = programs.seconds_of(lambda: [programs.sync_file(path) for path in files_of(target)])
    written = json.loads(got["stdout"][got["stdout"].index("{") :])["seconds"]
    return {
        "seconds": written + synced,
        "unsynced_s": written,
        "bytes": sum(path.stat().st_size for path in files_of(target)),
        "peak_bytes": got["peak_pss_bytes"],
    }


def run_check(name, source, target):
    words = [sys.executable, convert_writers.__file__, name, "check", str(source), str(target)]
    done = subprocess.run(words, capture_output=True, text=True)
    if done.returncode != 0 or not done.stdout.strip():
        lines = done.stderr.strip().splitlines()
        return {"error": lines[-1] if lines else f"ended with {done.returncode}"}
    return json.loads(done.stdout.splitlines()[-1])


def killed(name, source, target, seconds):
    """What there is after kill -9 of the whole group in the middle of writing."""
    for part in KILL_AT:
        found = killed_after(name, source, target, part * seconds)
        if found["in_time"]:
            break
    return found


def killed_after(name, source, target, seconds):
    remove(target)
    words = write_command(name, source, target)
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
    begun = None
    while process.poll() is None and (begun is None or time.monotonic() - begun < seconds):
        if begun is None and any(target.parent.glob(f"{target.name}*")):
            begun = time.monotonic()
        time.sleep(0.002)
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
    in_time = process.wait() == -signal.SIGKILL
    found = {"in_time": in_time, "there": target.exists()}
    if target.exists():
        found |= run_check(name, source, target)
    return found


def resume(source, target):
    """Headrace goes on with what the kill has left: what comes of it."""
    if not target.with_name(target.name + ".partial").exists():
        return None
    done = subprocess.run(write_command("headrace", source, target), capture_output=True)
    return run_check("headrace", source, target) if done.returncode == 0 else {"error": done.stderr.decode()[-200:]}


def version_of(module):
    try:
        return importlib.metadata.version(DISTRIBUTIONS.get(module, module))
    except importlib.metadata.PackageNotFoundError:
        return ""


def summed_up(runs):
    return {
        "seconds": programs.summary([run["seconds"] for run in runs]),
        "bytes": runs[0]["bytes"],
        "peak_bytes": programs.summary([run["peak_bytes"] for run in runs]),
    }


def usable(sources, folder):
    """Writers that are installed and write each array at all, to begin with; and why others do not."""
    there, missing = {}, {}
    for name, writer in WRITERS.items():
        absent = [module for module in writer.modules if importlib.util.find_spec(module) is None]
        if absent:
            missing[writer.words] = f"{', '.join(absent)} could not be installed"
            continue
        try:
            for part, source in sources.items():
                write_once(name, source, folder / f"{name}-{part}")
                right = run_check(name, source, folder / f"{name}-{part}")
                if right.get("wrong") != 0:
                    raise RuntimeError(f"its reader gives {right} of {part}")
        except RuntimeError as error:
            missing[writer.words] = str(error)
            continue
        finally:
            for part in sources:
                remove(folder / f"{name}-{part}")
        there[name] = writer
    return there, missing


def measure(folder, size_bytes, rounds):
    sources = {name: make_source(folder, name, size_bytes) for name in SETS}
    there, missing = usable(sources, folder)
    targets = {(name, part): folder / f"{name}-{part}" for name in there for part in sources}
    ways = {
        (name, part): lambda name=name, part=part: write_once(name, sources[part], targets[name, part])
        for name, part in targets
    }
    got = programs.in_rounds("writers", ways, rounds)
    rows = []
    for name, writer in there.items():
        programs.say(f"kill: {name}")
        part = "features"
        took = min(run["unsynced_s"] for run in got[name, part])
        row = {
            "name": name,
            "words": writer.words,
            "how": writer.how,
            "resume": writer.resume,
            "versions": {module: version_of(module) for module in writer.modules},
            "sets": {part: summed_up(got[name, part]) for part in sources},
            "killed": killed(name, sources[part], targets[name, part], took),
        }
        if name == "headrace":
            row["resumed"] = resume(sources[part], targets[name, part])
        rows.append(row)
        for part in sources:
            remove(targets[name, part])
    return {
        "size_bytes": {part: source.stat().st_size for part, source in sources.items()},
        "samples": {part: int(np.load(source, mmap_mode="r").shape[0]) for part, source in sources.items()},
        "words": {part: SETS[part][0] for part in sources},
        "rounds": rounds,
        "rows": rows,
        "missing": missing,
    }
