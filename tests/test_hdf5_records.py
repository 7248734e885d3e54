"""Records (HDF5 compounds): read as wholes, each chunk once for all of their members."""

import random
import re
import signal
import subprocess
import time

import h5py
import numpy as np
import pytest

from hdf5_dump import TOOL, any_bits, list_sources, read_bytes
from headrace_command import PROGRAM, figures, good, headrace, needs_program

pytestmark = [needs_program, pytest.mark.skipif(TOOL is None, reason="no tool_hdf5_dump")]

MIB = 1 << 20
RECORD = np.dtype({"names": ["id", "pos", "image", "hits", "name", "text", "z", "raw", "kind"],
                   "formats": [">i8", np.dtype([("x", "<f4"), ("y", ">f4")]), ("u1", (2, 3)),
                               (np.dtype([("t", "<f8"), ("at", "<i2", (2,)), ("ok", "?")]), (4, 2)), "S5",
                               h5py.string_dtype("utf-8", 6), "<c8", "V3",
                               h5py.enum_dtype({"A": 0, "B": 7}, "u2")]}, align=True)


def leaves(values, path=""):
    """Each value of the records: the path of members, and its array."""
    if values.dtype.names:
        for name in values.dtype.names:
            yield from leaves(values[name], f"{path}/{name}" if path else name)
    else:
        yield path, values


def records(shape, dtype=RECORD, seed=1):
    made = np.zeros(shape, dtype)
    for number, (_, part) in enumerate(leaves(made)):
        if part.dtype == bool:
            part[...] = any_bits("u1", part.shape, seed + number) > 99
        elif part.dtype.kind == "S":
            part[...] = np.array([b"", b"\xc3\xa9", b"word"])[any_bits("u1", part.shape, seed + number) % 3]
        else:
            part[...] = any_bits(part.dtype, part.shape, seed + number)
    return made


def write(path, **datasets):
    with h5py.File(path, "w") as f:
        for name, (values, options) in datasets.items():
            f.create_dataset(name, data=values, **options)
    return path


def little(values):
    values = np.ascontiguousarray(values)
    return values.byteswap() if values.dtype.byteorder == ">" else values


def assert_same(target, folder, expected):
    """Of every field, whose name is the key."""
    good("export", target, "-o", folder, "--force")
    assert {f["name"] for f in figures("info", target)["fields"]} == set(expected)
    for name, values in expected.items():
        found = np.load(folder / (name.replace("/", "__") + ".npy"))
        if found.dtype.kind == "U":
            found = np.char.encode(found, "utf-8").astype(values.dtype)
        assert found.shape == values.shape, name
        assert found.tobytes() == little(values).tobytes(), name


def of_records(made, dataset="r"):
    return {f"{dataset}/{path}": values for path, values in leaves(made)}


LAYOUTS = {"contiguous": {}, "gzip": {"chunks": (100,), "compression": "gzip"},
           "fletcher": {"chunks": (333,), "fletcher32": True}, "one chunk": {"chunks": (3000,), "compression": "lzf"}}


@pytest.mark.parametrize("helpers", [1, 3])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_kind_of_member__converted__is_the_same(tmp_path, layout, helpers):
    made = records(3000)
    write(tmp_path / "a.h5", r=(made, LAYOUTS[layout]), y=(np.arange(3000), {}))
    good("convert", tmp_path / "a.h5", "-o", tmp_path / "out.hrd", "--helpers", helpers, "--threads", helpers)
    assert_same(tmp_path / "out.hrd", tmp_path / "npy", {**of_records(made), "y": np.arange(3000)})
    assert "all fields" in good("compare", tmp_path / "a.h5", tmp_path / "out.hrd")


def test_records_with_axes__converted__is_the_same(tmp_path):
    made = records((500, 3, 2))
    write(tmp_path / "a.h5", r=(made, {"chunks": (70, 2, 1), "compression": "gzip"}))
    good("convert", tmp_path / "a.h5", "-o", tmp_path / "out.hrd", "--helpers", 2)
    assert_same(tmp_path / "out.hrd", tmp_path / "npy", of_records(made))


