"""Structured arrays: each member becomes a field that holds what NumPy has, whatever the members are; and what cannot
be converted is refused by its name."""

import os
import random
import subprocess

import pytest

np = pytest.importorskip("numpy")

from headrace_command import PROGRAM, figures, good, headrace, needs_program  # noqa: E402
from python_package import hr  # noqa: E402

pytestmark = [needs_program, pytest.mark.filterwarnings("ignore:Stored array in format 3.0")]

SEEDS = int(os.environ.get("HEADRACE_SEEDS", "40"))
KINDS = "b1 i1 <i2 >i4 <i8 u1 >u2 <u4 >u8 <f2 >f4 <f8 <c8 >c16 S1 S7 <U1 >U5".split()
NAMES = ["x", "y", "größe", "a b", "π", "f0", "X", "label"]


def random_members(chance, depth=0):
    members = []
    for name in chance.sample(NAMES, chance.randint(1, 5)):
        nested = depth < 2 and chance.random() < 0.2
        kind = random_members(chance, depth + 1) if nested else chance.choice(KINDS)
        least = 0 if chance.random() < 0.1 else 1
        shape = tuple(chance.randint(least, 3) for _ in range(chance.choice([0, 0, 0, 1, 2])))
        members.append((name, kind, shape))
    return members


def leaves(array, prefix=""):
    """Name and values of each member, in order."""
    for name in array.dtype.names:
        if array[name].dtype.names:
            yield from leaves(array[name], f"{prefix}{name}/")
        else:
            yield prefix + name, array[name]


def filled(rng, dtype, shape):
    array = np.zeros(shape, dtype)
    for _, values in leaves(array):
        kind = values.dtype
        if kind.kind == "b":
            values[...] = rng.integers(0, 2, values.shape)
        elif kind.kind == "U":
            values[...] = rng.choice(np.array(["", "a", "€é", "\U0001f600"]), values.shape)
        else:
            values[...] = np.frombuffer(rng.bytes(values.size * kind.itemsize), kind).reshape(values.shape)
    return array


def assert_converted(data, array, prefix="", others=()):
    expected = dict(leaves(array, prefix))
    assert list(data.fields) == [*expected, *others]
    for name, values in expected.items():
        got = data[name][:]
        assert got.shape == values.shape
        if values.dtype.kind == "U":
            assert np.char.decode(got, "utf-8").tolist() == values.tolist()
        else:
            assert got.tobytes() == values.astype(values.dtype.newbyteorder("<")).tobytes()


def random_array(seed, chance):
    dtype = np.dtype(random_members(chance), align=chance.random() < 0.5)
    if dtype.itemsize == 0:
        pytest.skip("records without bytes")
    shape = (chance.choice([0, 1, 7, 1000, 9000]), *((chance.randint(1, 3),) if chance.random() < 0.2 else ()))
    return filled(np.random.default_rng(seed), dtype, shape)


@pytest.mark.parametrize("seed", range(SEEDS))
def test_random_members(seed, tmp_path):
    chance = random.Random(seed)
    array = random_array(seed, chance)
    np.save(tmp_path / "a.npy", array)
    good("convert", "a.npy", "-o", "a.hrd", "--threads", chance.randint(1, 4), "--budget", "24M", cwd=tmp_path)
    assert_converted(hr.open(tmp_path / "a.hrd"), array)
    good("compare", "a.npy", "a.hrd", cwd=tmp_path)


@pytest.mark.parametrize("seed", range(SEEDS))
def test_random_members_in_an_archive(seed, tmp_path):
    chance = random.Random(1000 + seed)
    array = random_array(seed, chance)
    save = chance.choice([np.savez, np.savez_compressed])
    save(tmp_path / "a.npz", t=array, n=np.arange(len(array)))
    threads = chance.randint(1, 4)
    options = ["--shuffle=3"] if chance.random() < 0.2 else []
    good("convert", "a.npz", "-o", "a.hrd", "--threads", threads, "--budget", "24M", *options, cwd=tmp_path)
    data = hr.open(tmp_path / "a.hrd")
    order = data["n"][:]
    assert sorted(order) == list(range(len(array)))
    assert_converted(data, array[order], "t/", others=["n"])
    if not options:
        good("compare", "a.npz", "a.hrd", cwd=tmp_path)


