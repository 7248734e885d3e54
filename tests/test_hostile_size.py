"""Small files whose figures stand for very much: what they are opened for is refused, or done, within memory that has
to do with the budget and not with the figures."""

import json
import pathlib
import resource
import struct
import sys

import pytest

np = pytest.importorskip("numpy")

from headrace_command import headrace, needs_program  # noqa: E402

sys.path.insert(0, str(pathlib.Path(__file__).parent / "golden"))
import make_golden as golden  # noqa: E402

pytestmark = needs_program

MOST_BYTES = 700 << 20  # of addresses, of which stacks and heaps of threads are most; the tables would be 1 GB


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


def limit_memory():
    resource.setrlimit(resource.RLIMIT_AS, (MOST_BYTES, MOST_BYTES))


@pytest.mark.parametrize("command", [["plan"], ["plan", "--shuffle"], ["plan", "--shuffle", "--window", "60000000"],
                                     ["epoch", "--shuffle"], ["epoch", "--shuffle", "--window", "60000000"],
                                     ["epoch", "--shuffle", "--batch", "2000000000"]])
def test_order_of_very_many_chunks__takes_no_memory_before_it_is_known_to_fit(many_chunks, command):
    name, *options = command
    done = headrace(name, many_chunks, *options, "--budget", "64M", preexec_fn=limit_memory)
    expected = 0 if name == "plan" else 1 if "budget" in done.stderr else 3
    assert done.returncode == expected and "out of memory" not in done.stderr, (done.stdout, done.stderr)
