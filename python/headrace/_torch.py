"""Batches as tensors of PyTorch. See docs/python.md."""

from __future__ import annotations

import functools
import os
import threading
import warnings
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from . import _feed, _options, errors
from ._adapter import Adapter, framework, place_in_ranks, without
from ._names import Names, fields_of, pick
from ._tensors import converter
from .batch import Batch
from .dataset import opened
from .loader import Loader

if TYPE_CHECKING:
    from .dataset import Dataset

_VERSION = 1  # of the dict of state_dict()
_EPOCH, _NUMBER, _BY_WORKER, _TOLD = range(4)  # of the numbers that processes share


def torch(
    data: Dataset | str | os.PathLike[str],
    batch: int,
    *,
    x: Names | None = None,
    y: Names | None = None,
    device: Any = None,
    ranks: bool | str = True,
    resume: bytes | str | os.PathLike[str] | None = None,
    **options: Any,
) -> TorchBatches:
    """Batches as dicts of tensors: a `torch.utils.data.IterableDataset`, and a plain iterable of which each `for` is
    one epoch, in a new order where `shuffle=True` (there is no `set_epoch`). Tensors lie in the batch's memory; no copy
    is made. Through `torch.utils.data.DataLoader(..., batch_size=None)` it works too; workers are not needed and cost a
    copy.

    :param batch: samples in a batch, of all ranks together
    :param x, y: names of fields: batches are tuples `(x, y)` instead of dicts; a list of names makes a
        tuple of its own, a dict (key: field) a dict
    :param device: "cuda:0", `torch.device("cuda")`: tensors on that GPU, uploaded while the one before is computed on
    :param ranks: True: rank and world size of `torch.distributed` where it is initialized, else of the launcher's
        environment, else 0 of 1; a launcher's name; False: 0 of 1. `rank=` and `world_size=` overrule it
    :param resume: the place to begin at: of `checkpoint()`, a file; see also `load_state_dict()`
    :param options: the others of `headrace.Loader`: fields, shuffle, seed, window, last, streams, budget, ...

    >>> import pytest; pytorch = pytest.importorskip("torch")
    >>> batches = hr.torch(data, batch=100, shuffle=True, seed=1)
    >>> for batch in batches:
    ...     loss = batch["X"].float().mean()
    >>> X, y = next(iter(hr.torch(data, batch=100, x="X", y="y")))
    >>> tuple(X.shape), y.dtype
    ((100, 28, 28), torch.int64)
    """
    data = opened(data, "hr.torch()")
    without(options, "hr.torch()", writable="PyTorch has no tensors that cannot be written to")
    if x is None and y is not None:
        raise errors.InvalidError(f"y is {y!r} and x is not given; give x as well, or neither for dicts")
    if x is not None:
        without(options, "hr.torch(x=...)", fields="x and y name the fields")
        options["fields"] = list(dict.fromkeys(fields_of(x, "x") + fields_of(y, "y")))
    own_choice = not ranks or "rank" in options
    options["rank"], options["world_size"] = place_in_ranks(ranks, options, _group())
    options["device"] = _device(device)
    options.setdefault("held", 2 if options["device"] else _feed.HELD)
    if options["device"] is None:
        _feed.charge_copies(data, batch, options.get("fields"), options)
    made: TorchBatches = _class()(data, batch, x, y, options, own_choice)
    if resume is not None:
        made._go_to(_options.read_state(resume))
    return made


def _group() -> tuple[int, int] | None:
    """Rank and world size of this process in PyTorch's default group."""
    distributed = framework("torch.distributed")
    if distributed.is_available() and distributed.is_initialized():
        return distributed.get_rank(), distributed.get_world_size()
    return None


def _device(given: Any) -> str | None:
    if given is None:
        return None
    torch = framework("torch")
    device = torch.device(f"cuda:{given}" if isinstance(given, int) else given)
    if device.type == "cpu":
        return None
    if device.type != "cuda":
        raise errors.InvalidError(f"device is {given!r}, expected 'cuda:0', the number of a GPU, 'cpu' or None")
    return f"cuda:{torch.cuda.current_device() if device.index is None else device.index}"


@functools.cache
def _class() -> Any:
    """TorchBatches as a class of PyTorch's, which is imported only where it is used."""
    base = framework("torch.utils.data").IterableDataset
    return type("TorchBatches", (TorchBatches, base), {"__module__": __name__, "__doc__": TorchBatches.__doc__})


