"""What must hold with Keras on each backend: run by test_python_keras.py, with KERAS_BACKEND, in another process."""

import contextlib
import gc
import warnings

import keras
import numpy as np
import pytest

from keras_witness import N, Stop, Witness, weights, witness_model
from python_package import hr, memory_in_use, write_indexed

BATCH = 64
PER_EPOCH = 16  # the last with 40 samples
TENSORFLOW = keras.config.backend() == "tensorflow"
OLD_JAX = keras.config.backend() == "jax" and tuple(map(int, keras.__version__.split(".")[:2])) < (3, 15)
READS_AHEAD = TENSORFLOW or OLD_JAX
loses_interrupted = pytest.mark.skipif(OLD_JAX, reason="on JAX older Keras loses the weights of an interrupted fit")


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    with hr.open(write_indexed(tmp_path_factory.mktemp("data"), N)) as opened:
        yield opened


def shuffled(data, **options):
    return hr.keras(data, BATCH, x="X", y="y", shuffle=True, seed=5, **options)


def order(data, num_batches, shuffle=True):
    """Samples of the first batches of the order."""
    loader = data.loader(BATCH, fields=["y"], shuffle=shuffle, seed=5)
    taken = []
    while len(taken) < num_batches:
        taken += [np.array(batch["y"]) for batch in loader]
    loader.close()
    return taken[:num_batches]


def when(batches, first=1):
    """What a Witness has noted after these batches."""
    noted = np.zeros(N)
    for step, samples in enumerate(batches, first):
        noted[samples] = step
    return noted


class EachEpoch(keras.callbacks.Callback):
    def __init__(self, look):
        super().__init__()
        self.seen = []
        self.look = look

    def on_epoch_end(self, epoch, logs=None):
        _ = self.model  # on JAX: the weights as they are now
        self.seen.append(self.look())


@pytest.mark.parametrize("shuffle, shuffle_of_fit", [(True, True), (False, True), (True, False)])
def fit__several_epochs__each_is_one_epoch_of_the_order(data, shuffle, shuffle_of_fit):
    train = hr.keras(data, BATCH, x="X", y="y", shuffle=shuffle, seed=5)
    model, witness = witness_model()
    counts = EachEpoch(lambda: witness.count("trained"))
    model.fit(train, epochs=3, verbose=0, shuffle=shuffle_of_fit, callbacks=[counts])
    for epoch, seen in enumerate(counts.seen):
        assert (seen == epoch + 1).all()
    assert np.array_equal(witness.count("when"), when(order(data, 48, shuffle)[32:], 33))
    assert witness.count("wrong") == 0 and train.step == 3 * PER_EPOCH == 3 * len(train)


def fit__twice_with_initial_epoch__goes_on_with_the_next_epoch(data):
    train = shuffled(data)
    model, witness = witness_model()
    model.fit(train, epochs=1, verbose=0)
    model.fit(train, epochs=3, initial_epoch=1, verbose=0)
    assert (witness.count("trained") == 3).all()
    assert np.array_equal(witness.count("when"), when(order(data, 48)[32:], 33))


def fit__steps_per_epoch__trains_on_the_stream_without_gaps(data):
    train = shuffled(data)
    model, witness = witness_model()
    model.fit(train, epochs=6, steps_per_epoch=4, verbose=0)
    assert np.array_equal(witness.count("when"), when(order(data, 24)))
    assert witness.count("trained").sum() == sum(map(len, order(data, 24)))


@pytest.mark.parametrize("steps", [1, 2, 3])
def fit__again_and_again_with_few_steps__never_trains_on_the_same_batches(data, steps):
    train = shuffled(data)
    model, witness = witness_model()
    for _ in range(3):
        model.fit(train, epochs=1, steps_per_epoch=steps, verbose=0)
    assert witness.count("trained").max() == 1
    if not READS_AHEAD:
        assert np.array_equal(witness.count("when"), when(order(data, 3 * steps)))


