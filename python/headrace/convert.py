"""Files become data sets and back, and are checked: `headrace convert`, `export` and `verify` in Python."""

from __future__ import annotations

import contextlib
import ctypes
import os
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from . import _abi, _job, _names, _sizes, _warn, errors
from ._library import call, new, output_bytes, path_bytes, set_callback
from ._options import choose, counted, flag
from .dataset import Dataset

Path = str | os.PathLike[str]

CODECS = {"auto": _abi.HR_CODEC_AUTO, "raw": _abi.HR_CODEC_RAW, "zstd": _abi.HR_CODEC_ZSTD}
FILTERS = {
    "auto": _abi.HR_FILTER_AUTO,
    "none": _abi.HR_FILTER_NONE,
    "shuffle": _abi.HR_FILTER_BYTE_SHUFFLE,
    "bitshuffle": _abi.HR_FILTER_BIT_SHUFFLE,
    "delta": _abi.HR_FILTER_DELTA,
    "delta+shuffle": _abi.HR_FILTER_DELTA_BYTE_SHUFFLE,
    "delta+bitshuffle": _abi.HR_FILTER_DELTA_BIT_SHUFFLE,
    # As the format has them, and so `Dataset.footer`:
    "byte-shuffle": _abi.HR_FILTER_BYTE_SHUFFLE,
    "bit-shuffle": _abi.HR_FILTER_BIT_SHUFFLE,
    "delta+byte-shuffle": _abi.HR_FILTER_DELTA_BYTE_SHUFFLE,
    "delta+bit-shuffle": _abi.HR_FILTER_DELTA_BIT_SHUFFLE,
}
EXPORTS = {
    "auto": _abi.HR_EXPORT_AUTO,
    "npy": _abi.HR_EXPORT_NPY,
    "npz": _abi.HR_EXPORT_NPZ,
    "hdf5": _abi.HR_EXPORT_HDF5,
}
SPARSE = {"refuse": _abi.HR_SPARSE_REFUSE, "dense": _abi.HR_SPARSE_DENSE, "varlen": _abi.HR_SPARSE_VARLEN}
OPTIMIZE = {"speed": _abi.HR_OPTIMIZE_SPEED, "balanced": _abi.HR_OPTIMIZE_BALANCED, "size": _abi.HR_OPTIMIZE_SIZE}


#: How a note begins that is of NaN and infinities.
_WARNING = "warning: "


class Converted(NamedTuple):
    """What a conversion did; sizes in bytes."""

    num_samples: int
    num_fields: int
    resumed_samples: int
    decoded_bytes: int
    stored_bytes: int
    seconds: float
    num_nan: int
    num_inf: int
    notes: tuple[str, ...]
    #: Of num_samples, those that the output had before an append.
    old_samples: int = 0


def _texts(texts: Sequence[bytes]) -> Any:
    return (ctypes.c_char_p * max(1, len(texts)))(*texts)


def _watched(options: ctypes.Structure, watch: _job.Watch) -> None:
    """The callbacks of conversion and export."""
    set_callback(
        options, "on_progress", lambda _, told: watch.tell(told.contents.done_bytes, told.contents.total_bytes)
    )
    set_callback(options, "on_note", lambda _, line: watch.notes.append(line.decode("utf-8", "replace")))


def _keep(options: ctypes.Structure, fields: Sequence[str]) -> None:
    if isinstance(fields, str) or not fields:
        raise TypeError('fields is a mapping {"name": "FILE"}, or a list of the names that are kept')
    options.kept_fields, options.num_kept_fields = _texts(_names.listed(fields, "fields")), len(fields)


def _rename(options: ctypes.Structure, names: Mapping[str, str]) -> None:
    if not isinstance(names, Mapping) or not all(isinstance(name, str) for pair in names.items() for name in pair):
        raise errors.InvalidError(f'rename is {names!r}, expected a dict of new names by old: {{"X": "image"}}')
    entries = (_abi.hr_convert_rename * max(1, len(names)))()
    for entry, (old_name, new_name) in zip(entries, names.items(), strict=False):
        entry.old_name, entry.new_name = old_name.encode(), new_name.encode()
    options.renames, options.num_renames = entries, len(names)


