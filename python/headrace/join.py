"""Parts that were written apart become one data set: `headrace join` in Python."""

from __future__ import annotations

import ctypes
import os
from typing import NamedTuple

from . import _abi, _job, _sizes
from ._library import call, new, output_bytes, path_bytes
from ._options import choose, counted, flag
from .convert import Path, _texts, _watched

ATTRIBUTES = {"same": 0, "first": _abi.HR_JOIN_FIRST_ATTRIBUTES}


class Joined(NamedTuple):
    """What a join did; sizes in bytes."""

    num_samples: int
    num_parts: int
    num_chunks: int
    num_segments: int
    resumed_samples: int
    stored_bytes: int
    seconds: float
    notes: tuple[str, ...]


def join(
    *parts: Path,
    out: Path,
    replace: bool = False,
    resume: bool = False,
    attributes: str = "same",
    check_space: bool = True,
    budget: int | str | None = None,
    threads: int = 0,
    progress: bool | None = None,
) -> Joined:
    """Make one .hrd file of parts that several processes or machines wrote, by copying their chunks: nothing is
    decoded, and every checksum is checked. All parts need the same fields and the same samples per chunk.

    :param parts: files, folders or patterns such as "parts/part-*.hrd", in the order of the samples
    :param out: the file to make
    :param replace: an existing output is replaced when the new one is complete
    :param resume: go on with the interrupted join of the same parts, if there is one
    :param attributes: "same": attributes that differ are refused; "first": those of the first part are taken
    :param check_space: see first whether the disk has room
    :param budget: bytes, or "256M", for everything it holds
    :param progress: show a bar; None: on a terminal and in a notebook
    :raises MismatchError: a part does not fit the first: the message says which, and in what
    :raises CorruptError: a part is damaged: the message says which, and where

    >>> for k in range(3):
    ...     hr.from_arrays(f"part-{k}.hrd", x=range(k * 10, k * 10 + 10), options={"replace": True})
    >>> done = hr.join("part-*.hrd", out="made.hrd")
    >>> done.num_samples, done.num_parts
    (30, 3)
    """
    options, result, watch = new(_abi.hr_join_options), new(_abi.hr_join_result), _job.Watch()
    options.flags = (
        flag(replace, "replace") * _abi.HR_JOIN_REPLACE
        | flag(resume, "resume") * _abi.HR_JOIN_RESUME
        | (not flag(check_space, "check_space")) * _abi.HR_JOIN_NO_SPACE_CHECK
        | choose(attributes, ATTRIBUTES, "attributes")
    )
    options.parts, options.num_parts = _texts([path_bytes(path) for path in parts]), len(parts)
    options.output = output_bytes(out)
    options.budget_bytes = _sizes.parse(budget, "budget")
    options.num_threads = counted(threads, "threads")
    _watched(options, watch)
    _job.run(
        lambda: call("hr_join", ctypes.byref(options), ctypes.byref(result)),
        watch,
        os.path.basename(os.fsdecode(out)),
        progress=progress,
    )
    return Joined(
        result.num_samples,
        result.num_parts,
        result.num_chunks,
        result.num_segments,
        result.resumed_samples,
        result.stored_bytes,
        result.elapsed_ns / 1e9,
        tuple(watch.notes),
    )
