"""hr.jax() with the real JAX on the CPU: every value follows from the sample's index, and the order is the plain
loop's."""

import contextlib
import gc
import subprocess
import sys

import pytest

np = pytest.importorskip("numpy", minversion="1.24")
jax = pytest.importorskip("jax")
import jax.numpy as jnp  # noqa: E402

from dlpack_loader import DTYPES, SHAPE, write_data  # noqa: E402
from headrace_command import PLACE, good, needs_program  # noqa: E402
from python_package import ENVIRONMENT, check, hr, memory_in_use, write_indexed  # noqa: E402

pytestmark = needs_program
BATCH, ORDER = 64, {"shuffle": True, "seed": 3, "window": 8}
STAND_IN = PLACE.parent / "tests" / "gpu" / "libstand_in_cuda.so"


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return hr.open(write_indexed(tmp_path_factory.mktemp("jax")))


@pytest.fixture(scope="module")
def wanted(data):
    """The samples of the batches of three epochs."""
    loader = data.loader(BATCH, **ORDER)
    return [[batch["y"].tolist() for batch in loader] for _ in range(3)]


@contextlib.contextmanager
def wide_types(on=True):
    jax.config.update("jax_enable_x64", on)
    try:
        yield
    finally:
        jax.config.update("jax_enable_x64", False)


def labels(batches):
    """What came, each row compared with its index."""
    found = []
    for batch in batches:
        assert all(isinstance(array, jax.Array) for array in batch.values())
        check({name: np.asarray(array) for name, array in batch.items()})
        found.append(batch["y"].tolist())
    return found


def test_jax__epochs__arrays_in_the_order_of_the_loader(data, wanted):
    batches = hr.jax(data, BATCH, **ORDER)
    assert len(batches) == 16
    assert [labels(batches) for _ in range(3)] == wanted


def test_jax__a_batch__no_copy_where_the_type_is_jaxs(data, monkeypatch):
    given = []

    def spy(*arguments, plain=hr._feed.arrays):
        given.append(plain(*arguments))
        return given[-1]

    monkeypatch.setattr(hr._feed, "arrays", spy)
    batch = next(iter(hr.jax(data, BATCH)))
    assert (batch["X"].dtype, batch["y"].dtype) == (jnp.float32, jnp.int32)
    assert batch["X"].unsafe_buffer_pointer() == given[0]["X"].ctypes.data
    with wide_types():
        batch = next(iter(hr.jax(data, BATCH)))
        assert batch["y"].dtype == jnp.int64
        assert batch["y"].unsafe_buffer_pointer() == given[1]["y"].ctypes.data


def test_jax__pad_that_is_no_dict__is_refused(data):
    with pytest.raises(hr.InvalidError, match="pad is 3, expected a dict"):
        hr.jax(data, 8, pad=3)


def test_jax__arrays_kept__stay_as_they_are(data, wanted):
    batches = hr.jax(data, BATCH, **ORDER)
    kept = [batch for _ in range(2) for batch in batches]
    for _ in range(3):
        for _ in batches:
            pass
        gc.collect()
    batches.close()
    assert labels(kept) == wanted[0] + wanted[1]


def test_jax__computations_still_queued__nothing_is_overwritten(data, wanted):
    """Each step takes long and reads the batch at its end, when the loop is many batches ahead and has let go of it."""

    @jax.jit
    def step(wide, batch):
        wide = jax.lax.fori_loop(0, 20, lambda _, wide: jnp.tanh(wide @ wide), wide)
        return wide, batch["X"] + 0 * wide[0, 0], batch["y"] + 0

    wide, done, queued = jnp.full((300, 300), 0.001), [], 0
    for batch in hr.jax(data, BATCH, **ORDER):
        wide, x, y = step(wide, batch)
        queued += not x.is_ready()
        done.append({"X": x, "y": y})
        del batch
    assert labels(done) == wanted[0]
    if not queued:
        pytest.skip(f"JAX {jax.__version__} computes at once here: nothing was queued")
    assert queued > 8, "the loop was not ahead"


def test_jax__loop_left_early__everything_is_given_back_and_the_next_batch_is_next(data, wanted):
    before = memory_in_use()
    batches = hr.jax(data, BATCH, **ORDER)
    loop = iter(batches)
    for _ in range(5):
        next(loop)
    del loop
    gc.collect()
    assert memory_in_use() == before
    assert labels(batches) == wanted[0][5:]


def test_jax__state__resumed_at_the_very_next_batch(data, wanted, tmp_path):
    batches = hr.jax(data, BATCH, **ORDER)
    loop = iter(batches)
    begun = [next(loop) for _ in range(5)]
    assert batches.step == 5
    batches.checkpoint(tmp_path / "place")
    for place in (batches.state(), batches.state(step=5), tmp_path / "place"):
        again = hr.jax(data, BATCH, resume=place, threads=1, **ORDER)
        assert labels(begun) + labels(again) == wanted[0]
    again.rewind(1, 3)
    assert labels(again) == wanted[1][3:]


@pytest.mark.parametrize("x64", [False, True])
def test_jax__each_type__by_the_rule_of_jax(tmp_path, x64):
    path, arrays = write_data(tmp_path)
    with wide_types(x64):
        batch = next(iter(hr.jax(hr.open(path), 32)))
        assert batch["bfloat16"].dtype == jnp.bfloat16
        assert np.array_equal(np.asarray(batch["bfloat16"]).view(np.uint16), arrays["bfloat16"][:32])
        for name in DTYPES:
            assert batch[name].shape == (32, *SHAPE)
            assert batch[name].dtype == jnp.asarray(arrays[name][:32]).dtype
            assert np.array_equal(np.asarray(batch[name]), arrays[name][:32]), name


