"""What an adapter costs against the NumPy loop over the same loader: python_adapters.py NAME FILE BATCH ROUNDS SECONDS
prints it as JSON, from a process of its own. measure() runs all that are there."""

import dataclasses
import itertools
import json
import math
import sys
import time

import programs
import python_runs

REPEATS = 40
READY_BYTES = 3 << 20
REST_S, SETTLE_S = 0.02, 0.2
OPTIONS = {"shuffle": True, "seed": 1, "budget": python_runs.BUDGET, "io": "cached"}


def by_numpy(hr, data, batch):
    def epoch():
        for taken in loader:
            yield taken["x"], taken["y"]

    loader = data.loader(batch, **OPTIONS)
    return epoch


def by_keras(hr, data, batch):
    made = hr.keras(data, batch, x="x", y="y", **OPTIONS)
    return lambda: iter(made)


def by_tensorflow(hr, data, batch):
    made = hr.tensorflow(data, batch, x="x", y="y", **OPTIONS)
    return lambda: iter(made)


def by_torch(hr, data, batch):
    made = hr.torch(data, batch, x="x", y="y", **OPTIONS)
    return lambda: iter(made)


def by_data_loader(hr, data, batch):
    from torch.utils.data import DataLoader

    made = DataLoader(hr.torch(data, batch, x="x", y="y", **OPTIONS), batch_size=None)
    return lambda: iter(made)


def by_jax(hr, data, batch):
    made = hr.jax(data, batch, **OPTIONS)
    return lambda: iter(made)


@dataclasses.dataclass(frozen=True)
class Adapter:
    words: str
    ours: str  # its name in headrace
    modules: tuple
    make: object
    why: str  # it costs what it costs


ADAPTERS = {
    "keras": Adapter(
        "`hr.keras`, by hand",
        "keras",
        ("keras", "tensorflow"),
        by_keras,
        "batches are asked for by index, under a lock; arrays are views. What `fit()` does with them is the same for "
        "every source",
    ),
    "tensorflow": Adapter(
        "`hr.tensorflow`",
        "tensorflow",
        ("tensorflow",),
        by_tensorflow,
        "TensorFlow's threads call Python for each batch (`from_generator`) and hand it on through a pipeline; tensors "
        "lie in the batch's memory",
    ),
    "torch": Adapter(
        "`hr.torch`, plain",
        "torch",
        ("torch",),
        by_torch,
        "a tensor is made around each array (`torch.from_numpy`), without a copy",
    ),
    "data_loader": Adapter(
        "`hr.torch` by `DataLoader(batch_size=None)`",
        "torch",
        ("torch",),
        by_data_loader,
        "the same, and what DataLoader does for each batch",
    ),
    "jax": Adapter(
        "`hr.jax`",
        "jax",
        ("jax",),
        by_jax,
        "JAX makes an array of each field by DLPack; labels of 64 bits come as 32, which is a copy",
    ),
}


def loop_seconds(epochs, seconds):
    """Seconds for a batch, over whole epochs. The other way's loader, which reads an epoch ahead, is left to finish."""
    time.sleep(SETTLE_S)
    start, count = time.perf_counter(), 0
    while time.perf_counter() - start < seconds:
        for _ in epochs():
            count += 1
    return (time.perf_counter() - start) / count


def ready_seconds(epochs, few):
    """Seconds for a batch that is ready, at best."""
    best, loop = math.inf, iter(epochs())
    for _ in range(REPEATS):
        time.sleep(REST_S)
        start = time.perf_counter()
        count = sum(1 for _ in itertools.islice(loop, few))
        seconds = time.perf_counter() - start
        if count == few:
            best = min(best, seconds / count)
        else:
            loop = iter(epochs())
            next(loop)
    return best


def one(name, path, batch, rounds, seconds):
    hr = python_runs.package()
    data = hr.open(path)
    ways = {"numpy": by_numpy(hr, data, batch), "adapter": ADAPTERS[name].make(hr, data, batch)}
    for epochs in ways.values():
        next(iter(epochs()))
    found = {way: [] for way in ways}
    for number in range(rounds):
        for way in sorted(ways, reverse=number % 2 == 1):
            found[way].append(loop_seconds(ways[way], seconds))
    few = max(4, min(48, READY_BYTES // (batch * sum(field.sample_bytes for field in data.fields.values()))))
    ready = {way: 1e6 * ready_seconds(epochs, few) for way, epochs in ways.items()}
    return {
        "share": programs.summary([ours / theirs for ours, theirs in zip(found["numpy"], found["adapter"])]),
        "adapter_us": programs.summary([1e6 * value for value in found["adapter"]]),
        "ready_us": ready["adapter"],
        "numpy_ready_us": ready["numpy"],
    }


def missing(name):
    """Why it is not measured, or None."""
    adapter = ADAPTERS[name]
    absent = [module for module in adapter.modules if not python_runs.have(module)]
    if absent:
        return f"{' and '.join(absent)} is not installed"
    return None if hasattr(python_runs.package(), adapter.ours) else f"headrace has no `{adapter.ours}`"


def measure(folder, size_bytes, rounds, seconds):
    rows = []
    sets = python_runs.sets(folder, size_bytes)
    for name, adapter in ADAPTERS.items():
        row = {"name": name, "words": adapter.words, "why": adapter.why, "missing": missing(name), "sets": []}
        if row["missing"] is None:
            row["versions"] = {module: python_runs.version_of(module) for module in adapter.modules}
            for title, path, batch in sets:
                programs.say(f"adapters: {name}, batches of {title}")
                found = python_runs.answer("python_adapters.py", name, path, batch, rounds, seconds)
                row["sets"].append({"name": title} | found)
        rows.append(row)
    return {"rounds": rounds, "sets": [title for title, *_ in sets], "rows": rows}


if __name__ == "__main__":
    print(json.dumps(one(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), float(sys.argv[5]))))
