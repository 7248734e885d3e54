"""Batches of Python and their memory: who keeps it, when it comes back, and that nothing is left."""

import gc
import os
import pickle
import threading
import time

import numpy as np
import pytest

from python_package import check, hr, memory_in_use, rows_of, run_in_child, write_indexed


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("lifetimes")
    write_indexed(made)
    return made


@pytest.fixture
def data(folder):
    with hr.open(folder / "train.hrd") as opened:
        yield opened


def held():
    """Threads, descriptors and budgets of this process. A thread is gone from /proc a moment after it was joined."""
    gc.collect()
    tasks = set()
    for _ in range(100):
        tasks = set(os.listdir("/proc/self/task"))
        names = [name_of(task) for task in tasks]
        if not any(name.startswith("hr-") for name in names):
            break
        time.sleep(0.01)
    return len(tasks), sorted(map(link_of, os.listdir("/proc/self/fd")), key=str), memory_in_use()


def name_of(task):
    try:
        with open(f"/proc/self/task/{task}/comm") as file:
            return file.read()
    except OSError:
        return ""


def link_of(descriptor):
    try:
        return os.readlink(f"/proc/self/fd/{descriptor}")
    except OSError:
        return None


@pytest.fixture
def nothing_left(data):
    """What a test holds afterwards is what it held before."""
    before = held()
    yield
    assert held() == before


def threads_of_headrace():
    return sum(name_of(task).startswith("hr-") for task in os.listdir("/proc/self/task"))


# Views and batches.


def test_views__of_a_batch__are_of_its_memory_and_the_callers(data):
    batch = next(iter(data.loader(batch=10)))
    first, again = batch["X"], batch["X"]
    assert np.shares_memory(first, again) and first.flags.writeable and first.ctypes.data % 64 == 0
    first[0] = -1
    assert (batch["X"][0] == -1).all() and np.array_equal(data["X"][0], rows_of([0])["X"][0])


def test_views__with_writable_false__cannot_be_written(data):
    batch = next(iter(data.loader(batch=10, writable=False)))
    with pytest.raises(ValueError, match="read-only"):
        batch["X"][0] = 1
    assert (
        not batch["X"].flags.writeable and not batch["y"].base.flags.writeable
        if hasattr(batch["y"].base, "flags")
        else True
    )
    assert batch.copy()["X"].flags.writeable


def test_view__of_a_batch_that_is_gone__keeps_its_memory(data):
    loader = data.loader(batch=10, held=2)
    iterator = iter(loader)
    views = [next(iterator)["y"][3:5]]
    for batch in iterator:
        assert batch.num_held == 2 and batch["y"][0] == 10 * batch.number
        del batch
    assert list(views[0]) == [3, 4]


def test_busy__of_enumerate__names_it_and_what_to_do(data):
    def loop(make, held):
        for number, item in enumerate(make(data.loader(batch=100, held=held))):
            assert item[-1].number == number

    for make in (enumerate, lambda loader: zip(range(100), loader, strict=False)):
        with pytest.raises(hr.BusyError, match=r"2 batches are held, as many as held=2 .* enumerate.* with held=3 or"):
            loop(make, 2)
        loop(make, 3)
    assert sum(1 for _, batch in enumerate(data.loader(batch=100, epochs=1))) == 10


@pytest.mark.parametrize(
    "derive",
    [
        lambda array: array[2:4],
        lambda array: array.reshape(-1)[::3],
        lambda array: memoryview(array),
        lambda array: np.frombuffer(array, np.uint8),
        lambda array: array.view(np.uint8),
        lambda array: iter(array),
        lambda array: np.lib.stride_tricks.as_strided(array, (2,), (4,)),
        lambda array: array.__array_interface__ and array.T,
        lambda array: np.from_dlpack(array) if hasattr(np, "from_dlpack") else array,
    ],
)
def test_slot__with_anything_derived_from_a_view__is_not_used_again(data, derive):
    iterator = iter(data.loader(batch=10, held=1))
    batch = next(iterator)
    derived = derive(batch["X"])
    del batch
    with pytest.raises(hr.BusyError):
        next(iterator)
    del derived
    assert next(iterator).number == 1


