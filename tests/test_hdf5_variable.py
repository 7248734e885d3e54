"""HDF5 strings and sequences of variable length through `headrace convert` and hr.convert(): what h5py reads, or a
reason. $HEADRACE_SEEDS is how many random files are tried (default 40)."""

import contextlib
import fcntl
import os
import pathlib
import re
import resource
import shutil
import socket
import struct
import subprocess
import zipfile

import h5py
import numpy as np
import pytest

from headrace_command import PLACE, PROGRAM, figures, good, headrace, helpers_of, needs_program
from python_package import hr

pytestmark = needs_program
HELPER = pathlib.Path(os.environ.get("HEADRACE_LIBEXEC", PLACE.parent / "libexec" / "headrace")) / "headrace-source"
OPEN, READ, CLOSE, HELLO, OPENED, ROWS, ERROR, DONE = 2, 3, 4, 64, 67, 68, 69, 96  # of helper_protocol.h
SEEDS = range(int(os.environ.get("HEADRACE_SEEDS", "40")))
NUMBERS = ["i1", "<i2", ">i4", "<i8", "u1", ">u2", "<u4", "<u8", "<f2", ">f4", "<f8", "<c8", ">c16"]
ALPHABET = np.array(list("abc Z09äß€😀\n\t"))
LAYOUTS = [{}, {"chunks": (7,)}, {"chunks": (5000,), "maxshape": (None,), "compression": "gzip"}]


def random_texts(rng, n, longest=40):
    return ["".join(rng.choice(ALPHABET, size)) for size in rng.integers(0, longest, n)]


def random_rows(rng, n, dtype, longest=50):
    rows = []
    for size in rng.integers(0, longest, n):
        bits = rng.integers(0, 100, 2 * size).astype("f8")
        rows.append((bits[:size] + 1j * bits[size:]).astype(dtype) if "c" in dtype else bits[:size].astype(dtype))
    return rows


def write_rows(file, name, rows, dtype, **layout):
    dataset = file.create_dataset(name, (len(rows),), dtype=h5py.vlen_dtype(np.dtype(dtype)), **layout)
    for i, row in enumerate(rows):
        if len(row) > 0 or i % 2:  # the others are never written
            dataset[i] = row


def assert_same(values, expected):
    assert len(values) == len(expected)
    for i, (value, wanted) in enumerate(zip(values, expected, strict=True)):
        if isinstance(wanted, np.ndarray):
            assert value.dtype == wanted.dtype.newbyteorder("="), i
            assert value.tobytes() == wanted.astype(wanted.dtype.newbyteorder("<")).tobytes(), i
        else:
            assert value == wanted, i


def assert_field(path, name, expected):
    with hr.open(path) as dataset:
        assert_same(list(dataset[name][:]), expected)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", NUMBERS)
def test_sequences__of_every_number__are_what_h5py_reads(tmp_path, dtype, layout):
    rows = random_rows(np.random.default_rng(1), 300, dtype)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        write_rows(file, "x", rows, dtype, **layout)
    good("convert", tmp_path / "a.h5", "-o", tmp_path / "a.hrd")
    assert_field(tmp_path / "a.hrd", "x", rows)
    with h5py.File(tmp_path / "a.h5") as file:  # h5py itself does not swap bytes in sequences
        assert dtype[0] == ">" or all(np.array_equal(a, b) for a, b in zip(file["x"], rows, strict=True))


def test_sequences__of_bools_and_enumerations__are_their_integers(tmp_path):
    colours = h5py.enum_dtype({"red": 1, "blue": 300}, basetype="i2")
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("b", (3,), dtype=h5py.vlen_dtype(np.dtype(bool)))[1] = [True, False, True]
        file.create_dataset("e", (3,), dtype=h5py.vlen_dtype(colours))[0] = [1, 300]
    hr.convert(tmp_path / "a.h5", out=tmp_path / "a.hrd")
    none = np.empty(0, "u1")
    assert_field(tmp_path / "a.hrd", "b", [none, np.array([1, 0, 1], "u1"), none])
    assert_field(tmp_path / "a.hrd", "e", [np.array([1, 300], "i2"), none.astype("i2"), none.astype("i2")])
    with hr.open(tmp_path / "a.hrd") as dataset:
        assert dataset.fields["e"].attributes["headrace:enum"] == {"red": 1, "blue": 300}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_texts__of_both_character_sets__are_what_h5py_reads(tmp_path, layout):
    texts = random_texts(np.random.default_rng(2), 700)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("utf8", data=texts, dtype=h5py.string_dtype(), **layout)
        file.create_dataset("ascii", data=[t.encode() for t in texts], dtype=h5py.string_dtype("ascii"), **layout)
    good("convert", tmp_path / "a.h5", "-o", tmp_path / "a.hrd")
    assert_field(tmp_path / "a.hrd", "utf8", texts)
    assert_field(tmp_path / "a.hrd", "ascii", [t.encode() for t in texts])


