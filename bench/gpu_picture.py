"""The figures of the benchmarks on a GPU as an SVG picture: copies and uploads, steps against what limits them, and
kernels against a copy on the GPU, each with what is promised. Behind it are the results that gpu_table.py has."""

import html
import math

from table import mib, rate, tenths

WIDTH, LEFT, BARS, TOP = 920, 336, 388, 118
FIGURES = LEFT + BARS + 18
JUDGED = FIGURES + 92  # behind a rate
ROW, BAR, GAP = 24, 14, 8  # a row, its bar, and what is between the sizes
STYLE = """
    text { font: 13px Helvetica, Arial, sans-serif; fill: #1b2733 }
    .head { font-weight: bold; font-size: 18px }
    .panel { font-weight: bold; font-size: 14px }
    .small { font-size: 12px; fill: #45525e }
    .tick { font-size: 11.5px; fill: #45525e; text-anchor: middle }
    .name { font-size: 12px; text-anchor: end }
    .size { font-size: 12px; font-weight: bold }
    .kept { font-weight: bold }
    .missed { font-weight: bold; fill: #b3261e }
    .grid { stroke: #e3e8ed }
    .limit { fill: #8fa3b5 }
    .ours { fill: #1f4e79 }
    .kernel { fill: #44701f }
    .range { stroke: #d9730d; stroke-width: 2.5 }
    .promise { stroke: #b3261e; stroke-width: 1.6; stroke-dasharray: 5 3; fill: none }
"""
NOT_MEASURED = "not measured yet"
STEPS = (("computed_ratio", "compute as long as the upload"), ("packed_ratio", "reading and decoding in front"))


class Panel:
    """Rows below a title, with one scale; what is drawn collects in parts."""

    def __init__(self, top, title, low, high):
        self.low, self.high = low, high
        self.top = self.y = top + 22
        self.parts = [f'<text class="panel" x="24" y="{top}">{title}</text>']

    def x(self, value):
        shown = min(max(value, self.low), self.high)
        return LEFT + BARS * (shown - self.low) / (self.high - self.low)

    def text(self, kind, x, words):
        self.parts.append(f'<text class="{kind}" x="{x}" y="{self.y + BAR - 2}">{html.escape(words)}</text>')

    def bar(self, kind, value):
        width = self.x(value) - LEFT
        self.parts.append(
            f'<rect class="{kind}" x="{LEFT}" y="{self.y}" width="{width:.1f}" height="{BAR}" rx="2"/>'
        )

    def spread(self, low, high):
        left, right = self.x(low), self.x(high)
        self.parts.append(f'<path class="range" d="M{left:.1f} {self.y + BAR / 2}H{max(right, left + 1):.1f}"/>')

    def spot(self, value):
        self.parts.append(f'<circle class="ours" cx="{self.x(value):.1f}" cy="{self.y + BAR / 2}" r="5"/>')

    def judged(self, x, words, kept):
        self.text("kept" if kept else "missed", x, words)

    def promise(self, value, top, bottom):
        self.parts.append(f'<path class="promise" d="M{self.x(value):.1f} {top}V{bottom}"/>')

    def row(self, name):
        self.text("name", LEFT - 12, name)

    def not_measured(self):
        self.text("small", FIGURES, NOT_MEASURED)
        self.y += ROW

    def close(self, ticks, unit):
        """The scale, behind everything else; ticks are (value, label)."""
        bottom = self.y
        behind = [f'<path class="grid" d="M{self.x(value):.1f} {self.top - 6}V{bottom}"/>' for value, _ in ticks]
        behind += [f'<text class="tick" x="{self.x(at):.1f}" y="{bottom + 16}">{label}</text>' for at, label in ticks]
        behind.append(f'<text class="small" x="{FIGURES}" y="{bottom + 16}">{unit}</text>')
        self.y = bottom + 58  # the title of the next
        return behind + self.parts


def step_of(span):
    """A round step, of which two to six make the span."""
    rough = span / 6
    power = 10 ** math.floor(math.log10(rough))
    return power * next(digit for digit in (1, 2, 5, 10) if digit * power >= rough * 0.9999)


def scale(low, high):
    """(low, high, step), the ends rounded outwards."""
    step = step_of(high - low)
    return step * math.floor(low / step + 1e-6), step * math.ceil(high / step - 1e-6), step


def ticks_of(low, high, step):
    count = round((high - low) / step)
    return [(low + i * step, f"{low + i * step:g}") for i in range(count + 1)]


def short_rate(n):
    return f"{n / 1e9:,.0f} GB/s" if n >= 1e11 else rate(n)


def rate_bar(panel, size, name, kind):
    """Of times for a batch: the longest is the lowest rate."""
    per = {key: size["batch_bytes"] / size[name][key] for key in ("median", "low", "high")}  # in GB/s
    panel.bar(kind, per["median"])
    panel.spread(per["high"], per["low"])
    return per["median"]


