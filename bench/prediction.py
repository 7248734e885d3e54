"""What `headrace plan --probe` predicts against what `headrace epoch` then does, over the standard sets: rate, and time
to the first batch, from memory, from disk, and through a page cache that has nothing of the file yet."""

import math
import statistics

import programs
import standard_sets
from programs import say

RATE_PROMISED = 1.15  # the ratio, or its inverse, at most
FIRST_BATCH_PROMISED = 1.5
RUN_S = 1.0
MOST_EPOCHS = 16

CASES = (
    ("memory, sequential", ("--io", "cached"), programs.read_whole),
    ("memory, shuffled", ("--io", "cached", "--shuffle"), programs.read_whole),
    ("disk, sequential", ("--io", "direct"), None),
    ("disk, shuffled", ("--io", "direct", "--shuffle"), None),
    ("cold page cache, shuffled", ("--io", "cached", "--shuffle"), programs.drop_from_cache),
)


def epochs_for(expected):
    """So many that they take about RUN_S."""
    return max(1, min(MOST_EPOCHS, math.ceil(RUN_S / expected["later_epoch_s"])))


def compare(predicted, measured, most):
    ratios = [m / p for p, m in zip(predicted, measured)]
    typical = statistics.median(ratios)
    return {
        "predicted": programs.summary(predicted),
        "measured": programs.summary(measured),
        "ratio": programs.summary(ratios),
        "promised": most,
        "kept": 1 / most <= typical <= most,
    }


def one_case(path, options, before, rounds, probe="--probe"):
    def prepared(function):
        def measure():
            if before is not None:
                before(path)
            return function()

        return measure

    def predict():
        return programs.plan(path, probe, *options)["probe"]

    cold = before is programs.drop_from_cache
    epochs = 1 if cold else epochs_for(prepared(predict)())
    got = programs.in_rounds(
        "prediction",
        {
            "predicted": prepared(predict),
            "measured": prepared(lambda: programs.epoch(path, "--epochs", epochs, *options)),
        },
        rounds,
    )
    n_bytes = got["measured"][0]["bytes"]
    times = [one["epoch_s"] + (epochs - 1) * one["later_epoch_s"] for one in got["predicted"]]
    return {
        "epochs": epochs,
        "probe_s": max(one["seconds"] for one in got["predicted"]),
        "rate": compare([n_bytes / t for t in times], [one["bytes_per_s"] for one in got["measured"]], RATE_PROMISED),
        "first_batch": compare(
            [one["first_batch_s"] for one in got["predicted"]],
            [one["first_batch_s"] for one in got["measured"]],
            FIRST_BATCH_PROMISED,
        ),
    }


def measure(folder, set_bytes, rounds, sets=standard_sets.SETS, cases=CASES, probe="--probe"):
    found = []
    for chosen in sets:
        path = standard_sets.make_hrd(chosen, folder, set_bytes)
        results = []
        for name, options, before in cases:
            say(f"prediction for {chosen.name}, {name}")
            options = ("--batch", chosen.batch, *options)
            results.append({"name": name} | one_case(path, options, before, rounds, probe))
        found.append({"name": chosen.name, "batch": chosen.batch, "cases": results})
    return {"set_bytes": set_bytes, "rounds": rounds, "sets": found}
