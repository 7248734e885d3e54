"""How fast an HDF5 file of gzip is converted: against h5repack, which makes another HDF5 file of it, and as a share of
inflating its chunks on all cores. That share is also taken of a file that holds the same chunks several times: in a
short conversion, starting and trying codecs count. Inflating is that of zlib, which HDF5 and other programs use; that
of libdeflate, which headrace uses, is measured beside it. Every writer's time includes fsync."""

import concurrent.futures
import ctypes
import ctypes.util
import os
import statistics
import subprocess
import threading
import time
import zlib

import numpy as np

import bench_data
import programs
from programs import say

PROMISED_FACTOR = 2.0
PROMISED_SHARE = 0.85
REPEATS = 4  # of the chunks, in the large file
FILTERS = {
    "NONE": ("NONE",),
    "SHUF, GZIP=1": ("SHUF", "GZIP=1"),
    "SHUF, GZIP=4": ("SHUF", "GZIP=4"),
    "SZIP=8,NN": ("SZIP=8,NN",),
}


def repack(filters):
    def run(source, target):
        words = [word for one in filters for word in ("-f", one)]
        programs.run("h5repack", *words, source, target)

    return run


def stored_chunks(path):
    import h5py

    with h5py.File(path, "r") as file:
        chunks = file["x"].id
        return [
            chunks.read_direct_chunk(chunks.get_chunk_info(i).chunk_offset)[1] for i in range(chunks.get_num_chunks())
        ]


def by_zlib(chunk):
    return len(zlib.decompress(chunk))


def libdeflate(chunk_bytes):
    """A function as by_zlib, for chunks of one size; None: there is no such library."""
    name = ctypes.util.find_library("deflate")
    if name is None:
        return None
    library = ctypes.CDLL(name)
    library.libdeflate_alloc_decompressor.restype = ctypes.c_void_p
    size, pointer = ctypes.c_size_t, ctypes.c_void_p
    library.libdeflate_zlib_decompress.argtypes = (pointer, ctypes.c_char_p, size, pointer, size, pointer)
    own = threading.local()

    def inflated(chunk):
        if not hasattr(own, "state"):  # one for each thread, which lives as long as the process
            own.state = library.libdeflate_alloc_decompressor()
            own.room = ctypes.create_string_buffer(chunk_bytes)
        if library.libdeflate_zlib_decompress(own.state, chunk, len(chunk), own.room, chunk_bytes, None) != 0:
            raise ValueError("a chunk does not inflate to its size")
        return chunk_bytes

    return inflated


def inflate(chunks, one):
    """All of them, from memory: by as many threads as there are cores, and then the processor time of one."""
    start = time.perf_counter()
    with concurrent.futures.ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        n_bytes = sum(pool.map(one, chunks))
    seconds = time.perf_counter() - start
    before = time.thread_time()
    for chunk in chunks:
        one(chunk)
    return {"bytes_per_s": n_bytes / seconds, "cpu_ns_per_byte": (time.thread_time() - before) * 1e9 / n_bytes}


def usable_filters(source, target):
    """h5repack may be built without some."""
    if not programs.have("h5repack"):
        say("h5repack is not installed: it is left out")
        return {}
    found = {}
    for name, filters in FILTERS.items():
        words = [word for one in filters for word in ("-f", one)]
        if subprocess.run(["h5repack", *words, source, target], capture_output=True).returncode == 0:
            found[name] = filters
        target.unlink(missing_ok=True)
    return found


def measure(source, folder, rounds, timed, warm, convert):
    """source: a .npy file; timed, warm and convert: those of conversion_speed."""
    gzipped, large = folder / "inflate.h5", folder / "inflate_large.h5"
    bench_data.write_hdf5(np.load(source), gzipped)
    bench_data.repeat_hdf5(gzipped, large, REPEATS * source.stat().st_size)
    chunks = stored_chunks(gzipped)
    chosen = {
        "convert": warm(gzipped, timed(convert, gzipped, folder / "inflated.hrd")),
        "convert large": warm(large, timed(convert, large, folder / "inflated.hrd")),
        "inflate": lambda: inflate(chunks, by_zlib),
    }
    faster = libdeflate(by_zlib(chunks[0]))
    if faster is not None:
        chosen["libdeflate"] = lambda: inflate(chunks, faster)
    filters = usable_filters(gzipped, folder / "repacked.h5")
    for name, how in filters.items():
        chosen[name] = warm(gzipped, timed(repack(how), gzipped, folder / "repacked.h5"))
    got = programs.in_rounds("from HDF5", chosen, rounds)
    for path in (gzipped, large, folder / "inflated.hrd", folder / "repacked.h5"):
        path.unlink(missing_ok=True)
    return report(got, filters, source.stat().st_size)


def share_report(converted, inflated, n_bytes):
    seconds = [result["seconds"] for result in converted]
    took_ns = [result["cpu_seconds"] * 1e9 / n_bytes for result in converted]
    shares = [n_bytes / took / limit["bytes_per_s"] for took, limit in zip(seconds, inflated)]
    return {
        "decoded_bytes": n_bytes,
        "seconds": programs.summary(seconds),
        "bytes_per_s": n_bytes / statistics.median(seconds),
        "share": programs.summary(shares),
        "cpu_share": programs.summary([limit["cpu_ns_per_byte"] / took for limit, took in zip(inflated, took_ns)]),
    }


def report(got, filters, n_bytes):
    seconds = [result["seconds"] for result in got["convert"]]
    fastest = [min(results) for results in zip(*([run["seconds"] for run in got[name]] for name in filters))]
    return {
        "small": share_report(got["convert"], got["inflate"], n_bytes),
        "large": share_report(got["convert large"], got["inflate"], REPEATS * n_bytes),
        "repack": {
            name: {
                "seconds": programs.summary([run["seconds"] for run in got[name]]),
                "bytes": got[name][0]["bytes"],
            }
            for name in filters
        },
        "factor": programs.summary([slow / fast for slow, fast in zip(fastest, seconds)]) if filters else None,
        "promised_factor": PROMISED_FACTOR,
        "inflate_bytes_per_s": programs.summary([limit["bytes_per_s"] for limit in got["inflate"]]),
        "libdeflate_bytes_per_s": programs.summary([limit["bytes_per_s"] for limit in got["libdeflate"]])
        if "libdeflate" in got
        else None,
        "promised_share": PROMISED_SHARE,
    }
