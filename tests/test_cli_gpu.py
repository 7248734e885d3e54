"""The command with a GPU: over the stand-in for CUDA as its module, and where something is missing."""

import os

import numpy as np
import pytest

from cli_data import SAMPLES, data, made, order_of  # noqa: F401
from headrace_command import PLACE, figures, good, headrace, needs_program

MODULE = PLACE.parent / "tests" / "gpu" / "libstand_in_cuda.so"
pytestmark = [needs_program, pytest.mark.skipif(not MODULE.is_file(), reason=f"no {MODULE}")]


@pytest.fixture
def gpu(monkeypatch):
    monkeypatch.setenv("HEADRACE_CUDA", str(MODULE))


def refusal(*args):
    done = headrace(*args)
    assert done.returncode == 1 and done.stdout == ""
    return done.stderr


def test_epoch__on_a_gpu__delivers_what_the_host_gets(data, tmp_path, gpu):
    order = ["--shuffle", "--seed", "3", "--batch", "100", "--epochs", "2"]
    here = order_of(data, tmp_path, *order)
    assert np.array_equal(order_of(data, tmp_path, *order, "--device", "cuda:0"), here)
    assert np.array_equal(order_of(data, tmp_path, *order, "--device", "cuda:1"), here)


def test_epoch__on_a_gpu__says_where_batches_are(data, gpu):
    out = figures("epoch", data, "--device", "cuda", "--device-slots", "4", "--batch", "100", "--report")
    plan = figures("plan", data, "--device", "cuda", "--device-slots", "4", "--batch", "100")
    assert out["samples"] == SAMPLES
    assert out["device"]["cuda"] == 0 and out["device"]["slots"] == 4 and out["device"]["pinned"]
    assert out["device"]["bytes"] == plan["device_bytes"] == 4 * (100 * 1024 + 1024)
    assert out["report"]["uploads"]["bytes"] <= out["bytes"]
    text = good("epoch", data, "--device", "cuda:0", "--report")
    assert "on GPU 0 (" in text and "uploads " in text


def test_epoch__finished_on_a_gpu__finds_what_is_not_finite(tmp_path, gpu):
    x = np.random.default_rng(1).normal(size=(1000, 8)).astype("float32")
    x[[777, 999], 3] = np.nan
    np.save(tmp_path / "x.npy", x)
    good("convert", "x.npy", "-o", "x.hrd", cwd=tmp_path)
    finish = ["--finish", "x=float16,standardize", "--check-finite", "--batch", "50"]
    there = figures("epoch", "x.hrd", *finish, "--device", "cuda:0", cwd=tmp_path)["checked"]
    assert there == figures("epoch", "x.hrd", *finish, cwd=tmp_path)["checked"]
    assert "777" in str(there)


def test_epoch__something_is_missing__is_said_in_words(data, gpu, monkeypatch):
    assert "GPU 9 was asked for, and this process sees 2" in refusal("epoch", data, "--device", "cuda:9")
    small = refusal("epoch", data, "--device", "cuda:0", "--device-budget", "300K")
    assert "device budget is 300.0 KiB" in small and "use a batch of about" in small
    monkeypatch.setenv("HEADRACE_CUDA", "/nowhere/module.so")
    assert "/nowhere/module.so cannot be loaded" in refusal("epoch", data, "--device", "cuda:0")


@pytest.mark.parametrize("name", ["cuda:x", "cuda:-1", "cuda:256", "gpu", "cudax", ""])
def test_device__of_no_such_name__is_a_usage_error(data, name):
    done = headrace("epoch", data, "--device", name)
    assert done.returncode == 2 and "--device" in done.stderr


def test_epoch__without_a_gpu__needs_no_module(data, monkeypatch):
    monkeypatch.setenv("HEADRACE_CUDA", os.devnull)
    assert figures("epoch", data)["device"] is None
