"""Small files whose figures stand for very much: what they are opened for is refused, or done, within memory that has
to do with the budget and not with the figures."""

import json
import pathlib
import struct
import subprocess
import sys

import pytest

np = pytest.importorskip("numpy")

from headrace_command import PROGRAM, needs_program  # noqa: E402

TESTS = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(TESTS / "golden"), str(TESTS.parent / "bench")]
import make_golden as golden  # noqa: E402
import peak_memory  # noqa: E402

pytestmark = needs_program

MOST_BYTES = 192 << 20  # resident, of a budget of 64 MiB; the tables take 0.5 GB and more


class ManyChunks(golden.Writer):
    """One chunk, and an index that says that each of `claimed` chunks is that one: all its pages are one page."""

    claimed = 1 << 27

    def footer(self):
        off, pages = len(self.out), -(-self.claimed // 8192)
        page = struct.pack("<8192Q", *(self.entries * 8192))
        self.out += page
        samples = self.claimed * self.s
        tables = struct.pack("<3Q", 0, self.claimed, samples) + struct.pack("<QQ", off, golden.hash64(page)) * pages
        text = json.dumps({"format": "headrace/1", "fields": self.fields(True)}).encode()
        footer = struct.pack("<8sII16s7QI36x", b"HRDFOOT\n", 128, self.s, self.uuid, self.sequence, samples,
                             self.claimed, self.layout(), 1, len(text), 0, self.entries[0] >> 40)
        footer += golden.up(text, 8) + tables
        at = len(self.out)
        self.out += golden.up(footer)
        return golden.sealed(struct.pack("<8sII16s5QHH52x", b"\x89HRD\r\n\x1a\n", 1, 4096, self.uuid, self.sequence, at,
                                         len(footer), golden.hash64(footer), len(self.out), 0, 0) + bytes(3960))


@pytest.fixture(scope="module")
def many_chunks(tmp_path_factory):
    writer = ManyChunks("many", [golden.Column("x", "fixed_bytes", np.zeros(1, "S4"), width=4)], 1)
    writer.job_record()
    writer.add(0, 1)
    writer.commit()
    path = tmp_path_factory.mktemp("many") / "many.hrd"
    path.write_bytes(writer.out)
    assert path.stat().st_size < 1 << 20
    return path


COMMANDS = [(["plan", "--shuffle"], 0), (["plan", "--shuffle", "--window", "60000000"], 0),
            (["epoch", "--shuffle", "--window", "60000000"], 1), (["epoch", "--shuffle", "--batch", "2000000000"], 1)]


@pytest.mark.parametrize("command, code", COMMANDS, ids=[" ".join(command) for command, _ in COMMANDS])
def test_order_of_very_many_chunks__takes_no_memory_before_it_is_known_to_fit(many_chunks, command, code):
    """With the fault each takes seconds, in which its peak is seen."""
    name, *options = command
    done = peak_memory.measure([PROGRAM, name, many_chunks, *options, "--budget", "64M"], stderr=subprocess.DEVNULL)
    assert done["returncode"] == code
    assert done["peak_hwm_bytes"] < MOST_BYTES
