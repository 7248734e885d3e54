"""Filters outside HDF5: what hdf5plugin and h5py wrote is read bit for bit, damaged chunks are errors, and filters
that are not read are refused by their names."""
import h5py
import hdf5plugin
import numpy as np
import pytest
from h5py import h5d, h5p, h5s, h5t

from hdf5_dump import TOOL, any_bits, assert_rows, list_sources, read_rows

pytestmark = pytest.mark.skipif(TOOL is None, reason="no tool_hdf5_dump")


@pytest.fixture
def out(tmp_path):
    return tmp_path / "rows"


FILTERS = {
    "lzf": {"compression": "lzf"},
    "lzf after shuffle": {"compression": "lzf", "shuffle": True},
    "lz4": hdf5plugin.LZ4(),
    "lz4 in small blocks": hdf5plugin.LZ4(nbytes=100),
    "zstd": hdf5plugin.Zstd(clevel=5),
    "bitshuffle": hdf5plugin.Bitshuffle(cname="none"),
    "bitshuffle lz4": hdf5plugin.Bitshuffle(cname="lz4"),
    "bitshuffle zstd": hdf5plugin.Bitshuffle(cname="zstd"),
    "bitshuffle in small blocks": hdf5plugin.Bitshuffle(nelems=16, cname="lz4"),
    "blosc blosclz": hdf5plugin.Blosc(cname="blosclz", clevel=9, shuffle=1),
    "blosc lz4": hdf5plugin.Blosc(cname="lz4", shuffle=2),
    "blosc lz4hc": hdf5plugin.Blosc(cname="lz4hc", shuffle=0),
    "blosc zlib": hdf5plugin.Blosc(cname="zlib", shuffle=1),
    "blosc zstd": hdf5plugin.Blosc(cname="zstd", shuffle=2),
}


