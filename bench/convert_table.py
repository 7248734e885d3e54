"""The section of docs/benchmarks.md on other writers, of the results that script/bench-convert makes."""

import re

import gpu_table
import table
from table import grid, mib, span

TITLE = table.ELSEWHERE[2]


def seconds(x):
    return f"{x:.2f} s"


def of_rounds(n):
    return "one round" if n == 1 else f"medians of {n} rounds, with the lowest and highest"


def without_paths(error):
    return re.sub(r"\S*/\S*", "...", error.partition("(")[0])[:120].strip()


def killed_text(row, samples):
    found = row["killed"]
    if not found["in_time"]:
        return "it had ended before it was killed"
    if not found["there"]:
        text = "nothing under the name that was asked for"
    elif "error" in found:
        text = f"something that does not open: {without_paths(found['error'])}"
    elif found["wrong"] > 0:
        text = f"**{found['samples']:,} samples that open, {found['wrong']:,} of them wrong**"
    else:
        text = f"{found['samples']:,} of {samples:,} samples" + (", all right" if found["samples"] else "")
    resumed = row.get("resumed")
    if resumed is not None:
        right = resumed.get("samples") == samples and resumed.get("wrong") == 0
        text += "; resumed, all are right" if right else f"; resumed: {resumed}"
    return text.replace("|", "/")


def render(results):
    parts = list(results["words"])
    header = ["writer", *(f"{results['words'][part]}: time" for part in parts)]
    header += [*(f"size, {part}" for part in parts), "peak memory", "can it be resumed", "killed in the middle"]
    rows = [
        [
            row["words"],
            *(span(row["sets"][part]["seconds"], seconds) for part in parts),
            *(mib(row["sets"][part]["bytes"]) for part in parts),
            mib(max(row["sets"][part]["peak_bytes"]["median"] for part in parts)),
            row["resume"],
            killed_text(row, results["samples"]["features"]),
        ]
        for row in results["rows"]
    ]
    sizes = ", ".join(f"{mib(results['size_bytes'][part])} of {results['words'][part]}" for part in parts)
    versions = {name: version for row in results["rows"] for name, version in row["versions"].items() if version}
    notes = [f"- {row['words']}: {row['how']}." for row in results["rows"]]
    notes += [f"- {words}: not measured: {why}." for words, why in results["missing"].items()]
    return (
        f"{TITLE}\n\n*By `{results['command']}` on {results['date']}, {results['cpu']}, {results['cores']} cores"
        f"{results['busy']}.*\n\n"
        f"The same arrays, {sizes}, from `.npy` files in the page cache, each writer at its documented defaults in a "
        f"process of its own, in turns: {of_rounds(results['rounds'])}. Time is "
        "until all is synchronised to the disk, without the start of the program and the imports of Python's modules. "
        "Peak memory is the proportional set size of all its processes, the interpreter included where there is one. "
        "Killed: by `kill -9` after half of the time that it takes, or sooner, the features being written; what is "
        "then under the name is read with the writer's own reader and compared with the source. "
        + ", ".join(f"{name} {version}" for name, version in sorted(versions.items()))
        + ".\n\n"
        + grid(header, rows)
        + "\n"
        + "\n".join(notes)
        + "\n"
    )


def write(page, results):
    gpu_table.write_page(page, render(results), TITLE)
