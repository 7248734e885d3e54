"""A model that counts, with its own weights, which samples it has been given: what it has trained on is known from
inside of the framework, and saved and restored with the model."""

import keras
import numpy as np
from keras import ops

N = 1000  # samples of python_package.write_indexed()


@keras.saving.register_keras_serializable()
class Witness(keras.layers.Layer):
    """Passes its input on. `trained`, `tested`: how often each sample came; `when`: in which training step it came last,
    from 1; `wrong`: rows that are not what the index in them says."""

    def build(self, _):
        def zeros(name, shape):
            return self.add_weight(name=name, shape=shape, initializer="zeros", trainable=False)

        self.trained, self.tested, self.when = (zeros(name, (N,)) for name in ("trained", "tested", "when"))
        self.clock, self.wrong = zeros("clock", ()), zeros("wrong", ())

    def call(self, x, training=False):
        rows = ops.reshape(ops.cast(x, "float32"), (-1, 24))
        sample = ops.cast(ops.round(rows[:, 0] / 24), "int32")
        expected = ops.expand_dims(rows[:, 0], 1) + ops.arange(24, dtype="float32")
        came = ops.sum(ops.one_hot(sample, N), 0)
        self.wrong.assign(self.wrong + ops.sum(ops.cast(ops.any(rows != expected, 1), "float32")))
        if training:
            self.clock.assign(self.clock + 1)
            self.trained.assign(self.trained + came)
            now = ops.convert_to_tensor(self.clock)
            self.when.assign(ops.where(came > 0, now, ops.convert_to_tensor(self.when)))
        else:
            self.tested.assign(self.tested + came)
        return rows / (24 * N)

    def count(self, name):
        return np.array(ops.convert_to_numpy(getattr(self, name)))


def witness_model(**compiled):
    """A small network behind a Witness, which starts from the same weights each time."""
    keras.utils.set_random_seed(7)
    model = keras.Sequential(
        [
            keras.layers.Input((4, 6)),
            Witness(name="witness"),
            keras.layers.Dense(8, activation="relu"),
            keras.layers.Dropout(0.25, seed=3),
            keras.layers.Dense(1),
        ]
    )
    model.compile(**{"optimizer": keras.optimizers.Adam(0.01), "loss": "mse", **compiled})
    return model, model.get_layer("witness")


def weights(model):
    return [np.array(ops.convert_to_numpy(v)) for v in [*model.variables, *model.optimizer.variables]]


class Stop(keras.callbacks.Callback):
    """Interrupts after so many training steps, as a person does."""

    def __init__(self, steps):
        super().__init__()
        self.left = steps

    def on_train_batch_end(self, batch, logs=None):
        self.left -= 1
        if self.left == 0:
            raise KeyboardInterrupt
