"""Batches for Keras: a `keras.utils.PyDataset` over a loader.

What is relied on of Keras's ways stands in _keras_inside.py, with numbers that are named here.
"""

from __future__ import annotations

import collections
import os
import threading
import weakref
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from . import _abi, _feed, _graft, _keras_inside, _names, _options, errors
from ._keras_inside import LOOKED_AT
from ._names import Names
from .dataset import opened

if TYPE_CHECKING:
    from .batch import Batch
    from .dataset import Dataset
    from .loader import Loader

_HELD = 2 * _feed.HELD  # TensorFlow and JAX let go of them late, and two are those looked at


def keras(
    data: Dataset | str | os.PathLike[str],
    batch: int,
    *,
    x: Names,
    y: Names | None = None,
    sample_weight: Names | None = None,
    shuffle: bool | None = None,
    device: str | int | None = None,
    held: int = _HELD,
    resume: bytes | str | os.PathLike[str] | None = None,
    **options: Any,
) -> Any:
    """A `keras.utils.PyDataset` for `fit`, `evaluate`, `predict` and `validation_data`, of Keras 3.8 or newer, on
    TensorFlow, JAX and PyTorch; see `headrace.KerasData`.

    :param x: the field that is the model's input; a list or a dict (input name: field) where it has several
    :param y: likewise the targets
    :param sample_weight: likewise the weights of samples
    :param shuffle: in the mixed order of docs/order.md, a new one in each epoch. What `fit(shuffle=...)` says, does not
        matter
    :param device: "cuda:0": batches are uploaded by Headrace; on JAX and PyTorch
    :param held: batches that Keras may hold without a copy
    :param resume: where to begin, the first epoch being the rest of that one; see also `headrace.KerasCheckpoint`
    :param options: those of `headrace.Loader`

    >>> train = hr.keras(data, batch=100, x="X", y="y", shuffle=True)  # doctest: +SKIP
    >>> model.fit(train, epochs=10)  # doctest: +SKIP
    """
    return KerasData(
        data, batch, x=x, y=y, sample_weight=sample_weight, shuffle=shuffle, device=device, held=held, resume=resume,
        **options,
    )  # fmt: skip


def _nobody() -> None:
    return None


def _ended(data: weakref.ref[KerasData], adapter: Callable[[], Any]) -> None:
    found = data()
    if found is not None:
        found.end(adapter)


