"""Loaders in Python: options against the C command, epochs, resume at every batch, what a loop says of itself."""

import json
import os
import threading
import warnings

import numpy as np
import pytest

from cli_data import order_of
from headrace_command import figures, good, headrace
from python_package import check, hr, rows_of, write_indexed

SAMPLES, BATCH = 1000, 96
pytestmark = pytest.mark.filterwarnings("ignore:.*gets no batches")  # all_of() goes on until there are none


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("loader")
    write_indexed(made, SAMPLES)
    np.save(made / "part.npy", np.arange(3, 900, 4))
    return made


@pytest.fixture
def path(folder):
    return folder / "train.hrd"


@pytest.fixture
def data(path):
    with hr.open(path) as opened:
        yield opened


def an_epoch(loader):
    """Indices of one loop's batches, each of which is checked."""
    indices = []
    for batch in loader:
        assert np.array_equal(batch.indices, batch["y"]) and len(batch["y"]) == batch.num_samples
        check(batch)
        indices.append(batch.indices)
    return np.concatenate(indices) if indices else np.array([], np.uint64)


def all_of(loader):
    """(epoch, number, y) of the batches of all its loops; the first is empty where an epoch's end is still to come."""
    found, empty = [], 0
    while empty < 2:
        loop = [(batch.epoch, batch.number, batch["y"].tolist()) for batch in loader]
        empty = 0 if loop else empty + 1
        found += loop
    return found


# Each option as the command has it and as Python has it.
OPTIONS = {
    "defaults": ([], {}),
    "shuffled": (["--shuffle"], {"shuffle": True}),
    "seed": (["--shuffle", "--seed", 7], {"shuffle": True, "seed": 7}),
    "a large seed": (["--shuffle", "--seed", 2**64 - 1], {"shuffle": True, "seed": 2**64 - 1}),
    "window": (["--shuffle", "--window", 3], {"shuffle": True, "window": 3}),
    "drop": (["--drop-last"], {"last": "drop"}),
    "pad": (["--shuffle", "--pad-last"], {"shuffle": True, "last": "pad"}),
    "streams": (["--shuffle", "--streams", 4], {"shuffle": True, "streams": 4}),
    "rank": (
        ["--shuffle", "--streams", 4, "--rank", 1, "--world-size", 2],
        {"shuffle": True, "streams": 4, "rank": 1, "world_size": 2},
    ),
    "rank and pad": (["--rank", 2, "--world-size", 3, "--pad-last"], {"rank": 2, "world_size": 3, "last": "pad"}),
    "range": (["--range", "100:700"], {"subset": lambda data: data.subset(100, 700)}),
    "every": (
        ["--every", 3, "--offset", 1, "--shuffle"],
        {"subset": lambda data: data.subset(1, None, 3), "shuffle": True},
    ),
    "listed": (["--subset", "part.npy"], {"subset": lambda data: data.subset_from_npy("part.npy")}),
    "a split": (
        ["--split", "0.7,0.3", "--part", 1, "--split-seed", 5],
        {"subset": lambda data: data.split(0.7, 0.3, seed=5)[1]},
    ),
    "threads": (["--threads", 1, "--shuffle"], {"threads": 1, "shuffle": True}),
    "budget": (["--budget", "24M", "--shuffle"], {"budget": "24M", "shuffle": True}),
    "not placed": (["--numa", "off"], {"numa": False}),
    "cached": (["--io", "cached", "--shuffle"], {"io": "cached", "shuffle": True}),
    "by threads": (["--io", "threads", "--io-depth", 3], {"io": "threads", "io_depth": 3}),
    "fields": (["--fields", "y,X"], {"fields": ["y", "X"]}),
    "finished": (["--finish", "X=float16"], {"finish": {"X": "float16"}}),
}


@pytest.mark.parametrize("name", OPTIONS)
def test_order__with_each_option__is_that_of_the_command(name, path, data, tmp_path, monkeypatch):
    monkeypatch.chdir(path.parent)
    args, options = OPTIONS[name]
    options = {key: value(data) if key == "subset" else value for key, value in options.items()}
    part = ["--part", 1] if "--split" in args else []
    wanted = order_of(path, tmp_path, "--batch", BATCH, "--epochs", 2, *args, *(part and []))
    got = []
    with data.loader(batch=BATCH, **options) as loader:
        for _ in range(2):
            for batch in loader:
                assert np.array_equal(batch["y"], batch.indices)
                got.append(batch.indices)
    assert np.array_equal(np.concatenate(got), wanted)


