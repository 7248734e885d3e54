"""CSV files: what they become, compared with NumPy's own reading, and what is refused."""

import gzip
import random
import signal
import subprocess
import time

import pytest

np = pytest.importorskip("numpy")

from headrace_command import PROGRAM, figures, good, headrace, needs_program  # noqa: E402

pytestmark = needs_program


def exported(folder, name, out="out"):
    good("export", name, "-o", out, "--force", cwd=folder)
    return {path.stem: np.load(path) for path in (folder / out).glob("*.npy")}


def write_digits(path, count, seed=1):
    rng = np.random.default_rng(seed)
    labels, pixels = rng.integers(0, 10, count), rng.integers(0, 256, (count, 64))
    with open(path, "w") as file:
        file.write("label," + ",".join(f"pixel{i}" for i in range(64)) + "\n")
        np.savetxt(file, np.column_stack([labels, pixels]), fmt="%d", delimiter=",")
    return labels, pixels


def test_csv__as_tutorials_have_it__is_labels_and_pixels(tmp_path):
    labels, pixels = write_digits(tmp_path / "train.csv", 3000)
    good("convert", "train.csv", "-o", "t.hrd", cwd=tmp_path)
    got = exported(tmp_path, "t.hrd")
    assert sorted(got) == ["label", "pixel"]
    assert (got["label"].dtype, got["pixel"].dtype, got["pixel"].shape) == ("int64", "int64", (3000, 64))
    np.testing.assert_array_equal(got["label"], labels)
    np.testing.assert_array_equal(got["pixel"], pixels)
    good("convert", "train.csv", "--dtype", "uint8", "--rename", "pixel=X", "--range", "10:20", "-o", "u.hrd",
         cwd=tmp_path)
    got = exported(tmp_path, "u.hrd", "u")
    assert got["X"].dtype == "uint8"
    np.testing.assert_array_equal(got["X"], pixels[10:20])
    good("convert", "--field", "x=train.csv", "--field", "y=train.csv:/label", "-o", "f.hrd", cwd=tmp_path)
    got = exported(tmp_path, "f.hrd", "f")
    np.testing.assert_array_equal(got["x"], np.column_stack([labels, pixels]))
    np.testing.assert_array_equal(got["y"], labels)


@pytest.mark.parametrize("seed", range(10))
def test_csv__random_tables__are_read_as_numpy_reads_them(seed, tmp_path):
    chance, rng = random.Random(seed), np.random.default_rng(seed)
    rows, columns = chance.choice([1, 3, 700, 20_000]), chance.choice([1, 2, 9])
    values = rng.standard_normal((rows, columns)) * 10.0 ** rng.integers(-30, 30, (rows, columns))
    separator, form = chance.choice([",", ";", "\t"]), chance.choice(["%.17g", "%.6e", "%.3f", "%d"])
    newline, ending = chance.choice(["\n", "\r\n", "\n\n"]), chance.choice([".csv", ".tsv", ".csv.gz"])
    text = newline.join(separator.join(form % value for value in row) for row in values) + chance.choice(["", "\n"])
    path = tmp_path / f"t{ending}"
    path.write_bytes(gzip.compress(text.encode()) if ending.endswith("gz") else text.encode())
    wanted = np.array([[float(form % value) for value in row] for row in values])
    if columns == 1:
        wanted = wanted[:, 0]
    dtype = "float64" if form == "%d" else chance.choice([None, "float64", "float32"])
    options = ["--dtype", dtype] if dtype else []
    good("convert", path, "-o", "t.hrd", *options, "--threads", chance.choice([1, 4]), "--budget",
         chance.choice(["24M", "200M"]), "--chunk-bytes", chance.choice([100, 70_000]), cwd=tmp_path)
    got = exported(tmp_path, "t.hrd")["t"]
    if dtype == "float32":
        with np.errstate(over="ignore"):
            wanted = wanted.astype("float32")
    assert (got.dtype, got.shape) == (wanted.dtype, wanted.shape)
    assert got.tobytes() == wanted.tobytes()