def test_jax__integers_that_do_not_fit_32_bits__refused_unless_jax_has_64(tmp_path):
    np.save(tmp_path / "id.npy", np.arange(100) + 2**40)
    good("convert", tmp_path / "id.npy", "-o", tmp_path / "t.hrd")
    data = hr.open(tmp_path / "t.hrd")
    with pytest.raises(hr.UnsupportedError, match="jax_enable_x64"):
        next(iter(hr.jax(data, 10)))
    with wide_types():
        assert next(iter(hr.jax(data, 10)))["id"].tolist() == list(range(2**40, 2**40 + 10))


def test_jax__text__a_numpy_array_with_a_note(tmp_path):
    np.save(tmp_path / "name.npy", np.array([b"abc", b"de"] * 40))
    good("convert", tmp_path / "name.npy", "-o", tmp_path / "t.hrd")
    with pytest.warns(UserWarning, match="'name' stays a NumPy array"):
        batch = next(iter(hr.jax(hr.open(tmp_path / "t.hrd"), 10)))
    assert batch["name"].tolist() == [b"abc", b"de"] * 5


@pytest.mark.parametrize("device", ["cpu", jax.devices("cpu")[0]])
def test_jax__device_of_the_host__there(data, wanted, device):
    assert labels(hr.jax(data, BATCH, device=device, **ORDER)) == wanted[0]


@pytest.mark.parametrize("options, words", [
    ({"writable": True}, "never written to"),
    ({"device": "cuda:0", "sharding": 1}, "give one of them"),
    ({"device": "cuda:0", "held": 1}, "expected 2 or more"),
    ({"world_size": 2}, "give both"),
])
def test_jax__options_that_make_no_sense__refused_in_words(data, options, words):
    with pytest.raises(hr.InvalidError, match=words):
        hr.jax(data, BATCH, **options)


def test_ranks__environment__as_the_launcher_says(data, monkeypatch):
    monkeypatch.setenv("HR_RANK", "1")
    monkeypatch.setenv("HR_WORLD_SIZE", "4")
    assert [hr.jax(data, BATCH, ranks=ranks).local_batch for ranks in (True, False)] == [16, 64]


SHARDED = """
import sys, jax, numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec
from python_package import hr, check
devices = jax.devices()
assert len(devices) == 2
sharding = NamedSharding(Mesh(np.array(devices), ("batch",)), PartitionSpec("batch"))
data = hr.open(sys.argv[1])
kept = [batch for batch in hr.jax(data, 64, shuffle=True, last="drop", sharding=sharding)]
kept += [batch for batch in hr.jax(data, 64, shuffle=True, last="drop", device=devices[1])]
assert len(kept) == 30
for number, batch in enumerate(kept):
    check({name: np.asarray(array) for name, array in batch.items()})
    assert batch["X"].shape == (64, 4, 6)
    assert batch["X"].devices() == set(devices if number < 15 else devices[1:])
    assert {shard.data.shape for shard in batch["X"].addressable_shards} == {(32 if number < 15 else 64, 4, 6)}
"""


def test_sharding__two_devices__each_has_its_part(data):
    environment = {**ENVIRONMENT, "XLA_FLAGS": "--xla_force_host_platform_device_count=2", "JAX_PLATFORMS": "cpu"}
    done = subprocess.run([sys.executable, "-c", SHARDED, data.path], env=environment, capture_output=True, text=True,
                          timeout=100)
    assert done.returncode == 0, done.stderr


# On a GPU: JAX's part is played, the loader's is real, over a stand-in for CUDA's runtime.


class Played:
    """An array of JAX's: a tensor that it took, or a copy of one."""

    def __init__(self, capsule, log):
        self.capsule, self.log, self.is_done = capsule, log, False


@pytest.mark.skipif(not STAND_IN.is_file(), reason=f"no {STAND_IN}")
def test_device__batches_are_kept_until_their_copies_are_done(data, monkeypatch):
    monkeypatch.setenv("HEADRACE_CUDA", str(STAND_IN))
    log = []

    def from_dlpack(array):
        assert array.__dlpack_device__() == (2, 0)
        log.append("take")
        return Played(array.__dlpack__(stream=1), log)

    def copy(taken):
        log.append("copy")
        return Played(None, log)

    def block_until_ready(arrays):
        for array in arrays:
            log.append("wait")
            array.is_done = True

    monkeypatch.setattr(jax.dlpack, "from_dlpack", from_dlpack)
    monkeypatch.setattr(jnp, "copy", copy)
    monkeypatch.setattr(jax, "block_until_ready", block_until_ready)
    batches = hr.jax(data, BATCH, device="cuda:0")
    before = None
    for number, batch in enumerate(batches):
        assert log == ["wait", "wait"] * (number > 0) + ["take", "copy"] * 2
        assert before is None or all(array.is_done for array in before.values())
        assert not any(array.is_done for array in batch.values())
        assert batches._feed._kept._held() is not None
        log.clear()
        before = batch
    assert number == 15
    assert log == ["wait", "wait"]
    assert batches._feed._kept is None


def test_jax__a_budget__has_room_for_the_copies_of_two_batches(data):
    given = 32 << 20
    batches = hr.jax(data, BATCH, budget=given)
    sample_bytes = sum(field.sample_bytes for field in data.fields.values())
    batches.close()
    next(iter(batches))
    assert batches.info()["budget_bytes"] == given - 2 * BATCH * sample_bytes
