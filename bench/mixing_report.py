"""How well the order mixes, as a page: mixing_report.py [--json FILE] [--docs FOLDER] [--training FOLDER] [OPTION OF
bench/mixing ...] runs bench/mixing, or reads what it printed, and writes mixing.md and mixing.svg into docs/, with
--training also what order_training.py finds. script/bench-mixing builds and runs it. None of its figures depend on
the machine or its load."""

import argparse
import json
import math
import pathlib
import statistics

import mixing_picture
import mixing_text
import order_training
import programs

MIXING = programs.BUILD / "bench" / "mixing"
SINGLE = ("many_classes", "pairs_kept")
LISTS = ("sums", "correlation", "begin", "end")


def student_quantile(degrees):
    """Of 0.975, to 1 % from five degrees of freedom on (the first terms of Cornish and Fisher)."""
    z = statistics.NormalDist().inv_cdf(0.975)
    return z + (z**3 + z) / (4 * degrees) + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * degrees**2)


def estimate(values):
    """(mean, half of its 95 % confidence interval) of one figure over the seeds."""
    half = student_quantile(len(values) - 1) * statistics.stdev(values) / math.sqrt(len(values))
    return statistics.fmean(values), half


def summarise(found):
    """What bench/mixing printed, with figures[order, memory in chunks][name] instead of those of each seed."""
    if found["epoch_data"]["seeds"] < 2:
        raise SystemExit("mixing_report: one seed has no spread; run bench/mixing with --seeds 2 or more")
    figures = {}
    for run in found["epochs"]:
        seeds = run["epochs"]
        one = {name: estimate([seed[name] for seed in seeds]) for name in SINGLE}
        for name in LISTS:
            one[name] = [estimate(column) for column in zip(*(seed[name] for seed in seeds))]
        figures[run["order"], run["memory_chunks"]] = one
    return {
        "figures": figures,
        "memories": sorted({memory for _, memory in figures}),
        "stated": {one["memory_chunks"]: one["inflation"] for one in found["stated"]},
        "places": {one["order"]: one for one in found["places"]},
        "places_memory": found["places_memory_chunks"],
        "epoch_data": found["epoch_data"],
        "places_data": found["places_data"],
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=pathlib.Path, help="what bench/mixing printed; without it, it is run")
    parser.add_argument("--docs", type=pathlib.Path, default=programs.ROOT / "docs")
    parser.add_argument("--training", type=pathlib.Path, help="train too; the digits and results are kept there")
    args, options = parser.parse_known_args()
    if args.json and options:
        parser.error(f"{' '.join(options)}: options of bench/mixing, which --json keeps from running")
    found = json.loads(args.json.read_text()) if args.json else programs.run_json(MIXING, *options)
    summary = summarise(found)
    training = ""
    if args.training:
        training = order_training.render(order_training.measure(args.training), student_quantile)
    text = mixing_text.render(summary, " ".join(["script/bench-mixing", *options]), training)
    (args.docs / "mixing.md").write_text(text)
    (args.docs / "mixing.svg").write_text(mixing_picture.draw(summary))
    programs.say(f"{args.docs / 'mixing.md'} and mixing.svg are written")


if __name__ == "__main__":
    main()