class TorchBatches(Adapter):
    """Made by `headrace.torch()`. Each `for` over it is one epoch; one that is left early goes on, with the next `for`,
    with the very next batch.

    The numbers in `_shared` are seen by this process and by the workers of a DataLoader, which end with every epoch:
    the place where the next loop begins, whether it was a worker that began the last one, and whether the note on
    workers was given.
    """

    def __init__(
        self,
        data: Dataset,
        batch: int,
        x: Names | None,
        y: Names | None,
        options: dict[str, Any],
        own_choice: bool,
        shared: Any = None,
    ) -> None:
        self._made_of = (data, batch, x, y, options, own_choice)
        self._own_choice = own_choice
        self._x, self._y = x, y
        self._on_device = options["device"] is not None
        self._converters: dict[str, Callable[[Any], Any]] = {}
        self._loader = Loader(data, batch, **options)
        self._at = (int(options.get("first_epoch", 0)), 0)  # after what this process delivered
        self._pid = os.getpid()
        self._running = False
        if shared is None:
            shared = framework("torch").zeros(4, dtype=framework("torch").int64)
            shared[_EPOCH] = self._at[0]
        self._shared = shared.share_memory_()
        self._place = self._shared.numpy()

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (*self._made_of, self._shared)

    # The loop.

    def __iter__(self) -> Iterator[Any]:
        self._running = False
        worker = framework("torch.utils.data").get_worker_info()
        if worker is not None and worker.id > 0:
            if worker.id == 1:  # and not each that comes before another one's note is seen
                self._tell(worker)
            return iter(())
        return _Epoch(self)

    def _tell(self, worker: Any) -> None:
        if self._place[_TOLD]:
            return
        self._place[_TOLD] = 1
        warnings.warn(
            f"headrace: worker 0 of {worker.num_workers} delivers all batches and the others end at once: a loader has "
            "threads of its own and one order. DataLoader(..., num_workers=0) is faster: it makes no copy",
            stacklevel=3,
        )

    def _begin(self) -> Iterator[Batch]:
        self._check_group()
        in_worker = framework("torch.utils.data").get_worker_info() is not None
        if in_worker and self._on_device:
            raise errors.InvalidError(
                "batches on a GPU were asked for in a worker of a DataLoader; use num_workers=0: decoding and upload "
                "have threads of their own"
            )
        self._take_place()
        self._running = True
        self._place[_BY_WORKER] = in_worker
        if in_worker:  # how far training gets is not known here: the next loop is the next epoch
            self._place[_EPOCH], self._place[_NUMBER] = self._at[0] + 1, 0
        return iter(self._loader)

    def _take_place(self) -> None:
        """The loader goes to where the next loop begins."""
        if self._pid != os.getpid():  # the loader is that of the process that forked
            data, batch, _, _, options, _ = self._made_of
            self._loader, self._pid = Loader(data, batch, **options), os.getpid()
            self._at = (int(options.get("first_epoch", 0)), 0)
        place = int(self._place[_EPOCH]), int(self._place[_NUMBER])
        if place != self._at:
            self._loader.rewind(*place)
            self._at = place

    def _check_group(self) -> None:
        group, options = _group(), self._made_of[4]
        mine = options["rank"], options["world_size"]
        if group is not None and not self._own_choice and group != mine:
            raise errors.InvalidError(
                f"this was made for rank {mine[0]} of {mine[1]}, and torch.distributed says rank {group[0]} of "
                f"{group[1]}; call hr.torch() after init_process_group(), or give rank= and world_size="
            )

    def _deliver(self, batch: Batch) -> Any:
        self._at = epoch, number = batch.epoch, batch.number + 1
        if not self._place[_BY_WORKER]:
            self._place[_EPOCH], self._place[_NUMBER] = epoch, number
        if not self._converters:
            fields = batch._opened.fields
            self._converters = {name: converter(field, self._on_device) for name, field in fields.items()}
        given = dict(batch) if self._on_device else _feed.arrays(batch, self._converters, self._loader.held)
        made = {name: convert(given[name]) for name, convert in self._converters.items()}
        if self._x is None:
            return made
        return pick(self._x, made) if self._y is None else (pick(self._x, made), pick(self._y, made))

    def _ended(self) -> None:
        self._running = False
        self._at = _options.place_of(self._loader.state())
        if not self._place[_BY_WORKER]:
            self._place[_EPOCH], self._place[_NUMBER] = self._at

    # Where it is.

    def state_dict(self, *, step: int | None = None) -> dict[str, Any]:
        """The place after the batches that were delivered to training; or before batch `step`, counted over all epochs.
        It is small and made of numbers and text. In a worker, as torchdata's StatefulDataLoader asks it, that of what
        the worker made.

        :raises InvalidError: workers of a DataLoader have the batches, so that it is not known here how many were
            delivered: use StatefulDataLoader and its state_dict(), or give `step`

        >>> import pytest; pytorch = pytest.importorskip("torch")
        >>> batches = hr.torch(data, batch=100, shuffle=True)
        >>> first = next(iter(batches))
        >>> state = batches.state_dict()
        >>> state["epoch"], state["batch"]
        (0, 1)
        >>> batches.load_state_dict(state)
        """
        worker = framework("torch.utils.data").get_worker_info()
        if worker is not None and worker.id > 0:
            return {"headrace": _VERSION, "epoch": 0, "batch": 0, "state": ""}  # it delivers nothing
        at = self._trained(step, worker is not None)
        state = self._loader.state()
        if _options.place_of(state) != at:
            state = self._loader.state_at(*at)
        return {"headrace": _VERSION, "epoch": at[0], "batch": at[1], "state": state.hex()}

    def _trained(self, step: int | None, in_worker: bool) -> tuple[int, int]:
        if step is not None:
            return divmod(_options.counted(step, "step", 0, 2**63), self.batches_per_epoch)
        if not in_worker and self._place[_BY_WORKER]:
            raise errors.InvalidError(
                "state_dict() was called where a worker of a DataLoader makes the batches, some of which are not "
                "delivered yet; give step=, the batches that training has done, or use torchdata's StatefulDataLoader "
                "and its state_dict()"
            )
        if not self._running:
            self._take_place()
        return self._at

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go to a place of `state_dict()`; the next loop is the rest of its epoch. It also takes what the
        `state_dict()` of a StatefulDataLoader over such batches gave, with whatever number of workers: give it to a new
        one afterwards."""
        worker = framework("torch.utils.data").get_worker_info()
        if worker is not None and worker.id > 0:
            return
        if not isinstance(state, Mapping):
            raise errors.InvalidError(
                f"load_state_dict() was given {state!r:.80}, expected what state_dict() returned"
            )
        found, later = _found(state)
        try:
            saved = bytes.fromhex(found["state"])
        except (TypeError, KeyError, ValueError):
            saved = b""
        if not saved or found.get("headrace") != _VERSION:
            raise errors.InvalidError(
                "load_state_dict() was given no state of headrace batches (version "
                f"{found.get('headrace')!r}, expected {_VERSION}); give it what state_dict() returned"
            )
        self._go_to(saved, later)

    def _go_to(self, state: bytes, later: int = 0) -> None:
        data, batch, _, _, options, _ = self._made_of
        self._loader.close()
        self._loader, self._pid = Loader(data, batch, resume=state, **options), os.getpid()
        self._at = _options.place_of(state)
        self._running = False
        if later:
            self._at = self._at[0], self._at[1] + later
            self._loader.rewind(*self._at)
        self._place[:_TOLD] = *self._at, 0

    def checkpoint(self, path: str | os.PathLike[str], *, step: int | None = None) -> None:
        """Save the place of `state_dict(step=step)` in a file, which is old or new at any instant; `resume=path` goes
        on there."""
        _options.write_state(path, bytes.fromhex(self.state_dict(step=step)["state"]))


def _rebuild(*made_of: Any) -> Any:
    return _class()(*made_of)


def _found(state: Mapping[str, Any]) -> tuple[Mapping[str, Any], int]:
    """Our state in that of a StatefulDataLoader, and the batches that were delivered since."""
    if "_snapshot" in state:
        workers = state["_snapshot"].get("_worker_snapshots", {})
        return (workers.get("worker_0") or {}).get("dataset_state") or {}, int(state.get("_steps_since_snapshot", 0))
    return state.get("dataset_state", state) or {}, 0


class _Epoch(Iterator[Any]):
    """One epoch, or the rest of one; it begins with the first batch that is asked for."""

    def __init__(self, batches: TorchBatches) -> None:
        self._batches = batches
        self._loop: Iterator[Batch] | None = None
        self._beginning = threading.Lock()
        self._over = False

    def __next__(self) -> Any:
        with self._beginning:  # once, whatever threads ask
            if self._loop is None:
                self._loop = self._batches._begin()
        try:
            batch = next(self._loop)
        except StopIteration:
            if not self._over:
                self._over = True
                self._batches._ended()
            raise
        return self._batches._deliver(batch)