def test_slot__when_the_last_view_is_gone__comes_back(data):
    iterator = iter(data.loader(batch=10, held=1))
    for number in range(20):
        batch = next(iterator)
        views = [batch["X"], batch["y"], batch["X"][2]]
        assert batch.number == number
        del batch
        while views:
            with pytest.raises(hr.BusyError):
                next(iterator)
            views.pop()


def test_next__while_all_are_held__is_an_error_that_says_how_to_copy(data):
    iterator = iter(data.loader(batch=10, held=3))
    batches = [next(iterator) for _ in range(3)]
    with pytest.raises(hr.BusyError) as raised:
        next(iterator)
    assert "3 batches are held" in str(raised.value) and "batch.copy()" in str(raised.value)
    assert "held=4 or more" in str(raised.value)
    del batches[1]
    assert next(iterator).number == 3


def test_next__while_cycles_hold_all__collects_them(data):
    iterator = iter(data.loader(batch=10, held=2))
    gc.disable()
    try:
        for number in range(50):
            batch = next(iterator)
            assert batch.number == number
            cycle = [batch["X"], batch]
            cycle.append(cycle)
            del batch, cycle
    finally:
        gc.enable()


def test_copies__of_batches__hold_nothing(data):
    copies = [batch.copy() for batch in data.loader(batch=10)]
    assert len(copies) == 100
    for number, rows in enumerate(copies):
        check(rows)
        assert rows["y"][0] == 10 * number


def test_release__while_a_view_lives__raises_buffer_error(data):
    batch = next(iter(data.loader(batch=10)))
    view = batch["X"]
    part = batch["y"][2:]
    with pytest.raises(BufferError, match="arrays of 'X', 'y' are still in use; delete them"):
        batch.release()
    del view
    with pytest.raises(BufferError, match="arrays of 'y' are"):
        batch.release()
    assert batch["X"].shape == (10, 4, 6) and not batch.released
    del part
    batch.release()
    batch.release()
    assert batch.released and "released" in repr(batch)
    for use in (lambda: batch["X"], lambda: batch.copy(), lambda: dict(batch), lambda: list(batch.items())):
        with pytest.raises(hr.ClosedError, match="batch 0 of epoch 0 was released"):
            use()
    assert (batch.number, batch.num_samples, list(batch)) == (0, 10, ["X", "y"])


def test_release__of_a_batch__gives_the_slot_back_at_once(data):
    iterator = iter(data.loader(batch=10, held=1))
    batches = []
    for _ in range(30):
        with next(iterator) as batch:
            check(batch)
        batches.append(batch)
    assert [batch.number for batch in batches] == list(range(30))
    with pytest.raises(hr.ClosedError):
        batches[3].indices  # noqa: B018


def test_batch__as_a_mapping__has_the_fields(data):
    iterator = iter(data.loader(batch=10, fields=["y", "X"]))
    batch = next(iterator)
    assert list(batch) == ["y", "X"] and len(batch) == 2 and "X" in batch and "Z" not in batch
    assert set(batch.keys()) == {"X", "y"} and len(batch.values()) == 2
    with pytest.raises(KeyError, match="the batch has no field 'Z'; it has 'y', 'X'"):
        batch["Z"]
    assert list(batch.indices) == list(range(10)) and not batch.padding.any()


def test_batch__after_its_loop_was_left__has_its_arrays_but_not_its_indices(data):
    batch = next(iter(data.loader(batch=10)))
    check(batch)
    assert not batch.padding.any()
    with pytest.raises(
        hr.ClosedError, match="batch 0 of epoch 0: its loop has ended or was left; ask while it is under way"
    ):
        batch.indices  # noqa: B018


