"""hr.torch() with the real PyTorch: every value follows from the sample's index, and the order is the plain loop's."""

import functools
import gc
import itertools
import json
import os
import pickle
import signal
import subprocess
import sys
import time
import warnings

import pytest

np = pytest.importorskip("numpy", minversion="1.24")
torch = pytest.importorskip("torch")
from torch.utils.data import DataLoader, IterableDataset  # noqa: E402

from dlpack_loader import DTYPES, SHAPE, write_data  # noqa: E402
from headrace_command import PLACE, good, needs_program  # noqa: E402
from python_package import ENVIRONMENT, SOURCE, check, hr, memory_in_use, write_indexed  # noqa: E402

pytestmark = needs_program
BATCH, ORDER = 64, {"shuffle": True, "seed": 3, "window": 8}
STAND_IN = PLACE.parent / "tests" / "gpu" / "libstand_in_cuda.so"
NEEDS_STAND_IN = pytest.mark.skipif(not STAND_IN.is_file(), reason=f"no {STAND_IN}")
NEEDS_NO_CUDA = pytest.mark.skipif(torch.version.cuda is not None, reason="PyTorch's CUDA runtime hides the stand-in's")


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return hr.open(write_indexed(tmp_path_factory.mktemp("torch")))


@pytest.fixture(scope="module")
def wanted(data):
    """The samples of the batches of three epochs."""
    loader = data.loader(BATCH, **ORDER)
    return [[batch["y"].tolist() for batch in loader] for _ in range(3)]


def labels(batches):
    """What came, each row compared with its index."""
    found = []
    for batch in batches:
        check({name: tensor.numpy() for name, tensor in batch.items()})
        found.append(batch["y"].tolist())
    return found


# By hand.


def test_torch__by_hand__tensors_in_the_order_of_the_loader(data, wanted):
    batches = hr.torch(data, BATCH, **ORDER)
    assert isinstance(batches, IterableDataset)
    assert len(batches) == len(wanted[0]) == 16
    assert [labels(batches) for _ in range(3)] == wanted


def test_torch__a_batch__no_copy(data, monkeypatch):
    given = []

    def spy(*arguments, plain=hr._feed.arrays):
        given.append(plain(*arguments))
        return given[-1]

    monkeypatch.setattr(hr._feed, "arrays", spy)
    batch = next(iter(hr.torch(data, BATCH)))
    assert (batch["X"].dtype, batch["y"].dtype) == (torch.float32, torch.int64)
    for name, tensor in batch.items():
        assert tensor.data_ptr() == given[0][name].ctypes.data
        assert tensor.data_ptr() % 256 == 0
        assert not given[0][name].flags.owndata
    batch["X"].add_(1)  # the batch is its consumer's


def test_torch__tensors_kept__stay_as_they_are(data, wanted):
    batches = hr.torch(data, BATCH, **ORDER)
    kept = [batch for _ in range(2) for batch in batches]
    kept += [{"X": batch["X"][5:], "y": batch["y"][5:]} for batch in batches]
    batches.close()
    gc.collect()
    assert labels(kept[:32]) == wanted[0] + wanted[1]
    assert labels(kept[32:]) == [batch[5:] for batch in wanted[2]]


def test_torch__loop_left_early__everything_is_given_back_and_the_next_batch_is_next(data, wanted):
    before = memory_in_use()
    batches = hr.torch(data, BATCH, **ORDER)
    loop = iter(batches)
    for _ in range(5):
        next(loop)
    del loop
    gc.collect()
    assert memory_in_use() == before
    assert labels(batches) == wanted[0][5:]


def test_torch__x_and_y__tuples(data):
    x, y = next(iter(hr.torch(data, BATCH, x="X", y="y")))
    check({"X": x.numpy(), "y": y.numpy()})
    (y, x), also = next(iter(hr.torch(data, BATCH, x=["y", "X"], y="y")))
    check({"X": x.numpy(), "y": y.numpy()})
    assert torch.equal(y, also)
    assert next(iter(hr.torch(data, BATCH, x="X"))).shape == (BATCH, 4, 6)
    assert list(next(iter(hr.torch(data, BATCH, fields=["y"])))) == ["y"]