@pytest.fixture
def table(tmp_path):
    """A table as pandas has it: records of numbers, a text, a position, and a date."""
    rng = np.random.default_rng(0)
    dtype = [("age", "<i4"), ("name", "S8"), ("pos", [("x", "<f4"), ("y", "<f4")]), ("when", "<M8[ns]")]
    array = np.zeros(5000, dtype)
    array["age"] = rng.integers(0, 99, 5000)
    array["name"] = b"somebody"
    array["pos"]["x"] = rng.random(5000)
    array["pos"]["y"] = rng.random(5000)
    np.save(tmp_path / "table.npy", array)
    return array


def test_member_that_cannot_be_converted__is_named_and_can_be_left_out(table, tmp_path):
    done = headrace("convert", "table.npy", "-o", "a.hrd", cwd=tmp_path)
    assert done.returncode == 1 and "table.npy: the member when: " in done.stderr
    assert "dates" in done.stderr and "--fields" in done.stderr
    assert not (tmp_path / "a.hrd").exists()
    good("convert", "table.npy", "-o", "a.hrd", "--fields", "pos/y,age", cwd=tmp_path)
    data = hr.open(tmp_path / "a.hrd")
    assert list(data.fields) == ["pos/y", "age"]
    assert np.array_equal(data["age"][:], table["age"]) and np.array_equal(data["pos/y"][:], table["pos"]["y"])
    good("compare", "table.npy", "a.hrd", "--fields", "pos/y,age", cwd=tmp_path)


def test_member_by_its_path__or_all_that_is_in_it(table, tmp_path):
    good("convert", "table.npy:/pos", "--field", "years=table.npy:/age", "-o", "a.hrd", cwd=tmp_path)
    data = hr.open(tmp_path / "a.hrd")
    assert sorted(data.fields) == ["pos/x", "pos/y", "years"]
    assert np.array_equal(data["years"][:], table["age"])
    done = headrace("convert", "table.npy:/po", "-o", "b.hrd", cwd=tmp_path)
    assert done.returncode == 1 and "there is no member po" in done.stderr
    done = headrace("convert", "--field", "z=table.npy:/pos", "-o", "b.hrd", cwd=tmp_path)
    assert done.returncode == 1 and "say which, as z=table.npy:" in done.stderr


def test_array_that_is_not_structured__has_no_member(tmp_path):
    np.save(tmp_path / "x.npy", np.zeros(3))
    done = headrace("convert", "x.npy:/age", "-o", "a.hrd", cwd=tmp_path)
    assert done.returncode == 1 and "x.npy is no structured array" in done.stderr


def test_parts__and_fields_of_other_files__go_together(tmp_path):
    array = np.zeros(100, [("a", "i4"), ("b", "f4")])
    array["a"] = np.arange(100)
    for part in range(2):
        np.save(tmp_path / f"t-{part}.npy", array[part * 60 : (part + 1) * 60])
    np.save(tmp_path / "z.npy", np.arange(100.0))
    good("convert", "t-0.npy", "t-1.npy", "z.npy", "-o", "a.hrd", cwd=tmp_path)
    data = hr.open(tmp_path / "a.hrd")
    assert sorted(data.fields) == ["a", "b", "z"]
    assert np.array_equal(data["a"][:], array["a"]) and np.array_equal(data["z"][:], np.arange(100.0))


