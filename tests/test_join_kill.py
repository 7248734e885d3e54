"""`kill -9` of `headrace join` at any instant: the target is absent or whole, the parts stay as they are, and the
join goes on. HEADRACE_KILLS: how many times (50)."""

import hashlib
import os
import random
import signal
import subprocess
import time

import pytest

np = pytest.importorskip("numpy")

from headrace_command import PROGRAM, figures, good, needs_program  # noqa: E402

pytestmark = needs_program

KILLS = int(os.environ.get("HEADRACE_KILLS", "50"))
PARTS = 4


@pytest.fixture(scope="module")
def parts(tmp_path_factory):
    folder = tmp_path_factory.mktemp("parts")
    rng = np.random.default_rng(4)
    for i in range(PARTS):
        np.save(folder / "x.npy", rng.integers(0, 256, (9000 + 100 * i, 1024)).astype("uint8"))
        good("convert", folder / "x.npy", "-o", folder / f"part-{i}.hrd", "--codec", "raw")
    return folder


def digest(path):
    return hashlib.blake2b(path.read_bytes()).hexdigest()


def kill_after(arguments, delay_s):
    """Whether the process was still there to be killed."""
    process = subprocess.Popen([str(PROGRAM), *map(str, arguments)], stdout=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL)
    time.sleep(delay_s)
    alive = process.poll() is None
    process.send_signal(signal.SIGKILL)
    process.wait()
    return alive


def test_join_killed_at_any_instant_resumes(parts, tmp_path):
    before = {path: digest(path) for path in parts.glob("*.hrd")}
    begun = time.monotonic()
    whole = tmp_path / "whole.hrd"
    samples = figures("join", parts, "-o", whole)["samples"]
    whole_s = time.monotonic() - begun
    rng = random.Random(11)
    killed = resumed = 0
    for i in range(KILLS):
        target, partial = tmp_path / "all.hrd", tmp_path / "all.hrd.partial"
        arguments = ["join", parts, "-o", target]
        killed += kill_after(arguments, rng.uniform(0, 1.1 * whole_s))
        if not target.exists():
            done = figures(*arguments, "--resume")
            assert done["samples"] == samples
            resumed += done["resumed_samples"] > 0
        assert not partial.exists()
        good("verify", target)
        if i % 10 == 0:
            assert_same(target, whole, tmp_path)
        target.unlink()
    assert killed >= KILLS // 2
    assert resumed > 0  # else the instants prove nothing
    assert before == {path: digest(path) for path in parts.glob("*.hrd")}


def assert_same(target, whole, tmp_path):
    for path, name in ((target, "a"), (whole, "b")):
        good("export", path, "-o", tmp_path / name, "--force")
    assert (tmp_path / "a" / "x.npy").read_bytes() == (tmp_path / "b" / "x.npy").read_bytes()


def test_join_killed_over_an_old_target_leaves_it(parts, tmp_path):
    target, whole = tmp_path / "all.hrd", tmp_path / "whole.hrd"
    begun = time.monotonic()
    good("join", parts, "-o", whole)
    whole_s = time.monotonic() - begun
    rng = random.Random(12)
    killed = kept = 0
    for _ in range(20):
        good("join", parts / "part-0.hrd", "-o", target, "--force")
        old = digest(target)
        killed += kill_after(["join", parts, "-o", target, "--force"], rng.uniform(0, 1.1 * whole_s))
        if digest(target) == old:
            kept += 1
        else:
            assert_same(target, whole, tmp_path)
    assert killed > 5 and kept > 0
