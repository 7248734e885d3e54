"""The figures of results.json as Markdown: table.py [results.json]. script/bench --write makes docs/benchmarks.md
of them; what is there under "## Notes" is kept."""

import json
import pathlib
import sys

NOTES = "## Notes"
MIB = 1 << 20
INTRODUCTION = """# Benchmarks

Made by `{command}` on {date}; run it to get the figures of your machine. Every figure is the median of {rounds}
runs, with the lowest and highest behind it; the programs compared take turns, and shares are of limits measured in
the same round.
"""


def rate(n):
    return f"{n / 1e9:.2f} GB/s" if n >= 1e9 else f"{n / 1e6:.0f} MB/s"


def span(summary, show):
    return f"{show(summary['median'])} ({show(summary['low'])} to {show(summary['high'])})"


def percent(x):
    return f"{100 * x:.0f} %"


def short_seconds(x):
    return f"{x:.2f} s"


def mib(n):
    return f"{n / MIB:,.1f} MiB"


def grid(header, rows):
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines) + "\n"


def machine_text(about):
    m = about["machine"]
    lines = [
        ["processor", m["cpu"]],
        ["cores", m["cores"]],
        ["memory", f"{m['memory_bytes'] / 2**30:.0f} GiB"],
        ["disk", m["disk"]],
        ["system", f"Linux {m['kernel']}; {m['compiler']}; zstd {m['zstd']}; HDF5 {m['hdf5']}"],
        ["data", f"{mib(about['size_bytes'])} of rows of 512 float32, normally distributed, in steps of 1/256"],
    ]
    text = "## Machine and data\n\n" + grid(["", ""], lines)
    if m["busy"] > 0.05:
        text += f"\n**Other programs used {percent(m['busy'])} of the processors when this began.**\n"
    if about["stolen"] > 0.01:
        text += f"\n**The hypervisor took {percent(about['stolen'])} of the processors' time meanwhile.**\n"
    return text


def epoch_reason(row):
    """Why a share is below the promise: what the workers' time went into."""
    time = row["time"]
    reading = "reads and copies out of the page cache" if row["backend"] == "page cache" else "waiting for reads"
    return (
        f"- {row['name']}: {percent(row['share']['median'])}, promised {percent(row['promised'])}. Of the workers' "
        f"time {percent(time['decode'])} went into decoding and placing rows, {percent(time['io'])} into {reading}, "
        f"{percent(time['consumer'])} into waiting for free batches, {percent(time['rest'])} into planning, starting and "
        f"not being run; the first batch came after {1e3 * row['first_batch_s']:.0f} ms."
    )


def epochs_text(epochs):
    file, limit = epochs["file"], epochs["decode_limit"]
    storage = file["storage"]["x"]
    text = (
        "## Epochs\n\n"
        f"{mib(file['decoded_bytes'])} in {mib(file['file_bytes'])} (ratio {file['ratio']:.2f}): {storage['codec']}, "
        f"level {storage.get('level', 0)}, {storage['filter']}; chunks of about {epochs['block_bytes'] >> 10} KiB. "
        "Batches of 256, default window, default budget.\n\n"
        f"L, decoding the same frames from memory into cached scratch (hash and codec, no filter, nothing else): "
        f"**{span(limit['bytes_per_s'], rate)}** with {limit['threads']} threads, "
        f"{rate(limit['one_thread_bytes_per_s']['median'])} with one.\n\n"
    )
    for name, how in (("read", "in order"), ("randread", "at random")):
        if name in epochs["disk"]:
            text += (
                f"Disk, {how} (fio, libaio, O_DIRECT, {epochs['block_bytes'] >> 10} KiB, depth 64): "
                f"{span(epochs['disk'][name], rate)} stored, "
                f"{rate(epochs['disk'][name]['median'] * file['ratio'])} decoded.\n\n"
            )
    rows = [
        [
            row["name"],
            row["how"],
            span(row["bytes_per_s"], rate),
            rate(row["limit_bytes_per_s"]["median"]),
            f"**{percent(row['share']['median'])}** "
            f"({percent(row['share']['low'])} to {percent(row['share']['high'])})",
            percent(row["promised"]),
        ]
        for row in epochs["rows"]
    ]
    text += grid(["epoch from", "run", "delivered", "limit", "share of limit", "promised"], rows)
    text += "\nThe limit is L from memory, and the smaller of L and ratio x disk from disk.\n"
    low = [epoch_reason(row) for row in epochs["rows"] if row["share"]["median"] < row["promised"]]
    return text + ("\nBelow the promise:\n\n" + "\n".join(low) + "\n" if low else "")


