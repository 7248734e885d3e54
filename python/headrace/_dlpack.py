"""Fields of batches as DLPack tensors, which frameworks take without a copy."""

from __future__ import annotations

import ctypes
from typing import TYPE_CHECKING, Any

import numpy as np

from . import _abi, errors
from ._library import LIB, call

if TYPE_CHECKING:
    from ._stream import Opened
    from .batch import BatchField, Hold

CPU, CUDA = 1, 2

_LEGACY = (b"dltensor", "hr_batch_dlpack_legacy", LIB.hr_dlpack_delete_legacy)
_VERSIONED = (b"dltensor_versioned", "hr_batch_dlpack", LIB.hr_dlpack_delete)

_capsule_new = ctypes.pythonapi.PyCapsule_New
_capsule_new.restype = ctypes.py_object
_capsule_new.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p]
_capsule_pointer = ctypes.pythonapi.PyCapsule_GetPointer
_capsule_pointer.restype = ctypes.c_void_p
_capsule_pointer.argtypes = [ctypes.c_void_p, ctypes.c_char_p]
_capsule_is_valid = ctypes.pythonapi.PyCapsule_IsValid
_capsule_is_valid.restype = ctypes.c_int
_capsule_is_valid.argtypes = [ctypes.c_void_p, ctypes.c_char_p]


def _delete(capsule: int) -> None:
    """A capsule goes that no framework has taken: one that was has another name."""
    for name, _, delete in (_LEGACY, _VERSIONED):
        if _capsule_is_valid(capsule, name):
            delete(_capsule_pointer(capsule, name))


_delete_called = ctypes.PYFUNCTYPE(None, ctypes.c_void_p)(_delete)


def export(opened: Opened, hold: Hold, field: BatchField, on: int, versioned: bool) -> Any:
    """A capsule with the tensor, ordered on a stream of the GPU (`HR_DLPACK_STREAM_...`)."""
    name, function, _ = _VERSIONED if versioned else _LEGACY
    tensor = ctypes.c_void_p()
    with opened.use():
        call(function, hold.pointer, field.index, on, ctypes.byref(tensor))
    return _capsule_new(tensor, name, ctypes.cast(_delete_called, ctypes.c_void_p))


class DeviceArray:
    """A field of a batch in a GPU's memory, for the `from_dlpack()` of a framework: `torch.from_dlpack(batch["X"])`,
    `jax.dlpack.from_dlpack(...)`, `cupy.from_dlpack(...)`. No copy is made. The framework's tensor keeps the batch's
    memory; work that is put on the stream that it names waits for the upload, and the memory is used again when that
    work is done.
    """

    __slots__ = ("_field", "_hold", "_opened", "dtype", "pointer", "shape")

    def __init__(self, opened: Opened, hold: Hold, field: BatchField, num_samples: int, pointer: int | None) -> None:
        self._opened = opened
        self._hold = hold
        self._field = field
        self.dtype: np.dtype[Any] = field.dtype
        self.shape: tuple[int, ...] = (num_samples, *field.sample_shape)
        #: The address in the GPU's memory.
        self.pointer = pointer

    def __dlpack_device__(self) -> tuple[int, int]:
        return CUDA, self._opened.device_index or 0

    def __dlpack__(
        self,
        *,
        stream: int | None = None,
        max_version: tuple[int, int] | None = None,
        dl_device: tuple[int, int] | None = None,
        copy: bool | None = None,
    ) -> Any:
        if copy or dl_device not in (None, self.__dlpack_device__()):
            raise BufferError(f"a batch is exported from where it is, {self.__dlpack_device__()}, without a copy")
        on = _abi.HR_DLPACK_STREAM_DEFAULT if stream is None else stream
        return export(self._opened, self._hold, self._field, on, max_version is not None and max_version[0] >= 1)

    def __array__(self, *_: Any, **__: Any) -> Any:
        raise errors.UnsupportedError(
            f"{self._field.name} is in the memory of a GPU; NumPy cannot take it from there: use a loader without "
            "device, or a framework's from_dlpack()"
        )

    def __repr__(self) -> str:
        where = f"on cuda:{self._opened.device_index}"
        return f"<headrace.DeviceArray {self._field.name!r} of shape {self.shape}, {self.dtype}, {where}>"
