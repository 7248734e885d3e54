"""Warnings, which name the line of the program that called the package."""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Sequence

from . import errors

_PACKAGE = os.path.dirname(os.path.abspath(__file__)) + os.sep
_MOST_LINES = 4


def warn(message: str) -> None:
    level, frame = 1, sys._getframe()
    while frame is not None and frame.f_code.co_filename.startswith(_PACKAGE):
        level, frame = level + 1, frame.f_back  # type: ignore[assignment]
    warnings.warn(message, errors.HeadraceWarning, stacklevel=level)


def of_values(path: str, lines: Sequence[str]) -> None:
    """One warning of all fields that have NaN or infinities, a line for each."""
    if lines:
        more = len(lines) - _MOST_LINES
        words = "; ".join(lines[:_MOST_LINES]) + (f"; and {more} more fields have such" if more > 0 else "")
        warn(f"{path}: {words}")


def line_of(name: str, figures: dict[str, int] | None) -> str | None:
    """As the command says it, of a field's statistics; None: it has neither."""
    counts = [
        f"{figures[f'num_{key}']} {word} (the first in sample {figures[f'first_{key}_sample']})"
        for key, word in (("nan", "NaN"), ("inf", "Inf"))
        if figures is not None and figures[f"num_{key}"]
    ]
    return f"field {name} has {' and '.join(counts)}" if counts else None
