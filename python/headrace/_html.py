"""Data sets and reports as a notebook shows them: plain tables, images as images. Names and texts come from files:
they are escaped."""

from __future__ import annotations

import base64
import struct
from collections.abc import Iterable, Sequence
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from . import _sizes

if TYPE_CHECKING:
    from .dataset import Dataset
    from .field import Field
    from .report import Report

_SAMPLES = 4
_MOST_BYTES = 4 << 20  # of one field's first samples
_MOST_SIDE = 512
_MOST_SHOWN = 64  # pixels across: a row of samples fits into a cell
_MOST_NUMBERS = 6
_REPORT_COLUMN = 19  # in a report's lines what is said begins here


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Cells are HTML. A header of empty cells is left out."""
    head = "".join(f"<th style='text-align:left'>{cell}</th>" for cell in header)
    head = f"<thead><tr>{head}</tr></thead>" if any(header) else ""
    body = "".join(
        "<tr>" + "".join(f"<td style='text-align:left'>{cell}</td>" for cell in row) + "</tr>" for row in rows
    )
    return f"<table>{head}<tbody>{body}</tbody></table>"


def pixels(sample: npt.NDArray[Any]) -> npt.NDArray[np.uint8] | None:
    """Rows of RGB, of what looks like an image: (H, W), (H, W, 1 or 3), (1 or 3, H, W), of bytes or of floats in [0,
    1]."""
    if sample.ndim == 2:
        sample = sample[:, :, None]
    if sample.ndim == 3 and sample.shape[0] in (1, 3) and sample.shape[2] not in (1, 3):
        sample = np.moveaxis(sample, 0, 2)
    if sample.ndim != 3 or sample.shape[2] not in (1, 3):
        return None
    if not all(8 <= side <= _MOST_SIDE for side in sample.shape[:2]):
        return None
    if sample.dtype.kind == "f":
        values = np.nan_to_num(sample.astype(np.float32))
        if values.min() < 0 or values.max() > 1:
            return None
        sample = np.rint(values * 255)
    elif sample.dtype != np.uint8:
        return None
    return np.broadcast_to(sample, (*sample.shape[:2], 3)).astype(np.uint8)


def image(rgb: npt.NDArray[np.uint8]) -> str:
    """As a bitmap inside of the page; a small one is shown larger, so that its pixels are seen."""
    height, width = rgb.shape[:2]
    rows = np.zeros((height, -(-width * 3 // 4) * 4), np.uint8)  # each a multiple of four bytes, the lowest first
    rows[:, : width * 3] = rgb[::-1, :, ::-1].reshape(height, width * 3)
    data = rows.tobytes()
    header = struct.pack("<2sIHHI", b"BM", 54 + len(data), 0, 0, 54)
    header += struct.pack("<IiiHHIIiiII", 40, width, height, 1, 24, 0, len(data), 2835, 2835, 0, 0)
    encoded = base64.b64encode(header + data).decode()
    shown = width * (_MOST_SHOWN // width) or _MOST_SHOWN
    style = "image-rendering:pixelated;margin:1px" if shown > width else "margin:1px"
    return f"<img width='{shown}' style='{style}' src='data:image/bmp;base64,{encoded}'>"


def _number(value: Any) -> str:
    if isinstance(value, bytes):
        return escape(repr(value.decode("utf-8", "replace")))
    return f"{value:.4g}" if isinstance(value, float) else escape(str(value))


def _samples(field: Field) -> str:
    count = min(_SAMPLES, len(field))
    if count == 0 or field.sample_bytes * count > _MOST_BYTES:
        return ""
    cells = []
    for sample in field.read(0, count):
        rgb = pixels(np.asarray(sample))
        if rgb is not None:
            cells.append(image(rgb))
            continue
        values = np.asarray(sample).reshape(-1)
        numbers = ", ".join(_number(value) for value in values[:_MOST_NUMBERS].tolist())
        more = ", ..." if values.size > _MOST_NUMBERS else ""
        cells.append(f"[{numbers}{more}]" if np.asarray(sample).ndim else numbers)
    return " ".join(cells) if cells[0].startswith("<img") else "; ".join(cells)


def _statistics(field: Field) -> str:
    found = field.statistics
    if found is None:
        return ""
    words = []
    if found["has_moments"]:
        words.append(f"{found['min']:.4g} to {found['max']:.4g}, mean {found['mean']:.4g}, std {found['std']:.4g}")
    for key, name in (("num_nan", "NaN"), ("num_inf", "infinite")):
        if found[key]:
            words.append(f"<b>{found[key]} {name}</b>")
    if found["looks_sorted"]:
        words.append("<b>sorted by class</b>")
    return ", ".join(words)


def dataset_html(dataset: Dataset) -> str:
    info = dataset.info()
    rows = [
        (
            escape(name),
            escape(field.kind),
            escape(str(field.sample_shape)) if field.sample_shape else "",
            _statistics(field),
            _samples(field),
        )
        for name, field in dataset.fields.items()
    ]
    head = (
        f"<b>{escape(dataset.path)}</b>: {dataset.num_samples:,} samples, {_sizes.text(info['decoded_bytes'])} in "
        f"{_sizes.text(info['file_bytes'])}, {info['num_chunks']:,} chunks"
    )
    return f"<div>{head}{table(('field', 'type', 'shape', 'statistics', 'first samples'), rows)}</div>"


def report_html(report: Report) -> str:
    """The report's own lines: each a name in a column of fixed width, and what is said of it."""
    sentence, _, rest = report.text.partition("\n")
    rows = []
    for line in rest.splitlines():
        name, said = line[:_REPORT_COLUMN], line[_REPORT_COLUMN:]
        if name.strip():
            indent = "&emsp;" if line.startswith(" ") else ""
            rows.append((indent + escape(name.strip()), escape(said.strip())))
    return f"<div><p>{escape(sentence)}</p>{table(('', ''), rows)}</div>"
