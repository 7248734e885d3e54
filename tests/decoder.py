"""A second reader of Headrace files, written from docs/format.md alone (section numbers below are that page's).

Plain Python and NumPy, made to be read. Every byte is untrusted: each violated rule raises Corrupt or Unsupported
with what was found. Reads a chunk at a time; knows every feature of version 1, variable-length fields included.

    python tests/decoder.py FILE [--verify] [--export DIR]
"""

import argparse
import json
import math
import os
import re
import struct
import sys
from dataclasses import dataclass, field as dataclass_field

import numpy as np
import xxhash
import zstandard

PAGE = 4096
MIB = 1 << 20
SLOT_OFFSETS = (0, 65536)
JOB_OFFSET = 4096
DATA_OFFSET = 131072
ENTRIES_PER_INDEX_PAGE = 8192
KNOWN_FEATURES = {"zstd", "byte-shuffle", "bit-shuffle", "delta", "varlen"}
# Section 6.3: the features that a filter needs, its element bytes, whether it has a distance.
FILTERS = (((), (), False), (("byte-shuffle",), (2, 4, 8, 16), False), (("bit-shuffle",), (1, 2, 4, 8), False),
           (("delta",), (1, 2, 4, 8), True), (("delta", "byte-shuffle"), (2, 4, 8), True),
           (("delta", "bit-shuffle"), (1, 2, 4, 8), True))

# Section 2.1: name -> (number, element bytes or None where the schema or the value says, NumPy's name).
DTYPES = {
    "bool": (1, 1, "?"),
    "int8": (2, 1, "i1"), "int16": (3, 2, "<i2"), "int32": (4, 4, "<i4"), "int64": (5, 8, "<i8"),
    "uint8": (6, 1, "u1"), "uint16": (7, 2, "<u2"), "uint32": (8, 4, "<u4"), "uint64": (9, 8, "<u8"),
    "float16": (10, 2, "<f2"), "bfloat16": (11, 2, "<u2"), "float32": (12, 4, "<f4"), "float64": (13, 8, "<f8"),
    "complex64": (14, 8, "<c8"), "complex128": (15, 16, "<c16"),
    "fixed_bytes": (16, None, None), "fixed_utf8": (17, None, None),
    "bytes": (18, None, None), "utf8": (19, None, None),
}


class Refused(Exception):
    """The file cannot be read; `kind` is the one of the two that section 0 names."""


class Corrupt(Refused):
    kind = "corrupt"


class Unsupported(Refused):
    kind = "unsupported"


def check(condition, message):
    if not condition:
        raise Corrupt(message)


def hash64(data):
    return xxhash.xxh3_64_intdigest(data)


