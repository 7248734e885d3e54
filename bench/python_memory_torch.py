"""What hr.torch() and hr.jax() hold over many epochs, and what they cost.

    python_memory_torch.py memory {torch,jax} [--epochs 20]
    python_memory_torch.py cost {torch,jax,numpy} [--rounds 9]

`memory`: two processes train the same small model, one on batches of Headrace, one (the control) on slices of one
fixed array. Their own memory is read after each epoch: with Headrace it may not grow by more than the control's does,
and 1 MiB. `cost`: epochs of the adapter and of the plain loop over NumPy arrays in turns, without any work on the
batches; the least microseconds for each batch of either, and of processor time. The package, its library and the
frameworks are those of the Python that runs it. Prints lines of JSON; ends with 1 where memory grows."""

import argparse
import functools
import gc
import json
import pathlib
import subprocess
import sys
import tempfile
import time

import numpy as np

import headrace as hr

MIB = 1 << 20
SIZES = {"256 x 2 KiB": (256, 512, 200), "32 x 400 B": (32, 100, 4000)}  # batch, floats of a row, batches
SETTLED = 4  # epochs after which caches of frameworks and of the allocator are full


def own_bytes():
    """Memory of this process that is no file's."""
    lines = pathlib.Path("/proc/self/status").read_text().splitlines()
    found = dict(line.split(":") for line in lines)
    return sum(int(found[name].split()[0]) << 10 for name in ("RssAnon", "RssShmem"))


def write_data(folder, size):
    batch, floats, batches = SIZES[size]
    rng = np.random.default_rng(1)
    x = np.rint(rng.standard_normal((batch * batches, floats), np.float32) * 256) / 256
    y = rng.integers(0, 2, batch * batches).astype(np.int64)
    hr.from_arrays(folder / "train.hrd", X=x, y=y, progress=False)
    return hr.open(folder / "train.hrd")


# Steps of training.


def torch_step(floats):
    import torch

    torch.set_num_threads(1)
    torch.manual_seed(1)
    model = torch.nn.Sequential(torch.nn.Linear(floats, 64), torch.nn.ReLU(), torch.nn.Linear(64, 1))
    optimizer = torch.optim.Adam(model.parameters())
    loss_of = torch.nn.BCEWithLogitsLoss()

    def step(batch):
        x, y = torch.as_tensor(batch["X"]), torch.as_tensor(batch["y"])
        optimizer.zero_grad()
        loss = loss_of(model(x)[:, 0], y.float())
        loss.backward()
        optimizer.step()
        return float(loss)

    return step


def jax_step(floats):
    import jax
    import jax.numpy as jnp

    one, two = jax.random.split(jax.random.key(1))
    state = [jax.random.normal(one, (floats, 64)) * 0.05, jax.random.normal(two, (64, 1)) * 0.05]

    def loss_of(weights, x, y):
        logits = (jnp.maximum(x @ weights[0], 0) @ weights[1])[:, 0]
        return jnp.mean(jnp.logaddexp(0, logits) - y * logits)

    @jax.jit
    def update(weights, x, y):
        loss, slopes = jax.value_and_grad(loss_of)(weights, x, y)
        return [weight - 0.01 * slope for weight, slope in zip(weights, slopes)], loss

    def step(batch):
        state[:], loss = update(state, jnp.asarray(batch["X"]), jnp.asarray(batch["y"]))
        return float(loss)

    return step


def control_batches(floats, batch, batches):
    """Slices of one fixed array."""
    rng = np.random.default_rng(1)
    x = rng.standard_normal((8 * batch, floats), np.float32)
    y = rng.integers(0, 2, 8 * batch).astype(np.int64)
    for number in range(batches):
        rows = slice(number % 8 * batch, number % 8 * batch + batch)
        yield {"X": x[rows], "y": y[rows]}


def train(framework, folder, epochs):
    """Prints this process's memory after each epoch, in a list."""
    batch, floats, batches = SIZES["256 x 2 KiB"]
    step = {"torch": torch_step, "jax": jax_step}[framework](floats)
    given = None
    if folder:
        given = getattr(hr, framework)(hr.open(folder / "train.hrd"), batch, shuffle=True, budget="64M", window=32)
    held = []
    for _ in range(epochs):
        for values in control_batches(floats, batch, batches) if given is None else given:
            step(values)
        del values
        gc.collect()
        held.append(own_bytes())
    print(json.dumps(held))


def growth(framework, folder, epochs):
    """Bytes after each epoch of a process of its own, and its growth from where it has settled."""
    data = ["--data", folder] if folder else []
    command = [sys.executable, __file__, "train", framework, "--epochs", epochs, *data]
    done = subprocess.run(list(map(str, command)), check=True, stdout=subprocess.PIPE, text=True)
    held = json.loads(done.stdout.splitlines()[-1])
    return held, held[-1] - held[SETTLED - 1]


def memory(framework, epochs):
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        write_data(folder, "256 x 2 KiB")
        held, grown = growth(framework, folder, epochs)
    control_held, control_grown = growth(framework, None, epochs)
    fine = grown <= max(control_grown, 0) + MIB
    figures = {"framework": framework, "epochs": epochs, "grown_bytes": grown, "control_grown_bytes": control_grown}
    print(json.dumps({**figures, "held_bytes": held, "control_held_bytes": control_held, "fine": fine}))
    return 0 if fine else 1


# What an adapter costs.


def epoch_us(batches):
    """Microseconds for each batch of one epoch, the array of each field asked for: passed, and of this thread's
    processor time, which neither decoding nor other programs are part of."""
    begin, begin_own = time.perf_counter(), time.thread_time()
    for batch in batches:
        batch["X"], batch["y"]
    passed = time.perf_counter() - begin, time.thread_time() - begin_own
    return [seconds * 1e6 / len(batches) for seconds in passed]


def cost(framework, rounds):
    for size, (batch, _, _) in SIZES.items():
        with tempfile.TemporaryDirectory() as name:
            data = write_data(pathlib.Path(name), size)
            options = {"shuffle": True, "budget": "64M", "window": 32, "held": 4}
            plain = data.loader(batch, **options)
            adapted = data.loader if framework == "numpy" else functools.partial(getattr(hr, framework), data)
            adapted = adapted(batch, **options)
            took = [epoch_us(plain) + epoch_us(adapted) for _ in range(rounds)]
            best = [min(times) for times in zip(*took)]
            figures = dict(zip(("numpy_us", "numpy_own_us", "adapter_us", "adapter_own_us"), best))
            figures["cost_us"] = figures["adapter_own_us"] - figures["numpy_own_us"]
            figures = {name: round(figure, 1) for name, figure in figures.items()}
            print(json.dumps({"framework": framework, "size": size, **figures}))
    return 0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["memory", "cost", "train"])
    parser.add_argument("framework", choices=["torch", "jax", "numpy"])
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--data", type=pathlib.Path)
    given = parser.parse_args()
    if given.what == "train":
        return train(given.framework, given.data, given.epochs)
    return memory(given.framework, given.epochs) if given.what == "memory" else cost(given.framework, given.rounds)


if __name__ == "__main__":
    sys.exit(main())
