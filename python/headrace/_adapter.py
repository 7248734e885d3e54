"""What the adapters that loops iterate over have in common: a loader, its place, and the names of what they deliver."""

from __future__ import annotations

import importlib
import os
from typing import TYPE_CHECKING, Any

from . import errors
from .loader import Loader
from .ranks import rank_from_environment
from .report import Report

if TYPE_CHECKING:
    from .dataset import Dataset


def framework(name: str) -> Any:
    """The module of a framework, imported when it is asked for."""
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise ImportError(f"headrace: {name} is needed and cannot be imported ({error}); install it") from error


def without(options: dict[str, Any], adapter: str, **reasons: str) -> None:
    """Options of loaders that an adapter does not take."""
    for name, reason in reasons.items():
        if name in options:
            raise errors.InvalidError(f"{adapter} was given {name}={options[name]!r}, which it does not take: {reason}")


def place_in_ranks(ranks: bool | str, options: dict[str, Any], group: tuple[int, int] | None) -> tuple[int, int]:
    """Rank and world size: as given, else those of the framework's process group, else as the launcher says."""
    rank, world_size = options.pop("rank", None), options.pop("world_size", None)
    if rank is not None or world_size is not None:
        if rank is None or world_size is None:
            raise errors.InvalidError(f"rank is {rank!r} and world_size is {world_size!r}; give both, or neither")
        return rank, world_size
    if not ranks:
        return 0, 1
    if group is not None and ranks is True:
        return group
    found = rank_from_environment(None if ranks is True else ranks)
    return found.rank, found.world_size


class Adapter:
    """A loader of which a framework gets batches."""

    _loader: Loader

    @property
    def dataset(self) -> Dataset:
        return self._loader.dataset

    @property
    def batches_per_epoch(self) -> int:
        return self._loader.batches_per_epoch

    def __len__(self) -> int:
        """Batches of an epoch, the same on every rank."""
        return self._loader.batches_per_epoch

    @property
    def local_batch(self) -> int:
        """Samples in this rank's share of a batch."""
        return self._loader.local_batch

    def checkpoint(self, path: str | os.PathLike[str], *, step: int | None = None) -> None:
        """Save the place in a file, which is old or new at any instant: after the batches that were delivered, or
        before batch `step`, counted over all epochs. `resume=path` goes on there."""
        self._loader.checkpoint(path, step=step)

    def report(self) -> Report:
        """Where the time went, what limits, and what to change: of the epoch under way or of the last one."""
        return self._loader.report()

    def info(self) -> dict[str, Any]:
        """`hr_loader_info` of the C API, of the epoch under way or of the last one."""
        return self._loader.info()

    def close(self) -> None:
        """Give threads and memory back; the next loop goes on where this one was."""
        self._loader.close()

    def __enter__(self) -> Any:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<headrace.{type(self).__name__} over {self._loader!r}>"
