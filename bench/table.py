"""The figures of results.json as Markdown: table.py [results.json]. script/bench --write makes docs/benchmarks.md
of them; sections that a run did not measure, and what is there under "## Notes", are kept."""

import json
import pathlib
import re
import sys

NOTES = "## Notes"
MIB = 1 << 20
INTRODUCTION = """# Benchmarks

Made by `{command}` on {date}; run it to get the figures of your machine. Every figure is the median of {rounds}
runs, with the lowest and highest behind it; the programs compared take turns, and shares are of limits measured in
the same round. How well the shuffled order mixes is on [a page of its own](mixing.md).
"""


def rate(n):
    return f"{n / 1e9:.2f} GB/s" if n >= 1e9 else f"{n / 1e6:.0f} MB/s"


def span(summary, show):
    middle, low, high = (show(summary[key]) for key in ("median", "low", "high"))
    return middle if low == high else f"{middle} ({low} to {high})"


def percent(x):
    return f"{100 * x:.0f} %"


def short_seconds(x):
    return f"{x:.2f} s"


def mib(n):
    return f"{n / MIB:,.1f} MiB"


def kib(n):
    return f"{n / 1024:,.1f} KiB"


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
        ["converted", f"{mib(about['size_bytes'])} of rows of 512 float32, normally distributed, in steps of 1/256"],
    ]
    text = "## Machine and data\n\n" + grid(["", ""], lines)
    if m["busy"] > 0.05:
        text += f"\n**Other programs used {percent(m['busy'])} of the processors when this began.**\n"
    if about["stolen"] > 0.01:
        text += f"\n**The hypervisor took {percent(about['stolen'])} of the processors' time meanwhile.**\n"
    return text


MEASURES = {
    "memory-sequential": "memory, sequential",
    "memory-shuffled": "memory, shuffled",
    "disk-sequential": "disk, sequential",
    "disk-shuffled": "disk, shuffled",
}


def spread(found, show):
    return f"{show(found['median'])} ({show(found['lowest'])} to {show(found['highest'])})"


def epoch_reason(name, measure, promised):
    """Why a share is below the promise: what the workers' time went into."""
    parts = measure["worker_parts"]
    reading = "reads and copies out of the page cache" if name.startswith("memory") else "waiting for reads"
    rest = max(0.0, 1 - sum(parts.values()))
    return (
        f"- {MEASURES[name]}: {percent(measure['share']['median'])}, promised {percent(promised)}. Of the workers' "
        f"time {percent(parts['decode'])} went into decoding and placing rows, {percent(parts['io'])} into {reading}, "
        f"{percent(parts['consumer'])} into waiting for free batches, {percent(rest)} into planning, starting and "
        f"not being run; the first batch came after {1e3 * measure['first_batch_s']:.0f} ms."
    )


def epoch_row(name, measure, promised):
    if measure["runs"] == 0:
        return [MEASURES[name], "", f"not measured: {measure['reason']}", "", "", percent(promised)]
    share = measure["share"]
    return [
        MEASURES[name],
        measure["epochs"] or "a part",
        spread(measure["bytes_per_s"], rate),
        rate(measure["limit_bytes_per_s"]["median"]),
        f"**{percent(share['median'])}** ({percent(share['lowest'])} to {percent(share['highest'])})",
        percent(promised),
    ]


def run_text(file, run):
    """One `headrace bench`."""
    window = f"{run['window_mib']} MiB" if run["window_mib"] else "the default"
    measures, promised = run["measures"], run["promised"]
    text = f"A window of {window} ({run['window']} chunks): L is {spread(measures['decode']['bytes_per_s'], rate)}"
    for name, how in (("read-sequential", "in order"), ("read-shuffled", "shuffled")):
        found = measures[name]["bytes_per_s"]
        if found is not None:
            text += f"; reading {how} brings {spread(found, rate)}, decoded {rate(found['median'] * file['ratio'])}"
    rows = [epoch_row(name, measures[name], promised[name]) for name in MEASURES]
    text += ".\n\n" + grid(["epoch from", "epochs", "delivered", "limit", "share of limit", "promised"], rows)
    low = [
        epoch_reason(name, measures[name], promised[name])
        for name in MEASURES
        if measures[name]["runs"] and measures[name]["share"]["median"] < promised[name]
    ]
    return text + ("\nBelow the promise:\n\n" + "\n".join(low) + "\n" if low else "")


