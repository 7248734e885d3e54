"""A full disk, really full: a small file system on a loop device. Needs root; skips elsewhere."""

import os
import subprocess
from pathlib import Path

import numpy as np
import pytest

HEADRACE = Path(os.environ.get("HEADRACE_BIN", "")) / "headrace"
pytestmark = [
    pytest.mark.skipif(not HEADRACE.is_file(), reason="the headrace command is not built"),
    pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount"),
]

DISK_BYTES = 32 << 20
BALLAST_BYTES = 16 << 20


def run(*arguments):
    command = [str(HEADRACE), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


@pytest.fixture
def disk(tmp_path):
    image, place = tmp_path / "disk.img", tmp_path / "disk"
    place.mkdir()
    with open(image, "wb") as file:
        file.truncate(DISK_BYTES)
    made = subprocess.run(["mkfs.ext4", "-q", image], capture_output=True, check=False)
    mounted = made.returncode == 0 and subprocess.run(
        ["mount", "-o", "loop", image, place], capture_output=True, check=False).returncode == 0
    if not mounted:
        pytest.skip("no loop device here")
    yield place
    subprocess.run(["umount", place], check=True)


@pytest.fixture
def source(tmp_path):
    """18 MiB that no codec makes smaller."""
    data = np.frombuffer(np.random.default_rng(5).bytes(18 << 20), dtype=np.uint8)
    np.save(tmp_path / "x.npy", data.reshape(-1, 1024))
    return tmp_path / "x.npy"


def test_not_enough_room_is_seen_before_the_job_starts(disk, source):
    (disk / "ballast").write_bytes(bytes(BALLAST_BYTES))
    done = run("convert", source, "-o", disk / "x.hrd")
    assert done.returncode == 1
    assert "free" in done.stderr and str(disk) in done.stderr
    assert not (disk / "x.hrd").exists()


def test_a_disk_that_fills_up_leaves_a_job_to_resume(disk, source, tmp_path):
    ballast = disk / "ballast"
    ballast.write_bytes(bytes(BALLAST_BYTES))
    arguments = ["convert", source, "-o", disk / "x.hrd"]
    done = run(*arguments, "--no-space-check")
    assert done.returncode == 1
    assert "No space left" in done.stderr and "x.hrd" in done.stderr
    assert "free some space, then go on with: headrace convert --resume" in done.stderr
    assert not (disk / "x.hrd").exists()
    ballast.unlink()
    done = run(*arguments, "--resume")
    assert done.returncode == 0, done.stderr
    assert run("verify", disk / "x.hrd").returncode == 0
    assert run("export", disk / "x.hrd", "-o", tmp_path / "out").returncode == 0
    assert (tmp_path / "out" / "x.npy").read_bytes() == source.read_bytes()


SHUFFLE = ["--shuffle", 1, "--budget", "14M", "--threads", 2]  # in which the samples do not fit


def names_in(disk):
    return {path.name for path in disk.iterdir()} - {"lost+found"}


def test_not_enough_room_for_the_temporary_file_is_seen_before_it_is_written(disk, source):
    (disk / "ballast").write_bytes(bytes(BALLAST_BYTES))
    done = run("convert", source, "-o", disk / "x.hrd", *SHUFFLE)
    assert done.returncode == 1
    assert "18.1 MiB for a temporary file" in done.stderr and str(disk) in done.stderr
    assert names_in(disk) == {"ballast"}


def test_a_disk_that_the_temporary_file_fills_is_empty_again(disk, source):
    (disk / "ballast").write_bytes(bytes(BALLAST_BYTES))
    free = os.statvfs(disk).f_bfree
    done = run("convert", source, "-o", disk / "x.hrd", *SHUFFLE, "--no-space-check")
    assert done.returncode == 1
    assert "No space left" in done.stderr and "x.hrd.shuffle" in done.stderr
    assert names_in(disk) == {"ballast"}
    os.sync()  # what was freed is told of after the journal's commit
    assert os.statvfs(disk).f_bfree >= free - 16
