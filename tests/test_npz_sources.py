"""Archives of arrays (.npz) through the command: converted and exported they are what NumPy reads; what is
damaged, hostile or of another kind is refused with its reason, in bounded time and memory."""

import io
import os
import pathlib
import resource
import shutil
import signal
import struct
import subprocess
import time
import zipfile
import zlib

import numpy as np
import pytest

from headrace_command import PROGRAM, good, headrace, needs_program

pytestmark = needs_program

SAVED = {"stored": np.savez, "deflated": np.savez_compressed}
DTYPES = ["?", "i1", "u1", "<i2", ">i2", "<u2", ">u4", "<i4", "<i8", ">i8", "<u8", "<f2", ">f2", "<f4", ">f4",
          "<f8", ">f8", "<c8", ">c16", "S5", "<U3", ">U3"]


def random_array(rng, dtype, shape):
    dtype = np.dtype(dtype)
    if dtype.kind == "U":
        letters = np.array(list("aZ09\u00e4\u6c34"))
        words = ["".join(rng.choice(letters, rng.integers(0, 4))) for _ in range(int(np.prod(shape)))]
        return np.array(words, dtype=dtype).reshape(shape)
    if dtype.kind == "b":
        return rng.integers(0, 2, size=shape).astype(bool)
    size = int(np.prod(shape)) * dtype.itemsize
    return np.frombuffer(rng.integers(1, 120, size=size, dtype=np.uint8).tobytes(), dtype=dtype).reshape(shape)


def converted(tmp_path, source, *options):
    good("convert", source, "-o", tmp_path / "out.hrd", "--force", "--threads", "1", *options)
    shutil.rmtree(tmp_path / "exported", ignore_errors=True)
    good("export", tmp_path / "out.hrd", "-o", tmp_path / "exported")
    return {path.stem: np.load(path) for path in (tmp_path / "exported").iterdir()}


def check_same(found, expected):
    assert found.shape == expected.shape
    assert found.dtype == expected.dtype.newbyteorder("<") or found.dtype.kind in "USb"
    assert found.tobytes() == expected.astype(expected.dtype.newbyteorder("<")).tobytes()


CANNOT, DAMAGED = 1, 3  # exit codes


def refused(tmp_path, source, *words, code=CANNOT, options=()):
    began = time.monotonic()
    done = headrace("convert", source, "-o", tmp_path / "bad.hrd", *options)
    assert done.returncode == code, (done.returncode, done.stderr)
    assert time.monotonic() - began < 30
    for word in words:
        assert word in done.stderr, done.stderr
    assert not (tmp_path / "bad.hrd").exists()
    return done.stderr


def npy_bytes(array):
    out = io.BytesIO()
    np.save(out, array)
    return out.getvalue()


def write_zip(path, members, method=zipfile.ZIP_DEFLATED):
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, data in members:
            archive.writestr(name, data)


def central_entry(data):
    """Where the only member's entry in the central directory begins."""
    return data.index(b"PK\x01\x02")


@pytest.mark.parametrize("kind", SAVED)
@pytest.mark.parametrize("dtype", DTYPES)
def test_every_dtype_comes_through(tmp_path, kind, dtype):
    x = random_array(np.random.default_rng(1), dtype, (203, 3, 2))
    SAVED[kind](tmp_path / "a.npz", x=x, y=np.arange(203))
    found = converted(tmp_path, tmp_path / "a.npz")
    assert sorted(found) == ["x", "y"]
    check_same(found["x"], x)
    check_same(found["y"], np.arange(203))


@pytest.mark.parametrize("block", range(8))
def test_random_archives_are_what_numpy_reads(tmp_path, block):
    rng = np.random.default_rng(1000 + block)
    for seed in range(12):
        samples = int(rng.choice([0, 1, 2, 17, 300, 5000]))
        arrays = {}
        for i in range(int(rng.integers(1, 4))):
            shape = (samples, *rng.integers(1, 5, size=rng.integers(0, 4)).tolist())
            arrays[f"f{i}"] = random_array(rng, rng.choice(DTYPES), shape)
        SAVED[rng.choice(list(SAVED))](tmp_path / "a.npz", **arrays)
        found = converted(tmp_path, tmp_path / "a.npz", "--budget", str(rng.choice(["64M", "256M"])))
        assert sorted(found) == sorted(arrays), seed
        for name, array in arrays.items():
            check_same(found[name], array)


