"""HDF5's types that are more than one number, its odd numbers, and the filters inside HDF5: read as h5py reads
them, whatever the layout and byte order."""
import h5py
import numpy as np
import pytest
from h5py import h5d, h5p, h5s, h5t

from hdf5_dump import TOOL, any_bits, assert_rows, list_sources, read_rows

pytestmark = pytest.mark.skipif(TOOL is None, reason="no tool_hdf5_dump")


@pytest.fixture
def out(tmp_path):
    return tmp_path / "rows"


def little(values):
    """The same values, little-endian; NaNs keep their bits."""
    values = np.ascontiguousarray(values)
    return values.byteswap().view(values.dtype.newbyteorder("<")) if values.dtype.byteorder == ">" else values


def names_of(path, member="-"):
    listed = list_sources(path, member)
    assert listed.ok, listed.message
    return [source["name"] for source in listed.answer]


# --- compounds --------------------------------------------------------------------------------------------------

RECORD = np.dtype([("id", ">i8"), ("pos", [("x", "<f4"), ("y", ">f4")]), ("image", "u1", (2, 3)),
                   ("hits", [("t", "<f8"), ("ok", "?")], (4,)), ("name", "S5"), ("z", "<c8"), ("raw", "V3")])
MEMBERS = ["id", "pos/x", "pos/y", "image", "hits/t", "hits/ok", "name", "z", "raw"]


def records(n=57):
    made = np.zeros(n, RECORD)
    for path in MEMBERS:
        part = made
        for name in path.split("/"):
            part = part[name]
        if part.dtype == bool:
            part[...] = any_bits("u1", part.shape) > 99
        elif part.dtype.kind == "S":
            part[...] = [b"n%d" % i for i in range(n)]
        else:
            part[...] = any_bits(part.dtype, part.shape)
    return made


LAYOUTS = {"contiguous": {}, "chunked": {"chunks": (10,), "compression": "gzip", "shuffle": True}}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_compound__each_member__is_a_field(tmp_path, out, layout):
    made = records()
    with h5py.File(tmp_path / "a.h5", "w") as f:
        f.create_dataset("g/rec", data=made, **LAYOUTS[layout])
    assert names_of(tmp_path / "a.h5") == [f"g/rec/{m}" for m in MEMBERS]
    assert names_of(tmp_path / "a.h5", "g/rec") == [f"rec/{m}" for m in MEMBERS]
    assert names_of(tmp_path / "a.h5", "g/rec/pos") == ["pos/x", "pos/y"]
    assert names_of(tmp_path / "a.h5", "g/rec/hits/ok") == ["ok"]
    for path in MEMBERS:
        part = made
        for name in path.split("/"):
            part = part[name]
        assert_rows(tmp_path / "a.h5", f"g/rec/{path}", out, little(part), step=13)


def test_compound__with_a_second_axis__members_have_it_too(tmp_path, out):
    made = np.zeros((11, 3), [("a", "<i2"), ("b", "<f4", (2,))])
    made["a"], made["b"] = any_bits("<i2", (11, 3)), any_bits("<f4", (11, 3, 2))
    with h5py.File(tmp_path / "a.h5", "w") as f:
        f["rec"] = made
    assert_rows(tmp_path / "a.h5", "rec/a", out, made["a"])
    assert_rows(tmp_path / "a.h5", "rec/b", out, made["b"])


def test_compound__names_with_slashes__are_found(tmp_path, out):
    made = np.zeros(5, [("a/b", "<i4"), ("a", [("c", "<i4"), ("d/e", "<i4")]), ("ab", "<i4")])
    made["a/b"], made["a"]["c"], made["a"]["d/e"], made["ab"] = (np.arange(5) + 10 * i for i in range(4))
    with h5py.File(tmp_path / "a.h5", "w") as f:
        f["rec"] = made
    assert names_of(tmp_path / "a.h5") == ["rec/a/b", "rec/a/c", "rec/a/d/e", "rec/ab"]
    for i, path in enumerate(["a/b", "a/c", "a/d/e", "ab"]):
        assert_rows(tmp_path / "a.h5", f"rec/{path}", out, np.arange(5, dtype="<i4") + 10 * i)


def test_compound__member_that_cannot_be_converted__is_named(tmp_path, out):
    dtype = np.dtype([("a", "<i4"), ("words", [("text", h5py.ref_dtype)])])
    with h5py.File(tmp_path / "a.h5", "w") as f:
        f.create_dataset("rec", (3,), dtype)
    refused = list_sources(tmp_path / "a.h5")
    assert refused.status == "HR_ERR_UNSUPPORTED" and "/rec: its member words/text: " in refused.message
    assert_rows(tmp_path / "a.h5", "rec/a", out, np.zeros(3, "<i4"))


