#!/usr/bin/env python3
"""Closing lines of script/demo: a table of what was shown."""

import argparse
import json
import math
import sys

MIB = 1 << 20


def size(n_bytes):
    for unit in ("bytes", "KiB", "MiB"):
        if n_bytes < 1024:
            return f"{n_bytes:.3g} {unit}"
        n_bytes /= 1024
    return f"{n_bytes:.2f} GiB"


def load(path):
    with open(path, encoding="utf-8") as file:
        return json.load(file)


def lines(args):
    info, training = load(args.info), load(args.training)
    limit = args.limit_mib * MIB
    decoded, peak = info["decoded_bytes"], training["peak_rss_bytes"]
    shape = ", ".join(str(n) for n in info["fields"][0]["shape"])
    wait = training["wait_seconds"] / training["seconds"]
    rate = training["samples"] / training["seconds"]
    speed = size(training["bytes"] / training["seconds"])
    mismatch = decoded < 8 * limit or peak > limit or math.isnan(training["loss"])
    yield "data", f"{info['samples']:,} digits, float32 ({shape}): {size(decoded)}"
    yield "in the file", f"{size(info['file_bytes'])}, {info['ratio']:.1f} to 1, every byte checked"
    yield "memory limit", f"{size(limit)}: the data are {decoded / limit:.1f} times as large"
    yield "peak memory", size(peak)
    yield "accuracy", f"{training['held_out']:.1%} of digits it has never seen"
    yield "speed", f"{rate:,.0f} samples/s, {speed}/s, training included"
    yield "waiting for data", f"{wait:.1%} of the time"
    yield "loaded whole", args.contrast
    yield "all of this took", f"{args.seconds // 60} min {args.seconds % 60} s"
    if mismatch:
        sys.exit("demo: the figures above are not what was to be shown")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--info", required=True, help="from headrace info --json")
    parser.add_argument("--training", required=True, help="from train_mlp --report")
    parser.add_argument("--limit-mib", type=int, required=True)
    parser.add_argument("--contrast", required=True, help="what became of loading it whole")
    parser.add_argument("--seconds", type=int, required=True, help="of the whole demo")
    args = parser.parse_args()

    rule = "  " + "-" * 66
    print(f"\n  Headrace: training on data larger than memory\n{rule}")
    for name, value in lines(args):
        print(f"  {name:18}{value}")
    print(rule)


if __name__ == "__main__":
    main()
