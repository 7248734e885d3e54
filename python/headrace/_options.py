"""Options of loaders, as Python has them, for the C library."""

from __future__ import annotations

import ctypes
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from . import _abi, _sizes, errors
from ._library import new
from .dtypes import parse
from .ranks import rank_from_environment

if TYPE_CHECKING:
    from .dataset import Dataset
    from .subset import Subset

IO = {
    "auto": _abi.HR_IO_AUTO,
    "direct": _abi.HR_IO_DIRECT,
    "cached": _abi.HR_IO_CACHED,
    "threads": _abi.HR_IO_THREADS,
    "libaio": _abi.HR_IO_LIBAIO,
}
LAST = {"keep": 0, "drop": _abi.HR_LOADER_DROP_LAST, "pad": _abi.HR_LOADER_PAD_LAST}


@dataclass(frozen=True)
class Finish:
    """What is done to the values of a field on their way into a batch: `y = x * scale[c] + shift[c]` in float32, then
    the cast, the same bits on every device (include/headrace/finish.h).

    :param dtype: "float16", "bfloat16" or "float32", from uint8, int16, float16, float32 or float64; None: as stored
    :param scale: one factor, or one for each channel, which are the last axis
    :param shift: likewise
    :param chw: samples of shape (H, W, C) come as (C, H, W)
    :param standardize: to mean 0 and standard deviation 1, by the statistics in the file
    :param check_finite: count NaN and infinities: `Batch.bad_values()`, `Loader.bad_values()`

    >>> loader = data.loader(batch=8, finish={"X": hr.Finish("float32", scale=1 / 255)})
    >>> next(iter(loader))["X"].dtype
    dtype('float32')
    """

    dtype: Any = None
    scale: npt.ArrayLike | None = None
    shift: npt.ArrayLike | None = None
    chw: bool = False
    standardize: bool = False
    check_finite: bool = False


def choose(given: str, known: Mapping[str, int], what: str) -> int:
    if not isinstance(given, str) or given not in known:
        raise errors.InvalidError(f"{what} is {given!r}, expected one of {', '.join(map(repr, known))}")
    return known[given]


def flag(given: Any, what: str) -> bool:
    """True or False, or 1 or 0: the truth of other things is not what whoever gave them means."""
    if isinstance(given, (bool, np.bool_)) or (isinstance(given, (int, np.integer)) and given in (0, 1)):
        return bool(given)
    raise errors.InvalidError(f"{what} is {given!r}, expected True or False")


def by_field(given: Any, what: str, such_as: str) -> Mapping[str, Any]:
    if not isinstance(given, Mapping) or not all(isinstance(name, str) for name in given):
        raise errors.InvalidError(f"{what} is {given!r}, expected a dict by name of field, such as {such_as}")
    return given


def device(given: str | int | None) -> int:
    """The number of "cuda:1", "cuda", 1; None and "cpu" are the host."""
    if given is None or given == "cpu":
        return _abi.HR_DEVICE_HOST
    found = re.fullmatch(r"cuda(?::([0-9]{1,3}))?", given) if isinstance(given, str) else None
    number = int(found[1] or 0) if found else given
    if not isinstance(number, int) or isinstance(number, bool) or not 0 <= number < 256:
        raise errors.InvalidError(f"device is {given!r}, expected 'cuda:0' to 'cuda:255', the number of a GPU, or None")
    return _abi.HR_DEVICE_CUDA(number)


def _floats(values: npt.ArrayLike | None, what: str) -> npt.NDArray[np.float32] | None:
    if values is None:
        return None
    try:
        array = np.ascontiguousarray(values, np.float32).reshape(-1)
    except (TypeError, ValueError):
        raise errors.InvalidError(f"{what} is {values!r}, expected a number, or one for each channel") from None
    if array.size == 0:
        raise errors.InvalidError(f"{what} has no entries, expected one, or one for each channel")
    return array


