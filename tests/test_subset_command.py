"""Parts of a data set on the command line: `headrace split`, and the options of `epoch` and `plan`."""

import json
import os

import pytest

np = pytest.importorskip("numpy")

import order_reference as ref  # noqa: E402
from headrace_command import good, headrace, needs_program  # noqa: E402

pytestmark = needs_program
SAMPLES = 3000


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("subset")
    rng = np.random.default_rng(7)
    labels = rng.integers(0, 5, SAMPLES).astype("int32")
    np.save(folder / "x.npy", rng.integers(0, 9, (SAMPLES, 40)).astype("float32"))
    np.save(folder / "y.npy", labels)
    good("convert", "x.npy", "y.npy", "-o", "train.hrd", "--chunk-bytes", "16K", cwd=folder)
    return folder


@pytest.fixture
def folder(made, tmp_path):
    for name in ("train.hrd", "y.npy"):
        os.link(made / name, tmp_path / name)
    return tmp_path


def delivered(folder, *options):
    """The indices of an epoch, and its JSON."""
    out = good("epoch", "train.hrd", "--batch", 64, "--index", "out.npy", "--force", "--json", *options, cwd=folder)
    return np.load(folder / "out.npy"), json.loads(out)


def split_files(folder, *options, parts=2):
    names = [f"part{j}.npy" for j in range(parts)]
    good("split", "train.hrd", *options, *(word for name in names for word in ("--out", name)), cwd=folder)
    return [np.load(folder / name) for name in names]


@pytest.mark.parametrize("options, expected", [
    (["--range", "100:250"], range(100, 250)),
    (["--range", ":250"], range(250)),
    (["--every", "10", "--offset", "3"], range(3, SAMPLES, 10)),
    (["--every", "7"], range(0, SAMPLES, 7)),
    (["--every", "7", "--range", "1000:2000", "--offset", "2"], range(1002, 2000, 7)),
])
def test_epoch__range_or_rule__its_samples_once(options, expected, folder):
    for shuffle in ([], ["--shuffle"]):
        found, figures = delivered(folder, *options, *shuffle)
        assert sorted(found) == list(expected)
        assert figures["subset"] == {"samples": len(expected), "of": SAMPLES}
        assert figures["samples"] == len(expected)
        assert shuffle or list(found) == sorted(found)


def test_split__files__are_those_of_the_reference_and_of_epoch(folder):
    labels = np.load(folder / "y.npy").tolist()
    for extra, key in ([], None), (["--stratify", "y"], labels):
        parts = split_files(folder, "--fractions", "0.7,0.3", "--seed", 9, "--force", *extra)
        assert [list(p) for p in parts] == ref.split(SAMPLES, [0.7, 0.3], 9, key)
        for j, part in enumerate(parts):
            by_list, _ = delivered(folder, "--shuffle", "--seed", 4, "--subset", f"part{j}.npy")
            by_part, _ = delivered(folder, "--shuffle", "--seed", 4, "--split", "0.7,0.3", "--part", j,
                                   "--split-seed", 9, *extra)
            assert list(by_list) == list(by_part)
            assert sorted(by_list) == list(part)


def test_split__contiguous__ranges(folder):
    parts = split_files(folder, "--fractions", "0.5,0.25,0.25", "--contiguous", parts=3)
    assert [list(p) for p in parts] == [list(range(1500)), list(range(1500, 2250)), list(range(2250, 3000))]


def test_split__output_that_exists__is_kept_unless_forced(folder):
    (folder / "part1.npy").write_bytes(b"mine")
    args = ["split", "train.hrd", "--fractions", "0.5,0.5", "--out", "part0.npy", "--out", "part1.npy"]
    done = headrace(*args, cwd=folder)
    assert done.returncode == 1 and "part1.npy exists already; --force replaces it" in done.stderr
    assert (folder / "part1.npy").read_bytes() == b"mine"
    assert sorted(p.name for p in folder.iterdir()) == ["part1.npy", "train.hrd", "y.npy"]
    assert "part0.npy: 1,500 samples\npart1.npy: 1,500 samples\n" == good(*args, "--force", cwd=folder)


def test_subset__resumed_with_another_way_to_give_it__goes_on(folder):
    np.save(folder / "list.npy", np.arange(3, SAMPLES, 10))
    whole, _ = delivered(folder, "--shuffle", "--every", 10, "--offset", 3)
    first, _ = delivered(folder, "--shuffle", "--every", 10, "--offset", 3, "--max-batches", 2,
                         "--save-state", "run.state")
    rest, _ = delivered(folder, "--shuffle", "--subset", "list.npy", "--resume", "run.state")
    assert list(whole) == [*first, *rest]
    done = headrace("epoch", "train.hrd", "--batch", 64, "--shuffle", "--every", 10, "--resume", "run.state",
                    cwd=folder)
    assert done.returncode == 1 and "they are not the same" in done.stderr


