"""What an order is worth in training: handwritten digits (script/make_digits.py) sorted by class, converted, and
visited by bench/training_order, which trains two models on them. Minutes of two cores; what is in the folder stays."""

import json
import math
import statistics
import sys

import numpy as np

import mixing_text
import programs
from table import grid

TRAINING = programs.BUILD / "bench" / "training_order"
SAMPLES, HELD_OUT, SEEDS, EPOCHS = 60_000, 1_000, 8, 2
WINDOW = 256  # chunks, the default here
MODELS = {"regression": "regression", "mlp": "MLP"}
NAMES = {
    **mixing_text.ORDERS,
    "sequential": "the file's order",
    "interleaved_shuffled": "`interleaved/1`, samples shuffled before conversion",
}


def convert(x, y, target):
    programs.run(programs.HEADRACE, "convert", "--quiet", "--field", f"X={x}", "--field", f"y={y}", "-o", target)


def make(folder):
    """(training set sorted by class, digits held out), both converted."""
    train, held_out = folder / "train.hrd", folder / "test.hrd"
    if train.is_file() and held_out.is_file():
        return train, held_out
    maker = programs.ROOT / "script" / "make_digits.py"
    programs.run(sys.executable, maker, "--samples", SAMPLES, "--held-out", HELD_OUT, folder)
    labels = np.load(folder / "train" / "y.npy")
    by_class = np.argsort(labels, kind="stable")
    np.save(folder / "sorted-y.npy", labels[by_class])
    np.save(folder / "sorted-X.npy", np.load(folder / "train" / "X.npy")[by_class])
    convert(folder / "sorted-X.npy", folder / "sorted-y.npy", train)
    convert(folder / "test" / "X.npy", folder / "test" / "y.npy", held_out)
    return train, held_out


def measure(folder):
    """What training_order prints, or printed before."""
    folder.mkdir(parents=True, exist_ok=True)
    kept = folder / "training.json"
    if not kept.is_file():
        programs.say("training")
        kept.write_text(programs.run(TRAINING, *make(folder), "--seeds", SEEDS, "--epochs", EPOCHS))
    return json.loads(kept.read_text())


def last_epoch(found):
    """{(order, memory): {model: percent right after the last epoch, of each seed}}."""
    right = {}
    for run in found["runs"]:
        seeds = [100 * accuracies[-1] for accuracies in run["accuracy"]]
        right.setdefault((run["order"], run["memory_chunks"]), {})[run["model"]] = seeds
    return right


def spread(seeds):
    return f"{statistics.fmean(seeds):.1f} ({statistics.stdev(seeds):.1f})"


def difference(here, there, quantile):
    """Of runs that share a seed, and with it the first weights; with 95 % confidence."""
    each = [a - b for a, b in zip(here, there)]
    half = quantile * statistics.stdev(each) / math.sqrt(len(each))
    return f"{statistics.fmean(each):+.1f} ± {half:.1f}"


def render(found, quantile):
    """quantile: Student's 0.975 by degrees of freedom."""
    right = last_epoch(found)
    header = [f"{name}{what}" for name in MODELS.values() for what in ("", ", less permutation")]
    t = quantile(found["seeds"] - 1)

    def told(order):
        less = (difference(right[order, WINDOW][model], right["permutation", 0][model], t) for model in MODELS)
        return " and ".join(less)

    rows = []
    for (order, memory), seeds in right.items():
        row = [NAMES[order], f"{memory:,}" if memory else ""]
        for model in MODELS:
            true = right["permutation", 0][model]
            less = difference(seeds[model], true, t) if order != "permutation" else ""
            row += [spread(seeds[model]), less]
        rows.append(row)
    text = f"""## In training

A softmax regression and the examples' MLP, trained on {found['samples']:,} handwritten digits sorted by class, in
{math.ceil(found['samples'] / found['samples_per_chunk'])} chunks of {found['samples_per_chunk']}, with batches of
{found['batch']}, for {found['epochs']} epochs; as in the examples, the size of a step falls from epoch to epoch, from
{found['rates']['regression']} (regression) and {found['rates']['mlp']} (MLP). Percent right of {found['held_out']:,}
digits held out, after the last epoch: mean and, in brackets, standard deviation over {found['seeds']} seeds, which are
those of the order and of the MLP's first weights. Beside it the difference from the true permutation, seed by seed, in
points, with 95 % confidence. Made by `script/bench-mixing --training build/digits`.

In points of both models, `interleaved/1` at {WINDOW} chunks is {told("interleaved")} from the true permutation on the
sorted data, the shuffle buffer of that memory, fed with chunks in random order, {told("buffer")}; `interleaved/1` on
the same data shuffled before conversion {told("interleaved_shuffled")}.

It is one small data set: it shows what an order can cost, not what it costs elsewhere. Another compiler's arithmetic
may change the last digits.
"""
    return mixing_text.flow(text) + "\n" + grid(["order", "memory, chunks", *header], rows)