class Built:
    """The struct, and what its pointers point at."""

    def __init__(self) -> None:
        self.struct = new(_abi.hr_loader_options)
        self._kept: list[Any] = []

    def keep(self, made: Any) -> Any:
        self._kept.append(made)
        return made

    def texts(self, texts: Sequence[str]) -> Any:
        return self.keep((ctypes.c_char_p * len(texts))(*(text.encode() for text in texts)))

    def finish(self, wanted: Mapping[str, Finish | str]) -> None:
        entries = self.keep((_abi.hr_finish * len(wanted))())
        for entry, (name, given) in zip(entries, wanted.items(), strict=True):
            self._finish_field(entry, name, given if isinstance(given, Finish) else Finish(given))
        self.struct.finish = entries
        self.struct.num_finish = len(wanted)

    def _finish_field(self, entry: _abi.hr_finish, name: str, given: Finish) -> None:
        scale = self.keep(_floats(given.scale, f"finish of {name}: scale"))
        shift = self.keep(_floats(given.shift, f"finish of {name}: shift"))
        channels = {len(values) for values in (scale, shift) if values is not None}
        if len(channels) > 1:
            raise errors.InvalidError(
                f"finish of {name}: scale has {len(scale)} entries and shift {len(shift)}; give as many"
            )
        entry.struct_bytes = ctypes.sizeof(entry)
        entry.field = self.keep(name.encode())
        entry.dtype = 0 if given.dtype is None else parse(given.dtype, f"finish of {name}")[0]
        entry.num_channels = channels.pop() if channels else 0
        entry.scale = None if scale is None else scale.ctypes.data_as(ctypes.POINTER(ctypes.c_float))
        entry.shift = None if shift is None else shift.ctypes.data_as(ctypes.POINTER(ctypes.c_float))
        entry.flags = (
            flag(given.chw, f"finish of {name}: chw") * _abi.HR_FINISH_CHW
            | flag(given.standardize, f"finish of {name}: standardize") * _abi.HR_FINISH_STANDARDIZE
            | flag(given.check_finite, f"finish of {name}: check_finite") * _abi.HR_FINISH_CHECK_FINITE
        )

    def resume(self, state: bytes) -> None:
        room = self.keep(ctypes.create_string_buffer(state, len(state)))
        self.struct.resume_state = ctypes.cast(room, ctypes.c_void_p)
        self.struct.resume_state_bytes = len(state)

    def pad(self, wanted: Mapping[str, int], truncate: bool) -> None:
        entries = self.keep((_abi.hr_pad * len(wanted))())
        for entry, (name, length) in zip(entries, wanted.items(), strict=True):
            entry.struct_bytes = ctypes.sizeof(entry)
            entry.flags = truncate * _abi.HR_PAD_TRUNCATE
            entry.field = self.keep(name.encode())
            entry.length = counted(length, f"pad of {name}", 1, 2**32)
        self.struct.pads = entries
        self.struct.num_pads = len(wanted)

    def subset(self, subset: Subset) -> None:
        from .subset import Subset

        if not isinstance(subset, Subset):
            raise errors.InvalidError(
                f"subset is a {type(subset).__name__}, expected a Subset: data.subset([0, 3, 7]), or of a mask "
                "data.subset(np.flatnonzero(mask))"
            )
        self.struct.subset = self.keep(subset)._handle.pointer


def without_masks(fields: Sequence[str], pad: Mapping[str, int] | None) -> list[str]:
    """Names of fields to read: a mask comes with its field."""
    masks = {f"{name}.mask": name for name in pad or ()}
    return list(dict.fromkeys(masks.get(name, name) for name in fields))


