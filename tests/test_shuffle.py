"""`convert --shuffle`: every sample at the place that docs/order.md says, whatever the source, the budget and the
threads; the way back; interruption; what is refused."""

import json
import os
import random
import signal
import subprocess
import time
from pathlib import Path

import pytest

np = pytest.importorskip("numpy")

import order_reference  # noqa: E402

HEADRACE = Path(os.environ.get("HEADRACE_BIN", "build/release/bin")) / "headrace"
pytestmark = pytest.mark.skipif(not HEADRACE.is_file(), reason="the headrace command is not built")

# Out of core, as the second budget is: the writer takes nearly all of it.
BUDGETS = {"in memory": "64M", "by file": "11M"}
SEED = 2**64 - 1


def run(*arguments):
    command = [str(HEADRACE), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


def run_well(*arguments):
    done = run(*arguments)
    assert done.returncode == 0, done.stderr
    return done


def shuffled(array, seed):
    """What the shuffle makes of an array, by the reference."""
    out = np.empty_like(array)
    out[order_reference.shuffled_places(len(array), seed)] = array
    return out


def exported(target, folder):
    run_well("verify", target)
    run_well("export", target, "-o", folder, "--force")
    return {path.stem: np.load(path) for path in folder.glob("*.npy")}


def assert_same(got, expected):
    assert got.dtype == expected.dtype and got.shape == expected.shape
    assert got.tobytes() == expected.tobytes()


def make_arrays(num_samples, dtype="f4", width=9):
    rng = np.random.default_rng(num_samples)
    x = rng.integers(0, 100, (num_samples, width)).astype(dtype)
    return {"x": x, "y": np.arange(num_samples, dtype="u1"), "empty": np.zeros((num_samples, 0), "f8")}


def save(arrays, folder):
    for name, array in arrays.items():
        np.save(folder / f"{name}.npy", array)
    return [folder / f"{name}.npy" for name in arrays]


@pytest.mark.parametrize("name", ["h.csv", "x.npy", "x.npz"])
def test_shuffle__of_no_samples__is_a_file_of_none(name, tmp_path):
    (tmp_path / "h.csv").write_text("a,b\n")
    np.save(tmp_path / "x.npy", np.zeros((0, 3)))
    np.savez(tmp_path / "x.npz", x=np.zeros((0, 3)))
    run_well("convert", tmp_path / name, "-o", tmp_path / "none.hrd", "--shuffle", 1, "--index-field", "was")
    assert json.loads(run_well("info", tmp_path / "none.hrd", "--json").stdout)["files"][0]["samples"] == 0


@pytest.mark.parametrize("num_samples", [0, 1, 2, 255, 256, 257, 5000])
def test_any_number_of_samples__is_permuted_as_the_reference_says(num_samples, tmp_path):
    arrays = make_arrays(num_samples)
    options = ["--shuffle", 7, "--index-field", "row", "--chunk-bytes", 4096]
    run_well("convert", *save(arrays, tmp_path), "-o", tmp_path / "t.hrd", *options)
    got = exported(tmp_path / "t.hrd", tmp_path / "out")
    for name, array in arrays.items():
        assert_same(got[name], shuffled(array, 7))
    assert_same(got["row"], shuffled(np.arange(num_samples, dtype="i8"), 7))


@pytest.mark.parametrize("dtype", ["?", "i2", ">f8", "c16", "S5", "U3", "f2"])
def test_any_dtype__keeps_its_values(dtype, tmp_path):
    arrays = make_arrays(1000, dtype)
    run_well("convert", *save(arrays, tmp_path), "-o", tmp_path / "t.hrd", "--shuffle", SEED)
    expected = shuffled(arrays["x"], SEED)
    got = exported(tmp_path / "t.hrd", tmp_path / "out")["x"]
    assert_same(got, expected.astype(expected.dtype.newbyteorder("<")))


def data_of(target):
    """The chunks of a file without what is random in it: fields in the order of the samples."""
    return exported(target, target.with_suffix(".out"))


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("budget", BUDGETS)
def test_any_budget_and_threads__give_the_same(budget, threads, tmp_path):
    arrays = make_arrays(60_000, width=40)
    plain = tmp_path / "plain.hrd"
    inputs = save(arrays, tmp_path)
    run_well("convert", *inputs, "-o", plain, "--index-field", "row", "--shuffle", 5, "--threads", 2)
    place = exported(plain, tmp_path / "plain")["row"]
    target = tmp_path / "t.hrd"
    run_well("convert", *inputs, "-o", target, "--shuffle", 5, "--budget", BUDGETS[budget], "--threads", threads)
    got = data_of(target)
    for name, array in arrays.items():
        assert_same(got[name], array[place])
    assert sorted(place) == list(range(60_000))


def test_several_files_and_sources__are_shuffled_as_one(tmp_path):
    h5py = pytest.importorskip("h5py")
    whole = np.random.default_rng(1).integers(0, 2**31, (3000, 5)).astype("i4")
    np.save(tmp_path / "a_0.npy", whole[:1000])
    np.save(tmp_path / "a_1.npy", whole[1000:])
    whole.tofile(tmp_path / "b.bin")
    with h5py.File(tmp_path / "c.h5", "w") as file:
        file.create_dataset("c", data=whole, chunks=(70, 5), compression="gzip")
    run_well("convert", tmp_path / "a_0.npy", tmp_path / "a_1.npy", tmp_path / "b.bin", tmp_path / "c.h5", "--dtype",
             "int32", "--shape", 5, "-o", tmp_path / "t.hrd", "--shuffle", 3, "--optimize", "balanced")
    got = exported(tmp_path / "t.hrd", tmp_path / "out")
    assert sorted(got) == ["a", "b", "c"]
    for array in got.values():
        assert_same(array, shuffled(whole, 3))


def test_info__says_that_it_was_done(tmp_path):
    arrays = make_arrays(100)
    target = tmp_path / "t.hrd"
    inputs = save(arrays, tmp_path)
    run_well("convert", *inputs, "-o", target, "--shuffle", SEED, "--index-field", "row")
    assert f"permutation/1, seed {SEED}; each sample's index before it is the field 'row'" in run("info", target).stdout
    told = json.loads(run("info", target, "--json").stdout)["provenance"]["shuffle"]
    assert told == {"name": "permutation", "version": 1, "seed": str(SEED), "index_field": "row"}
    run_well("convert", *inputs, "-o", target, "--force")
    assert "shuffled as it was made" not in run("info", target).stdout
    assert "shuffle" not in json.loads(run("info", target, "--json").stdout)["provenance"]


@pytest.mark.parametrize("options, words", [
    (["--index-field", "row"], "--shuffle SEED"),
    (["--shuffle", "-1"], "--shuffle"),
    (["--shuffle", str(2**64)], "--shuffle"),
    (["--shuffle", "1", "--index-field", "y"], "y is a field of the inputs"),
    (["--shuffle", "1", "--index-field", "/y"], "/y"),
    (["--shuffle", "1", "--budget", "1M"], "reading and shuffling"),
])
def test_bad_options__are_refused_with_words(options, words, tmp_path):
    done = run("convert", *save(make_arrays(10), tmp_path), "-o", tmp_path / "t.hrd", *options)
    assert done.returncode in (1, 2)
    assert words in done.stderr
    assert not list(tmp_path.glob("t.hrd*"))


def test_a_file_in_the_way_of_the_temporary_one__is_kept(tmp_path):
    arguments = ["convert", *save(make_arrays(60_000, width=40), tmp_path), "-o", tmp_path / "t.hrd", "--shuffle", 1,
                 "--budget", BUDGETS["by file"]]
    place = tmp_path / "t.hrd.shuffle"
    place.write_text("mine")
    done = run(*arguments)
    assert done.returncode == 1 and f"{place} is in the way" in done.stderr
    assert place.read_text() == "mine"
    place.write_text("")  # as a process leaves it that is killed as it makes it
    run_well(*arguments)
    assert not place.exists()


def test_nan__is_told_with_its_place_before(tmp_path):
    x = np.zeros(1000, "f4")
    x[123] = np.nan
    np.save(tmp_path / "x.npy", x)
    done = run_well("convert", tmp_path / "x.npy", "-o", tmp_path / "t.hrd", "--shuffle", 1)
    place = order_reference.shuffled_places(1000, 1)[123]
    assert f"the first in sample {place}, which was 123 before the shuffle" in done.stderr


def make_slow_job(folder):
    """Arguments of a conversion by file whose both passes take a while, but for the output."""
    inputs = save({"x": np.random.default_rng(2).integers(0, 50, (60_000, 64)).astype("f4"),
                   "y": np.arange(60_000)}, folder)
    return ["convert", *inputs, "--shuffle", 9, "--index-field", "row", "--level", 5, "--chunk-bytes", 65536,
            "--threads", 2, "--budget", "20M"]


def test_killed_at_any_instant__leaves_no_temporary_file_and_resumes(tmp_path):
    arguments = make_slow_job(tmp_path)
    begun = time.monotonic()
    run_well(*arguments, "-o", tmp_path / "whole.hrd")
    whole_s = time.monotonic() - begun
    expected = data_of(tmp_path / "whole.hrd")
    rng = random.Random(3)
    killed = kept = 0
    for i in range(8):
        target = tmp_path / f"{i}.hrd"
        process = subprocess.Popen([str(HEADRACE), *map(str, arguments), "-o", target], stderr=subprocess.DEVNULL,
                                   stdout=subprocess.DEVNULL)
        time.sleep(rng.uniform(0, 1.1 * whole_s))
        killed += process.poll() is None
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert not target.exists() or run("verify", target).returncode == 0
        assert {p.name for p in tmp_path.glob(f"{i}.hrd*")} <= {target.name, f"{i}.hrd.partial", f"{i}.hrd.shuffle"}
        if not target.exists():
            kept += "resumed after" in run_well(*arguments, "-o", target, "--resume").stderr
        assert {p.name for p in tmp_path.glob(f"{i}.hrd*")} == {target.name}
        got = data_of(target)
        assert all(got[name].tobytes() == expected[name].tobytes() for name in expected)
    assert killed >= 4 and kept >= 1


def test_another_seed_or_index_field__is_not_resumed(tmp_path):
    arguments = make_slow_job(tmp_path)
    target = tmp_path / "t.hrd"
    partial = tmp_path / "t.hrd.partial"
    process = subprocess.Popen([str(HEADRACE), *map(str, arguments), "-o", target], stderr=subprocess.DEVNULL)
    while not (partial.exists() and partial.stat().st_size > 300_000):
        assert process.poll() is None
        time.sleep(0.002)
    process.send_signal(signal.SIGKILL)
    process.wait()
    other = [word if word != 9 else 10 for word in arguments]
    plain = [word for word in arguments if word not in ("--shuffle", 9, "--index-field", "row")]
    renamed = [word if word != "row" else "place" for word in arguments]
    for wrong, words in ((other, '"seed":"9"'), (plain, "of another job"), (renamed, "name")):
        done = run(*wrong, "-o", target, "--resume")
        assert done.returncode == 1 and words in done.stderr, done.stderr
    assert "resumed after" in run_well(*arguments, "-o", target, "--resume").stderr


def test_interrupted_before_anything_is_written__promises_nothing(tmp_path):
    arguments = make_slow_job(tmp_path)
    process = subprocess.Popen([str(HEADRACE), *map(str, arguments), "-o", tmp_path / "t.hrd"],
                               stderr=subprocess.PIPE, text=True)
    while not (tmp_path / "t.hrd.partial").exists() and process.poll() is None:
        time.sleep(0.001)
    process.send_signal(signal.SIGINT)
    words = process.communicate()[1]
    if process.returncode == 130:  # else it was done before the signal came
        there = (tmp_path / "t.hrd.partial").exists()
        assert ("go on with" if there else "before anything was written; begin again") in words
    assert not (tmp_path / "t.hrd.shuffle").exists()
