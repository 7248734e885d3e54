"""Where outputs cannot be: inputs stay, folders are looked at before the work, limits and names are no surprise."""

import json
import os
import re
import resource
import stat

import pytest

np = pytest.importorskip("numpy")

from headrace_command import good, headrace, needs_program, on_terminal  # noqa: E402

pytestmark = needs_program

WRITERS = [
    ["epoch", "t.hrd", "--save-state"], ["epoch", "t.hrd", "--trace"], ["epoch", "t.hrd", "--force", "--index"],
    ["split", "t.hrd", "--fractions", "1", "--force", "--out"],
    ["bench", "t.hrd", "--rounds", "1", "--seconds", "10ms", "--force", "--svg"],
]


@pytest.fixture
def folder(tmp_path):
    np.save(tmp_path / "X.npy", np.arange(4000, dtype="float32").reshape(500, 8))
    good("convert", "X.npy", "-o", "t.hrd", "--codec", "raw", cwd=tmp_path)
    return tmp_path


@pytest.mark.parametrize("args", WRITERS, ids=" ".join)
def test_output__that_is_an_input__is_refused(args, folder):
    before = (folder / "t.hrd").read_bytes()
    done = headrace(*args, "./t.hrd", cwd=folder)
    assert done.returncode == 1 and "is an input, too" in done.stderr
    assert (folder / "t.hrd").read_bytes() == before


@pytest.mark.parametrize("args", WRITERS, ids=" ".join)
def test_output__in_a_folder_that_is_not_there__is_said_before_the_work(args, folder):
    done = headrace(*args, "none/out", cwd=folder)
    assert done.returncode == 1 and done.stdout == ""
    assert "the folder none/: No such file or directory" in done.stderr


@pytest.mark.parametrize("args", [
    ["convert", "X.npy", "-o", "PIPE", "--force"], ["export", "t.hrd", "-o", "PIPE.h5", "--force"],
    ["join", "t.hrd", "-o", "PIPE", "--force"], ["epoch", "t.hrd", "--save-state", "PIPE"],
    ["epoch", "t.hrd", "--index", "PIPE"], ["epoch", "t.hrd", "--trace", "PIPE"],
    ["split", "t.hrd", "--fractions", "1", "--out", "PIPE", "--force"]])
def test_output__that_is_a_pipe__is_not_replaced(args, folder):
    pipe = next(arg for arg in args if arg.startswith("PIPE"))
    os.mkfifo(folder / pipe)
    done = headrace(*args, cwd=folder)
    assert done.returncode == 1 and pipe in done.stderr, done.stderr
    assert stat.S_ISFIFO(os.stat(folder / pipe).st_mode)
    assert not (folder / f"{pipe}.partial").exists()


@pytest.mark.parametrize("args", [
    ["split", "t.hrd", "--fractions", "0.5,0.5", "--out", "a.npy", "--out", "a.npy"],
    ["split", "t.hrd", "--fractions", "0.5,0.5", "--out", "a.npy", "--out", ".//a.npy"],
    ["epoch", "t.hrd", "--index", "a.npy", "--save-state", "./a.npy"],
    ["epoch", "t.hrd", "--trace", "../NAME/a.npy", "--save-state", "a.npy"]])
def test_outputs__that_are_one_file__are_a_usage_error(args, folder):
    done = headrace(*[arg.replace("NAME", folder.name) for arg in args], cwd=folder)
    assert done.returncode == 2 and "are one file" in done.stderr
    assert not (folder / "a.npy").exists()


@pytest.mark.parametrize("args", [["convert", "X.npy", "-o", "o.hrd"], ["convert", "X.npy", "-o", "t.hrd", "--append"],
                                  ["join", "t.hrd", "-o", "o.hrd"], ["export", "t.hrd", "-o", "arrays"],
                                  ["verify", "t.hrd", "--salvage", "o.hrd"]], ids=" ".join)
def test_limit__of_the_size_of_files__is_an_error_in_words(args, folder):
    def limit():
        resource.setrlimit(resource.RLIMIT_FSIZE, (8192, 8192))

    before = (folder / "t.hrd").read_bytes()
    done = headrace(*args, cwd=folder, preexec_fn=limit)
    assert done.returncode == 1 and "File too large" in done.stderr, done
    assert (folder / "t.hrd").read_bytes() == before
    assert not (folder / "o.hrd").exists()


