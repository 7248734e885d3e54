"""Loaders: a data set and an order become a stream of batches."""

from __future__ import annotations

import contextlib
import ctypes
import os
import threading
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from . import _abi, _options, _warn, errors
from ._handle import completed, register_fork
from ._library import as_dict, call, new, path_bytes
from ._options import Finish
from ._stream import Stream, Taker
from ._variable import VariableField
from .batch import Batch
from .report import Report
from .subset import Subset

if TYPE_CHECKING:
    from .dataset import Dataset


class Loader:
    """Batches of a data set, made by `Dataset.loader()`. Each `for` over it is one epoch:

    >>> loader = data.loader(batch=100, shuffle=True, seed=1)
    >>> for epoch in range(2):
    ...     for batch in loader:
    ...         total = batch["X"].sum()

    It is a place in a stream of batches. Its threads and memory are there from the beginning of a loop until the loop
    is left: at the end of an epoch the next one is being read already; a loop that is left early (`break`, an
    exception, an iterator that is collected) gives everything back at once, and the next `for` goes on with the very
    next batch. `close()`, or leaving a `with`, gives everything back, too.

    :param batch: samples in a batch, of all ranks together
    :param shuffle: True: in the mixed order of docs/order.md, a new one in each epoch; False, None: as stored
    :param seed: of that order: same seed, same batches, on every machine; refused where nothing is said of `shuffle`
    :param window: chunks that are mixed with each other (visits); 0: the default
    :param epochs: nothing is read beyond so many, and a loop that begins after them is warned of
        (`HeadraceWarning`); None: without end
    :param first_epoch: the epoch to begin with
    :param last: what becomes of the last short batch of an epoch: "keep", "drop", or "pad" with samples again
    :param fields: names, in this order; None: all
    :param finish: by field, a `Finish` or the name of a type
    :param subset: deliver these samples only
    :param budget: bytes, or "256M", for everything that the loader holds; None: a quarter of what this process may
        still use, at most 1 GiB, and more where the window needs it
    :param threads: that decode; 0: one for each core
    :param io: "auto", "direct", "cached", "threads" or "libaio"
    :param io_depth: reads in flight; 0: the default
    :param numa: threads and memory are placed on the machine's memory nodes
    :param held: batches that are kept at the same time, arrays of them included; the budget has room for so many
    :param rank, world_size: this process among several that share each batch
    :param ranks: True, or a launcher's name: as `rank_from_environment()` finds them
    :param streams: parts of the order that ranks are dealt; 0: world_size. The same number gives the same batches
        whatever the world size
    :param writable: arrays may be written to: a batch is its consumer's
    :param device: "cuda:0": batches in that GPU's memory (docs/gpu.md)
    :param device_slots, device_budget, pageable: of batches on a GPU: how many, the bytes for them, and whether to go
        on where memory cannot be pinned
    :param resume: the place to begin at: `state()` of a loader, or the file of a `checkpoint()`
    :param trace_events: events kept of each thread for `write_trace()`
    :param max_bytes: of each field of variable length: bytes, or "1M", that the values of a batch may have together;
        None: as many as if each was the longest. A batch that has more is a `BudgetError`
    :param pad: by field of variable length, the elements to which its values are padded: `batch[name]` is then an array
        of shape `(samples, length)`, zeros behind each value, and `batch[name + ".mask"]` says where the value is.
        Text comes as bytes (uint8)
    :param truncate: longer values are cut off; else they are an error
    :raises BudgetError: at the first loop: it cannot work in this budget; the message names one that can
    :raises MismatchError: `resume` belongs to other data or another order
    """

    def __init__(
        self,
        dataset: Dataset,
        batch: int,
        *,
        shuffle: bool | None = None,
        seed: int = 0,
        window: int = 0,
        epochs: int | None = None,
        first_epoch: int = 0,
        last: str = "keep",
        fields: Sequence[str] | None = None,
        finish: Mapping[str, Finish | str] | None = None,
        subset: Subset | None = None,
        budget: int | str | None = None,
        threads: int = 0,
        io: str = "auto",
        io_depth: int = 0,
        numa: bool = True,
        held: int = 2,
        rank: int | None = None,
        world_size: int | None = None,
        ranks: bool | str = False,
        streams: int = 0,
        writable: bool = True,
        device: str | int | None = None,
        device_slots: int = 0,
        device_budget: int | str | None = None,
        pageable: bool = False,
        resume: bytes | str | os.PathLike[str] | None = None,
        trace_events: int = 0,
        max_bytes: int | str | None = None,
        pad: Mapping[str, int] | None = None,
        truncate: bool = False,
    ) -> None:
        self.dataset = dataset
        self._built = _options.build(
            batch,
            shuffle=shuffle,
            seed=seed,
            window=window,
            epochs=epochs,
            first_epoch=first_epoch,
            last=last,
            fields=fields,
            finish=finish,
            subset=subset,
            budget=budget,
            threads=threads,
            io=io,
            io_depth=io_depth,
            numa=numa,
            held=held,
            rank=rank,
            world_size=world_size,
            ranks_from=ranks,
            streams=streams,
            device_=device,
            device_slots=device_slots,
            device_budget=device_budget,
            pageable=pageable,
            trace_events=trace_events,
            max_bytes=max_bytes,
            pad=pad,
            truncate=truncate,
        )
        names = None if fields is None else _options.without_masks(fields, pad)
        _options.check_fields(dataset, names, {"pad": pad or (), "finish": finish or ()})
        for name in pad or ():
            if not isinstance(dataset.fields[name], VariableField):
                raise errors.InvalidError(
                    f"pad names {name!r}, and {dataset.path} has samples of one size there, which need no padding; "
                    "leave it out"
                )
        self._writable = _options.flag(writable, "writable")
        self._first_epoch = first_epoch
        self._epochs = epochs
        self._state: bytes | None = None if resume is None else _options.read_state(resume)
        self._stream: Stream | None = None
        self._loops: weakref.WeakSet[_Loop] = weakref.WeakSet()  # that are over the stream
        self._opening = threading.Lock()
        register_fork(self)
        self._planned: dict[str, Any] | None = None
        self._reported: Report | None = None
        self._described: dict[str, Any] | None = None

    # What it will do, without doing it.

    def plan(self) -> dict[str, Any]:
        """What it would need and do: `hr_loader_plan` of the C API. Starts nothing."""
        found = new(_abi.hr_loader_plan)
        with self.dataset._handle.use() as pointer:
            call("hr_loader_plan_make", pointer, ctypes.byref(self._built.struct), ctypes.byref(found))
        return {**as_dict(found), "fits": bool(found.fits)}

    def _plan(self) -> dict[str, Any]:
        if self._planned is None:
            self._planned = self.plan()
        return self._planned

    @property
    def batches_per_epoch(self) -> int:
        """Batches of an epoch, the same on every rank: `len(loader)`."""
        return int(self._plan()["batches_per_epoch"])

    def __len__(self) -> int:
        return self.batches_per_epoch

    @property
    def batch(self) -> int:
        """Samples in a batch, of all ranks together."""
        return int(self._built.struct.batch_samples)

    @property
    def local_batch(self) -> int:
        """Samples in this rank's share of a batch."""
        return int(self._plan()["local_batch_samples"])

    @property
    def held(self) -> int:
        """Batches that may be held at the same time."""
        return int(self._built.struct.max_held_batches)

    # The loop.

    def __iter__(self) -> Iterator[Batch]:
        return _Loop(self)

    def _enter(self, loop: _Loop) -> Stream | None:
        """None: there are no more epochs."""
        with self._opening:
            self._loops.add(loop)
            stream = self._under_way()
            if stream is None and not self._is_done():
                stream = self._stream = self._open()
            done = self._is_done()
        if done:
            _warn.warn(
                f"{self.dataset.path}: this loop gets no batches, as all epochs of the loader (epochs={self._epochs}) "
                "were delivered; leave epochs out, make another loader, or rewind() this one"
            )
        return stream

    def _is_done(self) -> bool:
        if self._epochs is None:
            return False
        stream, state = self._under_way(), self._place()
        if stream is not None:
            with contextlib.suppress(errors.Error):  # a loader that has failed tells its loop
                state = stream.state()
        if state is None:
            return False
        return _options.epoch_of(state) >= self._first_epoch + self._epochs

    def _place(self) -> bytes | None:
        """Where the next stream begins."""
        stream = self._stream
        if stream is not None and stream.last_state is not None:
            return stream.last_state  # another thread is closing it
        return self._state

    def after_fork(self) -> None:
        self._opening = threading.Lock()

    def _under_way(self) -> Stream | None:
        stream = self._stream
        return None if stream is None or stream.closed else stream

    def _open(self) -> Stream:
        options = self._built.struct
        options.resume_state, options.resume_state_bytes = None, 0
        options.first_epoch, options.num_epochs = self._first_epoch, self._epochs or 0
        state = self._place()
        if state is not None:
            self._built.resume(state)
            epoch = _options.epoch_of(state)
            if self._epochs is not None:
                options.num_epochs = max(1, self._first_epoch + self._epochs - epoch)
        return Stream(self.dataset, options, self._writable)

    def _leave(self, loop: _Loop, stream: Stream, ended: bool) -> None:
        """A loop over the stream is over; at the end of an epoch the stream goes on for the next."""
        self._loops.discard(loop)
        if not self._loops and not ended and stream is self._stream:
            self.close()

    def close(self) -> None:
        """Give threads and memory back; what is held stays as it is. The next loop goes on where this one was."""
        completed(self._close)

    def _close(self) -> None:
        stream = self._stream
        if stream is None:
            return
        stream.close()
        if stream.last_report is not None and stream.last_info is not None:
            self._reported, self._described = Report(stream.last_report), as_dict(stream.last_info)
        state = stream.last_state or self._state
        if self._stream is stream:  # no other thread comes between this and the next line
            self._state, self._stream = state, None

    def __enter__(self) -> Loader:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __reduce__(self) -> tuple[Any, ...]:
        raise errors.UnsupportedError(
            "a loader cannot be pickled: its threads and memory are this process's; pickle its data set, and state() "
            "to go on"
        )

    # Where it is.

    def state(self, *, step: int | None = None) -> bytes:
        """The place after the batches that were delivered; or before batch `step`, counted over all epochs from batch
        0 of epoch 0, so that `step` is the number of batches that training has done. Give it to another loader of the
        same data and order: `data.loader(..., resume=state)`; its threads, budget and ranks may differ."""
        if step is not None:
            epoch, number = divmod(_options.counted(step, "step", 0, 2**63), self.batches_per_epoch)
            return self.state_at(epoch, number)
        stream = self._under_way()
        if stream is not None:
            with contextlib.suppress(errors.ClosedError):  # another thread may close it
                return stream.state()
        place = self._place()
        return self._with_stream(lambda stream: stream.state()) if place is None else place

    def state_at(self, epoch: int, number: int) -> bytes:
        """The place before batch `number` of an epoch; `number` may be `batches_per_epoch`: its end."""
        of = _options.counted(epoch, "epoch", 0, 2**63)
        before = _options.counted(number, "number", 0, self.batches_per_epoch)
        return self._with_stream(lambda stream: stream.state_at(of, before))

    def _with_stream(self, ask: Callable[[Stream], bytes]) -> bytes:
        stream = self._under_way()
        if stream is not None:
            with contextlib.suppress(errors.ClosedError):
                return ask(stream)
        stream = self._open()
        try:
            return ask(stream)
        finally:
            stream.close()

    @property
    def step(self) -> int:
        """Batches delivered, counted over all epochs from batch 0 of epoch 0."""
        epoch, number = _options.place_of(self.state())
        return epoch * self.batches_per_epoch + number

    def checkpoint(self, path: str | os.PathLike[str], *, step: int | None = None) -> None:
        """Save `state(step=step)` in a file, which is old or new at any instant; `resume=path` goes on there. The
        `headrace epoch` command reads and writes the same files."""
        _options.write_state(path, self.state(step=step))

    def rewind(self, epoch: int = 0, number: int = 0) -> None:
        """Go to before batch `number` of an epoch; a loop that is under way ends with an error."""
        of = _options.counted(epoch, "epoch", 0, 2**63)
        before = _options.counted(number, "number", 0, self.batches_per_epoch)
        self.close()
        self._state = None
        self._state = self.state_at(of, before)

    # What it did.

    def report(self) -> Report:
        """Where the time went, what limits, and what to change, of the loop under way or of the last one.

        >>> loader = data.loader(batch=100)
        >>> for batch in loader:
        ...     pass
        >>> loader.report().limit in ("unknown", "disk", "decoding", "threads", "budget", "consumer")
        True
        """
        stream = self._stream
        if stream is not None:
            with contextlib.suppress(errors.ClosedError):  # another thread may close it
                return Report(stream.report())
        if stream is not None and stream.last_report is not None:
            return Report(stream.last_report)
        if self._reported is None:
            raise errors.InvalidError("there is nothing to report yet: no loop over this loader has begun")
        return self._reported

    def info(self) -> dict[str, Any]:
        """What the loop under way, or the last one, does, needs and has done: `hr_loader_info` of the C API."""
        stream = self._stream
        if stream is not None:
            with contextlib.suppress(errors.ClosedError):  # another thread may close it
                return as_dict(stream.describe())
        if stream is not None and stream.last_info is not None:
            return as_dict(stream.last_info)
        if self._described is None:
            raise errors.InvalidError("there is nothing to tell yet: no loop over this loader has begun")
        return self._described

    def bad_values(self, name: str) -> dict[str, Any] | None:
        """NaN and infinities of a field in all batches of the loop under way (`hr_bad_values` of the C API), and
        where the first is; None where they are not counted: see `Finish(check_finite=True)`."""
        stream = self._asked()
        found = new(_abi.hr_bad_values)
        names = list(stream.fields) or list(self._names())
        if name not in names:
            raise errors.FieldNotFoundError(f"the loader has no field {name!r}; it has {', '.join(map(repr, names))}")
        with stream.use() as pointer:
            call("hr_loader_bad_values", pointer, names.index(name), ctypes.byref(found))
        return as_dict(found) if found.checked else None

    def _names(self) -> Sequence[str]:
        options = self._built.struct
        named = [options.fields[i].decode() for i in range(options.num_fields)]
        return named or list(self.dataset.fields)

    def _asked(self) -> Stream:
        stream = self._under_way()
        if stream is None:
            raise errors.ClosedError("no loop over this loader is under way: ask inside of it, or after an epoch's end")
        return stream

    def write_trace(self, path: str | os.PathLike[str]) -> None:
        """Write what each thread did when, for Perfetto; made with `trace_events=`."""
        with self._asked().use() as pointer:
            call("hr_loader_trace_write", pointer, path_bytes(path))

    def __repr__(self) -> str:
        options = self._built.struct
        order = "shuffled" if options.flags & _abi.HR_LOADER_SHUFFLE else "in order"
        state = "at rest" if self._under_way() is None else "under way"
        return f"<headrace.Loader of {self.dataset.path!r}: batches of {self.batch}, {order}, {state}>"


class _Loop(Taker, Iterator[Batch]):
    """One epoch, or the rest of one."""

    _stream: Stream | None = None

    def __init__(self, loader: Loader) -> None:
        self._loader = loader
        self._stream = loader._enter(self)

    def __next__(self) -> Batch:
        stream = self._stream
        batch = None if stream is None else stream.take(self)
        if batch is None:
            self._end(ended=True)
            raise StopIteration
        return batch

    def _end(self, ended: bool) -> None:
        stream, self._stream = self._stream, None
        if stream is not None:
            self._loader._leave(self, stream, ended)

    def __reduce__(self) -> tuple[Any, ...]:
        raise errors.UnsupportedError(
            "a loop over a loader cannot be pickled; pickle the data set, and state() to go on"
        )

    def close(self) -> None:
        """Leave the loop."""
        self._end(ended=False)

    def __del__(self) -> None:
        self._end(ended=False)
