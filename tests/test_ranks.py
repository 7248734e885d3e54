"""Ranks that real launchers start, are killed, and go on with another world size, against the one sequence
that a single process reads: sample by sample. A launcher that is not installed is skipped."""

import functools
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

np = pytest.importorskip("numpy")

BIN = Path(os.environ.get("HEADRACE_BIN", "build/release/bin")).resolve()
HEADRACE = BIN / "headrace"
READER = BIN.parent / "tests" / "tool_rank_reader"
EXAMPLE = BIN / "examples" / "ranks"
pytestmark = pytest.mark.skipif(not READER.is_file(), reason=f"no {READER}")

SAMPLES, STREAMS, BATCH, WINDOW, SEED, EPOCHS = 6000, 8, 64, 32, 5, 2
STATE_BYTES = 256
ORDER = ["--shuffle", "--streams", STREAMS, "--batch", BATCH, "--window", WINDOW, "--seed", SEED]
# Of whatever started the tests.
OURS = ("HR_", "OMPI_", "PMIX_", "SLURM_", "TORCHELASTIC_", "RANK", "WORLD_SIZE", "LOCAL_RANK")
ENVIRONMENT = {k: v for k, v in os.environ.items() if not k.startswith(OURS)}


def mpirun(ranks, command):
    return ["mpirun", "--allow-run-as-root", "--oversubscribe", "-n", ranks, *command]


def torchrun(ranks, command):
    return ["torchrun", "--standalone", "--nproc_per_node", ranks, "--no_python", *command]


LAUNCHERS = {"openmpi": mpirun, "torchrun": torchrun}


@functools.cache
def torchrun_starts():
    return run(torchrun(1, ["true"])).returncode == 0


@pytest.fixture(params=LAUNCHERS)
def launcher(request):
    program = "mpirun" if request.param == "openmpi" else request.param
    if shutil.which(program) is None:
        pytest.skip(f"{program} is not installed")
    if request.param == "torchrun" and not torchrun_starts():
        pytest.skip("this torchrun starts nothing (PyTorch 1.13 with Python 3.11)")
    return request.param


def run(command, environment=(), folder=None):
    return subprocess.run(list(map(str, command)), cwd=folder, env={**ENVIRONMENT, **dict(environment)},
                          capture_output=True, text=True, timeout=100)


def run_well(command, folder=None):
    done = run(command, folder=folder)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """The file, and the epochs as one process with as many streams reads them."""
    folder = tmp_path_factory.mktemp("ranks")
    np.save(folder / "X.npy", np.arange(SAMPLES * 16, dtype=np.float32).reshape(SAMPLES, 16))
    path, order = folder / "x.hrd", folder / "order.npy"
    run_well([HEADRACE, "convert", folder / "X.npy", "-o", path, "--chunk-bytes", "4096", "--quiet"])
    run_well([HEADRACE, "epoch", path, *ORDER, "--epochs", EPOCHS, "--index", order, "--quiet"])
    epochs = np.load(order).reshape(EPOCHS, -1, BATCH)
    for epoch in epochs:
        assert len(np.unique(epoch)) == epoch.size > SAMPLES * 0.9
    return path, epochs


def log_of(folder, rank):
    """(epoch, number) -> samples, of the whole lines, which come in order and without a gap."""
    path = folder / f"{rank}.log"
    if not path.exists():
        return {}
    lines = [list(map(int, line.split())) for line in path.read_text().split("\n")[:-1]]
    return {(line[0], line[1]): line[2:] for line in lines}


def state_of(folder, rank, nth):
    with open(folder / f"{rank}.states", "rb") as file:
        file.seek(nth * STATE_BYTES)
        return file.read(STATE_BYTES)


def kill_ranks(folder, world, launched, batches):
    """SIGKILL to every rank, once each has delivered so many batches. The launcher then ends by itself."""
    until = time.monotonic() + 60
    while min(len(log_of(folder, rank)) for rank in range(world)) < batches:
        assert launched.poll() is None, launched.communicate()[1]
        assert time.monotonic() < until, "the ranks do not get on"
        time.sleep(0.02)
    for rank in range(world):
        os.kill(int((folder / f"{rank}.pid").read_text()), signal.SIGKILL)
    launched.communicate(timeout=60)
    assert launched.returncode != 0


def read_until_killed(launcher, world, arguments, folder, batches):
    """The batches that all ranks delivered, put together, and the state behind the last of them."""
    command = LAUNCHERS[launcher](world, [READER, arguments[0], folder, *arguments[1:]])
    launched = subprocess.Popen(list(map(str, command)), env=ENVIRONMENT, text=True,
                                stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    if batches is None:
        assert launched.wait(timeout=100) == 0, launched.communicate()[1]
        launched.stderr.close()
    else:
        kill_ranks(folder, world, launched, batches)
    for rank in range(world):
        told = (folder / f"{rank}.rank").read_text().split()
        assert told == [str(rank), str(world), str(rank), launcher]
    logs = [log_of(folder, rank) for rank in range(world)]
    common = min(map(len, logs))
    states = {state_of(folder, rank, common - 1) for rank in range(world)}
    assert len(states) == 1, "a state does not depend on the rank"
    batches = {}
    for number in list(logs[0])[:common]:
        batches[number] = [entry for log in logs for entry in log[number]]
    return batches, states.pop()


def test_killed_and_restarted_with_another_world_size__is_the_one_sequence(launcher, data, tmp_path):
    path, epochs = data
    seen, arguments = {}, [path]
    per_epoch = epochs.shape[1]
    for run_number, (world, batches) in enumerate([(4, per_epoch // 2), (2, per_epoch), (8, None)]):
        folder = tmp_path / str(run_number)
        folder.mkdir()
        part, state = read_until_killed(launcher, world, arguments, folder, batches)
        assert not seen.keys() & part.keys(), "a batch that all had was delivered again"
        seen.update(part)
        (folder / "state").write_bytes(state)
        arguments = [path, folder / "state"]
    assert list(seen) == [(e, b) for e in range(EPOCHS) for b in range(per_epoch)]
    for (epoch, number), samples in seen.items():
        assert samples == list(epochs[epoch][number]), f"epoch {epoch}, batch {number}"


def test_epoch_of_the_command__by_each_rank__is_the_one_sequence(launcher, data, tmp_path):
    path, epochs = data
    variable = {"openmpi": "OMPI_COMM_WORLD_RANK", "torchrun": "RANK"}[launcher]
    script = f'exec {HEADRACE} epoch {path} --rank auto {" ".join(map(str, ORDER))} ' \
             f'--index ${variable}.npy --threads 1 > ${variable}.txt'
    run_well(LAUNCHERS[launcher](4, ["sh", "-c", script]), folder=tmp_path)
    parts = [np.load(tmp_path / f"{rank}.npy").reshape(epochs.shape[1], -1) for rank in range(4)]
    assert np.array_equal(np.concatenate(parts, axis=1), epochs[0])
    assert f"rank 3 of 4, as {launcher} says" in (tmp_path / "3.txt").read_text()
