"""The section of docs/benchmarks.md on Python, of the results that script/bench-python makes; and beside the page the
picture of python_picture.py."""

import gpu_table
import python_picture
import table
from table import grid, mib, milliseconds, percent, span, verdict

TITLE = table.ELSEWHERE[1]
PICTURE = "benchmarks_python.svg"
PARTS = ("loops", "adapters", "memory", "rivals")


def microseconds(x):
    return f"{x:.1f} µs" if x < 100 else f"{x:,.0f} µs"


def per_second(x):
    return f"{x:,.0f}" if x >= 100 else f"{x:.1f}"


def loops_text(loops):
    rows = [
        [
            row["name"],
            row["epochs"],
            span(row["command"], per_second),
            span(row["python"], per_second),
            f"**{span(row['share'], percent)}**",
            percent(row["promised"]),
            verdict(row["share"]["median"] >= row["promised"]),
        ]
        for row in loops["rows"]
    ]
    header = ["batches of", "epochs", "`headrace epoch`, samples/s", "Python, samples/s", "share", "promised", "kept"]
    parts = [
        [
            row["name"],
            microseconds(row["overhead"]["raw_us"]),
            microseconds(row["overhead"]["take_us"]),
            f"{row['overhead']['fields']} x {microseconds(row['overhead']['array_us'])}",
            microseconds(row["overhead"]["left_us"]),
            f"**{microseconds(row['overhead']['whole_us'])}**",
        ]
        for row in loops["rows"]
    ]
    return (
        "### The loop\n\n{made}"
        "`for batch in loader`, an array made of each field, against `headrace epoch` on the same file in the page "
        f"cache, in turns, shuffled, {loops['threads']} threads, the same budget and window.\n\n"
        + grid(header, rows)
        + "\nWhat a batch costs in Python, at best: of an epoch of a few batches, all decoded when it begins, so that "
        "no thread is waited for or woken. The calls are `hr_loader_take` and `hr_batch_let_go` by ctypes.\n\n"
        + grid(["batches of", "the calls", "the rest of `take()`", "arrays", "the loop", "in all"], parts)
    )


def adapter_row(row, sets):
    if row["missing"]:
        return [row["words"], f"not measured: {row['missing']}", *[""] * (2 * len(sets) - 1)]
    cells = []
    for found in row["sets"]:
        more = found["ready_us"] - found["numpy_ready_us"]
        cells += [f"{microseconds(found['ready_us'])} ({more:+.1f})", f"**{span(found['share'], percent)}**"]
    return [row["words"], *cells]


def versions_text(rows):
    found = {}
    for row in rows:
        found |= row.get("versions", {})
    return ", ".join(f"{module} {version}" for module, version in sorted(found.items())) or "None could be measured"


def adapters_text(adapters):
    header = ["adapter"]
    for name in adapters["sets"]:
        header += [f"{name}: a ready batch", "rate of the NumPy loop"]
    reasons = [f"- {row['words']}: {row['why']}." for row in adapters["rows"] if not row["missing"]]
    return (
        "### Adapters\n\n{made}"
        "Each against the NumPy loop over the same file in one process, in turns: what a batch costs that is ready, "
        "threads that are woken included (in brackets: more than NumPy's), and the rate as a share of that loop's. "
        f"{versions_text(adapters['rows'])}.\n\n"
        + grid(header, [adapter_row(row, adapters["sets"]) for row in adapters["rows"]])
        + ("\nWhy:\n\n" + "\n".join(reasons) + "\n" if reasons else "")
    )


def grown(n_bytes):
    return f"{n_bytes / table.MIB:+.1f} MiB"


def memory_row(row):
    if row["missing"]:
        return [f"`hr.{row['name']}`", f"not measured: {row['missing']}", *[""] * 5]
    cells = []
    for kind in ("fed", "control"):
        cells += [mib(row[kind]["early"]["median"]), span(row[kind]["growth"], grown)]
    return [f"`hr.{row['name']}`", *cells, verdict(row["kept"])]


def memory_text(memory):
    epochs, early = memory["epochs"], memory["early"]
    header = ["adapter", f"after epoch {early}", f"{epochs} epochs: growth", "fixed array", "growth", "kept"]
    return (
        "### Memory over epochs\n\n{made}"
        f"Resident memory of a process that trains for {epochs} epochs of {mib(memory['size_bytes'])}, and of one that "
        f"feeds the same framework as many batches from one fixed array; medians of {memory['rounds']} processes each. "
        f"Promised: no more growth, within {mib(memory['allowed_bytes'])}.\n\n"
        + grid(header, map(memory_row, memory["rows"]))
    )


def ended_text(found):
    if found["survived"] == found["runs"]:
        return "yes"
    return f"**{found['ended']}** ({found['runs'] - found['survived']} of {found['runs']})"


def rival_row(row, order):
    found = row["orders"][order]
    if not found["survived"]:
        return [row["words"], order, "", "", mib(found["peak_bytes"]["median"]), "", ended_text(found)]
    return [
        row["words"],
        order,
        f"**{span(found['samples_per_s'], per_second)}**",
        milliseconds(found["first_batch_s"]["median"]),
        mib(found["peak_bytes"]["median"]),
        mib(found["before_bytes"]["median"]),
        ended_text(found),
    ]


def rivals_text(rivals):
    limit = rivals["limit_bytes"]
    under = f"under a limit of {mib(limit)} (page cache included)" if limit else "without a limit: none could be set"
    header = ["reader", "order", "samples/s", "first batch", "peak memory", "before it began", "survived"]
    rows = [rival_row(row, order) for order in ("sequential", "shuffled") for row in rivals["rows"]]
    notes = [f"- {row['words']} ({mib(row['stored_bytes'])}): {row['how']}." for row in rivals["rows"]]
    notes += [
        f"- {words}: not measured, {' and '.join(modules)} must be installed."
        for words, modules in rivals["missing"].items()
    ]
    return (
        "### Beside other readers\n\n{made}"
        f"{mib(rivals['size_bytes'])} of rows of 512 float32, and labels, in batches of 256, each reader in a process "
        f"of its own {under}, none of its file in the page cache at first. The consumer adds up all values of a batch. "
        f"Epochs for {rivals['seconds']:g} s from the first batch on, of which the rate leaves the beginning out; "
        f"medians of {rivals['rounds']} rounds in which all take turns. Peak memory is of all processes (proportional "
        "set size, mapped pages of the file included); before it began: the interpreter with its modules. "
        f"{versions_text(rivals['rows'])}.\n\n" + grid(header, rows) + "\n" + "\n".join(notes) + "\n"
    )


TEXTS = {"loops": loops_text, "adapters": adapters_text, "memory": memory_text, "rivals": rivals_text}


def made_text(part):
    return f"*By `{part['command']}` on {part['date']}, {part['cpu']}, {part['cores']} cores.*\n\n"


def render(results):
    """Parts that were not measured are left out."""
    text = f"{TITLE}\n\n![Shares of the loops and adapters; rates of other readers]({PICTURE})\n"
    for name in PARTS:
        if name in results:
            text += "\n" + TEXTS[name](results[name]).replace("{made}", made_text(results[name]), 1)
    return text


def write(page, results):
    """The section, and the picture beside the page."""
    page.with_name(PICTURE).write_text(python_picture.draw(results))
    gpu_table.write_page(page, render(results), TITLE)
