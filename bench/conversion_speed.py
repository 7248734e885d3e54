"""How fast conversion is, as a share of the slower of reading the source and compressing the same frames on
all cores; and against other ways to compress the same rows, in time and size. Every writer's time includes
fsync."""

import os
import pathlib
import statistics

import numpy as np

import bench_data
import hdf5_speed
import programs
from programs import say

PROMISED = 0.90


def timed(function, source, target):
    """One conversion: how fast it took the source, what came out, on disk, and the processor time of programs."""

    def measure():
        if os.path.exists(target):
            os.unlink(target)
        cpu_seconds = programs.children_seconds()
        before = programs.seconds_of(lambda: function(source, target))
        cpu_seconds = programs.children_seconds() - cpu_seconds
        after = programs.seconds_of(lambda: programs.sync_file(target))
        return {"seconds": before + after, "cpu_seconds": cpu_seconds, "bytes": os.path.getsize(target)}

    return measure


def cold(source, measure):
    def cold_measure():
        programs.drop_from_cache(source)
        return measure()

    return cold_measure


def warm(source, measure):
    def warm_measure():
        programs.read_whole(source)
        return measure()

    return warm_measure


def headrace(source, target):
    programs.convert(source, "-o", target)


def headrace_size(source, target):
    programs.convert(source, "-o", target, "--codec", "zstd", "--filter", "shuffle", "--level", "9")


def with_h5py(source, target):
    bench_data.write_hdf5(np.load(source), target)


def with_h5repack(source, target):
    programs.run("h5repack", "-f", "SHUF", "-f", "GZIP=4", source, target)


def with_zstd(source, target):
    programs.run("zstd", "-1", "-T0", "-q", "-f", source, "-o", target)


def against_limits(source, folder, rounds):
    """source: the large .npy."""
    target = folder / "speed.hrd"
    headrace(source, target)  # the limits need a file of the same frames
    stored = folder / "limit.hrd"
    os.replace(target, stored)
    convert = timed(headrace, source, target)
    chosen = {
        "compress": lambda: programs.encode_limit(stored, source),
        "read cached": warm(source, lambda: programs.read_whole(source)),
        "warm": warm(source, convert),
        "cold": cold(source, convert),
    }
    if programs.have("fio"):
        chosen["read"] = cold(source, lambda: programs.fio(source, "read", 1 << 20))
        chosen["write"] = lambda: programs.fio_write(folder / "fio.tmp", stored.stat().st_size)
    got = programs.in_rounds("conversion", chosen, rounds)
    stored_bytes = stored.stat().st_size
    stored.unlink()
    target.unlink()
    return limits_report(got, source.stat().st_size, stored_bytes)


def limits_report(got, source_bytes, stored_bytes):
    rows = []
    compressing = [limit["bytes_per_s"] for limit in got["compress"]]
    cpu_ns = [limit["cpu_ns_per_byte"] for limit in got["compress"]]
    for name, temperature, reading in (("page cache", "warm", "read cached"), ("disk", "cold", "read")):
        if reading not in got:
            continue
        rates = [source_bytes / result["seconds"] for result in got[temperature]]
        took_ns = [result["cpu_seconds"] * 1e9 / source_bytes for result in got[temperature]]
        limits = [min(a, b) for a, b in zip(compressing, got[reading])]
        row = {
            "name": f".npy from {name}",
            "bytes_per_s": programs.summary(rates),
            "read_bytes_per_s": programs.summary(got[reading]),
            "limit_bytes_per_s": programs.summary(limits),
            "share": programs.summary([rate / best for rate, best in zip(rates, limits)]),
            "promised": PROMISED,
            "cpu_share": programs.summary([least / took for least, took in zip(cpu_ns, took_ns)]),
            "seconds": statistics.median(result["seconds"] for result in got[temperature]),
        }
        if temperature == "warm":
            both = [limit["with_reading_bytes_per_s"] for limit in got["compress"]]
            row["both_bytes_per_s"] = programs.summary(both)
            row["share_of_both"] = programs.summary([rate / best for rate, best in zip(rates, both)])
        if "write" in got:
            row["writing_alone_s"] = stored_bytes / statistics.median(got["write"])
        rows.append(row)
    return {
        "source_bytes": source_bytes,
        "stored_bytes": stored_bytes,
        "compress_bytes_per_s": programs.summary(compressing),
        "rows": rows,
    }


def against_others(source, folder, rounds):
    """source: the small .npy."""
    plain, gzipped = folder / "plain.h5", folder / "gzip.h5"
    bench_data.write_plain_hdf5(np.load(source), plain)
    with_h5py(source, gzipped)
    ways = {
        "headrace convert (.npy)": (headrace, source, ".hrd"),
        "headrace convert (.npy), level 9": (headrace_size, source, ".hrd"),
        "headrace convert (HDF5, gzip 4 + shuffle)": (headrace, gzipped, ".hrd"),
        "h5py, gzip 4 + shuffle": (with_h5py, source, ".h5"),
        "h5repack, gzip 4 + shuffle": (with_h5repack, plain, ".h5"),
        "zstd -1 -T0 of the .npy": (with_zstd, source, ".zst"),
    }
    if not programs.have("h5repack"):
        say("h5repack is not installed: it is left out")
        del ways["h5repack, gzip 4 + shuffle"]
    if not programs.have("zstd"):
        say("zstd is not installed: it is left out")
        del ways["zstd -1 -T0 of the .npy"]
    chosen = {}
    for number, (name, (function, origin, suffix)) in enumerate(ways.items()):
        chosen[name] = warm(origin, timed(function, origin, folder / f"way{number}{suffix}"))
    got = programs.in_rounds("other ways", chosen, rounds)
    decoded = source.stat().st_size
    plain.unlink()
    for path in folder.glob("way*"):
        path.unlink()
    return {
        "decoded_bytes": decoded,
        "rows": [
            {
                "name": name,
                "seconds": programs.summary([result["seconds"] for result in results]),
                "bytes_per_s": decoded / statistics.median(result["seconds"] for result in results),
                "bytes": results[0]["bytes"],
                "ratio": decoded / results[0]["bytes"],
            }
            for name, results in got.items()
        ],
    }


def measure(large, small, folder, rounds):
    folder = pathlib.Path(folder)
    return {
        "limits": against_limits(large, folder, rounds),
        "others": against_others(small, folder, rounds),
        "hdf5": hdf5_speed.measure(small, folder, rounds, timed, warm, headrace),
    }
