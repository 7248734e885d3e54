"""Chunk shapes that are hostile to reading row by row: each chunk is decoded once, or the memory that this takes is
named. And files that claim more than there is."""
import re
import zlib

import h5py
import numpy as np
import pytest
from h5py import h5d, h5p, h5s, h5t

from hdf5_dump import TOOL, any_bits, assert_rows, list_sources, read_bytes, read_rows
from headrace_command import good, headrace, needs_program

pytestmark = [pytest.mark.skipif(TOOL is None, reason="no tool_hdf5_dump"), needs_program]

MIB = 1 << 20
SHAPE = (8192, 24, 16)  # float32: 12 MiB


@pytest.fixture
def out(tmp_path):
    return tmp_path / "rows"


CHUNKS = {
    "columns": (8192, 1, 1),
    "slabs of an inner axis": (8192, 1, 16),
    "tall": (4096, 2, 3),
    "odd": (1000, 7, 5),
    "one for all": SHAPE,
    "rows": (1, 24, 16),
    "pieces of a row": (1, 5, 16),
}


@pytest.mark.parametrize("chunks", CHUNKS)
def test_any_chunks__each_is_read_once(tmp_path, out, chunks):
    x = any_bits("<f4", SHAPE)
    with h5py.File(tmp_path / "a.h5", "w") as f:
        f.create_dataset("x", data=x, chunks=CHUNKS[chunks])
    before = read_bytes()
    assert_rows(tmp_path / "a.h5", "x", out, x, step=300)
    # What the test itself reads back, and what programs read to start.
    once = (tmp_path / "a.h5").stat().st_size + x.nbytes
    assert read_bytes() - before < 1.1 * once + 2 * MIB


@pytest.mark.parametrize("chunks", ["columns", "slabs of an inner axis", "tall", "odd"])
def test_little_memory__each_chunk_is_read_once_all_the_same(tmp_path, out, chunks):
    x = any_bits("<f4", SHAPE)
    with h5py.File(tmp_path / "a.h5", "w") as f:
        f.create_dataset("x", data=x, chunks=CHUNKS[chunks])
    before = read_bytes()
    assert_rows(tmp_path / "a.h5", "x", out, x, step=100, budget=18 * MIB)
    once = (tmp_path / "a.h5").stat().st_size + x.nbytes
    assert read_bytes() - before < 1.1 * once + 2 * MIB


def test_too_little_memory__the_budget_that_would_do_is_named_and_does(tmp_path):
    x = any_bits("u1", (6000, 1024))
    with h5py.File(tmp_path / "a.h5", "w") as f:
        f.create_dataset("x", data=x, chunks=(6000, 16), compression="gzip")
    done = headrace("convert", tmp_path / "a.h5", "-o", tmp_path / "out.hrd", "--budget", "5M", "--threads", 1)
    assert done.returncode == 1, done.stderr
    reading = int(re.search(r"reading the source takes (\d+)", done.stderr)[1])
    writing = int(re.search(r"writing needs at least (\d+)", done.stderr)[1])
    assert reading < 1.5 * x.nbytes  # the chunks that one row touches, once
    good("convert", tmp_path / "a.h5", "-o", tmp_path / "out.hrd", "--budget", reading + writing, "--threads", 1)
    named = int(re.search(r"give it at least (\d+) MiB", done.stderr)[1])
    assert 0 <= (named << 20) - reading - writing < 1 << 20
    good("export", tmp_path / "out.hrd", "-o", tmp_path / "npy")
    assert np.array_equal(np.load(tmp_path / "npy" / "x.npy"), x)


