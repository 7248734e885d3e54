"""Runs a command and reports the peak memory of its process tree: the sum of the proportional set sizes
(PSS) of the process and all its descendants, sampled every 10 ms, against what Headrace promises:
budget + 32 MiB, and 16 MiB more for each helper process.

    peak_memory.py [--budget 256M] [--limit SIZE] [--helpers N] -- COMMAND ...

With --limit the command runs under script/with-memory-limit too, so that the kernel enforces what the samples
may miss. Prints one line of JSON; ends with 1 where the command fails or the promise is broken."""

import argparse
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time

MIB = 1 << 20
ALLOWANCE_BYTES = 32 * MIB
HELPER_BYTES = 16 * MIB
INTERVAL_S = 0.01
WITH_LIMIT = pathlib.Path(__file__).resolve().parent.parent / "script" / "with-memory-limit"


def parse_size(text):
    units = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30}
    if text[-1:].upper() in units:
        return int(float(text[:-1]) * units[text[-1].upper()])
    return int(text)


def promised_bytes(budget_bytes, helpers):
    return budget_bytes + ALLOWANCE_BYTES + helpers * HELPER_BYTES


def children_of(pid):
    found = []
    try:
        for task in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{task}/children") as f:
                found += [int(word) for word in f.read().split()]
    except OSError:
        pass
    return found


def process_tree(pid):
    tree, todo = [], [pid]
    while todo:
        tree.append(todo.pop())
        todo += children_of(tree[-1])
    return tree


def number_of(path, key):
    """The bytes of a line "Key:  N kB" of a file under /proc; 0 where the process has gone."""
    try:
        with open(path) as f:
            for line in f:
                if line.startswith(key):
                    return int(line.split()[1]) * 1024
    except OSError:
        pass
    return 0


class Peak:
    """What was seen of a process tree so far."""

    def __init__(self):
        self.pss_bytes = 0
        self.helpers = 0
        self.samples = 0
        self.hwm_bytes = {}

    def sample(self, members):
        pss = 0
        for member in members:
            pss += number_of(f"/proc/{member}/smaps_rollup", "Pss:")
            hwm = number_of(f"/proc/{member}/status", "VmHWM:")
            self.hwm_bytes[member] = max(hwm, self.hwm_bytes.get(member, 0))
        self.pss_bytes = max(self.pss_bytes, pss)
        self.helpers = max(self.helpers, len(members) - 1)
        self.samples += 1


def measure(command, limit_bytes=None, interval_s=INTERVAL_S, **settings):
    """Runs the command to its end. Its standard output is in the answer; its errors go where ours go, unless the
    settings of Popen() say otherwise."""
    command = [str(word) for word in command]
    if limit_bytes is not None:
        command = [sys.executable, str(WITH_LIMIT), str(limit_bytes), *command]
    peak = Peak()
    start = time.monotonic()
    with tempfile.TemporaryFile("w+") as output:
        process = subprocess.Popen(command, stdout=output, **settings)
        while process.poll() is None:
            tree = process_tree(process.pid)
            # What sets the limit is not the command.
            peak.sample(tree if limit_bytes is None else tree[1:])
            time.sleep(interval_s)
        output.seek(0)
        stdout = output.read()
    return {
        "returncode": process.returncode,
        "stdout": stdout,
        "seconds": time.monotonic() - start,
        "peak_pss_bytes": peak.pss_bytes,
        # Of the largest process by itself; what it shares counts in full.
        "peak_hwm_bytes": max(peak.hwm_bytes.values(), default=0),
        "helpers": peak.helpers,
        "samples": peak.samples,
        "limit_bytes": limit_bytes,
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--budget", type=parse_size, help="what the command was told to stay within")
    parser.add_argument("--limit", type=parse_size, help="kill it beyond this (script/with-memory-limit)")
    parser.add_argument("--helpers", type=int, help="helpers to allow for (default: those seen)")
    parser.add_argument("command", nargs="+")
    args = parser.parse_args()
    result = measure(args.command, args.limit)
    sys.stderr.write(result.pop("stdout"))
    broken = False
    if args.budget is not None:
        helpers = result["helpers"] if args.helpers is None else args.helpers
        result["promised_bytes"] = promised_bytes(args.budget, helpers)
        broken = result["peak_pss_bytes"] > result["promised_bytes"]
    print(json.dumps(result))
    return 1 if broken or result["returncode"] != 0 else 0


if __name__ == "__main__":
    sys.exit(main())
