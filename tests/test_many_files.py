"""Several files as one data set, by the command: what comes is what one file with all of it gives."""

import json
import os
import pathlib
import resource
import subprocess

import pytest

np = pytest.importorskip("numpy")

PLACE = pathlib.Path(os.environ.get("HEADRACE_BIN", "build/release/bin")).resolve()
PROGRAM = PLACE / "headrace" if PLACE.is_dir() else PLACE
pytestmark = pytest.mark.skipif(not PROGRAM.is_file(), reason=f"no program {PROGRAM}")

SIZES = [1300, 1, 0, 900, 799]
CHUNKS = ["--chunk-bytes", str(100 * 72)]


def headrace(*args, limit=None):
    def descriptors():
        resource.setrlimit(resource.RLIMIT_NOFILE, limit)

    return subprocess.run([PROGRAM, *map(str, args)], capture_output=True, text=True, timeout=100,
                          preexec_fn=descriptors if limit else None)


def good(*args, limit=None):
    done = headrace(*args, limit=limit)
    assert done.returncode == 0, done.stderr
    return done.stdout


def refused(*args):
    done = headrace(*args)
    assert done.returncode == 1
    return done.stderr


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """parts: the files of whole, one after the other, stored in different ways."""
    place = tmp_path_factory.mktemp("files")
    rng = np.random.default_rng(1)
    x = rng.normal(size=(sum(SIZES), 16)).astype("float32")
    y = np.arange(sum(SIZES))

    def convert(name, begin, end, *options):
        np.save(place / "x.npy", x[begin:end])
        np.save(place / "y.npy", y[begin:end])
        path = place / f"{name}.hrd"
        good("convert", place / "x.npy", place / "y.npy", "-o", path, "--quiet", *(options or CHUNKS))
        return path

    ends = np.cumsum(SIZES)
    codecs = [["--codec", "raw"], ["--codec", "zstd", "--level", "5"], [], [], ["--filter", "none"]]
    parts = [convert(f"part{i}", end - n, end, *CHUNKS, *codec)
             for i, (n, end, codec) in enumerate(zip(SIZES, ends, codecs))]
    return {"place": place, "x": x, "y": y, "parts": parts, "whole": convert("whole", 0, len(y)),
            "other": convert("other", 0, 500, "--chunk-bytes", "20K")}


def test_info__several_files__statistics_of_all_and_a_line_for_each(made):
    many = json.loads(good("info", *made["parts"], "--json"))
    one = json.loads(good("info", made["whole"], "--json"))
    assert [f["samples"] for f in many["files"]] == SIZES
    assert [f["first_sample"] for f in many["files"]] == [0, 1300, 1301, 1301, 2201]
    assert [f["file"] for f in many["files"]] == [str(p) for p in made["parts"]]
    assert many["samples"] == 3000 and many["segments"] == 4 and many["commit"] == 0
    assert many["file_bytes"] == sum(p.stat().st_size for p in made["parts"])
    for a, b in zip(many["fields"], one["fields"]):
        assert a["statistics"].keys() == b["statistics"].keys()
        for key, value in b["statistics"].items():
            assert a["statistics"][key] == (pytest.approx(value, rel=1e-12) if value else value)
    text = good("info", *made["parts"])
    assert "part0.hrd and 4 more files: 3,000 samples" in text
    assert all(str(p) in text for p in made["parts"])


def test_export__several_files__is_the_whole_array(made, tmp_path):
    good("export", *made["parts"], "-o", tmp_path)
    assert np.array_equal(np.load(tmp_path / "x.npy"), made["x"])
    assert np.array_equal(np.load(tmp_path / "y.npy"), made["y"])