def test_pickle__of_batches_loaders_and_iterators__is_refused_with_words(data):
    loader = data.loader(batch=10)
    iterator = iter(loader)
    for made, words in (
        (next(iterator), "pickle batch.copy()"),
        (loader, "pickle its data set, and state"),
        (iterator, "a loop over a loader cannot be pickled"),
    ):
        with pytest.raises(hr.UnsupportedError) as raised:
            pickle.dumps(made)
        assert words in str(raised.value)


def test_next__after_an_interrupt_while_its_fields_were_read__has_them_all(data, monkeypatch):
    real, made = hr._stream.BatchField, []

    def interrupted(*args):
        made.append(args)
        if len(made) == 2:
            raise KeyboardInterrupt
        return real(*args)

    monkeypatch.setattr(hr._stream, "BatchField", interrupted)
    iterator = iter(data.loader(batch=10))
    with pytest.raises(KeyboardInterrupt):
        next(iterator)
    batch = next(iterator)
    assert batch.number == 0 and list(batch) == ["X", "y"]
    check(batch)


@pytest.mark.parametrize("ends", ["the loop", "the loader", "the data set"])
def test_next__in_which_a_collection_ends_the_loop__is_refused_and_the_next_goes_on(folder, monkeypatch, ends):
    with hr.open(folder / "train.hrd") as data:
        loader = data.loader(batch=10, held=1)
        assert len(loader) == 100
        iterator = iter(loader)
        batch = next(iterator)
        close = {"the loop": iterator.close, "the loader": loader.close, "the data set": data.close}[ends]
        monkeypatch.setattr(hr._stream.gc, "collect", close)
        found = []

        def consume():
            try:
                next(iterator)
            except hr.ClosedError as error:
                found.append(error)

        thread = threading.Thread(target=consume, daemon=True)
        thread.start()
        thread.join(20)
        assert len(found) == 1 and loader.step == 1
        assert threads_of_headrace() == 0 and list(batch["y"]) == list(range(10))
        if ends != "the data set":
            assert next(iter(loader)).number == 1


# Nothing is left.


def test_loop__left_by_break__gives_everything_back(data, nothing_left):
    loader = data.loader(batch=10, shuffle=True)
    for batch in loader:
        if batch.number == 5:
            break
    assert threads_of_headrace() == 0 or "batch" in locals()
    del batch


def test_loop__left_by_break_with_a_batch__keeps_only_the_batch(data, nothing_left):
    loader = data.loader(batch=10)
    before = memory_in_use()
    for batch in loader:
        view = batch["y"]
        break
    assert threads_of_headrace() == 0
    assert before < memory_in_use() and list(view) == list(range(10))
    del view, batch
    assert memory_in_use() == before


def fail_at(number, loader):
    for batch in loader:
        1 // (number - batch.number)


def test_loop__left_by_an_exception__gives_everything_back(data, nothing_left):
    loader = data.loader(batch=10)
    with pytest.raises(ZeroDivisionError):
        fail_at(7, loader)
    assert loader.step == 8


def test_iterator__that_is_collected__gives_everything_back(data, nothing_left):
    iterator = iter(data.loader(batch=10))
    next(iterator)
    assert threads_of_headrace() > 0
    del iterator
    assert threads_of_headrace() == 0


def test_iterator__in_a_cycle__is_collected_with_all_that_it_has(folder):
    before = held()
    for _ in range(20):
        opened = hr.open(folder / "train.hrd")
        loader = opened.loader(batch=10, shuffle=True)
        iterator = iter(loader)
        cycle = [next(iterator)["X"], iterator, loader, opened]
        cycle.append(cycle)
        del opened, loader, iterator, cycle
    assert held() == before


def test_cell__run_again_in_the_middle__goes_on_without_the_old_loop(data, nothing_left):
    names = {"data": data}
    cell = compile(
        "loader = data.loader(batch=10)\niterator = iter(loader)\nbatch = next(iterator)\nview = batch['X']",
        "cell",
        "exec",
    )
    exec(cell, names)
    once = memory_in_use()
    for _ in range(10):
        exec(cell, names)
    assert memory_in_use() == once
    names.clear()


