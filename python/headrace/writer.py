"""Writers: what a program makes becomes one .hrd file."""

from __future__ import annotations

import contextlib
import ctypes
import inspect
import itertools
import json
import os
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from . import _abi, _columns, _exact, _job, _sizes, _text, _variable, _warn, errors
from ._handle import Handle
from ._library import LIB, as_dict, call, new, output_bytes, set_callback
from ._options import choose, counted, flag
from .convert import CODECS, FILTERS, OPTIMIZE
from .dataset import Dataset
from .dtypes import from_numpy, name_of, parse, to_numpy
from .ragged import Ragged

Path = str | os.PathLike[str]
FieldSpec = Any  # "float32", np.float32, or ("float32", (28, 28))
_BLOCK_BYTES = 8 << 20  # that from_arrays() reads at once,
_VARIABLE_BYTES = 8192  # taken as a value of variable length


class _Field:
    """A field as it is written."""

    def __init__(self, name: str, spec: FieldSpec, attributes: Mapping[str, Any] | None) -> None:
        dtype, shape = (
            spec if isinstance(spec, tuple) and len(spec) == 2 and not isinstance(spec[1], str) else (spec, ())
        )
        self.name = name
        variable = _variable.parse_kind(dtype, f"field {name}")
        self.variable = variable is not None
        if variable is not None:
            (self.number, self.element), self.width = variable, 0
            self.dtype = _variable.dtype_of(self.element)
            self.kind = _variable.kind_of(*variable)
        else:
            self.number, self.width = parse(dtype, f"field {name}")
            self.element, self.dtype = 0, to_numpy(self.number, self.width)
        self.shape = tuple(counted(size, f"shape of field {name}", 0, 2**63) for size in np.atleast_1d(shape).tolist())
        self.attributes = attributes

    @property
    def may_have_nan(self) -> bool:
        return _exact.is_float(self.dtype) or _abi.HR_BFLOAT16 in (self.number, self.element)

    def describe(self, entry: _abi.hr_field) -> None:
        entry.name = self.name.encode()
        entry.dtype = self.number
        entry.width_bytes = self.width
        entry.element_dtype = self.element
        entry.rank = len(self.shape)
        self._shape = (ctypes.c_uint64 * max(1, len(self.shape)))(*self.shape)
        entry.shape = self._shape
        if self.attributes:
            entry.attributes_json = json.dumps(self.attributes).encode()

    def column(self, values: Any, first: int) -> tuple[int, int, Any]:
        """Of values of samples from `first` on: how many, the pointer that hr_writer_append() takes, and what it
        points to."""
        if self.variable:
            made = _variable.Column(self.name, self.kind, self.dtype, values, first)
            return len(made), ctypes.addressof(made.struct), made
        rows = self.rows(values, first)
        return len(rows), rows.ctypes.data, rows

    def rows(self, values: Any, first: int) -> npt.NDArray[Any]:
        """As the format has them; what would be changed by that is refused."""
        if np.ma.is_masked(values):
            raise errors.DataError(f"{self.name} has masked values, which a field cannot hold; fill or drop them first")
        array = _text.as_array(values)
        if array.shape == (0,) and not hasattr(values, "dtype"):  # an empty list: no rows of any shape and type
            array = np.empty((0, *self.shape), self.dtype)
        if array.shape[1:] != self.shape or array.ndim == 0:
            raise errors.InvalidError(
                f"{self.name} was appended with shape {array.shape}, expected (samples, "
                f"{', '.join(map(str, self.shape))}): one row for each sample"
            )
        row_elements = max(1, int(np.prod(self.shape, dtype=np.int64)))

        def sample_of(place: int) -> int:
            return first + place // row_elements

        if self.width:
            return self._texts(array, sample_of)
        if array.dtype == object and _text.are_alike(array.flat):
            array = array.reshape(-1)[:1].astype(type(array.flat[0]))  # the type is refused, whatever the others are
        return np.ascontiguousarray(_exact.cast(array, self.dtype, self.name, name_of(self.number), sample_of))

    def _texts(self, array: npt.NDArray[Any], sample_of: Callable[[int], int]) -> npt.NDArray[Any]:
        objects = array.dtype == object and (array.size == 0 or _text.are_alike(array.flat))
        if array.dtype.kind not in "US" and not objects:
            raise errors.InvalidError(f"{self.name} was appended as {array.dtype}, expected {name_of(self.number)}")
        array = _text.encoded(self.name, array)
        lengths = _text.lengths(array)
        for long in np.flatnonzero(lengths > self.width) if objects else ():  # zeros at the end are padding
            lengths[long] = len(array.flat[long].rstrip(b"\0"))
        if lengths.max(initial=0) > self.width:
            place = int((lengths > self.width).argmax())
            kind = "utf8" if self.number == _abi.HR_FIXED_UTF8 else "bytes"
            raise errors.InvalidError(
                f"{self.name}, sample {sample_of(place)}: {lengths[place]} bytes do not fit in a field of {self.width}"
                f"; make it wider, or of variable length: fields={{{self.name!r}: {kind!r}}}"
            )
        return np.ascontiguousarray(array, self.dtype)


