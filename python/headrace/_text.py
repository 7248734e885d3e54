"""Texts and bytes as Python's objects: an array of NumPy's is as wide as the longest of them in every row."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from . import errors

#: A field is of variable length where its longest text has more bytes than this,
_MOST_FIXED_BYTES = 256
#: and it would be more than so many times as large as all texts.
_MOST_PADDING = 4


def are_alike(values: Iterable[Any]) -> bool:
    """All are texts, or all are bytes; there is one at least."""
    kinds = set(map(type, values))
    return bool(kinds) and any(all(issubclass(kind, text) for kind in kinds) for text in (str, bytes))


def _begins_with_text(values: Sequence[Any]) -> bool:
    first: Any = values[0] if len(values) else None
    while isinstance(first, (list, tuple)) and first:
        first = first[0]
    return isinstance(first, (str, bytes))


def as_array(values: Any) -> npt.NDArray[Any]:
    """As np.asarray() makes it, but lists of texts or of bytes become arrays of objects."""
    if isinstance(values, Sequence) and not isinstance(values, (str, bytes)) and _begins_with_text(values):
        try:
            array = np.array(values, dtype=object)
        except ValueError:  # rows of different lengths
            return np.asarray(values)
        if are_alike(array.flat):
            return array
    return np.asarray(values)


def encoded(name: str, texts: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """In UTF-8. Objects stay objects, and bytes as they are."""
    try:
        if texts.dtype == object:
            made = np.empty(texts.shape, object)
            made.reshape(-1)[:] = [text.encode() if isinstance(text, str) else text for text in texts.flat]
            return made
        return np.char.encode(texts, "utf-8") if texts.dtype.kind == "U" else texts
    except UnicodeEncodeError as error:
        raise errors.DataError(f"{name} has text that is no Unicode: {error}") from None


def lengths(texts: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
    """In bytes, of what is encoded, one after the other."""
    if texts.dtype == object:
        return np.fromiter(map(len, texts.flat), np.int64, texts.size)
    return np.char.str_len(texts).astype(np.int64).reshape(-1)


def type_of(kind: str, width: int, count: int, total_bytes: int) -> str:
    """Of a field for `count` texts that have so many bytes together, `width` the longest.

    >>> type_of("utf8", 20, 1000, 1019), type_of("utf8", 20000, 1000, 20999)
    ('utf8:20', 'utf8')
    """
    if width > _MOST_FIXED_BYTES and count * width > _MOST_PADDING * total_bytes:
        return kind
    return f"{kind}:{width}"
