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


def run(program, *args, **variables):
    return subprocess.run(
        [str(BIN / program), *map(str, args)], capture_output=True, text=True, timeout=120,
        env={**os.environ, **variables},
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


def convert(folder, *options):
    target = folder.with_suffix(".hrd")
    done = run("headrace", "convert", folder / "X.npy", folder / "y.npy", "-o", target, *options)
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


@built
@pytest.mark.parametrize("x, y, words", [
    ("uint8", "int64", "field X is uint8, and this program takes float32\n"),
    ("float32", "int32", "field y is int32, and this program takes int64\n"),
])  # fmt: skip
def test_shortest_loop_refuses_fields_of_other_types(tmp_path, x, y, words):
    np.save(tmp_path / "X.npy", np.zeros((10, 4), x))
    np.save(tmp_path / "y.npy", np.zeros(10, y))
    done = run("examples/read_batches", convert(tmp_path))
    assert (done.returncode, done.stdout, done.stderr) == (1, "", words)


@built
def test_sequential_reads_several_files_as_one(tmp_path):
    write_arrays(tmp_path / "a", 1000, 1)
    write_arrays(tmp_path / "b", 300, 2)
    files = []
    for name in ("a", "b"):
        files.append(tmp_path / f"{name}.hrd")
        done = run("headrace", "convert", "--field", f"label={tmp_path / name / 'y.npy'}", "-o", files[-1])
        assert done.returncode == 0, done.stderr
    labels = np.concatenate([np.load(tmp_path / name / "y.npy") for name in ("a", "b")])
    done = run("examples/sequential", *files)
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"1300 samples, mean label {labels.mean():.3f}\n"


@built
def test_ranks_share_batches_and_go_on_in_another_number(tmp_path):
    write_arrays(tmp_path / "train", 6000, 1)
    target = convert(tmp_path / "train", "--chunk-bytes", "8K")
    first, second = tmp_path / "first.state", tmp_path / "second.state"

    def ranks(world_size, *states):
        told = [run("examples/ranks", target, *states, HR_RANK=str(rank), HR_WORLD_SIZE=str(world_size))
                for rank in range(world_size)]
        assert all(done.returncode == 0 for done in told), told
        return [re.findall(r"rank (\d) of (\d): batch (\d+), (\d+) ", done.stdout) for done in told]

    for rank, lines in enumerate(ranks(4, first)):
        assert lines == [(str(rank), "4", str(batch), "64") for batch in range(5)]
    for rank, lines in enumerate(ranks(2, second, first)):
        assert lines == [(str(rank), "2", str(batch), "128") for batch in range(5, 10)]
    assert first.read_bytes() != second.read_bytes()
    done = run("examples/ranks", target, first, HR_RANK="0", HR_WORLD_SIZE="3")
    assert done.returncode == 1 and "8 streams" in done.stderr


@built
def test_own_statistics_leave_out_what_is_not_finite(tmp_path):
    rng = np.random.default_rng(3)
    x = rng.normal(100, 50, (5000, 3)).astype(np.float32)
    x[7, 0], x[8, 0], x[9, 2] = np.nan, np.inf, -np.inf
    x[:, 1] = np.nan
    (tmp_path / "train").mkdir()
    np.save(tmp_path / "train" / "image.npy", x)
    target = tmp_path / "x.hrd"
    assert run("headrace", "convert", tmp_path / "train" / "image.npy", "-o", target).returncode == 0
    done = run("examples/own_statistics", target)
    assert done.returncode == 0, done.stderr
    for column, line in zip(x.T, done.stdout.splitlines(), strict=True):
        mean, std, *counts = map(float, re.findall(r"-?\d+(?:\.\d+)?", line))
        good = column[np.isfinite(column)].astype(np.float64)
        assert mean == pytest.approx(good.mean() if len(good) else 0, abs=1e-4)
        assert std == pytest.approx(good.std() if len(good) else 0, abs=1e-4)
        bins = np.bincount(np.clip(good // 64, 0, 3).astype(int), minlength=4)
        assert counts == [*bins, len(column) - len(good)]


@built
def test_own_statistics_of_another_type_are_refused(tmp_path):
    np.save(tmp_path / "image.npy", np.zeros((10, 3)))
    target = tmp_path / "x.hrd"
    assert run("headrace", "convert", tmp_path / "image.npy", "-o", target).returncode == 0
    done = run("examples/own_statistics", target)
    assert done.returncode == 1 and "float32" in done.stderr


SHORT = ["sequential", "shuffled_resume", "ranks", "gather", "own_statistics", "read_batches", "write_arrays",
         "train_val", "export_compare", "minimal_cuda"]


@pytest.mark.parametrize("name", SHORT)
def test_short_examples_are_short(name):
    assert len((ROOT / "examples" / f"{name}.c").read_text().splitlines()) <= 60


def test_readme_shows_the_example_that_is_built():
    blocks = re.findall(r"```c\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    assert blocks == [(ROOT / "examples" / "read_batches.c").read_text()]


@pytest.mark.parametrize("page", ["README.md", "docs/architecture.md", "docs/decisions.md",
                                  "docs/cli.md", "docs/licences.md", "docs/ranks.md",
                                  "docs/order.md", "docs/benchmarks.md", "docs/mixing.md"])
def test_links_lead_somewhere(page):
    path = ROOT / page
    for link in re.findall(r"\]\(([^)#]+)", path.read_text()):
        assert link.startswith("https://") or (path.parent / link).exists(), link
