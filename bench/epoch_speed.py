"""How fast epochs are, as shares of what the machine could do at best, measured in the same rounds: L, plain
decoding of the same frames on all cores; from disk the smaller of L and ratio x disk (fio)."""

import statistics

import programs
from programs import say

PROMISED = {"memory": 0.92, "memory, 64-byte rows": 0.87, "disk": 0.85}
MEMORY_EPOCHS = 3
WAITS = ("io", "decode", "consumer")


def from_memory(path, *options, epochs=MEMORY_EPOCHS):
    def measure():
        programs.read_whole(path)
        return programs.epoch(path, "--io", "cached", "--epochs", epochs, *options)

    return measure


def from_disk(path, *options):
    def measure():
        programs.drop_from_cache(path)
        return programs.epoch(path, "--io", "direct", *options)

    return measure


def disk(path, pattern, block_bytes):
    def measure():
        programs.drop_from_cache(path)
        return programs.fio(path, pattern, block_bytes)

    return measure


def limit(path, field=None):
    return lambda: programs.decode_limit(path, field)


def chunk_bytes_of(described):
    """Of a typical chunk as it is stored."""
    return programs.round_to_pages(described["file_bytes"] // described["chunks"])


def describe(path):
    info = programs.run_json(programs.HEADRACE, "info", path, "--json")
    return {
        "samples": info["samples"],
        "chunks": info["chunks"],
        "decoded_bytes": info["decoded_bytes"],
        "file_bytes": info["file_bytes"],
        "ratio": info["ratio"],
        "storage": {field["name"]: field["storage"] for field in info["fields"]},
    }


def where_time_went(result):
    """Shares of the workers' time."""
    total = result["threads"] * result["seconds"]
    shares = {name: result["wait_s"][name] / total for name in WAITS}
    return shares | {"rest": max(0.0, 1 - sum(shares.values()))}


def row(name, promise, runs, limits, how):
    """limits: for each round, the best that could be."""
    rates = [run["bytes_per_s"] for run in runs]
    shares = [rate / best for rate, best in zip(rates, limits)]
    return {
        "name": name,
        "how": how,
        "promised": PROMISED[promise],
        "bytes_per_s": programs.summary(rates),
        "limit_bytes_per_s": programs.summary(limits),
        "share": programs.summary(shares),
        "first_batch_s": statistics.median(run["first_batch_s"] for run in runs),
        "time": {
            name: statistics.median(where_time_went(run)[name] for run in runs) for name in (*WAITS, "rest")
        },
        "backend": runs[0]["io"],
    }


def disk_limits(decode, disk_rates, ratio):
    return [min(best["bytes_per_s"], ratio * rate) for best, rate in zip(decode, disk_rates)]


def memory_rows(got):
    large = [best["bytes_per_s"] for best in got["L"]]
    both = [best["bytes_per_s"] for best in got["L, both fields"]]
    small = [best["bytes_per_s"] for best in got["L, 64-byte rows"]]
    again = f"{MEMORY_EPOCHS} epochs"
    return [
        row("memory, sequential", "memory", got["memory, sequential"], large, again),
        row("memory, shuffled", "memory", got["memory, shuffled"], large, again),
        row("memory, shuffled, with labels", "memory", got["memory, with labels"], both, again),
        row("memory, shuffled, 64-byte rows", "memory, 64-byte rows", got["memory, 64 B"], small, again),
    ]


def disk_rows(got, ratio):
    if "fio read" not in got:
        return []
    sequential = disk_limits(got["L"], got["fio read"], ratio)
    shuffled = disk_limits(got["L"], got["fio randread"], ratio)
    return [
        row("disk, sequential", "disk", got["disk, sequential"], sequential, "1 epoch"),
        row("disk, shuffled", "disk", got["disk, shuffled"], shuffled, "1 epoch"),
    ]


def measurements(path, small_path, block_bytes):
    x = ("--fields", "x")
    shuffled = (*x, "--shuffle")
    chosen = {
        "L": limit(path, "x"),
        "memory, sequential": from_memory(path, *x),
        "memory, shuffled": from_memory(path, *shuffled),
        "L, both fields": limit(path),
        "memory, with labels": from_memory(path, "--shuffle"),
        "L, 64-byte rows": limit(small_path),
        "memory, 64 B": from_memory(small_path, "--shuffle"),
    }
    if programs.have("fio"):
        chosen |= {
            "fio read": disk(path, "read", block_bytes),
            "disk, sequential": from_disk(path, *x),
            "fio randread": disk(path, "randread", block_bytes),
            "disk, shuffled": from_disk(path, *shuffled),
        }
    else:
        say("fio is not installed: no epochs from disk")
    return chosen


def measure(path, small_path, rounds):
    file = describe(path)
    block_bytes = chunk_bytes_of(file)
    got = programs.in_rounds("epochs", measurements(path, small_path, block_bytes), rounds)
    return {
        "file": file,
        "small_file": describe(small_path),
        "block_bytes": block_bytes,
        "decode_limit": {
            "threads": got["L"][0]["threads"],
            "bytes_per_s": programs.summary([best["bytes_per_s"] for best in got["L"]]),
            "one_thread_bytes_per_s": programs.summary([best["one_thread_bytes_per_s"] for best in got["L"]]),
        },
        "disk": {
            name: programs.summary(got[f"fio {name}"]) for name in ("read", "randread") if f"fio {name}" in got
        },
        "rows": memory_rows(got) + disk_rows(got, file["ratio"]),
    }
