"""What script/bench-python runs: measures, writes results.json, prints the section, and with --write puts it into
docs/benchmarks.md."""

import argparse
import datetime
import json
import os
import pathlib
import sys

import machine
import peak_memory
import programs
import python_adapters
import python_growth
import python_loops
import python_rival_runs
import python_table

MIB = 1 << 20
FOLDER = programs.ROOT / "build" / "bench-python"


def parse_arguments():
    parser = argparse.ArgumentParser(prog="script/bench-python", description="Measures the Python package.")
    parser.add_argument("--quick", action="store_true", help="small data, short rounds: is everything in order?")
    parser.add_argument("--only", choices=python_table.PARTS, action="append", help="this part; may be repeated")
    parser.add_argument("--limit", type=peak_memory.parse_size, default=1 << 30, help="for other readers (default 1G)")
    parser.add_argument("--folder", type=pathlib.Path, help="for data and results (default build/bench-python)")
    parser.add_argument("--write", action="store_true", help="write the section of docs/benchmarks.md")
    args = parser.parse_args()
    args.folder = args.folder or (FOLDER / "quick" if args.quick else FOLDER)
    args.only = args.only or python_table.PARTS
    return args


def measure_part(name, folder, quick, limit_bytes):
    size = (32 if quick else 256) * MIB
    rounds = 2 if quick else 7
    if name == "loops":
        return python_loops.measure(folder, size, rounds, 0.1 if quick else 1, len(os.sched_getaffinity(0)))
    if name == "adapters":
        return python_adapters.measure(folder, size, rounds, 0.1 if quick else 0.5)
    if name == "memory":
        return python_growth.measure(folder, (16 if quick else 128) * MIB, 4 if quick else 20, 1 if quick else 3)
    rows = (64 if quick else 2048) * MIB
    return python_rival_runs.measure(folder, rows, limit_bytes, 1 if quick else 3, 1 if quick else 6)


def measure(args):
    """Figures of earlier runs stay where a part was not asked for."""
    target = args.folder / "results.json"
    results = json.loads(target.read_text()) if target.exists() else {}
    about = {
        "command": " ".join(["script/bench-python", *sys.argv[1:]]),
        "date": datetime.datetime.now(datetime.timezone.utc).date().isoformat(),
        "cpu": machine.cpu_model(),
        "cores": len(os.sched_getaffinity(0)),
    }
    for name in args.only:
        results[name] = measure_part(name, args.folder, args.quick, args.limit) | about
        target.write_text(json.dumps(results, indent=2) + "\n")
    return results


def main():
    args = parse_arguments()
    records = args.folder / "records"
    records.mkdir(parents=True, exist_ok=True)
    os.environ["HEADRACE_STATE_DIR"] = str(records)  # what processes that are killed leave behind
    if (busy := machine.busy_with_others()) > 0.05:
        programs.say(f"other programs use {100 * busy:.0f} % of the processors: these figures are noise")
    seconds = programs.seconds_of(lambda: measure(args))
    results = json.loads((args.folder / "results.json").read_text())
    programs.say(f"{seconds:.0f} s; the figures are in {args.folder / 'results.json'}")
    print(python_table.render(results), end="")
    if args.write:
        python_table.write(programs.ROOT / "docs" / "benchmarks.md", results)
        programs.say(f"docs/benchmarks.md and docs/{python_table.PICTURE} are written")


if __name__ == "__main__":
    main()