@pytest.mark.parametrize("options, words", [
    ({"y": "y"}, "x is not given"),
    ({"x": "X", "fields": ["X"]}, "x and y name the fields"),
    ({"writable": False}, "cannot be written to"),
    ({"device": "meta"}, "expected 'cuda:0'"),
    ({"rank": 1}, "give both"),
])
def test_torch__options_that_make_no_sense__refused_in_words(data, options, words):
    with pytest.raises(hr.InvalidError, match=words):
        hr.torch(data, BATCH, **options)


def test_torch__each_type__its_tensor_or_a_numpy_array_with_a_note(tmp_path):
    path, arrays = write_data(tmp_path)
    with warnings.catch_warnings(record=True) as notes:
        warnings.simplefilter("always")
        batch = next(iter(hr.torch(hr.open(path), 32)))
    assert batch["bfloat16"].dtype == torch.bfloat16
    assert np.array_equal(batch["bfloat16"].view(torch.int16).numpy(), arrays["bfloat16"][:32].view(np.int16))
    lacking = [name for name in DTYPES if not hasattr(torch, name)]
    assert set(lacking) <= {"uint16", "uint32", "uint64"}
    assert len(notes) == len(lacking)
    for name, note in zip(lacking, notes, strict=True):
        assert f"'{name}'" in str(note.message)
    for name in DTYPES:
        assert batch[name].shape == (32, *SHAPE)
        assert np.array_equal(np.asarray(batch[name]), arrays[name][:32]), name
        if name not in lacking:
            assert batch[name].dtype == getattr(torch, name)


def test_torch__text__a_numpy_array_with_a_note(tmp_path):
    np.save(tmp_path / "name.npy", np.array([b"abc", b"de"] * 40))
    good("convert", tmp_path / "name.npy", "-o", tmp_path / "t.hrd")
    batches = hr.torch(hr.open(tmp_path / "t.hrd"), 10)
    with pytest.warns(UserWarning, match="'name' stays a NumPy array"):
        first = next(iter(DataLoader(batches, batch_size=None)))
    assert first["name"].tolist() == [b"abc", b"de"] * 5


# Through a DataLoader.


def stream(batches, **options):
    return DataLoader(batches, batch_size=None, **options)


@pytest.mark.parametrize("options", [
    {}, {"num_workers": 1}, {"num_workers": 3}, {"num_workers": 2, "persistent_workers": True},
    {"num_workers": 2, "prefetch_factor": 5},
])
@pytest.mark.filterwarnings("ignore:This DataLoader will create")
def test_dataloader__workers__the_same_batches_and_one_note(data, wanted, options, capfd):
    batches = hr.torch(data, BATCH, **ORDER)
    loader = stream(batches, **options)
    assert len(loader) == 16
    with warnings.catch_warnings():
        warnings.showwarning = lambda note, *_: os.write(2, str(note).encode())  # of the workers, too
        assert [labels(loader) for _ in range(3)] == wanted
    assert capfd.readouterr().err.count("headrace: worker 0 of") == (options.get("num_workers", 0) > 1)


def test_dataloader__spawned_workers__the_same_batches(data, wanted):
    batches = hr.torch(data, BATCH, **ORDER)
    loader = stream(batches, num_workers=2, multiprocessing_context="spawn", persistent_workers=True)
    assert [labels(loader) for _ in range(2)] == wanted[:2]


def test_dataloader__workers_forked_from_a_loop__go_on_where_it_is(data, wanted):
    batches = hr.torch(data, BATCH, **ORDER)
    loop = iter(batches)
    begun = [next(loop) for _ in range(3)]
    assert labels(stream(batches, num_workers=2)) == wanted[0][3:]
    assert labels(begun) == wanted[0][:3]
    assert labels(batches) == wanted[1]


