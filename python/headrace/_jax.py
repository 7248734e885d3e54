"""Batches as arrays of JAX. See docs/python.md."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from . import _abi, _dlpack, _feed, errors
from ._adapter import Adapter, framework, place_in_ranks, without
from .batch import Batch, BatchField
from .dataset import opened
from .loader import Loader

if TYPE_CHECKING:
    from .dataset import Dataset

_CPU = 1  # as DLPack has it


def jax(
    data: Dataset | str | os.PathLike[str],
    batch: int,
    *,
    device: Any = None,
    sharding: Any = None,
    ranks: bool | str = True,
    resume: bytes | str | os.PathLike[str] | None = None,
    **options: Any,
) -> JaxBatches:
    """Batches as dicts of `jax.Array`. Each `for` is one epoch, in a new order where `shuffle=True`. On the CPU arrays
    lie in the batch's memory, without a copy, for as long as JAX needs them.

    Where `jax_enable_x64` is off JAX has no types of 64 bits: such fields come as 32 bits, and are refused where their
    values do not fit. Text and bytes stay NumPy arrays.

    :param batch: samples in a batch, of all ranks together
    :param device: None: where JAX computes by default; a `jax.Device`; "cuda:0": uploaded by Headrace while the
        one before is computed on, then copied within that GPU into memory of JAX's
    :param sharding: arrays over several devices: `jax.make_array_from_process_local_data` of this rank's batch
    :param ranks: True: rank and world size of `jax.distributed` where it is initialized, else of the launcher's
        environment, else 0 of 1; a launcher's name; False: 0 of 1. `rank=` and `world_size=` overrule it
    :param resume: the place to begin at: `state()`, or the file of a `checkpoint()`
    :param options: the others of `headrace.Loader`: fields, shuffle, seed, window, last, streams, budget, ...

    >>> import pytest; framework = pytest.importorskip("jax")
    >>> for batch in hr.jax(data, batch=100, shuffle=True, seed=1):
    ...     mean = batch["X"].mean()
    >>> batch["X"].shape, str(batch["y"].dtype)
    ((100, 28, 28), 'int32')
    """
    data = opened(data, "hr.jax()")
    without(options, "hr.jax()", writable="arrays of JAX are never written to")
    options["rank"], options["world_size"] = place_in_ranks(ranks, options, _group())
    uploaded = device if isinstance(device, (str, int)) and device != "cpu" else None
    if uploaded is not None and sharding is not None:
        raise errors.InvalidError(f"device is {device!r} and sharding was given as well; give one of them")
    options.setdefault("held", _feed.HELD if uploaded is None else 2)
    if uploaded is None:
        _feed.charge_copies(data, batch, options.get("fields"), options)
    loader = Loader(data, batch, device=uploaded, resume=resume, **options)
    if uploaded is not None:
        return JaxBatches(loader, _FromGpu(data, loader.held))
    if sharding is not None:
        return JaxBatches(loader, _Sharded(data, loader.held, sharding))
    return JaxBatches(loader, _FromHost(data, loader.held, device))


def _group() -> tuple[int, int] | None:
    """Index and number of the processes of jax.distributed."""
    jax = framework("jax")
    is_initialized = getattr(jax.distributed, "is_initialized", None)
    if is_initialized is not None and is_initialized():
        return jax.process_index(), jax.process_count()
    return None


class JaxBatches(Adapter):
    """Made by `headrace.jax()`. Each `for` over it is one epoch; one that is left early goes on, with the next `for`,
    with the very next batch."""

    def __init__(self, loader: Loader, feed: _FromHost | _FromGpu) -> None:
        self._loader = loader
        self._feed = feed

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return _Epoch(iter(self._loader), self._feed)

    def state(self, *, step: int | None = None) -> bytes:
        """The place after the batches that were delivered; or before batch `step`, counted over all epochs: for
        `resume=`."""
        return self._loader.state(step=step)

    @property
    def step(self) -> int:
        """Batches delivered, counted over all epochs."""
        return self._loader.step

    def rewind(self, epoch: int = 0, number: int = 0) -> None:
        """Go to before batch `number` of an epoch."""
        self._loader.rewind(epoch, number)


class _Epoch(Iterator[dict[str, Any]]):
    def __init__(self, loop: Iterator[Batch], feed: _FromHost | _FromGpu) -> None:
        self._loop = loop
        self._feed = feed

    def __next__(self) -> dict[str, Any]:
        self._feed.before()
        return self._feed.take(next(self._loop))

    def __del__(self) -> None:
        self._feed.before()


class _HostTensor:
    """A field of a batch in host memory, for JAX's from_dlpack(). JAX lets go of it when the computations that read it
    are done, from a thread of its own and without Python's lock."""

    def __init__(self, batch: Batch, field: BatchField) -> None:
        self._batch = batch
        self._field = field

    def __dlpack_device__(self) -> tuple[int, int]:
        return _CPU, 0

    def __dlpack__(self, *, max_version: tuple[int, int] | None = None, **_: Any) -> Any:
        versioned = max_version is not None and max_version[0] >= 1
        return _dlpack.export(
            self._batch._opened, self._batch._held(), self._field, _abi.HR_DLPACK_STREAM_NONE, versioned
        )