def fit__unbuilt_model__batches_that_were_looked_at_are_trained_on(data):
    train = shuffled(data)
    witness = Witness()
    model = keras.Sequential([witness, keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    model.fit(train, epochs=1, verbose=0)
    assert (witness.count("trained") == 1).all()


@loses_interrupted
def fit__interrupted_and_called_again__goes_on_in_the_order(data):
    train = shuffled(data)
    model, witness = witness_model()
    with pytest.raises(KeyboardInterrupt):
        model.fit(train, epochs=2, verbose=0, callbacks=[Stop(5)])
    served = train.step
    model.fit(train, epochs=1, verbose=0)
    assert train.step == served + PER_EPOCH
    assert np.array_equal(witness.count("when"), when([*order(data, 5), *order(data, train.step)[served:]]))
    if not READS_AHEAD:
        assert served == 5


def fit__with_validation_data__both_see_each_sample_once_per_epoch(data):
    train, held_out = shuffled(data), hr.keras(data, 300, x="X", y="y")
    model, witness = witness_model()
    model.fit(train, epochs=3, verbose=0, validation_data=held_out)
    assert (witness.count("trained") == 3).all() and (witness.count("tested") == 3).all()


def fit__with_validation_steps__validates_on_the_same_batches_each_time(data):
    model, witness = witness_model()
    held_out = hr.keras(data, 100, x="X", y="y")
    model.fit(shuffled(data), epochs=3, verbose=0, validation_data=held_out, validation_steps=3)
    assert np.array_equal(witness.count("tested"), np.where(np.arange(N) < 300, 3, 0))


def fit__resumed_at_a_place__the_first_epoch_is_the_rest(data):
    loader = data.loader(BATCH, fields=["X", "y"], shuffle=True, seed=5)
    train = shuffled(data, resume=loader.state(step=PER_EPOCH + 10))
    model, witness = witness_model()
    counts = EachEpoch(lambda: witness.count("trained").sum())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Keras is told of an epoch that is shorter than it thought
        model.fit(train, epochs=3, verbose=0, callbacks=[counts])
    assert counts.seen == [5 * BATCH + 40, N + 5 * BATCH + 40, 2 * N + 5 * BATCH + 40]
    assert train.step == 4 * PER_EPOCH


def fit__class_weight_and_sample_weight__are_those_of_arrays(data, tmp_path):
    given = {"X": data["X"][:200], "label": data["y"][:200] % 3, "weight": (data["y"][:200] % 5).astype(np.float32)}
    for name, values in given.items():
        np.save(tmp_path / f"{name}.npy", values)
    hr.convert(*(str(tmp_path / f"{name}.npy") for name in given), out=str(tmp_path / "small.hrd"), progress=None)
    arrays = {"x": given["X"], "y": given["label"], "batch_size": 50, "shuffle": False, "epochs": 2, "verbose": 0}
    with hr.open(tmp_path / "small.hrd") as small:
        weighed = {0: 1.0, 1: 4.0, 2: 0.5}
        pairs = [
            ({"class_weight": weighed}, {"class_weight": weighed}, {}),
            ({"sample_weight": given["weight"]}, {}, {"sample_weight": "weight"}),
        ]
        for of_arrays, of_fit, named in pairs:
            expected, _ = witness_model()
            expected.fit(**arrays, **of_arrays)
            model, _ = witness_model()
            model.fit(hr.keras(small, 50, x="X", y="label", **named), epochs=2, verbose=0, **of_fit)
            for ours, theirs in zip(model.get_weights(), expected.get_weights(), strict=True):
                assert np.allclose(ours, theirs, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("x", [{"left": "X", "right": "y"}, ["X", "y"]])
def fit__model_with_two_inputs__fields_by_name_or_in_order(data, x):
    left, right = keras.Input((4, 6), name="left"), keras.Input((1,), name="right")
    joined = keras.layers.Concatenate()([keras.layers.Flatten()(left) - 24 * right, right])
    model = keras.Model({"left": left, "right": right} if isinstance(x, dict) else [left, right], joined)
    fed = hr.keras(data, BATCH, x=x)
    rows = model.predict(fed, verbose=0)
    assert np.array_equal(rows[:, :24], np.tile(np.arange(24), (N, 1))) and np.array_equal(rows[:, 24], np.arange(N))


def evaluate__twice__each_sample_once_each_time(data):
    model, witness = witness_model()
    held_out = hr.keras(data, BATCH, x="X", y="y")
    first = model.evaluate(held_out, verbose=0)
    assert model.evaluate(held_out, verbose=0) == pytest.approx(first)
    assert (witness.count("tested") == 2).all() and witness.count("wrong") == 0


def predict__whole_or_begun_before__rows_are_those_of_the_data_set(data):
    identity = keras.Sequential([keras.layers.Input((4, 6)), keras.layers.Flatten()])
    rows = hr.keras(data, BATCH, x="X")
    expected = data["X"][:].reshape(N, 24)
    assert np.array_equal(identity.predict(rows, verbose=0), expected)
    assert np.array_equal(identity.predict(rows, steps=3, verbose=0), expected[: 3 * BATCH])
    assert np.array_equal(identity.predict(rows, verbose=0), expected)
    interrupt = keras.callbacks.LambdaCallback()
    interrupt.on_predict_batch_end = lambda batch, logs: (_ for _ in ()).throw(KeyboardInterrupt)
    with pytest.raises(KeyboardInterrupt) as kept:  # its frames keep what reads ahead alive
        identity.predict(rows, verbose=0, callbacks=[interrupt])
    assert np.array_equal(identity.predict(rows, verbose=0), expected)
    assert kept.value is not None


def predict__shuffled__is_refused_and_says_what_to_do(data):
    model, _ = witness_model()
    with pytest.raises(hr.InvalidError, match="mixed order; make one with shuffle=False"):
        model.predict(shuffled(data), verbose=0)


@pytest.mark.parametrize("batch", [N, 600])
def fit__one_or_two_batches_per_epoch__each_epoch_is_new(data, batch):
    train = hr.keras(data, batch, x="X", y="y", shuffle=True, seed=5)
    model, witness = witness_model()
    model.fit(train, epochs=3, verbose=0)
    model.fit(train, epochs=1, verbose=0)
    assert (witness.count("trained") == 4).all() and train.step == 4 * len(train)


@pytest.mark.skipif(keras.config.backend() == "torch", reason="Keras has no steps_per_execution on PyTorch")
def fit__steps_per_execution__counts_the_same(data):
    train = shuffled(data)
    model, witness = witness_model(steps_per_execution=5)
    model.fit(train, epochs=2, verbose=0)
    assert (witness.count("trained") == 2).all()


@loses_interrupted
def fit__ends_or_is_interrupted__all_memory_is_given_back(data):
    def in_use():
        gc.collect()  # JAX lets go of arrays at its next occasion
        return memory_in_use()

    before = in_use()
    train = shuffled(data)
    model, _ = witness_model()
    during = EachEpoch(memory_in_use)
    model.fit(train, epochs=1, verbose=0, callbacks=[during])
    assert during.seen[0] > before == in_use()
    for _ in range(3):
        with contextlib.suppress(KeyboardInterrupt):
            model.fit(train, epochs=1, verbose=0, callbacks=[Stop(3)])
        assert in_use() == before
    model.evaluate(train, verbose=0)
    for entry in train:
        del entry
        break
    assert in_use() == before


def checkpoint__interrupted_at_any_step__ends_as_an_uninterrupted_run(data, tmp_path):
    whole, witness = witness_model()
    whole.fit(shuffled(data), epochs=3, verbose=0)
    stops = [(3, 1), (21, 5), (40, "epoch")] if TENSORFLOW else [(21, 5)]
    for number, (stop, save_freq) in enumerate(stops):
        path = tmp_path / f"{number}.weights.h5"
        model, _ = witness_model()
        train = shuffled(data)
        saved = hr.KerasCheckpoint(path, train, save_freq=save_freq, keep=True)
        with pytest.raises(KeyboardInterrupt):
            model.fit(train, epochs=3, verbose=0, callbacks=[saved, Stop(stop)])
        model, witness = witness_model()
        model.optimizer.learning_rate = 0.5  # what is restored is the optimizer, too
        train = shuffled(data)
        with warnings.catch_warnings():
            warnings.simplefilter("error", UserWarning)
            saved = hr.KerasCheckpoint(path, train, save_freq=save_freq)
            history = model.fit(train, epochs=3, verbose=0, callbacks=[saved])
        freq = PER_EPOCH if save_freq == "epoch" else save_freq
        assert history.epoch == list(range(stop // freq * freq // PER_EPOCH, 3))
        assert (witness.count("trained") == 3).all() and not path.exists()
        for ours, theirs in zip(weights(model), weights(whole), strict=True):
            assert np.array_equal(ours, theirs)


def checkpoint__steps_per_epoch__goes_on_within_the_epoch_of_keras(data, tmp_path):
    path = tmp_path / "run.weights.h5"
    model, _ = witness_model()
    train = shuffled(data)
    saved = hr.KerasCheckpoint(path, train, save_freq=3)
    with pytest.raises(KeyboardInterrupt):
        model.fit(train, epochs=4, steps_per_epoch=4, verbose=0, callbacks=[saved, Stop(7)])
    model, witness = witness_model()
    train = shuffled(data)
    counts = EachEpoch(lambda: int(witness.count("clock")))
    saved = hr.KerasCheckpoint(path, train, save_freq=3)
    model.fit(train, epochs=4, steps_per_epoch=4, verbose=0, callbacks=[saved, counts])
    assert counts.seen == [8, 12, 16]
    assert (witness.count("trained") == 1).all() and np.array_equal(witness.count("when"), when(order(data, 16)))


def checkpoint__of_other_data_or_no_checkpoint__is_refused(data, tmp_path):
    path = tmp_path / "run.weights.h5"
    model, _ = witness_model()
    train = shuffled(data)
    model.fit(train, epochs=1, verbose=0, callbacks=[hr.KerasCheckpoint(path, train, keep=True)])
    other = hr.keras(data, BATCH, x="X", y="y", shuffle=True, seed=6)
    with pytest.raises(hr.MismatchError):
        model.fit(other, epochs=1, verbose=0, callbacks=[hr.KerasCheckpoint(path, other)])
    with pytest.warns(UserWarning, match="trained already"):
        model.fit(train, epochs=1, verbose=0, callbacks=[hr.KerasCheckpoint(path, train, keep=True)])
    model.save_weights(path)
    with pytest.raises(hr.MismatchError, match="tells no place"):
        model.fit(train, epochs=1, verbose=0, callbacks=[hr.KerasCheckpoint(path, train)])
    path.write_bytes(b"damaged")
    with pytest.raises(hr.CorruptError, match="remove it to begin anew"):
        model.fit(train, epochs=1, verbose=0, callbacks=[hr.KerasCheckpoint(path, train)])
    with pytest.raises(hr.InvalidError, match=r"\.weights\.h5"):
        hr.KerasCheckpoint(tmp_path / "run.h5", train)


def fit__validation_on_the_same_object__is_refused(data):
    model, _ = witness_model()
    train = shuffled(data)
    step = train.step
    assert repr(train).startswith("<headrace.KerasData of 'X', 'y' over <headrace.Loader of ")
    for epochs in (1, 3):
        with pytest.raises(Exception, match="validation_data one of its own"):
            model.fit(train, epochs=epochs, verbose=0, validation_data=train)
    assert train.step == step  # before the first batch
    model.fit(train, epochs=1, verbose=0, validation_data=hr.keras(data, BATCH, x="X", y="y"))


def checkpoint__a_loop_by_hand_within_fit__is_refused(data, tmp_path):
    model, _ = witness_model()
    train = shuffled(data)
    looping = EachEpoch(lambda: sum(1 for _ in train))
    saved = hr.KerasCheckpoint(tmp_path / "run.weights.h5", train)
    with pytest.raises(hr.MismatchError, match="of their own"):
        model.fit(train, epochs=3, verbose=0, callbacks=[saved, looping])


def by_hand__for_loops__are_epochs(data):
    train = shuffled(data)
    for epoch in range(2):
        pairs = [(np.array(x), np.array(y)) for x, y in train]
        assert len(pairs) == len(train) == PER_EPOCH
        assert np.array_equal(np.concatenate([y for _, y in pairs]), np.concatenate(order(data, 32)[16 * epoch :][:16]))
    for _ in train:
        break
    assert train.step == 33 and isinstance(train, keras.utils.PyDataset) and isinstance(train, hr.KerasData)


def options__that_do_not_fit__are_refused_in_words(data, tmp_path):
    no_targets = {"y": None, "sample_weight": "y"}
    for wrong in ({"epochs": 3}, {"fields": ["X"]}, {"workers": 2}, {"x": 3}, {"x": []}, no_targets):
        with pytest.raises((hr.InvalidError, TypeError)):
            hr.keras(data, BATCH, **{"x": "X", "y": "y", **wrong})
    with pytest.raises(hr.InvalidError, match="threads"):
        shuffled(data).workers = 3
    with pytest.raises(hr.InvalidError, match="smaller batch"):
        hr.keras(data, 2 * N, x="X", last="drop")
    hr.from_arrays(tmp_path / "empty.hrd", X=np.empty((0, 4, 6), np.float32))
    with hr.open(tmp_path / "empty.hrd") as empty, pytest.raises(hr.InvalidError, match="no samples"):
        hr.keras(empty, BATCH, x="X")
    if TENSORFLOW:
        with pytest.raises(hr.UnsupportedError, match="leave device out"):
            shuffled(data, device="cuda:0")


CASES = {name: value for name, value in list(globals().items()) if "__" in name.strip("_") and callable(value)}
globals().update({f"test_{name}": value for name, value in CASES.items()})
