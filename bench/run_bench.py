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
import epoch_speed
import machine
import memory_runs
import peak_memory
import programs
import table
from programs import say

MIB = 1 << 20
PARTS = ("epochs", "conversion", "memory")


def parse_arguments():
    parser = argparse.ArgumentParser(prog="script/bench", description="Measures Headrace on this machine.")
    parser.add_argument("--size", type=peak_memory.parse_size, help="bytes of rows (default 2G)")
    parser.add_argument("--quick", action="store_true", help="256M, 3 rounds, 3 epochs: is everything in order?")
    parser.add_argument("--rounds", type=int, help="how often each is measured (default 5)")
    parser.add_argument("--only", choices=PARTS, action="append", help="this part; may be repeated")
    parser.add_argument("--folder", type=pathlib.Path, default=programs.ROOT / "build" / "bench")
    parser.add_argument("--write", action="store_true", help="write docs/benchmarks.md")
    args = parser.parse_args()
    args.size = args.size or (256 if args.quick else 2048) * MIB
    args.rounds = args.rounds or (3 if args.quick else 5)
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


def save_rows(source, path, rows, floats):
    np.save(path, np.load(source, mmap_mode="r")[:rows].reshape(-1, floats))
    return path


def small_copies(source, folder, small_bytes):
    """The first rows again: as they are, and cut into rows of 64 bytes."""
    rows = small_bytes // bench_data.ROW_BYTES
    plain = save_rows(source, folder / "small.npy", rows, bench_data.ROW_FLOATS)
    return plain, save_rows(source, folder / "narrow.npy", rows, 16)


def measure_epochs(x, y, narrow, folder, rounds):
    path, narrow_path = folder / "train.hrd", folder / "narrow.hrd"
    programs.convert("--field", f"x={x}", "--field", f"y={y}", "-o", path)
    programs.convert(narrow, "-o", narrow_path)
    for made in (path, narrow_path):
        programs.sync_file(made)
    return epoch_speed.measure(path, narrow_path, rounds)


def measure(args):
    folder = args.folder
    folder.mkdir(parents=True, exist_ok=True)
    small_bytes, memory_bytes = sizes(args)
    check_space(folder, 2 * memory_bytes + 3 * args.size)
    parts = folder / "parts"
    for old in parts.glob("*.npy"):
        if np.load(old, mmap_mode="r").shape[0] != args.size // bench_data.ROW_BYTES:
            old.unlink()
    say(f"data: {memory_bytes >> 20} MiB in {parts}")
    x, y = bench_data.make_part(parts, 0, args.size)
    if memory_bytes > args.size:
        bench_data.make_part(parts, 1, args.size)
    elif (parts / "x_1.npy").exists():
        for old in parts.glob("?_1.npy"):
            old.unlink()
    small, narrow = small_copies(x, folder, small_bytes)
    results = {}
    if "epochs" in args.only:
        results["epochs"] = measure_epochs(x, y, narrow, folder, args.rounds)
    if "conversion" in args.only:
        results["conversion"] = conversion_speed.measure(x, small, folder, args.rounds)
    if "memory" in args.only:
        gzipped = folder / "gzip.h5"
        bench_data.write_hdf5(np.load(small), gzipped)
        epochs = 3 if args.quick else 20
        budget = (128 if args.quick else 256) * MIB
        results["memory"] = memory_runs.measure(parts, gzipped, folder, budget, memory_bytes, epochs)
    return results


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
        table.write_page(programs.ROOT / "docs" / "benchmarks.md", text)
        say("docs/benchmarks.md is written")


if __name__ == "__main__":
    main()
