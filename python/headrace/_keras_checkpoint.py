"""Where a Keras training is: weights, optimizer and the place in the data, saved together in one file."""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import warnings
from typing import TYPE_CHECKING, Any

from . import _graft, _keras, _options, errors

if TYPE_CHECKING:
    from ._keras import KerasData

_SUFFIX = ".weights.h5"
_ATTRIBUTE = "headrace"
_RANDOM = "headrace_random_"
_VERSION = 1


def _random_states(model: Any) -> list[Any]:
    """The variables of a model that Keras does not save: where its random generators are (of Dropout, for example)."""
    saved = {id(variable) for variable in model.weights}
    return [variable for variable in model.variables if id(variable) not in saved]


class KerasCheckpoint:
    """A `keras.callbacks.Callback` that saves weights, optimizer and position together, and goes on there.

    Where `path` exists when `fit` begins, the training goes on after the last batch that was saved as trained: the
    first epoch is the rest of the interrupted one, and it has its number. The file is an ordinary weights file of
    Keras's, old or new at any instant, which also tells the place; it is removed when `fit` ends, unless `keep`. The
    states of other callbacks and of the metrics are not in it; those of layers' random generators (Dropout) are.

    :param path: ends in ".weights.h5"
    :param dataset: what `fit` trains on, made by `headrace.keras()`, and nothing else reads
    :param save_freq: "epoch": at the end of each epoch; or after each so many batches
    :param keep: leave the file when `fit` ends; `fit` with more epochs then goes on from there
    :raises MismatchError: at the beginning of `fit`: the file belongs to other data or another order, or tells no place

    >>> saved = hr.KerasCheckpoint("run.weights.h5", train, save_freq=100)  # doctest: +SKIP
    >>> model.fit(train, epochs=10, callbacks=[saved])  # doctest: +SKIP
    """

    params: dict[str, Any]
    model: Any

    def __new__(cls, *_: Any, **__: Any) -> KerasCheckpoint:
        made: KerasCheckpoint = _graft.new(cls, _keras.module().callbacks.Callback)
        return made

    def __init__(
        self,
        path: str | os.PathLike[str],
        dataset: KerasData,
        save_freq: str | int = "epoch",
        *,
        keep: bool = False,
    ) -> None:
        super().__init__()
        self.path = os.fspath(path)
        if not self.path.endswith(_SUFFIX):
            raise errors.InvalidError(f"the path is {self.path!r}; Keras wants one that ends in {_SUFFIX}")
        if not isinstance(dataset, _keras.KerasData):
            raise errors.InvalidError(f"the data set is {dataset!r}, expected what hr.keras() returned")
        self.dataset = dataset
        #: Batches from one save to the next; None: at the end of each epoch.
        self.save_freq = None if save_freq == "epoch" else _options.counted(save_freq, "save_freq", 1)
        self.keep = keep
        self._partial = f"{self.path[: -len(_SUFFIX)]}.partial{_SUFFIX}"
        self._quiet = contextlib.ExitStack()

    # What Keras calls.

    def on_train_begin(self, logs: Any = None) -> None:
        self._quiet.close()
        self._epoch, self._before = 0, 0  # Keras's epoch, batches of it that were trained by an earlier fit
        self._rest: int | None = None  # batches of this epoch, where it is the rest of one
        self._unsaved = 0
        if os.path.exists(self.path):
            self._restore()
        self._step = self.dataset.settle()

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        if epoch != self._epoch:
            self._epoch, self._before = epoch, 0
        self._trained = 0
        if self.params["steps"] == len(self.dataset) and self.dataset.step != self._step:
            raise errors.MismatchError(
                f"before epoch {epoch}, {self._step} batches were trained, and {self.dataset.step} served: something "
                "else reads this data set during fit; give validation_data and other loops an hr.keras() of their own"
            )

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        if self._rest is not None and batch >= self._rest:
            # Keras takes it as the end of the data. A step without data would run in part on TensorFlow: the numbers
            # of random generators would go on.
            raise StopIteration

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        trained = min(batch + 1, self.params["steps"] - self._before)
        self._step += trained - self._trained
        self._unsaved += trained - self._trained
        self._trained = trained
        if self.save_freq is not None and self._unsaved >= self.save_freq:
            self._save(self._epoch, self._before + trained)

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self._quiet.close()
        self._rest = None
        if self.save_freq is None:
            self._save(epoch + 1, 0)

    def on_train_end(self, logs: Any = None) -> None:
        self._quiet.close()
        self.model._initial_epoch = None
        if not self.keep:
            with contextlib.suppress(FileNotFoundError):
                os.remove(self.path)

    # The file.

    def _save(self, epoch: int, batches: int) -> None:
        h5py: Any = importlib.import_module("h5py")
        if batches >= self.params["steps"]:
            epoch, batches = epoch + 1, 0
        state = self.dataset.state(step=self._step)
        place = {"version": _VERSION, "epoch": epoch, "batches": batches, "state": state.hex()}
        try:
            self.model.save_weights(self._partial, overwrite=True)
            with h5py.File(self._partial, "r+") as file:
                file.attrs[_ATTRIBUTE] = json.dumps(place)
                for number, variable in enumerate(_random_states(self.model)):
                    file[f"{_RANDOM}{number}"] = variable.numpy()
            _options.put_in_place(self._partial, self.path)
        except OSError as error:
            raise errors.IoError(
                f"{self.path}: the training could not be saved ({error}); the file is as it was before"
            ) from error
        self._unsaved = 0

    def _read(self) -> tuple[int, int, bytes, list[Any]]:
        h5py: Any = importlib.import_module("h5py")
        try:
            with h5py.File(self.path, "r") as file:
                text = file.attrs.get(_ATTRIBUTE)
                random = [file[f"{_RANDOM}{n}"][...] for n in range(sum(name.startswith(_RANDOM) for name in file))]
        except OSError as error:
            raise errors.CorruptError(
                f"{self.path}: a training cannot go on from it ({error}); remove it to begin anew"
            ) from error
        place = None if text is None else json.loads(text)
        if place is None or place.get("version") != _VERSION:
            raise errors.MismatchError(
                f"{self.path}: tells no place in the data that this version knows; expected a file of "
                "hr.KerasCheckpoint's: give another path, or remove it to begin anew"
            )
        return place["epoch"], place["batches"], bytes.fromhex(place["state"]), random

    def _restore(self) -> None:
        epoch, batches, state, random = self._read()
        model = self.model
        if not model.built:
            model(self.dataset.look())
        if model.optimizer is not None and not model.optimizer.built:
            model.optimizer.build(model.trainable_variables)
        rest = max(0, self.params["steps"] - batches) if batches else 0
        self.dataset.restore(state, rest or None)
        model.load_weights(self.path)
        for variable, saved in zip(_random_states(model), random, strict=False):
            variable.assign(saved)
        model._initial_epoch = epoch
        self._epoch, self._before = epoch, batches if rest else 0
        if rest:  # Keras warns of an epoch that is shorter than it thought
            self._rest = rest
            self._quiet.enter_context(warnings.catch_warnings())
            warnings.filterwarnings("ignore", "Your input ran out of data")
        if epoch >= self.params["epochs"]:
            warnings.warn(
                f"{self.path}: {epoch} epochs are trained already, and fit was asked for {self.params['epochs']}: "
                "there is nothing to do; ask for more, or remove the file to begin anew",
                stacklevel=2,
            )