def uploads_panel(top, sizes, order, share):
    fastest = max(
        n / sizes[n][name]["low"] for n in order if n in sizes for name in ("bare_ns", "alone_ns")
    )
    low, high, step = scale(0, fastest)
    panel = Panel(top, "Uploads: the loader's, and bare copies of as many bytes from pinned memory", low, high)
    for n in order:
        panel.text("size", 24, f"batches of {mib(n)}")
        if n not in sizes:
            panel.not_measured()
            panel.y += GAP
            continue
        size, first = sizes[n], panel.y
        panel.row("bare copies")
        bare = rate_bar(panel, size, "bare_ns", "limit")
        panel.text("plain", FIGURES, short_rate(1e9 * bare))
        panel.y += ROW
        panel.row("upload alone")
        alone = rate_bar(panel, size, "alone_ns", "ours")
        kept = size["alone_share"]["median"]
        panel.text("plain", FIGURES, short_rate(1e9 * alone))
        panel.judged(JUDGED, tenths(kept), kept >= share)
        panel.promise(bare * share, first - 3, panel.y + BAR + 3)
        panel.y += ROW + GAP
    return panel, panel.close(ticks_of(low, high, step), "GB/s")


def steps_panel(top, sizes, order, most):
    spreads = [sizes[n][name] for n in order if n in sizes for name, _ in STEPS]
    low, high, step = scale(min(0.9, *(s["low"] for s in spreads)), max(1.2, *(s["high"] for s in spreads)))
    panel = Panel(top, "Steps: their time over the longest of compute, read and upload", low, high)
    for n in order:
        panel.text("size", 24, f"batches of {mib(n)}")
        if n not in sizes:
            panel.not_measured()
            panel.y += GAP
            continue
        for name, words in STEPS:
            spread = sizes[n][name]
            panel.row(words)
            panel.spread(spread["low"], spread["high"])
            panel.spot(spread["median"])
            panel.judged(FIGURES, f"{spread['median']:.3f}", spread["median"] <= most)
            panel.text("small", FIGURES + 46, f"({spread['low']:.3f} to {spread['high']:.3f})")
            panel.y += ROW
        panel.y += GAP
    panel.promise(most, panel.top - 6, panel.y)
    return panel, panel.close(ticks_of(low, high, step), "times; at 1 all is hidden")


def kernels_panel(top, kernels, names, least):
    by_name = {row["name"]: row for row in kernels["rows"]}
    low, high, step = scale(0, max(1, *(row["share"]["high"] for row in kernels["rows"])))
    copy = short_rate(kernels["copy_bytes_per_s"]["median"])
    panel = Panel(top, f"Finishing: bytes read and written, as a share of a copy on the GPU ({copy})", low, high)
    for name in names:
        panel.row(name)
        if name not in by_name:
            panel.not_measured()
            continue
        row = by_name[name]
        share = row["share"]
        panel.bar("kernel", share["median"])
        panel.spread(share["low"], share["high"])
        panel.text("plain", FIGURES, short_rate(row["bytes_per_s"]["median"]))
        panel.judged(JUDGED, tenths(share["median"]), share["median"] >= least)
        panel.y += ROW
    panel.promise(least, panel.top - 6, panel.y)
    return panel, panel.close([(at, f"{100 * at:.0f}") for at, _ in ticks_of(low, high, step)], "% of the copy")


def head(results):
    lines = (
        ("head", 36, f"Batches on a GPU: {results['uploads']['gpu']}"),
        (
            "small",
            58,
            f"By {results['command']} on {results['date']}; driver {results['driver']}, {results['cores']} processor "
            "cores. Bars and dots are medians, orange lines",
        ),
        ("small", 74, "reach from the lowest round to the highest. Broken red lines: promised; red figures: missed."),
    )
    return [f'<text class="{kind}" x="24" y="{y}">{html.escape(words)}</text>' for kind, y, words in lines]


def draw(results, order, names, promised):
    """order: the sizes of batches, names: the kernels; promised: (share of an upload, ratio of a step, share of a
    kernel)."""
    sizes = {size["batch_bytes"]: size for size in results["uploads"]["sizes"]}
    share, ratio, kernel_share = promised
    uploads, uploaded = uploads_panel(TOP, sizes, order, share)
    steps, stepped = steps_panel(uploads.y, sizes, order, ratio)
    kernels, finished = kernels_panel(steps.y, results["kernels"], names, kernel_share)
    body = "\n".join(f"  {part}" for part in (*head(results), *uploaded, *stepped, *finished))
    height = kernels.y - 22
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img" aria-labelledby="title">\n'
        '  <title id="title">Uploads against bare copies, steps against what limits them, and kernels against a copy '
        f"on the GPU</title>\n  <style>{STYLE}  </style>\n"
        f'  <rect width="{WIDTH}" height="{height}" rx="10" fill="#fbfcfd"/>\n{body}\n</svg>\n'
    )