def check_fields(dataset: Dataset, fields: Sequence[str] | None, named: Mapping[str, Iterable[str]]) -> None:
    """Names of fields that there are; `named`: those that an option is for, by its name."""
    delivered = list(dataset.fields) if fields is None else list(fields)
    for what, names in {"fields": delivered, **named}.items():
        for name in names:
            if name not in dataset.fields:
                raise errors.NotFoundError(
                    f"{what} names {name!r}, and {dataset.path} has no such field; it has "
                    f"{', '.join(map(repr, dataset.fields))}"
                )
            if name not in delivered:
                raise errors.InvalidError(
                    f"{what} names {name!r}, which fields leaves out; add it there, or leave it out here"
                )


def ranks(rank: int | None, world_size: int | None, environment: bool | str) -> tuple[int, int]:
    if rank is not None or world_size is not None:
        if environment:
            raise errors.InvalidError("rank and world_size were given, and ranks as well; give one of them")
        return 0 if rank is None else rank, 1 if world_size is None else world_size
    if not environment:
        return 0, 1
    found = rank_from_environment(None if environment in (True, "environment") else str(environment))
    return found.rank, found.world_size


def counted(value: Any, what: str, least: int = 0, most: int = 2**32 - 1) -> int:
    """A number that fits what the C API has for it: ctypes would cut off what does not."""
    try:
        number = int(value)
        same = number == value and not isinstance(value, bool)
    except (TypeError, ValueError):
        same = False
    if not same or not least <= number <= most:
        raise errors.InvalidError(f"{what} is {value!r}, expected an integer from {least} to {most}")
    return number


def _check_ranks(o: _abi.hr_loader_options) -> None:
    streams = o.num_streams or o.world_size
    if o.rank >= o.world_size:
        raise errors.InvalidError(
            f"rank is {o.rank}, expected 0 to {o.world_size - 1} (world_size={o.world_size}); give both"
        )
    if streams % o.world_size:
        raise errors.InvalidError(
            f"world_size={o.world_size} does not divide streams={streams}; choose a number of streams that every world "
            "size you will use divides"
        )
    if o.batch_samples % streams:
        least = o.batch_samples // streams * streams
        raise errors.InvalidError(
            f"batch is {o.batch_samples}, expected a multiple of the {streams} parts that streams= or world_size= "
            f"make, such as {f'{least} or ' if least else ''}{least + streams}"
        )


def build(
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
    ranks_from: bool | str = False,
    streams: int = 0,
    device_: str | int | None = None,
    device_slots: int = 0,
    device_budget: int | str | None = None,
    pageable: bool = False,
    trace_events: int = 0,
    max_bytes: int | str | None = None,
    pad: Mapping[str, int] | None = None,
    truncate: bool = False,
) -> Built:
    built = Built()
    o = built.struct
    most = 2**64 - 1
    o.batch_samples = counted(batch, "batch", 1)
    o.flags = (
        (shuffle is not None and flag(shuffle, "shuffle")) * _abi.HR_LOADER_SHUFFLE
        | choose(last, LAST, "last")
        | (not flag(numa, "numa")) * _abi.HR_LOADER_NUMA_OFF
        | flag(pageable, "pageable") * _abi.HR_LOADER_PAGEABLE
    )
    o.window_visits = counted(window, "window")
    o.seed = counted(seed, "seed", 0, most)
    for what, alone in (("seed", seed and shuffle is None), ("window", window and not shuffle)):
        if alone:
            raise errors.InvalidError(f"{what} is of shuffle=True, which is missing; leave {what} out, or give it")
    o.first_epoch = counted(first_epoch, "first_epoch", 0, most)
    o.num_epochs = 0 if epochs is None else counted(epochs, "epochs", 1, most)
    own_rank, size = ranks(rank, world_size, ranks_from)
    o.rank, o.world_size = counted(own_rank, "rank"), counted(size, "world_size", 1)
    o.num_streams = counted(streams, "streams")
    _check_ranks(o)
    o.max_held_batches = counted(held, "held", 1)
    o.budget_bytes = _sizes.parse(budget, "budget")
    o.num_threads = counted(threads, "threads")
    o.io = choose(io, IO, "io")
    o.io_depth = counted(io_depth, "io_depth")
    o.device = device(device_)
    o.device_slots = counted(device_slots, "device_slots")
    o.device_budget_bytes = _sizes.parse(device_budget, "device_budget")
    o.trace_events = counted(trace_events, "trace_events", 0, most)
    o.max_value_bytes = _sizes.parse(max_bytes, "max_bytes")
    if fields is not None:
        if isinstance(fields, (str, Mapping)) or not fields or not all(isinstance(name, str) for name in fields):
            raise errors.InvalidError(f"fields is {fields!r}, expected a list of names such as ['X', 'y']")
        names = without_masks(fields, pad)
        o.fields, o.num_fields = built.texts(names), len(names)
    if pad is not None:
        by_field(pad, "pad", "{'tokens': 128}")
    if finish is not None:
        by_field(finish, "finish", "{'X': 'float32'}")
    if flag(truncate, "truncate") and not pad:
        raise errors.InvalidError("truncate was given without pad, which it belongs to; give pad={'field': length}")
    if pad:
        built.pad(pad, truncate)
    if finish:
        built.finish(finish)
    if subset is not None:
        built.subset(subset)
    return built