def test_order__as_the_epochs_go_on__is_another_in_each(data):
    with data.loader(batch=BATCH, shuffle=True, seed=1) as loader:
        epochs = [an_epoch(loader) for _ in range(3)]
    for epoch in epochs:
        assert sorted(epoch) == list(range(SAMPLES))
    assert not np.array_equal(epochs[0], epochs[1]) and not np.array_equal(epochs[1], epochs[2])
    assert np.array_equal(an_epoch(data.loader(batch=BATCH, shuffle=True, seed=1, first_epoch=2)), epochs[2])


def test_finish__of_a_field__is_what_it_says(data):
    finish = {"X": hr.Finish("float32", scale=[0.5], shift=[-1.0])}
    batch = next(iter(data.loader(batch=BATCH, finish=finish)))
    assert np.array_equal(batch["X"], rows_of(batch["y"])["X"] * np.float32(0.5) - np.float32(1))
    whole = rows_of(np.arange(SAMPLES))["X"].astype(np.float64)
    standard = np.concatenate(
        [b.copy()["X"] for b in data.loader(batch=BATCH, finish={"X": hr.Finish(standardize=True)})]
    )
    assert np.allclose(standard, (whole - whole.mean()) / whole.std(), atol=1e-3)
    with pytest.raises(hr.InvalidError, match="scale has 2 entries and shift 3"):
        data.loader(batch=1, finish={"X": hr.Finish("float32", scale=[1, 2], shift=[1, 2, 3])})


def test_check_finite__of_a_field_with_nan__counts_and_places_them(tmp_path):
    x = np.arange(100, dtype=np.float32)
    x[[17, 63]] = np.nan
    np.save(tmp_path / "x.npy", x)
    good("convert", "x.npy", "-o", "x.hrd", "--quiet", cwd=tmp_path)
    with (
        hr.open(tmp_path / "x.hrd") as data,
        data.loader(batch=10, finish={"x": hr.Finish(check_finite=True)}) as loader,
    ):
        bad = {batch.number: batch.bad_values("x") for batch in loader}
        assert [bad[number]["num_nan"] for number in range(10)] == [0, 1, 0, 0, 0, 0, 1, 0, 0, 0]
        assert loader.bad_values("x")["num_nan"] == 2 and loader.bad_values("x")["first_sample"] == 17
        with pytest.raises(hr.FieldNotFoundError):
            loader.bad_values("z")
    with hr.open(tmp_path / "x.hrd") as data, data.loader(batch=10) as loader:
        assert all(batch.bad_values("x") is None for batch in loader) and loader.bad_values("x") is None


def test_padding__of_the_last_batch__is_named_row_by_row(data):
    loader = data.loader(batch=BATCH, last="pad", held=20)
    whole = list(loader)
    assert [batch.num_padding for batch in whole[:-1]] == [0] * (len(whole) - 1)
    last = whole[-1]
    assert last.num_samples == BATCH and last.num_padding == len(whole) * BATCH - SAMPLES
    assert last.padding.sum() == last.num_padding and last.padding.dtype == bool
    assert sorted(y for batch in whole for y in batch["y"][~batch.padding]) == list(range(SAMPLES))


@pytest.mark.parametrize("last", ["keep", "drop", "pad"])
def test_len__of_a_loader__is_the_batches_of_each_epoch_on_each_rank(data, last):
    for ranks in (1, 3):
        for rank in range(ranks):
            loader = data.loader(batch=BATCH, last=last, rank=rank, world_size=ranks, shuffle=True, epochs=1)
            assert len(loader) == sum(1 for _ in loader) == loader.plan()["batches_per_epoch"]
            assert loader.local_batch == BATCH // ranks and loader.batch == BATCH


@pytest.fixture(scope="module")
def many_chunks(tmp_path_factory):
    with hr.open(write_indexed(tmp_path_factory.mktemp("many"), 3000, chunk_bytes="1K")) as opened:
        yield opened


