"""Sizes in bytes as people write and read them."""

from __future__ import annotations

import re
from numbers import Real

from . import errors

_UNITS = {"": 1, "K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40}
_SIZE = re.compile(r"([0-9]+(?:\.[0-9]*)?|\.[0-9]+)\s*([KMGT]?)(?:iB|B)?", re.IGNORECASE)


def parse(size: int | str | None, what: str) -> int:
    """Bytes of 268435456, "256M", "256 MiB", "1.5G"; None is 0, which is the default everywhere."""
    if size is None:
        return 0
    if isinstance(size, str):
        found = _SIZE.fullmatch(size.strip())
        if found is None:
            raise errors.InvalidError(f"{what} is {size!r}, expected bytes such as 268435456, '256M' or '1.5 GiB'")
        return int(float(found[1]) * _UNITS[found[2].upper()])
    if isinstance(size, bool) or not isinstance(size, Real) or int(size) != size or size < 0:
        raise errors.InvalidError(f"{what} is {size!r}, expected a number of bytes, or text such as '256M'")
    return int(size)


def text(n_bytes: float) -> str:
    """Three digits that count: "64.0 MiB".

    >>> text(67108864), text(999), text(5 << 40)
    ('64.0 MiB', '999 B', '5.00 TiB')
    """
    value = float(n_bytes)
    units = ("B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB")
    unit = 0
    while abs(value) >= 999.5 and unit < len(units) - 1:
        value /= 1024
        unit += 1
    size = abs(value)
    decimals = 0 if unit == 0 or size >= 99.95 else 1 if size >= 9.995 else 2
    return f"{value:.{decimals}f} {units[unit]}"


def samples(count: int) -> str:
    """
    >>> samples(1), samples(2)
    ('1 sample', '2 samples')
    """
    return "1 sample" if count == 1 else f"{count} samples"


def duration(ns: float) -> str:
    """
    >>> duration(12e6), duration(3.21e9), duration(125e9)
    ('12 ms', '3.2 s', '2:05')
    """
    seconds = max(float(ns), 0.0) / 1e9
    if seconds < 0.9995:
        return f"{seconds * 1e3:.0f} ms"
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
