"""What script/bench-convert runs: writes the same arrays with Headrace and with others, prints the table, and with
--write puts it into docs/benchmarks.md."""

import argparse
import datetime
import json
import os
import pathlib
import sys

import convert_rivals
import convert_table
import machine
import peak_memory
import programs

MIB = 1 << 20


def parse_arguments():
    parser = argparse.ArgumentParser(prog="script/bench-convert", description="Writes the same arrays with others.")
    parser.add_argument("--size", type=peak_memory.parse_size, default=512 * MIB, help="of each array (default 512M)")
    parser.add_argument("--rounds", type=int, default=5, help="how often each is written (default 5)")
    parser.add_argument("--folder", type=pathlib.Path, default=programs.ROOT / "build" / "bench-convert" / "data")
    parser.add_argument("--write", action="store_true", help="write the section of docs/benchmarks.md")
    return parser.parse_args()


def main():
    args = parse_arguments()
    args.folder.mkdir(parents=True, exist_ok=True)
    busy = machine.busy_with_others()
    if busy > 0.05:
        programs.say(f"other programs use {100 * busy:.0f} % of the processors: these figures are noise")
    results = convert_rivals.measure(args.folder, args.size, args.rounds) | {
        "command": " ".join(["script/bench-convert", *sys.argv[1:]]),
        "date": datetime.datetime.now(datetime.timezone.utc).date().isoformat(),
        "cpu": machine.cpu_model(),
        "cores": len(os.sched_getaffinity(0)),
        "busy": f", of which other programs used {100 * busy:.0f} %: times are noise" if busy > 0.05 else "",
    }
    target = args.folder / "results.json"
    target.write_text(json.dumps(results, indent=2) + "\n")
    programs.say(f"the figures are in {target}, the data beside it can be deleted")
    print(convert_table.render(results), end="")
    if args.write:
        convert_table.write(programs.ROOT / "docs" / "benchmarks.md", results)
        programs.say("docs/benchmarks.md is written")


if __name__ == "__main__":
    main()
