"""What script/bench runs: makes the data, measures, writes results.json, prints the tables."""

import argparse
import datetime
import json
import os
import pathlib
import shutil
import sys

import numpy as np

import bench_data
import conversion_speed
import loader_speed
import machine
import memory_runs
import peak_memory
import prediction
import programs
import set_speed
import shuffle_speed
import standard_sets
import table
from programs import say

MIB = 1 << 20
PARTS = ("epochs", "loader", "prediction", "soak", "conversion", "memory")
SOAK_BATCHES, SOAK_CYCLES = 1_000_000, 10_000
PICTURE = "benchmarks.svg"


def parse_arguments():
    parser = argparse.ArgumentParser(prog="script/bench", description="Measures Headrace on this machine.")
    parser.add_argument("--size", type=peak_memory.parse_size, help="bytes of rows to convert (default 2G)")
    parser.add_argument("--set-size", type=peak_memory.parse_size, help="of each set for epochs (default 512M)")
    parser.add_argument("--quick", action="store_true", help="small sets, 2 short rounds: is everything in order?")
    parser.add_argument("--rounds", type=int, help="how often each is measured (default 7)")
    parser.add_argument("--seconds", type=float, help="of each measure of an epoch (default 1)")
    parser.add_argument("--only", choices=PARTS, action="append", help="this part; may be repeated")
    parser.add_argument("--folder", type=pathlib.Path, default=programs.ROOT / "build" / "bench")
    parser.add_argument("--write", action="store_true", help="write docs/benchmarks.md")
    args = parser.parse_args()
    args.size = args.size or (64 if args.quick else 2048) * MIB
    args.set_size = args.set_size or (24 if args.quick else 512) * MIB
    args.short_size = (4 if args.quick else 300) * MIB
    args.seconds = args.seconds or (0.1 if args.quick else 1)
    args.rounds = args.rounds or (2 if args.quick else 7)
    args.only = args.only or PARTS
    return args


def sizes(args):
    """Of the part that is compared with slow programs, and of the memory runs."""
    small = max(16 * MIB, min(args.size // 8, 256 * MIB))
    return small, args.size if args.quick else 2 * args.size


def check_space(folder, n_bytes):
    free = shutil.disk_usage(folder).free
    if free < n_bytes:
        sys.exit(f"bench: {folder} has {free >> 20} MiB free, {n_bytes >> 20} MiB are needed: --size, --folder")


def save_rows(source, path, rows):
    np.save(path, np.load(source, mmap_mode="r")[:rows])
    return path


def make_parts(args, memory_bytes):
    """The .npy files that are converted: parts of what was made before are kept."""
    parts = args.folder / "parts"
    for old in parts.glob("*.npy"):
        if np.load(old, mmap_mode="r").shape[0] != args.size // bench_data.ROW_BYTES:
            old.unlink()
    say(f"data: {memory_bytes >> 20} MiB in {parts}")
    x, _ = bench_data.make_part(parts, 0, args.size)
    if memory_bytes > args.size:
        bench_data.make_part(parts, 1, args.size)
    else:
        for old in parts.glob("?_1.npy"):
            old.unlink()
    return parts, x


def measure_arrays(args):
    """What begins with arrays: conversion, and peak memory."""
    small_bytes, memory_bytes = sizes(args)
    check_space(args.folder, 2 * memory_bytes + 3 * args.size)
    parts, x = make_parts(args, memory_bytes)
    small = save_rows(x, args.folder / "small.npy", small_bytes // bench_data.ROW_BYTES)
    results = {}
    if "conversion" in args.only:
        results["conversion"] = conversion_speed.measure(x, small, args.folder, args.rounds)
        results["shuffle"] = shuffle_speed.measure(args.folder, args.size // 2, args.rounds)
    if "memory" in args.only:
        gzipped = args.folder / "gzip.h5"
        bench_data.write_hdf5(np.load(small), gzipped)
        epochs = 3 if args.quick else 20
        budget = (128 if args.quick else 256) * MIB
        results["memory"] = memory_runs.measure(parts, gzipped, args.folder, budget, memory_bytes, epochs)
    return results


def measure(args):
    results = {}
    num_sets = len(standard_sets.SETS)
    check_space(args.folder, num_sets * args.set_size + 2 * loader_speed.EPOCHS * args.short_size)
    if "epochs" in args.only:
        results["epochs"] = set_speed.measure(args.folder, args.set_size, args.rounds, args.seconds)
    if "loader" in args.only:
        results["loader"] = loader_speed.measure(
            args.folder, args.set_size, args.short_size, args.rounds, args.seconds
        )
    if "prediction" in args.only:
        probe = "--probe=0.3s" if args.quick else "--probe"
        results["prediction"] = prediction.measure(args.folder, args.set_size, args.rounds, probe=probe)
    if "soak" in args.only:
        say("soak")
        part = 100 if args.quick else 1
        results["soak"] = programs.soak(args.folder, SOAK_BATCHES // part, SOAK_CYCLES // part)
    if "conversion" in args.only or "memory" in args.only:
        results |= measure_arrays(args)
    return results


def write_pages(results, text):
    """docs/benchmarks.md, and the picture that it shows."""
    docs = programs.ROOT / "docs"
    if "epochs" in results:
        shutil.copyfile(results["epochs"]["sets"][0]["runs"][0]["picture"], docs / PICTURE)
    table.write_page(docs / "benchmarks.md", text, results)
    say("docs/benchmarks.md is written")


def main():
    args = parse_arguments()
    begun = datetime.datetime.now(datetime.timezone.utc)
    os.makedirs(args.folder, exist_ok=True)
    about = {
        "date": begun.date().isoformat(),
        "command": " ".join(["script/bench", *sys.argv[1:]]),
        "machine": machine.describe(args.folder),
        "size_bytes": args.size,
        "rounds": args.rounds,
    }
    before = machine.processor_times()
    results = about | measure(args)
    results["stolen"] = machine.processor_use(before)["stolen"]
    results["seconds"] = (datetime.datetime.now(datetime.timezone.utc) - begun).total_seconds()
    target = args.folder / "results.json"
    target.write_text(json.dumps(results, indent=2) + "\n")
    say(f"{results['seconds']:.0f} s; the figures are in {target}, the data beside it can be deleted")
    text = table.render(results)
    print(text)
    if args.write:
        write_pages(results, text)


if __name__ == "__main__":
    main()
