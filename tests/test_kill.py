"""`kill -9` of `headrace convert` at any instant: what was there stays, and the job resumes."""

import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

HEADRACE = Path(os.environ.get("HEADRACE_BIN", "")) / "headrace"
WITH_LIMIT = Path(os.environ.get("HEADRACE_SOURCE", ".")) / "script" / "with-memory-limit"
pytestmark = pytest.mark.skipif(not HEADRACE.is_file(), reason="the headrace command is not built")

KILLS = 50


def run(*arguments):
    command = [str(HEADRACE), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


def make_inputs(folder, seed):
    rng = np.random.default_rng(seed)
    x = rng.integers(0, 50, size=(60_000, 64)).astype(np.float32)
    np.save(folder / "X.npy", x)
    np.save(folder / "y.npy", np.arange(len(x), dtype=np.int64))
    return [folder / "X.npy", folder / "y.npy"]


def kill_after(arguments, delay_s):
    """Whether the process was still there to be killed."""
    process = subprocess.Popen([str(HEADRACE), *map(str, arguments)], stdout=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL)
    time.sleep(delay_s)
    alive = process.poll() is None
    process.send_signal(signal.SIGKILL)
    process.wait()
    return alive


def check_target(target, inputs, folder):
    assert run("verify", target).returncode == 0
    out = folder / "exported"
    assert run("export", target, "-o", out, "--force").returncode == 0
    for source in inputs:
        assert (out / source.name).read_bytes() == source.read_bytes()


def kill_and_resume(arguments, target, check, seed):
    """A conversion killed at random instants, and gone on with each time: the target is right then."""
    begun = time.monotonic()
    assert run(*arguments).returncode == 0
    whole_s = time.monotonic() - begun
    rng = random.Random(seed)
    killed = resumed = 0
    for _ in range(KILLS // 2):
        target.unlink()
        killed += kill_after(arguments, rng.uniform(0, 1.1 * whole_s))
        if not target.exists():
            done = run(*arguments, "--resume", "--json")
            assert done.returncode == 0, done.stderr
            resumed += json.loads(done.stdout)["resumed_samples"] > 0
        check()
    assert killed >= KILLS // 4
    assert resumed > 0  # else the instants prove nothing


def test_convert_killed_at_any_instant_resumes(tmp_path):
    inputs = make_inputs(tmp_path, 1)
    options = ["--level", "12", "--threads", "2", "--chunk-bytes", "65536"]
    begun = time.monotonic()
    assert run("convert", *inputs, "-o", tmp_path / "whole.hrd", *options).returncode == 0
    whole_s = time.monotonic() - begun
    rng = random.Random(7)
    killed = 0
    for i in range(KILLS):
        target = tmp_path / f"{i}.hrd"
        partial = tmp_path / f"{i}.hrd.partial"
        arguments = ["convert", *inputs, "-o", target, *options]
        killed += kill_after(arguments, rng.uniform(0, 1.1 * whole_s))
        if target.exists():
            assert run("verify", target).returncode == 0
        else:
            assert run("info", target).returncode == 1
            if partial.exists():  # damaged, or all of it committed and killed before it was renamed
                assert run("verify", partial).returncode in (0, 3)
            resumed = run(*arguments, "--resume")
            assert resumed.returncode == 0, resumed.stderr
        assert not partial.exists()
        if i % 10 == 0:
            check_target(target, inputs, tmp_path)
        else:
            assert run("verify", target).returncode == 0
        target.unlink()
    assert killed >= KILLS // 2


def limited(limit, *arguments):
    return [sys.executable, str(WITH_LIMIT), limit, str(HEADRACE), *map(str, arguments)]


def begun(folder, arguments, name):
    """A partial file of the conversion, with a few chunks in it."""
    target = folder / name
    partial = folder / f"{name}.partial"
    process = subprocess.Popen([str(HEADRACE), "convert", *map(str, arguments), "-o", str(target), "--level", "19",
                                "--chunk-bytes", "16K", "--codec", "zstd", "--threads", "1"],
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while process.poll() is None and (not partial.exists() or partial.stat().st_size < 200_000):
        time.sleep(0.001)
    process.kill()
    process.wait()
    assert partial.exists()  # it was not done


@pytest.mark.parametrize("first, then", [
    (["--field", "x=ab.npz:/a"], ["--field", "x=ab.npz:/b"]),
    (["--field", "x=rec.npy:/a", "--field", "y=rec.npy:/b"], ["--field", "x=rec.npy:/b", "--field", "y=rec.npy:/a"]),
    (["--field", "x=ab.csv:/a"], ["--field", "x=ab.csv:/b"]),
    (["--field", "x=ab.hrd:a"], ["--field", "x=ab.hrd:b"]),
    (["--field", "x=raw.bin", "--dtype", "i4"], ["--field", "x=raw.bin", "--dtype", ">i4"]),
    (["--field", "x=raw.bin", "--dtype", "i4", "--skip-bytes", "32"],
     ["--field", "x=raw.bin", "--dtype", "i4", "--skip-bytes", "64"]),
], ids=["npz", "records", "csv", "hrd", "order", "skip"])
def test_resume_of_other_arrays_of_the_same_files_is_refused(tmp_path, monkeypatch, first, then):
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(7)
    a, b = rng.integers(0, 1 << 30, (2, 400_000), np.int32)
    np.savez("ab.npz", a=a, b=b)
    np.save("rec.npy", np.rec.fromarrays([a, b], names="a,b"))
    a.tofile("raw.bin")
    if first[1].startswith("x=ab.csv"):
        np.savetxt("ab.csv", np.stack([a, b], 1), fmt="%d", delimiter=",", header="a,b", comments="")
    assert run("convert", "ab.npz", "-o", "ab.hrd").returncode == 0
    begun(tmp_path, first, "o.hrd")
    other = [*then, "-o", "o.hrd", "--level", "19", "--chunk-bytes", "16K", "--codec", "zstd", "--resume"]
    done = run("convert", *other)
    assert done.returncode == 1 and "another job" in done.stderr, done.stderr
    same = run("convert", *first, *other[len(then):])
    assert same.returncode == 0, same.stderr


def kill_at_size(command, partial, size):
    """The child of the command, killed as soon as the partial file is as large; its size then."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while process.poll() is None and (not partial.exists() or partial.stat().st_size < size):
        time.sleep(0.001)
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # it had ended
        for child in Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split():
            os.kill(int(child), signal.SIGKILL)
    process.wait()
    return partial.stat().st_size if partial.exists() else 0


def test_convert_killed_where_it_writes_past_the_page_cache_resumes(tmp_path):
    """With so little memory that goes for all but the first 50 MB."""
    source, target, partial = (tmp_path / name for name in ("X.npy", "x.hrd", "x.hrd.partial"))
    rng = np.random.default_rng(6)
    np.save(source, rng.integers(0, 256, (40_000, 5_000), np.uint8) & 0x7F)  # 200 MB, 7 bits of 8
    arguments = ["convert", source, "-o", target, "--threads", "2"]
    killed = 0
    for kept in (70, 90, 120):
        killed += kill_at_size(limited("128M", *arguments), partial, kept << 20) < 170e6
        if not target.exists():
            done = subprocess.run(limited("128M", *arguments, "--resume", "--json"), capture_output=True,
                                  text=True, timeout=120, check=False)
            assert done.returncode == 0, done.stderr
            assert json.loads(done.stdout)["resumed_samples"] > 10_000
        compared = run("compare", target, source)
        assert compared.returncode == 0, compared.stdout + compared.stderr
        target.unlink()
    assert killed > 0  # else the instants prove nothing


def test_conversion_of_texts_killed_at_any_instant_resumes(tmp_path):
    h5py = pytest.importorskip("h5py")
    source, target = tmp_path / "texts.h5", tmp_path / "texts.hrd"
    rng = np.random.default_rng(5)
    letters = np.frombuffer(b"abcdefghijklmnop", "S1")
    texts = [rng.choice(letters, size).tobytes() for size in rng.integers(0, 800, 20_000)]
    with h5py.File(source, "w") as file:
        file.create_dataset("text", data=texts, dtype=h5py.string_dtype(), chunks=(500,))
        file["label"] = np.arange(len(texts))
    arguments = ["convert", source, "-o", target, "--level", "12", "--threads", "2", "--chunk-bytes", "65536"]
    def check():
        compared = run("compare", target, source)
        assert compared.returncode == 0, compared.stdout + compared.stderr

    kill_and_resume(arguments, target, check, 10)


def test_compaction_killed_at_any_instant_resumes(tmp_path):
    inputs = make_inputs(tmp_path, 4)
    source, target = tmp_path / "source.hrd", tmp_path / "target.hrd"
    assert run("convert", *inputs, "-o", source, "--chunk-bytes", "20000").returncode == 0
    arguments = ["convert", source, "-o", target, "--level", "12", "--threads", "2", "--chunk-bytes", "65536"]
    kill_and_resume(arguments, target, lambda: check_target(target, inputs, tmp_path), 9)


def test_convert_killed_over_an_old_target_leaves_it(tmp_path):
    old, new = make_inputs(tmp_path, 2), tmp_path / "new.npy"
    target = tmp_path / "data.hrd"
    assert run("convert", *old, "-o", target).returncode == 0
    before = target.read_bytes()
    np.save(new, np.random.default_rng(3).normal(size=(200_000, 16)))
    rng = random.Random(8)
    arguments = ["convert", new, "-o", target, "--force", "--level", "12"]
    begun = time.monotonic()
    assert run(*arguments).returncode == 0
    whole_s = time.monotonic() - begun
    kept = 0
    for _ in range(5):
        target.write_bytes(before)
        if kill_after(arguments, rng.uniform(0.1, 0.9) * whole_s):
            kept += target.read_bytes() == before
            assert run("verify", target).returncode == 0  # the old one, or the new one as a whole
    assert kept > 0  # else the instants prove nothing