def set_text(one):
    file = one["file"]
    return (
        f"\n### {one['name']}\n\n"
        f"{mib(file['decoded_bytes'])} in {mib(file['file_bytes'])} (ratio {file['ratio']:.2f}): {file['codec']}, "
        f"level {file['level']}, filter {file['filter']}. Batches of {one['batch']}.\n\n"
        + "\n".join(run_text(file, run) for run in one["runs"])
    )


def epochs_text(epochs):
    run = epochs["sets"][0]["runs"][0]
    return (
        f"By `headrace bench`, in {epochs['rounds']} rounds, with {run['threads']} threads. L is decoding the file's "
        "own frames from memory into cached scratch (checksum, codec and filter, but not the byte shuffle, which is "
        "undone while rows are placed) on all threads; "
        f"reading is past the page cache, {run['read_depth']} deep, in the order of the epoch. The limit is "
        "L from memory, and the smaller of L and ratio x reading from disk; a share is of the limit that was measured "
        "in the same round.\n\n![Rates of the first set, its limits behind them](benchmarks.svg)\n"
        + "".join(map(set_text, epochs["sets"]))
    )


def verdict(kept):
    return "yes" if kept else "**no**"


def milliseconds(x):
    return f"{1e3 * x:.0f} ms" if x >= 0.0095 else f"{1e3 * x:.1f} ms"


def times(x):
    return f"{x:.2f}"


def tenths(x):
    return f"{100 * x:.1f} %"


def loader_row(what, found, show):
    return [what, f"**{span(found['value'], show)}**", show(found["promised"]), verdict(found["kept"])]


def loader_text(loader):
    short, wide, cold = loader["short_epochs"], loader["wide_index"], loader["first_batch"]
    rows = [
        loader_row(
            f"{short['epochs']} shuffled epochs of {mib(short['bytes'])}: rate against one epoch of "
            f"{mib(short['epochs'] * short['bytes'])}",
            short,
            times,
        ),
        loader_row(
            "two loaders of one data set side by side, one decode thread each: the slower against half of one "
            "loader with two",
            loader["side_by_side"],
            times,
        ),
        loader_row(
            f"consumer that takes {loader['stalls']['factor']} x the loader's time: part of the epoch that it waits",
            loader["stalls"],
            tenths,
        ),
        loader_row(
            f"first batch of 256, shuffled, from a cold file (window {cold['window']}, "
            f"{mib(cold['read_bytes'])} read meanwhile)",
            cold,
            milliseconds,
        ),
        loader_row(f"`open` of {wide['chunks']:,} chunks, index in the page cache", wide["warm"], milliseconds),
        loader_row(f"`open` of {wide['chunks']:,} chunks, cold", wide["cold"], milliseconds),
        loader_row(f"memory of that open data set (its index is {mib(wide['index_bytes'])})", wide["memory"], mib),
    ]
    cores = loader["cores"]
    if cores is not None:
        alone = span(cores["decoding"], times)
        what = f"two decode threads against one, shuffled from memory (decoding alone: {alone})"
        rows.insert(0, loader_row(what, cores, times))
    return f"{mib(loader['set_bytes'])} of 2 KiB rows.\n\n" + grid(
        ["what", "measured", "promised", "kept"], rows
    )


SOAK_HELD = (
    ("memory of the heap", "heap_bytes", kib),
    ("resident memory", "rss_bytes", mib),
    ("budgets in use", "budget_bytes", mib),
    ("threads", "threads", str),
    ("descriptors", "descriptors", str),
)


def soak_text(soak):
    loaders = ", ".join(f"{name} {count:,}" for name, count in soak["loaders"].items() if count)
    text = (
        f"{soak['batches']:,} batches and {soak['cycles']:,} loaders, opened and closed at random moments "
        f"({soak['resumed']:,} of them resumed; the data set opened again {soak['reopened']:,} times), by how they "
        f"read: {loaders}. What the process held, everything closed:\n\n"
    )
    rows = [
        [what, show(soak["before"][key]), show(soak["after"][key]), show(soak["allowed"].get(key, 0))]
        for what, key, show in SOAK_HELD
    ]
    text += grid(["", "after a warm-up", "at the end", "growth allowed"], rows)
    verdict_lines = [f"- {line}" for line in soak["grown"]] or ["Nothing has grown."]
    return text + "\n" + "\n".join(verdict_lines) + "\n"


