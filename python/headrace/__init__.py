"""Headrace streams training data too large for memory.

>>> data = hr.open("train.hrd")
>>> for batch in data.loader(batch=100, shuffle=True, seed=1, epochs=1):
...     rows = batch["X"]
"""

import multiprocessing
import sys

from . import errors
from ._jax import jax as jax
from ._keras import KerasData, keras as keras
from ._keras_checkpoint import KerasCheckpoint
from ._library import LIB
from ._options import Finish
from ._tensorflow import tensorflow as tensorflow
from ._torch import torch as torch
from .batch import Batch
from .compare import ComparedField, Comparison, Difference, compare
from .convert import Converted, Damage, convert, export, verify
from .dataset import Dataset, open as open
from .errors import *  # noqa: F403
from .field import Field
from .join import Joined, join
from .loader import Loader
from .measure import bench, probe
from .memory import (
    Death,
    Guard,
    Memory,
    MemoryLowError,
    MemoryWarning,
    guard,
    memory,
    memory_cap,
    set_memory_cap,
    tell_once,
    why_died,
)
from .ragged import Ragged
from .ranks import Ranks, rank_from_environment
from .report import Report
from .salvage import Lost, Salvaged, salvage
from .subset import Subset
from .writer import Writer, from_arrays, from_iterator

__version__: str = LIB.hr_version().decode()

# Without those that `import *` would put in the place of others: open, and the names of frameworks.
__all__ = [
    "Batch",
    "ComparedField",
    "Comparison",
    "Converted",
    "Damage",
    "Dataset",
    "Death",
    "Difference",
    "Field",
    "Finish",
    "Guard",
    "Joined",
    "KerasCheckpoint",
    "KerasData",
    "Loader",
    "Lost",
    "Memory",
    "MemoryLowError",
    "MemoryWarning",
    "Ragged",
    "Ranks",
    "Report",
    "Salvaged",
    "Subset",
    "Writer",
    "bench",
    "compare",
    "convert",
    "export",
    "from_arrays",
    "from_iterator",
    "guard",
    "join",
    "memory",
    "memory_cap",
    "probe",
    "rank_from_environment",
    "salvage",
    "set_memory_cap",
    "verify",
    "why_died",
]
__all__ += errors.__all__


def _tell() -> None:
    """One line, once, in the first process that is started after memory has ended one."""
    if sys.argv[:1] == ["-m"]:  # python -m headrace: the command is no program of a person's own
        return
    told = tell_once() if multiprocessing.parent_process() is None else None
    if told is not None:
        print(f"headrace: the last process here was {told}", file=sys.stderr)


_tell()