@pytest.mark.parametrize("io", ["auto", "cached", "threads"])
def test_epoch__several_files__every_sample_once_mixed_over_all(made, io, tmp_path):
    index = tmp_path / "index.npy"
    out = json.loads(good("epoch", *made["parts"], "--shuffle", "--batch", "64", "--window", "4", "--io", io,
                          "--index", index, "--json"))
    order = np.load(index)
    assert out["samples"] == 3000 and out["files"] == [str(p) for p in made["parts"]]
    assert np.array_equal(np.sort(order), np.arange(3000))
    # The large files come to each half of the epoch: chunks of all are mixed, not the files in turn.
    for half in np.split(order, 2):
        assert {int(np.searchsorted(np.cumsum(SIZES), i, "right")) for i in half} >= {0, 3, 4}


def test_epoch__resumed__goes_on_and_refuses_other_files(made, tmp_path):
    options = ["--shuffle", "--batch", "50", "--window", "4"]
    whole, first, rest, state = (tmp_path / n for n in ("whole.npy", "first.npy", "rest.npy", "run.state"))
    good("epoch", *made["parts"], *options, "--index", whole)
    good("epoch", *made["parts"], *options, "--index", first, "--max-batches", "17", "--save-state", state)
    good("epoch", *made["parts"], *options, "--index", rest, "--resume", state)
    assert np.array_equal(np.concatenate([np.load(first), np.load(rest)]), np.load(whole))
    swapped = [made["parts"][i] for i in (1, 0, 2, 3, 4)]
    assert "in another order" in refused("epoch", *swapped, *options, "--resume", state)
    assert "several files" in refused("epoch", made["whole"], *options, "--resume", state)


def test_plan__several_files__says_what_epoch_needs(made):
    options = ["--shuffle", "--batch", "64", "--window", "4", "--threads", "1"]
    plan = json.loads(good("plan", *made["parts"], *options, "--json"))
    assert plan["batches_per_epoch"] == 47 and plan["files"] == [str(p) for p in made["parts"]]
    good("epoch", *made["parts"], *options, "--budget", plan["smallest_budget_bytes"])
    assert "budget" in refused("epoch", *made["parts"], *options, "--budget", plan["smallest_budget_bytes"] - 1)


def test_bench__several_files__are_measured_as_one(made):
    out = json.loads(good("bench", *made["parts"], "--rounds", "1", "--seconds", "20ms", "--json"))
    assert out["files"] == [str(p) for p in made["parts"]]
    assert out["decoded_bytes"] == 3000 * 72
    assert {m["name"] for m in out["measures"]} >= {"decode", "memory-shuffled"}


def test_verify__several_files__each_by_itself(made):
    out = json.loads(good("verify", *made["parts"], "--json"))
    assert [f["whole"] for f in out["files"]] == [True] * 5


def test_epoch__other_chunk_size__says_the_option_that_mends_it(made, tmp_path):
    words = refused("epoch", made["whole"], made["other"])
    assert "other.hrd: its chunks have 284 samples, those of the first file 100" in words
    wanted = words.split("--chunk-bytes ")[1].split()[0]
    np.save(tmp_path / "x.npy", made["x"][:500])
    np.save(tmp_path / "y.npy", made["y"][:500])
    good("convert", tmp_path / "x.npy", tmp_path / "y.npy", "-o", tmp_path / "again.hrd", "--chunk-bytes", wanted)
    good("epoch", made["whole"], tmp_path / "again.hrd")


def test_epoch__few_descriptors__takes_what_the_system_grants(made):
    files = [made["parts"][1]] * 40
    good("epoch", *files, "--batch", "8", limit=(20, 100))
    done = headrace("epoch", *files, "--batch", "8", limit=(20, 30))
    assert done.returncode == 1
    assert "of the 40 of the data set" in done.stderr and "ulimit -n" in done.stderr


def test_convert__more_files_than_fields__says_how_they_are_parts(tmp_path):
    np.save(tmp_path / "p0.npy", np.arange(3))
    for i in range(1, 4097):
        os.link(tmp_path / "p0.npy", tmp_path / f"p{i}.npy")
    message = refused("convert", tmp_path, "-o", tmp_path / "out.hrd")
    assert "a data set of 4097 fields, and it has at most 4096" in message and "--field NAME='PATTERN'" in message
    good("convert", "--field", f"p={tmp_path}/p*.npy", "-o", tmp_path / "out.hrd")