def test_names__with_control_characters__do_not_reach_the_terminal(folder):
    name = "a\x1b[2J\x07\u009b31m\nb.csv"
    (folder / name).write_bytes(b"a\x1b[1m,b\n1,x\x1b[2Jy\n")
    for args in (["convert", name, "-o", "o.hrd"], ["info", name], ["convert", name + "?", "-o", "o.hrd"],
                 ["info", "--" + name]):
        done = headrace(*args, cwd=folder)
        assert done.returncode in (1, 2, 3)
        text = done.stderr.rstrip("\n").replace("\n", "", done.stderr.count("\nTry: "))
        assert not [c for c in text if ord(c) < 32 or 127 <= ord(c) < 160], done.stderr


HOSTILE = "a\x1b[2J\x07\u009b31m\nb"
SAYING = [
    ["convert", "X.npy", "-o", HOSTILE], ["info", f"{HOSTILE}.hrd"], ["info", "--why", f"{HOSTILE}.hrd"],
    ["info", f"{HOSTILE}.hrd", "t.hrd"], ["verify", f"{HOSTILE}.hrd"], ["verify", f"{HOSTILE}broken.hrd"],
    ["verify", f"{HOSTILE}broken.hrd", "--salvage", f"{HOSTILE}x.hrd"], ["export", "t.hrd", "-o", f"{HOSTILE}.npz"],
    ["join", "t.hrd", "-o", f"{HOSTILE}x.hrd"], ["compare", f"{HOSTILE}.hrd", "t.hrd"],
    ["split", "t.hrd", "--fractions", "1", "--out", f"{HOSTILE}.npy"], ["plan", f"{HOSTILE}.hrd"],
    ["bench", f"{HOSTILE}.hrd", "--rounds", "1", "--seconds", "10ms"], ["epoch", "--report", f"{HOSTILE}.hrd"],
    ["head", f"{HOSTILE}.hrd"],
]


@pytest.mark.parametrize("args", SAYING, ids=lambda args: args[0])
def test_names__with_control_characters__are_escaped_in_results(args, folder):
    y = np.zeros((4, 8), np.float32)
    y[1] = np.nan
    np.save(folder / "y.npy", y)
    good("convert", "--field", "q\u009b31m=y.npy", "-o", f"{HOSTILE}.hrd", cwd=folder)
    damaged = bytearray((folder / f"{HOSTILE}.hrd").read_bytes())
    damaged[0x20000 + 4096] ^= 255
    (folder / f"{HOSTILE}broken.hrd").write_bytes(damaged)
    done = headrace(*args, cwd=folder, text=False)
    shown = done.stdout.decode() + done.stderr.decode()
    assert not [c for c in shown if (ord(c) < 32 and c != "\n") or 127 <= ord(c) < 160], shown
    assert "\\x9b31m" in shown or args[0] in ("plan", "epoch")  # which name nothing
    assert "[2J\\x07" not in shown.replace("\\x1b[2J\\x07\\x9b31m\\x0ab", "")


def test_results__of_one_sample__are_in_the_singular(folder):
    np.save(folder / "one.npy", np.zeros((1, 8), np.float32))
    assert ": 1 sample, " in good("convert", "one.npy", "-o", "one.hrd", "--codec", "raw", cwd=folder)
    assert "one.hrd: 1 sample in 1 chunk of " in good("info", "one.hrd", cwd=folder)
    assert ": 1 sample of 1 field in " in good("export", "one.hrd", "-o", "out", cwd=folder)
    assert ": 1 sample of 1 part, " in good("join", "one.hrd", "-o", "two.hrd", cwd=folder)
    assert "1 batch of 256, 1 sample, " in good("plan", "one.hrd", cwd=folder)
    assert "1 sample in 1 batch, " in good("epoch", "one.hrd", cwd=folder)
    assert "a.npy: 1 sample\n" in good("split", "one.hrd", "--fractions", "1", "--out", "a.npy", cwd=folder)
    damaged = bytearray((folder / "one.hrd").read_bytes())
    damaged[0x20000 + 200] ^= 255
    (folder / "one.hrd").write_bytes(damaged)
    assert "sample 0 is lost" in headrace("verify", "one.hrd", cwd=folder).stdout