def test_csv__missing_values__are_nan_or_refused(tmp_path):
    (tmp_path / "m.csv").write_text("a,b\n1,2\n,3\nNA,4\n")
    done = headrace("convert", "m.csv", "-o", "m.hrd", cwd=tmp_path)
    assert done.returncode == 0
    assert "field a has 2 NaN" in done.stderr
    got = exported(tmp_path, "m.hrd")
    np.testing.assert_array_equal(got["a"], [1, np.nan, np.nan])
    assert got["b"].dtype == "int64"
    done = headrace("convert", "m.csv", "--dtype", "int32", "-o", "i.hrd", cwd=tmp_path)
    assert done.returncode == 1
    assert "m.csv, line 3: column 'a': '' is missing" in done.stderr


def test_csv__text__is_named_and_can_be_left_out(tmp_path):
    (tmp_path / "iris.csv").write_text("width;length;species\n1.5;2;setosa\n2.5;3;other\n")
    done = headrace("convert", "iris.csv", "-o", "i.hrd", cwd=tmp_path)
    assert done.returncode == 1
    assert "iris.csv, line 2: column 'species': 'setosa' is no number" in done.stderr
    good("convert", "iris.csv", "--fields", "length,width", "-o", "i.hrd", cwd=tmp_path)
    assert [field["name"] for field in figures("info", "i.hrd", cwd=tmp_path)["fields"]] == ["length", "width"]


def test_csv__compared_by_one_field__needs_no_numbers_in_the_others(tmp_path):
    (tmp_path / "t.csv").write_text('Name,Age\n"Smith, Mr. 0",3\nB,4\n')
    good("convert", "t.csv", "-o", "t.hrd", "--fields", "Age", cwd=tmp_path)
    good("compare", "t.csv", "t.hrd", "--fields", "Age", cwd=tmp_path)
    good("compare", "t.hrd", "t.csv", "--fields", "Age", cwd=tmp_path)


def test_csv__columns_that_are_numbered__as_pandas_writes_them(tmp_path):
    (tmp_path / "p.csv").write_text(",0,1,2\n0,5,6,7\n1,8,9,10\n")
    good("convert", "p.csv", "-o", "p.hrd", cwd=tmp_path)
    good("export", "p.hrd", "-o", "out", cwd=tmp_path)
    assert np.load(tmp_path / "out" / "p.npy").tolist() == [[5, 6, 7], [8, 9, 10]]
    assert np.load(tmp_path / "out" / "column_1.npy").tolist() == [0, 1]
    (tmp_path / "q.csv").write_text("0,1,2\n5,6,7\n")
    done = headrace("convert", "q.csv", "-o", "q.hrd", cwd=tmp_path)
    assert done.returncode == 0 and "was taken for numbers" in done.stderr
    (tmp_path / "r.csv").write_text(",1,2\n5,6,7\n")  # a missing value, and no count from 0
    done = headrace("convert", "r.csv", "-o", "r.hrd", cwd=tmp_path)
    assert "2 samples" in done.stdout and "taken for numbers" not in done.stderr


@pytest.mark.parametrize("content, said", [
    ("a,b\n1,2\n".encode("utf-16"), "is UTF-16"),
    (b"a,b\r1,2\r3,4\r", "carriage return alone"),
    (b"\xef\xbb\xbf", "no line that is not blank"),
    (b"\xef\xbb\xbf\n\n", "no line that is not blank"),
])
def test_csv__what_is_no_lines_of_utf8__says_what_it_is(content, said, tmp_path):
    (tmp_path / "x.csv").write_bytes(content)
    done = headrace("convert", "x.csv", "-o", "x.hrd", cwd=tmp_path)
    assert done.returncode in (1, 3) and said in done.stderr, done.stderr


