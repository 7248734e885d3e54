"""What all adapters do: batches for frameworks that keep some of them, for as long as they like."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from .batch import Batch

#: Batches that a loader of an adapter may have out, unless its user says otherwise.
HELD = 4
#: So many are left free: one that is being made, one that is asked for.
FREE = 2


def arrays(batch: Batch, names: Iterable[str], held: int) -> dict[str, Any]:
    """Arrays of the batch's fields: views, or where fewer than two of the `held` batches are free, copies, and the
    batch is given back at once."""
    if held - batch.num_held >= FREE:
        return {name: batch[name] for name in names}
    copies = {name: np.array(batch[name]) for name in names}
    batch.release()
    return copies