def test_numbers__of_all_kinds_of_files__are_parts_of_one_field(folder):
    h5py = pytest.importorskip("h5py")
    x = np.load(folder / "X.npy")
    np.savez(folder / "b.npz", X=x + 1)
    with h5py.File(folder / "c.h5", "w") as f:
        f["X"] = x + 2
    good("convert", "t.hrd", "-o", "d.hrd", "--rename", "X=X", cwd=folder)
    good("convert", "X.npy", "b.npz", "c.h5", "d.hrd", "-o", "all.hrd", cwd=folder)
    good("export", "all.hrd", "-o", "back", cwd=folder)
    assert np.array_equal(np.load(folder / "back" / "X.npy"), np.concatenate([x, x + 1, x + 2, x]))


def test_convert__over_an_unfinished_one__says_that_it_begins_anew(folder):
    good("convert", "X.npy", "-o", "u.hrd", cwd=folder)
    (folder / "u.hrd").rename(folder / "u.hrd.partial")
    done = headrace("convert", "X.npy", "-o", "u.hrd", cwd=folder)
    assert done.returncode == 0 and "an unfinished conversion was there" in done.stderr
    assert "anew" not in headrace("convert", "X.npy", "-o", "u.hrd", "--force", cwd=folder).stderr


@pytest.mark.parametrize("args", [["convert", "X.npy", "-o", "u.hrd"], ["convert", "X.npy", "-o", "u.hrd", "--resume"],
                                  ["join", "t.hrd", "-o", "u.hrd"], ["verify", "t.hrd", "--salvage", "u.hrd"],
                                  ["export", "t.hrd", "-o", "u.h5"], ["export", "t.hrd", "-o", "u.npz"],
                                  ["epoch", "t.hrd", "--trace", "u.json"]], ids=" ".join)
def test_partial__that_is_not_ours__is_refused_and_stays(args, folder):
    partial = folder / (next(word for word in args if word.startswith("u.")) + ".partial")
    partial.write_text("a list of what is to be done\n")
    done = headrace(*args, cwd=folder)
    assert done.returncode == 1
    assert f"{partial.name} is in the way" in done.stderr and "--force" not in done.stderr
    assert partial.read_text() == "a list of what is to be done\n"
    assert not partial.with_suffix("").exists()


def test_partial__that_is_the_complete_file__only_loses_that_name(folder):
    """As a run leaves it that ends while a file is renamed by giving it a second name."""
    before = (folder / "t.hrd").read_bytes()
    os.link(folder / "t.hrd", folder / "t.hrd.partial")
    done = headrace("convert", "X.npy", "-o", "t.hrd", cwd=folder)
    assert done.returncode == 1 and "t.hrd exists" in done.stderr
    limited = headrace("convert", "X.npy", "-o", "t.hrd", "--force", "--codec", "raw", cwd=folder,
                       preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000)))
    assert limited.returncode == 1
    assert (folder / "t.hrd").read_bytes() == before
    good("convert", "X.npy", "-o", "t.hrd", "--force", cwd=folder)
    good("verify", "t.hrd", cwd=folder)


def test_partial__of_an_export_that_was_killed__is_replaced(folder):
    for name in ("u.h5", "u.npz"):
        good("export", "t.hrd", "-o", name, cwd=folder)
        (folder / name).rename(folder / f"{name}.partial")
        good("export", "t.hrd", "-o", name, cwd=folder)


def test_endings__in_capitals__are_those_in_small_letters(folder):
    x = np.load(folder / "X.npy")
    good("export", "t.hrd", "-o", "T.H5", cwd=folder)
    good("export", "t.hrd", "-o", "T.NPZ", cwd=folder)
    (folder / "in").mkdir()
    np.savetxt(folder / "in" / "LABELS.CSV", np.arange(len(x)), "%d", header="y", comments="")
    (folder / "X.npy").rename(folder / "in" / "X.NPY")
    assert (folder / "T.H5").is_file() and (folder / "T.NPZ").is_file()
    good("convert", "in", "-o", "in.hrd", cwd=folder)
    good("convert", "T.H5", "-o", "h5.hrd", cwd=folder)
    good("convert", "T.NPZ", "-o", "npz.hrd", cwd=folder)
    for name in ("in.hrd", "h5.hrd", "npz.hrd"):
        assert "X: float32 (8,), equal" in headrace("compare", "t.hrd", name, cwd=folder).stdout
    assert "y  " in good("info", "in.hrd", cwd=folder)