@pytest.mark.parametrize("member", ["rec/no", "rec/a/b", "rec/p/", "rec/p/no", "x/a"])
def test_compound__no_such_member__says_so(tmp_path, member):
    with h5py.File(tmp_path / "a.h5", "w") as f:
        f["rec"] = np.zeros(3, [("a", "<i4"), ("p", [("x", "<i4")])])
        f["x"] = np.zeros(3)
    found = list_sources(tmp_path / "a.h5", member)
    assert found.ok if member == "rec/p/" else found.status == "HR_ERR_NOT_FOUND", found.message


# --- arrays, bits, opaque bytes, enumerations -------------------------------------------------------------------

def create(f, name, tid, values, plist=None):
    ds = h5d.create(f.id, name.encode(), tid, h5s.create_simple(values.shape[:1]), plist)
    ds.write(h5s.ALL, h5s.ALL, np.ascontiguousarray(values), mtype=tid)


def test_array__inside_the_elements__is_axes(tmp_path, out):
    x = any_bits(">f4", (9, 2, 3))
    with h5py.File(tmp_path / "a.h5", "w") as f:
        create(f, "x", h5t.array_create(h5t.IEEE_F32BE, (2, 3)), x)
    assert_rows(tmp_path / "a.h5", "x", out, little(x))


@pytest.mark.parametrize("bits,order", [(8, "L"), (16, "B"), (32, "L"), (64, "B")])
def test_bit_field__is_unsigned(tmp_path, out, bits, order):
    x = any_bits(f"<u{bits // 8}", (31,))
    tid = getattr(h5t, f"STD_B{bits}{order}E")
    with h5py.File(tmp_path / "a.h5", "w") as f:
        create(f, "x", tid, x.byteswap() if order == "B" else x)
    assert_rows(tmp_path / "a.h5", "x", out, x)


def test_opaque__is_bytes(tmp_path, out):
    x = any_bits("V7", (13,))
    times = np.array(["2026-01-01", "1969-12-31T23:59", "NaT"], "M8[us]")
    with h5py.File(tmp_path / "a.h5", "w") as f:
        f["x"] = x
        f["t"] = times.astype(h5py.opaque_dtype(times.dtype))
    assert_rows(tmp_path / "a.h5", "x", out, x)
    assert_rows(tmp_path / "a.h5", "t", out, times)
    listed = list_sources(tmp_path / "a.h5").answer
    assert [(s["dtype"], s["width"]) for s in listed] == [("fixed_bytes", 8), ("fixed_bytes", 7)]


@pytest.mark.parametrize("base", ["i1", "<u2", ">i4", ">u8"])
def test_enumeration__is_its_integers(tmp_path, out, base):
    x = (any_bits("u1", (40, 3)) % 5).astype(base)  # 3 and 4 have no name
    with h5py.File(tmp_path / "a.h5", "w") as f:
        f.create_dataset("x", data=x, dtype=h5py.enum_dtype({"A": 0, "B": 1, "C": 2}, base))
    assert_rows(tmp_path / "a.h5", "x", out, little(x))


# --- odd numbers ------------------------------------------------------------------------------------------------

def odd_integer(size, precision, offset, sign, order):
    t = (h5t.STD_I64LE if sign else h5t.STD_U64LE).copy()
    t.set_precision(precision)
    t.set_offset(offset)
    t.set_size(size)
    t.set_order(order)
    return t


@pytest.mark.parametrize("order", [h5t.ORDER_LE, h5t.ORDER_BE])
@pytest.mark.parametrize("size,precision,offset,dtype", [(4, 20, 3, "<i4"), (3, 24, 0, "<i4"), (1, 3, 2, "i1"),
                                                         (2, 11, 5, "<u2"), (5, 40, 0, "<u8"), (8, 63, 1, "<i8")])
