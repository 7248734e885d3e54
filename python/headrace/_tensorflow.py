"""Batches for TensorFlow: a `tf.data.Dataset` over loaders."""

from __future__ import annotations

import importlib
import os
import threading
import weakref
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from . import _abi, _feed, _names, _options, errors
from ._names import Names
from .dataset import opened

if TYPE_CHECKING:
    from .dataset import Dataset
    from .loader import Loader

_HELD = _feed.HELD + 2  # TensorFlow lets go of four batches late


def tensorflow(
    data: Dataset | str | os.PathLike[str],
    batch: int,
    *,
    x: Names | None = None,
    y: Names | None = None,
    sample_weight: Names | None = None,
    held: int = _HELD,
    **options: Any,
) -> Any:
    """A `tf.data.Dataset` of batches: dicts of the fields, or (x,), (x, y), (x, y, sample_weight) where `x` is named.

    Its end is the end of an epoch; `.repeat()`, or another loop over it, gives the next epoch of the order. A loop that
    is left early has had its epoch. Tensors lie in the memory of batches, without a copy, as long as no more than
    `held` - 2 batches are kept; those beyond are copies. Shapes are static, but for the number of samples where the
    last batch may be short (`last="keep"`). The place in an epoch cannot be told: TensorFlow reads ahead.

    :param x: a field, or a list or dict of fields; None: all of them, or those of `fields=`, as a dict
    :param y, sample_weight: likewise, where `x` is named
    :param held: batches that may be kept without a copy
    :param options: those of `headrace.Loader`; `resume`: where the first loop begins

    >>> batches = hr.tensorflow(data, batch=100, x="X", y="y", shuffle=True)  # doctest: +SKIP
    >>> for images, labels in batches.prefetch(2):  # doctest: +SKIP
    ...     step(images, labels)
    """
    data = opened(data, "hr.tensorflow()")
    tf: Any = importlib.import_module("tensorflow")
    if _options.device(options.get("device")) != _abi.HR_DEVICE_HOST:
        raise errors.UnsupportedError(
            "hr.tensorflow was asked for batches on a GPU, and tf.data takes them from host memory; leave device out"
        )
    parts = [names for names in (x, y, sample_weight) if names is not None]
    if "epochs" in options:
        raise errors.InvalidError("hr.tensorflow was given epochs; use .repeat(epochs)")
    if x is None and parts:
        raise errors.InvalidError("y or sample_weight is named and x is not; name the model's input, too")
    if parts and "fields" in options:
        raise errors.InvalidError("hr.tensorflow was given fields and x, which names fields already; give one of them")
    if parts:
        options["fields"] = list(dict.fromkeys(n for names in parts for n in _names.fields_of(names, "x, y")))
    _feed.charge_copies(data, batch, options.get("fields"), options)
    passes = _Passes(data, batch, parts, held, options)
    first = next(iter(data.loader(1, subset=data.subset(0, 1), **_looked_at(options))))
    size = batch if options.get("last") in ("drop", "pad") and passes.one_rank else None
    specs = {name: tf.TensorSpec((size, *array.shape[1:]), tf.as_dtype(array.dtype)) for name, array in first.items()}
    made = tf.data.Dataset.from_generator(passes, output_signature=passes.shape(specs))
    weakref.finalize(made, passes.close).atexit = False  # TensorFlow keeps `passes` for ever (2.21)
    return made


def _looked_at(options: Mapping[str, Any]) -> dict[str, Any]:
    """Of the options those that say what batches are made of."""
    return {name: options[name] for name in ("fields", "finish", "budget", "pad", "truncate") if name in options}


class _Passes:
    """Called for each loop over the data set: the batches of one epoch. The loader that has ended an epoch has the next
    one read already, and serves it; a loop that begins while another is under way has a loader of its own."""

    def __init__(self, data: Dataset, batch: int, parts: list[Names], held: int, options: dict[str, Any]) -> None:
        self._data, self._batch, self._parts, self._held = data, batch, parts, held
        self._options = dict(options)
        self._epoch: int = self._options.pop("first_epoch", 0)
        self._resume: bytes | None = None
        if self._options.get("resume") is not None:
            self._resume = _options.read_state(self._options["resume"])
            self._epoch = _options.epoch_of(self._resume)
        self._options.pop("resume", None)
        self._lock = threading.Lock()
        self._idle: Loader | None = None
        _feed.check_not_empty(self._loader())

    @property
    def one_rank(self) -> bool:
        loader = self._loader()
        return loader.local_batch == loader.batch

    def _loader(self, epoch: int = 0, resume: bytes | None = None) -> Loader:
        return self._data.loader(self._batch, held=self._held, first_epoch=epoch, resume=resume, **self._options)

    def _begin(self) -> tuple[int, Loader]:
        with self._lock:
            epoch, resume, loader = self._epoch, self._resume, self._idle
            self._epoch, self._resume, self._idle = epoch + 1, None, None
        return epoch, loader or self._loader(epoch, resume)

    def _end(self, epoch: int, loader: Loader) -> None:
        """The loader is kept if it is the one that has the next epoch."""
        with self._lock:
            if self._epoch == epoch + 1 and self._idle is None:
                self._idle = loader
                return
        loader.close()

    def close(self) -> None:
        """Nobody has the data set any more."""
        with self._lock:
            loader, self._idle = self._idle, None
        if loader is not None:
            loader.close()

    def __call__(self) -> Iterator[Any]:
        epoch, loader = self._begin()
        for batch in loader:
            yield self.shape(_feed.arrays(batch, batch, self._held))
        self._end(epoch, loader)

    def shape(self, arrays: Mapping[str, Any]) -> Any:
        if not self._parts:
            return dict(arrays)
        return tuple(_names.pick(names, arrays) for names in self._parts)
