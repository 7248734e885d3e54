"""Makes the golden files: a second writer, tiny, written from docs/format.md alone.

    python tests/golden/make_golden.py [NAME ...]

writes NAME.hrd (or, where it is little but zeros, NAME.spans.json) and expected.json beside itself. UUIDs and job
ids are fixed, but zstd frames depend on the version of the library, so the files are committed and never made again
in CI; new ones are added, old ones stay.
"""

import hashlib
import json
import math
import re
import struct
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import xxhash
import zstandard

HERE = Path(__file__).parent
PAGE = 4096
MIB = 1 << 20
DATA = 131072
DTYPE_NUMBERS = {name: i + 1 for i, name in enumerate(
    "bool int8 int16 int32 int64 uint8 uint16 uint32 uint64 float16 bfloat16 float32 float64 complex64 complex128 "
    "fixed_bytes fixed_utf8 bytes utf8".split())}


def hash64(data):
    return xxhash.xxh3_64_intdigest(data)


def up(data, unit=PAGE):
    return data + bytes(-len(data) % unit)


def sealed(data):
    return data + struct.pack("<Q", hash64(data))


# ---------------------------------------------------------------- filters, section 6.3

FILTERS = ("none", "byte-shuffle", "bit-shuffle", "delta", "delta+byte-shuffle", "delta+bit-shuffle")
UNFILTERED = ("none", 0, 0)


def filtered(data, name, element_bytes, distance_bytes):
    parts = name.split("+")
    if "delta" in parts:
        x, d = np.frombuffer(data, f"<u{element_bytes}"), distance_bytes // element_bytes
        data = np.concatenate([x[:d], x[d:] - x[:-d]]).tobytes() if d < x.size else data
    if "byte-shuffle" in parts:
        data = np.frombuffer(data, np.uint8).reshape(-1, element_bytes).T.tobytes()
    if "bit-shuffle" in parts:
        x = np.frombuffer(data, np.uint8).reshape(-1, element_bytes)
        whole = len(x) - len(x) % 8
        bits = np.unpackbits(x[:whole], axis=1, bitorder="little")
        data = np.packbits(bits.T, axis=1, bitorder="little").tobytes() + x[whole:].tobytes()
    return data


@dataclass
class Column:
    """A field and all its samples: an array, or for a variable-length field a list of bytes."""
    name: str
    dtype: str
    data: object
    width: int = 0
    attributes: dict | None = None
    element_bytes: int = 0  # of the filter
    frame_samples: int = 0
    statistics: dict | None = None
    filter: str = ""  # byte-shuffle where there are element_bytes
    distance_bytes: int = 0
    element_dtype: str = ""  # of a sequence
    lengths: dict | None = None

    @property
    def how(self):
        """(filter, element bytes, distance bytes)"""
        name = self.filter or ("byte-shuffle" if self.element_bytes else "none")
        return name, self.element_bytes, self.distance_bytes

    @property
    def variable(self):
        return self.dtype in ("bytes", "utf8")

    @property
    def shape(self):
        return () if self.variable else self.data.shape[1:]

    @property
    def elem(self):
        return 0 if self.variable else self.width or (0 if self.dtype.startswith("fixed") else self.data.itemsize)

    @property
    def sample_bytes(self):
        return self.elem * math.prod(self.shape)

    def rows(self, a, b):
        return self.data[a:b].tobytes() if self.sample_bytes else b""

    def canonical(self):
        """What expected.json has the hash of; for variable-length fields each value behind its 8-byte length."""
        if self.variable:
            return b"".join(struct.pack("<Q", len(v)) + v for v in self.data)
        return self.rows(0, len(self.data))