def _fields_of(path: Path) -> dict[str, FieldSpec]:
    """Those of a data set that is there."""
    with Dataset([path], 0) as data:
        texts = {"fixed_utf8": "utf8", "fixed_bytes": "bytes"}
        return {
            name: (
                f"{texts[field.kind]}:{field.dtype.itemsize}" if field.kind in texts else field.kind,
                field.sample_shape,
            )
            for name, field in data.fields.items()
        }


class Writer:
    """Writes a new .hrd file from what a program makes. At the end of the `with` the file gets its name, complete;
    after an exception there is no such file, and the chunks that were finished, if any, stay in OUT.partial for
    `resume=True`. Without a `with`, `commit()` is needed: samples that are lost for want of it are warned of. NaN and
    infinities are written, and warned of at the end (`HeadraceWarning`).

    :param fields: by name, the element type ("float32", np.int64, "bfloat16", "utf8:16", "bytes:8"), or a pair of it
        and the shape of one sample; for values of variable length "utf8" (or str), "bytes", or such as "int32[]"
    :param append: put samples behind those of a data set that is there; without `fields` these are its own. After an
        exception it is as it was. What decides how a file is stored is left out; attributes must be those it has
    :param attributes: of the data set, anything that JSON holds; `field_attributes` likewise by field
    :param replace: an existing file is replaced at commit
    :param resume: go on with what an interrupted writer of this file has left: `num_samples` says how many samples
        are there already
    :param samples_per_chunk: 1 to 65,536; 0: by `chunk_bytes`
    :param chunk_bytes, codec, filter, level, optimize, disk_rate: as for `convert()`
    :param budget: bytes, or "256M"
    :raises ExistsError: the file is there; BusyError: another writer has it; MismatchError: it has other fields

    >>> with hr.Writer("made.hrd", fields={"X": ("float32", (3,)), "y": "int64"}, replace=True) as writer:
    ...     for k in range(10):
    ...         writer.append(X=np.full((5, 3), k), y=np.full(5, k))
    >>> with hr.Writer("made.hrd", append=True) as writer:
    ...     writer.append(X=np.zeros((5, 3), "float32"), y=np.arange(5))
    >>> len(hr.open("made.hrd"))
    55
    """

    _uncommitted = 0  # samples

    def __init__(
        self,
        path: Path,
        fields: Mapping[str, FieldSpec] | None = None,
        *,
        append: bool = False,
        attributes: Mapping[str, Any] | None = None,
        field_attributes: Mapping[str, Mapping[str, Any]] | None = None,
        replace: bool = False,
        resume: bool = False,
        samples_per_chunk: int = 0,
        chunk_bytes: int | str | None = None,
        codec: str = "auto",
        filter: str = "auto",
        level: int = 0,
        optimize: str = "speed",
        disk_rate: int | str | None = None,
        budget: int | str | None = None,
        threads: int = 0,
    ) -> None:
        encoded = output_bytes(path)
        self.path = os.fsdecode(path)
        if fields is None:
            if not append:
                raise errors.InvalidError(f"{self.path}: fields= is missing; only append=True does without")
            fields = _fields_of(path)
        if not isinstance(fields, Mapping) or not all(isinstance(name, str) for name in fields):
            raise errors.InvalidError(
                f"{self.path}: fields is {fields!r}, expected a dict of types by name, such as {{'X': 'float32'}}"
            )
        of_field = dict(field_attributes or {})
        self._fields = [_Field(name, spec, of_field.get(name)) for name, spec in fields.items()]
        described = (_abi.hr_field * max(1, len(self._fields)))()
        for field, entry in zip(self._fields, described, strict=False):
            field.describe(entry)
        options = new(_abi.hr_writer_options)
        options.flags = (
            flag(replace, "replace") * _abi.HR_WRITER_REPLACE
            | flag(resume, "resume") * _abi.HR_WRITER_RESUME
            | flag(append, "append") * _abi.HR_WRITER_APPEND
        )
        options.budget_bytes = _sizes.parse(budget, "budget")
        options.num_threads = counted(threads, "threads")
        options.samples_per_chunk = counted(samples_per_chunk, "samples_per_chunk")
        options.chunk_bytes = _sizes.parse(chunk_bytes, "chunk_bytes")
        options.codec = choose(codec, CODECS, "codec")
        options.filter = choose(filter, FILTERS, "filter")
        options.level = counted(level, "level", -131072, 22)
        options.optimize = choose(optimize, OPTIMIZE, "optimize")
        options.disk_bytes_per_s = _sizes.parse(disk_rate, "disk_rate")
        options.attributes_json = json.dumps(attributes).encode() if attributes else None
        watch, made = _job.Watch(), ctypes.c_void_p()
        self._handle = Handle(f"the writer of {self.path}", made, LIB.hr_writer_close)
        set_callback(options, "on_resume", lambda _, done: watch.tell(done, 0))
        _job.run(
            lambda: call(
                "hr_writer_open",
                encoded,
                described,
                len(self._fields),
                ctypes.byref(options),
                ctypes.byref(made),
            ),
            watch,
            "resume",
        )

    @property
    def num_samples(self) -> int:
        """Samples that the file holds so far: after a resume, those that are there already; of an append, the old
        ones too."""
        with self._handle.use() as pointer:
            return int(LIB.hr_writer_num_samples(pointer))

    def info(self) -> dict[str, Any]:
        """What it chose and did: `hr_writer_info` of the C API."""
        found = new(_abi.hr_writer_info)
        with self._handle.use() as pointer:
            call("hr_writer_describe", pointer, ctypes.byref(found))
        return as_dict(found)

    def append(self, columns: Mapping[str, Any] | None = None, /, **named: Any) -> None:
        """Append samples: an array of shape `(samples, *sample_shape)` for every field, by name or as a dict; of a
        field of variable length a list of values, or a `Ragged`. They are copied before it returns. From one thread
        at a time.

        :raises DataError: a value that a field cannot hold (a number out of range, text that is no UTF-8); nothing of
            this call is written
        """
        given = {**(columns or {}), **named}
        if set(given) != {field.name for field in self._fields}:
            expected = ", ".join(repr(field.name) for field in self._fields)
            raise errors.InvalidError(
                f"append() was given {', '.join(map(repr, given)) or 'nothing'}, expected {expected}"
            )
        first = self.num_samples
        made = [field.column(given[field.name], first) for field in self._fields]
        counts = {count for count, _, _ in made}
        if len(counts) > 1:
            listed = ", ".join(f"{field.name} {count}" for field, (count, _, _) in zip(self._fields, made, strict=True))
            raise errors.InvalidError(f"append() was given different numbers of samples: {listed}; all need the same")
        pointers = (ctypes.c_void_p * len(made))(*(pointer for _, pointer, _ in made))
        count = counts.pop()
        with self._handle.use() as pointer:
            call("hr_writer_append", pointer, count, pointers)
        self._uncommitted += count

    def commit(self) -> None:
        """Finish, and give the file its name. Afterwards the writer is closed."""
        with self._handle.use() as pointer:
            call("hr_writer_commit", pointer)
        self._uncommitted = 0
        self.close()
        self._warn_of_values()

    def _warn_of_values(self) -> None:
        """The file is made: what fails here is no failure of commit()."""
        if not any(field.may_have_nan for field in self._fields):
            return
        lines = []
        with contextlib.suppress(errors.Error), Dataset([self.path], 2**64 - 1) as data:
            lines = [_warn.line_of(name, field.statistics) for name, field in data.fields.items()]
        _warn.of_values(self.path, [line for line in lines if line])

    def close(self) -> None:
        """Close; without a commit only the chunks that were finished stay, in OUT.partial, to be resumed, and what was
        to be appended is not there."""
        if self._uncommitted and not self._handle.closed:
            warnings.warn(
                f"{self.path}: the writer was closed without commit(), and samples that were appended are not in the "
                f"file ({self._uncommitted}); write in a `with`, or call commit() at the end",
                stacklevel=2,
            )
        self._handle.close()

    def __del__(self) -> None:
        if self._uncommitted:
            self.close()

    def __enter__(self) -> Writer:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None and not self._handle.closed:
            self.commit()
        else:
            self._handle.close()

    def __repr__(self) -> str:
        return f"<headrace.Writer of {self.path!r}: {', '.join(field.name for field in self._fields)}>"