def test_one_member_is_named(tmp_path):
    np.savez(tmp_path / "a.npz", x=np.arange(5), y=np.arange(7))
    assert list(converted(tmp_path, f"{tmp_path}/a.npz:/y")) == ["y"]
    refused(tmp_path, tmp_path / "a.npz", "same number of samples")
    refused(tmp_path, f"{tmp_path}/a.npz:/z", "there is no array z")
    good("convert", "--field", f"label={tmp_path}/a.npz:/x", "-o", tmp_path / "named.hrd")


def test_numbered_archives_are_parts(tmp_path):
    for part in range(3):
        np.savez_compressed(tmp_path / f"part_{part}.npz", x=np.full((4, 2), part), y=np.arange(4) + 4 * part)
    found = converted(tmp_path, f"{tmp_path}/part_*.npz")
    check_same(found["x"], np.repeat(np.arange(3), 8).reshape(12, 2))
    check_same(found["y"], np.arange(12))


def test_archive_resumes(tmp_path):
    rng = np.random.default_rng(3)
    x = rng.integers(0, 1000, size=(60000, 64)).astype("<f4")
    np.savez_compressed(tmp_path / "a.npz", x=x)
    command = ["convert", tmp_path / "a.npz", "-o", tmp_path / "out.hrd", "--threads", "1"]
    done = headrace(*command, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (3 << 20, 3 << 20)))
    assert done.returncode != 0 and (tmp_path / "out.hrd.partial").exists()
    assert "resumed after" in headrace(*command, "--resume").stderr
    good("export", tmp_path / "out.hrd", "-o", tmp_path / "exported")
    check_same(np.load(tmp_path / "exported" / "x.npy"), x)


def sparse_zip64(path, num_bytes):
    """One deflated member of zeros, larger than 4 GiB, that is small on the disk: deflate's blocks may be put
    side by side where each ends on a byte."""
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        header, {"descr": "|u1", "fortran_order": False, "shape": (num_bytes >> 20, 1 << 20)})
    deflate = zlib.compressobj(9, zlib.DEFLATED, -15)
    head = deflate.compress(header.getvalue()) + deflate.flush(zlib.Z_FULL_FLUSH)
    mebi = deflate.compress(bytes(1 << 20)) + deflate.flush(zlib.Z_FULL_FLUSH)
    again = deflate.compress(bytes(1 << 20)) + deflate.flush(zlib.Z_FULL_FLUSH)
    tail = deflate.flush(zlib.Z_FINISH)
    body = head + mebi + again * ((num_bytes >> 20) - 1) + tail
    crc = zlib.crc32(header.getvalue())
    zeros = bytes(1 << 20)
    for _ in range(num_bytes >> 20):
        crc = zlib.crc32(zeros, crc)
    size = len(header.getvalue()) + num_bytes
    name = b"x.npy"
    extra = struct.pack("<HHQQ", 1, 16, size, len(body))
    local = struct.pack("<4sHHHHHIIIHH", b"PK\3\4", 45, 0, 8, 0, 33, crc, 0xffffffff, 0xffffffff, len(name),
                        len(extra)) + name + extra
    central = struct.pack("<4sHHHHHHIIIHHHHHII", b"PK\1\2", 45, 45, 0, 8, 0, 33, crc, 0xffffffff, 0xffffffff,
                          len(name), len(extra), 0, 0, 0, 0, 0) + name + extra
    end = struct.pack("<4sHHHHIIH", b"PK\5\6", 0, 0, 1, 1, len(central), len(local) + len(body), 0)
    path.write_bytes(local + body + central + end)


def test_member_larger_than_4_gib(tmp_path):
    num_bytes = (4 << 30) + (5 << 20)
    sparse_zip64(tmp_path / "large.npz", num_bytes)
    assert (tmp_path / "large.npz").stat().st_size < 16 << 20
    good("convert", tmp_path / "large.npz", "-o", tmp_path / "out.hrd", "--codec", "zstd", "--level", "1",
         "--filter", "none")
    good("verify", tmp_path / "out.hrd")
    shown = good("info", tmp_path / "out.hrd")
    assert f"{num_bytes >> 20:,} samples" in shown


def helper_of(pid):
    """The process that reads for it, or None."""
    for task in pathlib.Path(f"/proc/{pid}/task").glob("*/children"):
        for child in task.read_text().split():
            if "headrace-source" in pathlib.Path(f"/proc/{child}/cmdline").read_text():
                return int(child)
    return None