def pages(n):
    return -(-n // PAGE)


def check_zero(data, what):
    check(data.count(0) == len(data), f"{what}: {len(data) - data.count(0)} bytes are not zero")


def check_range(value, low, high, what):
    check(low <= value <= high, f"{what} is {value}, expected {low} to {high}")


def check_page_offset(offset, what):
    check(offset % PAGE == 0 and offset >= DATA_OFFSET, f"{what} {offset} is no page from {DATA_OFFSET} on")


# ---------------------------------------------------------------- section 7.1: JSON texts


def unique_object(pairs):
    keys = [key for key, _ in pairs]
    check(len(set(keys)) == len(keys), f"JSON: duplicate key among {sorted(keys)}")
    return dict(pairs)


def json_integer(text):
    check(-(1 << 63) <= int(text) < 1 << 63, f"JSON: integer {text} is beyond 64 bits")
    return int(text)


def json_real(text):
    check(math.isfinite(float(text)), f"JSON: number {text} is beyond binary64")
    return float(text)


def json_constant(text):
    raise Corrupt(f"JSON: {text} is not JSON")


def check_strings(value):
    if isinstance(value, str):
        bad = any(c == "\0" or "\ud800" <= c <= "\udfff" for c in value)
        check(not bad, "JSON: a string holds U+0000 or half a surrogate pair")
    elif isinstance(value, dict):
        for key, item in value.items():
            check_strings(key)
            check_strings(item)
    elif isinstance(value, list):
        for item in value:
            check_strings(item)


def check_depth(text):
    depth = 0
    for token in re.finditer(r'"(?:[^"\\]|\\.)*"|[\[{]|[\]}]', text, re.DOTALL):
        depth += {"[": 1, "{": 1, "]": -1, "}": -1}.get(token.group(), 0)
        check(depth <= 64, "JSON: nested deeper than 64")


def parse_json(data):
    """The object that a JSON text is; `data` was bounded by its caller."""
    try:
        text = data.decode("utf-8")
        check_depth(text)
        value = json.loads(text, object_pairs_hook=unique_object, parse_int=json_integer,
                           parse_float=json_real, parse_constant=json_constant)
    except (UnicodeDecodeError, json.JSONDecodeError) as e:
        raise Corrupt(f"JSON: {e}") from None
    check(isinstance(value, dict), "JSON: not an object")
    check_strings(value)
    return value


def integer(value, low, high, what):
    """An integer, which may be written as a string."""
    if isinstance(value, str) and re.fullmatch(r"-?(0|[1-9][0-9]*)", value):
        value = int(value)
    check(isinstance(value, int) and not isinstance(value, bool), f"{what} is {value!r}, expected an integer")
    check_range(value, low, high, what)
    return value


def numbers(value):
    """Statistics with the numbers that are written as strings turned into numbers."""
    if isinstance(value, dict):
        return {key: numbers(item) for key, item in value.items()}
    if isinstance(value, list):
        return [numbers(item) for item in value]
    if isinstance(value, str) and re.fullmatch(r"-?[0-9]+", value):
        return int(value)
    return float(value) if value in ("inf", "-inf", "nan") else value


# ---------------------------------------------------------------- sections 2.1, 2.2, 2.4, 7.2: fields


@dataclass
class Field:
    name: str
    dtype: str
    shape: tuple
    width: int  # element bytes; 0 for variable-length fields
    attributes: dict = dataclass_field(default_factory=dict)
    storage: dict = dataclass_field(default_factory=dict)
    statistics: dict | None = None
    element_dtype: str | None = None  # of a sequence
    lengths: dict | None = None

    @property
    def variable(self):
        return self.dtype in ("bytes", "utf8")

    @property
    def sample_bytes(self):
        return self.width * math.prod(self.shape)


def parse_field(entry):
    check(isinstance(entry, dict), "a field is not an object")
    name = entry.get("name")
    check(isinstance(name, str), "a field's name is not a string")
    check(1 <= len(name.encode()) <= 255, f"field name {name!r}: 1 to 255 bytes")
    check(not re.search("[\x00-\x1f\x7f]", name), f"field name {name!r} holds a control character")
    check(not name.startswith("/") and not name.endswith("/"), f"field name {name!r} begins or ends with /")
    dtype = entry.get("dtype")
    check(isinstance(dtype, str) and dtype in DTYPES, f"field {name!r}: unknown dtype {dtype!r}")
    shape = entry.get("shape")
    check(isinstance(shape, list) and len(shape) <= 32, f"field {name!r}: shape is not a list of at most 32 entries")
    shape = tuple(integer(n, 0, 1 << 48, f"field {name!r}: shape entry") for n in shape)
    width = DTYPES[dtype][1] or 0
    if dtype.startswith("fixed_"):
        width = integer(entry.get("width"), 0, (1 << 31) - 1, f"field {name!r}: width")
    for key in ("attributes", "storage", "statistics", "lengths"):
        check(isinstance(entry.get(key, {}), dict), f"field {name!r}: {key} is not an object")
    statistics = numbers(entry["statistics"]) if "statistics" in entry else None
    result = Field(name, dtype, shape, width, entry.get("attributes", {}), entry.get("storage", {}), statistics)
    if dtype == "bytes" and "element_dtype" in entry:
        result.element_dtype = entry["element_dtype"]
        known = DTYPES.get(result.element_dtype) if isinstance(result.element_dtype, str) else None
        check(known is not None and known[1] and result.element_dtype != "bool",
              f"field {name!r}: {result.element_dtype!r} is no type of a sequence's elements")
    if result.variable and "lengths" in entry:
        result.lengths = numbers(entry["lengths"])
        for key in ("values", "empty", "total_bytes"):
            integer(result.lengths.get(key), 0, (1 << 64) - 1, f"field {name!r}: lengths, {key}")
    check(not result.variable or shape == (), f"field {name!r}: variable-length fields have the shape []")
    return result


def parse_fields(schema):
    entries = schema.get("fields")
    check(isinstance(entries, list) and 1 <= len(entries) <= 4096, "fields: not a list of 1 to 4,096")
    fields = [parse_field(entry) for entry in entries]
    check(len({f.name for f in fields}) == len(fields), "two fields have the same name")
    check(sum(f.sample_bytes for f in fields) <= 1 << 34, "the samples are larger than 2^34 bytes")
    return fields


def layout_hash(fields, samples_per_chunk):
    text = struct.pack("<II", len(fields), samples_per_chunk)
    for f in fields:
        name = f.name.encode()
        text += struct.pack("<H", len(name)) + name
        text += struct.pack("<BBI", DTYPES[f.dtype][0], len(f.shape), f.width)
        text += struct.pack(f"<{len(f.shape)}Q", *f.shape)
    return hash64(text)


# ---------------------------------------------------------------- section 3: superblock


@dataclass
class Superblock:
    page: bytes
    version: int
    uuid: bytes
    sequence: int
    footer_offset: int
    footer_bytes: int
    footer_hash: int
    file_bytes: int
    features: list = dataclass_field(default_factory=list)
    optional_features: list = dataclass_field(default_factory=list)


def parse_slot(page):
    """The superblock of a valid slot, its ranges not yet checked, or None."""
    if len(page) != PAGE or page[:8] != b"\x89HRD\r\n\x1a\n":
        return None
    version, page_bytes = struct.unpack_from("<II", page, 8)
    if page_bytes != PAGE or struct.unpack_from("<Q", page, 4088)[0] != hash64(page[:4088]):
        return None
    return Superblock(page, version, page[16:32], *struct.unpack_from("<5Q", page, 32))


def decide(slot_pages):
    """The superblock that decides, of the two slots' bytes."""
    slots = [slot for slot in map(parse_slot, slot_pages) if slot]
    if not slots:
        check(any(page.strip(b"\0") for page in slot_pages), "unfinished: no commit was made")
        check(any(page[:8] == b"\x89HRD\r\n\x1a\n" for page in slot_pages), "not a Headrace file")
        raise Corrupt("both superblocks are damaged")
    if len(slots) == 2:
        check(slots[0].uuid == slots[1].uuid, "the superblocks belong to different files")
        if slots[0].sequence == slots[1].sequence:
            check(slots[0].page == slots[1].page, "two different superblocks of the same commit")
    return max(slots, key=lambda slot: slot.sequence)


def parse_features(area, used, what):
    check(used <= len(area), f"{what}: {used} bytes used of {len(area)}")
    check_zero(area[used:], f"{what}: the unused bytes")
    text = area[:used]
    check(re.fullmatch(rb"([a-z0-9-]{1,63}\n)*", text), f"{what}: not a list of feature names")
    names = text.split(b"\n")[:-1]
    check(names == sorted(set(names)), f"{what}: not ascending or repeated")
    return [name.decode() for name in names]


def check_superblock(sb, actual_bytes):
    """The ranges of the deciding slot. The version comes first: a later one may use what is reserved here."""
    if sb.version > 1:
        raise Unsupported(f"format version {sb.version}")
    check(sb.version == 1, "format version 0")
    check_zero(sb.page[76:128], "superblock: reserved bytes")
    check_zero(sb.page[2176:4088], "superblock: reserved bytes")
    required_used, optional_used = struct.unpack_from("<HH", sb.page, 72)
    sb.features = parse_features(sb.page[128:1152], required_used, "required features")
    sb.optional_features = parse_features(sb.page[1152:2176], optional_used, "optional features")
    unknown = set(sb.features) - KNOWN_FEATURES
    if unknown:
        raise Unsupported(f"required features {sorted(unknown)}")
    check(sb.sequence >= 1, "superblock: commit sequence number 0")
    check(sb.file_bytes % PAGE == 0, f"file bytes {sb.file_bytes}: not whole pages")
    check(sb.file_bytes <= actual_bytes, f"truncated: {actual_bytes} bytes of {sb.file_bytes}")
    check_page_offset(sb.footer_offset, "footer offset")
    check_range(sb.footer_bytes, 128, 1 << 32, "footer bytes")
    check(sb.footer_offset <= sb.file_bytes and sb.footer_bytes <= sb.file_bytes - sb.footer_offset,
          "the footer ends beyond file bytes")


# ---------------------------------------------------------------- section 7: footer


@dataclass
class Footer:
    samples_per_chunk: int
    num_samples: int
    num_chunks: int
    layout_hash: int
    dead_bytes: int
    largest_chunk_pages: int
    schema: dict
    fields: list
    segments: list  # (first chunk, chunks, samples)
    index_pages: list  # (offset, hash)


def parse_footer(data, sb):
    check(hash64(data) == sb.footer_hash, "footer: wrong hash")
    magic, header_bytes, s, uuid, sequence, num_samples, num_chunks, layout, num_segments, json_bytes, dead, largest = \
        struct.unpack_from("<8sII16s7QI", data)
    check(magic == b"HRDFOOT\n", "footer: wrong magic")
    check(header_bytes == 128, f"footer: header bytes {header_bytes}")
    check_zero(data[92:128], "footer: reserved bytes")
    check_range(s, 1, 65536, "footer: samples per chunk")
    check(uuid == sb.uuid, "footer: the UUID of another file")
    check(sequence == sb.sequence, f"footer: commit {sequence}, superblock: {sb.sequence}")
    check_range(num_chunks, 0, 1 << 40, "footer: number of chunks")
    check_range(json_bytes, 2, 16 * MIB, "footer: bytes of the JSON text")
    check(dead <= sb.file_bytes, f"footer: {dead} dead bytes in a file of {sb.file_bytes}")

    tables = 128 + -(-json_bytes // 8) * 8
    num_index_pages = -(-num_chunks // ENTRIES_PER_INDEX_PAGE)
    expected = tables + 24 * num_segments + 16 * num_index_pages
    check(expected == len(data), f"footer: {len(data)} bytes, its tables need {expected}")
    check_zero(data[128 + json_bytes:tables], "footer: padding of the JSON text")
    schema = parse_json(data[128:128 + json_bytes])
    fields = parse_fields(schema)
    check(layout_hash(fields, s) == layout, "footer: the layout hash is not that of the fields")
    varlen = any(f.variable for f in fields)
    check(not varlen or "varlen" in sb.features, "a variable-length field without the feature varlen")
    for key in ("attributes", "provenance"):
        check(isinstance(schema.get(key, {}), dict), f"{key}: not an object")

    segments = list(struct.iter_unpack("<3Q", data[tables:tables + 24 * num_segments]))
    check_segments(segments, num_chunks, num_samples, s)
    index_pages = list(struct.iter_unpack("<2Q", data[tables + 24 * num_segments:]))
    for p, (offset, _) in enumerate(index_pages):
        check_page_offset(offset, f"index page {p}: offset")
        size = index_page_bytes(p, num_chunks)
        check(offset <= sb.file_bytes and size <= sb.file_bytes - offset, f"index page {p} ends beyond file bytes")
    check(num_chunks or largest == 0, f"footer: pages of the largest chunk {largest} without a chunk")
    return Footer(s, num_samples, num_chunks, layout, dead, largest, schema, fields, segments, index_pages)


def check_segments(segments, num_chunks, num_samples, s):
    next_chunk = total = 0
    for number, (first, n, samples) in enumerate(segments):
        check(first == next_chunk, f"segment {number} begins with chunk {first}, expected {next_chunk}")
        check(n >= 1, f"segment {number} has no chunk")
        check((n - 1) * s < samples <= n * s, f"segment {number}: {samples} samples in {n} chunks of {s}")
        next_chunk += n
        total += samples
    check(next_chunk == num_chunks, f"the segments have {next_chunk} chunks, the footer says {num_chunks}")
    check(total == num_samples, f"the segments have {total} samples, the footer says {num_samples}")


def entries_in_index_page(p, num_chunks):
    return min(ENTRIES_PER_INDEX_PAGE, num_chunks - p * ENTRIES_PER_INDEX_PAGE)


def index_page_bytes(p, num_chunks):
    return pages(8 * entries_in_index_page(p, num_chunks)) * PAGE


# ---------------------------------------------------------------- section 6: chunks


@dataclass
class Frame:
    number: int
    offset: int  # in the chunk
    stored_bytes: int
    decoded_bytes: int
    hash: int
    codec: int
    filter: int
    element_bytes: int
    distance_bytes: int


@dataclass
class Block:
    field: int
    part: int  # 0 values, 1 ends
    frames: list


def expected_blocks(fields):
    """(field, part) in the order of section 6.2."""
    fixed = [i for i, f in enumerate(fields) if not f.variable]
    fixed.sort(key=lambda i: fields[i].sample_bytes)
    variable = [i for i, f in enumerate(fields) if f.variable]
    return [(i, 0) for i in fixed] + [(i, part) for i in variable for part in (1, 0)]


def parse_frame(entry, number, offset, features):
    stored, decoded, frame_hash, codec, filter_, parameter, reserved, distance = struct.unpack_from("<IIQBBBBI", entry)
    what = f"frame {number}"
    check(reserved == 0, f"{what}: reserved byte")
    if codec > 1:
        raise Unsupported(f"{what}: codec {codec}")
    if filter_ >= len(FILTERS):
        raise Unsupported(f"{what}: filter {filter_}")
    check_range(stored, 1, 2 * MIB, f"{what}: stored bytes")
    check_range(decoded, 1, MIB, f"{what}: decoded bytes")
    check(codec == 0 or "zstd" in features, f"{what}: codec 1 without the feature zstd")
    needed, elements, far = FILTERS[filter_]
    for feature in needed:
        check(feature in features, f"{what}: filter {filter_} without the feature {feature}")
    check(codec == 1 or stored == decoded, f"{what}: raw, but {stored} bytes stored for {decoded}")
    check(codec == 1 or filter_ == 0, f"{what}: raw with a filter")
    if filter_:
        check(parameter in elements, f"{what}: filter {filter_} of elements of {parameter} bytes")
        check(decoded % parameter == 0, f"{what}: {decoded} bytes are no multiple of {parameter}")
    else:
        check(parameter == 0, f"{what}: filter parameter {parameter} without a filter")
    if far:
        check_range(distance, 1, MIB, f"{what}: distance")
        check(distance % parameter == 0, f"{what}: a distance of {distance} bytes for elements of {parameter}")
    else:
        check(distance == 0, f"{what}: a distance of {distance} bytes without a delta")
    return Frame(number, offset, stored, decoded, frame_hash, codec, filter_, parameter, distance)


def check_frame_sizes(sizes, samples, b, what):
    """Section 6.3, "What a frame holds": the decoded bytes of a block's frames."""
    check(sum(sizes) == samples * b, f"{what}: frames of {sum(sizes)} bytes, expected {samples * b}")
    if b > MIB:
        one = [MIB] * ((b - 1) // MIB) + [(b - 1) % MIB + 1]
        check(sizes == one * samples, f"{what}: not pieces of 1,048,576 bytes")
    elif sizes:
        check(all(size % b == 0 for size in sizes), f"{what}: a frame holds part of a sample")
        check(all(size == sizes[0] for size in sizes[:-1]) and sizes[-1] <= sizes[0],
              f"{what}: frames of different numbers of samples")


def check_value_frames(sizes, ends, what):
    """Section 6.4: frames of whole values, or pieces of one that is larger than 1 MiB."""
    starts = [0] + ends[:-1]
    check(all(a <= b for a, b in zip(starts, ends)), f"{what}: the ends do not ascend")
    large = {start: end for start, end in zip(starts, ends) if end - start > MIB}
    boundaries = set(ends)
    position, value_end = 0, None
    for size in sizes:
        value_end = large.get(position, value_end)
        if value_end is None:
            position += size
            check(position in boundaries and not any(position - size < s < position for s in large),
                  f"{what}: a frame ends inside a value")
        else:
            check(size == min(MIB, value_end - position), f"{what}: not pieces of 1,048,576 bytes")
            position += size
            value_end = None if position == value_end else value_end
    check(position == ends[-1], f"{what}: frames of {position} bytes, the last value ends at {ends[-1]}")


def decompress(stored, decoded_bytes, what):
    """Codec 1: exactly one zstd frame. Its header is looked at first, so that it cannot make us allocate more."""
    check(stored[:4] == b"\x28\xb5\x2f\xfd", f"{what}: not a zstd frame")
    try:
        header = zstandard.get_frame_parameters(stored)
        check(header.dict_id == 0, f"{what}: needs a dictionary")
        check(header.content_size in (decoded_bytes, zstandard.CONTENTSIZE_UNKNOWN),
              f"{what}: {header.content_size} bytes, expected {decoded_bytes}")
        data = zstandard.ZstdDecompressor().decompress(stored, max_output_size=decoded_bytes, allow_extra_data=False)
    except zstandard.ZstdError as e:
        raise Corrupt(f"{what}: {e}") from None
    check(len(data) == decoded_bytes, f"{what}: {len(data)} bytes, expected {decoded_bytes}")
    return data


def unshuffle(data, element_bytes):
    """Filter 1: out[i * e + j] = in[j * n + i]."""
    return np.frombuffer(data, np.uint8).reshape(element_bytes, -1).T.tobytes()


def unshuffle_bits(data, element_bytes):
    """Filter 2: of the first m elements bit k of byte j is in plane 8 j + k; the others follow."""
    whole = len(data) // element_bytes // 8 * 8
    planes = np.frombuffer(data, np.uint8, count=whole * element_bytes).reshape(8 * element_bytes, -1)
    bits = np.unpackbits(planes, axis=1, bitorder="little").reshape(element_bytes, 8, whole)
    elements = sum(bits[:, k].astype(np.uint8) << k for k in range(8)) if whole else planes
    return elements.T.tobytes() + data[whole * element_bytes:]


def add_up(data, element_bytes, distance_bytes):
    """Filter 3: each element is added to the one at the distance before it."""
    x = np.frombuffer(data, f"<u{element_bytes}").copy()
    step = distance_bytes // element_bytes
    for first in range(min(step, x.size)):
        x[first::step] = np.cumsum(x[first::step], dtype=x.dtype)
    return x.tobytes()


def unfilter(data, frame):
    features = FILTERS[frame.filter][0]
    if "byte-shuffle" in features:
        data = unshuffle(data, frame.element_bytes)
    if "bit-shuffle" in features:
        data = unshuffle_bits(data, frame.element_bytes)
    return add_up(data, frame.element_bytes, frame.distance_bytes) if "delta" in features else data


class Chunk:
    """One chunk, its header checked; blocks are decoded when asked for."""

    def __init__(self, data, number, samples, sequence, uuid, footer, features):
        self.data, self.samples, self.fields = data, samples, footer.fields
        self.what = f"chunk {number}"
        magic, self.header_bytes, n, chunk_uuid, _, chunk_sequence, layout, chunk_number, self.bytes, num_blocks, \
            num_frames = struct.unpack_from("<8sII16s16s4QII", data)
        check(magic == b"HRDCHNK\n", f"{self.what}: wrong magic")
        expected = 104 + 24 * num_blocks + 24 * num_frames
        check(self.header_bytes == expected, f"{self.what}: header of {self.header_bytes} bytes, expected {expected}")
        check(self.header_bytes <= self.bytes, f"{self.what}: the header is larger than the chunk")
        check(self.bytes >= 1 and pages(self.bytes) == pages(len(data)),
              f"{self.what}: {self.bytes} bytes, the index says {pages(len(data))} pages")
        (header_hash,) = struct.unpack_from("<Q", data, self.header_bytes - 8)
        check(hash64(data[:self.header_bytes - 8]) == header_hash, f"{self.what}: wrong hash of the header")
        check_zero(data[88:96], f"{self.what}: reserved bytes")
        check(chunk_uuid == uuid, f"{self.what}: the UUID of another file")
        check(layout == footer.layout_hash, f"{self.what}: another layout hash")
        check(chunk_number == number, f"{self.what}: holds chunk {chunk_number}")
        check_range(chunk_sequence, 1, sequence, f"{self.what}: commit sequence number")
        check(n == samples, f"{self.what}: {n} samples, expected {samples}")
        self.blocks = self._parse_tables(num_blocks, num_frames, features)
        self._check_fixed_blocks()
        check_zero(data[self.bytes:], f"{self.what}: padding")

    def _parse_tables(self, num_blocks, num_frames, features):
        order = expected_blocks(self.fields)
        check(num_blocks == len(order), f"{self.what}: {num_blocks} blocks, expected {len(order)}")
        table, frame_table = 96, 96 + 24 * num_blocks
        blocks, frame_number, offset = [], 0, self.header_bytes
        for i, expected in enumerate(order):
            field, part, n, reserved, first = struct.unpack_from("<4IQ", self.data, table + 24 * i)
            check((field, part) == expected, f"{self.what}: block {i} is {(field, part)}, expected {expected}")
            check(reserved == 0, f"{self.what}: block {i}: reserved bytes")
            check(first == offset, f"{self.what}: block {i} at {first}, expected {offset}")
            check(n <= num_frames - frame_number, f"{self.what}: block {i} has {n} frames, more than there are")
            frames = []
            for number in range(frame_number, frame_number + n):
                entry = self.data[frame_table + 24 * number:][:24]
                frames.append(parse_frame(entry, number, offset, features))
                check(frames[-1].stored_bytes <= self.bytes - offset, f"{self.what}: frame {number} beyond the chunk")
                offset += frames[-1].stored_bytes
            blocks.append(Block(field, part, frames))
            frame_number += n
        check(frame_number == num_frames, f"{self.what}: the blocks have {frame_number} frames of {num_frames}")
        check(offset == self.bytes, f"{self.what}: the last frame ends at {offset}, expected {self.bytes}")
        return blocks

    def _check_fixed_blocks(self):
        for block in self.blocks:
            b = 8 if block.part == 1 else self.fields[block.field].sample_bytes
            if block.part == 1 or not self.fields[block.field].variable:
                sizes = [frame.decoded_bytes for frame in block.frames]
                check_frame_sizes(sizes, self.samples, b, f"{self.what}, field {self.fields[block.field].name!r}")

    def _block(self, field, part):
        block = next(b for b in self.blocks if (b.field, b.part) == (field, part))
        parts = []
        for frame in block.frames:
            what = f"{self.what}, field {self.fields[field].name!r}, frame {frame.number}"
            stored = self.data[frame.offset:frame.offset + frame.stored_bytes]
            check(hash64(stored) == frame.hash, f"{what}: wrong hash")
            data = decompress(stored, frame.decoded_bytes, what) if frame.codec else stored
            parts.append(unfilter(data, frame))
        return [len(part) for part in parts], b"".join(parts)

    def fixed(self, field):
        """The bytes of all samples of a fixed-size field."""
        return self._block(field, 0)[1]

    def values(self, field):
        """The samples' values of a variable-length field, as bytes."""
        what = f"{self.what}, field {self.fields[field].name!r}"
        ends = np.frombuffer(self._block(field, 1)[1], "<u8").tolist()
        sizes, data = self._block(field, 0)
        check_value_frames(sizes, ends, what)
        values = [data[start:end] for start, end in zip([0] + ends[:-1], ends)]
        element = self.fields[field].element_dtype
        check(not element or all(len(value) % DTYPES[element][1] == 0 for value in values),
              f"{what}: a sequence ends inside an element")
        return values

    def check_all(self):
        for i, f in enumerate(self.fields):
            self.values(i) if f.variable else self.fixed(i)


# ---------------------------------------------------------------- the data set


class DataSet:
    """A file, opened as section 8 says."""

    def __init__(self, path):
        self._file = open(path, "rb")
        try:
            self._open()
        except Refused:
            self.close()
            raise

    def _open(self):
        self.actual_bytes = os.fstat(self._file.fileno()).st_size
        self.slot_pages = [self._read(offset, PAGE, short=True) for offset in SLOT_OFFSETS]
        self.superblock = decide(self.slot_pages)
        check_superblock(self.superblock, self.actual_bytes)
        data = self._read(self.superblock.footer_offset, self.superblock.footer_bytes)
        self.footer = parse_footer(data, self.superblock)
        self.fields = self.footer.fields
        self.num_samples = self.footer.num_samples
        self.attributes = self.footer.schema.get("attributes", {})
        self.provenance = self.footer.schema.get("provenance", {})
        self.statistics = {f.name: f.statistics for f in self.fields}
        self._index = {}

    def close(self):
        self._file.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def _read(self, offset, n, short=False):
        data = os.pread(self._file.fileno(), n, offset)
        check(short or len(data) == n, f"{n} bytes at {offset}: the file ends before")
        return data

    def index_page(self, p):
        """The entries of one index page as (offset, bytes), checked once."""
        if p in self._index:
            return self._index[p]
        offset, expected = self.footer.index_pages[p]
        data = self._read(offset, index_page_bytes(p, self.footer.num_chunks))
        check(hash64(data) == expected, f"index page {p}: wrong hash")
        n = entries_in_index_page(p, self.footer.num_chunks)
        self._index[p] = [self._entry(e, p * ENTRIES_PER_INDEX_PAGE + i)
                          for i, (e,) in enumerate(struct.iter_unpack("<Q", data[:8 * n]))]
        return self._index[p]

    def _entry(self, entry, number):
        first, n = entry & ((1 << 40) - 1), entry >> 40
        what = f"index entry of chunk {number}"
        check(first >= DATA_OFFSET // PAGE, f"{what}: page {first}")
        check(n >= 1, f"{what}: no pages")
        check(n <= self.footer.largest_chunk_pages, f"{what}: {n} pages, the footer's largest has fewer")
        end = self.superblock.file_bytes // PAGE
        check(first <= end and n <= end - first, f"{what}: ends beyond file bytes")
        return first * PAGE, n * PAGE

    def extent(self, number):
        """Where a chunk is: offset and bytes, in whole pages."""
        return self.index_page(number // ENTRIES_PER_INDEX_PAGE)[number % ENTRIES_PER_INDEX_PAGE]

    def samples_of_chunk(self, number):
        s = self.footer.samples_per_chunk
        for first, n, samples in self.footer.segments:
            if number < first + n:
                return samples - (n - 1) * s if number == first + n - 1 else s
        raise IndexError(number)

    def chunk(self, number):
        data = self._read(*self.extent(number))
        return Chunk(data, number, self.samples_of_chunk(number), self.superblock.sequence, self.superblock.uuid,
                     self.footer, self.superblock.features)

    def field_index(self, name):
        return next(i for i, f in enumerate(self.fields) if f.name == name)

    def raw(self, name):
        """All samples of a field: its canonical bytes, or a list of bytes if it is variable-length."""
        i = self.field_index(name)
        chunks = map(self.chunk, range(self.footer.num_chunks))
        if self.fields[i].variable:
            return [value for chunk in chunks for value in chunk.values(i)]
        return b"".join(chunk.fixed(i) for chunk in chunks)

    def read(self, name):
        """All samples of a field as an array; str where the field is text, uint16 bits where it is bfloat16."""
        f = self.fields[self.field_index(name)]
        data = self.raw(name)
        try:
            return as_array(f, self.num_samples, data)
        except UnicodeDecodeError as e:
            raise Corrupt(f"field {name!r}: {e}") from None


def as_array(f, num_samples, data):
    shape = (num_samples,) + f.shape
    if f.variable:
        out = np.empty(num_samples, object)
        for i, value in enumerate(data):
            out[i] = value.decode() if f.dtype == "utf8" else \
                np.frombuffer(value, DTYPES[f.element_dtype][2]) if f.element_dtype else value
        return out
    if not f.dtype.startswith("fixed_"):
        return np.frombuffer(data, DTYPES[f.dtype][2]).reshape(shape)
    elements = [data[i * f.width:(i + 1) * f.width] for i in range(math.prod(shape))] if f.width else \
        [b""] * math.prod(shape)
    if f.dtype == "fixed_bytes":
        return np.array(elements, f"S{max(f.width, 1)}").reshape(shape)
    texts = [element.rstrip(b"\0").decode() for element in elements]
    return np.array(texts, f"U{max(map(len, texts), default=1) or 1}").reshape(shape)


# ---------------------------------------------------------------- verify


@dataclass
class Report:
    damage: list = dataclass_field(default_factory=list)
    notes: list = dataclass_field(default_factory=list)

    def attempt(self, step, *args):
        try:
            return step(*args)
        except Refused as e:
            self.damage.append(str(e))
            return None


def verify_job_record(ds):
    """Section 5, for the record at 4,096; returns the live pages it has from 131,072 on."""
    record = ds._read(JOB_OFFSET, 96)
    magic, version, s, uuid, _, sequence, layout, offset, n, json_hash, record_hash = \
        struct.unpack("<8sII16s16s6Q", record)
    check(magic == b"HRDJOB\r\n", "job record: wrong magic")
    check(record_hash == hash64(record[:88]), "job record: wrong hash")
    check(version == 1, f"job record: version {version}")
    check(s == ds.footer.samples_per_chunk, f"job record: {s} samples per chunk")
    check(uuid == ds.superblock.uuid, "job record: the UUID of another file")
    check(sequence == 1, f"job record: commit sequence number {sequence}, expected 1")
    check(layout == ds.footer.layout_hash, "job record: another layout hash")
    check_range(n, 2, 16 * MIB, "job record: bytes of the JSON text")
    inside = 96 + n <= SLOT_OFFSETS[1] - JOB_OFFSET
    expected = JOB_OFFSET + 96 if inside else DATA_OFFSET
    check(offset == expected, f"job record: JSON text at {offset}, expected {expected}")
    check(n <= ds.superblock.file_bytes - offset, "job record: the JSON text ends beyond file bytes")
    text = ds._read(offset, n)
    check(hash64(text) == json_hash, "job record: wrong hash of the JSON text")
    job = parse_json(text)
    check(layout_hash(parse_fields(job), s) == layout, "job record: the layout hash is not that of its fields")
    used = JOB_OFFSET + 96 + (n if inside else 0)
    check_zero(ds._read(used, SLOT_OFFSETS[1] - used), "job record: the rest of its room")
    if inside:
        return []
    check_zero(ds._read(offset + n, -n % PAGE), "job record: padding of the JSON text")
    return [(DATA_OFFSET, pages(n) * PAGE, "job record")]


def verify_slots(ds, report):
    slots = [parse_slot(page) for page in ds.slot_pages]
    for number, slot in enumerate(slots):
        if slot is None:
            report.damage.append(f"superblock slot {number} is damaged; the other one decides")
    if all(slots) and ds.slot_pages[0] != ds.slot_pages[1]:
        report.notes.append(f"slots hold commits {slots[0].sequence} and {slots[1].sequence}: a commit was cut short")
    if ds.actual_bytes > ds.superblock.file_bytes:
        report.notes.append(f"{ds.actual_bytes - ds.superblock.file_bytes} bytes behind the last commit")


def check_index_padding(ds, p):
    n = entries_in_index_page(p, ds.footer.num_chunks)
    data = ds._read(ds.footer.index_pages[p][0], index_page_bytes(p, ds.footer.num_chunks))
    check_zero(data[8 * n:], f"index page {p}: unused entries")


def check_extents(ds, extents):
    """No two live structures overlap, and what is between them is what the footer calls dead."""
    extents = sorted(extents)
    for (offset, size, what), (following, _, other) in zip(extents, extents[1:]):
        check(size <= following - offset, f"{what} and {other} overlap")
    dead = ds.superblock.file_bytes - DATA_OFFSET - sum(size for _, size, _ in extents)
    check(dead == ds.footer.dead_bytes, f"{dead} dead bytes, the footer says {ds.footer.dead_bytes}")


def verify(path):
    """Checks every byte of a file; raises only if it cannot be opened at all."""
    report = Report()
    with DataSet(path) as ds:
        sb, footer = ds.superblock, ds.footer
        verify_slots(ds, report)
        extents = report.attempt(verify_job_record, ds) or []
        gap = SLOT_OFFSETS[1] + PAGE
        report.attempt(lambda: check_zero(ds._read(gap, DATA_OFFSET - gap), "between slot 1 and 131,072"))
        end = sb.footer_offset + sb.footer_bytes
        report.attempt(lambda: check_zero(ds._read(end, -end % PAGE), "padding of the footer"))
        extents.append((sb.footer_offset, pages(sb.footer_bytes) * PAGE, "the footer"))
        for p, (offset, _) in enumerate(footer.index_pages):
            extents.append((offset, index_page_bytes(p, footer.num_chunks), f"index page {p}"))
            report.attempt(check_index_padding, ds, p)
            for i in range(len(report.attempt(ds.index_page, p) or ())):
                number = p * ENTRIES_PER_INDEX_PAGE + i
                extents.append((*ds.extent(number), f"chunk {number}"))
                report.attempt(lambda n=number: ds.chunk(n).check_all())
        if not report.damage:
            report.attempt(check_extents, ds, extents)
    return report


# ---------------------------------------------------------------- command line


def export(ds, folder):
    for f in ds.fields:
        path = os.path.join(folder, f.name + ".npy")
        os.makedirs(os.path.dirname(path), exist_ok=True)
        np.save(path, ds.read(f.name), allow_pickle=f.variable)


def main():
    parser = argparse.ArgumentParser(description="Reads a Headrace file by docs/format.md.")
    parser.add_argument("file")
    parser.add_argument("--verify", action="store_true", help="check every byte")
    parser.add_argument("--export", metavar="DIR", help="write DIR/FIELD.npy for each field")
    args = parser.parse_args()
    try:
        with DataSet(args.file) as ds:
            print(f"{ds.num_samples} samples in {ds.footer.num_chunks} chunks")
            for f in ds.fields:
                print(f"  {f.name}: {f.dtype} {list(f.shape)}")
            if args.export:
                export(ds, args.export)
        if args.verify:
            report = verify(args.file)
            print("\n".join([f"note: {n}" for n in report.notes] + [f"damaged: {d}" for d in report.damage]))
            return 3 if report.damage else 0
    except Refused as e:
        print(f"{args.file}: {e.kind}: {e}", file=sys.stderr)
        return 3 if e.kind == "corrupt" else 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
