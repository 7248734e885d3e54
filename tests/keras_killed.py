"""Trains with hr.KerasCheckpoint in the folder of its argument, one line for each step; killed, it is started again. In
the end it compares the weights with those of a training that nothing interrupts. Run by test_python_keras.py."""

import pathlib
import sys

import keras
import numpy as np

from keras_witness import weights, witness_model
from python_package import hr, write_indexed

folder = pathlib.Path(sys.argv[1])
path = folder / "train.hrd"
if not path.exists():
    write_indexed(folder)
data = hr.open(path)


def made():
    return hr.keras(data, 64, x="X", y="y", shuffle=True, seed=5)


class Tell(keras.callbacks.Callback):
    def on_train_batch_end(self, batch, logs=None):
        print("step", flush=True)


train = made()
model, witness = witness_model()
saved = hr.KerasCheckpoint(folder / "run.weights.h5", train, save_freq=3)
model.fit(train, epochs=3, verbose=0, callbacks=[saved, Tell()])
whole, _ = witness_model()
whole.fit(made(), epochs=3, verbose=0)
assert (witness.count("trained") == 3).all() and witness.count("wrong") == 0
assert all(np.array_equal(ours, theirs) for ours, theirs in zip(weights(model), weights(whole)))
print("each sample 3 times, weights as without kills")