def test_fields_and_names__chosen_of_two_data_sets__are_the_same(tmp_path):
    made, other = records(2000), records(2000, seed=50)
    write(tmp_path / "a.h5", r=(made, LAYOUTS["gzip"]), s=(other, LAYOUTS["fletcher"]))
    all_of_them = {**of_records(made), **of_records(other, "s")}
    for names in (["s/hits/t", "r/id", "s/id", "r/hits/at"], ["r/pos/y"], ["s/z", "r/raw"]):
        good("convert", tmp_path / "a.h5", "-o", tmp_path / "out.hrd", "--fields", ",".join(names), "--rename",
             f"{names[0]}=new", "--force")
        expected = {"new" if name == names[0] else name: all_of_them[name] for name in names}
        assert_same(tmp_path / "out.hrd", tmp_path / "npy", expected)


def test_part_of_the_members__by_its_path__is_the_same(tmp_path):
    made = records(700)
    write(tmp_path / "a.h5", r=(made, LAYOUTS["gzip"]))
    good("convert", f"{tmp_path}/a.h5:/r/hits", "-o", tmp_path / "out.hrd")
    expected = {name[2:]: values for name, values in of_records(made).items() if name.startswith("r/hits/")}
    assert_same(tmp_path / "out.hrd", tmp_path / "npy", expected)


def test_range_append_and_several_files__are_the_same(tmp_path):
    parts = [records(n, seed=n) for n in (1203, 1, 800)]
    for i, part in enumerate(parts):
        write(tmp_path / f"a{i}.h5", r=(part, LAYOUTS["gzip"] if len(part) > 100 else {}))
    files = [tmp_path / f"a{i}.h5" for i in range(3)]
    whole = np.concatenate(parts)
    good("convert", *files, "-o", tmp_path / "all.hrd", "--helpers", 2)
    assert_same(tmp_path / "all.hrd", tmp_path / "npy", of_records(whole))
    good("convert", *files, "-o", tmp_path / "range.hrd", "--range", "1150:1333")
    assert_same(tmp_path / "range.hrd", tmp_path / "npy", of_records(whole[1150:1333]))
    good("convert", files[2], "--append", "-o", tmp_path / "range.hrd")
    assert_same(tmp_path / "range.hrd", tmp_path / "npy", of_records(np.concatenate([whole[1150:1333], parts[2]])))


def test_virtual_data_set_of_records__is_the_same(tmp_path):
    parts = [records(n, seed=n) for n in (300, 450)]
    layout = h5py.VirtualLayout((750,), RECORD)
    for i, part in enumerate(parts):
        write(tmp_path / f"p{i}.h5", r=(part, LAYOUTS["gzip"]))
        at = 300 * i
        layout[at : at + len(part)] = h5py.VirtualSource(f"p{i}.h5", "r", (len(part),), RECORD)
    with h5py.File(tmp_path / "v.h5", "w") as f:
        f.create_virtual_dataset("r", layout)
    good("convert", tmp_path / "v.h5", "-o", tmp_path / "out.hrd")
    assert_same(tmp_path / "out.hrd", tmp_path / "npy", of_records(np.concatenate(parts)))


def test_never_written__reads_as_the_fill_value(tmp_path):
    dtype = np.dtype([("a", "<i4"), ("b", ">f8")])
    with h5py.File(tmp_path / "a.h5", "w") as f:
        ds = f.create_dataset("r", (1000,), dtype, chunks=(100,), fillvalue=np.array((7, 0.5), dtype))
        ds[300:420] = expected = records(120, dtype)
    whole = np.full(1000, np.array((7, 0.5), dtype))
    whole[300:420] = expected
    good("convert", tmp_path / "a.h5", "-o", tmp_path / "out.hrd")
    assert_same(tmp_path / "out.hrd", tmp_path / "npy", of_records(whole))