def test_fields_of_different_chunks__one_budget_for_all(tmp_path):
    x, y = any_bits("<f4", (5000, 64)), any_bits("<i8", (5000,))
    with h5py.File(tmp_path / "a.h5", "w") as f:
        f.create_dataset("x", data=x, chunks=(5000, 2), compression="lzf")
        f.create_dataset("y", data=y, chunks=(333,), compression="gzip")
        f.create_dataset("z", data=x.view("<i4").astype("<f8"), chunks=(7, 64))
    for budget in ("16M", "32M", "256M"):
        target = tmp_path / f"{budget}.hrd"
        good("convert", tmp_path / "a.h5", "-o", target, "--budget", budget)
        good("export", target, "-o", tmp_path / budget)
        assert np.array_equal(np.load(tmp_path / budget / "x.npy").view("u4"), x.view("u4"))
        assert np.array_equal(np.load(tmp_path / budget / "y.npy"), y)


# --- files that claim more than there is ------------------------------------------------------------------------

def claim(path, shape, chunk, dtype="u1", write=None):
    with h5py.File(path, "w") as f:
        plist = h5p.create(h5p.DATASET_CREATE)
        if chunk is not None:
            plist.set_chunk(chunk)
            plist.set_deflate(9)
        plist.set_alloc_time(h5d.ALLOC_TIME_INCR if chunk else h5d.ALLOC_TIME_LATE)
        ds = h5d.create(f.id, b"x", h5t.py_create(np.dtype(dtype)), h5s.create_simple(shape), plist)
        if write is not None:
            ds.write_direct_chunk((0,) * len(shape), write)
    assert path.stat().st_size < 20 << 10


def test_claim__terabytes_of_samples__are_listed_and_refused_by_the_disk(tmp_path):
    claim(tmp_path / "a.h5", (10 << 40,), (4096,))
    assert list_sources(tmp_path / "a.h5").answer[0]["num_samples"] == 10 << 40
    done = headrace("convert", tmp_path / "a.h5", "-o", tmp_path / "out.hrd", "--chunk", "64K", "--codec", "raw",
                    timeout=60)
    assert done.returncode == 1 and not (tmp_path / "out.hrd").exists()
    assert "free" in done.stderr or "space" in done.stderr, done.stderr


@pytest.mark.parametrize("chunk", [None, (2, 1 << 30)])
def test_claim__a_sample_of_gigabytes__is_refused_with_what_it_takes(tmp_path, chunk):
    claim(tmp_path / "a.h5", (1000, 8 << 30), chunk)
    done = headrace("convert", tmp_path / "a.h5", "-o", tmp_path / "out.hrd", "--budget", "256M")
    assert done.returncode == 1
    words = r"reading .* takes \d{10,}, the budget is 268435456: give it at least \d{5} MiB$"
    assert re.search(words, done.stderr), done.stderr


def test_claim__a_sample_of_terabytes__is_refused(tmp_path):
    claim(tmp_path / "a.h5", (1000, 10 << 40), None)
    assert list_sources(tmp_path / "a.h5").status == "HR_ERR_UNSUPPORTED"


def test_claim__a_chunk_that_inflates_to_more__is_an_error(tmp_path, out):
    """16 MiB of zeros where the data set says 4 KiB."""
    claim(tmp_path / "a.h5", (4096,), (4096,), write=zlib.compress(bytes(16 << 20), 9))
    result, data = read_rows(tmp_path / "a.h5", "x", out, MEMORY_BYTES=90 << 20)
    assert result.ok or result.status in ("HR_ERR_CORRUPT", "HR_ERR_HELPER")
    assert not result.ok or data == bytes(4096)


def test_claim__chunks_larger_than_the_helper_may_hold__says_how_much(tmp_path, out):
    claim(tmp_path / "a.h5", (1 << 20, 1 << 11), (1 << 19, 1 << 11))
    result, _ = read_rows(tmp_path / "a.h5", "x", out, budget=8 << 30, MEMORY_BYTES=512 << 20)
    assert result.status in ("HR_ERR_HELPER", "HR_ERR_BUDGET", "HR_ERR_IO", "HR_ERR_NO_SPACE"), result.message
    assert "MiB" in result.message or "bytes" in result.message