def _choose_samples(options: ctypes.Structure, ends: tuple[int | None, int | None]) -> None:
    if not isinstance(ends, tuple | list) or len(ends) != 2:
        raise errors.InvalidError(f"range is {ends!r}, expected a pair: (first, end), either of which may be None")
    first, end = ends
    options.first_sample = 0 if first is None else counted(first, "the first of range", 0, 2**64 - 2)
    options.end_sample = 0 if end is None else counted(end, "the end of range", options.first_sample + 1, 2**64 - 1)


def _nanoseconds(seconds: float, what: str) -> int:
    if not 0 <= seconds < 2**33:
        raise errors.InvalidError(f"{what} is {seconds!r}, expected seconds from 0 to 2^33")
    return int(seconds * 1e9)


#: Endings of what export() does not make.
_NO_EXPORT = (".hrd", ".npy", ".csv", ".tsv", ".h5ad", ".gz", ".zip")


def convert(
    *inputs: Path,
    out: Path,
    fields: Mapping[str, Path] | Sequence[str] | None = None,
    rename: Mapping[str, str] | None = None,
    range: tuple[int | None, int | None] | None = None,
    replace: bool = False,
    resume: bool = False,
    append: bool = False,
    shuffle: int | None = None,
    index_field: str | None = None,
    optimize: str = "speed",
    codec: str = "auto",
    filter: str = "auto",
    level: int = 0,
    chunk_bytes: int | str | None = None,
    disk_rate: int | str | None = None,
    dtype: str | None = None,
    shape: Sequence[int] | None = None,
    skip_bytes: int = 0,
    axis: int = 0,
    sparse: str = "refuse",
    follow_external: bool = False,
    check_space: bool = True,
    budget: int | str | None = None,
    threads: int = 0,
    helpers: int = 0,
    helper_timeout: float = 0,
    helper_memory: int | str | None = None,
    progress: bool | None = None,
) -> Converted:
    """Make one .hrd file of .npy, .npz, IDX, CSV, HDF5, raw binary and other .hrd files; what becomes which field:
    docs/convert.md. An interrupt (Ctrl-C) stops it in a tenth of a second and leaves what `resume=True` goes on with.
    NaN and infinities are written, and warned of (`HeadraceWarning`).

    :param inputs: files, folders, patterns such as "x/*.npy", or "FILE.h5:/path/in/file", "FILE.npz:/NAME",
        "FILE.npy:/MEMBER" or "FILE.npz:/NAME/MEMBER" of a structured array, "FILE.hrd:field"
    :param out: the file to make
    :param fields: fields said outright: {"image": "X.npy", "label": "F.h5:/y"}; or the names of those that are kept,
        in their order: ["label", "image"]
    :param rename: {"X": "image"}: X gets another name
    :param range: (first, end): only samples from first up to, without, end; None: from the first, to the last
    :param replace: an existing output is replaced when the new one is complete
    :param resume: go on with the interrupted conversion of the same inputs and options, if there is one
    :param append: put the samples behind those of the output, which has the same fields; interrupted, the output is
        as it was. The figures returned are those of the whole output
    :param shuffle: a seed: put all samples into a random order once; with `index_field` an int64 field of that name
        keeps each sample's index before it
    :param optimize: "speed" (of delivery), "balanced" or "size": how codec, level and filter are chosen
    :param codec: "auto" (tried), "raw" or "zstd"; `filter` and `level` likewise
    :param disk_rate: bytes that the disk that will be read from brings in a second; None: 10^9
    :param dtype: of raw binary inputs: "float32", "<f4"; with the `shape` of one sample, after `skip_bytes`; and of all
        numbers of CSV
    :param axis: of arrays that have several, which is that of the samples; negative: from the last
    :param sparse: "dense": a sparse matrix in an HDF5 file (AnnData, 10x) becomes a field of its rows with their zeros;
        "varlen": two fields of what the rows hold, NAME/indices and NAME/data; "refuse": the error says how large these
        would be
    :param follow_external: HDF5 links that leave the input's folder are followed
    :param check_space: see first whether the disk has room
    :param budget: bytes, or "256M", for everything it holds
    :param helpers: processes that read one HDF5 file; `helper_timeout` seconds is the longest silence of each, and
        `helper_memory`, as `budget`, the memory that each may use
    :param progress: show a bar; None: on a terminal and in a notebook
    :raises UnsupportedError: a source that cannot be converted: the message says why and what can be done

    >>> done = hr.convert("X.npy", "y.npy", out="made.hrd", codec="zstd", level=3)
    >>> done.num_samples, done.num_fields
    (1000, 2)
    >>> hr.convert("X.npy", "y.npy", out="made.hrd", append=True).num_samples
    2000
    >>> hr.convert("made.hrd", out="less.hrd", fields=["y"], rename={"y": "label"}, range=(0, 100)).num_samples
    100
    """
    options, result, watch = new(_abi.hr_convert_options), new(_abi.hr_convert_result), _job.Watch()
    options.flags = (
        flag(replace, "replace") * _abi.HR_CONVERT_REPLACE
        | flag(resume, "resume") * _abi.HR_CONVERT_RESUME
        | flag(append, "append") * _abi.HR_CONVERT_APPEND
        | flag(follow_external, "follow_external") * _abi.HR_CONVERT_FOLLOW_EXTERNAL
        | (not flag(check_space, "check_space")) * _abi.HR_CONVERT_NO_SPACE_CHECK
        | (shuffle is not None) * _abi.HR_CONVERT_SHUFFLE
    )
    named = dict(fields) if isinstance(fields, Mapping) else {}
    if not isinstance(fields, Mapping | None):
        _keep(options, fields)
    _rename(options, rename or {})
    if range is not None:
        _choose_samples(options, range)
    options.inputs, options.num_inputs = _texts([path_bytes(path) for path in inputs]), len(inputs)
    entries = (_abi.hr_convert_field * max(1, len(named)))()
    for entry, (name, source) in zip(entries, named.items(), strict=False):
        entry.name, entry.source = name.encode(), path_bytes(source)
    options.fields, options.num_fields = entries, len(named)
    options.output = output_bytes(out)
    options.shuffle_seed = 0 if shuffle is None else counted(shuffle, "shuffle", 0, 2**64 - 1)
    options.index_field = None if index_field is None else index_field.encode()
    options.optimize = choose(optimize, OPTIMIZE, "optimize")
    options.codec = choose(codec, CODECS, "codec")
    options.filter = choose(filter, FILTERS, "filter")
    options.level = counted(level, "level", -131072, 22)
    if level and codec == "raw":
        raise errors.InvalidError("level is that of zstd, and codec is 'raw'; leave one out")
    if dtype is None and (shape is not None or skip_bytes):
        raise errors.InvalidError("shape and skip_bytes are of raw binary inputs, whose dtype is missing; give it")
    options.chunk_bytes = _sizes.parse(chunk_bytes, "chunk_bytes")
    options.disk_bytes_per_s = _sizes.parse(disk_rate, "disk_rate")
    options.raw_dtype = None if dtype is None else dtype.encode()
    sizes = [counted(size, "an entry of shape", 0, 2**63) for size in shape or ()]
    options.raw_shape, options.raw_rank = (ctypes.c_uint64 * max(1, len(sizes)))(*sizes), len(sizes)
    options.raw_skip_bytes = counted(skip_bytes, "skip_bytes")
    options.sample_axis = counted(axis, "axis", -33, 32)
    options.sparse = choose(sparse, SPARSE, "sparse")
    options.budget_bytes = _sizes.parse(budget, "budget")
    options.num_threads = counted(threads, "threads")
    options.num_helpers = counted(helpers, "helpers")
    options.helper_timeout_ns = _nanoseconds(helper_timeout, "helper_timeout")
    options.helper_memory_bytes = _sizes.parse(helper_memory, "helper_memory")
    _watched(options, watch)
    _job.run(
        lambda: call("hr_convert", ctypes.byref(options), ctypes.byref(result)),
        watch,
        os.path.basename(os.fsdecode(out)),
        progress=progress,
    )
    bad = [line.removeprefix(_WARNING) for line in watch.notes if line.startswith(_WARNING)]
    _warn.of_values(os.fsdecode(out), bad)
    return Converted(
        result.num_samples,
        result.num_fields,
        result.resumed_samples,
        result.decoded_bytes,
        result.stored_bytes,
        result.elapsed_ns / 1e9,
        result.num_nan,
        result.num_inf,
        tuple(watch.notes),
        result.old_samples,
    )


