"""The `headrace` command as people and scripts use it: help, usage, failures, results and JSON layouts."""

import json
import signal
import subprocess
import time

import pytest

np = pytest.importorskip("numpy")

from cli_data import SAMPLES, data, made  # noqa: E402, F401
from headrace_command import (  # noqa: E402
    COMMANDS,
    DATA_COMMANDS,
    FIGURE,
    PROGRAM,
    WHOLE,
    figures,
    good,
    headrace,
    layout,
    listens_to_interrupts,
    needs_program,
    wait_until,
)

pytestmark = needs_program


# ---- help and usage ----


@pytest.mark.parametrize("command", [[], *([c] for c in COMMANDS)], ids=lambda c: "-".join(c) or "headrace")
def test_help__every_command__fits_a_screen_and_has_an_example(command):
    for flag in ("--help", "-h"):
        text = good(*command, flag)
        lines = text.splitlines()
        assert max(map(len, lines)) <= 80
        if flag == "-h" or command != ["convert"]:  # whose --help is longer than a screen
            assert len(lines) <= 24
        assert lines[0].startswith("Usage: headrace")
        example = lines[lines.index("Example:") + 1]
        assert example.startswith(" ".join(["  headrace", *command]))


def test_help__after_other_options__is_shown(made):
    assert good("epoch", "--batch", "3", "--help").startswith("Usage")


def test_help__of_a_command__is_its_own():
    assert good("help", "split") == good("split", "--help")


def test_version__is_one_line():
    assert good("--version").split()[0] == "headrace"


