"""Files made at test time: golden files with steps applied, and files that only a wrong writer makes.

tests/golden/refused/refused.json lists files that must be refused (or, where = "verify", that readers may read and
verify must call damaged), tests/golden/derived.json files that must be read. Each recipe names a base and its steps:

    {"at": PLACE, "hex" | "text" | "u8" | "u16" | "u32" | "u64": VALUE}   overwrite bytes
    {"flip": PLACE, "bit": N}                                            flip one bit
    {"zero": PLACE, "bytes": N}        {"copy": PLACE, "to": PLACE, "bytes": N}
    {"json": [OLD, NEW]}               replace text in the footer's JSON and make the footer whole again; "fill":
                                       [[TEXT, N], ...] puts TEXT N times where NEW has @@, each
                                       time with its number for #
    {"json_hex": [OLD, NEW]}           the same with bytes
    {"resize": BYTES}                  relative to the length now
    {"seal": [WHAT, ...]}              make hashes right again, in this order: frameC.F, chunkC, index, footer, slots,
                                       slot0, slot1, job

PLACE is NAME+N, NAME one of file, end, slot0, slot1, slots (both), job, footer, json, segments, index_table, indexP,
chunkC, blockC.B, frameC.F (its table entry), dataC.F (its stored bytes).
"""

import json
import re
import struct
import sys
from pathlib import Path

import numpy as np
import xxhash
import zstandard

TESTS = Path(__file__).parent
GOLDEN = TESTS / "golden"
sys.path.insert(0, str(GOLDEN))
import make_golden as golden  # noqa: E402

PAGE = 4096


def hash64(data):
    return xxhash.xxh3_64_intdigest(bytes(data))


def golden_names():
    return sorted(json.loads((GOLDEN / "expected.json").read_text()))


def golden_bytes(name):
    """A golden file's bytes, derived ones included."""
    path = GOLDEN / f"{name}.hrd"
    if path.exists():
        return bytearray(path.read_bytes())
    derived = recipes("derived.json")
    if name in derived:
        return apply(derived[name])
    sparse = json.loads((GOLDEN / f"{name}.spans.json").read_text())
    data = bytearray(sparse["bytes"])
    for offset, text in sparse["spans"].items():
        span = bytes.fromhex(text)
        data[int(offset):int(offset) + len(span)] = span
    return data


def recipes(file):
    listed = json.loads((GOLDEN / file).read_text())
    assert len({r["name"] for r in listed}) == len(listed)
    return {r["name"]: r for r in listed}


