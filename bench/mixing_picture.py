"""The figures of bench/mixing as an SVG picture: a batch by memory, sums over batches, the two ends of an epoch."""

import math

from mixing_text import DEFAULT, LARGE

WIDTH, HEIGHT = 920, 812
STYLE = """
    text { font: 13px Helvetica, Arial, sans-serif; fill: #1b2733 }
    .head { font-weight: bold; font-size: 18px }
    .panel { font-weight: bold; font-size: 14px }
    .small { font-size: 12px; fill: #45525e }
    .tick { font-size: 11.5px; fill: #45525e }
    .middle { text-anchor: middle }
    .right { text-anchor: end }
    .grid { stroke: #e3e8ed; stroke-width: 1 }
    .frame { stroke: #9aa7b3; stroke-width: 1; fill: none }
    .line { fill: none; stroke-width: 1.8; stroke-linejoin: round }
    .strong { stroke-width: 2.8 }
    .bar { stroke-width: 1.2; opacity: .55 }
    .stated { fill: #fbfcfd; stroke: #1b2733; stroke-width: 1.6 }
"""
COLOURS = {
    "interleaved": "#1660a8",
    "buffer": "#3f8a2c",
    "windows": "#d9730d",
    "one_window": "#9a6bb8",
    "file_buffer": "#c0293b",
    "permutation": "#6b7884",
}
NAMES = {
    "interleaved": "interleaved/1",
    "buffer": "shuffle buffer, random chunks",
    "windows": "two windows of half the memory",
    "one_window": "one window of all the memory",
    "file_buffer": "shuffle buffer, file order",
    "permutation": "true permutation",
}
DASH = ' stroke-dasharray="6 4"'


class Plot:
    """A frame with two scales; what is drawn in it collects in parts."""

    def __init__(self, box, x_range, y_range, log_y=True):
        self.left, self.top, self.right, self.bottom = box
        self.x_range, self.y_range, self.log_y = x_range, y_range, log_y
        self.parts = []

    def x(self, value):
        low, high = self.x_range
        return self.left + (self.right - self.left) * (value - low) / (high - low)

    def y(self, value):
        low, high = self.y_range
        if self.log_y:
            low, high, value = math.log(low), math.log(high), math.log(min(max(value, low), high))
        return self.bottom - (self.bottom - self.top) * (value - low) / (high - low)

    def text(self, kind, x, y, words, colour=None):
        style = f' style="fill: {colour}"' if colour else ""
        self.parts.append(f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}"{style}>{words}</text>')

    def axes(self, x_ticks, y_ticks, x_title):
        """Ticks are (value, label)."""
        for value, label in y_ticks:
            at = self.y(value)
            self.parts.append(f'<path class="grid" d="M{self.left} {at:.1f}H{self.right}"/>')
            self.text("tick right", self.left - 7, at + 4, label)
        for value, label in x_ticks:
            self.text("tick middle", self.x(value), self.bottom + 17, label)
        self.parts.append(f'<path class="frame" d="M{self.left} {self.top}V{self.bottom}H{self.right}"/>')
        self.text("small middle", (self.left + self.right) / 2, self.bottom + 36, x_title)

    def line(self, order, xs, found, dashed=False, bars=False):
        """found: (mean, half of the confidence interval)."""
        colour = COLOURS[order]
        spots = [(self.x(x), self.y(mean)) for x, (mean, _) in zip(xs, found)]
        if bars:
            for (x, _), (mean, half) in zip(spots, found):
                low, high = self.y(max(mean - half, self.y_range[0])), self.y(min(mean + half, self.y_range[1]))
                self.parts.append(f'<path class="bar" stroke="{colour}" d="M{x:.1f} {low:.1f}V{high:.1f}"/>')
        kind = "line strong" if order == "interleaved" else "line"
        dash = DASH if dashed or order == "permutation" else ""
        path = "L".join(f"{x:.1f} {y:.1f}" for x, y in spots)
        self.parts.append(f'<path class="{kind}" stroke="{colour}"{dash} d="M{path}"/>')
        if order != "permutation":
            self.parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="2.8" fill="{colour}"/>' for x, y in spots]

    def diamond(self, x, y):
        self.parts.append(f'<path class="stated" d="M{x:.1f} {y - 6:.1f}l6 6l-6 6l-6 -6z"/>')