class KerasData:
    """What `headrace.keras()` returns: a `keras.utils.PyDataset`. One epoch of Keras's is one epoch of the order. Its
    place is that of the batches served, whatever indices Keras asks for:

    - batches that Keras only looks at are served again;
    - `fit` after `fit` goes on with the next epoch; after one that was cut short (an interrupt, `steps_per_epoch`) with
      the next batch that was not served: where Keras reads ahead (on TensorFlow, on JAX with a GPU), some batches are
      passed over; a `KerasCheckpoint` goes on exactly;
    - without `shuffle`, every pass begins at sample 0, so that the rows of `predict` are those of the data set;
      `predict` with `shuffle` is refused.

    `for x, y in ...` gives the batches of one epoch by hand. One fit, evaluate or predict reads it at a time: give
    validation_data one of its own.
    """

    def __new__(cls, *_: Any, **__: Any) -> KerasData:
        made: KerasData = _graft.new(cls, _keras_inside.module().utils.PyDataset)
        return made

    def __init__(
        self,
        data: Dataset | str | os.PathLike[str],
        batch: int,
        *,
        x: Names,
        y: Names | None,
        sample_weight: Names | None,
        held: int,
        resume: bytes | str | os.PathLike[str] | None,
        device: str | int | None,
        **options: Any,
    ) -> None:
        super().__init__()
        data = opened(data, "hr.keras()")
        self._parts = [names for names in (x, y, sample_weight) if names is not None]
        if sample_weight is not None and y is None:
            raise errors.InvalidError(f"sample_weight is {sample_weight!r} and there is no y; name the targets, too")
        for name in ("epochs", "fields"):
            if name in options:
                raise errors.InvalidError(f"hr.keras was given {name}: Keras counts epochs, and x and y name fields")
        named = (("x", x), ("y", y), ("sample_weight", sample_weight))
        self._fields = list(dict.fromkeys(name for what, names in named for name in _names.fields_of(names, what)))
        on_host = _options.device(device) == _abi.HR_DEVICE_HOST
        self._import = None if on_host else _keras_inside.from_device(_keras_inside.module().config.backend())
        self._held = held
        state = None if resume is None else _options.read_state(resume)
        if on_host:
            _feed.charge_copies(data, batch, self._fields, options)
        self._loader: Loader = data.loader(
            batch, fields=self._fields, held=held, device=device, resume=state, **options
        )
        self._shuffled = bool(options.get("shuffle"))
        self._batches = _feed.check_not_empty(self._loader)
        self._lock = threading.RLock()
        self._adapter: Callable[[], Any] = _nobody  # that may ask for batches: the one that was made last
        self._loop: Iterator[Batch] | None = None
        epoch, number = (options.get("first_epoch", 0), 0) if state is None else _options.place_of(state)
        self._put(epoch * self._batches + number, self._batches - number if number else None)

    def _put(self, step: int, rest: int | None = None) -> None:
        """Nothing is under way, and the loader goes on with batch `step`, counted over all epochs."""
        self._next = step
        self._again: collections.deque[Any] = collections.deque()  # to be served before what the loader has
        self._early: list[Any] | None = []  # served in this pass, and maybe only looked at; None: they were used
        self._served = False  # since it was put here
        self._rest = rest  # batches of the first pass, where they are fewer than an epoch's
        self._asked = False  # for the number of batches, since the last batch: a pass may begin
        self._attached = False  # an adapter was made, and has not called on_epoch_end
        self._in_epoch = False

    # What Keras calls.

    @property
    def workers(self) -> int:
        adapter = _keras_inside.adapter(1)
        if adapter is not None:
            self._attach(adapter)
        return 1

    @workers.setter
    def workers(self, value: int) -> None:
        raise errors.InvalidError(f"workers was set to {value}: Headrace reads with threads of its own; see threads=")

    def _attach(self, adapter: Any) -> None:
        """1: a fit, evaluate or predict begins."""
        with self._lock:
            self._attached, self._in_epoch = True, False
            self._adapter = weakref.ref(adapter)
            lives, what, twice = _keras_inside.made_for()
            if lives is not None:
                weakref.finalize(lives, _ended, weakref.ref(self), self._adapter).atexit = False
            if twice:
                raise errors.InvalidError(
                    "fit() was given one hr.keras() for training and as validation_data, and each has its place in the "
                    "data; give validation_data one of its own"
                )
            if self._shuffled and what == "predict":
                raise errors.InvalidError(
                    "predict() was called with a shuffled hr.keras(): the rows of its result would be in mixed order; "
                    "make one with shuffle=False for it"
                )

    @property
    def num_batches(self) -> int:
        """2: batches that the next pass asks for: those of an epoch, or of the rest of one."""
        with self._lock:
            self._asked = True
            begins = self._in_epoch and not self._attached
            return self._rest if self._rest is not None and begins else self._batches

    def __len__(self) -> int:
        """Batches of an epoch."""
        return self._batches

    def __getitem__(self, index: int) -> Any:
        """The next batch of the order, whatever the index."""
        with self._lock:
            asker = _keras_inside.adapter(1)
            if asker is not None and asker is not self._adapter():
                raise errors.ClosedError(
                    "another fit, evaluate or predict has begun with this data set, or this one is over; give each an "
                    "hr.keras() of its own, validation_data, too"
                )
            if self._asked:
                self._begin_pass()
            entry = self._again.popleft() if self._again else self._take()
            self._served = True
            if self._early is not None and len(self._early) < LOOKED_AT:
                self._early.append(entry)
            elif self._early is not None:
                self._use()
            return entry

    def on_epoch_begin(self) -> None:
        """4."""
        with self._lock:
            self._in_epoch = True

    def on_epoch_end(self) -> None:
        """3 the first time, 4 later."""
        with self._lock:
            if not self._attached:
                self._use()
            self._attached = self._in_epoch = False

    def end(self, adapter: Callable[[], Any]) -> None:
        """The fit, evaluate or predict is over, for which this adapter was made; TensorFlow keeps what it was made of
        for ever (2.21), and so this object: threads and memory are given back now."""
        with self._lock:
            if adapter is self._adapter:
                self._adapter = _nobody
                self.close()

    # Passes.

    def _use(self) -> None:
        """What was served in this pass has been used, or will be."""
        if self._served:
            self._early = self._rest = None

    def _begin_pass(self) -> None:
        self._asked = False
        if self._early:
            self._again.extendleft(reversed(self._early))
        elif self._served and not self._shuffled and self.step % self._batches:
            self._rewind(self.step // self._batches * self._batches)
        self._early = []

    def _rewind(self, step: int) -> None:
        self._leave()
        self._loader.rewind(step // self._batches)
        attached, in_epoch = self._attached, self._in_epoch
        self._put(step)
        self._attached, self._in_epoch = attached, in_epoch

    def _leave(self) -> None:
        self._loop = None
        self._loader.close()

    def _take(self) -> Any:
        batch = None
        while batch is None:
            if self._loop is None:
                self._loop = iter(self._loader)
            batch = next(self._loop, None)
            if batch is None:
                self._loop = None
        self._next = batch.epoch * self._batches + batch.number + 1
        if self._import is None:
            arrays = _feed.arrays(batch, self._fields, self._held)
        else:
            arrays = {name: self._import(batch[name]) for name in self._fields}
        return tuple(_names.pick(names, arrays) for names in self._parts)

    # By hand.

    def __iter__(self) -> Iterator[Any]:
        """The batches of one epoch, or of the rest of one, as (x,), (x, y) or (x, y, sample_weight)."""
        self.on_epoch_begin()
        ended = self._attached = False
        try:
            for index in range(self.num_batches):
                entry = self[index]
                self._use()
                yield entry
            ended = True
        finally:
            self._in_epoch = False
            if not ended:
                self._leave()

    def look(self) -> Any:
        """The model's input of the next batch, which will be served again."""
        with self._lock:
            if not self._again and not self._early:
                self._again.append(self._take())
            return (self._early or self._again)[0][0]

    def settle(self) -> int:
        """`step`, as the next pass begins."""
        with self._lock:
            self._begin_pass()
            return self.step

    @property
    def step(self) -> int:
        """Batches served, counted over all epochs from batch 0 of epoch 0, without those that will be served again."""
        with self._lock:
            return self._next - len(self._again) - len(self._early or ())

    def state(self, *, step: int | None = None) -> bytes:
        """The place after the batches served, or before batch `step`: see `Loader.state()`."""
        with self._lock:
            return self._loader.state(step=self.step if step is None else step)

    def restore(self, state: bytes, batches: int | None = None) -> None:
        """Go to a place that `state()` told; the next pass has so many `batches`, or as many as its epoch has left.

        :raises MismatchError: it belongs to other data or another order
        """
        with self._lock:
            self._leave()
            epoch, number = _options.place_of(state)
            before, self._loader._state = self._loader._state, state
            try:
                self._loader.state(step=0)
            except errors.Error:
                self._loader._state = before
                raise
            self._put(epoch * self._batches + number, batches or (self._batches - number if number else None))

    def close(self) -> None:
        """Give threads and memory back; the next pass goes on where this one was."""
        with self._lock:
            if self._again or self._early:
                self.restore(self.state())
            self._leave()

    def __repr__(self) -> str:
        names = ", ".join(map(repr, self._fields))
        return f"<headrace.KerasData of {names} over {self._loader!r}>"

    @property
    def loader(self) -> Loader:
        """The loader, for `report()` and `info()`."""
        return self._loader
