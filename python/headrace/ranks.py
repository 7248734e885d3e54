"""The place of this process among those that a launcher started."""

from __future__ import annotations

import ctypes
from typing import NamedTuple

from . import _abi, errors
from ._library import LIB, new


class Ranks(NamedTuple):
    """Rank and world size; `local_rank` is None where the launcher does not tell it."""

    rank: int
    world_size: int
    local_rank: int | None
    launcher: str


def rank_from_environment(launcher: str | None = None) -> Ranks:
    """Rank and world size as the launcher (headrace's own variables, torchrun, Open MPI, Slurm) told them by
    variables of the environment; rank 0 of 1 of "none" where there is no launcher. Nothing is guessed: see
    docs/ranks.md.

    :raises InvalidError: two launchers disagree, a variable is missing or no number

    >>> hr.rank_from_environment().world_size
    1
    """
    found, error = new(_abi.hr_rank_info), _abi.hr_error()
    name = None if launcher is None else launcher.encode()
    status = LIB.hr_rank_from_environment(name, ctypes.byref(found), ctypes.byref(error))
    if status not in (_abi.HR_OK, _abi.HR_ERR_NOT_FOUND):
        raise errors.from_status(status, error)
    local = None if found.local_rank == _abi.HR_LOCAL_RANK_UNKNOWN else found.local_rank
    return Ranks(found.rank, found.world_size, local, found.launcher.decode())
