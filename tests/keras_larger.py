"""A small network on 100 features: keras_larger.py FOLDER control | write LIMIT_BYTES | stream | arrays

On a fixed array, telling its peak memory; on a data set larger than the limit, which is written first; and on arrays of
the same data, as a notebook loads them. Run by test_python_keras.py."""

import pathlib
import resource
import sys

import numpy as np

BLOCK = 1 << 16
STEPS = 64  # in each execution of TensorFlow's


def rows(block):
    x = np.random.default_rng(block % 7).integers(-3, 4, (BLOCK, 100), np.int8).astype(np.float32)
    return x, (x.sum(1) > 0).astype(np.float32)


def network():
    import keras

    model = keras.Sequential(
        [
            keras.layers.Input((100,)),
            keras.layers.Dense(64, activation="relu"),
            keras.layers.Dense(1, activation="sigmoid"),
        ]
    )
    model.compile("adam", "binary_crossentropy", metrics=["accuracy"], steps_per_execution=STEPS)
    return model


def write(path, limit_bytes):
    from python_package import hr

    num_bytes = 0
    with hr.Writer(path, fields={"X": ("float32", (100,)), "y": ("float32", ())}) as writer:
        while num_bytes <= limit_bytes + limit_bytes // 16:
            x, y = rows(num_bytes)
            writer.append(X=x, y=y)
            num_bytes += x.nbytes
    print(num_bytes)


def stream(path):
    from python_package import hr

    with hr.open(path) as data:
        train = hr.keras(data, 32, x="X", y="y", shuffle=True, budget="72M", threads=1)
        history = network().fit(train, epochs=1, verbose=0)
    print("trained", history.history["accuracy"][0])


def main(folder, what, *arguments):
    path = str(pathlib.Path(folder) / "large.hrd")
    if what == "control":
        x, y = rows(0)
        network().fit(x, y, batch_size=32, verbose=0)
        print("peak", resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10)
    elif what == "write":
        write(path, int(arguments[0]))
    elif what == "stream":
        stream(path)
    else:
        from python_package import hr

        with hr.open(path) as data:
            x, y = data["X"].read(), data["y"].read()
        network().fit(x, y, batch_size=32, verbose=0)


main(*sys.argv[1:])
