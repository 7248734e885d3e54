"""libheadrace.so: found, opened, its prototypes set; and the ways to call it."""

from __future__ import annotations

import ctypes
import os
import pathlib
from collections.abc import Callable
from typing import Any, TypeVar

from . import _abi, errors

NAME = f"libheadrace.so.{_abi.ABI_VERSION}"
VARIABLE = "HEADRACE_LIBRARY"
HERE = pathlib.Path(__file__).resolve().parent

S = TypeVar("S", bound=ctypes.Structure)


def _path() -> str:
    """By the environment, beside the package as a wheel has it, or where the system has libraries."""
    named = os.environ.get(VARIABLE)
    if named:
        return named
    beside = HERE / "lib" / NAME
    return str(beside) if beside.is_file() else NAME


def _open() -> Any:
    path = _path()
    try:
        library = ctypes.CDLL(path)
    except OSError as error:
        raise ImportError(
            f"headrace: the library {path} cannot be loaded ({error}); install the package with its library "
            f"(pip install headrace), or let {VARIABLE} name the file {NAME}"
        ) from None
    for name, (result, *arguments) in _abi.PROTOTYPES.items():
        function = getattr(library, name, None)
        if function is None:
            raise ImportError(
                f"headrace: {path} has no function {name}: it is of another version than this package; "
                f"install both from the same release, or let {VARIABLE} name the right file"
            )
        function.restype = result
        function.argtypes = arguments
    return library


LIB = _open()


def call(name: str, *arguments: Any) -> None:
    """Call a function that returns a status and takes an hr_error last; anything but HR_OK is raised."""
    error = _abi.hr_error()
    status = getattr(LIB, name)(*arguments, ctypes.byref(error))
    if status != _abi.HR_OK:
        raise errors.from_status(status, error)


def new(kind: type[S]) -> S:
    """A struct that says its size, and is zero besides."""
    made = kind()
    made.struct_bytes = ctypes.sizeof(kind)
    return made


def set_callback(struct: ctypes.Structure, name: str, function: Callable[..., Any]) -> None:
    """The struct keeps it. Its exceptions would be lost: it must raise none."""
    types: dict[str, Any] = {field: kind for field, kind, *_ in struct._fields_}
    setattr(struct, name, types[name](function))


def as_dict(struct: ctypes.Structure) -> dict[str, Any]:
    """The figures of a struct by name, texts decoded; without what only the C API needs."""
    made = {}
    for name, *_ in struct._fields_:
        value = getattr(struct, name)
        if name == "struct_bytes" or name.startswith("reserved") or name == "user":
            continue
        if isinstance(value, bytes):
            value = value.decode("utf-8", "replace")
        elif isinstance(value, ctypes.Array):
            value = list(value)
        made[name] = value
    return made


def path_bytes(path: str | os.PathLike[str]) -> bytes:
    try:
        encoded = os.fsencode(path)
    except TypeError:
        several = "; give several one by one: *paths" if isinstance(path, (list, tuple, set)) else ""
        raise errors.InvalidError(
            f"{path!r:.200} was given where a path is expected, a str or os.PathLike{several}"
        ) from None
    if b"\0" in encoded:
        raise errors.InvalidError(f"the path {os.fspath(path)!r} has a zero byte in it; no file can be called so")
    return encoded


_OTHERS = (".npy", ".npz", ".h5", ".hdf5", ".h5ad", ".csv", ".tsv", ".gz", ".zip")


def output_bytes(path: str | os.PathLike[str], others: tuple[str, ...] = _OTHERS, made: str = ".hrd files") -> bytes:
    """Of a file to make, whose ending is none of other kinds of file: somebody's array would be replaced by a data
    set."""
    encoded = path_bytes(path)
    ending = os.path.splitext(os.fsdecode(path))[1]
    if ending.lower() in others:
        raise errors.InvalidError(
            f"{os.fsdecode(path)}: {ending} is the ending of another kind of file; this makes {made}"
        )
    return encoded
