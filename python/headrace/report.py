"""Where a loader's time went, what limits it, and what to change."""

from __future__ import annotations

import ctypes
from typing import Any

from . import _abi
from ._library import LIB, as_dict

_ROOM = 4096


class Report:
    """Made by `Loader.report()`: printed it is a text, in a notebook a table; `figures` are those of the C API
    (`hr_loader_report_info`)."""

    def __init__(self, info: _abi.hr_loader_report_info) -> None:
        room = ctypes.create_string_buffer(_ROOM)
        LIB.hr_loader_report_text(ctypes.byref(info), room, _ROOM)
        #: The sentence, then a small table.
        self.text: str = room.value.decode("utf-8", "replace")
        #: Times in ns, sizes in bytes.
        self.figures: dict[str, Any] = as_dict(info)
        #: What limits: "disk", "decoding", "threads", "budget", "consumer", "upload", "compute", or "unknown".
        self.limit: str = LIB.hr_limit_name(info.limit).decode()
        #: What limits, by how much, what to change.
        self.sentence: str = info.sentence.decode("utf-8", "replace")

    def as_dict(self) -> dict[str, Any]:
        """The figures, with the name of the limit."""
        return {**self.figures, "limit": self.limit}

    def __str__(self) -> str:
        return self.text

    def __repr__(self) -> str:
        return f"<headrace.Report: {self.sentence}>"

    def _repr_html_(self) -> str:
        from ._html import report_html

        return report_html(self)
