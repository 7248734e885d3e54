"""What h5py reads from an HDF5 file, for test_hdf5_sources.py and test_hdf5_files.py, which run this in a
process of its own: the HDF5 library inside h5py may crash on damaged files."""
import hashlib
import json
import math

import h5py
import numpy as np
from h5py import h5d, h5s, h5t, h5z

try:
    import hdf5plugin  # makes filters known to h5py
except ImportError:
    hdf5plugin = None

LARGEST_BYTES = 64 << 20
LARGEST_SAMPLE_BYTES = 1 << 34
FILTERS = {h5z.FILTER_DEFLATE, h5z.FILTER_SHUFFLE, h5z.FILTER_FLETCHER32, h5z.FILTER_NBIT, h5z.FILTER_SCALEOFFSET,
           h5z.FILTER_SZIP, 32000, 32001, 32004, 32008, 32015}


def float_dtype(tid):
    """The smallest of float16, bfloat16 (as uint16), float32, float64 that holds every number, or None."""
    if any(tid == name for name in (h5t.IEEE_F16LE, h5t.IEEE_F16BE)):
        return "f2"
    _, _, exponent, _, mantissa = tid.get_fields()
    bias = tid.get_ebias()
    if tid.get_size() < 2 or exponent < 2 or tid.get_norm() != h5t.NORM_IMPLIED:
        return None
    if (tid.get_size(), exponent, mantissa, bias) == (2, 8, 7, 127):
        return "bfloat16"
    for name, bits, most, largest in (("f4", 8, 23, 127), ("f8", 11, 52, 1023)):
        if exponent <= bits and mantissa <= most and bias <= largest and 2**exponent - 2 - bias <= largest:
            return name
    return None


def integer_dtype(tid, sign):
    size = tid.get_size()
    return None if size > 8 else sign + str(next(n for n in (1, 2, 4, 8) if n >= size))


def is_complex(tid):
    if tid.get_class() != h5t.COMPOUND or tid.get_nmembers() != 2:
        return False
    parts = [tid.get_member_type(i) for i in range(2)]
    if [tid.get_member_name(i) for i in range(2)] != [b"r", b"i"]:
        return False
    if any(p.get_class() != h5t.FLOAT for p in parts):
        return False
    kinds = {float_dtype(p) for p in parts}
    return len(kinds) == 1 and kinds <= {"f4", "f8"}


def is_bool(tid):
    names = {tid.get_member_name(i): tid.get_member_value(i) for i in range(tid.get_nmembers())}
    return names == {b"FALSE": 0, b"TRUE": 1} and tid.get_size() == 1


def leaves(tid, path=()):
    """(names of members, type of one value) for each value of an element."""
    kind = tid.get_class()
    if kind == h5t.ARRAY:
        yield from leaves(tid.get_super(), path)
    elif kind == h5t.COMPOUND and not is_complex(tid):
        for i in range(tid.get_nmembers()):
            name = tid.get_member_name(i).decode("utf-8", "surrogateescape")
            yield from leaves(tid.get_member_type(i), (*path, name))
    else:
        yield path, tid


def dtype_of(tid):
    """The NumPy dtype in which the values arrive, or None: refused."""
    kind = tid.get_class()
    if kind in (h5t.INTEGER, h5t.BITFIELD):
        signed = kind == h5t.INTEGER and tid.get_sign() == h5t.SGN_2
        return integer_dtype(tid, "i" if signed else "u")
    if kind == h5t.FLOAT:
        return float_dtype(tid)
    if kind == h5t.STRING:
        return None if tid.is_variable_str() else f"S{tid.get_size()}"
    if kind == h5t.ENUM:
        if is_bool(tid):
            return "u1"
        return dtype_of(tid.get_super())
    if kind == h5t.OPAQUE:
        return f"V{tid.get_size()}"
    if kind == h5t.COMPOUND:
        return {"f4": "c8", "f8": "c16"}[float_dtype(tid.get_member_type(0))]
    return None