def conversion_reason(row):
    text = f"- {row['name']}: {percent(row['share']['median'])}, promised {percent(row['promised'])}."
    if "writing_alone_s" in row:
        text += (
            f" Writing the result and fsync take {row['writing_alone_s']:.1f} s by themselves (fio), of "
            f"{row['seconds']:.1f} s in all; the limit leaves writing and the statistics out."
        )
    return text


def share_of_both(row):
    if "both_bytes_per_s" not in row:
        return ["", ""]
    return [rate(row["both_bytes_per_s"]["median"]), span(row["share_of_both"], percent)]


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
            *share_of_both(row),
            span(row["cpu_share"], percent),
        ]
        for row in limits["rows"]
    ]
    text = (
        f"{mib(limits['source_bytes'])} of `.npy` into {mib(limits['stored_bytes'])}, fsync included; the limit is "
        "the slower of reading the source and compressing its frames on all cores. Copying out of the page cache takes "
        "the same processors: *both* is compressing while each core copies as much of the source as it compresses. "
        "Processor time is that of compressing alone as a part of all that the conversion took, which other users of "
        "the machine change least.\n\n"
    )
    columns = ["conversion", "rate", "reading alone", "compressing alone", "share of limit", "promised"]
    text += grid([*columns, "both", "share of both", "processor time"], rows)
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


def libdeflate_text(hdf5):
    found = hdf5.get("libdeflate_bytes_per_s")
    return f" By libdeflate, which the conversion uses: {span(found, rate)}." if found is not None else ""


def hdf5_text(hdf5):
    rows = [
        [f"h5repack to {name}", span(found["seconds"], short_seconds), mib(found["bytes"])]
        for name, found in hdf5["repack"].items()
    ]
    shares = [
        [
            mib(found["decoded_bytes"]),
            span(found["seconds"], short_seconds),
            rate(found["bytes_per_s"]),
            f"**{span(found['share'], percent)}**",
            percent(hdf5["promised_share"]),
            span(found["cpu_share"], percent),
        ]
        for found in (hdf5["small"], hdf5["large"])
    ]
    text = (
        "\nThe same rows from HDF5 (gzip 4 + shuffle, chunks of 256 KiB) in the page cache; the larger file has the "
        "chunks of the smaller one several times. Inflating these from memory by zlib on all cores: "
        f"{span(hdf5['inflate_bytes_per_s'], rate)}.{libdeflate_text(hdf5)}\n\n"
        + grid(["rows", "time", "rate", "share of inflating by zlib", "promised", "processor time"], shares)
    )
    if hdf5["factor"] is None:
        return text
    return (
        text
        + "\n"
        + grid(["program", "time", "size"], rows)
        + f"\nFor {mib(hdf5['small']['decoded_bytes'])}. The fastest of these takes "
        f"**{hdf5['factor']['median']:.1f} times** as long as the conversion "
        f"({hdf5['factor']['low']:.1f} to {hdf5['factor']['high']:.1f}; promised {hdf5['promised_factor']:.0f}).\n"
    )


def conversion_text(conversion):
    text = limits_text(conversion["limits"]) + others_text(conversion["others"])
    return text + (hdf5_text(conversion["hdf5"]) if "hdf5" in conversion else "")


def shuffle_text(shuffle):
    rows = [
        [
            row["name"],
            mib(row["source_bytes"]),
            mib(row["budget_bytes"]),
            rate(row["plain_bytes_per_s"]["median"]),
            span(row["bytes_per_s"], rate),
            f"**{percent(row['share']['median'])}** "
            f"({percent(row['share']['low'])} to {percent(row['share']['high'])})",
            percent(row["promised"]),
            verdict(row["kept"]),
        ]
        for row in shuffle["rows"]
    ]
    header = ["samples", "source", "budget", "rate without", "rate with", "share", "promised", "kept"]
    return (
        "`convert --shuffle` against the same conversion without it, source in the page cache, fsync "
        "included.\n\n" + grid(header, rows)
    )


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