def test_dataloader__left_early__next_batch_without_workers_and_next_epoch_with(data, wanted):
    for options, rest in (({}, wanted[0][2:]), ({"num_workers": 1}, wanted[1])):
        loader = stream(hr.torch(data, BATCH, **ORDER), **options)
        for number, _ in enumerate(loader):
            if number == 1:
                break
        assert labels(loader) == rest


def test_fork__a_loop_of_the_parent__raises_in_the_child_and_goes_on_in_the_parent(data, wanted):
    batches = hr.torch(data, BATCH, **ORDER)
    loop = iter(batches)
    first = next(loop)
    child = os.fork()
    if child == 0:
        try:
            next(loop)
        except hr.ForkedError:
            os._exit(7 if labels(batches) == wanted[0][1:] else 8)
        finally:
            os._exit(9)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
    assert labels([first, *loop])[:2] == wanted[0][:2]


def test_pickle__batches__opened_again_by_path(data, wanted):
    batches = pickle.loads(pickle.dumps(hr.torch(data, BATCH, subset=data.subset(100, 900), **ORDER)))
    assert len(batches) == 13
    assert sorted(itertools.chain(*labels(batches))) == list(range(100, 900))


# Where it is.


def test_state_dict__mid_epoch__every_sample_once(data, wanted):
    batches = hr.torch(data, BATCH, **ORDER)
    loop = iter(stream(batches))
    begun = [next(loop) for _ in range(5)]
    state = json.loads(json.dumps(batches.state_dict()))
    assert (state["epoch"], state["batch"]) == (0, 5)
    again = hr.torch(data, BATCH, threads=1, **ORDER)
    again.load_state_dict(state)
    assert labels(begun) + labels(stream(again, num_workers=1)) == wanted[0]
    assert labels(again) == wanted[1]


def test_state_dict__at_the_last_batch__the_rest_of_the_epoch_is_empty(data, wanted):
    batches = hr.torch(data, BATCH, **ORDER)
    for _ in batches:
        last = batches.state_dict()
    assert (last["epoch"], last["batch"]) == (0, 16)
    assert [batches.state_dict()[key] for key in ("epoch", "batch")] == [1, 0]
    batches.load_state_dict(last)
    assert [labels(batches), labels(batches)] == [[], wanted[1]]


def test_state_dict__workers_have_the_batches__refused_unless_told_the_step(data, wanted):
    batches = hr.torch(data, BATCH, **ORDER)
    loop = iter(stream(batches, num_workers=1))
    begun = [next(loop) for _ in range(5)]
    with pytest.raises(hr.InvalidError, match="StatefulDataLoader"):
        batches.state_dict()
    state = batches.state_dict(step=5)
    del loop
    batches.load_state_dict(state)
    assert labels(begun) + labels(batches) == wanted[0]


@pytest.mark.parametrize("state", [{}, {"state": "00"}, {"headrace": 2, "state": "00"}, {"headrace": 1, "state": "xy"}])
def test_load_state_dict__no_state__refused(data, state):
    with pytest.raises(hr.InvalidError, match="give it what state_dict"):
        hr.torch(data, BATCH).load_state_dict(state)


def test_load_state_dict__of_another_order__refused(data):
    batches = hr.torch(data, BATCH, **ORDER)
    state = batches.state_dict(step=3)
    other = hr.torch(data, BATCH, shuffle=True, seed=4)
    other.load_state_dict(state)
    with pytest.raises(hr.MismatchError):
        next(iter(other))


def test_checkpoint__a_file__resumed(data, wanted, tmp_path):
    hr.torch(data, BATCH, **ORDER).checkpoint(tmp_path / "place", step=18)
    assert labels(hr.torch(data, BATCH, resume=tmp_path / "place", **ORDER)) == wanted[1][2:]


