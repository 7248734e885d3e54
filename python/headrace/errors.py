"""Exceptions: one class for each status of the C library, all of them `headrace.Error`. The message is the library's
own, and says what, where, found, expected, and what to do."""

from . import _abi

__all__ = [
    "BudgetError",
    "BusyError",
    "CancelledError",
    "ClosedError",
    "CorruptError",
    "DataError",
    "DeviceError",
    "DeviceMemoryError",
    "DriverTooOldError",
    "Error",
    "ExistsError",
    "FieldNotFoundError",
    "ForkedError",
    "HeadraceWarning",
    "HelperError",
    "InvalidError",
    "IoError",
    "MismatchError",
    "NoDeviceError",
    "NoDeviceModuleError",
    "NoDriverError",
    "NoMemoryError",
    "NoSpaceError",
    "NotDatasetError",
    "NotFoundError",
    "UncertainError",
    "UnsupportedError",
]


class Error(Exception):
    """Anything that Headrace reports. `status` is the number of the C API's `hr_status`, `os_errno` the error of the
    failed system call or 0, `file_off` the place in the file in bytes that the message is about, or None.

    >>> import headrace as hr
    >>> try:
    ...     hr.open("no-such-file.hrd")
    ... except hr.Error as error:
    ...     print(type(error).__name__, error.status)
    NotFoundError 8
    """

    status = 0
    os_errno = 0
    file_off: int | None = None

    def __str__(self) -> str:
        return str(self.args[0]) if self.args else ""


class HeadraceWarning(UserWarning):
    """Something was done, and is perhaps not what was meant: data that were written have NaN or infinities, or a loop
    over a loader gets nothing."""


class InvalidError(Error, ValueError):
    """An argument is wrong."""


class NoMemoryError(Error, MemoryError):
    """The system refused an allocation or a thread."""


class BudgetError(Error, MemoryError):
    """It cannot work within the memory budget; the message names one that can."""


class IoError(Error, OSError):
    """Reading or writing failed."""


class NoSpaceError(IoError):
    """The disk is full, or would be."""


class UncertainError(IoError):
    """fsync failed: whether the data are on disk is unknown."""


class CorruptError(Error):
    """Stored data are damaged or truncated."""


class NotDatasetError(CorruptError):
    """The file does not begin as a Headrace data set: perhaps it is to be converted first."""


class UnsupportedError(Error):
    """Well-formed, but not something that this version reads."""


class ExistsError(Error, FileExistsError):
    """The output exists, and replacing it was not asked for."""


class NotFoundError(Error, FileNotFoundError):
    """No such file, folder or member, or no such field, where an option names it."""


class FieldNotFoundError(Error, KeyError):
    """`data[name]` or `batch[name]` of no such field; the message lists those that there are."""


class BusyError(Error):
    """The consumer holds every batch, or another writer has the file."""


class CancelledError(Error):
    """A progress callback asked to stop."""


class MismatchError(Error):
    """A saved state or a partial file belongs to other data or options."""


class ForkedError(Error, RuntimeError):
    """The object was made before fork() and cannot be used in the child."""


class HelperError(Error):
    """The process that reads foreign files died, hung, or broke its protocol."""


class DataError(Error, ValueError):
    """The source holds a value that cannot be converted."""


class ClosedError(Error, ValueError):
    """The data set, loader, batch or writer is closed, or the batch was released."""


class DeviceError(Error):
    """A call of the GPU's runtime failed."""


class NoDeviceModuleError(DeviceError):
    """headrace-cuda.so is not there, or of another version."""


class NoDriverError(DeviceError):
    """The GPU's driver is not installed or not running."""


class DriverTooOldError(DeviceError):
    """The GPU's driver is too old for the CUDA runtime in headrace-cuda.so."""


class NoDeviceError(DeviceError):
    """No such GPU."""


class DeviceMemoryError(DeviceError, MemoryError):
    """The GPU's memory, or its budget, does not suffice."""


_CLASSES: dict[int, type[Error]] = {
    _abi.HR_ERR_INVALID: InvalidError,
    _abi.HR_ERR_NO_MEMORY: NoMemoryError,
    _abi.HR_ERR_BUDGET: BudgetError,
    _abi.HR_ERR_IO: IoError,
    _abi.HR_ERR_CORRUPT: CorruptError,
    _abi.HR_ERR_UNSUPPORTED: UnsupportedError,
    _abi.HR_ERR_EXISTS: ExistsError,
    _abi.HR_ERR_NOT_FOUND: NotFoundError,
    _abi.HR_ERR_BUSY: BusyError,
    _abi.HR_ERR_CANCELLED: CancelledError,
    _abi.HR_ERR_NO_SPACE: NoSpaceError,
    _abi.HR_ERR_MISMATCH: MismatchError,
    _abi.HR_ERR_FORKED: ForkedError,
    _abi.HR_ERR_HELPER: HelperError,
    _abi.HR_ERR_UNCERTAIN: UncertainError,
    _abi.HR_ERR_DATA: DataError,
    _abi.HR_ERR_NO_DEVICE_MODULE: NoDeviceModuleError,
    _abi.HR_ERR_NO_DRIVER: NoDriverError,
    _abi.HR_ERR_DRIVER_TOO_OLD: DriverTooOldError,
    _abi.HR_ERR_NO_DEVICE: NoDeviceError,
    _abi.HR_ERR_DEVICE_MEMORY: DeviceMemoryError,
    _abi.HR_ERR_DEVICE: DeviceError,
    _abi.HR_ERR_NOT_DATASET: NotDatasetError,
}
_UNKNOWN_OFFSET = 2**64 - 1

#: What messages of the library name as the C API and the command have it, and as Python has it.
_IN_PYTHON = {
    "max_value_bytes (--max-bytes)": "max_bytes",
    "out of pads (--pad)": "out of pad",
    "(HR_PAD_TRUNCATE, --truncate)": "(truncate=True)",
    "(--fields)": "(fields=)",
    "(--dtype, --shape)": "(dtype=, shape=)",
    "--field NAME='PATTERN'": "fields={'NAME': 'PATTERN'}",
    "--field NAME=": "fields= with NAME: ",
    "go on with headrace convert --resume": "go on with resume=True",
    "(--dtype uint64, float64)": "(dtype='uint64' or 'float64')",
    "--chunk-bytes ": "chunk_bytes=",
    "headrace verify --salvage": "hr.salvage()",
    "run headrace verify": "run hr.verify()",
    "HR_FINISH_CHW": "chw=True",
    "HR_FINISH_STANDARDIZE": "standardize=True",
    "HR_FINISH_CHECK_FINITE": "check_finite=True",
    "HR_CONVERT_SHUFFLE": "shuffle=",
    "ask for it to be replaced": "replace it (replace=True)",
    "ask for the target to be replaced": "replace it (replace=True)",
}


def from_status(status: int, error: _abi.hr_error) -> Error:
    """The exception of a failed call."""
    message = error.message.decode("utf-8", "replace")
    for said, meant in _IN_PYTHON.items():
        message = message.replace(said, meant)
    found = _CLASSES.get(status, Error)(message)
    found.status = status
    found.os_errno = error.os_errno
    found.file_off = None if error.file_off == _UNKNOWN_OFFSET else error.file_off
    if isinstance(found, OSError) and error.os_errno:
        found.errno = error.os_errno
    return found
