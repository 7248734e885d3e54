"""What is known of the inside of Keras.

Keras tells a data set little of what it does: it looks at the first batches before it trains, asks for batches in an
order of its own, makes iterators that it drops, and on TensorFlow reads ahead. What is relied on here, in Keras 3.8 to
3.15 (py_dataset_adapter.py, epoch_iterator.py and the trainers):

1. An adapter asks for `workers` when it is made, once in each fit, evaluate and predict, by an EpochIterator, which
   lives as long as that call. What asks for batches is a method of the adapter.
2. Each pass of Keras's (an iterator over the data set) asks for `num_batches` before its first batch.
3. `fit` and `evaluate` look at two batches at most, then call `on_epoch_end`, then begin.
4. `on_epoch_begin` comes before the first pass of an epoch, `on_epoch_end` after what was asked for has been used.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from typing import Any

from . import errors

_OLDEST = (3, 8)
#: Batches at most that Keras looks at before it begins.
LOOKED_AT = 2


def module() -> Any:
    """Keras, where it is new enough."""
    try:
        found: Any = importlib.import_module("keras")
    except ImportError as error:
        raise ImportError(
            f"hr.keras needs Keras 3.8 or newer, which cannot be imported ({error}); pip install keras, and "
            "tensorflow, jax or torch"
        ) from error
    version = tuple(int(part) for part in found.__version__.split(".")[:2])
    if version < _OLDEST:
        raise errors.UnsupportedError(
            f"hr.keras needs Keras 3.8 or newer, and this is {found.__version__}: older ones mix batches on their own; "
            "pip install -U keras"
        )
    return found


def from_device(backend: str) -> Callable[[Any], Any]:
    """What makes a tensor of the backend's of an array on a GPU."""
    frameworks = {"jax": "jax.dlpack", "torch": "torch"}
    if backend in frameworks:
        found: Callable[[Any], Any] = importlib.import_module(frameworks[backend]).from_dlpack
        return found
    raise errors.UnsupportedError(
        f"hr.keras was asked for batches on a GPU, and Keras on {backend} takes them from host memory; leave device out"
    )


def adapter(depth: int) -> Any:
    """The adapter of Keras's of which a method calls, so many frames up; None where it is something else."""
    asker = sys._getframe(depth + 1).f_locals.get("self")
    return asker if type(asker).__name__ == "PyDatasetAdapter" else None


def made_for() -> tuple[Any, str, bool]:
    """Whom an adapter is being made for: the object that lives as long as the call of fit, evaluate or predict, which
    of these it is, and whether it is given one object for training and validation. Only the stack tells; (None, "",
    False) where it is another Keras than those known."""
    lives, frame = None, sys._getframe(3)
    for _ in range(12):
        own = frame.f_locals.get("self")
        if any(kind.__name__ == "EpochIterator" for kind in type(own).__mro__):
            lives = own
        elif lives is not None:
            x, validation_data = frame.f_locals.get("x"), frame.f_locals.get("validation_data")
            return lives, frame.f_code.co_name, x is not None and x is validation_data
        if frame.f_back is None:
            break
        frame = frame.f_back
    return lives, "", False