def conversion_reason(row):
    text = f"- {row['name']}: {percent(row['share']['median'])}, promised {percent(row['promised'])}."
    if "writing_alone_s" in row:
        text += (
            f" Writing the result and fsync take {row['writing_alone_s']:.1f} s by themselves (fio), of "
            f"{row['seconds']:.1f} s in all; the limit leaves writing and the statistics out."
        )
    return text


def limits_text(limits):
    rows = [
        [
            row["name"],
            span(row["bytes_per_s"], rate),
            rate(row["read_bytes_per_s"]["median"]),
            rate(limits["compress_bytes_per_s"]["median"]),
            f"**{percent(row['share']['median'])}** "
            f"({percent(row['share']['low'])} to {percent(row['share']['high'])})",
            percent(row["promised"]),
        ]
        for row in limits["rows"]
    ]
    text = (
        f"\n{mib(limits['source_bytes'])} of `.npy` into {mib(limits['stored_bytes'])}, fsync included; the limit is "
        "the slower of reading the source and compressing its frames on all cores.\n\n"
    )
    text += grid(["conversion", "rate", "reading alone", "compressing alone", "share of limit", "promised"], rows)
    low = [conversion_reason(row) for row in limits["rows"] if row["share"]["median"] < row["promised"]]
    return text + ("\nBelow the promise:\n\n" + "\n".join(low) + "\n" if low else "")


def others_text(others):
    rows = [
        [
            row["name"],
            span(row["seconds"], short_seconds),
            rate(row["bytes_per_s"]),
            mib(row["bytes"]),
            f"{row['ratio']:.2f}",
        ]
        for row in others["rows"]
    ]
    return (
        f"\nThe first {mib(others['decoded_bytes'])} of the same rows, source in the page cache, fsync included:\n\n"
        + grid(["writer", "time", "rate", "size", "ratio"], rows)
    )


def conversion_text(conversion):
    return "## Conversion\n" + limits_text(conversion["limits"]) + others_text(conversion["others"])


def verdict(kept):
    return "yes" if kept else "**no**"


def memory_text(memory):
    rows = [
        [
            row["name"],
            mib(row["peak_pss_bytes"]),
            mib(row["promised_bytes"]),
            "yes" if row["limit_bytes"] else "no limit could be set",
            verdict(row["kept"]),
        ]
        for row in memory["rows"]
    ]
    text = (
        "## Peak memory\n\n"
        f"{mib(memory['data_bytes'])} of rows, budget {mib(memory['budget_bytes'])}. Promised: the budget, 32 MiB, and "
        "16 MiB for each helper. The peak is of the proportional set sizes of all processes, sampled every 10 ms; "
        "where a limit is set, the kernel ends the run if it is passed.\n\n"
    )
    text += grid(["run", "peak", "promised", "ran under that limit", "kept"], rows)
    lines = [
        f"- {row['name']}: {row['grown_bytes'] / MIB:+.1f} MiB, promised flat within 4 MiB: {verdict(row['kept'])}"
        for row in memory["flat"]
    ]
    return text + "\n" + "\n".join(lines) + "\n"


def render(results):
    text = INTRODUCTION.format(**results) + "\n" + machine_text(results)
    for name, section in (("epochs", epochs_text), ("conversion", conversion_text), ("memory", memory_text)):
        if name in results:
            text += "\n" + section(results[name])
    return text


def write_page(path, text):
    """Notes by people stay."""
    notes = ""
    if path.exists():
        _, found, kept = path.read_text().partition(NOTES)
        notes = "\n" + found + kept if found else ""
    path.write_text(text + notes)


def main():
    root = pathlib.Path(__file__).resolve().parent.parent
    source = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else root / "build" / "bench" / "results.json"
    print(render(json.loads(source.read_text())), end="")


if __name__ == "__main__":
    main()
