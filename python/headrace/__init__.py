"""Headrace: training data larger than memory."""

import ctypes
from pathlib import Path

_library = ctypes.CDLL(str(Path(__file__).parent / "lib" / "libheadrace.so.0"))
_library.hr_version.restype = ctypes.c_char_p
__version__: str = _library.hr_version().decode()