def export(
    dataset: Dataset | Path,
    out: Path,
    *,
    fields: Sequence[str] | None = None,
    range: tuple[int | None, int | None] | None = None,
    kind: str = "auto",
    gzip: int = 4,
    replace: bool = False,
    budget: int | str | None = None,
    threads: int = 0,
    helper_timeout: float = 0,
    helper_memory: int | str | None = None,
    progress: bool | None = None,
) -> None:
    """Write fields for other programs: `out` is an HDF5 file if it ends with ".h5" or ".hdf5", an archive if it ends
    with ".npz", else a folder of .npy files, FIELD.npy. What is made is complete or not there at all. Values of
    variable length become h5py's strings and sequences, or FIELD.offsets and FIELD.values in an archive; .npy cannot
    hold them.

    :param dataset: an open one, or the path of one
    :param range: (first, end): only samples from first up to, without, end; None: from the first, to the last
    :param kind: "npy", "npz" or "hdf5": whatever the name ends with
    :param gzip: of HDF5 and .npz, 1 to 9; 0: not compressed
    :param helper_timeout: the longest silence, in seconds, of the process that writes such a file; `helper_memory`,
        as `budget`, the memory that it may use

    >>> hr.export(data, "arrays", fields=["y"], range=(0, 10))
    >>> np.load("arrays/y.npy")
    array([0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
    """
    options, watch = new(_abi.hr_export_options), _job.Watch()
    options.flags = flag(replace, "replace") * _abi.HR_CONVERT_REPLACE
    options.path = output_bytes(out, _NO_EXPORT if kind == "auto" else (), "F.npz, F.h5, or a folder of .npy files")
    options.kind = choose(kind, EXPORTS, "kind")
    options.gzip_level = counted(gzip, "gzip", 0, 9) or _abi.HR_EXPORT_NO_GZIP
    if fields is not None:
        options.fields, options.num_fields = _texts(_names.listed(fields, "fields")), len(fields)
    if range is not None:
        _choose_samples(options, range)
    options.budget_bytes = _sizes.parse(budget, "budget")
    options.num_threads = counted(threads, "threads")
    options.helper_timeout_ns = _nanoseconds(helper_timeout, "helper_timeout")
    options.helper_memory_bytes = _sizes.parse(helper_memory, "helper_memory")
    _watched(options, watch)
    given = contextlib.nullcontext(dataset) if isinstance(dataset, Dataset) else Dataset([dataset], 0)
    with given as opened, opened._handle.use() as pointer:
        _job.run(lambda: call("hr_export", pointer, ctypes.byref(options)), watch, "export", progress=progress)