def _spec_of(name: str, rows: npt.NDArray[Any]) -> tuple[Any, tuple[int, ...]]:
    number, width = from_numpy(rows.dtype, name)
    kind = {_abi.HR_FIXED_UTF8: "utf8", _abi.HR_FIXED_BYTES: "bytes"}.get(number)
    return (f"{kind}:{width}" if kind else rows.dtype.newbyteorder("="), rows.shape[1:])


def _text_spec(name: str, kind: str, shape: tuple[int, ...], parts: Iterable[npt.NDArray[Any]]) -> FieldSpec:
    """Of texts all are looked at: the longest decides, and how long it is beside the others."""
    longest, count, total_bytes = 1, 0, 0
    for rows in parts:
        lengths = _text.lengths(_text.encoded(name, rows))
        longest = max(longest, int(lengths.max(initial=0)))
        count, total_bytes = count + len(lengths), total_bytes + int(lengths.sum())
    return (f"{kind}:{longest}", shape) if shape else _text.type_of(kind, longest, count, total_bytes)


def _batch_spec(name: str, rows: npt.NDArray[Any]) -> FieldSpec:
    """Of the first of several batches: later texts may have as many characters, of up to four bytes each."""
    if rows.dtype != object or not _text.are_alike(rows.flat):
        return _spec_of(name, rows)
    kind = "bytes" if isinstance(rows.flat[0], bytes) else "utf8"
    spec = _text_spec(name, kind, rows.shape[1:], [rows])
    if spec == kind:
        return spec
    longest = max(1, *map(len, rows.flat))
    return f"{kind}:{longest * (4 if kind == 'utf8' else 1)}", rows.shape[1:]


