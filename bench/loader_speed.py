"""Figures of loaders that are no share of a limit: two cores against one, many short epochs against a long one, two
loaders side by side, what the consumer waits for, the first batch from a cold file, and opening a data set of ten
million chunks."""

import os
import statistics

import programs
import standard_sets
from programs import say

MIB = 1 << 20
ROWS = standard_sets.SETS[0]
CORES_PROMISED = 1.9
EPOCHS = 10
EPOCHS_PROMISED = 0.97
SHARE_PROMISED = 0.9
STALL_FACTOR = 1.1
STALL_PROMISED = 0.01
STALL_BATCH = 2048  # a step of some milliseconds, against which a late timer is small
FIRST_BATCH_PROMISED_S = 0.150
WIDE_CHUNKS = 10_000_000
OPEN_PROMISED_S = 0.5
INDEX_PART = 8  # of the budget that an index may take
OPEN_BESIDES_BYTES = 8 * MIB

MEMORY = ("--io", "cached", "--shuffle")


def epochs_of(path, *options):
    def measure():
        programs.read_whole(path)
        return programs.epoch(path, *MEMORY, *options)

    return measure


def kept_above(values, promised):
    return {"value": programs.summary(values), "promised": promised, "kept": statistics.median(values) >= promised}


def kept_below(values, promised):
    return {"value": programs.summary(values), "promised": promised, "kept": statistics.median(values) <= promised}


def decoding(path, threads, seconds):
    def measure():
        got = programs.bench(
            path, "--measures", "decode", "--rounds", 1, "--seconds", seconds, "--threads", threads
        )
        return got["measures"]["decode"]["bytes_per_s"]["median"]

    return measure


def cores(path, rounds, seconds):
    """Two decode threads against one, beside what plain decoding gains."""
    if len(os.sched_getaffinity(0)) < 2:
        say("one core only: two are not compared with it")
        return None
    chosen = {
        "one": epochs_of(path, "--epochs", 3, "--threads", 1),
        "two": epochs_of(path, "--epochs", 3, "--threads", 2),
        "L, one": decoding(path, 1, seconds),
        "L, two": decoding(path, 2, seconds),
    }
    got = programs.in_rounds("cores", chosen, rounds)
    gains = [two["bytes_per_s"] / one["bytes_per_s"] for one, two in zip(got["one"], got["two"])]
    limits = [two / one for one, two in zip(got["L, one"], got["L, two"])]
    return kept_above(gains, CORES_PROMISED) | {"decoding": programs.summary(limits)}


def short_epochs(short, long, rounds):
    """Ten epochs of a small set against one of a set ten times as large."""
    chosen = {
        "short": epochs_of(short, "--epochs", EPOCHS),
        "long": epochs_of(long, "--epochs", 1),
    }
    got = programs.in_rounds("short epochs", chosen, rounds)
    ratios = [few["bytes_per_s"] / one["bytes_per_s"] for few, one in zip(got["short"], got["long"])]
    return kept_above(ratios, EPOCHS_PROMISED) | {
        "epochs": EPOCHS,
        "bytes": got["short"][0]["bytes"] // EPOCHS,
        "long_bytes_per_s": programs.summary([one["bytes_per_s"] for one in got["long"]]),
    }


def side_by_side(path, rounds, seconds):
    """The slower of two loaders with one decode thread each, against half of one loader with two threads."""

    def loaders(count, threads):
        def measure():
            programs.read_whole(path)
            return programs.run_json(programs.SIDE_BY_SIDE, path, count, threads, seconds)["bytes_per_s"]

        return measure

    got = programs.in_rounds("side by side", {"both": loaders(2, 1), "one": loaders(1, 2)}, rounds)
    shares = [min(both) / (one[0] / 2) for both, one in zip(got["both"], got["one"])]
    return kept_above(shares, SHARE_PROMISED)


def stalls(path, rounds):
    """What a consumer waits for that takes 1.1 times as long as the loader, the first batch left out."""

    def measure():
        options = ("--batch", STALL_BATCH, "--epochs", 3)
        alone = epochs_of(path, *options)()
        step_ns = int(STALL_FACTOR * 1e9 * (alone["seconds"] - alone["first_batch_s"]) / alone["batches"])
        slow = epochs_of(path, *options, "--consume-ns", step_ns)()
        waited = max(0.0, slow["wait_s"]["batch"] - slow["first_batch_s"])
        return waited / (slow["seconds"] - slow["first_batch_s"])

    got = programs.in_rounds("consumer", {"stalls": measure}, rounds)
    return kept_below(got["stalls"], STALL_PROMISED) | {"factor": STALL_FACTOR}


def first_batch(path, rounds):
    """Of a shuffled epoch, the file not in memory."""

    def measure():
        programs.drop_from_cache(path)
        return programs.epoch(path, "--shuffle", "--batch", 256, "--max-batches", 1, "--io", "direct")

    got = programs.in_rounds("first batch", {"cold": measure}, rounds)["cold"]
    return kept_below([run["first_batch_s"] for run in got], FIRST_BATCH_PROMISED_S) | {
        "window": got[0]["window"],
        "read_bytes": got[0]["read_bytes"],
    }


def wide_index(folder, rounds, chunks):
    path = folder / "wide.hrd"
    programs.run(programs.WIDE_INDEX, path, chunks)

    def cold():
        programs.drop_from_cache(path)
        return programs.run_json(programs.WIDE_INDEX, path)

    def warm():
        return programs.run_json(programs.WIDE_INDEX, path)

    got = programs.in_rounds("wide index", {"cold": cold, "warm": warm}, rounds)
    path.unlink()
    one = got["warm"][0]
    grown = [run["peak_rss_bytes"] - run["rss_before_bytes"] for run in got["cold"] + got["warm"]]
    allowed = min(one["budget_bytes"] // INDEX_PART, one["index_loaded_bytes"]) + OPEN_BESIDES_BYTES
    return {
        "chunks": one["chunks"],
        "index_bytes": one["index_bytes"],
        "warm": kept_below([run["open_s"] for run in got["warm"]], OPEN_PROMISED_S),
        "cold": kept_below([run["open_s"] for run in got["cold"]], OPEN_PROMISED_S),
        "memory": kept_below(grown, allowed),
    }


def measure(folder, set_bytes, short_bytes, rounds, seconds, chunks=WIDE_CHUNKS):
    path = standard_sets.make_hrd(ROWS, folder, set_bytes)
    short = standard_sets.make_hrd(ROWS, folder, short_bytes)
    long = standard_sets.make_hrd(ROWS, folder, EPOCHS * short_bytes)
    return {
        "set_bytes": set_bytes,
        "cores": cores(path, rounds, seconds),
        "short_epochs": short_epochs(short, long, rounds),
        "side_by_side": side_by_side(path, rounds, seconds),
        "stalls": stalls(path, rounds),
        "first_batch": first_batch(path, rounds),
        "wide_index": wide_index(folder, rounds, chunks),
    }
