"""Fields by name, in the structure in which a framework wants their arrays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from . import errors

#: A field, or several: for models with several inputs or outputs.
Names = str | Sequence[str] | Mapping[str, str]


def fields_of(names: Names | None, what: str) -> tuple[str, ...]:
    if names is None:
        return ()
    if isinstance(names, str):
        return (names,)
    listed = tuple(names.values() if isinstance(names, Mapping) else names)
    if not listed or not all(isinstance(name, str) for name in listed):
        raise errors.InvalidError(f"{what} is {names!r}, expected the name of a field, a list or a dict of names")
    return listed


def listed(names: Sequence[str], what: str) -> list[bytes]:
    """As the library takes them."""
    if isinstance(names, str) or not names or not all(isinstance(name, str) for name in names):
        raise errors.InvalidError(f'{what} is {names!r}, expected a list of names such as ["X", "y"]; None means all')
    return [name.encode() for name in names]


def pick(names: Names, arrays: Mapping[str, Any]) -> Any:
    """The arrays in the structure of the names."""
    if isinstance(names, str):
        return arrays[names]
    if isinstance(names, Mapping):
        return {key: arrays[name] for key, name in names.items()}
    return tuple(arrays[name] for name in names)