def test_hdf5_of_the_same_records__is_equal(table, tmp_path):
    h5py = pytest.importorskip("h5py")
    kept = table[["age", "name", "pos"]].astype([("age", "<i4"), ("name", "S8"), ("pos", [("x", "<f4"), ("y", "<f4")])])
    np.save(tmp_path / "kept.npy", kept)
    with h5py.File(tmp_path / "kept.h5", "w") as file:
        file["kept"] = kept
    good("convert", "kept.h5:/kept", "-o", "a.hrd", cwd=tmp_path)
    good("convert", "kept.npy", "-o", "b.hrd", cwd=tmp_path)
    for name, values in leaves(kept):
        assert np.array_equal(hr.open(tmp_path / "b.hrd")[name][:], values)
        assert np.array_equal(hr.open(tmp_path / "a.hrd")[f"kept/{name}"][:], values)


def test_order_that_is_not_read__is_refused(tmp_path):
    array = np.zeros((4, 5), [("a", "i4"), ("b", "f4")], order="F")
    np.save(tmp_path / "f.npy", array)
    np.save(tmp_path / "c.npy", np.ascontiguousarray(array))
    for arguments in (["f.npy"], ["c.npy", "--axis", "1"]):
        done = headrace("convert", *arguments, "-o", "a.hrd", cwd=tmp_path)
        assert done.returncode == 1 and "in C order along its first axis only" in done.stderr
    good("convert", "c.npy", "--axis", "-2", "-o", "a.hrd", cwd=tmp_path)


def test_objects__are_refused(tmp_path):
    np.save(tmp_path / "o.npy", np.zeros(3, [("a", "i4"), ("o", "O")]), allow_pickle=True)
    done = headrace("convert", "o.npy", "-o", "a.hrd", "--fields", "a", cwd=tmp_path)
    assert done.returncode == 1 and "the member o: it holds Python objects" in done.stderr


def test_archive__members_are_chosen_by_path_or_field(table, tmp_path):
    np.savez_compressed(tmp_path / "a.npz", t=table, x=np.arange(5000))
    done = headrace("convert", "a.npz", "-o", "a.hrd", cwd=tmp_path)
    assert done.returncode == 1 and "a.npz: /t.npy: the member when: " in done.stderr and "--fields" in done.stderr
    good("convert", "a.npz", "-o", "a.hrd", "--fields", "t/pos/y,x", cwd=tmp_path)
    data = hr.open(tmp_path / "a.hrd")
    assert list(data.fields) == ["t/pos/y", "x"]
    assert np.array_equal(data["t/pos/y"][:], table["pos"]["y"]) and np.array_equal(data["x"][:], np.arange(5000))
    good("compare", "a.npz", "a.hrd", "--fields", "t/pos/y,x", cwd=tmp_path)
    good("convert", "a.npz:/t/pos", "--field", "years=a.npz:/t/age", "-o", "b.hrd", cwd=tmp_path)
    assert sorted(hr.open(tmp_path / "b.hrd").fields) == ["t/pos/x", "t/pos/y", "years"]
    done = headrace("convert", "a.npz:/t/po", "-o", "c.hrd", cwd=tmp_path)
    assert done.returncode == 1 and "there is no array t/po" in done.stderr
    done = headrace("convert", "a.npz:/x/age", "-o", "c.hrd", cwd=tmp_path)
    assert done.returncode == 1 and "there is no array x/age" in done.stderr


def test_archive__order_that_is_not_read_is_refused(tmp_path):
    array = np.zeros((4, 5), [("a", "i4"), ("p", "f4", (2,))])
    np.savez(tmp_path / "f.npz", t=np.asfortranarray(array))
    np.savez(tmp_path / "c.npz", t=array)
    for arguments in (["f.npz"], ["c.npz", "--axis", "1"]):
        done = headrace("convert", *arguments, "-o", "a.hrd", cwd=tmp_path)
        assert done.returncode == 1 and "in C order along its first axis only" in done.stderr
    good("convert", "c.npz", "--axis", "-2", "-o", "a.hrd", cwd=tmp_path)


