"""Chunks of gzip, shuffle and fletcher32, which the helper decodes itself: the same bits as HDF5 has, and the same
kind of errors."""
import ctypes
import zlib
from pathlib import Path

import h5py
import numpy as np
import pytest
from h5py import h5d, h5p, h5s, h5t

from hdf5_dump import TOOL, any_bits, assert_rows, read_bytes, read_rows
from headrace_command import good, needs_program

pytestmark = [pytest.mark.skipif(TOOL is None, reason="no tool_hdf5_dump"), needs_program]

MIB = 1 << 20


@pytest.fixture
def out(tmp_path):
    return tmp_path / "rows"


def numbers(dtype, shape, seed=3):
    """Half of them compress."""
    x = any_bits(dtype, shape, seed).copy()
    x[: shape[0] // 2] = np.arange(int(np.prod(shape[1:])) or 1).reshape(shape[1:]).astype(dtype)
    return x


def make(path, x, chunks, filters, fill=None, write=True, maxshape=None):
    """filters: of "s", "d" and "f", in the order of writing."""
    plist = h5p.create(h5p.DATASET_CREATE)
    plist.set_chunk(chunks)
    for one in filters:
        {"s": plist.set_shuffle, "d": lambda: plist.set_deflate(4), "f": plist.set_fletcher32}[one]()
    if fill is not None:
        plist.set_fill_value(np.array(fill, x.dtype))
    with h5py.File(path, "w") as f:
        space = h5s.create_simple(x.shape, maxshape or x.shape)
        ds = h5py.Dataset(h5d.create(f.id, b"x", h5t.py_create(x.dtype, logical=True), space, plist))
        if write:
            ds[...] = x
    return path


@pytest.mark.parametrize("dtype", ["u1", "<i2", "<f2", "<f4", "<f8", "<c8", "<c16", "S5", "V3", "?", ">f4", ">i8"])
@pytest.mark.parametrize("filters", ["d", "sd", "sdf", "sfd", "fsd", "df", "fd", "sf", "f", "s"])
def test_filters_in_any_order__bit_for_bit(tmp_path, out, filters, dtype):
    x = numbers(dtype, (913, 7)) if dtype not in ("?", "S5") else (any_bits("u1", (913, 7)) % 2).astype(dtype)
    make(tmp_path / "a.h5", x, (301, 5), filters)
    assert_rows(tmp_path / "a.h5", "x", out, x.astype(x.dtype.newbyteorder("<")), step=100)


SHAPES = [((1,), (1,)), ((1000,), (999,)), ((1000,), (1,)), ((70000,), (65537,)), ((50, 3, 4), (50, 3, 4)),
          ((50, 3, 4), (7, 2, 3)), ((50, 3, 4), (1, 3, 4)), ((50, 3, 4), (50, 1, 1)),
          ((9, 2, 3, 2, 5), (4, 2, 2, 1, 4))]


@pytest.mark.parametrize("shape,chunks", SHAPES)
@pytest.mark.parametrize("step", [1, 13, 100000])
def test_chunks_of_any_shape__bit_for_bit(tmp_path, out, shape, chunks, step):
    x = numbers("<i4", shape)
    make(tmp_path / "a.h5", x, chunks, "sdf")
    assert_rows(tmp_path / "a.h5", "x", out, x, step=max(step, shape[0] // 50))


def test_chunks_larger_than_the_data__bit_for_bit(tmp_path, out):
    x = numbers("<f4", (50, 6))
    make(tmp_path / "a.h5", x, (64, 8), "sd", maxshape=(h5s.UNLIMITED, h5s.UNLIMITED))
    assert_rows(tmp_path / "a.h5", "x", out, x, step=7)


@pytest.mark.parametrize("libver", ["earliest", "v110"])
@pytest.mark.parametrize("fill", [None, 0, -7.25])
def test_chunks_that_were_never_written__are_the_fill_value(tmp_path, out, fill, libver):
    with h5py.File(tmp_path / "a.h5", "w", libver=(libver, "v110")) as f:
        ds = f.create_dataset("x", (1000, 6), "<f4", chunks=(100, 4), compression="gzip", shuffle=True, fillvalue=fill)
        ds[250:350, 1:3] = 2
        ds[999] = 3
        x = ds[...]
    for step in (30, 1000):
        assert_rows(tmp_path / "a.h5", "x", out, x, step=step)


def stored_by(filters, mask, chunk):
    """A chunk as it lies in the file with these filters (not fletcher32), those in mask left out."""
    raw = chunk.tobytes()
    for i, one in enumerate(filters):
        if one == "s" and not mask >> i & 1:
            raw = np.frombuffer(raw, "u1").reshape(-1, chunk.dtype.itemsize).T.tobytes()
        elif one == "d" and not mask >> i & 1:
            raw = zlib.compress(raw, 9)
    return raw


def test_filters_left_out_of_some_chunks__bit_for_bit(tmp_path, out):
    x = numbers("<f8", (64, 10))
    make(tmp_path / "a.h5", x, (8, 10), "sd", write=False)
    with h5py.File(tmp_path / "a.h5", "r+") as f:
        for row in range(0, 64, 8):
            mask = row // 8 % 4
            f["x"].id.write_direct_chunk((row, 0), stored_by("sd", mask, x[row : row + 8]), mask)
    with h5py.File(tmp_path / "a.h5", "r") as f:
        assert f["x"][...].tobytes() == x.tobytes()
    assert_rows(tmp_path / "a.h5", "x", out, x, step=20)


def hdf5_of_h5py():
    """For calls that h5py does not have."""
    found = [*Path(h5py.__file__).parent.parent.glob("h5py.libs/libhdf5-*"),
             *Path(h5py.__file__).parent.parent.glob("h5py.libs/libhdf5.*")]
    return ctypes.CDLL(str(found[0])) if found else None


def test_partial_chunks_without_filters__bit_for_bit(tmp_path, out):
    library = hdf5_of_h5py()
    if library is None:
        pytest.skip("h5py brings no HDF5 of its own")
    x = numbers("<i4", (50, 10))
    plist = h5p.create(h5p.DATASET_CREATE)
    plist.set_chunk((16, 4))
    plist.set_shuffle()
    plist.set_deflate(4)
    assert library.H5Pset_chunk_opts(ctypes.c_int64(plist.id), ctypes.c_uint(2)) == 0
    with h5py.File(tmp_path / "a.h5", "w", libver=("v110", "v110")) as f:
        ds = h5d.create(f.id, b"x", h5t.py_create(x.dtype), h5s.create_simple(x.shape), plist)
        h5py.Dataset(ds)[...] = x
    assert_rows(tmp_path / "a.h5", "x", out, x, step=20)


CHUNKS = {"columns": (8192, 1, 1), "slabs": (8192, 1, 16), "tall": (4096, 2, 3), "odd": (1000, 7, 5),
          "one for all": (8192, 24, 16), "rows": (1, 24, 16), "whole samples": (40, 24, 16)}


@pytest.mark.parametrize("budget", [18 * MIB, 64 * MIB])
@pytest.mark.parametrize("chunks", CHUNKS)
def test_any_chunks_any_memory__each_is_read_once(tmp_path, out, chunks, budget):
    x = any_bits("<f4", (8192, 24, 16))
    make(tmp_path / "a.h5", x, CHUNKS[chunks], "sd")
    before = read_bytes()
    assert_rows(tmp_path / "a.h5", "x", out, x, step=100, budget=budget if chunks != "one for all" else 64 * MIB)
    once = (tmp_path / "a.h5").stat().st_size + x.nbytes  # and what the test itself reads back
    assert read_bytes() - before < 1.1 * once + 2 * MIB


def test_several_helpers__each_chunk_is_read_once(tmp_path):
    x = any_bits("<f4", (20000, 128))
    make(tmp_path / "a.h5", x, (500, 128), "sd")
    before = read_bytes()
    good("convert", tmp_path / "a.h5", "-o", tmp_path / "out.hrd", "--helpers", 2)
    assert read_bytes() - before < 1.1 * (tmp_path / "a.h5").stat().st_size + 6 * MIB
    good("compare", tmp_path / "a.h5", tmp_path / "out.hrd")


@pytest.mark.parametrize("align", [False, True])
def test_records__packed_as_they_are_read_or_not__bit_for_bit(tmp_path, align):
    x = np.zeros(3000, np.dtype([("a", "u1"), ("b", "<f4", (3,)), ("c", "<i8")], align=align))
    x["a"], x["b"], x["c"] = numbers("u1", (3000,)), numbers("<f4", (3000, 3)), numbers("<i8", (3000,))
    with h5py.File(tmp_path / "a.h5", "w") as f:
        f.create_dataset("x", data=x, chunks=(700,), compression="gzip", shuffle=True, fletcher32=True)
    good("convert", tmp_path / "a.h5", "-o", tmp_path / "out.hrd")
    good("export", tmp_path / "out.hrd", "-o", tmp_path / "npy")
    for name in x.dtype.names:
        assert np.load(tmp_path / "npy" / f"x__{name}.npy").tobytes() == x[name].tobytes()


# --- damage ---------------------------------------------------------------------------------------------------------

def claim(path, stored, filters="d", n=4096):
    make(path, np.zeros(n, "u1"), (n,), filters, write=False)
    with h5py.File(path, "r+") as f:
        f["x"].id.write_direct_chunk((0,), stored)


@pytest.mark.parametrize("n_bytes", [0, 1, 4095, 4097, 4 << 20])
def test_chunk_that_inflates_to_another_size__is_an_error(tmp_path, out, n_bytes):
    claim(tmp_path / "a.h5", zlib.compress(bytes(n_bytes), 9))
    result, _ = read_rows(tmp_path / "a.h5", "x", out, MEMORY_BYTES=90 << 20)
    assert result.status == "HR_ERR_CORRUPT"
    assert "samples 0 to 4095 cannot be read" in result.message and "do not inflate to 4096" in result.message


@pytest.mark.parametrize("stored", [b"", b"x", b"\x78\x9c", bytes(4096), bytes(100), b"\xff" * 5000])
def test_chunk_that_is_no_stream__is_an_error(tmp_path, out, stored):
    claim(tmp_path / "a.h5", stored or b"\0")
    result, _ = read_rows(tmp_path / "a.h5", "x", out)
    assert result.status == "HR_ERR_CORRUPT", result.message
    assert "samples 0 to 4095" in result.message


def test_chunk_with_bytes_behind_the_stream__is_read(tmp_path, out):
    """As HDF5 does; also where they are many."""
    x = any_bits("u1", (4096,))
    for behind in (1, 100, 100000):
        claim(tmp_path / "a.h5", zlib.compress(x.tobytes()) + b"\x55" * behind)
        assert_rows(tmp_path / "a.h5", "x", out, x)


@pytest.mark.parametrize("filters", ["d", "sdf", "fsd"])
def test_any_damaged_byte__is_an_error_or_makes_no_difference(tmp_path, out, filters):
    x = numbers("<i4", (600,))
    make(tmp_path / "a.h5", x, (600,), filters)
    with h5py.File(tmp_path / "a.h5", "r") as f:
        info = f["x"].id.get_chunk_info(0)
    whole = (tmp_path / "a.h5").read_bytes()
    rng = np.random.default_rng(5)
    for place in [0, 1, 2, info.size - 5, info.size - 1, *rng.integers(0, info.size, 25)]:
        damaged = bytearray(whole)
        damaged[info.byte_offset + int(place)] ^= int(rng.integers(1, 256))
        (tmp_path / "b.h5").write_bytes(damaged)
        result, data = read_rows(tmp_path / "b.h5", "x", out, TIMEOUT_MS=5000)
        assert result.status == "HR_ERR_CORRUPT" or data == x.tobytes(), (place, result.answer)


def test_file_cut_off_inside_a_chunk__is_an_error(tmp_path, out):
    x = any_bits("<f4", (4000, 16))
    make(tmp_path / "a.h5", x, (1000, 16), "sd")
    whole = (tmp_path / "a.h5").read_bytes()
    (tmp_path / "b.h5").write_bytes(whole[: len(whole) - 1000])
    result, _ = read_rows(tmp_path / "b.h5", "x", out)
    assert result.status == "HR_ERR_CORRUPT"
