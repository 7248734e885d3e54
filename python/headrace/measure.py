"""How fast a data set can be delivered here: measured (`bench`) or predicted by trying (`probe`)."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from . import _abi, _job, _sizes, errors
from ._library import LIB, as_dict, call, new, set_callback
from ._options import choose, counted

if TYPE_CHECKING:
    from .dataset import Dataset
    from .loader import Loader

KINDS: dict[str, int] = {LIB.hr_bench_kind_name(kind).decode(): kind for kind in range(_abi.HR_BENCH_NUM_KINDS)}


def _spread(spread: Any) -> dict[str, float]:
    return {"median": spread.median, "lowest": spread.lowest, "highest": spread.highest}


def bench(
    dataset: Dataset | str | os.PathLike[str],
    measures: Iterable[str] = (),
    *,
    batch: int = 0,
    window: int = 0,
    threads: int = 0,
    rounds: int = 0,
    seed: int = 0,
    seconds: float = 0,
    budget: int | str | None = None,
    progress: bool | None = None,
) -> dict[str, Any]:
    """Measure decoding, reading and epochs in turns, in one run, so that each is a share of its limit: `hr_bench` of
    the C API, whose figures these are, by the names of `headrace bench`. Takes rounds x measures x seconds.

    :param measures: of "decode", "read-sequential", ...; none: all

    >>> found = hr.bench(data, ["decode"], rounds=1, seconds=0.05)
    >>> found["measures"]["decode"]["num_runs"]
    1
    """
    from .dataset import opened

    dataset = opened(dataset, "bench()")
    options, result, watch = new(_abi.hr_bench_options), new(_abi.hr_bench_result), _job.Watch()
    for name in measures:
        options.measures |= 1 << choose(name, KINDS, "measures")
    options.batch_samples = counted(batch, "batch")
    options.window_visits = counted(window, "window")
    options.num_threads = counted(threads, "threads")
    options.num_rounds = counted(rounds, "rounds")
    options.seed = counted(seed, "seed", 0, 2**64 - 1)
    options.run_ns = int(seconds * 1e9)
    options.budget_bytes = _sizes.parse(budget, "budget")
    set_callback(
        options,
        "on_progress",
        lambda _, told: watch.tell(told.contents.done_measures, told.contents.all_measures),
    )
    with dataset._handle.use() as pointer:
        _job.run(
            lambda: call("hr_bench", pointer, ctypes.byref(options), ctypes.byref(result)),
            watch,
            "bench",
            " measures",
            progress,
        )
    found = {key: value for key, value in as_dict(result).items() if key != "measures"}
    found["measures"] = {
        name: {
            **as_dict(result.measures[kind]),
            **{
                key: _spread(getattr(result.measures[kind], key))
                for key in ("bytes_per_s", "limit_bytes_per_s", "share")
            },
        }
        for name, kind in KINDS.items()
    }
    return found


def probe(loader: Loader, *, seconds: float = 0) -> dict[str, Any]:
    """Predict an epoch of a loader by running it for a second or two: `hr_probe_result` of the C API.

    >>> found = hr.probe(data.loader(batch=100), seconds=0.1)
    >>> found["samples_per_s"] > 0
    True
    """
    loader = getattr(loader, "_loader", loader)  # of what hr.torch() and the others made
    if not hasattr(loader, "_built"):
        raise errors.InvalidError(
            f"probe() was given {loader!r:.80}, expected a loader: hr.probe(data.loader(batch=...))"
        )
    options, result, watch = new(_abi.hr_probe_options), new(_abi.hr_probe_result), _job.Watch()
    options.limit_ns = int(seconds * 1e9)
    set_callback(options, "on_progress", lambda _: int(watch.stop))
    with loader.dataset._handle.use() as pointer:
        _job.run(
            lambda: call(
                "hr_probe", pointer, ctypes.byref(loader._built.struct), ctypes.byref(options), ctypes.byref(result)
            ),
            watch,
            "probe",
        )
    return {**as_dict(result), "limit": LIB.hr_limit_name(result.limit).decode()}
