"""Every .npy file of the shared data: converted and exported it is the same array, or the refusal
names the reason. Also arrays that numpy writes here, of every dtype."""

import os
import pathlib
import subprocess

import pytest

np = pytest.importorskip("numpy")

SHARED = pathlib.Path(os.environ.get("HEADRACE_SHARED", "../shared/data"))
FILES = sorted((SHARED / "npy").glob("*/*.npy"))


def find_program():
    place = pathlib.Path(os.environ.get("HEADRACE_BIN", "build/release/bin"))
    return place / "headrace" if place.is_dir() else place


PROGRAM = find_program()
pytestmark = pytest.mark.skipif(not PROGRAM.is_file(), reason=f"no program {PROGRAM}")


def headrace(*args):
    return subprocess.run(
        [str(PROGRAM), *map(str, args)], capture_output=True, text=True, timeout=60
    )


def round_trip(source, tmp_path):
    done = headrace("convert", source, "-o", tmp_path / "out.hrd")
    assert done.returncode == 0, done.stderr
    done = headrace("export", tmp_path / "out.hrd", "-o", tmp_path / "npy")
    assert done.returncode == 0, done.stderr
    (result,) = (tmp_path / "npy").iterdir()
    assert result.name == pathlib.Path(source).with_suffix(".npy").name
    return np.load(result)


def assert_same(got, expected):
    """Bit for bit, but for the byte order."""
    little = expected.astype(expected.dtype.newbyteorder("<"))
    assert got.shape == expected.shape
    assert got.dtype == little.dtype
    assert got.tobytes() == little.tobytes()


def header_of(path):
    with open(path, "rb") as f:
        version = np.lib.format.read_magic(f)
        read = {
            (1, 0): np.lib.format.read_array_header_1_0,
            (2, 0): np.lib.format.read_array_header_2_0,
        }[version]
        return read(f)


def expected_refusal(path):
    """A word of the message, or None for a file that must be converted."""
    shape, _, dtype = header_of(path)
    if dtype.hasobject:
        return "objects"
    if shape == ():
        return "no dimensions"
    if dtype == np.bool_:
        raw = np.fromfile(path, np.uint8)[-int(np.prod(shape)) :]
        if raw.max(initial=0) > 1:
            return "bool byte"
    return None


@pytest.mark.skipif(not FILES, reason=f"no files under {SHARED}/npy")
@pytest.mark.parametrize("path", FILES, ids=lambda p: f"{p.parent.name}/{p.name}")
def test_shared_file(path, tmp_path):
    reason = expected_refusal(path)
    if reason is None:
        assert_same(round_trip(path, tmp_path), np.load(path))
        return
    done = headrace("convert", path, "-o", tmp_path / "out.hrd")
    assert done.returncode in (1, 3)
    assert reason in done.stderr
    assert path.name in done.stderr
    assert not (tmp_path / "out.hrd").exists()


DTYPES = "b1 i1 i2 i4 i8 u1 u2 u4 u8 f2 f4 f8 c8 c16 S1 S7 U1 U5".split()


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(5,), (3, 4), (4, 0), (0,), (0, 3), (2, 1, 3, 1, 2)], ids=str)
def test_written_array(dtype, order, shape, tmp_path):
    rng = np.random.default_rng(1)
    kind = np.dtype(order + dtype)
    if kind.kind == "b":
        array = rng.integers(0, 2, shape).astype(kind)
    elif kind.kind == "U":
        texts = np.array(["", "a", "\u20ac\u00e9", "\U0001f600", "zz\0z"])
        array = rng.choice(texts, shape).astype(kind)
    else:
        n_bytes = int(np.prod(shape)) * kind.itemsize
        array = np.frombuffer(rng.bytes(n_bytes), kind).reshape(shape)
    np.save(tmp_path / "a.npy", array)
    assert_same(round_trip(tmp_path / "a.npy", tmp_path), array)


def test_special_values(tmp_path):
    bits = np.array([0, 1 << 63, 0x7FF0 << 48, 0xFFF8 << 48, 0x7FF0000000000001], np.uint64)
    array = bits.view(np.float64)
    np.save(tmp_path / "a.npy", array)
    assert_same(round_trip(tmp_path / "a.npy", tmp_path), array)


@pytest.mark.parametrize(
    "array, reason",
    [
        (np.zeros(3, "M8[ns]"), "dates"),
        (np.zeros(3, "m8[s]"), "dates"),
        (np.zeros(3, np.longdouble), "long double"),
        (np.zeros(3, np.clongdouble), "long double"),
        (np.zeros(3, "V2"), "void"),
        (np.array([None, 1]), "objects"),
        (np.array(1.5), "no dimensions"),
    ],
    ids=lambda v: v if isinstance(v, str) else "",
)
def test_refused_array(array, reason, tmp_path):
    np.save(tmp_path / "a.npy", array, allow_pickle=True)
    done = headrace("convert", tmp_path / "a.npy", "-o", tmp_path / "out.hrd")
    assert done.returncode == 1
    assert reason in done.stderr
    assert not (tmp_path / "out.hrd").exists()


def test_version_2_and_3(tmp_path):
    for version in (2, 0), (3, 0):
        folder = tmp_path / str(version[0])
        folder.mkdir()
        array = np.arange(12.0).reshape(4, 3)
        with open(folder / "a.npy", "wb") as f:
            np.lib.format.write_array(f, array, version)
        assert_same(round_trip(folder / "a.npy", folder), array)
