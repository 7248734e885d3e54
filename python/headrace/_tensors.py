"""Fields of batches as tensors of PyTorch."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from ._adapter import framework
from .batch import BatchField


def converter(field: BatchField, on_device: bool) -> Callable[[Any], Any]:
    """What makes a tensor of an array of the field, in the same memory; it leaves the array as it is, with a note,
    where PyTorch has no such type."""
    torch = framework("torch")
    if on_device:  # on the stream that is current where the batch is taken
        return lambda array: torch.from_dlpack(array)
    if field.element == "bfloat16":
        return lambda array: torch.from_numpy(array.view(np.int16)).view(torch.bfloat16)
    try:
        torch.from_numpy(np.empty(0, field.dtype))
    except TypeError:
        what = "text" if field.dtype.kind == "S" else str(field.dtype)
        warnings.warn(
            f"headrace: field {field.name!r} stays a NumPy array: PyTorch {torch.__version__} has no tensors of "
            f"{what}. Convert it in the loop, or leave it out with fields=[...]",
            stacklevel=4,
        )
        return lambda array: array
    made: Callable[[Any], Any] = torch.from_numpy
    return made
