"""Section 9 of docs/format.md: raw_scalar.hrd as an annotated hex dump.

    python tests/golden/worked_example.py            prints it
    python tests/golden/worked_example.py --write    puts it into docs/format.md
"""

import struct
import sys
from pathlib import Path

HERE = Path(__file__).parent
DOC = HERE.parent.parent / "docs" / "format.md"
BEGIN, END = "<!-- worked example: begin -->\n", "<!-- worked example: end -->\n"

SUPERBLOCK = [(8, "magic"), (4, "format version"), (4, "page bytes"), (16, "UUID"), (8, "commit sequence number"),
              (8, "footer offset"), (8, "footer bytes"), (8, "footer hash"), (8, "file bytes"),
              (2, "bytes used of the required features"), (2, "bytes used of the optional features")]
JOB = [(8, "magic"), (4, "record version"), (4, "S"), (16, "UUID"), (16, "job id"), (8, "commit sequence number"),
       (8, "layout hash"), (8, "offset of the JSON text"), (8, "bytes of the JSON text"), (8, "hash of the JSON text"),
       (8, "hash of bytes 0 to 87")]
CHUNK = [(8, "magic"), (4, "header bytes H"), (4, "samples"), (16, "UUID"), (16, "job id"),
         (8, "commit sequence number"), (8, "layout hash"), (8, "chunk number"), (8, "chunk bytes"), (4, "blocks"),
         (4, "frames"), (8, "reserved")]
BLOCK = [(4, "block 0: field"), (4, "part: values"), (4, "frames"), (4, "reserved"), (8, "offset of its first frame")]
FRAME = [(4, "frame 0: stored bytes"), (4, "decoded bytes"), (8, "hash of the stored bytes"), (1, "codec: raw"),
         (1, "filter: none"), (1, "filter parameter"), (1, "reserved"), (4, "distance of a delta")]
FOOTER = [(8, "magic"), (4, "header bytes"), (4, "S"), (16, "UUID"), (8, "commit sequence number"), (8, "samples"),
          (8, "chunks"), (8, "layout hash"), (8, "segments"), (8, "bytes of the JSON text"), (8, "dead bytes"),
          (4, "pages of the largest chunk"), (36, "reserved")]
TABLES = [(8, "segment 0: first chunk"), (8, "chunks"), (8, "samples"), (8, "index page 0: offset"), (8, "its hash")]


class Dump:
    def __init__(self, data):
        self.data, self.lines, self.position = data, [], 0

    def title(self, text, position):
        self.lines.append(f"{'' if not self.lines else chr(10)}{text}, at {position:,}")
        self.position = position

    def fields(self, layout):
        for size, what in layout:
            value = self.data[self.position:self.position + size]
            shown = f" = {int.from_bytes(value, 'little'):,}" if size <= 8 and self.is_number(what) else ""
            self.rows(value, what + shown)

    @staticmethod
    def is_number(what):
        return not any(word in what for word in ("magic", "hash", "reserved", "codec", "filter", "part", "header text"))

    def rows(self, value, what):
        for i in range(0, len(value), 8):
            text = value[i:i + 8].hex(" ")
            self.lines.append(f"{self.position:08x}  {text:<23}  {'' if i else what}".rstrip())
            self.position += len(value[i:i + 8])

    def text(self, size, what):
        """A JSON text: too long to dump, so it is quoted."""
        self.lines.append(f"{self.position:08x}  {size} bytes of JSON: {what}")
        for i in range(0, size, 100):
            self.lines.append("          " + self.data[self.position + i:self.position + min(size, i + 100)].decode())
        self.position += size

    def zeros(self, end):
        assert not any(self.data[self.position:end])
        self.lines.append(f"{self.position:08x}  zeros up to {end:08x}")
        self.position = end


def superblock(dump, slot, offset):
    dump.title(f"superblock, slot {slot}", offset)
    dump.fields(SUPERBLOCK)
    dump.zeros(offset + 4088)
    dump.fields([(8, "hash of bytes 0 to 4,087")])


def worked_example():
    data = (HERE / "raw_scalar.hrd").read_bytes()
    footer = struct.unpack_from("<Q", data, 40)[0]
    dump = Dump(data)
    superblock(dump, 0, 0)
    dump.title("job record", 4096)
    dump.fields(JOB)
    dump.text(struct.unpack_from("<Q", data, 4096 + 72)[0], "the plan")
    dump.zeros(65536)
    superblock(dump, 1, 65536)
    dump.zeros(131072)
    dump.title("chunk 0", 131072)
    dump.fields(CHUNK + BLOCK + FRAME + [(8, "hash of bytes 0 to H - 9")])
    dump.rows(data[dump.position:dump.position + 6], "the frame: samples (1, 2), (3, 4), (5, 6)")
    dump.zeros(135168)
    dump.title("index page 0", 135168)
    dump.rows(data[135168:135176], "chunk 0: page 32 in the lower 40 bits, 1 page in the upper 24")
    dump.zeros(139264)
    dump.title("footer", footer)
    dump.fields(FOOTER)
    dump.text(struct.unpack_from("<Q", data, footer + 72)[0], "the schema; a multiple of 8, so no padding")
    dump.fields(TABLES)
    dump.zeros(len(data))
    return "```\n" + "\n".join(dump.lines) + "\n```\n"


def section():
    text = DOC.read_text()
    return text[text.index(BEGIN) + len(BEGIN):text.index(END)]


if __name__ == "__main__":
    if sys.argv[1:] == ["--write"]:
        text = DOC.read_text()
        DOC.write_text(text.replace(BEGIN + section() + END, BEGIN + worked_example() + END))
    else:
        print(worked_example())
