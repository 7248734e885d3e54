"""The examples do what the README says of them, and the README shows what is built."""

import json
import os
import pathlib
import re
import subprocess

import pytest

np = pytest.importorskip("numpy")

ROOT = pathlib.Path(os.environ.get("HEADRACE_SOURCE", pathlib.Path(__file__).parent.parent))
BIN = pathlib.Path(os.environ.get("HEADRACE_BIN", "build/release/bin"))
CLASSES = 4
built = pytest.mark.skipif(
    not (BIN / "examples" / "train_mlp").is_file(), reason=f"no examples in {BIN}"
)


def run(program, *args):
    return subprocess.run(
        [str(BIN / program), *map(str, args)], capture_output=True, text=True, timeout=120
    )


def write_arrays(folder, num_samples, seed, dtype=np.float32):
    """Samples whose class is the quarter that is brightest."""
    rng = np.random.default_rng(seed)
    y = rng.integers(CLASSES, size=num_samples)
    x = rng.uniform(0, 100, size=(num_samples, CLASSES, 8))
    x[np.arange(num_samples), y] += 60
    folder.mkdir()
    np.save(folder / "X.npy", x.astype(dtype))
    np.save(folder / "y.npy", y.astype(np.int64))


def convert(folder):
    target = folder.with_suffix(".hrd")
    done = run("headrace", "convert", folder / "X.npy", folder / "y.npy", "-o", target)
    assert done.returncode == 0, done.stderr
    return target


@pytest.fixture(params=[np.float32, np.uint8])
def data(request, tmp_path):
    write_arrays(tmp_path / "train", 6000, 1, request.param)
    write_arrays(tmp_path / "test", 700, 2, request.param)
    return convert(tmp_path / "train"), convert(tmp_path / "test")


@built
def test_training_streamed_learns(data, tmp_path):
    train, test = data
    report = tmp_path / "report.json"
    done = run("examples/train_mlp", train, test, "--epochs", 3, "--budget", "64M", "--batch", 60,
               "--report", report)
    assert done.returncode == 0, done.stderr
    figures = json.loads(report.read_text())
    assert figures["held_out"] > 0.9
    assert figures["epochs"] == 3
    assert figures["samples"] == 3 * 6000
    assert 0 <= figures["wait_seconds"] <= figures["seconds"]
    assert figures["budget_bytes"] == 64 << 20
    assert done.stdout.count("held-out right") == 3


@built
def test_training_on_whole_arrays_learns(data, tmp_path):
    train, test = data
    folder, report = train.with_suffix(""), tmp_path / "report.json"
    done = run("examples/train_mlp", "--load-whole", folder / "X.npy", folder / "y.npy", test,
               "--epochs", 3, "--report", report)
    assert done.returncode == 0, done.stderr
    assert json.loads(report.read_text())["held_out"] > 0.9


@built
def test_training_without_held_out_samples_says_what_it_counts(data):
    done = run("examples/train_mlp", data[0], "--epochs", 1)
    assert done.returncode == 0, done.stderr
    assert "right before each step" in done.stdout


@built
def test_training_on_nan_is_refused_with_the_sample(tmp_path):
    write_arrays(tmp_path / "train", 100, 1)
    x = np.load(tmp_path / "train" / "X.npy")
    x[37, 0, 0] = np.nan
    np.save(tmp_path / "train" / "X.npy", x)
    done = run("examples/train_mlp", convert(tmp_path / "train"))
    assert done.returncode == 1
    assert "sample 37" in done.stderr


@built
@pytest.mark.parametrize(
    "args", [[], ["a", "b", "c"], ["a", "--budget", "64X"], ["a", "--batch", "0"],
             ["a", "--unknown"], ["--load-whole", "a"]]
)
def test_wrong_usage_is_exit_code_2(args):
    assert run("examples/train_mlp", *args).returncode == 2


@built
def test_a_missing_file_is_exit_code_1(tmp_path):
    done = run("examples/train_mlp", tmp_path / "none.hrd")
    assert done.returncode == 1
    assert "none.hrd" in done.stderr


@built
def test_shortest_loop_sees_every_sample(tmp_path):
    write_arrays(tmp_path / "train", 1000, 1)
    done = run("examples/read_batches", convert(tmp_path / "train"))
    assert done.returncode == 0, done.stderr
    counts = [int(n) for n in re.findall(r"^(\d+) samples", done.stdout, re.MULTILINE)]
    assert counts == [128] * 7 + [104]


def test_readme_shows_the_example_that_is_built():
    blocks = re.findall(r"```c\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    assert blocks == [(ROOT / "examples" / "read_batches.c").read_text()]


@pytest.mark.parametrize("page", ["README.md", "docs/architecture.md", "docs/decisions.md",
                                  "docs/licences.md"])
def test_links_lead_somewhere(page):
    path = ROOT / page
    for link in re.findall(r"\]\(([^)#]+)", path.read_text()):
        assert link.startswith("https://") or (path.parent / link).exists(), link
