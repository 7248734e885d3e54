"""Joining and salvaging golden files, and salvaging files that must be refused: what comes out is whole, by the C
reader and by the second reader, and holds what was there."""

import numpy as np
import pytest

import decoder
import refused_recipes as made
import test_decoder as alone
from headrace_command import good, headrace, needs_program

pytestmark = needs_program
SLOTS = (0, 65536)


def contents(path):
    with decoder.DataSet(path) as ds:
        return {f.name: ds.read(f.name) for f in ds.fields}


def plain(array):
    """Every bit of it; values of different lengths one by one."""
    if isinstance(array, np.ndarray) and array.dtype != object:
        return array.dtype.str, array.shape, array.tobytes()
    return [plain(value) if isinstance(value, np.ndarray) else value for value in array]


def assert_same(path, wanted):
    good("verify", path)
    assert decoder.verify(path).damage == []
    got = contents(path)
    assert list(got) == list(wanted)
    for name, array in wanted.items():
        assert plain(got[name]) == plain(array)


def golden(tmp_path, name):
    path = alone.write(tmp_path, made.golden_bytes(name))
    return path, contents(path)


@pytest.mark.parametrize("name", sorted(alone.EXPECTED))
def test_join__of_a_golden_file__holds_the_same(name, tmp_path):
    path, wanted = golden(tmp_path, name)
    good("join", path, "-o", tmp_path / "joined.hrd")
    assert_same(tmp_path / "joined.hrd", wanted)


@pytest.mark.parametrize("name", sorted(alone.EXPECTED))
def test_salvage__of_a_golden_file__saves_all(name, tmp_path):
    path, wanted = golden(tmp_path, name)
    good("verify", path, "--salvage", tmp_path / "saved.hrd")
    assert_same(tmp_path / "saved.hrd", wanted)


@pytest.mark.parametrize("name", sorted(alone.EXPECTED))
def test_salvage__of_a_golden_file_without_superblocks__finds_all_samples(name, tmp_path):
    path, wanted = golden(tmp_path, name)
    data = bytearray(path.read_bytes())
    for slot in SLOTS:
        data[slot : slot + 4096] = bytes(4096)
    path.write_bytes(data)
    done = headrace("verify", path, "--salvage", tmp_path / "saved.hrd")
    assert done.returncode == 3
    if len(next(iter(wanted.values()))) == 0:
        assert "no chunk" in done.stderr
        return
    assert ", 0 lost" in done.stdout
    assert_same(tmp_path / "saved.hrd", wanted)


@pytest.mark.parametrize("name", sorted(alone.REFUSED))
def test_join__of_a_file_to_be_refused__is_refused_or_no_worse_than_it(name, tmp_path):
    """Frames are not decoded, so one that has the right hash and does not decode comes along as it is."""
    path = alone.write(tmp_path, made.apply(alone.REFUSED[name]))
    before = path.read_bytes()
    done = headrace("join", path, "-o", tmp_path / "joined.hrd")
    assert path.read_bytes() == before
    assert done.returncode in (0, 1, 3), done.stderr
    assert (tmp_path / "joined.hrd").exists() == (done.returncode == 0)
    if done.returncode == 0 and headrace("verify", tmp_path / "joined.hrd").returncode != 0:
        assert "chunk" in headrace("verify", path).stdout


@pytest.mark.parametrize("slots", [True, False], ids=["with-superblocks", "without"])
@pytest.mark.parametrize("name", sorted(alone.REFUSED))
def test_salvage__of_a_file_to_be_refused__is_whole_or_nothing(name, slots, tmp_path):
    path = alone.write(tmp_path, made.apply(alone.REFUSED[name]))
    data = bytearray(path.read_bytes())
    if not slots:
        for slot in SLOTS:
            data[slot : slot + 4096] = bytes(len(data[slot : slot + 4096]))
        path.write_bytes(data)
    done = headrace("verify", path, "--salvage", tmp_path / "saved.hrd")
    assert done.returncode in (0, 1, 3), done.stderr
    assert path.read_bytes() == data
    if (tmp_path / "saved.hrd").exists():
        good("verify", tmp_path / "saved.hrd")
        assert decoder.verify(tmp_path / "saved.hrd").damage == []
    else:
        assert done.returncode != 0
        assert "headrace verify: " in done.stderr
    assert not (tmp_path / "saved.hrd.partial").exists()
