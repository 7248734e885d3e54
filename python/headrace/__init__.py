"""Headrace streams training data too large for memory.

>>> data = hr.open("train.hrd")
>>> for batch in data.loader(batch=100, shuffle=True, seed=1, epochs=1):
...     rows = batch["X"]
"""

from ._library import LIB
from ._options import Finish
from .batch import Batch
from .convert import Converted, Damage, convert, export, verify
from .dataset import Dataset, open
from .errors import *  # noqa: F403
from .field import Field
from .loader import Loader
from .measure import bench, probe
from .ranks import Ranks, rank_from_environment
from .report import Report
from .subset import Subset
from .writer import Writer, from_arrays, from_iterator

__version__: str = LIB.hr_version().decode()