def test_epochs__all_done__a_resumed_loop_is_empty(data, wanted):
    batches = hr.torch(data, BATCH, epochs=2, **ORDER)
    assert [labels(batches) for _ in range(3)] == [*wanted[:2], []]
    again = hr.torch(data, BATCH, epochs=2, **ORDER)
    again.load_state_dict(batches.state_dict())
    assert labels(stream(again, num_workers=1)) == labels(again) == []


STATEFUL = """
import sys, torch, warnings
from torchdata.stateful_dataloader import StatefulDataLoader
from python_package import hr, check
warnings.simplefilter("ignore")
path, saved, workers, most, how = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), sys.argv[5]
batches = hr.torch(hr.open(path), 64, shuffle=True, seed=3, window=8)
loader = StatefulDataLoader(batches, batch_size=None, num_workers=workers, snapshot_every_n_steps=int(sys.argv[6]))
if how == "loader":
    loader.load_state_dict(torch.load(saved, weights_only=True))
elif how == "batches":
    batches.load_state_dict(torch.load(saved, weights_only=True))
for number, batch in enumerate(loader):
    check({name: tensor.numpy() for name, tensor in batch.items()})
    print(*batch["y"].tolist())
    if number + 1 == most:
        torch.save(loader.state_dict(), saved)
        break
"""


@pytest.mark.parametrize("workers, then, how, every", [(2, 0, "batches", 1), (0, 2, "batches", 1), (2, 2, "loader", 3)])
def test_stateful_dataloader__other_workers_in_a_new_process__every_sample_once(
    data, wanted, tmp_path, workers, then, how, every
):
    pytest.importorskip("torchdata.stateful_dataloader")

    def run(workers, most, how):
        command = [sys.executable, "-c", STATEFUL, data.path, tmp_path / "state", workers, most, how, every]
        done = subprocess.run(list(map(str, command)), env=ENVIRONMENT, capture_output=True, text=True, timeout=100)
        assert done.returncode == 0, done.stderr
        return [list(map(int, line.split())) for line in done.stdout.splitlines()]

    assert run(workers, 7, "new") + run(then, 0, how) == wanted[0]


def test_stateful_dataloader__epochs__state_between_and_at_their_ends(data, wanted):
    stateful = pytest.importorskip("torchdata.stateful_dataloader").StatefulDataLoader
    make = functools.partial(stateful, batch_size=None, num_workers=1)
    loader = make(hr.torch(data, BATCH, **ORDER))
    assert labels(loader) == wanted[0]
    after = loader.state_dict()
    for _ in loader:
        last = loader.state_dict()
    resumed = make(hr.torch(data, BATCH, **ORDER))
    resumed.load_state_dict(after)
    assert [labels(resumed), labels(resumed)] == wanted[1:]
    resumed = make(hr.torch(data, BATCH, **ORDER))
    resumed.load_state_dict(last)
    assert [labels(resumed), labels(resumed)] == [[], wanted[2]]


# Ranks.


def log_of(folder, rank):
    """The samples of each batch: whole lines."""
    path = folder / f"{rank}.log"
    return [list(map(int, line.split())) for line in path.read_text().split("\n")[:-1]] if path.exists() else []


