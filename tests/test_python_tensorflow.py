"""hr.tensorflow() with the real TensorFlow: every row is the sample that its index names, tensors lie in the memory of
batches, epochs are those of the order, and memory is given back."""

import gc
import os
import threading

import numpy as np
import pytest

from python_package import check, hr, memory_in_use, write_indexed

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
tf = pytest.importorskip("tensorflow", exc_type=ImportError)

N, BATCH, PER_EPOCH = 1000, 64, 16


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    with hr.open(write_indexed(tmp_path_factory.mktemp("data"), N)) as opened:
        yield opened


def samples(batches):
    return np.concatenate([batch["y"].numpy() for batch in batches])


def epochs_of(data, first, count, **options):
    loader = data.loader(BATCH, fields=["y"], first_epoch=first, **options)
    return [np.concatenate([np.array(batch["y"]) for batch in loader]) for _ in range(count)]


@pytest.mark.parametrize("shuffle", [False, True])
def test_loop__whole__is_an_epoch_and_the_next_loop_the_next(data, shuffle):
    batches = hr.tensorflow(data, BATCH, shuffle=shuffle, seed=5)
    for expected in epochs_of(data, 0, 3, shuffle=shuffle, seed=5):
        looped = list(batches)
        assert len(looped) == PER_EPOCH
        for batch in looped:
            check(batch)
        assert np.array_equal(samples(looped), expected)


def test_repeat__prefetched__is_one_epoch_after_the_other(data):
    batches = hr.tensorflow(data, BATCH, shuffle=True, seed=5).repeat(3).prefetch(tf.data.AUTOTUNE)
    assert np.array_equal(samples(batches), np.concatenate(epochs_of(data, 0, 3, shuffle=True, seed=5)))


def test_loop__left_early__has_had_its_epoch(data):
    batches = hr.tensorflow(data, BATCH, shuffle=True, seed=5)
    first, second = epochs_of(data, 0, 2, shuffle=True, seed=5)
    assert np.array_equal(samples(batches.take(3)), first[: 3 * BATCH])
    assert np.array_equal(samples(batches), second)


def test_loops__two_at_once__do_not_disturb_each_other(data):
    batches = hr.tensorflow(data, BATCH, shuffle=True, seed=5)
    pairs = list(tf.data.Dataset.zip((batches, batches)))
    expected = epochs_of(data, 0, 2, shuffle=True, seed=5)
    found = sorted((samples(side) for side in zip(*pairs)), key=lambda side: not np.array_equal(side, expected[0]))
    assert all(np.array_equal(ours, theirs) for ours, theirs in zip(found, expected))


def test_resume__at_a_place__the_first_loop_is_the_rest(data):
    state = data.loader(BATCH, shuffle=True, seed=5).state(step=PER_EPOCH + 10)
    batches = hr.tensorflow(data, BATCH, shuffle=True, seed=5, resume=state)
    second, third = epochs_of(data, 1, 2, shuffle=True, seed=5)
    assert np.array_equal(samples(batches), second[10 * BATCH :])
    assert np.array_equal(samples(batches), third)


def test_spec__by_options__says_what_comes(data):
    def spec(**options):
        return tf.nest.map_structure(lambda s: (s.shape.as_list(), s.dtype), made(**options).element_spec)

    def made(**options):
        return hr.tensorflow(data, BATCH, **options)

    rows, labels = ([None, 4, 6], tf.float32), ([None], tf.int64)
    assert spec() == {"X": rows, "y": labels}
    assert spec(fields=["y"]) == {"y": labels}
    assert spec(x="X", y="y") == (rows, labels) and spec(x="X") == (rows,)
    assert spec(x={"left": "X", "right": "y"}, y=["y"]) == ({"left": rows, "right": labels}, (labels,))
    assert spec(last="drop")["X"] == ([BATCH, 4, 6], tf.float32)
    assert spec(last="drop", rank=1, world_size=2)["X"] == ([None, 4, 6], tf.float32)
    assert spec(finish={"X": "float16"}, fields=["X"])["X"] == ([None, 4, 6], tf.float16)


def test_options__that_do_not_fit__are_refused_in_words(data):
    for wrong, words in (
        ({"device": "cuda:0"}, "leave device out"),
        ({"epochs": 2}, "repeat"),
        ({"y": "y"}, "x is not"),
        ({"x": "X", "fields": ["X"]}, "give one"),
        ({"x": "Z"}, "no field 'Z'"),
    ):
        with pytest.raises(hr.Error, match=words):
            hr.tensorflow(data, BATCH, **wrong)


def test_tensors__few_are_kept__lie_in_the_memory_of_batches(data, monkeypatch):
    given = []
    arrays = hr._feed.arrays

    def noted(*arguments):
        made = arrays(*arguments)
        given.append({name: array.ctypes.data for name, array in made.items()})
        return made

    monkeypatch.setattr(hr._feed, "arrays", noted)
    for number, batch in enumerate(hr.tensorflow(data, BATCH, shuffle=True, seed=5)):
        for name, tensor in batch.items():
            assert np.asarray(memoryview(tensor)).ctypes.data == given[number][name]


@pytest.mark.parametrize("held", [2, 3, 8])
def test_tensors__all_are_kept__stay_as_they_are(data, held):
    kept = list(hr.tensorflow(data, BATCH, shuffle=True, seed=5, held=held).repeat(4))
    gc.collect()
    for batch in kept:
        check(batch)
    assert np.array_equal(np.sort(samples(kept)), np.repeat(np.arange(N), 4))


def test_pipeline__map_and_shuffle_in_threads__every_row_is_right(data):
    def wrong(batch):
        first = tf.cast(batch["y"], tf.float32)[:, None] * 24 + tf.range(24, dtype=tf.float32)
        return batch["y"], tf.reduce_sum(tf.cast(tf.reshape(batch["X"], (-1, 24)) != first, tf.int32))

    batches = hr.tensorflow(data, BATCH, shuffle=True, seed=5, held=6).repeat(5).shuffle(20)
    mapped = list(batches.map(wrong, num_parallel_calls=4).prefetch(8))
    assert sum(int(count) for _, count in mapped) == 0
    assert np.array_equal(np.bincount(np.concatenate([y for y, _ in mapped])), np.full(N, 5))


def test_loops__ended_or_left__memory_is_given_back(data):
    before, threads = memory_in_use(), threading.active_count()
    batches = hr.tensorflow(data, BATCH, shuffle=True)
    for entry in batches:
        del entry
        break
    gc.collect()
    assert memory_in_use() == before
    iterator = iter(batches)
    next(iterator)
    assert memory_in_use() > before
    del iterator
    gc.collect()
    assert memory_in_use() == before
    for _ in batches:
        pass
    assert memory_in_use() > before  # the next epoch is there
    del batches, _
    gc.collect()
    tf.numpy_function(lambda: np.float32(0), [], tf.float32)  # TensorFlow lets go of arrays at its next occasion
    assert memory_in_use() == before and threading.active_count() <= threads


def test_damage__within_the_file__ends_the_loop_with_the_message(tmp_path):
    path = write_indexed(tmp_path, N)
    image = bytearray(path.read_bytes())
    image[image.rindex(b"HRDCHNK") + 100] ^= 1
    path.write_bytes(image)
    with hr.open(path) as damaged, pytest.raises(tf.errors.OpError, match=r"train\.hrd"):
        for _ in hr.tensorflow(damaged, BATCH):
            pass