def _narrowed(data: Dataset, field: BatchField) -> np.dtype[Any]:
    """The type as JAX has it; integers whose values do not fit that are refused."""
    narrow: np.dtype[Any] = np.dtype(framework("jax").dtypes.canonicalize_dtype(field.dtype))
    found = data.fields[field.name].statistics if narrow != field.dtype and narrow.kind in "iu" else None
    if found is None:
        return narrow
    kind = "uint" if narrow.kind == "u" else "int"
    least, most = found[f"min_{kind}"], found[f"max_{kind}"]
    if least < np.iinfo(narrow).min or most > np.iinfo(narrow).max:
        raise errors.UnsupportedError(
            f"field {field.name!r} has values from {least} to {most}, which do not fit {narrow}, and JAX has no "
            f"{field.dtype} where jax_enable_x64 is off: call jax.config.update('jax_enable_x64', True) first, or "
            "leave the field out with fields=[...]"
        )
    return narrow


class _FromHost:
    """Batches of host memory."""

    def __init__(self, data: Dataset, held: int, device: Any) -> None:
        self._jax = framework("jax")
        self._numpy = framework("jax.numpy")
        self._data = data
        self._held = held
        self._device = self._jax.devices("cpu")[0] if device == "cpu" else device
        self._types: dict[str, np.dtype[Any] | None] = {}  # as JAX has them; None: it has none

    def before(self) -> None:
        """Before the next batch is asked for."""

    def take(self, batch: Batch) -> dict[str, Any]:
        fields = batch._opened.fields
        if not self._types:
            self._types = {name: self._type(field) for name, field in fields.items()}
            self._on_cpu = self._target().platform == "cpu"
        kept = self._held - batch.num_held >= _feed.FREE
        arrays = _feed.arrays(batch, self._types, self._held)
        made = {}
        for name, dtype in self._types.items():
            if dtype is None:
                made[name] = arrays[name]
            elif kept and self._on_cpu and dtype == arrays[name].dtype:
                made[name] = self._alias(batch, fields[name], arrays[name])
            else:
                made[name] = self._put(np.asarray(arrays[name], dtype))
        return made

    def _target(self) -> Any:
        """The device that arrays come to lie on."""
        default = self._device or self._jax.config.jax_default_device
        return default if hasattr(default, "platform") else self._jax.devices(default)[0]

    def _alias(self, batch: Batch, field: BatchField, array: Any) -> Any:
        made = self._jax.dlpack.from_dlpack(_HostTensor(batch, field))
        return made if self._device is None else self._jax.device_put(made, self._device)

    def _put(self, array: Any) -> Any:
        """JAX keeps the array for as long as it reads from it."""
        if self._device is None:
            return self._numpy.asarray(array)
        return self._jax.device_put(array, self._device)

    def _type(self, field: BatchField) -> np.dtype[Any] | None:
        if field.dtype.kind == "S":
            warnings.warn(
                f"headrace: field {field.name!r} stays a NumPy array: JAX has no arrays of text. Convert it in the "
                "loop, or leave it out with fields=[...]",
                stacklevel=5,
            )
            return None
        return _narrowed(self._data, field)


class _Sharded(_FromHost):
    """Batches over the devices of a sharding."""

    def __init__(self, data: Dataset, held: int, sharding: Any) -> None:
        super().__init__(data, held, None)
        self._sharding = sharding

    def _alias(self, batch: Batch, field: BatchField, array: Any) -> Any:
        return self._put(array)

    def _put(self, array: Any) -> Any:
        return self._jax.make_array_from_process_local_data(self._sharding, array)


class _FromGpu:
    """Batches that Headrace has uploaded. JAX may let go of an array when computations that read it are queued and not
    yet done, on a stream that Headrace does not know. So the consumer gets copies in JAX's own memory, and the uploaded
    batch is kept until they are done. That is waited for when the next batch is asked for: a copy lies behind the work
    that came before it, so the host is ahead of the GPU by one step.
    """

    def __init__(self, data: Dataset, held: int) -> None:
        if held < 2:
            raise errors.InvalidError(f"held is {held}, expected 2 or more: a batch is kept until its copy is done")
        self._jax = framework("jax")
        self._numpy = framework("jax.numpy")
        self._data = data
        self._names: list[str] = []
        self._kept: Batch | None = None
        self._copies: list[Any] = []

    def before(self) -> None:
        copies, self._copies = self._copies, []
        self._jax.block_until_ready(copies)
        self._kept = None

    def take(self, batch: Batch) -> dict[str, Any]:
        if not self._names:
            for field in batch._opened.fields.values():
                _narrowed(self._data, field)
            self._names = list(batch)
        self._kept = batch
        self._copies = [self._numpy.copy(self._jax.dlpack.from_dlpack(batch[name])) for name in self._names]
        return dict(zip(self._names, self._copies, strict=True))