def test_texts__ascii_that_is_none__keeps_its_bytes_and_utf8_that_is_none_is_refused(tmp_path):
    broken = b"caf\xe9"
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("x", data=[b"a", broken], dtype=h5py.string_dtype("ascii"))
    with h5py.File(tmp_path / "b.h5", "w") as file:
        file.create_dataset("x", data=[b"a", broken], dtype=h5py.string_dtype())
    good("convert", tmp_path / "a.h5", "-o", tmp_path / "a.hrd")
    assert_field(tmp_path / "a.hrd", "x", [b"a", broken])
    done = headrace("convert", tmp_path / "b.h5", "-o", tmp_path / "b.hrd")
    assert done.returncode == 1 and "b.h5:/x: sample 1 holds text that is not UTF-8" in done.stderr
    assert not (tmp_path / "b.hrd").exists()


def test_texts__never_written_or_null__are_empty_and_a_fill_value_counts(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("none", (1000,), dtype=h5py.string_dtype(), chunks=(10,))
        file.create_dataset("some", (1000,), dtype=h5py.string_dtype(), chunks=(10,))[500:503] = ["a", "", "bc"]
        file.create_dataset("filled", (1000,), dtype=h5py.string_dtype(), fillvalue="?")[7] = "x"
    good("convert", tmp_path / "a.h5", "-o", tmp_path / "a.hrd")
    with h5py.File(tmp_path / "a.h5") as file:
        for name in file:
            assert_field(tmp_path / "a.hrd", name, list(file[name].asstr()[:]))


def test_nothing__no_samples__is_a_field_without_any(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("t", (0,), dtype=h5py.string_dtype(), maxshape=(None,))
        file.create_dataset("r", (0,), dtype=h5py.vlen_dtype("i4"), maxshape=(None,))
    assert figures("convert", tmp_path / "a.h5", "-o", tmp_path / "a.hrd")["samples"] == 0
    with hr.open(tmp_path / "a.hrd") as dataset:
        assert sorted(dataset.fields) == ["r", "t"]


def test_records__a_member_of_variable_length__is_a_field(tmp_path):
    kind = np.dtype([("n", "i4"), ("t", h5py.string_dtype()), ("r", h5py.vlen_dtype("f4"))])
    with h5py.File(tmp_path / "a.h5", "w") as file:
        dataset = file.create_dataset("x", (3,), dtype=kind, chunks=(2,))
        for i, text in enumerate(["a", "", "ccc"]):
            dataset[i] = (i, text, np.arange(i, dtype="f4"))
    good("convert", tmp_path / "a.h5", "-o", tmp_path / "a.hrd")
    assert_field(tmp_path / "a.hrd", "x/t", ["a", "", "ccc"])
    assert_field(tmp_path / "a.hrd", "x/r", [np.arange(i, dtype="f4") for i in range(3)])
    with hr.open(tmp_path / "a.hrd") as dataset:
        assert dataset["x/n"][:].tolist() == [0, 1, 2]


def random_file(path, seed):
    """Fields of variable length and one of numbers, and what they hold."""
    rng = np.random.default_rng(seed)
    n = int(rng.integers(1, 3000))
    expected = {"t": random_texts(rng, n, int(rng.choice([2, 30, 300])))}
    dtype = str(rng.choice(NUMBERS))
    expected["r"] = random_rows(rng, n, dtype, int(rng.choice([2, 100])))
    if rng.random() < 0.3:  # one far longer than the others
        expected["t"][int(rng.integers(n))] = "xyz" * int(rng.integers(1, 100_000))
    with h5py.File(path, "w") as file:
        layout = {"chunks": (int(rng.integers(1, 2 * n + 1)),), "maxshape": (None,)} if rng.random() < 0.7 else {}
        file.create_dataset("t", data=expected["t"], dtype=h5py.string_dtype(), **layout)
        write_rows(file, "r", expected["r"], dtype, **layout)
        file["y"] = np.arange(n)
    return expected


@pytest.mark.parametrize("seed", SEEDS)
def test_random_files__with_any_budget__are_what_h5py_reads(tmp_path, seed):
    expected = random_file(tmp_path / "a.h5", seed)
    budget = ["48M", "96M", "256M"][seed % 3]
    good("convert", tmp_path / "a.h5", "-o", tmp_path / "a.hrd", "--budget", budget, "--threads", 1 + seed % 2)
    for name, values in expected.items():
        assert_field(tmp_path / "a.hrd", name, values)
    with hr.open(tmp_path / "a.hrd") as dataset:
        assert dataset["y"][:].tolist() == list(range(len(expected["t"])))
    assert figures("compare", tmp_path / "a.hrd", tmp_path / "a.h5", "--budget", budget)["equal"]
    assert figures("compare", tmp_path / "a.h5", tmp_path / "a.hrd")["equal"]


def test_compare__a_text_that_differs__is_found(tmp_path):
    texts = random_texts(np.random.default_rng(3), 9000)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("t", data=texts, dtype=h5py.string_dtype())
    good("convert", tmp_path / "a.h5", "-o", tmp_path / "a.hrd")
    shutil.copy(tmp_path / "a.h5", tmp_path / "b.h5")
    with h5py.File(tmp_path / "b.h5", "a") as file:
        file["t"][8123] = "another"
    for a, b in (("a.hrd", "b.h5"), ("a.h5", "b.h5")):
        done = headrace("compare", tmp_path / a, tmp_path / b, "--json")
        assert done.returncode == 4 and "another" in done.stdout and "8123" in done.stdout


def test_fields_range_rename__choose_among_them(tmp_path):
    expected = random_file(tmp_path / "a.h5", 4)
    n = len(expected["t"])
    good("convert", tmp_path / "a.h5", "-o", tmp_path / "a.hrd", "--fields", "r,t", "--rename", "t=text",
         "--range", f"{n // 3}:{n // 2}")
    assert_field(tmp_path / "a.hrd", "text", expected["t"][n // 3 : n // 2])
    assert_field(tmp_path / "a.hrd", "r", expected["r"][n // 3 : n // 2])
    good("convert", f"{tmp_path / 'a.h5'}:/t", "-o", tmp_path / "b.hrd")
    assert_field(tmp_path / "b.hrd", "t", expected["t"])


def test_several_files__are_one_after_the_other_and_appended(tmp_path):
    texts = {}
    (tmp_path / "in").mkdir()
    for i in range(3):
        texts[i] = random_texts(np.random.default_rng(i), 500 * i)
        with h5py.File(tmp_path / "in" / f"x_{i}.h5", "w") as file:
            file.create_dataset("t", data=texts[i], dtype=h5py.string_dtype(), maxshape=(None,))
            file["t"].attrs["unit"] = "word"
    good("convert", tmp_path / "in", "-o", tmp_path / "a.hrd")
    assert_field(tmp_path / "a.hrd", "t", texts[0] + texts[1] + texts[2])
    good("convert", tmp_path / "in" / "x_1.h5", "-o", tmp_path / "a.hrd", "--append")
    assert_field(tmp_path / "a.hrd", "t", texts[0] + texts[1] + texts[2] + texts[1])
    good("convert", tmp_path / "a.hrd", tmp_path / "in" / "x_2.h5", "-o", tmp_path / "b.hrd")
    assert_field(tmp_path / "b.hrd", "t", texts[0] + texts[1] + texts[2] + texts[1] + texts[2])
    with hr.open(tmp_path / "a.hrd") as dataset:
        assert dataset.fields["t"].attributes["unit"] == "word"


def test_resume__after_a_stop__is_as_if_there_was_none(tmp_path):
    texts = random_texts(np.random.default_rng(5), 200_000)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("t", data=texts, dtype=h5py.string_dtype(), chunks=(1000,))
    out = tmp_path / "a.hrd"

    command = ["convert", tmp_path / "a.h5", "-o", out, "--codec", "raw", "--threads", "1"]
    stopped = headrace(*command, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (3 << 20, 3 << 20)))
    assert stopped.returncode == 1
    assert "resumed after" in headrace(*command, "--resume").stderr
    assert_field(out, "t", texts)


def test_a_long_value__needs_a_budget__and_is_then_converted(tmp_path):
    values = ["a", "b" * 30_000_000, "c" * 31_000_000, "d"]
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("t", data=values, dtype=h5py.string_dtype())
    done = headrace("convert", tmp_path / "a.h5", "-o", tmp_path / "a.hrd", "--budget", "64M")
    assert done.returncode == 1 and "sample 1 has 3000000" in done.stderr and "larger by" in done.stderr
    assert not (tmp_path / "a.hrd").exists()
    larger = int(done.stderr.split("larger by ")[1].split()[0])
    good("convert", tmp_path / "a.h5", "-o", tmp_path / "a.hrd", "--budget", (64 << 20) + larger + (32 << 20))
    assert_field(tmp_path / "a.hrd", "t", values)


@pytest.mark.parametrize("command", ["convert", "compare"])
def test_a_long_value__needs_a_helper_of_much_memory__which_the_message_says(tmp_path, command):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("t", data=["a", "b" * 30_000_000], dtype=h5py.string_dtype())
    good("convert", tmp_path / "a.h5", "-o", tmp_path / "a.hrd")
    other = ["-o", tmp_path / "b.hrd"] if command == "convert" else [tmp_path / "a.hrd"]
    refused = headrace(command, tmp_path / "a.h5", *other, "--helper-memory", "190M")
    assert refused.returncode == 1 and "sample 1 has 3000000" in refused.stderr and "budget" not in refused.stderr
    good(command, tmp_path / "a.h5", *other, "--helper-memory", "500M")
    name, to = ("out", "c.hrd") if command == "convert" else ("b", "a.hrd")
    with pytest.raises(hr.Error, match="allow it more, or leave that limit out"):
        getattr(hr, command)(tmp_path / "a.h5", helper_memory="190M", **{name: tmp_path / to})


def heap_of(data):
    """Where the first global heap begins and ends."""
    begin = data.index(b"GCOL")
    return begin, begin + int.from_bytes(data[begin + 8 : begin + 16], "little")


@pytest.mark.parametrize("seed", SEEDS)
def test_damaged_heap__flipped_bits__never_crash_the_command(tmp_path, seed):
    rng = np.random.default_rng(seed)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("t", data=random_texts(rng, 60), dtype=h5py.string_dtype())
        write_rows(file, "r", random_rows(rng, 60, "<i4"), "<i4")
    data = bytearray((tmp_path / "a.h5").read_bytes())
    begin, end = heap_of(data)
    for _ in range(int(rng.integers(1, 8))):
        data[int(rng.integers(begin, end))] ^= 1 << int(rng.integers(8))
    (tmp_path / "a.h5").write_bytes(data)
    done = headrace("convert", tmp_path / "a.h5", "-o", tmp_path / "a.hrd", "--helper-timeout", "5s", "--budget", "64M")
    assert done.returncode in (0, 1, 3), (done.returncode, done.stderr)
    assert (tmp_path / "a.hrd").exists() == (done.returncode == 0)
    assert done.returncode == 0 or "a.h5" in done.stderr


@pytest.mark.parametrize("length", [2**31, 2**32 - 1])
def test_a_length_that_lies__is_an_error_within_the_limits(tmp_path, length):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("t", data=["abc", "defgh", "i"], dtype=h5py.string_dtype())
        where = file["t"].id.get_offset()
    data = bytearray((tmp_path / "a.h5").read_bytes())
    assert data[where + 16 : where + 20] == (5).to_bytes(4, "little")
    data[where + 16 : where + 20] = length.to_bytes(4, "little")
    (tmp_path / "a.h5").write_bytes(data)
    done = headrace("convert", tmp_path / "a.h5", "-o", tmp_path / "a.hrd", "--budget", "64M")
    assert done.returncode in (1, 3) and "a.h5:/t" in done.stderr and "(nothing)" not in done.stderr
    assert not (tmp_path / "a.hrd").exists()


def test_shuffle__is_refused_with_what_to_do(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("t", data=["a", "b"], dtype=h5py.string_dtype())
    done = headrace("convert", tmp_path / "a.h5", "-o", tmp_path / "a.hrd", "--shuffle", 1)
    assert done.returncode == 1 and "not shuffled" in done.stderr


def packet(kind, body):
    return struct.pack("<4sHHII", b"HRSH", 2, kind, len(body), 0) + body


def text(value):
    return struct.pack("<I", len(value)) + value + b"\0"


@contextlib.contextmanager
def started_helper():
    """A helper, and the socket to talk to it, after its greeting."""
    ours, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    its.set_inheritable(True)
    command = [HELPER, "2", "3", str(100 << 20), str(os.getpid())]
    with subprocess.Popen(command, preexec_fn=lambda: os.dup2(its.fileno(), 3), close_fds=False) as helper, ours:
        its.close()
        ours.settimeout(20)
        assert kind_of(ours.recv(16384)) == HELLO
        yield ours
        assert helper.poll() is None
        ours.close()


def kind_of(answer):
    return struct.unpack_from("<H", answer, 6)[0]


def ask_to_open(ours, path, name, number, slot_bytes):
    slots = os.memfd_create("slots", os.MFD_ALLOW_SEALING)
    os.ftruncate(slots, 2 * slot_bytes)
    fcntl.fcntl(slots, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW)
    body = struct.pack("<IIQQQ", 0, number, 100 << 20, slot_bytes, 0) + text(os.fsencode(path)) + text(name)
    socket.send_fds(ours, [packet(OPEN, body)], [slots])
    os.close(slots)


@pytest.mark.parametrize(("name", "why"), [(b"x", b"reading it needs 104 MiB"), (b"none", b"none")])
def test_helper__asked_to_read_what_it_could_not_open__refuses_that_too(tmp_path, name, why):
    """All is asked at once; 100 MiB are too little for values of variable length in slots of 8 MiB."""
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("x", data=["a", "b"], dtype=h5py.string_dtype())
    with started_helper() as ours:
        ask_to_open(ours, tmp_path / "a.h5", name, 7, 8 << 20)
        for slot in range(2):
            ours.send(packet(READ, struct.pack("<IIQQ", 7, slot, slot, 1)))
        answers = [ours.recv(16384) for _ in range(3)]
        assert [kind_of(answer) for answer in answers] == [ERROR, ERROR, ERROR]
        assert why in answers[0] and b"no data set is open" in answers[2]


def test_helper__numbers_of_arrays__are_those_that_are_open(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("x", data=np.arange(100), chunks=(10,), compression="gzip")
        file.create_dataset("t", data=["a", "b"], dtype=h5py.string_dtype())
    with started_helper() as ours:
        def answer():
            got = ours.recv(16384)
            return kind_of(got), got

        def read(number):
            ours.send(packet(READ, struct.pack("<IIQQ", number, 0, 0, 1)))
            return answer()

        def close(number):
            ours.send(packet(CLOSE, struct.pack("<I", number)))
            return answer()[0]

        for number, name in ((3, b"x"), (4095, b"t"), (0, b"x")):
            ask_to_open(ours, tmp_path / "a.h5", name, number, 1 << 16)
            assert answer()[0] == OPENED
        ask_to_open(ours, tmp_path / "a.h5", b"x", 3, 1 << 16)
        kind, said = answer()
        assert kind == ERROR and b"open already" in said
        assert [read(number)[0] for number in (3, 4095, 0, 4, 4094)] == [ROWS, ROWS, ROWS, ERROR, ERROR]
        assert [close(number) for number in (3, 3, 4095, 9)] == [DONE] * 4
        kind, said = read(3)
        assert kind == ERROR and b"no data set is open" in said
        assert read(0)[0] == ROWS
        ask_to_open(ours, tmp_path / "a.h5", b"t", 3, 1 << 16)
        assert answer()[0] == OPENED and read(3)[0] == ROWS


@pytest.mark.parametrize("n_bytes", [300_000, 5_000_000, 30_000_000])
def test_value_that_is_too_long_for_the_budget__what_is_named_does(tmp_path, n_bytes):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("t", data=["a"] * 500 + ["b" * n_bytes], dtype=h5py.string_dtype())
    done = headrace("convert", tmp_path / "a.h5", "-o", tmp_path / "a.hrd", "--budget", 6_000_000)
    larger = int(re.search(r"a budget that is larger by (\d+) bytes", done.stderr)[1])
    good("convert", tmp_path / "a.h5", "-o", tmp_path / "a.hrd", "--budget", 6_000_000 + larger)


def test_fields__that_are_kept__others_need_not_be_convertible(tmp_path):
    x = np.arange(12.0).reshape(4, 3)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["x"], file["names"], file["meta/version"] = x, ["a", "b", "c", "d"], 3
        file["reference"] = file["x"].ref
        file["gone"] = h5py.SoftLink("/nowhere")
        file.create_dataset("rows", (4,), [("good", "f4"), ("odd", h5py.ref_dtype), ("later", "i4"), ("last", "u2")])
        file["rows"][..., "last"] = np.arange(4, dtype="u2") * 300
    source, target = tmp_path / "a.h5", tmp_path / "a.hrd"
    assert headrace("convert", source, "-o", target).returncode == 1
    good("convert", source, "-o", target, "--fields", "names,x,rows/last,rows/good")
    assert [field["name"] for field in figures("info", target)["fields"]] == ["names", "x", "rows/last", "rows/good"]
    good("compare", target, source, "--fields", "x,names,rows/good,rows/last")
    np.testing.assert_array_equal(hr.open(target)["x"][:], x)
    np.testing.assert_array_equal(hr.open(target)["rows/last"][:], np.arange(4) * 300)
    for name, why in (("meta/version", "no axis of samples"), ("reference", "reference"), ("gone", "nowhere"),
                      ("rows/odd", "odd"), ("nothing", "no input gives a field nothing")):
        done = headrace("convert", source, "-o", target, "--force", "--fields", f"x,{name}")
        assert done.returncode == 1 and why in done.stderr, done.stderr
    done = headrace("compare", target, source, "--fields", "meta/version")
    assert done.returncode == 1 and "no axis of samples" in done.stderr
    # Of what becomes one field nothing may be missing.
    for field, why in ((f"X={source}:/meta/version", "no axis of samples"), (f"X={source}", "/gone")):
        done = headrace("convert", "--field", field, "-o", target, "--force", "--fields", "X")
        assert done.returncode == 1 and why in done.stderr, done.stderr
    done = headrace("convert", f"{source}:/meta/version", "-o", target, "--force", "--fields", "x")
    assert done.returncode == 1 and "no axis of samples" in done.stderr, done.stderr


def test_members__that_are_kept__others_need_not_be_arrays(tmp_path):
    np.savez(tmp_path / "a.npz", x=np.arange(5), objects=np.array([1, "a"], object))
    with zipfile.ZipFile(tmp_path / "a.npz", "a") as archive:
        archive.writestr("readme.txt", "hello")
    assert headrace("convert", tmp_path / "a.npz", "-o", tmp_path / "a.hrd").returncode == 1
    good("convert", tmp_path / "a.npz", "-o", tmp_path / "a.hrd", "--fields", "x")
    done = headrace("convert", tmp_path / "a.npz", "-o", tmp_path / "a.hrd", "--force", "--fields", "x,objects")
    assert done.returncode == 1 and "objects" in done.stderr and "no input gives" not in done.stderr


def test_many_data_sets__are_read_by_as_many_helpers_as_may_be(tmp_path):
    """Fixed and of variable length, some longer than a slot: what a helper holds is opened anew beside the others."""
    texts = ["x" * (3 << 20 if row == 60 else row) for row in range(100)]
    with h5py.File(tmp_path / "a.h5", "w") as file:
        for i in range(20):
            file.create_dataset(f"n{i}", data=np.arange(i, i + 100), chunks=(7,), compression="gzip")
            file.create_dataset(f"t{i}", data=texts if i % 7 == 0 else texts[:50] * 2, dtype=h5py.string_dtype())
    good("convert", tmp_path / "a.h5", "-o", tmp_path / "fixed.hrd", "--helpers", "2", "--fields",
         ",".join(f"n{i}" for i in range(20)))
    seen = set()
    with subprocess.Popen([PROGRAM, "convert", tmp_path / "a.h5", "-o", tmp_path / "a.hrd", "--helpers", "2"],
                          stdout=subprocess.DEVNULL) as child:
        while child.poll() is None:
            seen |= helpers_of(child.pid)
    assert child.returncode == 0 and 1 <= len(seen) <= 3  # one lists
    good("compare", tmp_path / "a.h5", tmp_path / "a.hrd")
    good("compare", tmp_path / "fixed.hrd", tmp_path / "a.h5", "--fields", "n0,n19")
