"""Random HDF5 files (types, byte order, layouts, chunk shapes, filters, chunks that were never written and what fills
them, attributes), converted with random options and compared. $HEADRACE_SEEDS is how many (default 40); a seed that
failed is tried alone by $HEADRACE_FIRST_SEED."""
import os

import h5py
import hdf5plugin
import numpy as np
import pytest

from headrace_command import figures, good, needs_program

pytestmark = needs_program

FIRST = int(os.environ.get("HEADRACE_FIRST_SEED", "0"))
SEEDS = range(FIRST, FIRST + int(os.environ.get("HEADRACE_SEEDS", "40")))
NUMBERS = ["i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8", "f2", "f4", "f8", "c8", "c16", "?", "S5", "V3"]


def any_dtype(rng, depth=0):
    if depth < 2 and rng.random() < 0.2:
        names = ["a", "b/c", "d", "\u00e9"][: rng.integers(1, 5)]
        return np.dtype([(name, any_dtype(rng, depth + 1)) for name in names])
    dtype = np.dtype(NUMBERS[rng.integers(len(NUMBERS))])
    if dtype.kind not in "SVb" and rng.random() < 0.4:
        dtype = dtype.newbyteorder(">")
    if depth > 0 and rng.random() < 0.3:
        return np.dtype((dtype, tuple(int(n) for n in rng.integers(1, 4, rng.integers(1, 3)))))
    return dtype


def fill(rng, values):
    """Any bits where any are allowed; alike neighbours in part of it."""
    if values.dtype.names:
        for name in values.dtype.names:
            fill(rng, values[name])
    elif values.dtype.kind == "b":
        values[...] = rng.random(values.shape) < 0.5
    elif values.dtype.kind == "S":
        values[...] = rng.choice([b"", b"a", b"word", b"12345"], values.shape)
    else:
        raw = rng.integers(0, 256, (*values.shape, values.dtype.itemsize), dtype=np.uint8)
        raw[: len(raw) // 2] %= 3
        values[...] = raw.view(values.dtype)[..., 0]


def any_shape(rng, n):
    return (n, *(int(k) for k in rng.integers(1, 9, rng.integers(0, 4))))


def layout_of(rng, shape, dtype):
    """Options of create_dataset."""
    if rng.random() < 0.25:
        return {}
    options = {"chunks": tuple(int(rng.integers(1, n + 1)) for n in shape)}
    if rng.random() < 0.3:
        options["maxshape"] = (None, *shape[1:])
    if rng.random() < 0.2:
        options["fletcher32"] = True
    filters = [{}, {"compression": "gzip", "compression_opts": int(rng.integers(1, 10))}, {"compression": "lzf"},
               hdf5plugin.LZ4(), hdf5plugin.Zstd(), hdf5plugin.Bitshuffle(cname="lz4"),
               hdf5plugin.Bitshuffle(cname="zstd"), hdf5plugin.Blosc(cname="lz4"), hdf5plugin.Blosc(cname="zstd")]
    chosen = filters[rng.integers(len(filters))]
    if set(chosen) & {"compression"} and chosen["compression"] in ("gzip", "lzf") and rng.random() < 0.5:
        options["shuffle"] = True
    if chosen.get("compression") == 32001 and dtype.itemsize > 255:
        chosen = {}
    return {**options, **chosen}


def any_attributes(rng):
    values = [("number", int(rng.integers(-(2**62), 2**62))), ("real", float(rng.normal())), ("text", "\u6c34 x"),
              ("list", [int(i) for i in rng.integers(0, 9, 3)]), ("grid", [[1.5, 2.0], [0.0, -1.0]]), ("flag", True)]
    return dict(v for v in values if rng.random() < 0.4)


def write_dataset(rng, f, name, n):
    """What it holds, as NumPy has it, and its attributes."""
    dtype, shape = any_dtype(rng), any_shape(rng, n)
    values = np.zeros(shape, dtype)
    options = layout_of(rng, shape, dtype)
    if dtype.kind in "iuf" and rng.random() < 0.3:
        options["fillvalue"] = values[...] = dtype.type(rng.integers(0, 100))
    ds = f.create_dataset(name, shape, dtype, **options)
    first, last = (0, n) if rng.random() < 0.6 else sorted(int(i) for i in rng.integers(0, n + 1, 2))
    if last > first:
        part = values[first:last]
        fill(rng, part)
        ds[first:last] = part
    attributes = any_attributes(rng)
    ds.attrs.update(attributes)
    return values, attributes


def leaves(values, path):
    if values.dtype.names:
        for name in values.dtype.names:
            yield from leaves(values[name], f"{path}/{name}")
    else:
        yield path, values


def same(exported, values):
    if values.dtype.kind == "V":
        return exported.tobytes() == np.ascontiguousarray(values).tobytes()
    little = np.ascontiguousarray(values)
    if little.dtype.byteorder == ">":
        little = little.byteswap().view(little.dtype.newbyteorder("<"))
    return exported.shape == values.shape and exported.tobytes() == little.tobytes()


@pytest.mark.parametrize("seed", SEEDS)
def test_random_file__converted__is_the_same(tmp_path, seed):
    rng = np.random.default_rng(seed)
    n = int(rng.integers(1, 400))
    expected = {}
    libver = [("earliest", "v110"), ("v108", "v110"), ("v110", "v110")][rng.integers(3)]
    with h5py.File(tmp_path / "a.h5", "w", libver=libver) as f:
        of_file = any_attributes(rng)
        f.attrs.update(of_file)
        for i in range(rng.integers(1, 5)):
            name = f"g{i % 2}/x{i}" if i % 3 else f"x{i}"
            values, attributes = write_dataset(rng, f, name, n)
            expected.update({path: (leaf, attributes) for path, leaf in leaves(values, name)})
    target = tmp_path / "out.hrd"
    options = ["--threads", rng.integers(1, 4), "--helpers", rng.integers(1, 4), "--chunk",
               ["4K", "64K", "256K"][rng.integers(3)], "--codec", ["raw", "zstd"][rng.integers(2)]]
    good("convert", tmp_path / "a.h5", "-o", target, *options)
    info = figures("info", target)
    assert info["attributes"] == of_file
    assert {field["name"]: field["attributes"] for field in info["fields"]} == {k: a for k, (_, a) in expected.items()}
    good("verify", target)
    good("export", target, "-o", tmp_path / "npy")
    for path, (values, _) in expected.items():
        assert same(np.load(tmp_path / "npy" / (path.replace("/", "__") + ".npy")), values), (path, values.dtype)
