"""Memory over many epochs: an adapter feeds its framework, or one fixed array does: python_growth.py NAME FILE EPOCHS,
NAME keras, tensorflow, torch or jax, with "/control" behind it for the array; prints the resident memory after each
epoch as JSON, from a process of its own. measure() runs all that are there."""

import json
import sys

import programs
import python_adapters
import python_runs
from python_rivals import resident_bytes

BATCH = 256
EARLY = 2  # the epoch after which everything is there that stays
ALLOWED_BYTES = 4 << 20
OPTIONS = {"shuffle": True, "seed": 1, "budget": "128M"}
NAMES = ("keras", "tensorflow", "torch", "jax")


def fixed(data):
    """(x, y) of the first batch, and how many an epoch has."""
    return data["x"][:BATCH], data["y"][:BATCH], -(-len(data) // BATCH)


def feed_keras(hr, data, control, epochs):
    import keras

    x, y, count = fixed(data)

    class Fixed(keras.utils.PyDataset):
        def __len__(self):
            return count

        def __getitem__(self, _):
            return x, y

    sizes = []
    record = keras.callbacks.LambdaCallback(on_epoch_end=lambda *_: sizes.append(resident_bytes()))
    model = keras.Sequential([keras.layers.Dense(8), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    source = Fixed() if control else hr.keras(data, BATCH, x="x", y="y", **OPTIONS)
    model.fit(source, epochs=epochs, verbose=0, callbacks=[record])
    return sizes


def looped(epoch, step, epochs):
    sizes = []
    for _ in range(epochs):
        for x, y in epoch():
            step(x, y)
        sizes.append(resident_bytes())
    return sizes


def feed_tensorflow(hr, data, control, epochs):
    import tensorflow as tf

    x, y, count = fixed(data)
    spec = (tf.TensorSpec((None, *x.shape[1:]), x.dtype), tf.TensorSpec((None,), y.dtype))

    def repeated():
        for _ in range(count):
            yield x, y

    if control:
        source = tf.data.Dataset.from_generator(repeated, output_signature=spec)
    else:
        source = hr.tensorflow(data, BATCH, x="x", y="y", **OPTIONS)
    return looped(lambda: source, lambda x, _: tf.reduce_sum(x), epochs)


def feed_torch(hr, data, control, epochs):
    import torch

    x, y, count = fixed(data)

    def repeated():
        for _ in range(count):
            yield torch.from_numpy(x), torch.from_numpy(y)

    source = None if control else hr.torch(data, BATCH, x="x", y="y", **OPTIONS)
    return looped(repeated if control else lambda: source, lambda x, _: x.sum(), epochs)


def feed_jax(hr, data, control, epochs):
    import jax.numpy as jnp

    x, y, count = fixed(data)

    def repeated():
        for _ in range(count):
            yield jnp.asarray(x), y

    def pairs():
        for batch in source:
            yield batch["x"], batch["y"]

    source = None if control else hr.jax(data, BATCH, **OPTIONS)
    return looped(repeated if control else pairs, lambda x, _: x.sum().block_until_ready(), epochs)


FEEDS = {"keras": feed_keras, "tensorflow": feed_tensorflow, "torch": feed_torch, "jax": feed_jax}


def one(word, path, epochs):
    hr = python_runs.package()
    name, _, control = word.partition("/")
    return FEEDS[name](hr, hr.open(path), control == "control", epochs)


def measure(folder, size_bytes, epochs, rounds):
    """Of each, the median of some processes: that of one may rise by some MiB in a late epoch, and stay there."""
    path = python_runs.convert(*python_runs.arrays(folder, size_bytes))
    rows = [{"name": name, "missing": python_adapters.missing(name)} for name in NAMES]
    words = [word for row in rows if not row["missing"] for word in (row["name"], f"{row['name']}/control")]
    runs = {word: lambda word=word: python_runs.answer("python_growth.py", word, path, epochs) for word in words}
    found = programs.in_rounds(f"memory, {epochs} epochs", runs, rounds) if words else {}
    for row in rows:
        if row["missing"]:
            continue
        for kind, word in (("fed", row["name"]), ("control", f"{row['name']}/control")):
            row[kind] = {
                "early": programs.summary([sizes[EARLY - 1] for sizes in found[word]]),
                "growth": programs.summary([sizes[-1] - sizes[EARLY - 1] for sizes in found[word]]),
            }
        grown = {kind: row[kind]["growth"]["median"] for kind in ("fed", "control")}
        row["kept"] = grown["fed"] - max(0, grown["control"]) <= ALLOWED_BYTES
    return {
        "epochs": epochs,
        "rounds": rounds,
        "early": EARLY,
        "size_bytes": size_bytes,
        "allowed_bytes": ALLOWED_BYTES,
        "rows": rows,
    }


if __name__ == "__main__":
    print(json.dumps(one(sys.argv[1], sys.argv[2], int(sys.argv[3]))))
