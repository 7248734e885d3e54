"""Peak memory of conversions and epochs against what is promised, each under a kernel limit of just that much
where script/with-memory-limit can set one for what is resident; one epoch against many."""

import json
import pathlib
import subprocess
import sys

import bench_data
import peak_memory
import programs

FLAT_BYTES = 4 << 20


def can_limit(limit_bytes):
    """By a control group, not on address space, which counts what is never touched."""
    command = [sys.executable, str(peak_memory.WITH_LIMIT), str(limit_bytes), "true"]
    done = subprocess.run(command, capture_output=True, text=True)
    return done.returncode == 0 and "cgroup" in done.stderr


def one(name, budget_bytes, helpers, command):
    promised = peak_memory.promised_bytes(budget_bytes, helpers)
    limit = promised if can_limit(promised) else None
    programs.say(f"memory: {name}" + (", under a limit" if limit else ""))
    got = peak_memory.measure(command, limit)
    report = json.loads(got.pop("stdout") or "{}")
    return got | {
        "name": name,
        "budget_bytes": budget_bytes,
        "promised_bytes": promised,
        "helpers_allowed": helpers,
        "bytes": report.get("bytes", report.get("decoded_bytes")),
        "kept": got["returncode"] == 0 and got["peak_pss_bytes"] <= promised,
    }


def converting(name, budget, helpers, target, *inputs):
    command = [programs.HEADRACE, "convert", *inputs, "-o", target, "--force", "--json", "--quiet"]
    options = ["--budget", budget] + (["--helpers", helpers] if helpers else [])
    return one(name, budget, helpers, command + options)


def training(name, budget, path, epochs, *options):
    command = [programs.HEADRACE, "epoch", path, "--json", "--quiet", "--budget", budget, "--epochs", epochs]
    return one(name, budget, 0, [*command, *options])


def flat(few, many):
    grown = many["peak_pss_bytes"] - few["peak_pss_bytes"]
    return {
        "name": f"{many['name']} against {few['name']}",
        "grown_bytes": grown,
        "kept": grown <= FLAT_BYTES,
    }


def measure(parts, gzipped, folder, budget_bytes, size_bytes, epochs):
    """parts: the folder of the .npy files; gzipped: a small HDF5 file, made as large as they are."""
    folder = pathlib.Path(folder)
    train, large = folder / "memory.hrd", folder / "large.h5"
    bench_data.repeat_hdf5(gzipped, large, size_bytes)
    helpers = 2
    rows = [converting("convert, HDF5", budget_bytes, helpers, train, large)]
    large.unlink()
    rows.append(converting("convert, .npy", budget_bytes, 0, train, parts))
    flats = []
    for name, options in (("shuffled", ["--shuffle"]), ("sequential", [])):
        few = training(f"1 epoch, {name}", budget_bytes, train, 1, *options)
        many = training(f"{epochs} epochs, {name}", budget_bytes, train, epochs, *options)
        rows += [few, many]
        flats.append(flat(few, many))
    train.unlink()
    return {
        "data_bytes": size_bytes,
        "budget_bytes": budget_bytes,
        "rows": rows,
        "flat": flats,
    }