def refused(ds, tid):
    """Why Headrace refuses these values, or None."""
    if dtype_of(tid) is None:
        return f"class {tid.get_class()}"
    if ds.id.get_space().get_simple_extent_type() != h5s.SIMPLE:
        return "no axis"
    sample_bytes = math.prod(ds.shape[1:]) * ds.dtype.itemsize
    if sample_bytes > LARGEST_SAMPLE_BYTES or sample_bytes * ds.shape[0] >= 1 << 63:
        return "too large"
    plist = ds.id.get_create_plist()
    for i in range(plist.get_nfilters()):
        number = plist.get_filter(i)[0]
        if number not in FILTERS:
            return f"filter {number}"
    return None


def canonical(values, path, tid):
    for name in path:
        values = values[name]
    dtype = dtype_of(tid)
    if dtype == "bfloat16":
        raise ValueError("NumPy has no bfloat16")
    if values.dtype.kind in "VS":
        return np.ascontiguousarray(values).tobytes()
    return np.ascontiguousarray(values.astype("<" + dtype)).tobytes()


def is_variable(tid):
    """Strings, or sequences of numbers, of different lengths."""
    if tid.get_class() == h5t.STRING:
        return tid.is_variable_str()
    if tid.get_class() != h5t.VLEN:
        return False
    element = tid.get_super()
    return element.get_class() in (h5t.INTEGER, h5t.FLOAT, h5t.ENUM) and dtype_of(element) not in (None, "bfloat16")


def variable_bytes(value, tid):
    if tid.get_class() == h5t.STRING:
        return value if isinstance(value, bytes) else value.encode("utf-8", "surrogateescape")
    element = tid.get_super()
    element = element.get_super() if element.get_class() == h5t.ENUM else element
    if element.get_order() == h5t.ORDER_BE:  # of which h5py swaps no bytes in sequences
        value = value.byteswap()
    return value.astype("<" + dtype_of(tid.get_super())).tobytes()


def variable_digest(values):
    """Of lists of bytes: of each its length, then itself."""
    digest = hashlib.sha256()
    for value in values:
        digest.update(len(value).to_bytes(8, "little") + value)
    return digest.hexdigest()


def describe_variable(ds, path, tid):
    out = {"path": "/".join((ds.name.lstrip("/"), *path)), "too_large": False}
    try:
        if ds.ndim != 1:
            return dict(out, kind="no", why="several axes of values of variable length")
        values = ds[...]
        for name in path:
            values = values[name]
        return dict(out, kind="yes", sha256=variable_digest(variable_bytes(v, tid) for v in values))
    except Exception as e:
        return dict(out, kind="error", why=str(e)[:200])


def describe(ds, path, tid):
    if is_variable(tid):
        return describe_variable(ds, path, tid)
    out = {"path": "/".join((ds.name.lstrip("/"), *path)), "too_large": False}
    try:
        why = refused(ds, tid)
        if why:
            return dict(out, kind="no", why=why)
        if ds.size * ds.dtype.itemsize > LARGEST_BYTES:
            return dict(out, kind="error", too_large=True, why="too large to compare")
        plist = ds.id.get_create_plist()
        elsewhere = plist.get_layout() == h5d.VIRTUAL or plist.get_external_count() > 0
        data = canonical(ds[...], path, tid)
        return dict(out, kind="parts" if elsewhere else "yes", sha256=hashlib.sha256(data).hexdigest())
    except Exception as e:
        return dict(out, kind="error", why=str(e)[:200])


def describe_file(path):
    """For each value of each data set {"path", "too_large", "kind": "yes" | "parts" | "no" | "error", "why",
    "sha256"}: "yes" means that Headrace promises to read it, "parts" that it does where all parts are there; sha256
    is that of its canonical bytes."""
    found = []
    with h5py.File(path, "r") as f:

        def visit(_, thing):
            if isinstance(thing, h5py.Dataset):
                found.extend(describe(thing, *leaf) for leaf in leaves(thing.id.get_type()))

        f.visititems(visit)
    return found


def write(path, out):
    """describe_file() as JSON into the file `out`."""
    answer = json.dumps(describe_file(path))
    with open(out, "w") as f:
        f.write(answer)