def test_epoch__subset_on_the_terminal__says_how_many(folder):
    assert "a subset: 300 of 3,000 samples" in good("epoch", "train.hrd", "--every", 10, cwd=folder)
    assert "subset           300 of 3,000 samples" in good("plan", "train.hrd", "--every", 10, cwd=folder)
    figures = json.loads(good("plan", "train.hrd", "--every", 10, "--json", cwd=folder))
    assert figures["subset"] == {"samples": 300, "of": SAMPLES} and figures["read_amplification"] > 9


@pytest.mark.parametrize("options, code, words", [
    (["--range", "5:5"], 1, "no sample is in the range from 5"),
    (["--range", "0:3001"], 1, "up to sample 3001 was asked for"),
    (["--range", "7"], 2, "is not a range"),
    (["--every", "0"], 2, "out of range"),
    (["--offset", "3"], 2, "--offset says where --every begins"),
    (["--every", "10", "--offset", "3000"], 1, "no sample is in the range"),
    (["--every", "10", "--offset", str(2**64 - 1)], 1, "no sample is in the range"),
    (["--every", "10", "--subset", "y.npy"], 2, "different ways to choose samples"),
    (["--range", "1:5", "--split", "1", "--part", "0"], 2, "different ways to choose samples"),
    (["--split", "0.5,0.5"], 2, "--split and --part go together"),
    (["--part", "0"], 2, "--split and --part go together"),
    (["--stratify", "y"], 2, "about --split; give it too"),
    (["--split", "0.5,0.5", "--part", "2"], 2, "has parts 0 to 1"),
    (["--split", "0.5,x", "--part", "0"], 2, "is not a list of fractions"),
    (["--split", "0.9,0.2", "--part", "0"], 1, "add up to 1.1"),
    (["--split", "0.9,0.1", "--part", "0", "--stratify", "x"], 1, "field x is float32, and labels"),
    (["--split", "0.9,0.1", "--part", "0", "--stratify", "z"], 1, "no field \"z\""),
    (["--subset", "nothing.npy"], 1, "nothing.npy cannot be opened: No such file"),
    (["--subset", "small.npy"], 1, "small.npy has 1 dimension of uint8, expected one of int64"),
    (["--subset", "train.hrd"], 3, "train.hrd: this is no .npy file"),
    (["--subset", "empty.npy"], 1, "a subset of no samples was asked for"),
    (["--subset", "unsorted.npy"], 1, "unsorted.npy: train.hrd: index 1 of the subset is 4, after 9"),
    (["--subset", "negative.npy"], 1, "index 0 of the subset is -1, expected 0 to 2999"),
    (["--subset", "beyond.npy"], 1, "index 1 of the subset is sample 3000, it has 3000 samples"),
    (["--subset", "matrix.npy"], 1, "matrix.npy has 2 dimensions of int64, expected one of int64"),
    (["--subset", "cut.npy"], 3, "cut.npy is truncated: it has 500 bytes, its 100 samples need 928"),
])
@pytest.mark.parametrize("command", ["epoch", "plan"])
def test_subset__wrong_options_or_files__refused_in_words(command, options, code, words, folder):
    files = {"empty": [], "unsorted": [9, 4], "negative": [-1, 4], "beyond": [1, 3000], "matrix": [[1], [2]],
             "cut": range(100)}
    for name, values in files.items():
        np.save(folder / f"{name}.npy", np.array(list(values), dtype="int64"))
    np.save(folder / "small.npy", np.arange(5, dtype="uint8"))
    with open(folder / "cut.npy", "r+b") as f:
        f.truncate(500)
    done = headrace(command, "train.hrd", *options, cwd=folder)
    assert done.returncode == code, done.stderr
    assert words in done.stderr


@pytest.mark.parametrize("options, words", [
    ([], "0 fractions and 0 files to write were given"),
    (["--fractions", "0.5,0.5", "--out", "a.npy"], "2 fractions and 1 files to write were given"),
    (["--fractions", "0.5,,0.5", "--out", "a.npy"], "is not a list of fractions"),
])
def test_split__wrong_options__usage(options, words, folder):
    done = headrace("split", "train.hrd", *options, cwd=folder)
    assert done.returncode == 2 and words in done.stderr
