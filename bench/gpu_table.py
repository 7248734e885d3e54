"""The section of docs/benchmarks.md on GPUs: gpu_table.py [results.json] prints it, "not measured yet" without
results; --write PAGE puts it into a page, in the place of the one that is there, and beside the page the picture of
gpu_picture.py. script/bench-gpu makes the results, perhaps on a machine that has nothing but Python's own modules."""

import json
import pathlib
import re
import sys

import gpu_picture
import table
from table import grid, mib, milliseconds, percent, rate, span, times, verdict

TITLE = table.ELSEWHERE[0]
NOT_MEASURED = gpu_picture.NOT_MEASURED
PICTURE = "benchmarks_gpu.svg"
SIZES = (512 << 10, 4 << 20, 32 << 20)
# What is asked of each figure: at least, or at most.
SHARE, RATIO, KERNEL_SHARE = 0.95, 1.05, 0.8
KERNELS = (
    "uint8 (224, 224, 3) to float16 (3, 224, 224), scaled",
    "uint8 (224, 224, 3) to float32 (3, 224, 224), scaled",
    "uint8 to float32",
    "uint8 to float16, checked",
    "float32 to bfloat16",
    "float32 to float16, checked",
    "float64 to float32",
    "float32, only checked (read)",
    "float32 (56, 56, 64) to (64, 56, 56)",
)


def rate_of(size, name):
    """Of times for a batch: the longest is the lowest rate."""
    found = size[name]
    per = {key: 1e9 * size["batch_bytes"] / found[key] for key in ("median", "low", "high")}
    return span({"median": per["median"], "low": per["high"], "high": per["low"]}, rate)


def kept_share(size, name, least):
    return f"**{span(size[name], percent)}**, {verdict(size[name]['median'] >= least)}"


def kept_ratio(size, name, most):
    return f"**{span(size[name], times)}**, {verdict(size[name]['median'] <= most)}"


def first_batch(size):
    return span(size["first_ns"], lambda ns: milliseconds(ns / 1e9))


# What is measured of each size of batches: words, cell, promise.
ROWS = (
    ("bare `cudaMemcpyAsync` from pinned memory, in a loop", lambda s: rate_of(s, "bare_ns"), ""),
    ("the loader on the host, stored raw, page cache", lambda s: rate_of(s, "raw_read_ns"), ""),
    ("upload alone, stored raw, page cache", lambda s: rate_of(s, "alone_ns"), ""),
    ("the same as a share of bare copies", lambda s: kept_share(s, "alone_share", SHARE), f"at least {percent(SHARE)}"),
    (
        "step under a computation as long as the upload, over the longer of both",
        lambda s: kept_ratio(s, "computed_ratio", RATIO),
        f"at most {times(RATIO)}",
    ),
    ("the loader on the host, compressed, shuffled", lambda s: rate_of(s, "read_ns"), ""),
    (
        "step with reading and decoding in front, over the longest of compute, read and upload",
        lambda s: kept_ratio(s, "packed_ratio", RATIO),
        f"at most {times(RATIO)}",
    ),
    ("first batch on the GPU after `open`, context there", first_batch, ""),
)


def sizes_text(sizes):
    """sizes: by batch_bytes; what is not there was not measured."""
    rows = [
        [what, *(cell(sizes[n]) if n in sizes else NOT_MEASURED for n in SIZES), promise]
        for what, cell, promise in ROWS
    ]
    return grid(["batches of", *map(mib, SIZES), "promised"], rows)


def kernel_row(name, found):
    promise = f"at least {percent(KERNEL_SHARE)}"
    if found is None:
        return [name, NOT_MEASURED, NOT_MEASURED, promise, NOT_MEASURED]
    share = found["share"]
    kept = verdict(share["median"] >= KERNEL_SHARE)
    return [name, span(found["bytes_per_s"], rate), f"**{span(share, percent)}**", promise, kept]


def kernels_text(finish):
    by_name = {row["name"]: row for row in finish["rows"]} if finish else {}
    copy = span(finish["copy_bytes_per_s"], rate) if finish else NOT_MEASURED
    return (
        f"\nFinishing, bytes read and written, against a copy on the GPU ({copy}):\n\n"
        + grid(
            ["kernel", "rate", "share", "promised", "kept"],
            [kernel_row(name, by_name.get(name)) for name in KERNELS],
        )
    )


def growth_text(uploads):
    what = "\nMemory after ten thousand batches of 0.5 MiB more: "
    if not uploads:
        return what + f"{NOT_MEASURED}.\n"
    growth = uploads["growth"]
    return (
        f"{what}{growth['host_bytes'] / 2**20:+.1f} MiB on the host, {growth['gpu_bytes'] / 2**20:+.1f} MiB on the GPU "
        f"({growth['batches']:,} batches). The first loader of the process, which makes CUDA's context, took "
        f"{milliseconds(uploads['context_ns'] / 1e9)}.\n"
    )


def origin(results):
    if not results:
        return ""
    return (
        f"*By `{results['command']}` on {results['date']}, on {results['uploads']['gpu']} (driver "
        f"{results['driver']}), {results['cores']} processor cores, not by the run named above.*\n\n"
        f"![Uploads, steps and kernels against their limits and what is promised]({PICTURE})\n\n"
    )


def render(results):
    uploads = results.get("uploads")
    sizes = {size["batch_bytes"]: size for size in uploads["sizes"]} if uploads else {}
    return (
        f"{TITLE}\n\n{origin(results)}{sizes_text(sizes)}{kernels_text(results.get('kernels'))}{growth_text(uploads)}"
    )


def write_page(path, text, title=TITLE):
    """In the place of the section that is there, or before the notes, or at the end."""
    page = path.read_text()
    there = re.search(rf"^{title}$.*?(?=^## |\Z)", page, re.M | re.S)
    at = there.span() if there else (len(page.partition(table.NOTES)[0]),) * 2
    before, after = page[: at[0]].rstrip("\n"), page[at[1] :]
    path.write_text(f"{before}\n\n{text}" + (f"\n{after}" if after else ""))


def write_picture(path, results):
    """Where nothing was measured there is none."""
    if results:
        path.write_text(gpu_picture.draw(results, SIZES, KERNELS, (SHARE, RATIO, KERNEL_SHARE)))
    else:
        path.unlink(missing_ok=True)


def main(words):
    page = None
    if "--write" in words:
        at = words.index("--write")
        page = pathlib.Path(words[at + 1])
        words = words[:at] + words[at + 2 :]
    results = json.loads(pathlib.Path(words[0]).read_text()) if words else {}
    if page:
        write_picture(page.with_name(PICTURE), results)
        write_page(page, render(results))
    else:
        print(render(results), end="")


if __name__ == "__main__":
    main(sys.argv[1:])