def test_csv__several_files__are_put_one_after_the_other(tmp_path):
    parts = [write_digits(tmp_path / f"part_{i}.csv", 200 + i, i) for i in range(3)]
    good("convert", "part_*.csv", "-o", "p.hrd", cwd=tmp_path)
    got = exported(tmp_path, "p.hrd")
    np.testing.assert_array_equal(got["pixel"], np.concatenate([pixels for _, pixels in parts]))
    for i in range(2):
        np.savetxt(tmp_path / f"v_{i}.csv", np.arange(10.0).reshape(5, 2) + 10 * i, delimiter=",")
    good("convert", "v_0.csv", "v_1.csv", "-o", "v.hrd", cwd=tmp_path)
    np.testing.assert_array_equal(exported(tmp_path, "v.hrd", "v")["v"], np.arange(20.0).reshape(10, 2))


def test_csv__shuffled__keeps_rows_together(tmp_path):
    labels, pixels = write_digits(tmp_path / "train.csv", 2000)
    good("convert", "train.csv", "-o", "s.hrd", "--shuffle", "5", "--index-field", "row", cwd=tmp_path)
    got = exported(tmp_path, "s.hrd")
    np.testing.assert_array_equal(got["label"], labels[got["row"]])
    np.testing.assert_array_equal(got["pixel"], pixels[got["row"]])


def test_csv__killed__resumes(tmp_path):
    labels, pixels = write_digits(tmp_path / "train.csv", 60_000)
    arguments = ["convert", "train.csv", "-o", "k.hrd", "--level", "12", "--chunk-bytes", "30000"]
    partial = tmp_path / "k.hrd.partial"
    for size_bytes in (200_000, 400_000, 800_000):  # killed as soon as so much is written
        process = subprocess.Popen([str(PROGRAM), *arguments, "--resume", "--quiet"], cwd=tmp_path)
        while process.poll() is None and not (partial.exists() and partial.stat().st_size >= size_bytes):
            time.sleep(0.001)
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
    assert figures(*arguments, "--resume", cwd=tmp_path)["resumed_samples"] > 0
    got = exported(tmp_path, "k.hrd")
    np.testing.assert_array_equal(got["label"], labels)
    np.testing.assert_array_equal(got["pixel"], pixels)


def test_csv__fields_that_it_has_not__are_told_from_those_that_it_has(tmp_path):
    (tmp_path / "t.csv").write_text("a,b,c_0,c_1\n1,x,3,4\n")
    done = headrace("convert", "t.csv", "-o", "o.hrd", "--fields", "a,d", cwd=tmp_path)
    assert done.returncode != 0 and "no input gives a field d; there are: b, c" in done.stderr and ", a" in done.stderr
    done = headrace("convert", "t.csv", "-o", "o.hrd", "--fields", "d", cwd=tmp_path)
    assert "there are: a, b, c" in done.stderr


def test_csv__garbage_behind_gzip__is_said(tmp_path):
    (tmp_path / "t.csv.gz").write_bytes(gzip.compress(b"a\n1\n") + gzip.compress(b"2\n") + b"garbage")
    done = headrace("convert", "t.csv.gz", "-o", "o.hrd", cwd=tmp_path)
    assert done.returncode == 3 and "(behind it stands what gzip did not write)" in done.stderr


def test_csv__of_names_alone__says_that_it_has_no_samples(tmp_path):
    (tmp_path / "h.csv").write_text("0x10,1_000\n")
    done = headrace("convert", "h.csv", "-o", "t.hrd", cwd=tmp_path)
    assert done.returncode == 0 and done.stderr.count("its only line was taken for the names of its columns") == 1
    assert figures("info", "t.hrd", cwd=tmp_path)["files"][0]["samples"] == 0


def test_more_columns_than_fields__are_refused_at_once(tmp_path):
    (tmp_path / "wide.csv").write_text(",".join(f"c{i}x" for i in range(5000)) + "\n" + ",".join("1" * 5000) + "\n")
    done = headrace("convert", "wide.csv", "-o", "wide.hrd", cwd=tmp_path)
    assert done.returncode == 1 and "more than 4096 columns with names of their own" in done.stderr
    good("convert", "wide.csv", "-o", "wide.hrd", "--fields", "c4999x,c0x", cwd=tmp_path)
