"""hr.keras() and hr.KerasCheckpoint with the real Keras: the cases of keras_cases.py on each backend that is installed;
a training that is killed again and again; and one on more data than its memory has room for."""

import importlib.util
import random
import re
import subprocess
import sys
import time

import pytest

from python_package import ENVIRONMENT, SOURCE

pytest.importorskip("keras", exc_type=ImportError)
TESTS = SOURCE / "tests"
LIMITED = SOURCE / "script" / "with-memory-limit"
BACKENDS = ["tensorflow", "jax", "torch"]


def environment(backend):
    return {**ENVIRONMENT, "KERAS_BACKEND": backend, "JAX_PLATFORMS": "cpu", "TF_CPP_MIN_LOG_LEVEL": "3"}


def needs(backend):
    if importlib.util.find_spec(backend) is None:
        pytest.skip(f"{backend} is not installed")
    return environment(backend)


@pytest.mark.parametrize("backend", BACKENDS)
def test_cases__on_a_backend__hold(backend):
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-W", "ignore", "keras_cases.py"]
    done = subprocess.run(command, cwd=TESTS, env=needs(backend), capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-2000:]


def test_checkpoint__killed_at_random_steps__ends_as_an_uninterrupted_run(tmp_path):
    env = needs("tensorflow")
    chance = random.Random(11)
    command = [sys.executable, str(TESTS / "keras_killed.py"), str(tmp_path)]
    for _ in range(2):
        with subprocess.Popen(command, env=env, stdout=subprocess.PIPE, text=True) as running:
            for _ in range(chance.randrange(4, 17)):
                assert running.stdout.readline().startswith("step")
            time.sleep(chance.random() * 0.02)
            running.kill()
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    assert "each sample 3 times, weights as without kills" in done.stdout


def test_fit__data_larger_than_its_memory__trains_where_arrays_are_killed(tmp_path):
    env = needs("jax")  # the smaller of the two
    program = str(TESTS / "keras_larger.py")

    def run(*arguments, limit=None):
        prefix = [sys.executable, str(LIMITED), str(limit)] if limit else []
        return subprocess.run(
            [*prefix, sys.executable, program, str(tmp_path), *arguments],
            env=env, capture_output=True, text=True, timeout=300,
        )  # fmt: skip

    control = run("control")
    peak_bytes = int(re.search(r"peak (\d+)", control.stdout)[1])
    limit_bytes = peak_bytes + (128 << 20)
    data_bytes = int(run("write", str(limit_bytes)).stdout)
    assert data_bytes > limit_bytes
    streamed = run("stream", limit=limit_bytes)
    if "RLIMIT_AS" in streamed.stderr:
        pytest.skip("no control group can be made here, and RLIMIT_AS is not what a container has")
    assert streamed.returncode == 0 and "trained" in streamed.stdout, streamed.stderr[-3000:]
    assert run("arrays", limit=limit_bytes).returncode == 137
