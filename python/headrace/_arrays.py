"""The largest arrays of a program, by the names that it has for them."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from . import _sizes

_MOST_ENTRIES = 10_000  # of one container that are looked at


class Found(NamedTuple):
    name: str
    n_bytes: int
    what: str

    def __str__(self) -> str:
        return f"{self.name} {_sizes.text(self.n_bytes)} ({self.what})"


def _bytes_of(value: Any) -> int:
    """Of what is an array by its looks; 0 of all else. Nothing of the program's own is called."""
    kind = type(value)
    if kind.__module__.partition(".")[0] not in ("numpy", "torch", "tensorflow", "jax", "jaxlib", "pandas", "cupy"):
        return 0
    try:
        counted = getattr(value, "nbytes", 0)
        return counted if isinstance(counted, int) and hasattr(value, "shape") else 0
    except Exception:  # a library's own property may raise anything
        return 0


def _entries(value: Any) -> dict[str, Any]:
    """What is in a plain container or an object, by what follows its name."""
    if isinstance(value, dict) and len(value) <= _MOST_ENTRIES:
        return {f"[{key!r}]": entry for key, entry in list(value.items())}
    if isinstance(value, (list, tuple)) and len(value) <= _MOST_ENTRIES:
        return {f"[{place}]": entry for place, entry in enumerate(list(value))}
    inside = getattr(value, "__dict__", None)
    if isinstance(inside, dict) and not isinstance(value, (type(sys), type)):
        return {f".{key}": entry for key, entry in list(inside.items())}
    return {}


def _owner(array: Any) -> Any:
    """What has the memory of a view."""
    base = getattr(array, "base", None)
    return base if base is not None and _bytes_of(base) else array


def _of(name: str, value: Any) -> tuple[int, Found]:
    """What a variable has of arrays, and by what it is known again."""
    arrays = {"": value} if _bytes_of(value) else {key: e for key, e in _entries(value).items() if _bytes_of(e)}
    if not arrays:
        return id(value), Found(name, 0, "")
    if len(arrays) == 1:
        ((key, array),) = arrays.items()
        what = f"{array.dtype} {tuple(array.shape)}" if hasattr(array, "dtype") else type(array).__name__
        return id(_owner(array)), Found(name + key, _bytes_of(array), what)
    owners = {id(_owner(array)): _bytes_of(array) for array in arrays.values()}
    return id(value), Found(name, sum(owners.values()), f"{len(owners)} arrays")


def _scopes() -> Iterator[Mapping[str, Any]]:
    """Variables of the main module, then of all functions that are running."""
    yield dict(vars(sys.modules["__main__"])) if "__main__" in sys.modules else {}
    for frame in sys._current_frames().values():
        at = frame
        while at is not None:
            if at.f_locals is not at.f_globals and not at.f_globals.get("__name__", "").startswith("headrace"):
                yield dict(at.f_locals)
            at = at.f_back  # type: ignore[assignment]


def largest(count: int = 3) -> list[Found]:
    """Each memory once, by the first name that is found for it."""
    found: dict[int, Found] = {}
    for scope in _scopes():
        for name, value in scope.items():
            key, array = _of(name, value)
            if not name.startswith("__") and array.n_bytes > 0:
                found.setdefault(key, array)
    return sorted(found.values(), key=lambda array: -array.n_bytes)[:count]