def test_loop__to_the_end_of_the_last_epoch_and_close__give_everything_back(data, nothing_left):
    with data.loader(batch=10, epochs=2) as loader:
        assert sum(1 for _ in loader) == 100 and threads_of_headrace() > 0
        assert sum(1 for _ in loader) == 100
    assert threads_of_headrace() == 0


def test_generator__that_is_left__gives_everything_back(data, nothing_left):
    def batches():
        for batch in data.loader(batch=10):
            yield batch["X"]

    for number, _ in enumerate(batches()):
        if number == 3:
            break


def test_loops__that_fail_to_open__leave_nothing(data, nothing_left):
    for _ in range(5):
        with pytest.raises(hr.BudgetError):
            iter(data.loader(batch=10, budget="64K"))
        with pytest.raises(hr.NotFoundError):
            iter(data.loader(batch=10, fields=["Z"]))


def close_within(loader, data, batches):
    for batch in loader:
        batches.append(batch)
        data.close()


def test_close__of_the_data_set_in_a_loop__ends_it_and_leaves_what_is_held(folder):
    before = held()
    data = hr.open(folder / "train.hrd")
    loader = data.loader(batch=10)
    batches = []
    with pytest.raises(hr.ClosedError, match="the loader is closed"):
        close_within(loader, data, batches)
    assert list(batches[0]["y"]) == list(range(10))
    check(batches[0])
    with pytest.raises(hr.ClosedError):
        next(iter(loader))
    del batches, loader, data
    assert held() == before


@pytest.mark.parametrize("end", ["loader", "data", "iterator"])
def test_close__while_another_thread_waits_for_batches__ends_it(folder, end):
    data = hr.open(folder / "train.hrd")
    loader = data.loader(batch=10, held=2)
    iterator = iter(loader)
    ended = []

    def consume():
        try:
            while True:
                check(next(iterator))
        except (hr.ClosedError, StopIteration) as error:
            ended.append(error)

    threads = [threading.Thread(target=consume) for _ in range(3)]
    for thread in threads:
        thread.start()
    {"loader": loader, "data": data, "iterator": iterator}[end].close()
    for thread in threads:
        thread.join(20)
    assert len(ended) == 3
    data.close()


# Fork.


def test_fork__with_a_live_loader__raises_in_the_child_and_goes_on_in_the_parent(data):
    loader = data.loader(batch=10, held=3)
    iterator = iter(loader)
    batch = next(iterator)
    view = batch["y"]

    def work():
        for use in (
            lambda: next(iterator),
            loader.state,
            loader.report,
            lambda: batch["X"],
            lambda: batch.indices,
            lambda: batch.copy(),
            lambda: list(batch),
        ):
            with pytest.raises(hr.ForkedError) as raised:
                use()
            assert isinstance(raised.value, RuntimeError) and len(str(raised.value)) > 30
        assert list(view) == list(range(10)) and "Batch 0" in repr(batch)
        for own in data.loader(batch=10, epochs=1):
            check(own)
        loader.close()
        data.close()

    assert run_in_child(work) == 0
    numbers = []
    for following in iterator:
        numbers.append(following.number)
        check(following)
    assert numbers == list(range(1, 100))


def test_fork__while_a_thread_waits_for_batches__leaves_a_child_that_can_end(data):
    loader = data.loader(batch=10, held=4)
    iterator = iter(loader)
    stop = threading.Event()

    def consume():
        while not stop.is_set():
            for batch in loader:
                check(batch)

    threads = [threading.Thread(target=consume) for _ in range(2)]
    for thread in threads:
        thread.start()

    def work():
        with pytest.raises(hr.ForkedError):
            next(iterator)
        loader.close()
        assert data["y"][5] == 5
        gc.collect()

    try:
        for _ in range(20):
            assert run_in_child(work) == 0
    finally:
        stop.set()
        for thread in threads:
            thread.join()
