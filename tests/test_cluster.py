"""The examples of examples/cluster: with real Dask and Ray workers on this machine; and the Slurm scripts as Slurm
would start them, with the variables that it sets, one task after the other (there is no Slurm here)."""

import os
import subprocess
import sys

import pytest

np = pytest.importorskip("numpy")

from headrace_command import PROGRAM, figures, good, needs_program  # noqa: E402
from python_package import ENVIRONMENT, SOURCE, hr  # noqa: E402

pytestmark = needs_program
CLUSTER = SOURCE / "examples" / "cluster"
SAMPLES = 9000  # three blocks of Dask, the last of them short


@pytest.fixture
def arrays(tmp_path):
    rng = np.random.default_rng(6)
    x = rng.integers(0, 256, (SAMPLES, 8, 8), "uint8")
    np.save(tmp_path / "X.npy", x)
    np.save(tmp_path / "y.npy", np.arange(SAMPLES))
    return x


def run(script, *args, cwd, **more):
    env = {**ENVIRONMENT, "PATH": f"{PROGRAM.parent}:{os.environ['PATH']}", "RAY_USAGE_STATS_ENABLED": "0",
           "PYTHONPATH": str(SOURCE / "python"), **more}
    program = [sys.executable] if script.endswith(".py") else ["bash"]
    return subprocess.run([*program, CLUSTER / script, *args], cwd=cwd, env=env, capture_output=True, text=True,
                          timeout=300)


def check_output(path, x):
    good("verify", path)
    with hr.open(path) as data:
        assert np.array_equal(data["y"][:], np.arange(len(x)))
        assert np.array_equal(data["X"][:], x.astype("float32") / 255)
        assert data.footer["provenance"]["join"]["parts"] > 1


@pytest.mark.parametrize(("script", "module"), [("dask_parts.py", "distributed"), ("ray_parts.py", "ray")])
def test_workers__each_its_parts__become_one_data_set(script, module, arrays, tmp_path):
    pytest.importorskip(module, reason=f"{module} is not there, or has no wheel for this Python")
    done = run(script, "X.npy", "y.npy", "train.hrd", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert f"train.hrd: {SAMPLES} samples" in done.stdout
    check_output(tmp_path / "train.hrd", arrays)
    assert sorted(path.name for path in tmp_path.glob("*.hrd*")) == ["train.hrd"]


@pytest.fixture
def shards(tmp_path):
    (tmp_path / "shards").mkdir()
    for i in range(12):  # shard-10 is behind shard-9
        first = i * 100
        np.savez(tmp_path / "shards" / f"shard-{i}.npz", x=np.full((100, 5), i, "float32"),
                 y=np.arange(first, first + 100))
    return tmp_path


def task(folder, number, count, offset=0):
    return run("slurm_parts.sh", "shards", "parts", cwd=folder, SLURM_ARRAY_TASK_ID=str(number + offset),
               SLURM_ARRAY_TASK_MIN=str(offset), SLURM_ARRAY_TASK_COUNT=str(count), SLURM_CPUS_PER_TASK="1")


def join(folder):
    return run("slurm_join.sh", "parts", "train.hrd", cwd=folder, SLURM_CPUS_PER_TASK="2")


@pytest.mark.parametrize("offset", [0, 1])
def test_slurm__array_then_join__is_one_data_set(shards, offset):
    for number in (3, 0, 4, 1, 2):
        done = task(shards, number, 5, offset)
        assert done.returncode == 0, done.stderr
    assert (shards / "parts" / "part-00004-of-00005.hrd").exists()
    done = join(shards)
    assert done.returncode == 0, done.stderr
    good("verify", shards / "train.hrd")
    with hr.open(shards / "train.hrd") as data:
        assert np.array_equal(data["y"][:], np.arange(1200))
        assert np.array_equal(data["x"][:, 0], np.arange(1200) // 100)
    assert figures("info", shards / "train.hrd")["samples"] == 1200


def test_slurm__task_is_requeued__its_part_stays(shards):
    assert task(shards, 0, 3).returncode == 0
    part = shards / "parts" / "part-00000-of-00003.hrd"
    before = part.stat().st_mtime_ns
    assert task(shards, 0, 3).returncode == 0
    assert part.stat().st_mtime_ns == before


def test_slurm__part_is_missing__join_says_so(shards):
    (shards / "parts").mkdir()
    assert "no parts" in join(shards).stderr
    for number in (0, 2):
        assert task(shards, number, 3).returncode == 0
    done = join(shards)
    assert done.returncode == 1
    assert "2 of 3 parts" in done.stderr
    assert not (shards / "train.hrd").exists()


def test_slurm__more_tasks_than_files__says_so(shards):
    assert task(shards, 0, 40).returncode == 1
    assert "there are 12" in task(shards, 0, 40).stderr
