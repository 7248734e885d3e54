"""The figures of bench/mixing as Markdown."""

import math
import textwrap

from table import grid

SAMPLE_BYTES = 2048  # that the memory of the page's windows is told for
SMALL, DEFAULT, LARGE = 64, 256, 1024  # windows, in chunks; the latter two have tables
ORDERS = {
    "permutation": "a true permutation",
    "interleaved": "**`interleaved/1`**",
    "buffer": "shuffle buffer, chunks in random order",
    "file_buffer": "shuffle buffer, chunks in the file's order",
    "windows": "two windows of half the memory",
    "one_window": "one window of all the memory",
}
TESTS = ("place", "row", "next_epoch", "neighbour")

INTRODUCTION = """# How well the order mixes

Made by `{command}`: {seeds} seeds of an epoch of {samples:,} samples in {chunks:,} chunks of {per_chunk}, batches of
{batch}. Every figure is a mean with its 95 % confidence over the seeds; none depends on the machine, and a second run
gives the same page. The rule that is measured is in [order.md](order.md).

The data are sorted by class, which is the worst case: every chunk holds samples of one class, or of two. Data that
are in no particular order have well-mixed batches whichever of these orders visits them.

- **What it does well**: at the default window ({default} chunks, {default_mib:.0f} MiB for 2 KiB samples) a single
  batch is as mixed as one of a true permutation: its class counts vary {inter1} times as much. A shuffle buffer of
  the same memory has {buffer1}, two windows {windows1}. Two samples that share a batch share one in the next epoch as
  rarely as chance has it ({pairs}), and over seeds samples come at every place equally often.
- **What it does not do well**: neighbouring batches are made of almost the same chunks. Their class counts have a
  correlation of {corr1}, and sums over 16 batches vary {inter16} times as much as those of a true permutation: more
  than that buffer's {buffer16}, less than the two windows' {windows16}. At the ends of an epoch fewer chunks are at
  hand: the first batch has {begin} and the last {end}, more than the buffer's {buffer_begin} and {buffer_end} and the
  windows' {windows_begin} and {windows_end}. And a window of fewer chunks than a batch has samples puts several
  samples of a chunk into each batch: at {small} chunks a batch has {small1} and pairs are kept {small_pairs} times as
  often, the buffer {small_buffer1} and {small_buffer_pairs}.
- **What to do** if the data are sorted by what is learnt: take a larger window (`--window {large}`, {large_mib:.0f}
  MiB: sums over 4 batches {large4}, over 16 {large16}, the ends {large_begin} and {large_end}), or shuffle all
  samples once as they are converted (`headrace convert --shuffle`), which leaves nothing of it.

Figures of batches do not say that a model trained on sorted data becomes as good as with a true shuffle.{training}

![Inflation by order and memory, of sums over batches, and at the ends of an epoch](mixing.svg)

## What is compared

Each in the same memory, counted in chunks:

- **a true permutation** of all samples, by Fisher and Yates: the measure of the others, and out of reach where the data
  are larger than memory
- **`interleaved/1`** with that window, as the loader delivers it
- **a shuffle buffer** that holds that many chunks' samples and hands out a random one for each that comes in, fed with
  chunks in random order, or in the order of the file
- **windows**: chunks in random order are read into a window, shuffled, and handed out before the next. A loader that
  reads while it delivers needs two, of half the memory each; with one of all the memory it waits while it fills
"""


def flow(text):
    """Paragraphs and lists, as wide as the page's lines are; figures leave them ragged."""
    blocks = []
    for block in text.split("\n\n"):
        items = block.strip().split("\n- ") if block.startswith("- ") else [block.strip()]
        indent = "  " if block.startswith("- ") else ""
        lines = [item if i == 0 else f"- {item}" for i, item in enumerate(items)]
        blocks.append("\n".join(textwrap.fill(" ".join(line.split()), 118, subsequent_indent=indent,
                                              break_long_words=False, break_on_hyphens=False) for line in lines))
    return "\n\n".join(blocks) + "\n"


def number(value, decimals):
    return f"{value:,.{decimals}f}"


def show(found):
    """Mean and confidence, to two digits of the latter."""
    mean_value, half = found
    if half < 1e-9 * abs(mean_value):
        return number(mean_value, 2)
    if half < 0.0005:
        return f"{number(mean_value, 3)} ± < 0.001"
    decimals = min(3, max(0, 1 - math.floor(math.log10(half))))
    return f"{number(mean_value, decimals)} ± {number(half, decimals)}"


def mean(found):
    value = found[0]
    return number(value, 2 if value < 10 else 1 if value < 100 else 0)


def cells(order, texts):
    return [ORDERS[order], *(f"**{text}**" if order == "interleaved" else text for text in texts)]


def mib(memory, data):
    return memory * data["samples_per_chunk"] * SAMPLE_BYTES / (1 << 20)