USAGE_ERRORS = [
    ([], "command is missing"),
    (["melt"], "melt"),
    (["convert"], "input"),
    (["convert", "x.npy"], "-o OUT.hrd"),
    (["convert", "x.npy", "-o"], "-o needs a value"),
    (["convert", "x.npy", "-o", "y.npy"], ".npy is the ending of another kind of file; convert makes .hrd files"),
    (["convert", "x.npy", "-o", "a.hrd", "--chunk-bytes", "0"], "--chunk-bytes: 0 is nothing"),
    (["convert", "x.npy", "-o", "a.hrd", "--disk-rate", "0"], "--disk-rate: 0 is nothing"),
    (["convert", "x.npy", "-o", "a.hrd", "--helper-timeout", "0s"], "--helper-timeout: 0s is nothing"),
    (["convert", "x.npy", "-o", "a.hrd", "--codec", "raw", "--filter", "shuffle"], "--filter is for --codec zstd"),
    (["convert", "x.npy", "-o", "a.hrd", "--shape", "3"], "whose --dtype is missing"),
    (["convert", "x.npy", "-o", "a.hrd", "--skip-bytes", "3"], "whose --dtype is missing"),
    (["convert", "x.npy", "-o", "a.hrd", "--append", "--force"], "--append adds to the output"),
    (["convert", "x.npy", "-o", "a.hrd", "--append", "--resume"], "nothing to --resume"),
    (["convert", "x.npy", "-o", "a.hrd", "--append", "--shuffle", "1"], "leave --shuffle out"),
    (["epoch", "a.hrd", "--drop-last", "--pad-last"], "--drop-last and --pad-last are two ends"),
    (["export", "a.hrd", "-o", "b.npy"], ".npy is the ending of another kind of file; export makes F.npz"),
    (["join", "a.hrd", "-o", "b.H5"], ".H5 is the ending of another kind of file"),
    (["verify", "a.hrd", "--salvage", "b.npz"], ".npz is the ending of another kind of file; --salvage makes .hrd"),
    (["export", "a.hrd", "-o", "b.csv"], ".csv is the ending of another kind of file; export makes F.npz"),
    (["compare", "a.hrd"], "1 file given; name two"),
    (["help", "melt"], "melt"),
    (["convert", "x.npy", "-o", "a.hrd", "--colour"], "--colour"),
    (["convert", "x.npy", "-o", "a.hrd", "-z"], "-z"),
    (["convert", "x.npy", "-o", "a.hrd", "--force=1"], "takes no value"),
    (["convert", "x.npy", "-o", "a.hrd", "--codec", "lzma"], "auto, raw, zstd"),
    (["convert", "x.npy", "-o", "a.hrd", "--filter", "bit"],
     "auto, none, shuffle, bitshuffle, delta, delta+shuffle, delta+bitshuffle"),
    (["convert", "x.npy", "-o", "a.hrd", "--optimize", "best"], "speed, balanced, size"),
    (["convert", "x.npy", "-o", "a.hrd", "--disk-rate", "fast"], "--disk-rate: 'fast'"),
    (["convert", "x.npy", "-o", "a.hrd", "--level", "99"], "-131072 to 22"),
    (["convert", "x.npy", "-o", "a.hrd", "--level", "high"], "'high'"),
    (["convert", "x.npy", "-o", "a.hrd", "--level", "3", "--codec", "raw"], "--level is that of --codec zstd"),
    (["convert", "x.npy", "-o", "a.hrd", "--budget", "-1M"], "--budget: '-1M' is negative"),
    (["convert", "x.npy", "-o", "a.hrd", "--helper-timeout", "-1s"], "--helper-timeout: '-1s' is negative"),
    (["convert", "x.npy", "-o", "a.hrd", "--budget", "many"], "--budget: 'many'"),
    (["convert", "x.npy", "-o", "a.hrd", "--budget", "1MB"], "1MB"),
    (["convert", "x.npy", "-o", "a.hrd", "--threads", "0"], "--threads: 0 is out of range"),
    (["convert", "x.npy", "-o", "a.hrd", "--shape", "28,,28"], "--shape"),
    (["convert", "x.npy", "-o", "a.hrd", "--helper-timeout", "soon"], "--helper-timeout"),
    (["convert", "--field", "x.npy", "-o", "a.hrd"], "NAME=SOURCE"),
    (["convert", "x.npy", "-o", "a.hrd", "--fields", "a,,b"], "--fields: an empty name"),
    (["convert", "x.npy", "-o", "a.hrd", "--rename", "x"], "OLD=NEW"),
    (["convert", "x.npy", "-o", "a.hrd", "--range", "9"], "--range: '9'"),
    (["convert", "x.npy", "-o", "a.hrd", "--range", "7:7"], "7:7 holds no sample"),
    (["info"], "FILE is missing"),
    (["info", "a.hrd", "--threads", "x"], "'x'"),
    (["verify"], "FILE is missing"),
    (["verify", "a.hrd", "--threads", "-1"], "'-1'"),
    (["verify", "a.hrd", "--salvage", "b.hrd", "--threads", "2"], "--salvage works with one, leave it out"),
    (["plan"], "FILE is missing"),
    (["plan", "a.hrd", "--batch", "0"], "--batch: 0 is out of range"),
    (["plan", "a.hrd", "--batch", "99999999999"], "out of range"),
    (["plan", "a.hrd", "--window"], "--window needs a value"),
    (["plan", "a.hrd", "--window", "7"], "--seed and --window are for --shuffle; give it, too"),
    (["epoch", "a.hrd", "--window", "7"], "--seed and --window are for --shuffle; give it, too"),
    (["epoch", "a.hrd", "--seed", "7"], "--seed and --window are for --shuffle; give it, too"),
    (["plan", "a.hrd", "--batch", "-5"], "--batch: '-5' is negative; write 1 or more"),
    (["head", "a.hrd", "--png", "a.png", "--json"], "--json shows no images; leave out --png"),
    (["head", "a.hrd", "--png", "a.png", "--numbers"], "leave out --png"),
    (["head", "a.hrd", "--force"], "there is no --png OUT to replace"),
    (["plan", "a.hrd", "--fields", "x,,y"], "--fields"),
    (["plan", "a.hrd", "--probe=soon"], "--probe: 'soon'"),
    (["plan", "a.hrd", "--probe=1ms"], "20ms to 1m"),
    (["plan", "a.hrd", "--probe=2m"], "20ms to 1m"),
    (["export", "a.hrd"], "-o OUT"),
    (["export", "-o", "arrays"], "FILE is missing"),
    (["export", "a.hrd", "-o", "a.h5", "--gzip", "10"], "--gzip: 10 is out of range"),
    (["export", "a.hrd", "-o", "arrays", "--range", "7"], "--range: '7'"),
    (["export", "a.hrd", "-o", "arrays", "--range", "7:3"], "ends before"),
    (["export", "a.hrd", "-o", "arrays", "--range", "7:7"], "7:7 holds no sample"),
    (["epoch"], "FILE is missing"),
    (["epoch", "a.hrd", "--io", "fast"], "auto, direct, cached"),
    (["epoch", "a.hrd", "--seed", "1e3"], "'1e3'"),
    (["epoch", "a.hrd", "--epochs", "0"], "out of range"),
    (["split"], "FILE is missing"),
    (["split", "a.hrd"], "give one --out for each"),
    (["bench"], "FILE is missing"),
    (["bench", "a.hrd", "--rounds", "0"], "--rounds: 0 is out of range"),
    (["bench", "a.hrd", "--seconds", "1us"], "1ms to 1h"),
    (["bench", "a.hrd", "--measures", "decode,writing"], "decode, read-sequential"),
]