def test_odd_integers__keep_their_values(tmp_path, out, size, precision, offset, dtype, order):
    signed = "i" in dtype
    least = -(1 << (precision - 1)) if signed else 0
    most = (1 << (precision - signed)) - 1
    x = np.array([least, most, 0, 1, most // 3], dtype)
    tid = odd_integer(size, precision, offset, signed, order)
    with h5py.File(tmp_path / "a.h5", "w") as f:
        ds = h5d.create(f.id, b"x", tid, h5s.create_simple(x.shape))
        ds.write(h5s.ALL, h5s.ALL, x)
    assert_rows(tmp_path / "a.h5", "x", out, x)


def odd_float(size, exponent, mantissa, bias):
    t = h5t.IEEE_F64LE.copy()
    t.set_fields(exponent + mantissa, mantissa, exponent, 0, mantissa)
    t.set_size(size)
    t.set_ebias(bias)
    return t


@pytest.mark.parametrize("size,exponent,mantissa,bias,dtype", [(3, 7, 16, 63, "<f4"), (4, 6, 20, 31, "<f4"),
                                                               (6, 11, 36, 1023, "<f8"), (4, 9, 22, 255, "<f8")])
def test_odd_floats__keep_their_values(tmp_path, out, size, exponent, mantissa, bias, dtype):
    x = np.array([0.0, -0.0, 1.0, -1.5, 3.25, 2.0**-20, np.inf, -np.inf, 1023.0], dtype)
    with h5py.File(tmp_path / "a.h5", "w") as f:
        ds = h5d.create(f.id, b"x", odd_float(size, exponent, mantissa, bias), h5s.create_simple(x.shape))
        ds.write(h5s.ALL, h5s.ALL, x)
    assert_rows(tmp_path / "a.h5", "x", out, x)


@pytest.mark.parametrize("tid,what", [(h5t.NATIVE_LDOUBLE, "neither float32 nor float64"),
                                      (odd_float(1, 4, 3, 7), "neither float32 nor float64"),
                                      (odd_integer(8, 64, 0, True, h5t.ORDER_LE), None)])
def test_odd_numbers__that_do_not_fit__are_refused(tmp_path, tid, what):
    tid = tid.copy()
    if what is None:
        tid.set_size(16)
        what = "integers of more than 8 bytes"
    with h5py.File(tmp_path / "a.h5", "w") as f:
        h5d.create(f.id, b"x", tid, h5s.create_simple((3,)))
    refused = list_sources(tmp_path / "a.h5")
    assert refused.status == "HR_ERR_UNSUPPORTED" and what in refused.message


# --- filters inside HDF5 ----------------------------------------------------------------------------------------

def with_filter(name):
    plist = h5p.create(h5p.DATASET_CREATE)
    plist.set_chunk((64, 8))
    if name == "szip":
        plist.set_szip(h5py.h5z.SZIP_NN_OPTION_MASK, 16)
    elif name == "fletcher32":
        plist.set_fletcher32()
    elif name == "scale-offset":
        plist.set_scaleoffset(h5py.h5z.SO_INT, 0)
    return plist


@pytest.mark.parametrize("dtype", ["u1", "<i2", ">i4", "<u8"])
@pytest.mark.parametrize("name", ["szip", "fletcher32", "scale-offset"])
def test_filters__inside_hdf5__are_read(tmp_path, out, name, dtype):
    x = np.cumsum(any_bits("u1", (200, 8)) % 5, axis=0).astype(dtype)
    with h5py.File(tmp_path / "a.h5", "w") as f:
        ds = h5d.create(f.id, b"x", h5t.py_create(x.dtype), h5s.create_simple(x.shape), with_filter(name))
        ds.write(h5s.ALL, h5s.ALL, x)
    assert_rows(tmp_path / "a.h5", "x", out, little(x))


def test_filters__scale_offset_of_floats__as_h5py_reads(tmp_path, out):
    x = np.linspace(-3, 40, 900, dtype="<f4").reshape(300, 3)
    with h5py.File(tmp_path / "a.h5", "w") as f:
        f.create_dataset("x", data=x, chunks=(50, 3), scaleoffset=3)
        expected = f["x"][...]
    assert_rows(tmp_path / "a.h5", "x", out, expected)


def test_filters__nbit__is_read(tmp_path, out):
    x = (any_bits("<i4", (300,)) >> 15).astype("<i4")
    plist = h5p.create(h5p.DATASET_CREATE)
    plist.set_chunk((64,))
    plist.set_filter(h5py.h5z.FILTER_NBIT)
    with h5py.File(tmp_path / "a.h5", "w") as f:
        ds = h5d.create(f.id, b"x", odd_integer(4, 17, 4, True, h5t.ORDER_BE), h5s.create_simple(x.shape), plist)
        ds.write(h5s.ALL, h5s.ALL, x)
    assert_rows(tmp_path / "a.h5", "x", out, x)


# --- what was never written -------------------------------------------------------------------------------------

def test_unwritten__chunks__are_the_fill_value(tmp_path, out):
    x = np.full((1000, 4), -7, "<i4")
    x[300:420] = any_bits("<i4", (120, 4))
    with h5py.File(tmp_path / "a.h5", "w") as f:
        ds = f.create_dataset("x", shape=x.shape, dtype="<i4", chunks=(100, 2), fillvalue=-7, compression="gzip")
        ds[300:420] = x[300:420]
    assert_rows(tmp_path / "a.h5", "x", out, x, step=77)


def test_unwritten__without_a_fill_value__is_zero(tmp_path, out):
    x = np.zeros((6000, 500), "<i4")
    x[:1000] = 5
    with h5py.File(tmp_path / "a.h5", "w") as f:
        ds = f.create_dataset("x", shape=x.shape, dtype="<i4", chunks=(100, 500), fill_time="never", fillvalue=9)
        ds[:1000] = 5
    assert_rows(tmp_path / "a.h5", "x", out, x, step=700)


def test_resizable__grown_and_shrunk__is_read(tmp_path, out):
    with h5py.File(tmp_path / "a.h5", "w") as f:
        ds = f.create_dataset("x", data=np.arange(90, dtype="<i8").reshape(30, 3), maxshape=(None, None),
                              chunks=(8, 2))
        ds.resize((50, 5))
        ds.resize((41, 4))
        expected = ds[...]
    assert_rows(tmp_path / "a.h5", "x", out, expected)
    result, _ = read_rows(tmp_path / "a.h5", "x", out)
    assert result.answer["granule"] == 8