def _spec(name: str, column: _columns.Column) -> FieldSpec:
    if isinstance(column.source, Ragged):
        return column.source.kind
    first = column.read(0, min(1, len(column)))
    if len(column) == 0 or not (first.dtype.kind == "U" or first.dtype == object):
        return _spec_of(name, first)
    kind = "bytes" if first.dtype == object and isinstance(first.flat[0], bytes) else "utf8"
    step = min(65536, max(1, _BLOCK_BYTES // max(1, first.nbytes)))
    parts = (column.read(begin, min(begin + step, len(column))) for begin in range(0, len(column), step))
    return _text_spec(name, kind, first.shape[1:], parts)


_OPTIONS = frozenset(inspect.signature(Writer).parameters) - {"path", "fields"}


def _open(out: Path, fields: Mapping[str, FieldSpec] | None, options: Mapping[str, Any] | None) -> Writer:
    try:
        return Writer(out, fields, **(options or {}))
    except errors.ExistsError as error:
        error.args = (str(error).replace("(replace=True)", "(options={'replace': True})"),)
        raise


def _check_no_options(arrays: Mapping[str, Any]) -> None:
    """Options of the writer that were given as if they were arrays."""
    for name, given in arrays.items():
        if name in _OPTIONS and (isinstance(given, str) or not hasattr(given, "__len__")):
            raise errors.InvalidError(
                f"{name}={given!r} was given as an array, and is an option of the Writer; give "
                f"options={{{name!r}: {given!r}}}"
            )


def from_arrays(
    out: Path,
    *tables: Any,
    fields: Mapping[str, FieldSpec] | None = None,
    progress: bool | None = None,
    options: Mapping[str, Any] | None = None,
    **arrays: Any,
) -> None:
    """Write arrays as one data set, a block at a time: NumPy arrays and memmaps, h5py data sets, pandas columns,
    Arrow arrays, lists; by name, or a table or dict of them. Axis 0 counts samples.

    :param fields: of some, the type, as for the `Writer`. Texts become fields as wide as the longest; of variable
        length where they are said to be, {"story": "utf8"}, or where the longest has more than 256 bytes of UTF-8 and
        the field would be more than 4 times as large as all texts. Bytes likewise, unless NumPy has them as `S`. Rows
        that differ in length are said to be: {"tokens": "int32[]"}
    :param options: of the `Writer`

    >>> hr.from_arrays("made.hrd", X=np.zeros((10, 4), "float32"), y=list(range(10)), options={"replace": True})
    >>> hr.open("made.hrd")["X"].shape
    (10, 4)
    """
    _check_no_options(arrays)
    append = bool((options or {}).get("append"))
    given = {**(_fields_of(out) if append else {}), **(fields or {})}

    def variable(name: str, source: Any) -> bool:
        return isinstance(source, Ragged) or (name in given and _Field(name, given[name], None).variable)

    columns = _columns.of_all(tables, arrays, variable)
    unknown = ", ".join(repr(name) for name in fields or {} if name not in columns)
    if unknown:
        raise errors.InvalidError(f"fields names {unknown}, of which there is no array; there are {', '.join(columns)}")
    length = len(next(iter(columns.values())))
    specs = dict(given)
    for name, column in columns.items():
        if not append and name not in specs:
            specs[name] = _spec(name, column)
    specs = specs if append else {name: specs[name] for name in columns}
    made = {name: _Field(name, spec, None) for name, spec in specs.items()}
    sample_bytes = sum(
        int(np.prod(field.shape, dtype=np.int64)) * field.dtype.itemsize if not field.variable else _VARIABLE_BYTES
        for field in made.values()
    )
    step = max(1, _BLOCK_BYTES // max(1, sample_bytes))
    watch = _job.Watch()
    with _open(out, specs, options) as writer:

        def body() -> None:
            for begin in range(0 if append else writer.num_samples, length, step):
                end = min(begin + step, length)
                writer.append(
                    {
                        name: column.values(begin, end) if variable(name, column.source) else column.read(begin, end)
                        for name, column in columns.items()
                    }
                )
                if watch.tell(end * sample_bytes, length * sample_bytes):
                    raise errors.CancelledError("writing was interrupted")

        _job.run(body, watch, os.path.basename(os.fsdecode(out)), progress=progress)


def _check_names(sample: Any, number: int, names: Sequence[str]) -> None:
    if not isinstance(sample, Mapping):
        raise errors.InvalidError(
            f"sample {number} of the iterator is a {type(sample).__name__}, expected a dict of its fields"
        )
    if set(sample) != set(names):
        raise errors.InvalidError(
            f"sample {number} of the iterator has {', '.join(map(repr, sample)) or 'no field'}, expected "
            f"{', '.join(map(repr, names))}, as fields= or the first sample says"
        )


def _stacked(samples: Sequence[Mapping[str, Any]], first: int, fields: Sequence[_Field]) -> dict[str, Any]:
    """Values of variable length stay a list."""
    names = [field.name for field in fields]
    for number, sample in enumerate(samples, first):
        _check_names(sample, number, names)
    return {
        field.name: [sample[field.name] for sample in samples]
        if field.variable
        else _stacked_field(field.name, [sample[field.name] for sample in samples], first)
        for field in fields
    }


def _stacked_field(name: str, values: list[Any], first: int) -> npt.NDArray[Any]:
    if _text.are_alike(values):
        return _text.as_array(values)
    rows: list[npt.NDArray[Any]] = []
    for number, value in enumerate(values, first):
        if np.ma.is_masked(value):
            raise errors.DataError(f"{name} of sample {number} has masked values; fill or drop them first")
        rows.append(np.asarray(value))
        if rows[-1].shape != rows[0].shape:
            raise errors.InvalidError(
                f"{name} of sample {number} has shape {rows[-1].shape}, others have {rows[0].shape}; samples of a "
                f"field have one, unless it is said to be of variable length: fields={{{name!r}: 'int32[]'}}"
            )
    return np.stack(rows)


def from_iterator(
    out: Path,
    samples: Iterable[Mapping[str, Any]],
    *,
    fields: Mapping[str, FieldSpec] | None = None,
    batched: bool = False,
    options: Mapping[str, Any] | None = None,
) -> int:
    """Write what an iterator yields: dicts of one sample each, or with `batched=True` of arrays of some samples each.
    Returns the number of samples of the file. Without `fields` the first dict decides on types and shapes; texts need a
    width, or are of variable length: fields={"name": "utf8:32", "story": "utf8"}.

    >>> hr.from_iterator("made.hrd", ({"x": k, "t": [k, k]} for k in range(100)), options={"replace": True})
    100
    """
    iterator: Iterator[Mapping[str, Any]] = iter(samples)
    first = next(iterator, None)
    append = bool((options or {}).get("append"))
    if first is None and fields is None and not append:
        raise errors.InvalidError(
            f"{os.fsdecode(out)}: the iterator yielded nothing, so its fields are not known; give fields="
        )
    whole = iterator if first is None else itertools.chain([first], iterator)
    if fields is None and not append:
        if not isinstance(first, Mapping) or not first:
            raise errors.InvalidError(
                f"the iterator's first sample is {first!r:.60}, expected a dict of its fields, one at least"
            )
        arrays = {name: _text.as_array(value) if batched else np.asarray(value)[None] for name, value in first.items()}
        fields = {name: _batch_spec(name, array) for name, array in arrays.items()}
    with _open(out, fields, options) as writer:
        for block in _blocks(whole, batched, writer._fields):
            writer.append(block)
        return writer.num_samples


def _blocks(
    samples: Iterable[Mapping[str, Any]], batched: bool, fields: Sequence[_Field]
) -> Iterator[Mapping[str, Any]]:
    if batched:
        yield from samples
        return
    iterator, first = iter(samples), 0
    while block := list(itertools.islice(iterator, 64)):
        yield _stacked(block, first, fields)
        first += len(block)
