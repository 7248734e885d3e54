"""Writers of the same arrays, each as its documentation would have it at its defaults, and Headrace:

    convert_writers.py NAME write SOURCE TARGET     prints the seconds that writing took, once all is imported
    convert_writers.py NAME check SOURCE TARGET     prints what a reader finds there

SOURCE is a .npy file, which is read in blocks, so that no writer holds all of it because of us. Headrace writes by its
own program; write_command() has both."""

import collections
import dataclasses
import json
import os
import pathlib
import sys
import time

import numpy as np

BLOCK_BYTES = 8 << 20
HDF5_CHUNK_BYTES = 256 << 10
WORKERS = len(os.sched_getaffinity(0))


class Source:
    """The samples of a .npy file."""

    def __init__(self, path):
        self.path = str(path)
        mapped = np.load(path, mmap_mode="r")
        self.shape, self.dtype, self.offset = mapped.shape, mapped.dtype, mapped.offset
        self.sample_bytes = self.dtype.itemsize * int(np.prod(self.shape[1:]))

    def __len__(self):
        return self.shape[0]

    def read(self, first, count):
        where = {"offset": self.offset + first * self.sample_bytes}
        values = np.fromfile(self.path, self.dtype, count * self.sample_bytes // self.dtype.itemsize, **where)
        return values.reshape(count, *self.shape[1:])

    def blocks(self, multiple=1):
        """(first, samples), each but the last a multiple of so many."""
        step = max(1, BLOCK_BYTES // self.sample_bytes // multiple) * multiple
        for first in range(0, len(self), step):
            yield first, self.read(first, min(step, len(self) - first))


def to_hdf5(**how):
    def write(source, target):
        import h5py

        with h5py.File(target, "w") as file:
            options = dict(how)
            if options:
                rows = max(1, HDF5_CHUNK_BYTES // source.sample_bytes)
                options["chunks"] = (min(rows, len(source)), *source.shape[1:])
            x = file.create_dataset("x", source.shape, source.dtype, **options)
            for first, samples in source.blocks(x.chunks[0] if x.chunks else 1):
                x[first : first + len(samples)] = samples

    return write


def of_hdf5(target):
    import h5py

    x = h5py.File(target, "r")["x"]
    return len(x), lambda first, count: x[first : first + count]


def to_zarr(source, target):
    import zarr

    x = zarr.create_array(store=str(target), shape=source.shape, dtype=source.dtype)
    for first, samples in source.blocks(x.chunks[0]):
        x[first : first + len(samples)] = samples


def of_zarr(target):
    import zarr

    x = zarr.open_array(str(target), mode="r")
    return x.shape[0], lambda first, count: x[first : first + count]


def tensorstore_of(target, **how):
    import tensorstore

    place = {"driver": "zarr3", "kvstore": {"driver": "file", "path": str(target)}}
    return tensorstore.open(place, **how).result()


def to_tensorstore(source, target):
    x = tensorstore_of(target, create=True, dtype=source.dtype.name, shape=source.shape)
    for first, samples in source.blocks(x.chunk_layout.write_chunk.shape[0]):
        x[first : first + len(samples)] = samples


def of_tensorstore(target):
    x = tensorstore_of(target, open=True)
    return x.shape[0], lambda first, count: x[first : first + count].read().result()


def to_mds(source, target):
    from streaming import MDSWriter

    shape = ",".join(map(str, source.shape[1:]))
    with MDSWriter(out=str(target), columns={"x": f"ndarray:{source.dtype.name}:{shape}"}) as writer:
        for _, samples in source.blocks():
            for sample in samples:
                writer.write({"x": sample})


def of_mds(target):
    from streaming import LocalDataset

    data = LocalDataset(local=str(target))
    return len(data), lambda first, count: np.stack([data[first + i]["x"] for i in range(count)])


def to_litdata(source, target):
    import functools

    import litdata

    starts = range(0, len(source), max(1, BLOCK_BYTES // source.sample_bytes))
    litdata.optimize(
        fn=functools.partial(litdata_samples, source.path),
        inputs=list(starts),
        output_dir=str(target),
        chunk_bytes="64MB",
        num_workers=WORKERS,
    )


def litdata_samples(path, first):
    source = Source(path)
    count = min(max(1, BLOCK_BYTES // source.sample_bytes), len(source) - first)
    yield from source.read(first, count)


def of_litdata(target):
    import litdata

    data = litdata.StreamingDataset(str(target))
    return len(data), lambda first, count: np.stack([np.asarray(data[first + i]) for i in range(count)])


def to_lance(source, target):
    import lance
    import pyarrow as pa

    width = source.sample_bytes // source.dtype.itemsize
    schema = pa.schema([("x", pa.list_(pa.from_numpy_dtype(source.dtype), width))])

    def batches():
        for _, samples in source.blocks():
            values = pa.FixedSizeListArray.from_arrays(pa.array(samples.reshape(-1)), width)
            yield pa.record_batch([values], schema=schema)

    lance.write_dataset(pa.RecordBatchReader.from_batches(schema, batches()), str(target), schema=schema)


def of_lance(target):
    import lance

    data = lance.dataset(str(target))

    def read(first, count):
        return np.asarray(data.take(list(range(first, first + count)))["x"].combine_chunks().flatten())

    return data.count_rows(), read


def to_array_record(source, target):
    from array_record.python.array_record_module import ArrayRecordWriter

    writer = ArrayRecordWriter(str(target))
    for _, samples in source.blocks():
        for sample in samples:
            writer.write(sample.tobytes())
    writer.close()


def of_array_record(target):
    from array_record.python.array_record_module import ArrayRecordReader

    reader = ArrayRecordReader(str(target))

    def read(first, count):
        return np.frombuffer(b"".join(reader.read(first, first + count)), np.uint8)

    return reader.num_records(), read


def of_headrace(target):
    import programs

    folder = pathlib.Path(f"{target}.exported")
    programs.run(programs.HEADRACE, "export", target, "-o", folder, "--force")
    source = Source(next(folder.glob("*.npy")))
    return len(source), source.read


@dataclasses.dataclass(frozen=True)
class Writer:
    words: str
    how: str
    modules: tuple
    write: object  # (source, target); None: a program does
    read: object  # target -> (samples, read(first, count))
    resume: str
    ordered: bool = True  # the samples are those of the source in its order


WRITERS = {
    "headrace": Writer(
        "Headrace",
        "`headrace convert`",
        ("numpy",),
        None,
        of_headrace,
        "yes: `--resume`, from the last chunk on",
    ),
    "h5py": Writer("h5py", "contiguous, its default", ("h5py",), to_hdf5(), of_hdf5, "no"),
    "h5py_gzip": Writer(
        "h5py, gzip 4 + shuffle",
        'chunks of 256 KiB, `compression="gzip", shuffle=True`',
        ("h5py",),
        to_hdf5(compression="gzip", shuffle=True),
        of_hdf5,
        "no",
    ),
    "zarr": Writer(
        "zarr 3",
        "`create_array`: automatic chunks, zstd",
        ("zarr",),
        to_zarr,
        of_zarr,
        "by hand: nothing says how far it came",
    ),
    "tensorstore": Writer(
        "tensorstore",
        "driver `zarr3`, its default chunks and codecs",
        ("tensorstore",),
        to_tensorstore,
        of_tensorstore,
        "by hand: nothing says how far it came",
    ),
    "mds": Writer(
        "MosaicML MDSWriter",
        "`ndarray` columns, shards of 64 MiB, no compression",
        ("streaming",),
        to_mds,
        of_mds,
        "no",
    ),
    "litdata": Writer(
        "LitData",
        f'`optimize(..., chunk_bytes="64MB", num_workers={WORKERS})`: the samples in another order',
        ("litdata",),
        to_litdata,
        of_litdata,
        "yes: `use_checkpoint=True`, which is not the default",
        ordered=False,
    ),
    "lance": Writer(
        "Lance",
        "`write_dataset` of fixed-size lists",
        ("lance",),
        to_lance,
        of_lance,
        "no: by appending what is missing to commits",
    ),
    "array_record": Writer(
        "ArrayRecord", "`ArrayRecordWriter(path)`", ("array_record",), to_array_record, of_array_record, "no"
    ),
}


def write_command(name, source, target):
    """What prints the seconds that it took, as JSON in the last line."""
    if WRITERS[name].write is not None:
        return [sys.executable, __file__, name, "write", str(source), str(target)]
    import programs

    resume = ["--resume"] if os.path.exists(f"{target}.partial") else []
    return [str(programs.HEADRACE), "convert", str(source), "-o", str(target), "--json", "--quiet", *resume]


def in_order(source, count, read):
    """How many samples are not those of the source at their places."""
    wrong = 0
    for first, samples in source.blocks():
        samples = samples[: max(0, count - first)]
        if len(samples) == 0:
            break
        found = np.ascontiguousarray(read(first, len(samples))).view(np.uint8).reshape(len(samples), -1)
        wrong += int((found != samples.view(np.uint8).reshape(len(samples), -1)).any(axis=1).sum())
    return wrong


def in_any_order(source, count, read):
    """How many samples are none of the source's, or there more often."""
    left = collections.Counter(hash(sample.tobytes()) for _, samples in source.blocks() for sample in samples)
    left.subtract(hash(np.ascontiguousarray(read(i, 1)).tobytes()) for i in range(count))
    return -sum(times for times in left.values() if times < 0)


def check(writer, source, target):
    count, read = writer.read(target)
    return {"samples": count, "wrong": (in_order if writer.ordered else in_any_order)(source, count, read)}


def main(name, action, source_path, target):
    writer, source = WRITERS[name], Source(source_path)
    for module in writer.modules:
        __import__(module)
    if action == "check":
        print(json.dumps(check(writer, source, pathlib.Path(target))))
        return
    start = time.perf_counter()
    writer.write(source, pathlib.Path(target))
    print(json.dumps({"seconds": time.perf_counter() - start}))


if __name__ == "__main__":
    main(*sys.argv[1:])
