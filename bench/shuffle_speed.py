"""How fast `convert --shuffle` is against the same conversion without it, in turns: where the samples fit the budget,
and by way of the temporary file with a budget of an eighth of them. The source is in the page cache; every time
includes fsync."""

import os

import programs
import standard_sets

MIB = 1 << 20
PROMISED = 1 / 3
LEAST_BUDGET = 32 * MIB
ROOM = 96 * MIB  # beside the samples, for reading and compressing
SETS = {chosen.file: chosen for chosen in standard_sets.SETS}
SHAPES = ("rows", "tabular")  # of 2 KiB, of 64 bytes


def budgets(source_bytes):
    return {"in memory": source_bytes + ROOM, "by file": max(LEAST_BUDGET, source_bytes // 8)}


def timed(source, target, *options):
    def measure():
        programs.read_whole(source)
        if target.exists():
            target.unlink()
        seconds = programs.seconds_of(lambda: programs.convert(source, "-o", target, *options))
        return seconds + programs.seconds_of(lambda: programs.sync_file(target))

    return measure


def ways(source, target):
    """The conversions that are compared: without a shuffle, with the same budget, and with one."""
    chosen = {}
    for name, budget in budgets(source.stat().st_size).items():
        chosen[name, "plain"] = timed(source, target, "--budget", budget)
        chosen[name, "shuffled"] = timed(source, target, "--budget", budget, "--shuffle", 1)
    return chosen


def rows_of(what, source, folder, rounds):
    target = folder / "shuffled.hrd"
    got = programs.in_rounds(f"shuffling {what.name}", ways(source, target), rounds)
    target.unlink()
    source_bytes = source.stat().st_size
    report = []
    for name, budget in budgets(source_bytes).items():
        plain, shuffled = got[name, "plain"], got[name, "shuffled"]
        share = programs.summary([a / b for a, b in zip(plain, shuffled)])
        report.append(
            {
                "name": f"{what.name}, {name}",
                "source_bytes": source_bytes,
                "budget_bytes": budget,
                "plain_bytes_per_s": programs.summary([source_bytes / seconds for seconds in plain]),
                "bytes_per_s": programs.summary([source_bytes / seconds for seconds in shuffled]),
                "share": share,
                "promised": PROMISED,
                "kept": share["median"] >= PROMISED,
            }
        )
    return report


def measure(folder, size_bytes, rounds):
    rows = []
    for file in SHAPES:
        source = folder / f"shuffle-{file}.npy"
        standard_sets.make_npy(SETS[file], source, size_bytes)
        rows += rows_of(SETS[file], source, folder, rounds)
        os.unlink(source)
    return {"rows": rows}
