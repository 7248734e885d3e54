"""The `headrace` command and what is around it: signals, pipes, terminals, locales."""

import json
import os
import pty
import select
import shutil
import signal
import subprocess
import tempfile
import time

import pytest

np = pytest.importorskip("numpy")

from cli_data import SAMPLES, data, made, order_of  # noqa: E402, F401
from headrace_command import (  # noqa: E402
    DATA_COMMANDS,
    PROGRAM,
    figures,
    good,
    headrace,
    helpers_of,
    listens_to_interrupts,
    needs_program,
    wait_until,
)

pytestmark = needs_program


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    """300 MB without bytes on the disk, and labels."""
    folder = tmp_path_factory.mktemp("large")
    array = np.lib.format.open_memmap(folder / "x.npy", "w+", "float32", (75000, 1000))
    array[::1000, 0] = np.arange(75)
    del array
    yield folder
    for path in folder.iterdir():
        path.unlink()


def test_convert__sigint__exit_130_and_resume_completes(large):
    command = ["convert", "x.npy", "-o", "x.hrd", "--codec", "raw", "--threads", "1"]
    partial = large / "x.hrd.partial"
    child = subprocess.Popen([PROGRAM, *command], cwd=large, stdout=subprocess.PIPE,
                             stderr=subprocess.PIPE, text=True)
    wait_until(lambda: child.poll() is not None or (partial.exists() and partial.stat().st_size > 8e6))
    child.send_signal(signal.SIGINT)
    out, err = child.communicate(timeout=60)
    assert child.returncode == 130, (child.returncode, err)
    assert out == "" and "interrupted" in err
    assert partial.exists() and not (large / "x.hrd").exists()
    # The line says how to go on.
    hint = err[err.rindex("headrace convert"):].split()
    assert hint[:3] == ["headrace", "convert", "--resume"]
    assert sorted(hint[3:]) == sorted(command[1:])

    resumed = figures(*hint[1:], cwd=large)
    assert resumed["resumed_samples"] > 0 and not partial.exists()
    good("verify", "x.hrd", cwd=large)
    good("export", "x.hrd", "-o", "back", "--range", "0:75000", cwd=large)
    expected = np.load(large / "x.npy", mmap_mode="r")
    back = np.load(large / "back" / "x.npy", mmap_mode="r")
    assert np.array_equal(back, expected)
    (large / "back" / "x.npy").unlink()
    (large / "back").rmdir()


def test_convert__terminal_interrupt_during_hdf5__exit_130_and_resume_completes(tmp_path):
    h5py = pytest.importorskip("h5py")
    with h5py.File(tmp_path / "x.h5", "w") as file:
        file.create_dataset("x", (40000, 1000), "float32", chunks=(100, 1000), compression="gzip",
                            compression_opts=1, fillvalue=1.5)
        for first in range(0, 40000, 100):
            file["x"][first : first + 100] = first
    partial = tmp_path / "x.hrd.partial"
    command = ["convert", "x.h5", "-o", "x.hrd", "--codec", "raw", "--helpers", "2"]
    child = subprocess.Popen([PROGRAM, *command], cwd=tmp_path, stdout=subprocess.PIPE,
                             stderr=subprocess.PIPE, text=True, start_new_session=True)
    wait_until(lambda: child.poll() is not None or (partial.exists() and partial.stat().st_size > 4e6))
    os.killpg(child.pid, signal.SIGINT)  # as a terminal does: to the helpers too
    _, err = child.communicate(timeout=60)
    assert child.returncode == 130, (child.returncode, err)
    assert "interrupted; go on with" in err
    assert figures(*command, "--resume", cwd=tmp_path)["samples"] == 40000
    good("verify", "x.hrd", cwd=tmp_path)


@pytest.mark.parametrize("args", [["export", "x.hrd", "-o", "y.h5", "--gzip", "9"], ["export", "x.hrd", "-o", "y.npz"],
                                  ["compare", "x.hrd", "x.h5"]])
def test_helper__terminal_interrupt__exit_130_and_no_file_is_called_damaged(args, tmp_path):
    h5py = pytest.importorskip("h5py")
    x = np.random.default_rng(0).integers(0, 99, (60_000, 500), np.int32)
    with h5py.File(tmp_path / "x.h5", "w") as file:
        file.create_dataset("x", data=x, chunks=(1, 500), compression="gzip", compression_opts=1)
    np.save(tmp_path / "x.npy", x)
    good("convert", "x.npy", "-o", "x.hrd", cwd=tmp_path)
    for milliseconds in (*range(0, 40, 2), None):  # the helper is not started, is starting, works
        child = subprocess.Popen([PROGRAM, *args], cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                 text=True, start_new_session=True)
        if milliseconds is None:
            wait_until(lambda pid=child.pid: helpers_of(pid))
        time.sleep((milliseconds or 50) / 1000)
        assert child.poll() is None
        os.killpg(child.pid, signal.SIGINT)
        _, err = child.communicate(timeout=60)
        early = child.returncode == -signal.SIGINT and milliseconds is not None  # before it listens to signals
        assert (child.returncode == 130 or early) and "damaged" not in err, (milliseconds, child.returncode, err)
        assert not [path.name for path in tmp_path.iterdir() if path.name.startswith("y.")]