def test_helper_that_is_killed_is_an_error_and_what_is_done_stays(tmp_path):
    sparse_zip64(tmp_path / "large.npz", 4 << 30)
    command = ["convert", tmp_path / "large.npz", "-o", tmp_path / "out.hrd", "--codec", "zstd", "--filter", "none"]
    child = subprocess.Popen([str(PROGRAM), *map(str, command)], stderr=subprocess.PIPE, text=True)
    partial = tmp_path / "out.hrd.partial"
    while not (partial.exists() and partial.stat().st_size > 1 << 20):
        assert child.poll() is None, child.stderr.read()
        time.sleep(0.01)
    os.kill(helper_of(child.pid), signal.SIGKILL)
    message = child.communicate(timeout=60)[1]
    assert child.returncode == 1, message
    assert "large.npz:/x: the helper that reads this file was ended by signal 9" in message
    assert "unzip -t" in message
    assert partial.exists() and not (tmp_path / "out.hrd").exists()


def test_member_that_is_no_array_is_refused(tmp_path):
    write_zip(tmp_path / "a.npz", [("x.npy", npy_bytes(np.arange(4))), ("notes.txt", b"hello")])
    refused(tmp_path, tmp_path / "a.npz", "/notes.txt: it is no array")
    assert list(converted(tmp_path, f"{tmp_path}/a.npz:/x")) == ["x"]
    write_zip(tmp_path / "b.npz", [("x.npy", b"no header at all")])
    refused(tmp_path, tmp_path / "b.npz", "/x.npy", "does not begin with", code=DAMAGED)


def test_folders_in_an_archive_are_passed_over(tmp_path):
    write_zip(tmp_path / "a.npz", [("g/", b""), ("g/x.npy", npy_bytes(np.arange(4)))])
    check_same(converted(tmp_path, tmp_path / "a.npz")["g__x"], np.arange(4))


def test_what_cannot_be_converted_says_why(tmp_path):
    np.savez(tmp_path / "a.npz", x=np.array(5))
    refused(tmp_path, tmp_path / "a.npz", "/x.npy", "no dimensions", "or choose the other arrays (--fields)")
    np.savez(tmp_path / "b.npz", x=np.array([{}], dtype=object))
    refused(tmp_path, tmp_path / "b.npz", "/x.npy")
    np.savez(tmp_path / "c.npz", x=np.array([2], np.uint8).view(bool))
    refused(tmp_path, tmp_path / "c.npz", "sample 0", "only 0 and 1")
    write_zip(tmp_path / "empty.npz", [])
    refused(tmp_path, tmp_path / "empty.npz", "holds no array")


def test_names_twice_are_refused(tmp_path):
    with pytest.warns(UserWarning, match="Duplicate name"):
        write_zip(tmp_path / "a.npz", [("x.npy", npy_bytes(np.arange(4)))] * 2)
    refused(tmp_path, tmp_path / "a.npz", "two members", "x.npy")


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_other_methods_are_refused(tmp_path, method):
    write_zip(tmp_path / "a.npz", [("x.npy", npy_bytes(np.arange(4)))], method)
    refused(tmp_path, tmp_path / "a.npz", f"method {method}", "stored and deflated")


def test_encrypted_members_are_refused(tmp_path):
    write_zip(tmp_path / "a.npz", [("x.npy", npy_bytes(np.arange(4)))])
    data = bytearray((tmp_path / "a.npz").read_bytes())
    data[6] |= 1
    data[central_entry(data) + 8] |= 1
    (tmp_path / "a.npz").write_bytes(data)
    refused(tmp_path, tmp_path / "a.npz", "encrypted")


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_flipped_bits_are_found(tmp_path, method):
    x = np.random.default_rng(5).integers(0, 9, size=(3000, 16)).astype(np.uint8)
    write_zip(tmp_path / "a.npz", [("x.npy", npy_bytes(x))], method)
    good_bytes = (tmp_path / "a.npz").read_bytes()
    rng = np.random.default_rng(6)
    end = central_entry(good_bytes)
    for at in rng.integers(200, end, size=24):
        data = bytearray(good_bytes)
        data[at] ^= 1 << int(rng.integers(0, 8))
        (tmp_path / "a.npz").write_bytes(data)
        refused(tmp_path, tmp_path / "a.npz", "a.npz:", code=DAMAGED)


