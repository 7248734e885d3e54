"""What h5py reads from an HDF5 file, for test_hdf5_sources.py, which runs this in a process of its
own: the HDF5 library inside h5py may crash on damaged files."""
import hashlib
import json
import math

import h5py
import numpy as np
from h5py import h5d, h5s, h5t, h5z

LARGEST_BYTES = 64 << 20
LARGEST_SAMPLE_BYTES = 1 << 34


def float_is_ieee(tid):
    names = [h5t.IEEE_F16LE, h5t.IEEE_F16BE, h5t.IEEE_F32LE, h5t.IEEE_F32BE, h5t.IEEE_F64LE, h5t.IEEE_F64BE]
    return any(tid == name for name in names)


def type_refused(tid):
    kind = tid.get_class()
    if kind == h5t.INTEGER:
        size = tid.get_size()
        plain = tid.get_precision() == 8 * size and tid.get_offset() == 0 and size in (1, 2, 4, 8)
        return None if plain else "odd integer"
    if kind == h5t.FLOAT:
        return None if float_is_ieee(tid) else "odd float"
    if kind == h5t.STRING:
        return "variable string" if tid.is_variable_str() else None
    if kind == h5t.ENUM:
        names = {tid.get_member_name(i): tid.get_member_value(i) for i in range(tid.get_nmembers())}
        return None if names == {b"FALSE": 0, b"TRUE": 1} and tid.get_size() == 1 else "enum"
    if kind == h5t.COMPOUND:
        names = [tid.get_member_name(i) for i in range(tid.get_nmembers())]
        parts = [tid.get_member_type(i) for i in range(tid.get_nmembers())]
        same = names == [b"r", b"i"] and all(p.get_class() == h5t.FLOAT and float_is_ieee(p) for p in parts)
        if same and parts[0].get_size() == parts[1].get_size() and parts[0].get_size() in (4, 8):
            return None
        return "compound"
    return f"class {kind}"


def refused(ds):
    """Why Headrace refuses this data set, or None."""
    why = type_refused(ds.id.get_type())
    if why:
        return why
    if ds.id.get_space().get_simple_extent_type() != h5s.SIMPLE:
        return "no axis"
    sample_bytes = math.prod(ds.shape[1:]) * ds.dtype.itemsize
    if sample_bytes > LARGEST_SAMPLE_BYTES or sample_bytes * ds.shape[0] >= 1 << 63:
        return "too large"
    plist = ds.id.get_create_plist()
    if plist.get_layout() == h5d.VIRTUAL or plist.get_external_count() > 0:
        return "elsewhere"
    for i in range(plist.get_nfilters()):
        number = plist.get_filter(i)[0]
        if number not in (h5z.FILTER_DEFLATE, h5z.FILTER_SHUFFLE, h5z.FILTER_FLETCHER32, h5z.FILTER_NBIT,
                          h5z.FILTER_SCALEOFFSET, h5z.FILTER_SZIP):
            return f"filter {number}"
    return None


def canonical(ds):
    kind = ds.id.get_type().get_class()
    a = ds[...]
    if kind == h5t.ENUM:
        a = a.astype("u1")
    return np.ascontiguousarray(a.astype(a.dtype.newbyteorder("<"), copy=False)).tobytes()


def describe(ds):
    out = {"path": ds.name.lstrip("/"), "too_large": False}
    try:
        why = refused(ds)
        if why:
            return dict(out, kind="no", why=why)
        if ds.size * ds.dtype.itemsize > LARGEST_BYTES:
            return dict(out, kind="error", too_large=True, why="too large to compare")
        data = canonical(ds)
        return dict(out, kind="yes", sha256=hashlib.sha256(data).hexdigest())
    except Exception as e:
        return dict(out, kind="error", why=str(e)[:200])


def describe_file(path):
    """For each data set {"path", "too_large", "kind": "yes" | "no" | "error", "why", "sha256"}: "yes"
    means that Headrace promises to read it, sha256 is that of its canonical bytes."""
    found = []
    with h5py.File(path, "r") as f:

        def visit(_, thing):
            if isinstance(thing, h5py.Dataset):
                found.append(describe(thing))

        f.visititems(visit)
    return found


def write(path, out):
    """describe_file() as JSON into the file `out`."""
    answer = json.dumps(describe_file(path))
    with open(out, "w") as f:
        f.write(answer)