def read_state(resume: bytes | str | os.PathLike[str]) -> bytes:
    """A state, or that in a file; whether it fits is seen where it is used, but for one that is empty."""
    if isinstance(resume, (bytes, bytearray, memoryview)):
        state, where = bytes(resume), "resume"
    elif not isinstance(resume, (str, os.PathLike)):
        raise errors.InvalidError(
            f"resume is {resume!r}, expected what state() of a loader gave, or the path of a checkpoint()"
        )
    else:
        where = os.fspath(resume)
        try:
            with open(resume, "rb") as file:
                state = file.read(2 * _abi.HR_LOADER_STATE_BYTES)
        except OSError as error:
            found = errors.NotFoundError if isinstance(error, FileNotFoundError) else errors.IoError
            raise found(f"{where}: no state can be read from it: {error.strerror}") from error
    if not state:
        raise errors.CorruptError(
            f"{where}: it is empty, expected a state of {_abi.HR_LOADER_STATE_BYTES} bytes, as state() gives it"
        )
    if not state.startswith(_STATE_MAGIC):
        raise errors.CorruptError(
            f"{where}: this is no state of a loader; give what state() gave, or the file of a checkpoint()"
        )
    return state


# docs/order.md, "State"
_STATE_MAGIC = b"HRDSTAT1"
_EPOCH_OFF, _NUMBER_OFF = 80, 88


def place_of(state: bytes) -> tuple[int, int]:
    """Epoch and next batch of a state."""
    if len(state) < _NUMBER_OFF + 8:
        raise errors.CorruptError(f"this is no loader state ({len(state)} bytes); pass what state() gave")
    return (
        int.from_bytes(state[_EPOCH_OFF : _EPOCH_OFF + 8], "little"),
        int.from_bytes(state[_NUMBER_OFF : _NUMBER_OFF + 8], "little"),
    )


def epoch_of(state: bytes) -> int:
    return place_of(state)[0]


def write_state(path: str | os.PathLike[str], state: bytes) -> None:
    """Old or new at any instant."""
    target = os.fspath(path)
    partial = f"{target}.partial"
    try:
        with open(partial, "wb") as file:
            file.write(state)
        put_in_place(partial, target)
    except OSError as error:
        raise errors.IoError(f"{target}: the state could not be saved: {error.strerror}") from error


def put_in_place(partial: str, target: str) -> None:
    """A complete file becomes `target`, which is old or new at any instant, after a power cut, too."""
    sync(partial, os.O_RDONLY)
    os.replace(partial, target)
    sync(os.path.dirname(os.path.abspath(target)), os.O_RDONLY | os.O_DIRECTORY)


def sync(path: str, flags: int) -> None:
    opened = os.open(path, flags)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