def test_ranks__of_each_world_size__share_the_same_batches(many_chunks):
    options = {"batch": BATCH, "shuffle": True, "seed": 3, "streams": 4, "last": "drop", "epochs": 1}
    wanted = [sorted(rows) for _, _, rows in all_of(many_chunks.loader(**options))]
    for world_size in (2, 4):
        shares = [all_of(many_chunks.loader(rank=rank, world_size=world_size, **options)) for rank in range(world_size)]
        together = [sorted(y for share in shares for y in share[number][2]) for number in range(len(wanted))]
        assert together == wanted


def test_ranks__from_the_environment__are_those_of_the_launcher(data, monkeypatch):
    for name, value in {"RANK": "1", "WORLD_SIZE": "2", "LOCAL_RANK": "1", "TORCHELASTIC_RUN_ID": "x"}.items():
        monkeypatch.setenv(name, value)
    found = hr.rank_from_environment()
    assert (found.rank, found.world_size) == (1, 2)
    by_environment = all_of(data.loader(batch=BATCH, ranks=True, epochs=1))
    assert by_environment == all_of(data.loader(batch=BATCH, rank=1, world_size=2, epochs=1))
    with pytest.raises(hr.InvalidError, match="give one of them"):
        data.loader(batch=BATCH, ranks=True, rank=0)


WRONG = {
    "shuffle": ["no", "", 2, [True], 0.0],
    "writable": ["no"],
    "numa": ["no", None],
    "pageable": ["no"],
    "truncate": ["no"],
    "pad": [3, ["X"], {"nothing": 3}, {"X": 3}, {3: 3}],
    "resume": [3, "train.hrd", b"x" * 256],
    "rank": [1, -1, "a"],
    "streams": [3],
    "subset": [range(3)],
    "max_bytes": ["lots", -1, []],
    "batch": [0, -1, 1.5, "a", None, True, 2**32],
    "seed": [-1, 2**64, 1],
    "window": [-1, 3],
    "epochs": [0, -2, 0.5],
    "last": ["some", ["keep"]],
    "fields": ["X", [], ["Z"], [3], {"X": 1}],
    "finish": [{"X": "nonsense"}, {"Z": "float32"}, "float32", {"X": hr.Finish(scale="a")}, {"X": hr.Finish(chw="no")}],
    "budget": ["lots", -1, "5X", []],
    "threads": [-1],
    "io": ["fast"],
    "held": [0],
    "world_size": [0, 3],
    "device": ["gpu", "cuda:x", -1, 256, True],
    "device_budget": ["some"],
    "trace_events": [-1],
}


@pytest.mark.parametrize(("option", "value"), [(option, value) for option, values in WRONG.items() for value in values])
def test_option__with_a_wrong_value__is_refused_at_once_with_its_name(data, option, value, folder, monkeypatch):
    monkeypatch.chdir(folder)
    words = "train.hrd: this is no state of a loader" if value == "train.hrd" else option.split("_")[0]
    with pytest.raises((hr.InvalidError, hr.NotFoundError, hr.CorruptError), match=words):
        data.loader(**{"batch": 8, option: value})


def test_fields__that_options_name__are_among_those_delivered(data):
    with pytest.raises(hr.NotFoundError, match=r"fields names 'Z', and .*train.hrd has no such field; it has 'X', 'y'"):
        data.loader(8, fields=["X", "Z"])
    with pytest.raises(hr.InvalidError, match="finish names 'X', which fields leaves out"):
        data.loader(8, fields=["y"], finish={"X": "float32"})


def test_seed__without_a_word_on_shuffle__is_refused(data):
    with pytest.raises(hr.InvalidError, match="seed is of shuffle=True, which is missing"):
        data.loader(8, seed=1)
    assert an_epoch(data.loader(500, shuffle=False, seed=1)).tolist() == list(range(SAMPLES))
    assert an_epoch(data.loader(500, shuffle=np.True_, seed=1)).tolist() != list(range(SAMPLES))


def test_option__that_does_not_exist__is_a_type_error(data):
    with pytest.raises(TypeError):
        data.loader(batch=8, shufle=True)


