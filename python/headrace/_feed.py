"""What all adapters do: batches for frameworks that keep some of them, for as long as they like."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from . import _sizes, errors
from ._options import by_field, counted, without_masks
from ._variable import VariableField
from .batch import Batch

if TYPE_CHECKING:
    from .dataset import Dataset
    from .loader import Loader

#: Batches that a loader of an adapter may have out, unless its user says otherwise.
HELD = 4
#: So many are left free: one that is being made, one that is asked for.
FREE = 2
_ALIGN_BYTES = 64


def arrays(batch: Batch, names: Iterable[str], held: int) -> dict[str, Any]:
    """Arrays of the batch's fields: views, or where fewer than two of the `held` batches are free, copies, and the
    batch is given back at once."""
    if held - batch.num_held >= FREE:
        return {name: batch[name] for name in names}
    copies = {name: copy(batch[name]) for name in names}
    batch.release()
    return copies


def charge_copies(data: Dataset, batch: int, fields: Iterable[str] | None, options: dict[str, Any]) -> None:
    """Of a budget that was given, room is left for the copies that `arrays()` makes, as many as batches are left free;
    what a framework keeps beyond them is its own. Frameworks take arrays only: values of different lengths are
    refused."""
    pad = by_field(options.get("pad") or {}, "pad", "{'tokens': 128}")
    names = without_masks(list(fields or data.fields), pad)
    for name in names:
        if isinstance(data[name], VariableField) and name not in pad:
            raise errors.UnsupportedError(
                f"{data.path}: field {name!r} has values of different lengths, of which no tensor can be made; pad "
                f"them (pad={{{name!r}: LENGTH}}), leave it out with fields=[...], or loop over data.loader() itself"
            )
    if options.get("budget") is None:
        return
    sample_bytes = sum(
        pad[name] * (1 + data[name].dtype.itemsize) if name in pad else data[name].sample_bytes for name in names
    )
    budget = _sizes.parse(options["budget"], "budget")
    options["budget"] = max(1, budget - FREE * counted(batch, "batch", 1) * sample_bytes)


def copy(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """A copy that begins, as a batch's arrays do, where frameworks take it without another one."""
    room = np.empty(array.nbytes + _ALIGN_BYTES, np.uint8)
    first = -room.ctypes.data % _ALIGN_BYTES
    made: npt.NDArray[Any] = room[first : first + array.nbytes].view(array.dtype).reshape(array.shape)
    made[...] = array
    return made


def check_not_empty(loader: Loader) -> int:
    """Batches of an epoch, at least one."""
    if loader.batches_per_epoch == 0:
        raise errors.InvalidError(f"{loader.dataset.path}: an epoch has no batches, as there are no samples; add some")
    return loader.batches_per_epoch