def legend(plot, x, y):
    """Over the panels: what the lines are."""
    for i, (order, name) in enumerate(NAMES.items()):
        at, row = x + 290 * (i % 3), y + 22 * (i // 3)
        width = 3.4 if order == "interleaved" else 2.2
        dash = DASH if order == "permutation" else ""
        plot.parts.append(
            f'<path stroke="{COLOURS[order]}" stroke-width="{width}"{dash} d="M{at} {row - 4}h30"/>'
        )
        plot.text("small", at + 38, row, name)


def batch_panel(summary):
    memories, figures = summary["memories"], summary["figures"]
    plot = Plot((70, 158, 890, 430), (math.log2(memories[0]) - 0.15, math.log2(memories[-1]) + 0.15), (0.75, 330))
    plot.text("panel", 24, 138, "A batch: variance of its class counts against a true permutation, by memory")
    chunks = [(math.log2(memory), f"{memory:,}") for memory in memories]
    ticks = [(value, value) for value in (1, 2, 4, 8, 16, 32, 64, 128, 256)]
    plot.axes(chunks, ticks, "memory, in chunks (a window W, or a buffer of as many chunks)")
    xs = [math.log2(memory) for memory in memories]
    for order in reversed(COLOURS):
        plot.line(order, xs, [figures[order, memory]["sums"][0] for memory in memories], bars=True)
    for memory in memories:
        plot.diamond(plot.x(math.log2(memory)), plot.y(summary["stated"][memory]))
    plot.diamond(628, 134)
    plot.text("small", 642, 138, "what the formula states for interleaved/1")
    return plot.parts


def sums_panel(summary):
    figures, counts = summary["figures"], [4**i for i in range(5)]
    plot = Plot((70, 534, 440, 748), (-0.2, 4.2), (0.75, 180))
    plot.text("panel", 24, 514, f"Sums over K neighbouring batches, W = {DEFAULT}")
    plot.axes(
        [(i, count) for i, count in enumerate(counts)],
        [(value, value) for value in (1, 2, 4, 8, 16, 32, 64, 128)],
        f"K (broken line: W = {LARGE:,}; file order: beyond the scale)",
    )
    for order in ("permutation", "one_window", "windows", "buffer", "interleaved"):
        plot.line(order, range(5), figures[order, DEFAULT]["sums"], bars=True)
    plot.line("interleaved", range(5), figures["interleaved", LARGE]["sums"], dashed=True)
    return plot.parts


def ends_panel(summary):
    """Beginning and end side by side; their batches in groups of powers of two."""
    figures = summary["figures"]
    plot = Plot((520, 534, 890, 748), (-0.4, 16.4), (0, 5), log_y=False)
    plot.text("panel", 478, 514, f"The two ends of an epoch: single batches, W = {DEFAULT}")
    begin, end = range(8), range(16, 8, -1)
    names = {0: "1st", 2: "3-4", 4: "9-16", 6: "33-64"}
    ticks = [(begin[i], name) for i, name in names.items()]
    ticks += [(end[i], name if i else "last") for i, name in names.items()]
    scale = [(value, value) for value in range(6)]
    plot.axes(ticks, scale, f"batches from the beginning, and from the end (broken line: W = {LARGE:,})")
    for order, memory in (
        ("permutation", DEFAULT),
        ("windows", DEFAULT),
        ("buffer", DEFAULT),
        ("interleaved", DEFAULT),
        ("interleaved", LARGE),
    ):
        for side, xs in (("begin", begin), ("end", end)):
            dashed = memory == LARGE
            found = figures[order, memory][side]
            plot.line(order, xs, found, dashed, bars=order == "interleaved" and not dashed)
    middle = plot.x(8)
    plot.parts.append(f'<path class="grid" d="M{middle:.1f} {plot.top}V{plot.bottom}"/>')
    return plot.parts


def draw(summary):
    data = summary["epoch_data"]
    head = Plot((0, 0, WIDTH, HEIGHT), (0, 1), (1, 2))
    head.text("head", 24, 36, "How well the order mixes data sorted by class")
    head.text(
        "small",
        24,
        58,
        f"10 classes, {data['samples']:,} samples, chunks of {data['samples_per_chunk']}, batches of {data['batch']}; "
        f"{data['seeds']} seeds, 95 % confidence as bars; 1 is a true permutation, lower is better",
    )
    legend(head, 24, 86)
    parts = [*head.parts, *batch_panel(summary), *sums_panel(summary), *ends_panel(summary)]
    body = "\n".join(f"  {part}" for part in parts)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-labelledby="title">\n'
        '  <title id="title">Inflation of class counts by order and memory, over neighbouring batches, and at the '
        f"ends of an epoch</title>\n  <style>{STYLE}  </style>\n"
        f'  <rect width="{WIDTH}" height="{HEIGHT}" rx="10" fill="#fbfcfd"/>\n{body}\n</svg>\n'
    )
