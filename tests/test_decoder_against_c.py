"""The C reader and the second reader agree: on golden files, files that must be refused, and what `convert` makes.

Needs HEADRACE_BIN, the folder of the `headrace` command; is skipped without it.
"""

import os
import subprocess
from pathlib import Path

import numpy as np
import pytest

import decoder
import refused_recipes as made
import test_decoder as alone

HEADRACE = Path(os.environ.get("HEADRACE_BIN", "/nonexistent")) / "headrace"
pytestmark = pytest.mark.skipif(not HEADRACE.exists(), reason="HEADRACE_BIN/headrace is not there")
DAMAGED, FAILED = 3, 1


def headrace(*args):
    """Exit code and messages; a crash or a hang is a failure of the test."""
    done = subprocess.run([HEADRACE, *map(str, args)], capture_output=True, text=True, timeout=60)
    assert done.returncode in (0, 1, 2, 3), f"{args[0]} ended with {done.returncode}: {done.stderr}"
    return done.returncode, done.stderr + done.stdout


def uses_varlen(name):
    return name in ("varlen", "sequences")


def exported(path, folder):
    """What the C command exports, compared with the second reader field by field."""
    code, text = headrace("export", path, "-o", folder, "--quiet")
    assert code == 0, text
    with decoder.DataSet(path) as ds:
        for f in ds.fields:
            ours, theirs = ds.read(f.name), np.load(folder / f"{f.name}.npy")
            assert theirs.shape[0] == ds.num_samples
            if f.dtype.startswith("fixed"):
                assert ours.tolist() == as_text(theirs, f).tolist()
            else:
                assert theirs.shape == ours.shape and theirs.dtype == ours.dtype
                assert theirs.tobytes() == ours.tobytes()


def exported_archive(path, archive):
    """The same of values of variable length, which .npy does not hold."""
    code, text = headrace("export", path, "-o", archive, "--quiet")
    assert code == 0, text
    with decoder.DataSet(path) as ds, np.load(archive) as found:
        for f in ds.fields:
            if not f.variable:
                assert found[f.name].tobytes() == ds.read(f.name).tobytes()
                continue
            values, offsets = found[f"{f.name}.values"], found[f"{f.name}.offsets"].tolist()
            ours = [value.encode() if f.dtype == "utf8" else bytes(value) for value in ds.read(f.name)]
            assert [values[a:b].tobytes() for a, b in zip(offsets[:-1], offsets[1:])] == ours


def as_text(array, f):
    """fixed_utf8 may be exported as NumPy bytes or as NumPy text."""
    if f.dtype == "fixed_utf8" and array.dtype.kind == "S":
        return np.char.decode(array, "utf-8")
    return array


@pytest.mark.parametrize("name", sorted(alone.EXPECTED))
def test_golden__exported_by_c__is_what_the_second_reader_reads(name, tmp_path):
    path = alone.write(tmp_path, made.golden_bytes(name))
    if uses_varlen(name):
        exported_archive(path, tmp_path / "out.npz")
    else:
        exported(path, tmp_path / "out")
    assert headrace("verify", path)[0] == 0


@pytest.mark.parametrize("name", sorted(alone.DERIVED))
def test_derived__exported_by_c__is_what_the_second_reader_reads(name, tmp_path):
    path = alone.write(tmp_path, made.apply(alone.DERIVED[name]))
    exported(path, tmp_path / "out")
    code, text = headrace("verify", path)
    assert code == (DAMAGED if alone.DERIVED[name].get("damaged") else 0), text


def expected_code(recipe):
    return FAILED if recipe["kind"] == "unsupported" else DAMAGED


def export_code(recipe):
    if recipe["name"] == "not-a-headrace-file":  # damaged only where it is said to be a data set
        return FAILED
    return 0 if recipe["where"] == "verify" else expected_code(recipe)


@pytest.mark.parametrize("name", sorted(alone.REFUSED))
def test_refused__by_c__with_the_same_kind(name, tmp_path):
    recipe = alone.REFUSED[name]
    path = alone.write(tmp_path, made.apply(recipe))
    variable = uses_varlen(recipe["base"]) or recipe["name"] == "value-cut-in-two"
    code, text = headrace("export", path, "-o", tmp_path / ("out.npz" if variable else "out"), "--quiet")
    assert code == export_code(recipe), text
    code, text = headrace("verify", path)
    assert code == expected_code(recipe), text