class Writer:
    """Puts one file together in memory."""

    def __init__(self, name, columns, s, codec="raw", **options):
        self.columns, self.s, self.codec = columns, s, codec
        self.uuid = hashlib.md5(f"uuid of {name}".encode()).digest()
        self.job_id = hashlib.md5(f"job 1 of {name}".encode()).digest()
        self.attributes = options.get("attributes", {})
        self.job_options = options.get("job_options", {})
        self.out = bytearray(DATA)
        self.entries, self.segments, self.dead, self.sequence = [], [], 0, 1

    # sections 2.4 and 7.2

    def layout(self):
        text = struct.pack("<II", len(self.columns), self.s)
        for c in self.columns:
            name = c.name.encode()
            text += struct.pack("<H", len(name)) + name
            text += struct.pack("<BBI", DTYPE_NUMBERS[c.dtype], len(c.shape), c.elem)
            text += struct.pack(f"<{len(c.shape)}Q", *c.shape)
        return hash64(text)

    def fields(self, with_statistics):
        result = []
        for c in self.columns:
            f = {"name": c.name, "dtype": c.dtype, "shape": list(c.shape)}
            if c.dtype.startswith("fixed"):
                f["width"] = c.width
            if c.attributes:
                f["attributes"] = c.attributes
            f["storage"] = {"codec": self.codec, "filter": c.how[0]}
            if c.element_bytes:
                f["storage"]["element_bytes"] = c.element_bytes
            if c.distance_bytes:
                f["storage"]["distance_bytes"] = c.distance_bytes
            if with_statistics and c.statistics:
                f["statistics"] = c.statistics
            if c.element_dtype:
                f["element_dtype"] = c.element_dtype
            if with_statistics and c.lengths:
                f["lengths"] = c.lengths
            result.append(f)
        return result

    def features(self):
        names = ["zstd"] if self.codec == "zstd" else []
        filters = [part for c in self.columns for part in c.how[0].split("+")]
        names += sorted(set(filters) - {"none"})
        names += ["varlen"] if any(c.variable for c in self.columns) else []
        return "".join(name + "\n" for name in sorted(names)).encode()

    # section 5

    def job_record(self, append=False):
        """The record at 4,096, or at the end of the file for an append."""
        job = {"fields": self.fields(False), "options": self.job_options, "sources": [],
               "attributes": self.attributes, "provenance": {"program": "make_golden.py"}}
        text = json.dumps(job).encode()
        record = len(self.out) if append else PAGE
        inside = append or 96 + len(text) <= 61440
        offset = record + 96 if inside else DATA
        head = sealed(struct.pack("<8sII16s16s5Q", b"HRDJOB\r\n", 1, self.s, self.uuid, self.job_id, self.sequence,
                                  self.layout(), offset, len(text), hash64(text)))
        if append:
            self.out += up(head + text)
            self.dead += len(up(head + text))
        else:
            self.out[record:record + 96] = head
            if inside:
                self.out[offset:offset + len(text)] = text
            else:
                self.out += up(text)

    # section 6

    def frame(self, data, how):
        stored, parameters = data, (0, 0, 0, 0)
        if self.codec == "zstd":
            packed = zstandard.ZstdCompressor(level=1).compress(filtered(data, *how))
            if len(packed) < len(data):
                stored, parameters = packed, (1, FILTERS.index(how[0]), *how[1:])
        return struct.pack("<IIQBBBxI", len(stored), len(data), hash64(stored), *parameters), stored

    def fixed_pieces(self, data, b, frame_samples):
        step = min(b, MIB) if b > MIB else b * (frame_samples or max(1, 65536 // max(b, 1)))
        if b <= MIB:
            return [data[i:i + step] for i in range(0, len(data), step)] if b else []
        return [data[i + j:i + min(j + MIB, b)] for i in range(0, len(data), b) for j in range(0, b, MIB)]

    def value_pieces(self, values):
        pieces, current = [], b""
        for v in values:
            if len(v) > MIB or len(current) + len(v) > 65536:
                pieces += [current] if current else []
                current = b""
            if len(v) > MIB:
                pieces += [v[i:i + MIB] for i in range(0, len(v), MIB)]
            else:
                current += v
        return pieces + ([current] if current else [])

    def blocks(self, a, b):
        """(field, part, pieces, filter) in the order of section 6.2."""
        fixed = sorted((i for i, c in enumerate(self.columns) if not c.variable),
                       key=lambda i: self.columns[i].sample_bytes)
        result = []
        for i in fixed:
            c = self.columns[i]
            pieces = self.fixed_pieces(c.rows(a, b), c.sample_bytes, c.frame_samples)
            result.append((i, 0, pieces, c.how))
        for i, c in enumerate(self.columns):
            if c.variable:
                ends = np.cumsum([len(v) for v in c.data[a:b]]).astype("<u8").tobytes()
                ends_how = ("delta+byte-shuffle", 8, 8) if c.element_dtype else UNFILTERED
                result.append((i, 1, self.fixed_pieces(ends, 8, 0), ends_how))
                result.append((i, 0, self.value_pieces(c.data[a:b]), c.how))
        return result

    def chunk(self, number, a, b):
        """Appends chunk `number` with samples a to b - 1 and returns its index entry."""
        blocks = self.blocks(a, b)
        num_frames = sum(len(pieces) for _, _, pieces, _ in blocks)
        header_bytes = 104 + 24 * len(blocks) + 24 * num_frames
        block_table, frame_table, body = b"", b"", b""
        for field, part, pieces, how in blocks:
            block_table += struct.pack("<IIIIQ", field, part, len(pieces), 0, header_bytes + len(body))
            for piece in pieces:
                entry, stored = self.frame(piece, how)
                frame_table += entry
                body += stored
        total = header_bytes + len(body)
        header = struct.pack("<8sII16s16s4QII8x", b"HRDCHNK\n", header_bytes, b - a, self.uuid, self.job_id,
                             self.sequence, self.layout(), number, total, len(blocks), num_frames)
        entry = len(self.out) // PAGE | len(up(bytes(total))) // PAGE << 40
        self.out += up(sealed(header + block_table + frame_table) + body)
        return entry

    def add(self, a, b):
        """Samples a to b - 1 as further chunks, which the caller puts into a segment."""
        n = len(self.entries)
        for first in range(a, b, self.s):
            self.entries.append(self.chunk(len(self.entries), first, min(first + self.s, b)))
        return n, len(self.entries) - n, b - a

    # sections 7 and 3

    def footer(self):
        """Appends index pages and footer; returns the superblock."""
        tables = b"".join(struct.pack("<3Q", *segment) for segment in self.segments)
        for p in range(0, len(self.entries), 8192):
            entries = self.entries[p:p + 8192]
            page = up(struct.pack(f"<{len(entries)}Q", *entries))
            tables += struct.pack("<QQ", len(self.out), hash64(page))
            self.out += page
        schema = {"format": "headrace/1", "fields": self.fields(True), "attributes": self.attributes,
                  "provenance": {"program": "make_golden.py", "sources": []}}
        text = json.dumps(schema).encode()
        samples = sum(segment[2] for segment in self.segments)
        largest = max((entry >> 40 for entry in self.entries), default=0)
        footer = struct.pack("<8sII16s7QI36x", b"HRDFOOT\n", 128, self.s, self.uuid, self.sequence, samples,
                             len(self.entries), self.layout(), len(self.segments), len(text), self.dead, largest)
        footer += up(text, 8) + tables
        offset = len(self.out)
        self.out += up(footer)
        features = self.features()
        return sealed(struct.pack("<8sII16s5QHH52x", b"\x89HRD\r\n\x1a\n", 1, PAGE, self.uuid, self.sequence, offset,
                                  len(footer), hash64(footer), len(self.out), len(features), 0)
                      + features.ljust(3960, b"\0"))

    def commit(self):
        slot = self.footer()
        self.out[0:PAGE] = slot
        self.out[65536:65536 + PAGE] = slot
        return slot


def write_once(name, columns, s, cuts=None, **options):
    """A new file; `cuts` are the sample ranges of its segments."""
    w = Writer(name, columns, s, **options)
    w.job_record()
    for a, b in cuts or [(0, len(columns[0].data))]:
        if b > a:
            w.segments.append(w.add(a, b))
    w.commit()
    return w


# ---------------------------------------------------------------- section 7.3


def statistics(c):
    """By the definitions, over all elements at once; merging chunk by chunk differs in the last bits."""
    x = c.data
    parts = [x.real, x.imag] if np.iscomplexobj(x) else [x]
    if c.dtype == "bfloat16":
        parts = [(x.astype("<u4") << 16).view("<f4")]
    floating = parts[0].dtype.kind == "f"
    nan = np.any([np.isnan(p) for p in parts], axis=0) if floating else np.zeros(x.shape, bool)
    inf = np.any([np.isinf(p) for p in parts], axis=0) & ~nan if floating else np.zeros(x.shape, bool)
    zero = np.all([p == 0 for p in parts], axis=0)
    s = {"values": x.size, "zeros": int(zero.sum()), "nan": int(nan.sum()), "inf": int(inf.sum()),
         "finite": int((~nan & ~inf).sum()), "first_nan": first_sample(nan), "first_inf": first_sample(inf)}
    finite = parts[0][~nan & ~inf]
    if len(parts) == 1 and finite.size:
        number = float if floating else json_integer
        mean = finite.astype(float).mean()
        s.update(min=number(finite.min()), max=number(finite.max()))
        s.update(mean=float(mean), m2=float(((finite.astype(float) - mean) ** 2).sum()))
    if x.ndim == 1 and x.dtype.kind in "biu" and c.dtype != "bfloat16":
        s["labels"] = labels(x)
    return s


def lengths(c):
    n = np.array([len(value) for value in c.data], float)
    return {"values": len(n), "empty": int((n == 0).sum()), "total_bytes": int(n.sum()), "min": int(n.min()),
            "max": int(n.max()), "mean": float(n.mean()), "m2": float(((n - n.mean()) ** 2).sum())}


def first_sample(mask):
    return int(np.argwhere(mask)[0][0]) if mask.any() else None


def json_integer(value):
    return int(value) if abs(int(value)) <= 1 << 53 else str(int(value))


def labels(x):
    runs = []
    for v in map(int, x):
        if runs and runs[-1][0] == v:
            runs[-1][1] += 1
        else:
            runs.append([v, 1])
    distinct, ranges = sorted({v for v, _ in runs}), []
    for v in distinct:
        if ranges and ranges[-1][1] == v - 1:
            ranges[-1][1] = v
        else:
            ranges.append([v, v])
    first, last = ([json_integer(v), n] for v, n in (runs[0], runs[-1]))
    return {"runs": len(runs), "longest_run": max(n for _, n in runs), "first_run": first, "last_run": last,
            "distinct": len(distinct), "overflow": False,
            "ranges": [[json_integer(a), json_integer(b)] for a, b in ranges]}


# ---------------------------------------------------------------- the files


def mixed_columns(n=11):
    """Every fixed dtype; ramps, so that zstd has something to do, with the edges of each type."""
    rng = np.random.default_rng(7)
    columns = [Column("label", "int64", np.sort(np.arange(n) % 3).astype("<i8")),
               Column("image", "float32", (np.arange(n * 589) % 97 / 8).astype("<f4").reshape(n, 19, 31),
                      element_bytes=4, frame_samples=2,
                      attributes={"unit": "cd/m\u00b2", "nested": {"list": [1, "two", None]}})]
    for name in ("int8", "int16", "int32", "uint8", "uint16", "uint32", "uint64"):
        x = np.arange(n * 4).astype("<" + np.dtype(name).str[1:]).reshape(n, 4)
        x[1, 0], x[1, 1] = np.iinfo(x.dtype).min, np.iinfo(x.dtype).max
        columns.append(Column(name, name, x, element_bytes=x.itemsize if x.itemsize > 1 else 0))
    for name in ("float16", "float64"):
        x = rng.standard_normal((n, 3)).astype("<" + np.dtype(name).str[1:])
        x[2] = [np.nan, -0.0, np.inf]
        columns.append(Column(name, name, x))
    payload = np.full((n, 2), 0x3F80, "<u2")
    payload[3] = [0x7FC1, 0xFF80]  # a NaN with a payload, -Inf
    columns.append(Column("bfloat16", "bfloat16", payload, element_bytes=2))
    z = (np.arange(n * 2) - 1j).reshape(n, 2)
    z[4, 0] = complex(np.inf, np.nan)
    columns += [Column("complex64", "complex64", z.astype("<c8"), element_bytes=8),
                Column("complex128", "complex128", z.astype("<c16"), element_bytes=16),
                Column("flag", "bool", np.arange(n) % 2 == 0)]
    for c in columns:
        c.statistics = statistics(c)
    return columns


def raw_scalar():
    return write_once("raw_scalar", [Column("x", "uint8", np.array([[1, 2], [3, 4], [5, 6]], "u1"))], 65536)


def mixed():
    attributes = {"title": "mixed", "big": "9007199254740993"}
    return write_once("mixed", mixed_columns(), 4, codec="zstd", attributes=attributes)


def empty():
    columns = [Column("x", "float32", np.zeros((0, 3), "<f4")), Column("y", "int64", np.zeros(0, "<i8"))]
    return write_once("empty", columns, 100)


def zero_bytes():
    return write_once("zero_bytes", [Column("nothing", "float32", np.zeros((5, 0, 7), "<f4")),
                                     Column("none", "fixed_bytes", np.zeros((5, 2), "S1"), width=0)], 3)


def large_sample():
    """Samples of 2 MiB + 300,000 bytes: two whole pieces and a shorter one; and one of exactly 2 MiB."""
    x = (np.arange(2)[:, None] * 11 + np.arange(2 * MIB + 300_000) // 4096).astype("u1")
    y = (np.arange(2)[:, None] * 5 + np.arange(MIB) // 4096).astype("<u2")
    columns = [Column("x", "uint8", x), Column("y", "uint16", y, element_bytes=2)]
    return write_once("large_sample", columns, 2, codec="zstd")


def text():
    words = ["", "a", "straße", "日本語", "naïve", "🙂🙂"]
    fixed = np.array([w.encode() for w in words], "S12").reshape(6)
    tags = np.array([[b"ab", b"\0c"], [b"", b"xyz"]] * 3, "S3")
    word = Column("word", "fixed_utf8", fixed, width=12, attributes={"headrace:numpy_dtype": "<U12"})
    return write_once("text", [word, Column("tag", "fixed_bytes", tags, width=3)], 4)


def two_segments():
    """As made by join: segments of 5 and 4 samples, each with a short last chunk."""
    x = np.arange(9 * 3).astype("<i4").reshape(9, 3)
    return write_once("two_segments", [Column("x", "int32", x)], 3, cuts=[(0, 5), (5, 9)])


def appended():
    """5 samples, then 6 more: chunk 1 was short and is written anew."""
    columns = [Column("x", "int32", np.arange(11 * 3).astype("<i4").reshape(11, 3)),
               Column("y", "uint8", (np.arange(11) % 2).astype("u1"))]
    w = Writer("appended", columns, 3)
    w.job_record()
    w.segments = [w.add(0, 5)]
    w.commit()
    last_chunk = w.entries.pop() & ((1 << 40) - 1)
    w.dead = len(w.out) - last_chunk * PAGE  # the short chunk, the index page and the footer follow each other
    w.sequence, w.job_id = 2, hashlib.md5(b"job 2 of appended").digest()
    w.job_record(append=True)
    w.add(3, 11)
    w.segments = [(0, len(w.entries), 11)]
    w.commit()
    return w


def varlen():
    """Empty values, chunks without any bytes, a value larger than 1 MiB."""
    rng = np.random.default_rng(3)
    blobs = [bytes(rng.integers(0, 4, int(n), "u1")) for n in (10, 0, 3)]
    blobs += [b"ab" * 600_000, b"", b"end", b"", b"", b""]
    words = [w.encode() for w in "zero one  drei četyři 五 six seven".split(" ")] + [b""]
    columns = [Column("blob", "bytes", blobs), Column("word", "utf8", words),
               Column("id", "int32", np.arange(9).astype("<i4"), element_bytes=4)]
    return write_once("varlen", columns, 3, codec="zstd")


def sequences():
    """Sequences of numbers, filtered by the size of their elements, with statistics of lengths."""
    rng = np.random.default_rng(7)
    sizes = [0, 5, 300, 1, 0, 40, 2, 20_000, 7, 3]
    tokens = [rng.integers(0, 500, n).astype("<i4").tobytes() for n in sizes]
    waves = [np.cumsum(rng.normal(size=n)).astype("<f2").tobytes() for n in reversed(sizes)]
    columns = [Column("tokens", "bytes", tokens, element_bytes=4, element_dtype="int32"),
               Column("label", "int16", np.arange(10).astype("<i2")),
               Column("wave", "bytes", waves, element_bytes=2, distance_bytes=2, filter="delta+byte-shuffle",
                      element_dtype="float16")]
    for c in columns:
        if c.variable:
            c.lengths = lengths(c)
    return write_once("sequences", columns, 4, codec="zstd")


def big_job():
    x = Column("x", "int16", np.arange(4).astype("<i2"))
    return write_once("big_job", [x], 3, job_options={"note": "long " * 12_400})


def filter_columns(n=37):
    """Every filter with every element size; blocks of several frames, and frames whose elements are no multiple of
    eight; a distance longer than a frame."""
    walk = np.cumsum(np.random.default_rng(11).integers(-2, 3, (n, 25, 3)), axis=1)
    picture = (np.arange(n)[:, None, None, None] + 3 * np.arange(9)[:, None, None] + 2 * np.arange(7)[:, None]
               + [0, 90, 200]).astype("u1")
    ids = 10**12 + np.cumsum(np.arange(n) % 7)

    def column(name, dtype, data, how, element_bytes, distance_bytes=0, frame_samples=0):
        return Column(name, dtype, data, element_bytes=element_bytes, filter=how, distance_bytes=distance_bytes,
                      frame_samples=frame_samples)

    return [column("rows", "uint8", picture, "delta", 1, 21, 5),
            column("pixels", "uint8", picture, "delta", 1, 3),
            column("far", "uint8", picture, "delta", 1, MIB),
            column("bits", "uint8", picture, "delta+bit-shuffle", 1, 21),
            column("mask", "bool", picture[:, 0, :, 0] % 16 < 8, "bit-shuffle", 1),
            column("walk16", "int16", walk.astype("<i2"), "delta+byte-shuffle", 2, 6, 3),
            column("step16", "int16", walk.astype("<i2"), "delta", 2, 2),
            column("bits16", "int16", walk.astype("<i2"), "delta+bit-shuffle", 2, 150),
            column("half", "float16", (walk / 8).astype("<f2"), "bit-shuffle", 2),
            column("walk32", "float32", (walk / 8).astype("<f4"), "delta+bit-shuffle", 4, 12, 3),
            column("bits32", "float32", (walk / 8).astype("<f4"), "bit-shuffle", 4),
            column("step32", "uint32", walk.astype("<u4"), "delta", 4, 12),
            column("bytes32", "uint32", walk.astype("<u4"), "delta+byte-shuffle", 4, 4),
            column("id", "int64", ids.astype("<i8"), "delta+byte-shuffle", 8, 8),
            column("time", "uint64", ids.astype("<u8"), "delta", 8, 8),
            column("value", "float64", (ids / 1000).astype("<f8"), "delta+bit-shuffle", 8, 8),
            column("bits64", "float64", (ids % 5 / 4).astype("<f8"), "bit-shuffle", 8),
            column("z", "complex128", (walk[:, :2, 0] - 1j).astype("<c16"), "delta+byte-shuffle", 8, 16)]


def filters():
    return write_once("filters", filter_columns(), 16, codec="zstd")


def filters_large():
    """Samples of more than 1 MiB: a delta begins anew in each piece."""
    x = (np.arange(2)[:, None] * 11 + np.arange(MIB + 70_001) // 512).astype("u1")
    y = (np.arange(2)[:, None] * 5 + np.arange(MIB // 2 + 1003) // 3).astype("<i2")
    columns = [Column("x", "uint8", x, element_bytes=1, filter="delta", distance_bytes=700),
               Column("y", "int16", y, element_bytes=2, filter="delta+bit-shuffle", distance_bytes=2)]
    return write_once("filters_large", columns, 2, codec="zstd")


FILES = [raw_scalar, mixed, empty, zero_bytes, large_sample, text, two_segments, appended, varlen, sequences, big_job,
         filters, filters_large]
SPARSE = {"empty"}  # stored as the spans that are not zero, to keep the repository small


def spans(data):
    """The file as {"bytes": length, "spans": {offset: hex}}."""
    result = {}
    for offset in range(0, len(data), PAGE):
        page = bytes(data[offset:offset + PAGE])
        for match in re.finditer(rb"[^\0](?:\0{0,15}[^\0])*", page):
            result[offset + match.start()] = match.group().hex()
    return {"bytes": len(data), "spans": result}


def describe(w):
    fields = [{"name": c.name, "dtype": c.dtype, "shape": list(c.shape), "xxh3": f"{hash64(c.canonical()):016x}"}
              for c in w.columns]
    return {"samples": sum(segment[2] for segment in w.segments), "fields": fields}


def main():
    path = HERE / "expected.json"
    expected = json.loads(path.read_text()) if path.exists() else {}
    for make in FILES:
        if len(sys.argv) == 1 or make.__name__ in sys.argv[1:]:
            w = make()
            if make.__name__ in SPARSE:
                (HERE / f"{make.__name__}.spans.json").write_text(json.dumps(spans(w.out), indent=1) + "\n")
            else:
                (HERE / f"{make.__name__}.hrd").write_bytes(w.out)
            expected[make.__name__] = describe(w)
    path.write_text(json.dumps(expected, indent=1) + "\n")


if __name__ == "__main__":
    main()