@pytest.mark.parametrize("args, words", USAGE_ERRORS, ids=lambda v: " ".join(v) if isinstance(v, list) else "")
def test_usage__wrong_command_line__says_what_and_points_to_help(args, words, tmp_path):
    done = headrace(*args, cwd=tmp_path)
    assert done.returncode == 2
    assert done.stdout == ""
    message, pointer = done.stderr.splitlines()
    command = [args[0]] if args and args[0] in COMMANDS else []
    assert message.startswith(" ".join(["headrace", *command]) + ": ") and words in message
    assert pointer == " ".join(["Try: headrace", *command, "--help"])
    assert not any(tmp_path.iterdir())


# ---- failures ----


@pytest.mark.parametrize("command", DATA_COMMANDS)
def test_failure__file_that_is_not_there__exit_1_and_its_name(command, tmp_path):
    options = {"convert": ["-o", "out.hrd"], "export": ["-o", "arrays"],
               "split": ["--fractions", "1", "--out", "a.npy"]}.get(command, [])
    done = headrace(command, "missing.hrd", *options, cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr.startswith(f"headrace {command}: ") and "missing.hrd" in done.stderr
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize("command", ["info", "plan", "export", "epoch", "split", "bench", "head", "join"])
@pytest.mark.parametrize("text", [b"a list\n", b"x" * 200_000], ids=["short", "long"])
def test_failure__file_that_is_no_data_set__exit_1_and_what_makes_one(command, text, tmp_path):
    (tmp_path / "a.txt").write_bytes(text)
    options = {"export": ["-o", "arrays"], "split": ["--fractions", "1", "--out", "a.npy"], "join": ["-o", "b.hrd"]}
    done = headrace(command, "a.txt", *options.get(command, []), cwd=tmp_path)
    assert done.returncode == 1 and "a.txt: not a Headrace file" in done.stderr
    assert "make one with headrace convert" in done.stderr and "damaged" not in done.stderr


@pytest.mark.parametrize("command", ["info", "verify", "plan", "export", "epoch", "split", "bench"])
def test_damage__footer__exit_3_and_what_is_damaged(command, data, tmp_path):
    damaged = bytearray(data.read_bytes())
    footer = int.from_bytes(damaged[40:48], "little")
    damaged[footer + 130] ^= 1  # in the JSON text
    copy = tmp_path / "damaged.hrd"
    copy.write_bytes(damaged)
    options = {"export": ["-o", tmp_path / "arrays"], "split": ["--fractions", "1", "--out", tmp_path / "a.npy"]}
    done = headrace(command, copy, *options.get(command, []))
    assert done.returncode == 3
    assert "footer" in done.stderr and "damaged" in done.stderr


@pytest.mark.parametrize(
    "what, spoil",
    [
        ("superblocks", lambda b: b[:16] + b"?" + b[17:65552] + b"?" + b[65553:]),
        ("superblock", lambda b: bytes(4096) + b[4096:65536] + bytes(4096) + b[69632:]),
        ("truncated", lambda b: b[:-4096]),
        ("truncated", lambda b: b[:100]),
        ("not a Headrace file", lambda b: b"hello"),
        ("not a Headrace file", lambda b: b""),
    ],
)
def test_verify__file_that_cannot_be_opened__exit_3_one_damage(what, spoil, data, tmp_path):
    copy = tmp_path / "damaged.hrd"
    copy.write_bytes(spoil(data.read_bytes()))
    done = headrace("verify", copy, "--json")
    assert done.returncode == 3 and what in done.stderr
    (report,) = json.loads(done.stdout)["files"]
    assert not report["whole"] and report["status"] == "HR_ERR_CORRUPT"
    (damage,) = report["damages"]
    assert what in damage["detail"]
    text = headrace("verify", copy).stdout
    assert what in text and "18446744073709551615" not in text


def test_verify__damaged_frame__names_chunk_field_and_samples(data, made, tmp_path):
    copy = tmp_path / "damaged.hrd"
    good("convert", made / "x.npy", made / "y.npy", "-o", copy, "--codec", "raw", "--chunk-bytes", "16K")
    damaged = bytearray(copy.read_bytes())
    damaged[131072 + 3 * 16384 + 9000] ^= 1  # chunks of 15 samples on 4 pages each
    copy.write_bytes(damaged)
    done = headrace("verify", copy, data, "--json")
    assert done.returncode == 3
    first, second = json.loads(done.stdout)["files"]
    (damage,) = first["damages"]
    assert (damage["chunk"], damage["field"], second["whole"]) == (3, 0, True)
    lost = range(damage["first_sample"], damage["first_sample"] + damage["samples"])
    assert 3 * 15 + (9000 - 200 - 15 * 8) // 1024 in lost and set(lost) <= set(range(45, 60))
    text = headrace("verify", copy).stdout
    assert "chunk 3, field x" in text and f"samples {lost[0]} to {lost[-1]} are lost" in text
    assert "--salvage saves only chunks that are whole, so it drops all samples of these chunks" in text
    saved = json.loads(headrace("verify", copy, "--salvage", tmp_path / "saved.hrd", "--json").stdout)
    assert saved["lost_samples"] == 15 >= len(lost)
    quiet = headrace("verify", copy, "--quiet")
    assert (quiet.returncode, quiet.stdout, quiet.stderr) == (3, "", "")


def test_output__exists__refused_without_force(made, tmp_path):
    target = tmp_path / "out.hrd"
    good("convert", made / "y.npy", "-o", target)
    before = target.read_bytes()
    done = headrace("convert", made / "x.npy", "-o", target)
    assert done.returncode == 1 and "--force" in done.stderr
    assert target.read_bytes() == before
    good("convert", made / "x.npy", "-o", target, "--force")
    assert figures("info", target)["fields"][0]["name"] == "x"

    good("export", target, "-o", tmp_path / "arrays")
    done = headrace("export", target, "-o", tmp_path / "arrays")
    assert done.returncode == 1 and "--force" in done.stderr
    good("export", target, "-o", tmp_path / "arrays", "--force")

    index = tmp_path / "index.npy"
    good("epoch", target, "--index", index)
    done = headrace("epoch", target, "--index", index)
    assert done.returncode == 1 and "--force" in done.stderr
    good("epoch", target, "--index", index, "--force")


# ---- what each command does, and its JSON ----


def test_convert__json__has_the_documented_layout(made, tmp_path):
    out = figures("convert", made / "x.npy", made / "y.npy", "-o", tmp_path / "a.hrd")
    assert layout(out) == {
        "output": "str", "fields": WHOLE, "samples": WHOLE, "old_samples": WHOLE, "resumed_samples": WHOLE,
        "decoded_bytes": WHOLE, "stored_bytes": WHOLE, "ratio": FIGURE, "seconds": FIGURE,
        "bytes_per_s": FIGURE, "nan": WHOLE, "inf": WHOLE,
    }
    assert (out["fields"], out["samples"]) == (2, SAMPLES)
    assert out["decoded_bytes"] == SAMPLES * (16 * 16 * 4 + 8)


def test_convert__no_samples__json_is_whole(tmp_path):
    np.save(tmp_path / "none.npy", np.zeros((0, 3), "float32"))
    out = figures("convert", "none.npy", "-o", "none.hrd", cwd=tmp_path)
    assert (out["samples"], out["decoded_bytes"], out["ratio"]) == (0, 0, 0)
    assert figures("info", "none.hrd", cwd=tmp_path)["samples"] == 0
    assert figures("verify", "none.hrd", cwd=tmp_path)["files"][0]["whole"]
    good("export", "none.hrd", "-o", "arrays", cwd=tmp_path)
    assert np.load(tmp_path / "arrays" / "none.npy").shape == (0, 3)


def test_convert__fields_said_outright__have_these_names(made, tmp_path):
    target = tmp_path / "named.hrd"
    good("convert", "--field", f"image={made / 'x.npy'}", "--field", f"label={made / 'y.npy'}", "-o", target)
    assert [f["name"] for f in figures("info", target)["fields"]] == ["image", "label"]


def test_convert__raw_input__needs_dtype_and_shape(made, tmp_path):
    x = np.load(made / "x.npy")
    (tmp_path / "x.bin").write_bytes(b"sixteen bytes ..." [:16] + x.tobytes())
    raw = ["--dtype", "float32", "--shape", "16x16", "--skip-bytes", "16"]
    good("convert", "x.bin", *raw, "-o", "raw.hrd", cwd=tmp_path)
    good("export", "raw.hrd", "-o", "arrays", cwd=tmp_path)
    assert np.array_equal(np.load(tmp_path / "arrays" / "x.npy"), x)
    done = headrace("convert", "x.bin", "-o", "other.hrd", cwd=tmp_path)
    assert done.returncode == 1 and "x.bin" in done.stderr


def test_convert__hdf5__comes_back_equal(tmp_path):
    h5py = pytest.importorskip("h5py")
    x = np.arange(4000, dtype="float64").reshape(500, 8)
    with h5py.File(tmp_path / "train.h5", "w") as file:
        file.create_dataset("images/train", data=x, chunks=(50, 8), compression="gzip")
        file.create_dataset("labels", data=np.arange(500) % 3)
    good("convert", "--field", "x=train.h5:/images/train", "--field", "y=train.h5:/labels",
         "-o", "h.hrd", cwd=tmp_path)
    good("export", "h.hrd", "-o", "arrays", cwd=tmp_path)
    assert np.array_equal(np.load(tmp_path / "arrays" / "x.npy"), x)


def test_convert__resume_with_nothing_to_pick_up__begins_anew_and_says_so(made, tmp_path):
    done = headrace("convert", "--resume", made / "x.npy", "-o", tmp_path / "x.hrd")
    assert done.returncode == 0 and "resume" in done.stderr
    assert headrace("verify", tmp_path / "x.hrd").returncode == 0


def test_info__json__has_the_documented_layout(data):
    out = figures("info", data)
    fields = out.pop("fields")
    storage = [field.pop("storage") for field in fields]
    provenance = out.pop("provenance")
    assert isinstance(provenance, dict)
    counts = {"values": WHOLE, "zeros": WHOLE, "nan": WHOLE, "inf": WHOLE,
              "first_nan_sample": "NoneType", "first_inf_sample": "NoneType",
              "min": FIGURE, "max": FIGURE, "mean": FIGURE, "std": FIGURE}
    labels = {"longest_run_samples": WHOLE, "distinct": WHOLE, "distinct_overflow": "bool",
              "looks_sorted": "bool"}
    for field, shape, more in zip(fields, [["int"], []], [{}, labels]):
        kinds = layout(field)
        kinds.pop("attributes")
        assert kinds == {"name": "str", "dtype": "str", "width_bytes": WHOLE, "shape": shape,
                         "sample_bytes": WHOLE, "statistics": {**counts, **more},
                             "element_dtype": "NoneType", "lengths": "NoneType"}
    for entry in storage:
        assert isinstance(entry["codec"], str) and isinstance(entry["reason"], str)
    assert out.pop("attributes") in (None, {})
    assert layout(out) == {
        "file": "str", "uuid": "str", "commit": WHOLE, "samples": WHOLE, "chunks": WHOLE,
        "files": [{"file": "str", "uuid": "str", "commit": WHOLE, "first_sample": WHOLE, "samples": WHOLE,
                   "chunks": WHOLE, "segments": WHOLE, "file_bytes": WHOLE, "dead_bytes": WHOLE}],
        "samples_per_chunk": WHOLE, "segments": WHOLE, "decoded_bytes": WHOLE,
        "file_bytes": WHOLE, "dead_bytes": WHOLE, "ratio": FIGURE,
        "loader": {"batch": WHOLE, "shuffle": "bool", "window": WHOLE, "peak_bytes": WHOLE,
                   "smallest_budget_bytes": WHOLE, "fits": "bool", "inflation": FIGURE},
    }
    assert out["file_bytes"] == data.stat().st_size


def candidates_of(path):
    return [field["storage"] for field in figures("info", path)["fields"]]


@pytest.mark.parametrize("goal, levels", [("speed", {-5, -3, -1, 1, 3}), ("balanced", {-5, -3, -1, 1, 3, 6, 9}),
                                          ("size", {1, 3, 6, 9, 12, 15, 19})])
def test_info__why__every_goal_shows_what_was_tried_and_marks_the_choice(goal, levels, made, tmp_path):
    path = tmp_path / "x.hrd"
    for name in "xy":
        np.save(tmp_path / f"{name}.npy", np.load(made / f"{name}.npy")[:600])
    good("convert", "x.npy", "y.npy", "-o", path, "--optimize", goal, "--disk-rate", "500M", cwd=tmp_path)
    text = good("info", "--why", path)
    parts = text.split("\nx\n")[1].split("\ny\n")
    for part, storage in zip(parts, candidates_of(path)):
        tried = storage["candidates"]
        assert (storage["optimize"], storage["disk_bytes_per_s"]) == (goal, 500 << 20)
        assert tried[0]["codec"] == "raw" and "level" not in tried[0]
        # Slow levels may be left out for want of time, the first one is not.
        tried_levels = {entry["level"] for entry in tried[1:]}
        assert tried_levels <= levels and {"speed": 1, "balanced": 3, "size": 9}[goal] in tried_levels
        assert {entry["filter"] for entry in tried} == {"none", "byte-shuffle", "bit-shuffle", "delta",
                                                        "delta+byte-shuffle", "delta+bit-shuffle"}
        assert all(("delta" in entry["filter"]) == ("distance_bytes" in entry) for entry in tried)
        assert all(entry["ratio"] > 0 and entry["decode_gb_per_s"] > 0 and entry["cost_ns_per_byte"] > 0
                   for entry in tried)
        marked = [line for line in part.splitlines() if line.startswith("  * ")]
        assert len(marked) == 1 and storage["codec"] in marked[0]
        assert storage["codec"] == "raw" or f"level {storage['level']} " in marked[0]
        assert f"optimized for {goal}, for a disk of 500 MiB/s" in part and storage["reason"] in part
    assert "tried" not in good("info", path)


def test_info__why__what_was_asked_for__has_no_table(made, tmp_path):
    path = tmp_path / "x.hrd"
    good("convert", made / "x.npy", "-o", path, "--codec", "zstd", "--filter", "none", "--level", "-2")
    text = good("info", "--why", path)
    assert "zstd level -2: asked for" in text and "  * " not in text


def test_info__why__many_fields__try_one_level_each(tmp_path):
    for i in range(65):
        np.save(tmp_path / f"f{i}.npy", np.arange(500, dtype="int32"))
    good("convert", *[f"f{i}.npy" for i in range(65)], "-o", "many.hrd", "--optimize", "size", cwd=tmp_path)
    for storage in candidates_of(tmp_path / "many.hrd"):
        assert {entry.get("level", 9) for entry in storage["candidates"]} == {9}
    assert headrace("verify", tmp_path / "many.hrd").returncode == 0


def test_info__statistics__are_exact(data, made):
    y = np.load(made / "y.npy")
    stats = figures("info", data)["fields"][1]["statistics"]
    assert (stats["min"], stats["max"], stats["distinct"]) == (y.min(), y.max(), len(np.unique(y)))
    assert stats["mean"] == pytest.approx(y.mean(), rel=1e-12)
    text = good("info", data)
    assert "float32" in text and "(16, 16)" in text and "a shuffled loader" in text


def test_info__sorted_labels_and_nan__are_warned_of(tmp_path):
    x = np.zeros((3000, 2), "float32")
    x[77, 1] = np.nan
    np.save(tmp_path / "x.npy", x)
    np.save(tmp_path / "y.npy", np.arange(3000) // 300)
    good("convert", "x.npy", "y.npy", "-o", "s.hrd", cwd=tmp_path)
    text = good("info", "s.hrd", cwd=tmp_path)
    assert "'x' has NaN, first in sample 77" in text and "'y' looks like sorted labels" in text
    assert figures("plan", "s.hrd", cwd=tmp_path)["sorted_labels"] == "y"


def test_verify__json__has_the_documented_layout(data):
    out = figures("verify", data)
    assert layout(out) == {"files": [{"file": "str", "whole": "bool", "status": "str",
                                      "message": "NoneType", "damages": []}]}
    assert "whole" in good("verify", data, "--threads", "2", "--budget", "64M")


def test_plan__json__has_the_documented_layout(data):
    out = figures("plan", data, "--shuffle", "--batch", "64", "--budget", "64M")
    assert layout(out) == {
        "file": "str", "files": ["str"], "batch": WHOLE, "shuffle": "bool", "window": WHOLE,
        "batches_per_epoch": WHOLE, "samples_per_epoch": WHOLE, "dropped_samples": WHOLE,
        "padded_samples": WHOLE, "peak_bytes": WHOLE, "budget_bytes": WHOLE, "smallest_budget_bytes": WHOLE,
        "largest_window": WHOLE, "fits": "bool", "read_amplification": FIGURE,
        "inflation": FIGURE, "sorted_labels": "NoneType", "io": "str", "io_depth": WHOLE,
        "streams": WHOLE, "batch_of_rank": WHOLE,
        "rank": WHOLE, "world_size": WHOLE, "launcher": "NoneType", "subset": "NoneType",
        "device_bytes": WHOLE,
    }
    assert out["batches_per_epoch"] == -(-SAMPLES // 64) and out["fits"]


def test_plan__of_a_rank__is_what_the_rank_gets(data):
    order = ["--shuffle", "--batch", "120", "--streams", "4", "--world-size", "2", "--rank", "1"]
    plan, epoch = figures("plan", data, *order), figures("epoch", data, *order)
    assert (plan["streams"], plan["batch_of_rank"]) == (4, 60)
    assert (plan["batches_per_epoch"], plan["samples_per_epoch"]) == (epoch["batches"], epoch["samples"])
    lines = good("plan", data, *order).splitlines()
    batches, samples = epoch["batches"], epoch["samples"]
    assert lines[1].split(maxsplit=1) == [
        "epoch", f"{batches} batches of 120, {2 * samples:,} samples, {plan['dropped_samples']} dropped"
    ]
    assert lines[2].split(maxsplit=1) == [
        "rank", f"1 of 2: {batches} batches of 60, {samples:,} samples, as every rank; 2 of 4 streams"
    ]


def test_plan_probe__json__has_the_documented_layout(data):
    out = figures("plan", data, "--shuffle", "--batch", "64", "--probe=0.2s")
    share = out["probe"].pop("cached_share")
    assert share is None or 0 <= share <= 1
    assert layout(out["probe"]) == {
        "limit": "str", "sentence": "str", "first_batch_s": FIGURE, "epoch_s": FIGURE, "later_epoch_s": FIGURE,
        "bytes_per_s": FIGURE, "samples_per_s": FIGURE, "later_bytes_per_s": FIGURE, "decode_bytes_per_s": FIGURE,
        "read_bytes_per_s": FIGURE, "ratio": FIGURE, "visits": WHOLE, "seconds": FIGURE,
    }
    assert out["probe"]["limit"] in ("disk", "decoding", "threads", "budget")
    assert 0 < out["probe"]["first_batch_s"] <= out["probe"]["epoch_s"]
    assert out["probe"]["bytes_per_s"] / out["probe"]["samples_per_s"] == pytest.approx(16 * 16 * 4 + 8)


def test_plan_probe__text__says_what_is_expected_and_what_limits(data):
    lines = good("plan", data, "--probe=100ms", "--threads", "1").splitlines()
    starts = [line.split()[0] for line in lines]
    assert {"prediction", "limit", "this"} <= set(starts)
    assert "limited by " in lines[starts.index("limit")]
    assert "first batch after" in lines[starts.index("prediction")]


@pytest.mark.parametrize("word", ["byte-shuffle", "bit-shuffle", "delta", "delta+byte-shuffle", "delta+bit-shuffle"])
def test_filter__by_the_name_that_info_has_for_it(word, tmp_path):
    np.save(tmp_path / "x.npy", np.arange(4000, dtype="int32").reshape(-1, 8))
    good("convert", "x.npy", "-o", "x.hrd", "--codec", "zstd", "--filter", word, cwd=tmp_path)
    assert figures("info", "x.hrd", cwd=tmp_path)["fields"][0]["storage"]["filter"] == word


def test_plan_probe__does_not_fit__is_not_tried(data):
    options = [data, "--shuffle", "--batch", "64", "--budget", "100K", "--probe=100ms"]
    out = figures("plan", *options)
    assert out["probe"] is None and not out["fits"]
    text = good("plan", *options)
    assert "does not fit" in text and "prediction" not in text


def test_plan_probe__interrupted__ends_soon(data):
    command = [str(PROGRAM), "plan", str(data), "--probe=1m", "--threads", "1"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as child:
        wait_until(lambda: listens_to_interrupts(child.pid))
        time.sleep(0.3)  # so that it is in the middle, mostly
        child.send_signal(signal.SIGINT)
        out, err = child.communicate(timeout=60)
    assert child.returncode == 130 and out == "" and "stopped" in err


def test_plan__smallest_budget__is_the_one_that_works(data):
    options = [data, "--shuffle", "--batch", "64"]
    plan = figures("plan", *options, "--budget", "100K")
    assert not plan["fits"]
    assert "does not fit" in good("plan", *options, "--budget", "100K")
    smallest = plan["smallest_budget_bytes"]
    assert figures("plan", *options, "--window", plan["window"], "--budget", smallest)["fits"]
    done = headrace("epoch", *options, "--budget", "100K")
    assert done.returncode == 1 and "budget" in done.stderr


@pytest.mark.parametrize("batch", [16, 4096])
def test_plan__large_index__judges_as_epoch_does(batch, tmp_path):
    """Of three index pages, the last of which is half as large, one is held for each 512 KiB of the budget."""
    np.save(tmp_path / "x.npy", np.arange(20000, dtype=np.int32))
    good("convert", "x.npy", "-o", "tiny.hrd", "--chunk-bytes", "4", cwd=tmp_path)
    options = [tmp_path / "tiny.hrd", "--shuffle", "--window", "4", "--batch", batch, "--threads", "1"]

    def runs(budget):
        done = headrace("epoch", *options, "--max-batches", "2", "--budget", budget)
        assert done.returncode == 0 or "budget" in done.stderr
        return done.returncode == 0

    smallest = figures("plan", *options)["smallest_budget_bytes"]
    step = 8 * 65536
    steps = [k * step // 2 + more for k in range(2, smallest // step * 2 + 6) for more in (-1, 0)]
    for budget in [1000, smallest - 65536, smallest - 1, smallest, smallest + 1, *steps]:
        plan = figures("plan", *options, "--budget", budget)
        assert plan["smallest_budget_bytes"] == smallest
        assert plan["fits"] == runs(budget)
        assert plan["fits"] or budget < smallest
        assert not plan["fits"] or plan["peak_bytes"] <= budget
    assert not runs(smallest - 1)


def test_export__json_and_part__are_right(data, made, tmp_path):
    out = figures("export", data, "-o", "arrays", "--fields", "y", "--range", "10:50", cwd=tmp_path)
    assert layout(out) == {"file": "str", "files": ["str"], "output": "str", "fields": WHOLE,
                           "samples": WHOLE, "seconds": FIGURE}
    assert (out["fields"], out["samples"]) == (1, 40)
    assert figures("export", data, "-o", "rest", "--fields", "y", "--range", "2990:", cwd=tmp_path)["samples"] == 10
    assert [p.name for p in (tmp_path / "arrays").iterdir()] == ["y.npy"]
    assert np.array_equal(np.load(tmp_path / "arrays" / "y.npy"), np.load(made / "y.npy")[10:50])
    assert np.array_equal(np.load(tmp_path / "rest" / "y.npy"), np.load(made / "y.npy")[2990:])


def test_export__all__comes_back_equal(data, made, tmp_path):
    good("export", data, "-o", tmp_path)
    for name in ("x.npy", "y.npy"):
        assert (tmp_path / name).read_bytes()[-999:] == (made / name).read_bytes()[-999:]
        assert np.array_equal(np.load(tmp_path / name), np.load(made / name))


@pytest.mark.parametrize("args, words", [(["--range", "0:3001"], "3000"), (["--fields", "z"], "z")])
def test_export__part_that_is_not_there__is_refused(args, words, data, tmp_path):
    done = headrace("export", data, "-o", tmp_path / "arrays", *args)
    assert done.returncode == 1 and words in done.stderr