DTYPES = ["?", "i1", "<i2", "<i4", "<i8", "u1", "<u2", "<u4", "<u8", "<f2", "<f4", "<f8", "<c8", "<c16", "S7", "<U5"]
SHAPES = [(0, 3), (1,), (700,), (300, 5, 2), (40, 0), (33, 41, 43)]


def random_array(dtype, shape, seed):
    """Any bit pattern, NaN payloads included, half of the elements equal so that zstd has something to do."""
    rng = np.random.default_rng(seed)
    dt = np.dtype(dtype)
    n = int(np.prod(shape))
    if dt.kind == "b":
        return rng.integers(0, 2, shape).astype(bool)
    if dt.kind in "SU":
        words = np.array(["", "a", "bcd", "\u00e9t\u00e9" if dt.kind == "U" else "ete", "zzzzz"])
        return words[rng.integers(0, 5, n)].astype(dt).reshape(shape)
    data = rng.integers(0, 256, (n, dt.itemsize), "u1")
    data[: n // 2] = 7
    return data.tobytes() and np.frombuffer(data.tobytes(), dt).reshape(shape) if n else np.zeros(shape, dt)


CODECS = [[], ["--codec", "raw"], *(["--codec", "zstd", "--filter", name] for name in
                                      ("shuffle", "bitshuffle", "delta", "delta+shuffle", "delta+bitshuffle"))]


@pytest.mark.parametrize("codec", CODECS, ids=lambda codec: codec[-1] if codec else "chosen")
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_convert__each_dtype__is_read_by_the_second_reader(codec, shape, tmp_path):
    arrays = {f"f{i}": random_array(dtype, shape, i) for i, dtype in enumerate(DTYPES)}
    for name, array in arrays.items():
        np.save(tmp_path / f"{name}.npy", array)
    path = tmp_path / "out.hrd"
    code, text = headrace("convert", *(tmp_path / f"{n}.npy" for n in arrays), "-o", path, "--chunk-bytes", "20000",
                          "--quiet", *codec)
    assert code == 0, text
    report = decoder.verify(path)
    assert report.damage == [] and report.notes == []
    with decoder.DataSet(path) as ds:
        assert {f.name for f in ds.fields} == set(arrays)
        for name, array in arrays.items():
            got = ds.read(name)
            assert got.shape == array.shape
            if array.dtype.kind in "SU":
                assert got.tolist() == array.tolist()
            else:
                assert got.dtype == array.dtype and got.tobytes() == array.tobytes()


def test_convert__statistics__are_those_of_the_definition(tmp_path):
    rng = np.random.default_rng(1)
    x = rng.standard_normal((900, 4)).astype("<f4")
    x[17, 2], x[50, 0], x[51, 1], x[3] = np.nan, np.inf, -np.inf, 0
    y = np.sort(np.arange(900) % 5).astype("<i8")
    np.save(tmp_path / "x.npy", x)
    np.save(tmp_path / "y.npy", y)
    path = tmp_path / "out.hrd"
    assert headrace("convert", tmp_path / "x.npy", tmp_path / "y.npy", "-o", path, "--chunk-bytes", "2000")[0] == 0
    with decoder.DataSet(path) as ds:
        got, labels = ds.statistics["x"], ds.statistics["y"]["labels"]
    finite = x[np.isfinite(x)].astype(float)
    exact = {"values": x.size, "zeros": 4, "nan": 1, "inf": 2, "finite": x.size - 3, "first_nan": 17, "first_inf": 50,
             "min": finite.min(), "max": finite.max()}
    assert {key: got[key] for key in exact} == exact
    assert np.isclose(got["mean"], finite.mean()) and np.isclose(got["m2"], ((finite - finite.mean()) ** 2).sum())
    assert labels == {"runs": 5, "longest_run": 180, "first_run": [0, 180], "last_run": [4, 180], "distinct": 5,
                      "overflow": False, "ranges": [[0, 4]]}
