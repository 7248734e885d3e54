"""Classes of a framework's that are made when the framework is first asked for."""

from __future__ import annotations

import functools
from typing import Any


@functools.cache
def graft(own: type, base: type) -> type:
    """`own` as a subclass of `base`, too, under its own name: importing headrace imports no framework."""
    return type(own.__name__, (own, base), {"__module__": own.__module__, "__doc__": own.__doc__})


def new(own: type, base: type) -> Any:
    """For `own.__new__`: an instance that is one of `base`, too."""
    return object.__new__(own if issubclass(own, base) else graft(own, base))