def prediction_row(case):
    rate_of, first = case["rate"], case["first_batch"]
    return [
        case["name"],
        case["epochs"],
        rate(rate_of["predicted"]["median"]),
        rate(rate_of["measured"]["median"]),
        f"**{span(rate_of['ratio'], times)}**",
        verdict(rate_of["kept"]),
        milliseconds(first["predicted"]["median"]),
        milliseconds(first["measured"]["median"]),
        f"**{span(first['ratio'], times)}**",
        verdict(first["kept"]),
    ]


def prediction_text(found):
    one = found["sets"][0]["cases"][0]
    longest = max(case["probe_s"] for each in found["sets"] for case in each["cases"])
    text = (
        f"What `headrace plan --probe` predicts against what `headrace epoch` does, in turns: sets of "
        f"{mib(found['set_bytes'])}, the default window. The longest probe took {longest:.2f} s. A ratio is measured "
        f"through predicted, of each of {found['rounds']} rounds. Promised: the rate within "
        f"{percent(one['rate']['promised'] - 1)}, the first batch within a factor of "
        f"{one['first_batch']['promised']:.1f}.\n"
    )
    header = ["predicted for", "epochs", "rate predicted", "measured", "ratio", "kept"]
    header += ["first batch predicted", "measured", "ratio", "kept"]
    for each in found["sets"]:
        text += f"\n### {each['name']}: batches of {each['batch']}\n\n"
        text += grid(header, map(prediction_row, each["cases"]))
    return text


# What a part of results.json becomes, in the order of the page.
SECTIONS = {
    "epochs": ("## Epochs", epochs_text),
    "loader": ("## Loader", loader_text),
    "prediction": ("## Prediction", prediction_text),
    "soak": ("## Soak", soak_text),
    "conversion": ("## Conversion", conversion_text),
    "shuffle": ("## Shuffling once", shuffle_text),
    "memory": ("## Peak memory", memory_text),
}


# What other scripts write, and say themselves when: kept as it is, behind the sections above.
ELSEWHERE = ("## On a GPU", "## In Python", "## Beside other writers")


def render(results):
    text = INTRODUCTION.format(**results) + "\n" + machine_text(results)
    for name, (title, section) in SECTIONS.items():
        if name in results:
            text += f"\n{title}\n\n{section(results[name])}"
    return text


def title_of(section):
    return section.partition("\n")[0]


def earlier_sections(page):
    """What another run has measured, by title: with a line that says which run that was."""
    made = re.search(r"^Made by (`[^`]*` on [0-9-]+)", page, re.M)
    kept = {}
    for section in re.findall(r"^## .*?(?=^## |\Z)", page, re.M | re.S):
        title, _, rest = section.partition("\n")
        if made and title not in ELSEWHERE and not rest.startswith("\n*By "):
            rest = f"\n*By {made[1]}, not by the run named above.*\n{rest}"
        kept[title] = f"{title}\n{rest.rstrip()}\n"
    return kept


def write_page(path, text, results):
    """What this run did not measure stays as it was, and so do notes by people."""
    page, _, notes = path.read_text().partition(NOTES) if path.exists() else ("", "", "")
    kept = earlier_sections(page)
    head, *new = re.split(r"^(?=## )", text, flags=re.M)
    sections = {title_of(section): section.rstrip() + "\n" for section in new}
    titles = [title_of(new[0])]
    for name, (title, _) in SECTIONS.items():
        if name not in results and title in kept:
            sections[title] = kept[title]
        if title in sections:
            titles.append(title)
    sections |= {title: kept[title] for title in ELSEWHERE if title in kept}
    titles += [title for title in ELSEWHERE if title in kept]
    text = head + "\n".join(sections[title] for title in titles)
    path.write_text(text + (f"\n{NOTES}{notes}" if notes else ""))


def main():
    root = pathlib.Path(__file__).resolve().parent.parent
    source = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else root / "build" / "bench" / "results.json"
    print(render(json.loads(source.read_text())), end="")


if __name__ == "__main__":
    main()