def test_archive__value_that_is_none_names_member_and_sample(tmp_path):
    array = np.zeros(9000, [("a", "u1"), ("ok", "?"), ("t", "<U2")])
    array.view("u1")[10 * 7000 + 1] = 7
    np.savez_compressed(tmp_path / "b.npz", t=array)
    done = headrace("convert", "b.npz", "-o", "a.hrd", cwd=tmp_path)
    assert done.returncode == 1 and "b.npz:/t/ok: sample 7000 holds 7" in done.stderr
    array["ok"] = False
    array.view("u1")[10 * 8000 + 3] = 0xD8
    np.savez_compressed(tmp_path / "t.npz", t=array)
    done = headrace("convert", "t.npz", "-o", "a.hrd", cwd=tmp_path)
    assert done.returncode == 1 and "t.npz:/t/t: sample 8000 holds text that has a code point" in done.stderr
    good("convert", "t.npz", "-o", "a.hrd", "--fields", "t/a,t/ok", cwd=tmp_path)


def test_archive__interrupted_conversion_is_resumed(tmp_path):
    array = np.zeros(200_000, [("a", ">i8"), ("b", "<f4", (20,))])
    array["a"] = np.arange(len(array))
    np.savez_compressed(tmp_path / "t.npz", t=array)
    limited = ["bash", "-c", 'ulimit -f 4000; exec "$0" "$@"']
    command = ["convert", "t.npz", "-o", "a.hrd", "--codec", "raw"]
    assert subprocess.run([*limited, str(PROGRAM), *command], cwd=tmp_path, capture_output=True).returncode == 1
    assert figures(*command, "--resume", cwd=tmp_path)["resumed_samples"] > 0
    assert_converted(hr.open(tmp_path / "a.hrd"), array, "t/")


def test_two_members_of_one_path__are_refused(tmp_path):
    np.save(tmp_path / "t.npy", np.zeros(3, [("a/b", "i4"), ("a", [("b", "i4")])]))
    done = headrace("convert", "t.npy", "-o", "a.hrd", cwd=tmp_path)
    assert done.returncode == 1 and "two of its members would be the field a/b" in done.stderr


def test_truncated_file__and_surplus(table, tmp_path):
    whole = (tmp_path / "table.npy").read_bytes()
    (tmp_path / "cut.npy").write_bytes(whole[:-1])
    done = headrace("convert", "cut.npy", "-o", "a.hrd", "--fields", "age", cwd=tmp_path)
    assert done.returncode == 3 and "cut.npy is truncated" in done.stderr
    (tmp_path / "more.npy").write_bytes(whole + b"xyz")
    done = headrace("convert", "more.npy", "-o", "a.hrd", "--fields", "age,name", cwd=tmp_path)
    assert done.returncode == 0 and done.stderr.count("3 bytes behind the array are ignored") == 1


def test_bool_that_is_none__names_member_and_sample(tmp_path):
    array = np.zeros(100, [("a", "u1"), ("ok", "?")])
    array.view("u1")[2 * 70 + 1] = 7
    np.save(tmp_path / "t.npy", array)
    done = headrace("convert", "t.npy", "-o", "a.hrd", cwd=tmp_path)
    assert done.returncode == 1 and "the member ok" in done.stderr and "sample 70" in done.stderr


def test_interrupted_conversion__is_resumed(tmp_path):
    array = np.zeros(200_000, [("a", "<i8"), ("b", "<f4", (20,))])
    array["a"] = np.arange(len(array))
    np.save(tmp_path / "t.npy", array)
    limited = ["bash", "-c", 'ulimit -f 4000; exec "$0" "$@"']
    command = ["convert", "t.npy", "-o", "a.hrd", "--codec", "raw"]
    assert subprocess.run([*limited, str(PROGRAM), *command], cwd=tmp_path, capture_output=True).returncode == 1
    assert figures(*command, "--resume", cwd=tmp_path)["resumed_samples"] > 0
    assert_converted(hr.open(tmp_path / "a.hrd"), array)