def launch(path, folder, world):
    """Output is redirected: with Python 3.11, PyTorch 1.13 starts nothing where it is not."""
    folder.mkdir()
    launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc_per_node", world]
    logs = ["--log_dir", folder, "--redirects", 1, "--tee", 1]
    command = [sys.executable, *launcher, *logs, SOURCE / "tests" / "tool_torch_ranks.py", path, folder]
    return subprocess.Popen(list(map(str, command)), env={**ENVIRONMENT, "OMP_NUM_THREADS": "1"}, text=True,
                            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def kill(launched, folder, world, batches):
    until = time.monotonic() + 100
    while min(len(log_of(folder, rank)) for rank in range(world)) < batches:
        assert launched.poll() is None, launched.communicate()[1]
        assert time.monotonic() < until, "the ranks do not get on"
        time.sleep(0.02)
    for rank in range(world):
        os.kill(int((folder / f"{rank}.pid").read_text()), signal.SIGKILL)
    launched.communicate(timeout=100)


@pytest.mark.skipif(not torch.distributed.is_available() or not torch.distributed.is_gloo_available(), reason="no gloo")
def test_torchrun__killed_and_started_with_another_world_size__the_sequence_of_one_process(tmp_path):
    path = write_indexed(tmp_path, chunk_bytes="2K")
    one = hr.open(path).loader(BATCH, shuffle=True, seed=5, window=8, streams=4, last="drop")
    sequence = [batch["y"].tolist() for _ in range(2) for batch in one]
    launched = launch(path, tmp_path / "two", 2)
    kill(launched, tmp_path / "two", 2, 4)
    place = (tmp_path / "two" / "state.json").read_text()
    trained = json.loads(place)["epoch"] * len(one) + json.loads(place)["batch"]
    begun = [log_of(tmp_path / "two", rank)[:trained] for rank in range(2)]
    (tmp_path / "state.json").write_text(place)
    launched = launch(path, tmp_path / "one", 1)
    assert launched.wait(timeout=100) == 0, launched.communicate()[1]
    launched.stderr.close()
    begun = [first + second for first, second in zip(*begun, strict=True)]
    assert 3 <= len(begun) < len(sequence)
    assert begun + log_of(tmp_path / "one", 0) == sequence


def test_ranks__environment__as_the_launcher_says(data, monkeypatch):
    monkeypatch.setenv("HR_RANK", "1")
    monkeypatch.setenv("HR_WORLD_SIZE", "4")
    shares = [hr.torch(data, BATCH, ranks=ranks).local_batch for ranks in (True, "headrace", False)]
    assert shares == [16, 16, 64]
    assert hr.torch(data, BATCH, rank=1, world_size=2).local_batch == 32


def test_ranks__a_group_that_began_later__refused(data, monkeypatch):
    batches, chosen = hr.torch(data, BATCH), hr.torch(data, BATCH, rank=0, world_size=1)
    monkeypatch.setattr(hr._torch, "_group", lambda: (1, 2))
    with pytest.raises(hr.InvalidError, match="after init_process_group"):
        next(iter(batches))
    assert len(labels(chosen)) == 16


# On a GPU: PyTorch's part is played, the loader's is real, over a stand-in for CUDA's runtime.


@NEEDS_STAND_IN
@NEEDS_NO_CUDA
def test_device__tensors_are_taken_on_the_current_stream_and_let_go(data, monkeypatch):
    monkeypatch.setenv("HEADRACE_CUDA", str(STAND_IN))
    taken = []

    def from_dlpack(array):
        assert array.__dlpack_device__() == (2, 1)
        taken.append((array.shape, array.__dlpack__(stream=1, max_version=(1, 0))))
        return taken[-1][1]

    monkeypatch.setattr(torch, "from_dlpack", from_dlpack)
    batches = hr.torch(data, BATCH, device="cuda:1", x="X", y="y")
    for x, y in batches:
        (rows, *_), _ = shapes = [shape for shape, _ in taken]
        assert shapes == [(rows, 4, 6), (rows,)]
        assert (x, y) == (taken[0][1], taken[1][1])
        taken.clear()
        del x, y
    assert batches.info()["batches_delivered"] == 16


@NEEDS_STAND_IN
def test_device__in_a_worker__refused_in_words(data, monkeypatch):
    monkeypatch.setenv("HEADRACE_CUDA", str(STAND_IN))
    with pytest.raises(hr.InvalidError, match="use num_workers=0"):
        next(iter(stream(hr.torch(data, BATCH, device="cuda:0"), num_workers=1)))