# Epochs.


def test_loops__over_a_loader__are_its_epochs(data):
    with data.loader(batch=100, epochs=3) as loader:
        assert [(epoch, number) for epoch, number, _ in all_of(loader)] == [(e, n) for e in range(3) for n in range(10)]
        assert list(loader) == [] and loader.step == 30


def test_loops__after_all_epochs_and_a_close__are_empty(data):
    loader = data.loader(batch=100, epochs=2)
    assert len(all_of(loader)) == 20
    loader.close()
    assert list(loader) == []
    assert list(data.loader(batch=100, epochs=2, resume=loader.state())) == []


@pytest.mark.parametrize("close", [True, False])
def test_loop__after_all_epochs__is_warned_of_each_time(data, close):
    loader = data.loader(batch=100, epochs=1)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        assert sum(1 for _ in loader) == 10 and not told
        if close:
            loader.close()
        for _ in range(2):
            assert list(loader) == []
        loader.rewind()
        assert sum(1 for _ in loader) == 10
    assert [one.category for one in told] == [hr.HeadraceWarning] * 2
    assert "this loop gets no batches, as all epochs of the loader (epochs=1) were" in str(told[0].message)
    assert told[0].filename == __file__


def test_loop__after_a_break__goes_on_with_the_very_next_batch(data):
    loader = data.loader(batch=100, shuffle=True, epochs=2)
    wanted = all_of(data.loader(batch=100, shuffle=True, epochs=2))
    got = []
    while len(got) < len(wanted):
        for batch in loader:
            got.append((batch.epoch, batch.number, batch["y"].tolist()))
            if len(got) % 3 == 0:
                break
    assert got == wanted and list(loader) == []


def test_two_loops__over_one_loader__share_its_epoch(data):
    loader = data.loader(batch=100, held=4)
    first, second = iter(loader), iter(loader)
    numbers = []
    for iterator in (first, second, first, first, second) * 2:
        numbers.append(next(iterator).number)
    assert numbers == list(range(10))
    assert next(first, None) is None
    assert next(second, None) is None
    assert [batch.epoch for batch in loader] == [1] * 10


