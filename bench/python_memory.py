#!/usr/bin/env python3
"""Memory of the adapters over epochs: python_memory.py ADAPTER... [--epochs N]

Each ADAPTER (see ADAPTERS) and its control, a loop that feeds the same framework from one fixed array, run in processes
of their own; after each epoch they note their resident memory. Told are the growth from the third epoch to the last of
both, and their difference: what the adapter adds. HEADRACE_LIBRARY names the library."""

import argparse
import gc
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

SOURCE = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(SOURCE / "python"))
BATCH, ROWS, FEATURES = 256, 1 << 16, 100


def resident_bytes():
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def arrays():
    x = np.random.default_rng(1).standard_normal((ROWS, FEATURES), np.float32)
    return x, (x.sum(1) > 0).astype(np.float32)


def opened(folder):
    import headrace as hr

    path = str(Path(folder) / "train.hrd")
    if not os.path.exists(path):
        with hr.Writer(path, fields={"X": ("float32", (FEATURES,)), "y": ("float32", ())}) as writer:
            x, y = arrays()
            writer.append(X=x, y=y)
    return hr.open(path)


def keras_network():
    import keras

    model = keras.Sequential(
        [
            keras.layers.Input((FEATURES,)),
            keras.layers.Dense(64, activation="relu"),
            keras.layers.Dense(1, activation="sigmoid"),
        ]
    )
    model.compile("adam", "binary_crossentropy")
    return model


def each_epoch(note):
    import keras

    return [keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: note())]


def keras_adapter(folder, epochs, note):
    import headrace as hr

    train = hr.keras(opened(folder), BATCH, x="X", y="y", shuffle=True)
    keras_network().fit(train, epochs=epochs, verbose=0, callbacks=each_epoch(note))


def keras_control(folder, epochs, note):
    import keras

    x, y = (array[:BATCH] for array in arrays())

    class Fixed(keras.utils.PyDataset):
        def __len__(self):
            return ROWS // BATCH

        def __getitem__(self, index):
            return x, y

    keras_network().fit(Fixed(), epochs=epochs, verbose=0, callbacks=each_epoch(note))


def tensorflow_loop(batches, epochs, note):
    import tensorflow as tf

    for _ in range(epochs):
        for features, labels in batches:
            tf.reduce_sum(features) + tf.reduce_sum(labels)
        note()


def tensorflow_adapter(folder, epochs, note):
    import headrace as hr

    tensorflow_loop(hr.tensorflow(opened(folder), BATCH, x="X", y="y", shuffle=True), epochs, note)


def tensorflow_control(folder, epochs, note):
    import tensorflow as tf

    x, y = (array[:BATCH] for array in arrays())
    specs = tf.TensorSpec((None, FEATURES), tf.float32), tf.TensorSpec((None,), tf.float32)
    fixed = tf.data.Dataset.from_generator(lambda: ((x, y) for _ in range(ROWS // BATCH)), output_signature=specs)
    tensorflow_loop(fixed, epochs, note)


#: By name: the adapter's loop and its control.
ADAPTERS = {
    "keras": (keras_adapter, keras_control),
    "tensorflow": (tensorflow_adapter, tensorflow_control),
}


def run_here(name, which, folder, epochs):
    noted = []

    def note():
        gc.collect()
        noted.append(resident_bytes())

    ADAPTERS[name][which](folder, epochs, note)
    print(json.dumps(noted))


def measure(name, which, folder, epochs):
    command = [sys.executable, __file__, name, "--epochs", str(epochs), "--here", str(which), "--folder", folder]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout.splitlines()[-1])


def growth_mib(noted):
    return (noted[-1] - noted[2]) / 2**20


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("adapters", nargs="+", choices=ADAPTERS, metavar="ADAPTER")
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--here", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--folder", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.here is not None:
        run_here(given.adapters[0], given.here, given.folder, given.epochs)
        return
    with tempfile.TemporaryDirectory() as folder:
        for name in given.adapters:
            ours, control = (measure(name, which, folder, given.epochs) for which in (0, 1))
            grown, control_grown = growth_mib(ours), growth_mib(control)
            print(
                f"{name}: {grown:+.1f} MiB from epoch 3 to {given.epochs}, control {control_grown:+.1f} MiB, "
                f"difference {grown - control_grown:+.1f} MiB; resident in the end {ours[-1] / 2**20:.0f} MiB, control "
                f"{control[-1] / 2**20:.0f} MiB"
            )


if __name__ == "__main__":
    main()
