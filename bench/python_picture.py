"""The figures of script/bench-python as an SVG picture: loops and adapters as shares of what they are compared with,
and the rates of other readers of the same rows, on a logarithmic scale."""

import html
import math

import gpu_picture
from gpu_picture import BAR, FIGURES, GAP, JUDGED, LEFT, ROW, WIDTH
from table import mib, percent

TOP = 118
STYLE = gpu_picture.STYLE + "    .other { fill: #8fa3b5 }\n    .dead { font-size: 12px; fill: #b3261e }\n"


class LogPanel(gpu_picture.Panel):
    """low and high are powers of ten."""

    def x(self, value):
        shown = min(max(value, self.low), self.high)
        return LEFT + gpu_picture.BARS * math.log10(shown / self.low) / math.log10(self.high / self.low)


def plain(words):
    return words.replace("`", "")


def share_rows(results):
    """(group, name, spread, promised or None)."""
    for row in results.get("loops", {}).get("rows", ()):
        yield "loop, of headrace epoch", f"batches of {row['name']}", row["share"], row["promised"]
    adapters = results.get("adapters", {})
    for at, title in enumerate(adapters.get("sets", ())):
        for row in adapters["rows"]:
            if row["sets"]:
                yield f"of NumPy's, {title}", plain(row["words"]), row["sets"][at]["share"], None


def shares_panel(top, rows):
    high = max(1.0, *(spread["high"] for _, _, spread, _ in rows))
    low, high, step = gpu_picture.scale(0, min(high, 1.5))
    panel = gpu_picture.Panel(top, "The loop in Python, and adapters: the rate as a share", low, high)
    last = None
    for group, name, spread, promised in rows:
        if last not in (None, group):
            panel.y += GAP
        if last != group:
            panel.text("size", 24, group)
        last = group
        panel.row(name if len(name) < 30 else name.replace("batch_size=None", "..."))
        panel.bar("ours" if promised else "kernel", spread["median"])
        panel.spread(spread["low"], spread["high"])
        if promised:
            panel.judged(FIGURES, percent(spread["median"]), spread["median"] >= promised)
            panel.promise(promised, panel.y - 3, panel.y + BAR + 3)
        else:
            panel.text("plain", FIGURES, percent(spread["median"]))
        panel.y += ROW
    ticks = [(at, f"{100 * at:.0f}") for at, _ in gpu_picture.ticks_of(low, high, step)]
    return panel, panel.close(ticks, "%")


def short(n):
    return f"{n / 1e6:.1f} M" if n >= 1e6 else f"{n / 1e3:,.0f} k" if n >= 1e4 else f"{n:,.0f}"


def rivals_panel(top, rivals):
    found = [row["orders"][order]["samples_per_s"] for row in rivals["rows"] for order in row["orders"]]
    found = [spread for spread in found if spread] or [{"low": 1, "high": 10}]
    low = 10 ** math.floor(math.log10(max(1, min(spread["low"] for spread in found))))
    high = 10 ** math.ceil(math.log10(max(10 * low, *(spread["high"] for spread in found))))
    limit = f", under a limit of {mib(rivals['limit_bytes'])}" if rivals["limit_bytes"] else ""
    title = f"Readers of the same {mib(rivals['size_bytes'])}{limit}: samples per second, and peak memory"
    panel = LogPanel(top, title, low, high)
    for order in ("sequential", "shuffled"):
        panel.text("size", 24, order)
        for row in rivals["rows"]:
            one = row["orders"][order]
            panel.row(row["words"].replace(", chunks of 256 KiB", ""))
            if one["survived"]:
                ours, spread = row["name"] == "headrace", one["samples_per_s"]
                panel.bar("ours" if ours else "other", spread["median"])
                panel.spread(spread["low"], spread["high"])
                panel.text("kept" if ours else "plain", FIGURES, short(spread["median"]))
                panel.text("small", JUDGED - 24, mib(one["peak_bytes"]["median"]))
            else:
                panel.text("dead", FIGURES, one["ended"])
            panel.y += ROW
        panel.y += GAP
    powers = range(round(math.log10(low)), round(math.log10(high)) + 1)
    return panel, panel.close([(10.0**power, f"{10**power:,}") for power in powers], "")


def head(results):
    part = next(iter(results.values()))
    where = f"{part['cpu']}, {part['cores']} cores"
    lines = (
        ("head", 36, "Headrace in Python"),
        ("small", 58, f"By script/bench-python on {part['date']}; {where}. Bars are medians,"),
        ("small", 74, "orange lines reach from the lowest round to the highest. Broken red lines: promised."),
    )
    return [f'<text class="{kind}" x="24" y="{y}">{html.escape(words)}</text>' for kind, y, words in lines]


def draw(results):
    """results: as python_table.py has them; parts that are missing are left out."""
    body, top = head(results), TOP
    rows = list(share_rows(results))
    if rows:
        panel, parts = shares_panel(top, rows)
        body, top = body + parts, panel.y
    if "rivals" in results:
        panel, parts = rivals_panel(top, results["rivals"])
        body, top = body + parts, panel.y
    height, drawn = top - 22, "\n".join(f"  {part}" for part in body)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img" aria-labelledby="title">\n'
        '  <title id="title">The loop in Python and adapters as shares, and other readers of the same rows</title>\n'
        f'  <style>{STYLE}  </style>\n'
        f'  <rect width="{WIDTH}" height="{height}" rx="10" fill="#fbfcfd"/>\n{drawn}\n</svg>\n'
    )