def test_threads__over_one_iterator__share_exactly_one_epoch(data):
    """One of them may wait from before the first batch until after the last."""
    with data.loader(batch=400, shuffle=True, held=8) as loader:
        for epoch in range(300):
            iterator, got = iter(loader), []

            def consume(iterator=iterator, got=got):
                got.extend((batch.epoch, batch.number, batch.num_samples) for batch in iterator)

            threads = [threading.Thread(target=consume) for _ in range(4)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            assert sorted(got) == [(epoch, 0, 400), (epoch, 1, 400), (epoch, 2, 200)]
        assert next(iter(loader)).number == 0


def test_first_epoch__and_epochs__are_counted_from_there(data):
    loader = data.loader(batch=100, first_epoch=5, epochs=2)
    assert [epoch for epoch, *_ in all_of(loader)] == [5] * 10 + [6] * 10
    resumed = data.loader(batch=100, first_epoch=5, epochs=2, resume=data.loader(batch=100).state(step=63))
    assert [(epoch, number) for epoch, number, _ in all_of(resumed)] == [(6, number) for number in range(3, 10)]


def test_rewind__to_an_epoch__begins_there(data):
    loader = data.loader(batch=100, shuffle=True)
    epochs = [an_epoch(loader) for _ in range(2)]
    for epoch in (1, 0, 1):
        loader.rewind(epoch)
        assert loader.step == 10 * epoch and np.array_equal(an_epoch(loader), epochs[epoch])
    iterator = iter(loader)
    next(iterator)
    loader.rewind()
    with pytest.raises(hr.ClosedError):
        next(iterator)
    assert np.array_equal(an_epoch(loader), epochs[0])


# Resume.

OTHERS = [{}, {"threads": 1}, {"budget": "40M"}, {"io": "cached", "held": 5}]


@pytest.mark.parametrize("shuffle", [False, True])
def test_resume__at_every_batch__goes_on_with_the_next(data, shuffle, tmp_path):
    options = {"batch": BATCH, "shuffle": shuffle, "seed": 2, "epochs": 2}
    wanted = all_of(data.loader(**options))
    steps = len(wanted)
    for step in range(steps + 1):
        with data.loader(**options) as loader:
            taken = 0
            while taken < step:
                for _ in loader:
                    taken += 1
                    if taken == step:
                        break
            assert loader.step == step
            place = loader.state()
            loader.checkpoint(tmp_path / "place")
        assert place == (tmp_path / "place").read_bytes() and os.listdir(tmp_path) == ["place"]
        resume = place if step % 2 else tmp_path / "place"
        resumed = data.loader(**{**options, **OTHERS[step % len(OTHERS)]}, resume=resume)
        assert resumed.step == step and all_of(resumed) == wanted[step:]


@pytest.mark.parametrize("part", [None, (100, 700)])
def test_resume__sequential__needs_no_seed(data, part, tmp_path):
    options = {"batch": BATCH, "subset": data.subset(*part) if part else None, "shuffle": False}
    wanted = all_of(data.loader(**options, epochs=2))
    place = data.loader(**options, epochs=2, seed=2).state(step=3)
    resumed = data.loader(**options, epochs=2, seed=9, resume=place)
    assert all_of(resumed) == wanted[3:]
    (tmp_path / "place").write_bytes(place)
    data.loader(**options, epochs=2, resume=tmp_path / "place").checkpoint(tmp_path / "again", step=4)
    assert all_of(data.loader(**options, epochs=2, seed=2, resume=tmp_path / "again")) == wanted[4:]


def test_state__of_a_step__is_the_place_before_that_batch(data, tmp_path):
    options = {"batch": BATCH, "shuffle": True, "epochs": 3}
    wanted = all_of(data.loader(**options))
    loader = data.loader(**options)
    next(iter(loader))
    for step in (0, 1, 10, 11, 12, 20, 25, 32):
        for asked in (loader, data.loader(**options)):
            asked.checkpoint(tmp_path / "place", step=step)
            resumed = data.loader(**options, resume=tmp_path / "place")
            assert resumed.step == step and all_of(resumed) == wanted[step:]
    for wrong in (-1, 0.5, "1"):
        with pytest.raises(hr.InvalidError, match="step is"):
            loader.state(step=wrong)


def test_state__while_loops_are_under_way__counts_what_was_delivered(data):
    with data.loader(batch=100) as loader:
        assert loader.step == 0
        for number, _ in enumerate(loader):
            assert loader.step == number + 1
        assert loader.step == 10


def test_checkpoint__and_the_command__read_each_others_files(data, path, tmp_path):
    loader = data.loader(batch=BATCH, shuffle=True, seed=4)
    for batch in loader:
        if batch.number == 4:
            break
    loader.checkpoint(tmp_path / "ours")
    by_command = order_of(path, tmp_path, "--batch", BATCH, "--shuffle", "--seed", 4, "--resume", tmp_path / "ours")
    assert np.array_equal(
        by_command, an_epoch(data.loader(batch=BATCH, shuffle=True, seed=4, resume=tmp_path / "ours"))
    )
    good("epoch", path, "--batch", BATCH, "--max-batches", 3, "--save-state", tmp_path / "theirs", "--quiet")
    assert data.loader(batch=BATCH, resume=tmp_path / "theirs").step == 3


def test_resume__of_other_ranks__goes_on_with_the_same_batches(many_chunks):
    options = {"batch": BATCH, "shuffle": True, "streams": 4, "last": "drop", "epochs": 2}
    wanted = [sorted(rows) for _, _, rows in all_of(many_chunks.loader(**options))]
    assert len(wanted) > 20
    place = many_chunks.loader(rank=1, world_size=2, **options).state(step=7)
    shares = [all_of(many_chunks.loader(rank=rank, world_size=4, resume=place, **options)) for rank in range(4)]
    assert [sorted(y for share in shares for y in share[k][2]) for k in range(len(shares[0]))] == wanted[7:]


def test_resume__with_another_order_or_data__is_refused(data, tmp_path):
    place = data.loader(batch=BATCH, shuffle=True, seed=1).state(step=3)
    for changed in (
        {"seed": 2},
        {"batch": BATCH + 1},
        {"shuffle": False},
        {"window": 3},
        {"streams": 2},
        {"subset": data.subset(0, 500)},
    ):
        with pytest.raises(hr.MismatchError):
            next(iter(data.loader(**{"batch": BATCH, "shuffle": True, "seed": 1, **changed}, resume=place)))
    write_indexed(tmp_path, SAMPLES)
    with hr.open(tmp_path / "train.hrd") as other, pytest.raises(hr.MismatchError):
        next(iter(other.loader(batch=BATCH, shuffle=True, seed=1, resume=place)))


def test_resume__of_what_is_no_state__is_refused_with_words(data, tmp_path):
    place = data.loader(batch=BATCH).state()
    (tmp_path / "short").write_bytes(place[:100])
    (tmp_path / "empty").write_bytes(b"")
    flipped = bytearray(place)
    flipped[90] ^= 1
    for resume in (tmp_path / "short", tmp_path / "empty", bytes(flipped), b"", b"x" * 256):
        with pytest.raises(hr.CorruptError):
            next(iter(data.loader(batch=BATCH, resume=resume)))
    with pytest.raises(FileNotFoundError, match="none: no state can be read from it"):
        data.loader(batch=BATCH, resume=tmp_path / "none")
    with pytest.raises(hr.IoError):
        data.loader(batch=BATCH).checkpoint(tmp_path / "no" / "place")


# What it says of itself.


def test_report__of_a_loop__says_what_limits(data):
    loader = data.loader(batch=BATCH)
    for ask in (loader.report, loader.info):
        with pytest.raises(hr.InvalidError, match="no loop over this loader has begun"):
            ask()
    with pytest.raises(hr.ClosedError):
        loader.bad_values("X")
    an_epoch(loader)
    report = loader.report()
    assert report.figures["batches_delivered"] == len(loader) and report.sentence in str(report)
    assert report.as_dict()["limit"] == report.limit and report.sentence in repr(report) and "<" in report._repr_html_()
    json.dumps(report.as_dict())
    assert loader.info()["batches_delivered"] == len(loader) and loader.info()["dataset_samples"] == SAMPLES
    loader.close()
    assert loader.report().figures["batches_delivered"] == len(loader) == loader.info()["batches_delivered"]


def test_plan__of_a_loader__is_that_of_the_command(data, path):
    ours = data.plan(batch=BATCH, shuffle=True, budget="64M")
    theirs = figures("plan", path, "--batch", BATCH, "--shuffle", "--budget", "64M")
    same = set(ours) & set(theirs) - {"io", "peak_bytes", "fits"}
    assert len(same) > 8 and {name: ours[name] for name in same} == pytest.approx({name: theirs[name] for name in same})


def test_trace__of_a_loop__is_written(data, tmp_path):
    with data.loader(batch=BATCH, trace_events=1000) as loader:
        an_epoch(loader)
        loader.write_trace(tmp_path / "trace.json")
    assert json.loads((tmp_path / "trace.json").read_text())["traceEvents"]
    with pytest.raises(hr.ClosedError):
        loader.write_trace(tmp_path / "again.json")


def test_repr__of_a_loader__says_its_order_and_place(data):
    loader = data.loader(batch=BATCH, shuffle=True)
    assert repr(loader).endswith(f"batches of {BATCH}, shuffled, at rest>")
    iterator = iter(loader)
    assert repr(loader).endswith("under way>") and next(iterator).num_held == 1
    assert headrace("epoch", "none.hrd").returncode != 0


@pytest.mark.parametrize(("epoch", "number"), [(-1, 0), (0, -1), (0, 10**6), (1.5, 0)])
def test_rewind__to_no_such_place__refused_and_the_place_is_kept(data, epoch, number):
    loader = data.loader(batch=100)
    next(iter(loader))
    before = loader.state()
    for ask in (loader.rewind, loader.state_at):
        with pytest.raises(hr.InvalidError, match="expected an integer from 0 to"):
            ask(epoch, number)
    assert loader.state() == before


def test_split__seed_that_is_none__refused(data):
    with pytest.raises(hr.InvalidError, match="seed is -1, expected an integer from 0"):
        data.split(0.5, 0.5, seed=-1)