def plain_numbers(dtype, shape, seed=3):
    """That compress, and some that do not."""
    x = np.cumsum(any_bits("u1", shape, seed) % 7, axis=0).astype(dtype)
    x[: shape[0] // 3] = any_bits(dtype, (shape[0] // 3, *shape[1:]), seed)
    return x


@pytest.mark.parametrize("dtype", ["u1", "<i2", "<f4", "<f8", "<c16"])
@pytest.mark.parametrize("name", FILTERS)
def test_filter__every_kind_of_element__bit_for_bit(tmp_path, out, name, dtype):
    x = plain_numbers(dtype, (913, 7))
    with h5py.File(tmp_path / "a.h5", "w") as f:
        f.create_dataset("x", data=x, chunks=(301, 5), **FILTERS[name])
    assert_rows(tmp_path / "a.h5", "x", out, x, step=100)


@pytest.mark.parametrize("shape,chunks", [((1,), (1,)), ((7,), (7,)), ((8,), (3,)), ((5000, 3), (4999, 3)),
                                          ((70000,), (65537,))])
@pytest.mark.parametrize("name", FILTERS)
def test_filter__odd_chunks__bit_for_bit(tmp_path, out, name, shape, chunks):
    x = plain_numbers("<i4", shape)
    with h5py.File(tmp_path / "a.h5", "w") as f:
        f.create_dataset("x", data=x, chunks=chunks, **FILTERS[name])
    assert_rows(tmp_path / "a.h5", "x", out, x)


@pytest.mark.parametrize("name", ["bitshuffle lz4", "lz4", "blosc lz4"])
def test_filter__records_of_an_odd_size__bit_for_bit(tmp_path, out, name):
    x = np.zeros(1000, [("a", "<i4"), ("b", "u1", (3,))])
    x["a"], x["b"] = plain_numbers("<i4", (1000,)), plain_numbers("u1", (1000, 3))
    with h5py.File(tmp_path / "a.h5", "w") as f:
        f.create_dataset("x", data=x, chunks=(129,), **FILTERS[name])
    assert_rows(tmp_path / "a.h5", "x/a", out, x["a"])
    assert_rows(tmp_path / "a.h5", "x/b", out, x["b"])


def chunk_of(path):
    with h5py.File(path, "r") as f:
        info = f["x"].id.get_chunk_info(0)
        return info.byte_offset, info.size


@pytest.mark.parametrize("name", FILTERS)
def test_filter__damaged_chunks__are_errors_or_other_numbers(tmp_path, out, name):
    """The helper answers, whatever is in the chunk: lengths that claim more, tokens that point elsewhere."""
    x = plain_numbers("<i4", (600,))
    with h5py.File(tmp_path / "a.h5", "w") as f:
        f.create_dataset("x", data=x, chunks=(600,), **FILTERS[name])
    at, size = chunk_of(tmp_path / "a.h5")
    whole = (tmp_path / "a.h5").read_bytes()
    rng = np.random.default_rng(5)
    places = [*range(min(24, size)), *rng.integers(0, size, 12)]
    errors = 0
    for place in places:
        damaged = bytearray(whole)
        damaged[at + place] ^= 255 if place < 24 else 1 << int(rng.integers(8))
        (tmp_path / "b.h5").write_bytes(damaged)
        result, data = read_rows(tmp_path / "b.h5", "x", out, TIMEOUT_MS=5000)
        assert result.ok or result.status in ("HR_ERR_CORRUPT", "HR_ERR_HELPER"), result.message
        assert not result.ok or len(data) == x.nbytes
        errors += not result.ok
    assert errors > 0 or name == "bitshuffle"  # without compression every byte is a number


@pytest.mark.parametrize("number,values,chunk", [
    (32004, (), bytes(4) + b"\xff\xff\xff\xff" + b"\x40\x00\x00\x00" + bytes(100)),
    (32004, (), b"\x00\x00\x09\x18\x4e\x72\xa0\x00" + b"\x40\x00\x00\x00" + bytes(100)),
    (32008, (0, 5, 4, 0, 2), bytes(4) + b"\xff\xff\xff\xfc" + b"\x00\x00\x20\x00" + bytes(100)),
    (32008, (0, 5, 0, 0, 2), bytes(112)),
    (32008, (0, 5, 4, 7, 0), bytes(112)),
    (32008, (0, 5), bytes(112)),
    (32008, (0, 5, 4, 0, 9), bytes(112)),
    (32015, (), b"\x28\xb5\x2f\xfd\xe0" + (10**13).to_bytes(8, "little") + bytes(50)),
    (32001, (), b"\x02\x01\x01\x04" + b"\xf0\xff\xff\x7f" + b"\x00\x00\x10\x00" + b"\x70\x00\x00\x00" + bytes(96)),
    (32000, (), bytes([0xE0, 0xFF, 0x00] * 40)),
])
def test_filter__chunk_that_claims_terabytes__is_an_error(tmp_path, out, number, values, chunk):
    with h5py.File(tmp_path / "a.h5", "w") as f:
        plist = h5p.create(h5p.DATASET_CREATE)
        plist.set_chunk((1000,))
        plist.set_filter(number, h5py.h5z.FLAG_OPTIONAL, values)
        ds = h5d.create(f.id, b"x", h5t.STD_I32LE, h5s.create_simple((1000,)), plist)
        ds.write_direct_chunk((0,), chunk)
    result, _ = read_rows(tmp_path / "a.h5", "x", out, TIMEOUT_MS=10000)
    assert result.status == "HR_ERR_CORRUPT", result.message
    assert "samples 0 to 999" in result.message


@pytest.mark.parametrize("compression,name", [(hdf5plugin.Zfp(), "32013 (zfp)"),
                                              (hdf5plugin.Blosc2(), "32026 (Blosc2)"),
                                              (hdf5plugin.BZip2(), "307 (BZIP2)"),
                                              (hdf5plugin.SZ3(absolute=0.1), "32024 (SZ3)")])
def test_filter__that_is_not_read__is_refused_by_its_name(tmp_path, compression, name):
    with h5py.File(tmp_path / "a.h5", "w") as f:
        f.create_dataset("x", data=np.zeros((100, 10), "<f4"), chunks=(50, 10), **compression)
        f["good"] = np.zeros(3)
    refused = list_sources(tmp_path / "a.h5")
    assert refused.status == "HR_ERR_UNSUPPORTED"
    assert f"/x: it is compressed by the filter {name}" in refused.message and "h5repack" in refused.message
    assert list_sources(tmp_path / "a.h5", "good").ok
