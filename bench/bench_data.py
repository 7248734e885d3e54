"""The data that script/bench measures with: rows of 512 float32 (2 KiB), normally distributed and rounded to
1/256 as a sensor's readings are, and an int64 label for each. Made from a seed, block by block, so that every
size begins with the same rows; kept for the next run."""

import collections
import concurrent.futures
import os
import pathlib

import numpy as np

ROW_FLOATS = 512
ROW_BYTES = ROW_FLOATS * 4
BLOCK_ROWS = 1 << 14
STEPS = np.float32(256)
NUM_CLASSES = 10
SEED = 20240229
HDF5_CHUNK_ROWS = 128


def make_block(number, rows):
    random = np.random.default_rng([SEED, number])
    values = random.standard_normal((rows, ROW_FLOATS), dtype=np.float32)
    np.rint(values * STEPS, out=values)
    values /= STEPS
    labels = random.integers(0, NUM_CLASSES, rows, dtype=np.int64)
    return values, labels


def write_npy_header(file, shape, dtype):
    np.lib.format.write_array_header_1_0(
        file, {"descr": np.lib.format.dtype_to_descr(np.dtype(dtype)), "fortran_order": False, "shape": shape}
    )


def write_blocks(paths, shapes, dtypes, rows, block_rows, make):
    """A .npy file for each path, with rows entries of its shape. make(start, count) gives the arrays of one block;
    two workers make blocks, at most four of which are in memory."""
    files = [open(path, "wb") for path in paths]
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        for file, shape, dtype in zip(files, shapes, dtypes):
            write_npy_header(file, (rows, *shape), dtype)
        pending = collections.deque()
        for start in range(0, rows, block_rows):
            pending.append(pool.submit(make, start, min(block_rows, rows - start)))
            if len(pending) > 3:
                write_block(pending.popleft(), files)
        while pending:
            write_block(pending.popleft(), files)
    for file in files:
        file.flush()
        os.fsync(file.fileno())
        file.close()


def write_block(made, files):
    for file, values in zip(files, made.result()):
        file.write(np.ascontiguousarray(values).data)


def write_rows(x_path, y_path, first_row, rows):
    write_blocks(
        (x_path, y_path),
        ((ROW_FLOATS,), ()),
        (np.float32, np.int64),
        rows,
        BLOCK_ROWS,
        lambda start, count: make_block((first_row + start) // BLOCK_ROWS, count),
    )


def make_part(folder, part, size_bytes):
    """folder/x_PART.npy and y_PART.npy of size_bytes of rows each."""
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    rows = size_bytes // ROW_BYTES
    x, y = folder / f"x_{part}.npy", folder / f"y_{part}.npy"
    if not y.exists() or not x.exists() or np.load(x, mmap_mode="r").shape[0] != rows:
        write_rows(x, y, part * rows, rows)
    return x, y


def write_hdf5(rows, path):
    """As one would with h5py: gzip at its default level 4, byte shuffle, chunks of 256 KiB."""
    import h5py

    with h5py.File(path, "w") as file:
        file.create_dataset(
            "x",
            data=rows,
            chunks=(HDF5_CHUNK_ROWS, ROW_FLOATS),
            compression="gzip",
            compression_opts=4,
            shuffle=True,
        )


def write_plain_hdf5(rows, path):
    """Chunked and not compressed: what h5repack is given."""
    import h5py

    with h5py.File(path, "w") as file:
        file.create_dataset("x", data=rows, chunks=(HDF5_CHUNK_ROWS, ROW_FLOATS))


def repeat_hdf5(source, path, size_bytes):
    """A large compressed file at once: the compressed chunks of a small one over and over."""
    import h5py

    rows = size_bytes // ROW_BYTES // HDF5_CHUNK_ROWS * HDF5_CHUNK_ROWS
    with h5py.File(source, "r") as small, h5py.File(path, "w") as large:
        x = large.create_dataset(
            "x",
            shape=(rows, ROW_FLOATS),
            dtype=small["x"].dtype,
            chunks=(HDF5_CHUNK_ROWS, ROW_FLOATS),
            compression="gzip",
            compression_opts=4,
            shuffle=True,
        )
        small_rows = small["x"].shape[0] // HDF5_CHUNK_ROWS * HDF5_CHUNK_ROWS
        for row in range(0, rows, HDF5_CHUNK_ROWS):
            mask, stored = small["x"].id.read_direct_chunk((row % small_rows, 0))
            x.id.write_direct_chunk((row, 0), stored, mask)