def test_epoch__sigint__exit_130_and_the_state_is_true(data, tmp_path):
    state, index = tmp_path / "state", tmp_path / "index.npy"
    child = subprocess.Popen(
        [PROGRAM, "epoch", data, "--shuffle", "--epochs", "1000", "--consume-ns", "5000000",
         "--save-state", state, "--index", index, "--json"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    begun = index.with_name("index.npy.partial")
    wait_until(lambda: begun.exists() and begun.stat().st_size >= 4096)  # some batches are consumed
    child.send_signal(signal.SIGINT)
    out, err = child.communicate(timeout=30)
    assert child.returncode == 130 and "interrupted" in err
    first = np.load(index)
    assert len(first) == json.loads(out)["samples"] > 0
    second = order_of(data, tmp_path, "--shuffle", "--resume", state, "--max-batches", "5")
    whole = order_of(data, tmp_path, "--shuffle", "--epochs", len(first) // SAMPLES + 2)
    both = np.concatenate([first, second])
    assert np.array_equal(both, whole[: len(both)])


@pytest.mark.parametrize("args", [["info"], ["info", "--json"], ["plan", "--json"], ["epoch", "--json"]])
def test_pipe__closed_by_its_reader__ends_without_a_crash(args, data):
    line = f"'{PROGRAM}' {args[0]} '{data}' {' '.join(args[1:])} | head -1"
    done = subprocess.run(["bash", "-c", line + '; echo "${PIPESTATUS[0]}"'], capture_output=True,
                          text=True, timeout=60)
    status = int(done.stdout.splitlines()[-1])
    assert status in (0, 1, 128 + signal.SIGPIPE), done.stderr


@pytest.mark.parametrize("args", [["info"], ["info", "--json"], ["verify"], ["plan"], ["plan", "--json"],
                                  ["epoch"], ["epoch", "--json"], ["--help"], ["--version"]])
def test_stdout__full_disk__is_a_failure(args, data):
    words = [args[0], *([] if args[0].startswith("--") else [data]), *args[1:]]
    with open("/dev/full", "w") as full:
        done = subprocess.run([PROGRAM, *words], stdout=full, stderr=subprocess.PIPE, text=True, timeout=60)
    assert done.returncode == 1 and "written" in done.stderr


@pytest.mark.parametrize("locale", ["C", "POSIX", "tr_TR.ISO-8859-9", "none.such"])
def test_locale__not_utf8__changes_nothing(locale, tmp_path):
    env = {**os.environ, "LC_ALL": locale, "LANG": locale}
    np.save(tmp_path / "größe.npy", np.arange(12, dtype="float32") / 8)
    good("convert", "größe.npy", "-o", "größe.hrd", cwd=tmp_path, env=env)
    out = figures("info", "größe.hrd", cwd=tmp_path, env=env, encoding="utf-8")
    assert out["fields"][0]["name"] == "größe" and out["fields"][0]["statistics"]["max"] == 1.375
    good("export", "größe.hrd", "-o", "arrays", cwd=tmp_path, env=env)
    assert (tmp_path / "arrays" / "größe.npy").exists()


def test_path__not_utf8__json_is_still_json(data, tmp_path):
    odd = os.path.join(os.fsencode(tmp_path), b"caf\xe9.hrd")
    with open(odd, "wb") as file:
        file.write(data.read_bytes())
    for command in ("info", "verify", "plan", "epoch"):
        done = subprocess.run([os.fsencode(PROGRAM), command.encode(), odd, b"--json"],
                              capture_output=True, timeout=60)
        assert done.returncode == 0, done.stderr
        out = json.loads(done.stdout)
        name = out["files"][0]["file"] if command == "verify" else out["file"]
        assert name.endswith("caf\ufffd.hrd")


def on_terminal(*args, cwd):
    """stderr of a command that has a terminal for it."""
    leader, follower = pty.openpty()
    child = subprocess.Popen([PROGRAM, *map(str, args)], cwd=cwd, stdout=subprocess.PIPE, stderr=follower)
    os.close(follower)
    seen = b""
    end = time.monotonic() + 90
    while time.monotonic() < end:
        ready, _, _ = select.select([leader], [], [], 0.1)
        if ready:
            try:
                piece = os.read(leader, 65536)
            except OSError:
                break
            if not piece:
                break
            seen += piece
    child.communicate(timeout=60)
    os.close(leader)
    assert child.returncode == 0, seen
    return seen.decode()


def test_progress__on_a_terminal__share_rate_and_time_left(large):
    slow = ["--codec", "zstd", "--level", "19", "--threads", "1"]
    seen = on_terminal("convert", "x.npy", "-o", "bar.hrd", "--force", *slow, cwd=large)
    assert "convert [" in seen and "%" in seen and "iB/s" in seen and " left" in seen
    lines = [line for line in seen.split("\r") if line.startswith("convert")]
    assert all(len(line.replace("\x1b[K", "").rstrip("\n")) <= 80 for line in lines)
    assert seen.rstrip("\n").endswith("\x1b[K") or "\r\x1b[K" in seen
    assert "convert [" not in on_terminal("convert", "x.npy", "-o", "bar.hrd", "--force", "--quiet", cwd=large)


def test_progress__resumed_with_few_batches__ends_at_100_percent(data, tmp_path):
    good("epoch", data, "--batch", "100", "--max-batches", "12", "--save-state", "s", cwd=tmp_path)
    slow = ["--consume-ns", "60000000"]
    for options in (["--resume", "s"], ["--max-batches", "9"], ["--resume", "s", "--max-batches", "9"]):
        seen = on_terminal("epoch", data, "--batch", "100", *slow, *options, cwd=tmp_path)
        shares = [int(part.split()[-1]) for part in seen.split(" %")[:-1]]
        assert shares == sorted(shares) and 85 <= shares[-1] <= 100, (options, shares)


@pytest.mark.parametrize("command", DATA_COMMANDS)
def test_progress__stderr_is_no_terminal__silent(command, data, made, tmp_path):
    args = {"convert": [made / "x.npy", "-o", tmp_path / "x.hrd"], "export": [data, "-o", tmp_path / "arrays"],
            "split": [data, "--fractions", "0.5", "--out", tmp_path / "a.npy"],
            "bench": [data, "--rounds", "1", "--seconds", "20ms"]}
    done = headrace(command, *args.get(command, [data]))
    assert done.returncode == 0
    assert "\r" not in done.stderr and "\x1b" not in done.stderr
    if command != "convert":
        assert done.stderr == ""


def test_salvage__interrupted_while_it_looks_for_a_footer__ends_soon(tmp_path):
    with open(tmp_path / "empty.hrd", "wb") as file:
        file.truncate(64 << 30)  # without bytes on the disk; looked at from end to end it takes a minute and more
    child = subprocess.Popen([PROGRAM, "verify", "empty.hrd", "--salvage", "out.hrd"], cwd=tmp_path,
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    wait_until(lambda: listens_to_interrupts(child.pid))
    time.sleep(0.3)  # so that it is in the middle, mostly
    child.send_signal(signal.SIGINT)
    _, err = child.communicate(timeout=20)
    assert child.returncode == 130 and "stopped" in err
    assert not (tmp_path / "out.hrd").exists()


@pytest.mark.skipif(os.getuid() != 0, reason="needs root, to be somebody else")
def test_convert__into_a_folder_that_can_only_be_written_to__is_no_failure():
    def become_nobody():
        os.setgid(65534)
        os.setuid(65534)

    folder = tempfile.mkdtemp()
    try:
        np.save(os.path.join(folder, "x.npy"), np.arange(1000))
        os.mkdir(os.path.join(folder, "out"))
        os.chmod(os.path.join(folder, "out"), 0o333)
        os.chmod(folder, 0o755)
        as_nobody = {"preexec_fn": become_nobody, "cwd": "/", "capture_output": True, "text": True, "timeout": 60}
        for what in (["test", "-r", f"{folder}/x.npy"], ["test", "-x", PROGRAM]):
            if subprocess.run(what, **as_nobody).returncode != 0:
                pytest.skip("the program or the temporary folder is where others may not look")
        done = subprocess.run([PROGRAM, "convert", f"{folder}/x.npy", "-o", f"{folder}/out/x.hrd"], **as_nobody)
        assert done.returncode == 0, done.stderr
        good("verify", f"{folder}/out/x.hrd")
    finally:
        shutil.rmtree(folder)


def test_small_outputs__are_not_written_through_links(data, tmp_path):
    (tmp_path / "mine").write_bytes(b"mine")
    (tmp_path / "state.partial").symlink_to(tmp_path / "mine")
    done = headrace("epoch", data, "--max-batches", "1", "--save-state", tmp_path / "state")
    assert done.returncode == 1 and "state" in done.stderr
    assert (tmp_path / "mine").read_bytes() == b"mine"