class Damage(NamedTuple):
    """A damaged place in a file. `num_samples` samples from `first_sample` on are lost (0: none)."""

    what: str
    detail: str
    file_off: int | None
    chunk: int | None
    first_sample: int
    num_samples: int


def _known(number: int) -> int | None:
    return None if number == 2**64 - 1 else number


def verify(
    path: Path, *, budget: int | str | None = None, threads: int = 0, progress: bool | None = None
) -> list[Damage]:
    """Read and check every byte of a file; the places that are damaged, none where all is whole.

    >>> hr.verify("train.hrd")
    []
    """
    options, watch, found = new(_abi.hr_verify_options), _job.Watch(), list[Damage]()

    def on_damage(_: Any, told: Any) -> None:
        damage = told.contents
        found.append(
            Damage(
                damage.what.decode("utf-8", "replace"),
                damage.detail.decode("utf-8", "replace"),
                _known(damage.file_off),
                _known(damage.chunk),
                damage.first_sample,
                damage.num_samples,
            )
        )

    set_callback(options, "on_damage", on_damage)
    set_callback(options, "on_progress", lambda _, done, total: watch.tell(done, total))
    options.budget_bytes = _sizes.parse(budget, "budget")
    options.num_threads = counted(threads, "threads")
    encoded = path_bytes(path)
    try:
        _job.run(lambda: call("hr_dataset_verify", encoded, ctypes.byref(options)), watch, "verify", progress=progress)
    except errors.CorruptError:
        if not found:
            raise
    return found
