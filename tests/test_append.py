"""Appending: by the command and in Python, beside the reader that was written from the format's page alone."""

import pathlib
import pickle
import signal
import subprocess
import time

import pytest

np = pytest.importorskip("numpy", minversion="1.24")

import decoder  # noqa: E402
from headrace_command import PROGRAM, figures, good, headrace  # noqa: E402
from python_package import hr  # noqa: E402


def rows(first, n):
    """Deterministic: what sample i holds follows from i."""
    i = np.arange(first, first + n)
    return {
        "X": (i[:, None] * 7 + np.arange(64)).astype("float32"),
        "y": (i // 10).astype("int64"),
        "t": np.array([f"text {k}" for k in i], "S12"),
    }


FIELDS = {"X": ("float32", (64,)), "y": "int64", "t": "utf8:12"}


def write(path, n, **options):
    with hr.Writer(path, FIELDS, **options) as writer:
        writer.append(rows(0, n))


def check(path, n, segments=1):
    """By both readers, the count of dead bytes too."""
    wanted = rows(0, n)
    assert hr.verify(path) == []
    data = hr.open(path)
    report = decoder.verify(path)
    assert report.damage == [] and report.notes == []
    with decoder.DataSet(path) as theirs:
        assert len(data) == theirs.num_samples == n
        assert len(theirs.footer.segments) == (segments if n > 0 else 0)
        for name, column in wanted.items():
            assert np.array_equal(data[name][:], column)
            assert theirs.raw(name) == column.tobytes()
    return data


@pytest.mark.parametrize("old", [0, 1, 31, 32, 33, 100])
@pytest.mark.parametrize("codec", ["raw", "zstd"])
def test_writer__appends__both_readers_agree(tmp_path, old, codec):
    path = tmp_path / "a.hrd"
    write(path, old, samples_per_chunk=32, codec=codec)
    total = old
    for n in (1, 40, 3, 29):
        with hr.Writer(path, append=True) as writer:
            assert writer.num_samples == total
            writer.append(rows(total, n))
        total += n
        check(path, total)


def values(first, n):
    """Of different lengths: text, bytes, sequences of numbers."""
    return {
        "story": ["é" * (k % 7) + str(k) for k in range(first, first + n)],
        "image": [bytes([k % 256]) * (k * 13 % 50) for k in range(first, first + n)],
        "tokens": [list(range(k % 5)) for k in range(first, first + n)],
        "y": np.arange(first, first + n),
    }


@pytest.mark.parametrize("old", [0, 1, 31, 32, 33, 70])
@pytest.mark.parametrize("codec", ["raw", "zstd"])
def test_writer__appends_values_of_variable_length__both_readers_agree(tmp_path, old, codec):
    path = tmp_path / "a.hrd"
    kinds = {"story": "utf8", "image": "bytes", "tokens": "int32[]", "y": "int64"}
    with hr.Writer(path, kinds, samples_per_chunk=32, codec=codec) as writer:
        writer.append(values(0, old))
    total = old
    for n in (1, 40, 3, 29, *[1] * 20):
        with hr.Writer(path, append=True) as writer:
            writer.append(values(total, n))
        total += n
    data, wanted = hr.open(path), values(0, total)
    assert [str(s) for s in data["story"]] == wanted["story"]
    assert list(data["image"]) == wanted["image"]
    assert [list(t) for t in data["tokens"]] == wanted["tokens"]
    assert data["image"].lengths["total_bytes"] == sum(map(len, wanted["image"]))
    assert data["story"].lengths["num_values"] == total
    assert data["tokens"].lengths["num_empty"] == wanted["tokens"].count([])
    assert hr.verify(path) == []
    report = decoder.verify(path)
    assert report.damage == [] and report.notes == []
    with decoder.DataSet(path) as theirs:
        assert theirs.raw("image") == wanted["image"]
        assert [text.decode() for text in theirs.raw("story")] == wanted["story"]
    with pytest.raises(hr.MismatchError, match=r"bytes of int32 .*but bytes of int64"):
        hr.Writer(path, {**kinds, "tokens": "int64[]"}, append=True)


def test_writer__last_chunk_of_long_values__needs_a_budget_that_holds_it(tmp_path):
    path = tmp_path / "a.hrd"
    with hr.Writer(path, {"image": "bytes"}, samples_per_chunk=1000, codec="raw", budget="300M") as writer:
        writer.append(image=[bytes([k]) * 4000000 for k in range(10)])
    with pytest.raises(hr.BudgetError, match="budget"):
        hr.Writer(path, append=True, budget="20M", threads=1)
    with hr.Writer(path, append=True, budget="300M") as writer:
        writer.append(image=[b"x"])
    assert len(hr.open(path)) == 11 and hr.open(path)["image"][9] == bytes([9]) * 4000000
    assert hr.verify(path) == []


def test_writer__exception_while_appending__file_is_as_it_was(tmp_path):
    path = tmp_path / "a.hrd"
    write(path, 100, samples_per_chunk=8)
    before = path.read_bytes()

    def append_and_fail():
        with hr.Writer(path, append=True) as writer:
            writer.append(rows(100, 500))
            raise KeyError("stop")

    with pytest.raises(KeyError):
        append_and_fail()
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["a.hrd"]


def test_writer__append_with_other_fields__is_refused(tmp_path):
    path = tmp_path / "a.hrd"
    with pytest.raises(hr.NotFoundError):
        hr.Writer(path, FIELDS, append=True)
    with pytest.raises(hr.InvalidError, match="fields= is missing"):
        hr.Writer(path)
    write(path, 10)
    with pytest.raises(hr.MismatchError, match=r'"y" .*is int64 .*but int32'):
        hr.Writer(path, {**FIELDS, "y": "int32"}, append=True)
    with pytest.raises(hr.InvalidError, match="codec"):
        hr.Writer(path, append=True, codec="raw")
    with hr.Writer(path, append=True), pytest.raises(hr.BusyError):
        hr.Writer(path, append=True)
    check(path, 10)


def test_from_arrays_and_iterator__append__go_behind_what_is_there(tmp_path):
    path = tmp_path / "a.hrd"
    write(path, 10)
    hr.from_arrays(path, rows(10, 25), options={"append": True})
    n = hr.from_iterator(
        path, ({k: v[0] for k, v in rows(i, 1).items()} for i in range(35, 50)), options={"append": True}
    )
    assert n == 50
    assert hr.from_iterator(path, iter(()), options={"append": True}) == 50
    check(path, 50)


def save(folder, first, n):
    folder.mkdir()
    for name, column in rows(first, n).items():
        np.save(folder / f"{name}.npy", column.astype("U12") if name == "t" else column)


def test_convert__append__is_the_whole_of_both(tmp_path):
    for name, first, n in (("a", 0, 700), ("b", 700, 333), ("c", 0, 1033)):
        save(tmp_path / name, first, n)
    good("convert", "a", "-o", "grown.hrd", cwd=tmp_path)
    made = figures("convert", "b", "-o", "grown.hrd", "--append", cwd=tmp_path)
    assert made["samples"] == 1033 and made["old_samples"] == 700 and made["resumed_samples"] == 0
    assert made["decoded_bytes"] == 1033 * (64 * 4 + 8 + 48)
    assert made["stored_bytes"] == (tmp_path / "grown.hrd").stat().st_size
    good("convert", "c", "-o", "once.hrd", cwd=tmp_path)
    grown, once = hr.open(tmp_path / "grown.hrd"), hr.open(tmp_path / "once.hrd")
    for name in once.fields:
        assert np.array_equal(grown[name][:], once[name][:])
    assert grown["X"].statistics["num_values"] == once["X"].statistics["num_values"]
    assert grown["y"].statistics["num_runs"] == once["y"].statistics["num_runs"]
    assert hr.verify(tmp_path / "grown.hrd") == []
    paths = [pathlib.Path(source["path"]).parent.name for source in grown.footer["provenance"]["sources"]]
    assert paths == ["a"] * 3 + ["b"] * 3
    text = good("convert", "b", "-o", "grown.hrd", "--append", cwd=tmp_path)
    assert "333 samples appended, now 1,366 samples" in text
    assert hr.convert(tmp_path / "a", out=tmp_path / "grown.hrd", append=True).old_samples == 1366


@pytest.mark.parametrize(
    ("options", "code", "words"),
    [
        (["--resume"], 2, "nothing to --resume"),
        (["--force"], 2, "--force replaces it"),
        (["--shuffle", "7"], 2, "leave --shuffle out"),
        (["--codec", "raw"], 1, "codec does not go with"),
        (["--optimize", "size"], 1, "optimize does not go with"),
        (["--chunk-bytes", "64K"], 1, "chunk_bytes does not go with"),
    ],
)
def test_convert__append_with_what_the_file_decides__is_refused(tmp_path, options, code, words):
    save(tmp_path / "a", 0, 10)
    good("convert", "a", "-o", "a.hrd", cwd=tmp_path)
    before = (tmp_path / "a.hrd").read_bytes()
    done = headrace("convert", "a", "-o", "a.hrd", "--append", *options, cwd=tmp_path)
    assert done.returncode == code and words in done.stderr, done.stderr
    assert (tmp_path / "a.hrd").read_bytes() == before


def test_convert__append_to_nothing_or_to_an_input__says_what_to_do(tmp_path):
    save(tmp_path / "a", 0, 10)
    done = headrace("convert", "a", "-o", "none.hrd", "--append", cwd=tmp_path)
    assert done.returncode == 1 and "make it without append" in done.stderr
    assert not (tmp_path / "none.hrd").exists()
    good("convert", "a", "-o", "a.hrd", cwd=tmp_path)
    done = headrace("convert", "a/X.npy", "-o", "a.hrd", "--append", cwd=tmp_path)
    assert done.returncode == 1 and 'has 3 fields, and 1 are given: "t" is missing' in done.stderr
    done = headrace("convert", "a/y.npy", "-o", "a.hrd", "--append", cwd=tmp_path)
    assert done.returncode == 1 and 'field 0 of a.hrd is "X", but "y" is given' in done.stderr
    assert len(hr.open(tmp_path / "a.hrd")) == 10


def test_convert__append_of_no_samples__changes_nothing(tmp_path):
    save(tmp_path / "a", 0, 10)
    save(tmp_path / "none", 0, 0)
    good("convert", "a", "-o", "a.hrd", cwd=tmp_path)
    before = (tmp_path / "a.hrd").read_bytes()
    good("convert", "none", "-o", "a.hrd", "--append", cwd=tmp_path)
    assert (tmp_path / "a.hrd").read_bytes() == before


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_convert__append_is_stopped__same_command_appends_all(tmp_path, how):
    np.save(tmp_path / "x.npy", np.random.default_rng(1).integers(0, 255, (60000, 1000), "uint8"))
    np.save(tmp_path / "few.npy", np.zeros((10, 1000), "uint8"))
    good("convert", "--field", "x=few.npy", "-o", "a.hrd", cwd=tmp_path)
    before = (tmp_path / "a.hrd").read_bytes()
    command = ["convert", "--field", "x=x.npy", "-o", "a.hrd", "--append", "--threads", "1"]
    running = subprocess.Popen([PROGRAM, *command], cwd=tmp_path, stderr=subprocess.PIPE, text=True)
    while (tmp_path / "a.hrd").stat().st_size <= len(before) + 65536 and running.poll() is None:
        time.sleep(0.001)
    running.send_signal(how)
    _, told = running.communicate(timeout=60)
    assert running.returncode == (130 if how == signal.SIGINT else -signal.SIGKILL)
    if how == signal.SIGINT:
        assert "a.hrd is as it was: append again" in told
        assert (tmp_path / "a.hrd").read_bytes() == before
    assert len(hr.open(tmp_path / "a.hrd")) == 10
    assert hr.verify(tmp_path / "a.hrd") == []
    good(*command, cwd=tmp_path)
    assert len(hr.open(tmp_path / "a.hrd")) == 60010
    assert hr.verify(tmp_path / "a.hrd") == []


def test_convert__append_from_hdf5__keeps_the_attributes_of_the_file(tmp_path):
    h5py = pytest.importorskip("h5py")
    for name, unit, n in (("a", "m", 50), ("b", "cm", 30)):
        with h5py.File(tmp_path / f"{name}.h5", "w") as file:
            file.attrs["made"] = name
            file["x"] = np.arange(n, dtype="float32")
            file["x"].attrs["unit"] = unit
    good("convert", "a.h5", "-o", "a.hrd", cwd=tmp_path)
    before = hr.open(tmp_path / "a.hrd")
    good("convert", "b.h5", "-o", "a.hrd", "--append", cwd=tmp_path)
    data = hr.open(tmp_path / "a.hrd")
    assert np.array_equal(data["x"][:], np.concatenate([np.arange(50), np.arange(30)]).astype("float32"))
    assert data.attributes == before.attributes == {"made": "a"}
    assert data["x"].attributes == before["x"].attributes == {"unit": "m"}


def test_join__then_append__last_part_grows(tmp_path):
    """A data set of several segments keeps them; only the last is appended to."""
    for k, (first, n) in enumerate(((0, 45), (45, 45))):
        with hr.Writer(tmp_path / f"part-{k}.hrd", FIELDS, samples_per_chunk=32) as writer:
            writer.append(rows(first, n))
    good("join", "part-0.hrd", "part-1.hrd", "-o", "whole.hrd", cwd=tmp_path)
    path = tmp_path / "whole.hrd"
    for first in (90, 110, 130):
        hr.from_arrays(path, rows(first, 20), options={"append": True})
    check(path, 150, segments=2)
    with decoder.DataSet(path) as theirs:
        assert [samples for _, _, samples in theirs.footer.segments] == [45, 105]


def test_info__after_appends__shows_what_is_dead(tmp_path):
    path = tmp_path / "a.hrd"
    write(path, 2000, samples_per_chunk=100)
    hr.from_arrays(path, rows(2000, 50), options={"append": True})
    hr.from_arrays(path, rows(2050, 50), options={"append": True})
    info = figures("info", path)
    assert info["dead_bytes"] == check(path, 2100).info()["dead_bytes"] > 0
    assert info["commit"] == 3
    assert "dead" in good("info", path)


def test_dataset__pickled_before_a_compact_copy__is_opened_again(tmp_path):
    path = tmp_path / "a.hrd"
    write(path, 10, samples_per_chunk=100)
    first = hr.open(path)
    kept, file_before = pickle.dumps(first), path.stat().st_ino
    for n in range(10, 60):
        hr.from_arrays(path, rows(n, 1), options={"append": True})
    assert path.stat().st_ino != file_before  # a copy has taken its name
    assert np.array_equal(first["X"][:], rows(0, 10)["X"])
    assert np.array_equal(pickle.loads(kept)["X"][:], rows(0, 60)["X"])
    check(path, 60)