def introduction(summary, command, training):
    figures, data = summary["figures"], summary["epoch_data"]
    inter, buffer, windows = (figures[order, DEFAULT] for order in ("interleaved", "buffer", "windows"))
    large, small, small_buffer = (
        figures[order, memory] for order, memory in (("interleaved", LARGE), ("interleaved", SMALL), ("buffer", SMALL))
    )
    text = INTRODUCTION.format(
        command=command,
        training=training,
        seeds=data["seeds"],
        samples=data["samples"],
        chunks=data["samples"] // data["samples_per_chunk"],
        per_chunk=data["samples_per_chunk"],
        batch=data["batch"],
        default=DEFAULT,
        large=LARGE,
        small=SMALL,
        default_mib=mib(DEFAULT, data),
        large_mib=mib(LARGE, data),
        pairs=show(inter["pairs_kept"]),
        corr1=show(inter["correlation"][0]),
        inter1=show(inter["sums"][0]),
        buffer1=mean(buffer["sums"][0]),
        windows1=mean(windows["sums"][0]),
        inter16=mean(inter["sums"][2]),
        buffer16=mean(buffer["sums"][2]),
        windows16=mean(windows["sums"][2]),
        begin=show(inter["begin"][0]),
        end=show(inter["end"][0]),
        buffer_begin=mean(buffer["begin"][0]),
        buffer_end=mean(buffer["end"][0]),
        large4=mean(large["sums"][1]),
        large16=mean(large["sums"][2]),
        large_begin=mean(large["begin"][0]),
        large_end=mean(large["end"][0]),
        windows_begin=mean(windows["begin"][0]),
        windows_end=mean(windows["end"][0]),
        small1=mean(small["sums"][0]),
        small_pairs=mean(small["pairs_kept"]),
        small_buffer1=mean(small_buffer["sums"][0]),
        small_buffer_pairs=mean(small_buffer["pairs_kept"]),
    )
    return flow(text)


def by_memory(summary, header, values):
    """A table for both windows side by side; values(figures) are the cells of one."""
    figures = summary["figures"]
    names = [f"{name}, W = {memory:,}" for memory in (DEFAULT, LARGE) for name in header]
    rows = [
        cells(order, [show(one) for memory in (DEFAULT, LARGE) for one in values(figures[order, memory])])
        for order in ORDERS
    ]
    return grid(["order", *names], rows)


def each_memory(summary, header, values):
    """A table for each window, one under the other."""
    text = ""
    for memory in (DEFAULT, LARGE):
        rows = [cells(order, map(show, values(summary["figures"][order, memory]))) for order in ORDERS]
        text += f"\nW = {memory:,} chunks ({mib(memory, summary['epoch_data']):.0f} MiB):\n\n"
        text += grid(["order", *header], rows)
    return text


def batches_text(summary):
    stated = " and ".join(f"{summary['stated'][memory]:.3f} at W = {memory:,}" for memory in (DEFAULT, LARGE))
    text = f"""## Batches

Inflation: the variance of a class's count in a batch, divided by what a true permutation has, in the interior of the
epoch. The formula of [order.md, section 6](order.md#6-mixing) states {stated} for `interleaved/1`.
"""
    return flow(text) + "\n" + by_memory(
        summary, ["10 classes", "1,000 classes"], lambda one: (one["sums"][0], one["many_classes"])
    )


def sums_text(summary):
    text = """## Sums over batches

Inflation of K neighbouring batches taken as one, 10 classes. Batches that have nothing to do with each other would
have the same at every K.
"""
    header = [f"K = {4**i}" for i in range(5)]
    return flow(text) + each_memory(summary, header, lambda one: one["sums"])


def correlation_text(summary):
    text = """## Neighbouring batches

Correlation of a class's counts in two batches, 10 classes. A chunk in the window of `interleaved/1` gives one sample in
W, so that those batches are alike whose distance in samples is a multiple of W, and others are not.
"""
    lags = (0, 2, 4, 6, 8)
    header = ["the next batch", *(f"{2**i} apart" for i in lags[1:])]
    return flow(text) + each_memory(summary, header, lambda one: [one["correlation"][i] for i in lags])


def ends_text(summary):
    text = """## The two ends

Inflation of a batch near the beginning and the end of an epoch, 10 classes. Single batches differ much from seed to
seed, hence the wide confidence.
"""
    ends = (0, 5, 7)
    names = ["first", "17th to 32nd", "65th to 128th"]
    header = [*names, "last", "17th to 32nd last", "65th to 128th last"]
    return flow(text) + each_memory(
        summary, header, lambda one: [one[side][i] for side in ("begin", "end") for i in ends]
    )


def pairs_text(summary):
    text = """## From epoch to epoch

Pairs of samples that share a batch in one epoch and in the next, divided by what independent permutations have. 1:
that two samples met says nothing about the next epoch.
"""
    return flow(text) + "\n" + by_memory(summary, ["pairs kept"], lambda one: (one["pairs_kept"],))


def places_text(summary):
    data = summary["places_data"]
    text = f"""## Places over seeds

Chi-square over {data['seeds']:,} seeds, divided by its degrees of freedom: 1 is expected; in brackets the distance from
it in standard deviations. 64 samples are followed through epochs of {data['samples']:,} samples in chunks of
{data['samples_per_chunk']}, with a memory of {summary['places_memory']} chunks: where each comes in the epoch, in which
row of its batch, where it comes in this epoch and the next, and where it and the sample at its place in the next chunk
come, each in 64 cells. Among {len(ORDERS) * len(TESTS)} such figures one beyond ±2 is no surprise.
"""
    header = ["place in the epoch", "row in the batch", "places in two epochs", "places of two neighbours"]
    rows = []
    for order in ORDERS:
        one = summary["places"][order]
        rows.append(cells(order, [f"{number(one[t]['per_degree'], 3)} ({one[t]['z']:+,.1f})" for t in TESTS]))
    return flow(text) + "\n" + grid(["order", *header], rows)


SECTIONS = (batches_text, sums_text, correlation_text, ends_text, pairs_text, places_text)


def render(summary, command, training=""):
    """training: a last section, or nothing."""
    pointer = " What two models made of each order is [at the end](#in-training)." if training else ""
    sections = [introduction(summary, command, pointer), *(section(summary) for section in SECTIONS)]
    return "\n".join([*sections, training] if training else sections)