class Patcher:
    def __init__(self, data):
        self.data = data
        slots = [(self.u64(o + 32), o) for o in (0, 65536) if data[o + 1:o + 4] == b"HRD"]
        slot = max(slots)[1]
        self.footer, self.footer_bytes = self.u64(slot + 40), self.u64(slot + 48)
        self.json_bytes = self.u64(self.footer + 72)
        self.num_chunks = self.u64(self.footer + 48)
        self.num_segments = self.u64(self.footer + 64)
        tables = self.index_table()
        self.index = [self.u64(tables + 16 * p) for p in range(-(-self.num_chunks // 8192))]
        self.chunks = [(self.u64(self.index[c // 8192] + 8 * (c % 8192)) & (1 << 40) - 1) * PAGE
                       for c in range(self.num_chunks)]
        self.num_blocks = [self.u32(c + 80) for c in self.chunks]
        self.frames = [self.frame_extents(c) for c in self.chunks]
        self.header_bytes = [self.u32(c + 8) for c in self.chunks]

    def u32(self, offset):
        return struct.unpack_from("<I", self.data, offset)[0]

    def u64(self, offset):
        return struct.unpack_from("<Q", self.data, offset)[0]

    def segments(self):
        return self.footer + 128 + -(-self.json_bytes // 8) * 8

    def index_table(self):
        return self.segments() + 24 * self.num_segments

    def frame_extents(self, chunk):
        blocks, frames = self.u32(chunk + 80), self.u32(chunk + 84)
        position, result = chunk + self.u32(chunk + 8), []
        for f in range(frames):
            entry = chunk + 96 + 24 * blocks + 24 * f
            result.append((entry, position, self.u32(entry)))
            position += self.u32(entry)
        return result

    def places(self, text):
        """The offsets that PLACE means."""
        name, plus = re.fullmatch(r"([a-z_]+[0-9.]*)\+(\d+)", text).groups()
        word, digits = re.fullmatch(r"([a-z_]+)([0-9.]*)", name).groups()
        n = [int(d) for d in digits.split(".")] if digits else []
        starts = {
            "file": lambda: [0], "end": lambda: [len(self.data)], "slots": lambda: [0, 65536],
            "slot": lambda: [65536 * n[0]], "job": lambda: [PAGE], "footer": lambda: [self.footer],
            "json": lambda: [self.footer + 128], "segments": lambda: [self.segments()],
            "index_table": lambda: [self.index_table()], "index": lambda: [self.index[n[0]]],
            "chunk": lambda: [self.chunks[n[0]]], "block": lambda: [self.chunks[n[0]] + 96 + 24 * n[1]],
            "frame": lambda: [self.frames[n[0]][n[1]][0]], "data": lambda: [self.frames[n[0]][n[1]][1]],
        }[word]()
        return [start + int(plus) for start in starts]

    def put(self, offset, data):
        self.data[offset:offset + len(data)] = data

    def write(self, step):
        formats = {"u8": "<B", "u16": "<H", "u32": "<I", "u64": "<Q"}
        kind = next(k for k in step if k != "at")
        value = step[kind]
        data = struct.pack(formats[kind], value) if kind in formats else \
            value.encode() if kind == "text" else bytes.fromhex(value)
        for offset in self.places(step["at"]):
            self.put(offset, data)

    def replace_json(self, old, new):
        text = bytes(self.data[self.footer + 128:self.footer + 128 + self.json_bytes])
        assert old in text, f"{old!r} is not in the JSON text"
        text = text.replace(old, new, 1)
        tables = bytes(self.data[self.segments():self.footer + self.footer_bytes])
        header = bytearray(self.data[self.footer:self.footer + 128])
        struct.pack_into("<Q", header, 72, len(text))
        layout = self.layout(text)
        if layout is not None:
            struct.pack_into("<Q", header, 56, layout)
        footer = bytes(header) + golden.up(text, 8) + tables
        self.data[self.footer:] = golden.up(footer)
        self.footer_bytes, self.json_bytes = len(footer), len(text)
        for slot in (0, 65536):
            struct.pack_into("<Q", self.data, slot + 48, len(footer))
            struct.pack_into("<Q", self.data, slot + 64, len(self.data))
        self.seal("footer")

    def layout(self, text):
        """The layout hash of what the JSON says, so that only the rule in question is broken; None if it has none."""
        try:
            fields = json.loads(text)["fields"]
            s = self.u32(self.footer + 12)
            out = struct.pack("<II", len(fields), s)
            for f in fields:
                name, shape = f["name"].encode(), [int(n) for n in f["shape"]]
                number = golden.DTYPE_NUMBERS[f["dtype"]]
                width = f.get("width", 0) if f["dtype"].startswith("fixed") else \
                    {"bool": 1, "bfloat16": 2, "bytes": 0, "utf8": 0}.get(f["dtype"]) or np.dtype(f["dtype"]).itemsize
                out += struct.pack("<H", len(name)) + name + struct.pack("<BBI", number, len(shape), width)
                out += struct.pack(f"<{len(shape)}Q", *shape)
            return hash64(out)
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError, struct.error):
            return None

    def seal(self, what):
        word, digits = re.fullmatch(r"([a-z]+)([0-9.]*)", what).groups()
        n = [int(d) for d in digits.split(".")] if digits else []
        if word == "frame":
            entry, offset, size = self.frames[n[0]][n[1]]
            struct.pack_into("<Q", self.data, entry + 8, hash64(self.data[offset:offset + size]))
        elif word == "chunk":
            start, size = self.chunks[n[0]], self.header_bytes[n[0]]
            struct.pack_into("<Q", self.data, start + size - 8, hash64(self.data[start:start + size - 8]))
        elif word == "job":
            struct.pack_into("<Q", self.data, PAGE + 88, hash64(self.data[PAGE:PAGE + 88]))
        elif word == "index":
            for p, offset in enumerate(self.index):
                size = -(-8 * min(8192, self.num_chunks - 8192 * p) // PAGE) * PAGE
                struct.pack_into("<Q", self.data, self.index_table() + 16 * p + 8,
                                 hash64(self.data[offset:offset + size]))
            self.seal("footer")
        elif word == "footer":
            digest = hash64(self.data[self.footer:self.footer + self.footer_bytes])
            for slot in (0, 65536):
                struct.pack_into("<Q", self.data, slot + 56, digest)
            self.seal("slots")
        else:
            for slot in [65536 * n[0]] if word == "slot" else [0, 65536]:
                struct.pack_into("<Q", self.data, slot + 4088, hash64(self.data[slot:slot + 4088]))

    def step(self, step):
        if "at" in step:
            self.write(step)
        elif "flip" in step:
            for offset in self.places(step["flip"]):
                self.data[offset] ^= 1 << step["bit"]
        elif "zero" in step:
            for offset in self.places(step["zero"]):
                self.put(offset, bytes(step["bytes"]))
        elif "copy" in step:
            (source,), targets = self.places(step["copy"]), self.places(step["to"])
            for target in targets:
                self.put(target, bytes(self.data[source:source + step["bytes"]]))
        elif "json" in step:
            old, new = step["json"]
            for text, count in step.get("fill", []):
                new = new.replace("@@", "".join(text.replace("#", str(i)) for i in range(count)), 1)
            self.replace_json(old.encode(), new.encode())
        elif "json_hex" in step:
            self.replace_json(*map(bytes.fromhex, step["json_hex"]))
        elif "resize" in step:
            n = step["resize"]
            self.data[len(self.data) + min(n, 0):] = bytes(max(n, 0))
        else:
            for what in step["seal"]:
                self.seal(what)


def apply(recipe):
    if recipe["base"] == "made":
        return MADE[recipe["name"]]()
    patcher = Patcher(golden_bytes(recipe["base"]))
    for step in recipe["steps"]:
        patcher.step(step)
    return patcher.data


# ---------------------------------------------------------------- files that only a wrong writer makes


class WrongWriter(golden.Writer):
    """A writer whose frames, and how a block is cut into them, can be replaced."""
    pack = None
    cut = None

    def frame(self, data, how):
        if not self.pack:
            return super().frame(data, how)
        stored = self.pack(data)
        return struct.pack("<IIQBBB5x", len(stored), len(data), hash64(stored), 1, 0, 0), stored

    def fixed_pieces(self, data, b, frame_samples):
        return self.cut(data) if self.cut else super().fixed_pieces(data, b, frame_samples)

    def value_pieces(self, values):
        return self.cut(b"".join(values)) if self.cut else super().value_pieces(values)


def made(columns, s, codec="zstd", pack=None, cut=None):
    w = WrongWriter("made", columns, s, codec=codec)
    w.pack, w.cut = pack, cut
    w.job_record()
    w.segments = [w.add(0, len(columns[0].data))]
    w.commit()
    return w.out


def one_field(shape=(6, 100)):
    return [golden.Column("x", "uint8", (np.arange(np.prod(shape)) % 7).astype("u1").reshape(shape))]


def compress(data):
    return zstandard.ZstdCompressor(level=1).compress(data)


def with_dictionary(data):
    dictionary = zstandard.ZstdCompressionDict(bytes(data[:500]), dict_type=zstandard.DICT_TYPE_RAWCONTENT)
    return zstandard.ZstdCompressor(dict_data=dictionary).compress(data)


def cut_at(*sizes):
    """Cuts a block's bytes into frames of these sizes and a rest."""
    def cut(data):
        pieces, position = [], 0
        for size in sizes:
            pieces.append(data[position:position + size])
            position += size
        return [p for p in pieces + [data[position:]] if p]
    return cut


def overlapping():
    """Chunk 0 holds the whole of chunk 1 in its raw sample: each is right, but they lie over each other."""
    columns = one_field((2, 2 * PAGE - 152))
    w = golden.Writer("overlapping", columns, 1, codec="zstd")
    w.job_record()
    inner = golden.Writer("overlapping", columns, 1, codec="zstd")
    inner.chunk(1, 1, 2)
    columns[0].data[0] = np.frombuffer(bytes(PAGE - 152) + bytes(inner.out[golden.DATA:]), "u1")
    w.codec = "raw"
    outer_entry = w.chunk(0, 0, 1)
    w.codec = "zstd"
    w.entries = [outer_entry, golden.DATA // PAGE + 1 | 1 << 40]
    w.segments = [(0, 2, 2)]
    w.commit()
    return w.out


MADE = {
    "zstd-trailing-bytes": lambda: made(one_field(), 6, pack=lambda d: compress(d) + b"x"),
    "zstd-two-frames": lambda: made(one_field(), 6, pack=lambda d: compress(d[:300]) + compress(d[300:])),
    "zstd-skippable-frame": lambda: made(one_field(), 6, pack=lambda d: b"\x50\x2a\x4d\x18\1\0\0\0x" + compress(d)),
    "zstd-cut-short": lambda: made(one_field(), 6, pack=lambda d: compress(d)[:-1]),
    "zstd-fewer-bytes": lambda: made(one_field(), 6, pack=lambda d: compress(d[:-1])),
    "zstd-more-bytes": lambda: made(one_field(), 6, pack=lambda d: compress(d + b"x")),
    "zstd-dictionary": lambda: made(one_field(), 6, pack=with_dictionary),
    "chunks-overlap": overlapping,
    "zstd-size-unknown-more-bytes": lambda: made(
        one_field(), 6, pack=lambda d: zstandard.ZstdCompressor(write_content_size=False).compress(d + bytes(9999))),
    "frame-holds-part-of-a-sample": lambda: made(one_field(), 6, cut=cut_at(150)),
    "frames-of-different-samples": lambda: made(one_field(), 6, cut=cut_at(200, 100)),
    "last-frame-larger": lambda: made(one_field(), 6, cut=cut_at(200)),
    "frame-larger-than-1-mib": lambda: made(one_field((6, 200_000)), 6, cut=cut_at()),
    "pieces-not-of-1-mib": lambda: made(one_field((1, 2_500_000)), 1, cut=cut_at(1_000_000, 1_000_000)),
    "value-cut-in-two": lambda: made(
        [golden.Column("b", "bytes", [b"hello", b"world"])], 2, codec="raw", cut=lambda d: cut_values(d)),
}


def cut_values(data):
    """Ends (16 bytes) whole, values cut inside the first."""
    return [data] if len(data) == 16 else [data[:3], data[3:]]