@pytest.mark.parametrize("command", ["info", "epoch", "verify", "head"])
def test_input__that_is_a_pipe__is_said_to_be_one(command, folder):
    os.mkfifo(folder / "pipe")
    done = headrace(command, "pipe", cwd=folder)
    assert done.returncode in (1, 3) and "pipe: it is no regular file" in done.stderr


@pytest.mark.parametrize("name", ["x.npz", "x.h5", "x.npy", "x.csv", "x"])
def test_input__without_a_byte__is_said_to_be_empty(name, folder):
    (folder / name).touch()
    done = headrace("convert", name, "-o", "e.hrd", cwd=folder)
    assert done.returncode == 3 and f"{name} is empty (0 bytes)" in done.stderr


@pytest.mark.parametrize("args", [["info"], ["plan"], ["plan", "--shuffle"], ["head", "-n", "2"],
                                  ["bench", "--rounds", "1", "--seconds", "100ms"], ["epoch", "--shuffle"]],
                         ids=" ".join)
def test_results__on_80_columns__fit(args, tmp_path):
    names = ["features", "label", "score"]
    rows = np.random.default_rng(0).normal(0, 1e-5, (2000, 60)).astype("float32")
    for name, array in zip(names, [rows, np.arange(2000) % 7, rows[:, 0] * -1e9]):
        np.save(tmp_path / f"{name}.npy", array)
    good("convert", *(f"{name}.npy" for name in names), "-o", "t.hrd", cwd=tmp_path)
    text = on_terminal(args[0], str(tmp_path / "t.hrd"), *args[1:], columns=80)
    lines = [re.sub(r"\x1b\[[0-9;]*[A-Za-z]", "", line.split("\r")[-1]) for line in text.splitlines()]
    path = str(tmp_path)
    assert all(len(line) <= 80 or path in line for line in lines), lines


def test_export__that_fails__leaves_no_empty_folder(folder):
    damaged = bytearray((folder / "t.hrd").read_bytes())
    damaged[131072 + 5000] ^= 1
    (folder / "t.hrd").write_bytes(damaged)
    assert headrace("export", "t.hrd", "-o", "arrays", cwd=folder).returncode == 3
    assert not (folder / "arrays").exists()
    (folder / "arrays").mkdir()
    assert headrace("export", "t.hrd", "-o", "arrays", cwd=folder).returncode == 3
    assert (folder / "arrays").is_dir()


@pytest.mark.parametrize("out, code, words", [("-", 2, "an output is a file"), ("none/", 1, "'none/' is no name of a")])
def test_output__that_names_no_file__is_refused(out, code, words, folder):
    done = headrace("convert", "X.npy", "-o", out, cwd=folder)
    assert done.returncode == code and words in done.stderr
    assert sorted(os.listdir(folder)) == ["X.npy", "t.hrd"]


def test_export__where_a_file_is__asks_for_a_folder(folder):
    (folder / "file").write_text("mine")
    for options in ([], ["--force"]):
        done = headrace("export", "t.hrd", "-o", "file", *options, cwd=folder)
        assert done.returncode == 1 and "file is a file, and a folder is needed" in done.stderr
        assert (folder / "file").read_text() == "mine"


def test_resume__of_what_is_no_state__names_that_file(folder):
    (folder / "s.state").write_bytes(b"")
    done = headrace("epoch", "t.hrd", "--resume", "s.state", cwd=folder)
    assert done.returncode == 3 and "epoch: s.state: t.hrd: the state (0 bytes) is none" in done.stderr


def test_verify__with_too_small_a_budget__names_the_smallest(folder):
    done = headrace("verify", "t.hrd", "--budget", "1M", cwd=folder)
    assert done.returncode == 1
    enough = re.search(r"checking it needs ([0-9.]+) MiB", done.stderr)[1]
    good("verify", "t.hrd", "--budget", f"{enough}M", cwd=folder)
    refused = headrace("verify", "t.hrd", "--budget", f"{float(enough) - 0.2:.1f}M", cwd=folder)
    assert refused.returncode == 1 and "is too small" in refused.stderr


def test_trace__of_a_path_that_is_not_utf8__is_json(folder):
    os.link(folder / "t.hrd", os.fsencode(folder) + b"/bad\xffname.hrd")
    good("epoch", os.fsdecode(b"bad\xffname.hrd"), "--trace", "t.json", cwd=folder)
    assert "bad?name.hrd" in json.dumps(json.loads((folder / "t.json").read_text(encoding="utf-8")))
