"""Classes of a framework's that are made when the framework is first asked for."""

from __future__ import annotations

from typing import Any

_MADE: dict[tuple[type, type], type] = {}


def new(own: type, base: type) -> Any:
    """For `own.__new__`: an instance of `own` that is one of `base`, too: importing headrace imports no framework."""
    if issubclass(own, base):
        return object.__new__(own)
    made = _MADE.get((own, base))
    if made is None:
        made = _MADE[own, base] = type(
            own.__name__, (own, base), {"__module__": own.__module__, "__doc__": own.__doc__}
        )
    return object.__new__(made)
