"""What is whole of a damaged file becomes a new one: `headrace verify --salvage` in Python."""

from __future__ import annotations

import ctypes
from typing import Any, NamedTuple

from . import _abi, _job, _sizes
from ._library import call, new, output_bytes, path_bytes, set_callback
from ._options import flag
from .convert import Path, _watched


class Lost(NamedTuple):
    """Samples that are lost, as numbered in the damaged file; the fields that were found damaged (none: the whole
    chunk), and why."""

    first_chunk: int
    num_chunks: int
    first_sample: int
    num_samples: int
    fields: tuple[str, ...]
    reason: str


class Salvaged(NamedTuple):
    """What a salvage saved; sizes in bytes. `end_known` is False where the footer is not whole: what followed the last
    chunk that was found, if anything, is then not known."""

    num_samples: int
    num_chunks: int
    num_segments: int
    lost_samples: int
    lost_chunks: int
    end_known: bool
    stored_bytes: int
    seconds: float
    lost: tuple[Lost, ...]
    notes: tuple[str, ...]


def _lost(told: Any) -> Lost:
    return Lost(
        told.first_chunk,
        told.num_chunks,
        told.first_sample,
        told.num_samples,
        tuple(told.fields[i].decode("utf-8", "replace") for i in range(told.num_fields)),
        told.reason.decode("utf-8", "replace"),
    )


def salvage(
    path: Path,
    *,
    out: Path,
    replace: bool = False,
    check_space: bool = True,
    budget: int | str | None = None,
    progress: bool | None = None,
) -> Salvaged:
    """Save what is whole of a damaged file, or of what an interrupted writer left (OUT.partial), into a new data set.
    Every chunk of which all frames are whole is saved, byte for byte, and all else is told. The damaged file is only
    read.

    :param path: the damaged file
    :param out: the file to make
    :param replace: an existing output is replaced when the new one is complete
    :param check_space: see first whether the disk has room
    :param budget: bytes, or "256M", for everything it holds
    :param progress: show a bar; None: on a terminal and in a notebook
    :raises CorruptError: nothing can be saved: the message says why

    >>> done = hr.salvage("train.hrd", out="made.hrd")
    >>> done.num_samples, done.lost
    (1000, ())
    """
    options, result, watch = new(_abi.hr_salvage_options), new(_abi.hr_salvage_result), _job.Watch()
    lost = list[Lost]()
    options.flags = (
        flag(replace, "replace") * _abi.HR_SALVAGE_REPLACE
        | (not flag(check_space, "check_space")) * _abi.HR_SALVAGE_NO_SPACE_CHECK
    )
    options.path, options.output = path_bytes(path), output_bytes(out)
    options.budget_bytes = _sizes.parse(budget, "budget")
    _watched(options, watch)
    set_callback(options, "on_lost", lambda _, told: lost.append(_lost(told.contents)))
    _job.run(
        lambda: call("hr_salvage", ctypes.byref(options), ctypes.byref(result)), watch, "salvage", progress=progress
    )
    return Salvaged(
        result.num_samples,
        result.num_chunks,
        result.num_segments,
        result.lost_samples,
        result.lost_chunks,
        bool(result.end_known),
        result.stored_bytes,
        result.elapsed_ns / 1e9,
        tuple(lost),
        tuple(watch.notes),
    )