def test_members_of_variable_length__among_others__are_the_same(tmp_path):
    made = np.zeros(3000, [("a", "<i4"), ("text", h5py.string_dtype()), ("b", ">f4"), ("list", h5py.vlen_dtype("<i2"))])
    made["a"], made["b"] = any_bits("<i4", 3000), any_bits("<i4", 3000, 2)
    made["text"] = ["x" * (i % 9) for i in range(3000)]
    made["list"][:] = [np.arange(i % 5, dtype="<i2") for i in range(3000)]
    write(tmp_path / "a.h5", r=(made, LAYOUTS["gzip"]))
    good("convert", tmp_path / "a.h5", "-o", tmp_path / "all.hrd")
    good("export", tmp_path / "all.hrd", "-o", tmp_path / "all.npz")
    with np.load(tmp_path / "all.npz") as found:
        assert bytes(found["r/text.values"]).decode() == "".join("x" * (i % 9) for i in range(3000))
        assert np.array_equal(found["r/list.values"], np.concatenate(made["list"]))
        assert found["r/a"].tobytes() == made["a"].tobytes()
        assert found["r/b"].tobytes() == little(made["b"]).tobytes()


# --- once -------------------------------------------------------------------------------------------------------

WIDE = np.dtype([(f"m{i}", "<f4") for i in range(12)])


@pytest.mark.parametrize(("n", "chunk"), [(200_000, 1000), (200_000, 3333), (200_000, 150_000)])
@pytest.mark.parametrize("helpers", [1, 3])
def test_chunks__of_many_members__are_read_once(tmp_path, n, chunk, helpers):
    made = records(n, WIDE)
    write(tmp_path / "a.h5", r=(made, {"chunks": (chunk,), "shuffle": True}))
    before = read_bytes()
    good("convert", tmp_path / "a.h5", "-o", tmp_path / "out.hrd", "--helpers", helpers, "--threads", 3)
    once = (tmp_path / "a.h5").stat().st_size
    assert read_bytes() - before < 1.1 * once + 2 * MIB
    assert_same(tmp_path / "out.hrd", tmp_path / "npy", of_records(made))


def test_chunks__some_members_of_two_files__are_read_once(tmp_path):
    made = records(100_000, WIDE)
    for name in ("a", "b"):
        write(tmp_path / f"{name}.h5", r=(made, {"chunks": (2000,), "shuffle": True}))
    fields = ["r/m3", "r/m11", "r/m0"]
    before = read_bytes()
    good("convert", tmp_path / "a.h5", tmp_path / "b.h5", "-o", tmp_path / "out.hrd", "--fields", ",".join(fields))
    assert read_bytes() - before < 1.1 * 2 * (tmp_path / "a.h5").stat().st_size + 3 * MIB
    both = of_records(np.concatenate([made, made]))
    assert_same(tmp_path / "out.hrd", tmp_path / "npy", {name: both[name] for name in fields})


# --- memory, damage, interruption -------------------------------------------------------------------------------

@pytest.mark.parametrize("chunk", [50, 20_000])
def test_small_budget__names_what_would_do_and_does(tmp_path, chunk):
    made = records(20_000, WIDE)
    write(tmp_path / "a.h5", r=(made, {"chunks": (chunk,), "compression": "gzip"}), y=(np.arange(20_000), {}))
    command = ["convert", tmp_path / "a.h5", "-o", tmp_path / "out.hrd", "--threads", 1, "--budget"]
    done = headrace(*command, "100K")
    assert done.returncode == 1, done.stderr
    reading = int(re.search(r"reading the source takes (\d+)", done.stderr)[1])
    writing = int(re.search(r"writing needs at least (\d+)", done.stderr)[1])
    assert reading < 5 * chunk * WIDE.itemsize + 200_000  # once for all members
    for budget in (reading + writing, reading + writing + 100_000, 12 * MIB, 64 * MIB):
        good(*command, budget, "--force")
        assert_same(tmp_path / "out.hrd", tmp_path / "npy", {**of_records(made), "y": np.arange(20_000)})


@pytest.mark.parametrize("options", [[], ["--range", "100:4500"], ["--shuffle", "3"]])
def test_small_budget__of_several_data_sets_and_files__is_kept_by_all(tmp_path, options):
    for name, n in (("a", 2000), ("b", 3000)):
        made = records(n, WIDE)
        write(tmp_path / f"{name}.h5", r=(made, {"chunks": (170,), "compression": "gzip"}),
              s=(made, {"chunks": (99,), "compression": "gzip"}),
              y=(np.ones((n, 30)), {"chunks": (333, 7), "compression": "gzip"}))
    command = ["convert", tmp_path / "a.h5", tmp_path / "b.h5", "-o", tmp_path / "out.hrd", *options, "--budget"]
    done = headrace(*command, "100K")
    assert done.returncode == 1, done.stderr
    least = sum(int(n) for n in re.findall(r"(?:takes?|needs at least) (\d+)", done.stderr))
    for budget in (least, 2 * least):
        good(*command, budget, "--helpers", 8, "--threads", 2, "--force")