def test_truncated_archives_are_refused(tmp_path):
    x = np.random.default_rng(5).integers(0, 9, size=(300, 16)).astype(np.uint8)
    write_zip(tmp_path / "a.npz", [("x.npy", npy_bytes(x))])
    whole = (tmp_path / "a.npz").read_bytes()
    for size in range(4, len(whole), max(1, len(whole) // 40)):
        (tmp_path / "a.npz").write_bytes(whole[:size])
        refused(tmp_path, tmp_path / "a.npz", "a.npz:", code=DAMAGED)


def with_sizes(data, size=None, comp_size=None):
    """The sizes that the central directory and the local header say."""
    data = bytearray(data)
    for at in (18, central_entry(data) + 20):
        if comp_size is not None:
            data[at:at + 4] = struct.pack("<I", comp_size)
        if size is not None:
            data[at + 4:at + 8] = struct.pack("<I", size)
    return bytes(data)


def test_sizes_that_cannot_be_are_refused_at_once(tmp_path):
    header = npy_bytes(np.zeros((1, 1 << 20), np.uint8))[:128]
    huge = header.replace(b"(1, 1048576)", b"(9000000, 1048576)".ljust(12))[:128]
    write_zip(tmp_path / "a.npz", [("x.npy", huge + bytes(1000))])
    refused(tmp_path, tmp_path / "a.npz", "header stands for", code=DAMAGED)
    data = (tmp_path / "a.npz").read_bytes()
    (tmp_path / "a.npz").write_bytes(with_sizes(data, size=0xf0000000))
    refused(tmp_path, tmp_path / "a.npz", "cannot have become", code=DAMAGED)


def test_member_that_inflates_to_more_than_it_says_is_stopped(tmp_path):
    x = np.zeros((1 << 10, 16), np.uint8)
    bomb = npy_bytes(x) + bytes(200 << 20)
    write_zip(tmp_path / "a.npz", [("x.npy", bomb)])
    data = (tmp_path / "a.npz").read_bytes()
    (tmp_path / "a.npz").write_bytes(with_sizes(data, size=len(npy_bytes(x))))
    refused(tmp_path, tmp_path / "a.npz", "goes on behind the size", code=DAMAGED,
            options=["--budget", "64M"])


def test_too_many_members_are_refused(tmp_path):
    member = npy_bytes(np.arange(1))
    write_zip(tmp_path / "a.npz", [(f"x{i}.npy", member) for i in range(4097)], zipfile.ZIP_STORED)
    refused(tmp_path, tmp_path / "a.npz", "4097 members")


def test_member_far_back_of_a_slow_helper_does_not_time_out(tmp_path):
    """Silence is counted from window to window, however much is passed over to go on after an interruption."""
    np.savez_compressed(tmp_path / "a.npz", x=np.zeros((400, 1 << 20), np.uint8))
    command = ["convert", tmp_path / "a.npz", "-o", tmp_path / "out.hrd", "--codec", "raw"]
    done = headrace(*command, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (390 << 20, 390 << 20)))
    assert done.returncode != 0
    resumed = headrace(*command, "--resume", "--helper-timeout", "300ms")
    assert resumed.returncode == 0 and "resumed after" in resumed.stderr, resumed.stderr


@pytest.mark.parametrize("kind", ["array", "records"])
def test_range_of_a_damaged_member__is_refused_by_the_checksum_at_its_end(kind, tmp_path):
    x = np.arange(3_000_000, dtype="i4")
    rows = x if kind == "array" else np.rec.fromarrays([x, x * 2.0], names="a,b")
    np.savez(tmp_path / "whole.npz", x=rows)
    content = bytearray((tmp_path / "whole.npz").read_bytes())
    content[content.find(rows[100:110].tobytes())] ^= 0x40
    (tmp_path / "bad.npz").write_bytes(content)
    for more in ([], ["--shuffle", "3"]):
        arguments = ["-o", "o.hrd", "--range", "95:105", "--budget", "64M", *more]
        good("convert", "whole.npz", *arguments, "--force", cwd=tmp_path)
        (tmp_path / "o.hrd").unlink()
        done = headrace("convert", "bad.npz", *arguments, cwd=tmp_path)
        assert done.returncode == 3 and "checksum" in done.stderr, done.stderr
        assert not (tmp_path / "o.hrd").exists()
