"""IDX files, as MNIST is passed on: every type, plain and compressed, what they become and what is refused."""

import gzip
import struct

import pytest

np = pytest.importorskip("numpy")

from headrace_command import figures, good, headrace, needs_program  # noqa: E402

pytestmark = needs_program
CODES = {"u1": 8, "i1": 9, "i2": 11, "i4": 12, "f4": 13, "f8": 14}


def idx(array):
    code = CODES[array.dtype.str[1:]]
    sizes = struct.pack(f">{array.ndim}I", *array.shape)
    return bytes([0, 0, code, array.ndim]) + sizes + array.astype(array.dtype.newbyteorder(">")).tobytes()


def write(path, content):
    (gzip.open if path.suffix == ".gz" else open)(path, "wb").write(content)


@pytest.fixture
def mnist(tmp_path):
    rng = np.random.default_rng(1)
    images, labels = rng.integers(0, 256, (3000, 28, 28), "u1"), rng.integers(0, 10, 3000).astype("u1")
    write(tmp_path / "train-images-idx3-ubyte.gz", idx(images))
    write(tmp_path / "train-labels-idx1-ubyte.gz", idx(labels))
    return tmp_path, images, labels


def test_mnist__as_people_have_it__is_a_data_set(mnist):
    folder, images, labels = mnist
    for inputs in (["train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz"], ["."]):
        good("convert", *inputs, "-o", "m.hrd", "--force", "--rename", "train-images=X", "--rename", "train-labels=y",
             "--chunk-bytes", "64K", cwd=folder)
        good("export", "m.hrd", "-o", "out", "--force", cwd=folder)
        np.testing.assert_array_equal(np.load(folder / "out" / "X.npy"), images)
        np.testing.assert_array_equal(np.load(folder / "out" / "y.npy"), labels)


@pytest.mark.parametrize("ending", ["", ".gz"])
@pytest.mark.parametrize("dtype", CODES)
def test_idx__every_type__comes_back_equal(dtype, ending, tmp_path):
    values = (np.random.default_rng(2).standard_normal((500, 3, 5)) * 50).astype(dtype)
    write(tmp_path / f"v.idx{ending}", idx(values))
    good("convert", f"v.idx{ending}", "-o", "v.hrd", "--budget", "24M", "--range", "7:", cwd=tmp_path)
    good("export", "v.hrd", "-o", "out", cwd=tmp_path)
    got = np.load(tmp_path / "out" / "v.npy")
    assert (got.dtype, got.tobytes()) == (values.dtype, values[7:].tobytes())


def test_idx__without_a_telling_name__is_known_by_its_content(mnist):
    folder, images, _ = mnist
    (folder / "data.bin").write_bytes(idx(images))
    info = figures("convert", "data.bin", "-o", "d.hrd", cwd=folder)
    assert info["samples"] == 3000
    good("convert", "data.bin", "--dtype", "uint8", "--shape", "784", "--skip-bytes", "16", "-o", "r.hrd", cwd=folder)
    assert figures("info", "r.hrd", cwd=folder)["fields"][0]["shape"] == [784]


def test_idx__shuffled__has_all_samples(mnist):
    folder, _, labels = mnist
    good("convert", "train-labels-idx1-ubyte.gz", "-o", "s.hrd", "--shuffle", "4", "--index-field", "row", cwd=folder)
    good("export", "s.hrd", "-o", "out", cwd=folder)
    rows = np.load(folder / "out" / "row.npy")
    np.testing.assert_array_equal(np.load(folder / "out" / "train-labels.npy"), labels[rows])
    assert sorted(rows) == list(range(3000))


def test_idx__damaged_or_cut_off__is_refused(mnist):
    folder, _, _ = mnist
    whole = (folder / "train-images-idx3-ubyte.gz").read_bytes()
    spoilt = bytearray(whole)
    spoilt[-6] ^= 1  # of the checksum, which nothing but the end tells
    for content in (whole[: len(whole) // 2], whole[:-1], bytes(spoilt), whole + b"more"):
        (folder / "bad-idx3-ubyte.gz").write_bytes(content)
        done = headrace("convert", "bad-idx3-ubyte.gz", "-o", "bad.hrd", cwd=folder)
        assert done.returncode == 3, done.stderr
        assert "bad-idx3-ubyte.gz" in done.stderr
        part = headrace("convert", "bad-idx3-ubyte.gz", "-o", "bad.hrd", "--range", "5:9", cwd=folder)
        assert part.returncode == 3, part.stderr  # though the end is behind what is asked for
        assert not (folder / "bad.hrd").exists()


@pytest.mark.parametrize("ending", ["", ".gz"])
def test_idx__longer_than_its_array__says_how_much_is_ignored(ending, tmp_path):
    for part, surplus in ((1, b"more"), (2, b""), (3, bytes(100_000))):
        write(tmp_path / f"v_{part}.idx{ending}", idx(np.full((2000, 7), part, "i4")) + surplus)
    done = headrace("convert", f"v_*.idx{ending}", "-o", "v.hrd", cwd=tmp_path)
    assert done.returncode == 0
    said = [line for line in done.stderr.splitlines() if "behind the array are ignored" in line]
    assert [line.split(": ")[-2:] for line in said] == [
        [f"v_1.idx{ending}", "4 bytes behind the array are ignored"],
        [f"v_3.idx{ending}", "100000 bytes behind the array are ignored"],
    ]
    good("export", "v.hrd", "-o", "out", cwd=tmp_path)
    wanted = np.repeat(np.arange(1, 4, dtype="i4"), 2000 * 7).reshape(-1, 7)
    np.testing.assert_array_equal(np.load(tmp_path / "out" / "v.npy"), wanted)


def test_idx__compressed_with_endless_surplus__is_refused(tmp_path):
    zeros = gzip.compress(bytes(16 << 20))  # each of 65 members: 16 KiB
    write(tmp_path / "v.idx.gz", idx(np.arange(5, dtype="i4")))
    with open(tmp_path / "v.idx.gz", "ab") as file:
        file.write(zeros * 65)
    done = headrace("convert", "v.idx.gz", "-o", "v.hrd", cwd=tmp_path)
    assert done.returncode == 3 and "more than 1073741824 bytes lie behind" in done.stderr
    assert not (tmp_path / "v.hrd").exists()


def test_idx__compressed_and_its_first_samples_wanted__is_read_to_the_end(tmp_path):
    write(tmp_path / "v.idx.gz", idx(np.arange(50_000, dtype="i4")) + b"more")
    done = headrace("convert", "v.idx.gz", "-o", "v.hrd", "--range", "0:10", cwd=tmp_path)
    assert done.returncode == 0 and "4 bytes behind the array are ignored" in done.stderr


def test_gzip__of_other_files__says_what_to_do(tmp_path):
    np.save(tmp_path / "x.npy", np.arange(5))
    write(tmp_path / "x.npy.gz", (tmp_path / "x.npy").read_bytes())
    done = headrace("convert", "x.npy.gz", "-o", "x.hrd", cwd=tmp_path)
    assert done.returncode == 1
    assert "gunzip" in done.stderr