def test_bad_values__of_a_member__are_named(tmp_path):
    dtype = np.dtype([("a", "<i4"), ("ok", "?"), ("text", h5py.string_dtype("utf-8", 4))])
    made = records(500, dtype)
    made["text"] = b"abc"
    for member, value, says in (("ok", 7, "holds 7 where a bool"), ("text", 0xFF, "holds text that is not UTF-8")):
        raw = np.array(made).view("u1").reshape(500, dtype.itemsize).copy()
        raw[321, dtype.fields[member][1]] = value
        write(tmp_path / "a.h5", r=(raw.view(dtype)[:, 0], {}))
        done = headrace("convert", tmp_path / "a.h5", "-o", tmp_path / "out.hrd")
        assert done.returncode == 1 and f"a.h5:/r/{member}: sample 321 {says}" in done.stderr, done.stderr


def test_damaged_chunk__is_an_error_with_its_name(tmp_path):
    write(tmp_path / "a.h5", r=(records(2000, WIDE), {"chunks": (100,), "fletcher32": True}))
    with h5py.File(tmp_path / "a.h5") as f:
        at = f["r"].id.get_chunk_info(13).byte_offset
    raw = bytearray((tmp_path / "a.h5").read_bytes())
    raw[at + 40] ^= 1
    (tmp_path / "a.h5").write_bytes(raw)
    done = headrace("convert", tmp_path / "a.h5", "-o", tmp_path / "out.hrd")
    assert done.returncode == 3 and "a.h5:/r: samples " in done.stderr, done.stderr
    assert not (tmp_path / "out.hrd").exists()


def test_killed_at_any_instant__resumes(tmp_path):
    made = records(60_000, WIDE)
    write(tmp_path / "a.h5", r=(made, {"chunks": (500,), "compression": "gzip"}))
    command = [str(PROGRAM), "convert", str(tmp_path / "a.h5"), "-o", str(tmp_path / "out.hrd"), "--level", "9",
               "--chunk-bytes", "64K", "--quiet"]
    begun = time.monotonic()
    subprocess.run(command, check=True)
    whole_s = time.monotonic() - begun
    expected = (tmp_path / "out.hrd").stat().st_size
    rng = random.Random(3)
    for _ in range(6):
        (tmp_path / "out.hrd").unlink()
        process = subprocess.Popen(command)
        time.sleep(rng.random() * whole_s)
        process.send_signal(signal.SIGKILL)
        process.wait()
        if not (tmp_path / "out.hrd").exists():
            subprocess.run([*command, "--resume"], check=True)
        assert_same(tmp_path / "out.hrd", tmp_path / "npy", of_records(made))
        assert abs((tmp_path / "out.hrd").stat().st_size - expected) < expected / 10


def test_grows_while_it_is_written__what_is_there_is_taken(tmp_path):
    made = records(300, WIDE)
    with h5py.File(tmp_path / "a.h5", "w", libver=("v110", "v110")) as f:
        ds = f.create_dataset("r", (100,), WIDE, maxshape=(None,), chunks=(50,))
        ds[:] = made[:100]
        f.swmr_mode = True
        ds.resize((250,))
        ds[100:250] = made[100:250]
        ds.flush()
        good("convert", tmp_path / "a.h5", "-o", tmp_path / "out.hrd")
    assert_same(tmp_path / "out.hrd", tmp_path / "npy", of_records(made[:250]))


def test_listed__members_keep_their_order_and_shapes(tmp_path):
    write(tmp_path / "a.h5", r=(records(5), {}))
    listed = list_sources(tmp_path / "a.h5")
    assert [s["member"] for s in listed.answer] == [f"r/{path}" for path, _ in leaves(records(1))]
