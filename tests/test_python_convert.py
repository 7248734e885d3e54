"""Conversion, export, verification and measuring by the package; data sets and reports as notebooks show them."""

import base64
import os
import re
import signal
import struct
import subprocess
import sys
import warnings

import pytest

np = pytest.importorskip("numpy", minversion="1.24")

from python_package import ENVIRONMENT, check, hr, rows_of, write_indexed  # noqa: E402


@pytest.fixture
def arrays(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name, array in rows_of(np.arange(500)).items():
        np.save(f"{name}.npy", array)
    return tmp_path


def test_convert__arrays__what_the_command_makes(arrays):
    done = hr.convert("X.npy", "y.npy", out="a.hrd", progress=False)
    assert (done.num_samples, done.num_fields, done.num_nan) == (500, 2, 0)
    assert done.stored_bytes == os.path.getsize("a.hrd")
    check(hr.open("a.hrd")[:])


def test_convert__options__reach_the_library(arrays):
    hr.convert(fields={"a": "X.npy", "b": "y.npy"}, out="a.hrd", shuffle=3, index_field="row", codec="zstd", level=5,
               filter="shuffle", chunk_bytes="8K", budget="64M", threads=1)
    data = hr.open("a.hrd")
    assert list(data.fields) == ["a", "b", "row"]
    np.testing.assert_array_equal(data["b"][:], data["row"][:])
    assert sorted(data["row"][:]) == list(range(500))
    stored = data.footer["fields"][0]["storage"]
    assert (stored["codec"], stored["level"], stored["filter"]) == ("zstd", 5, "byte-shuffle")
    np.arange(60, dtype="<u2").tofile("r.bin")
    hr.convert("r.bin", out="r.hrd", dtype="uint16", shape=(2, 3), skip_bytes=24)
    np.testing.assert_array_equal(hr.open("r.hrd")["r"][:], np.arange(12, 60).reshape(-1, 2, 3))


def test_convert__hdf5__its_data_sets(arrays):
    h5py = pytest.importorskip("h5py")
    with h5py.File("f.h5", "w") as file:
        file.create_dataset("g/x", data=rows_of(np.arange(500))["X"], chunks=(50, 4, 6), compression="gzip")
    hr.convert("f.h5", out="h.hrd")
    (field,) = hr.open("h.hrd").fields.values()
    np.testing.assert_array_equal(field[:], rows_of(np.arange(500))["X"])


def test_convert__smallest_budget_and_statistics_larger_than_it__is_done(arrays):
    rng = np.random.default_rng(0)
    np.savez("labels.npz", **{f"y{i}": rng.integers(-(2**31), 2**31, 9000) for i in range(4)})
    with pytest.raises(hr.Error) as refused:
        hr.convert("labels.npz", out="labels.hrd", budget=1, threads=1)
    budget = re.search(r"at least (\d+) MiB", str(refused.value))[1]
    assert hr.convert("labels.npz", out="labels.hrd", budget=f"{budget}M", threads=1).num_fields == 4


def test_convert__hdf5_and_too_small_a_budget__what_is_named_works(arrays):
    h5py = pytest.importorskip("h5py")
    with h5py.File("f.h5", "w") as file:
        file.create_dataset("g/x", data=rows_of(np.arange(500))["X"], chunks=(50, 4, 6), compression="gzip")
    with pytest.raises(hr.Error) as refused:
        hr.convert("f.h5", out="h.hrd", budget=1, threads=1)
    words = str(refused.value)
    reading = int(words.split("reading the source takes ")[1].split(",")[0])
    writing = int(words.split("writing needs at least ")[1].split(" ")[0])
    with pytest.raises(hr.Error):
        hr.convert("f.h5", out="h.hrd", budget=reading + writing - 1, threads=1)
    hr.convert("f.h5", out="h.hrd", budget=reading + writing, threads=1)
    (field,) = hr.open("h.hrd").fields.values()
    np.testing.assert_array_equal(field[:], rows_of(np.arange(500))["X"])


def test_convert__data_sets__with_chosen_fields_and_samples(arrays):
    hr.convert("X.npy", "y.npy", out="a.hrd")
    done = hr.convert("a.hrd", out="b.hrd", fields=["y", "X"], rename={"X": "image"}, range=(100, None))
    assert (done.num_samples, done.num_fields) == (400, 2)
    data = hr.open("b.hrd")
    assert list(data.fields) == ["y", "image"]
    np.testing.assert_array_equal(data["image"][:], rows_of(np.arange(100, 500))["X"])
    hr.convert("b.hrd:y", out="c.hrd", range=(None, 3))
    np.testing.assert_array_equal(hr.open("c.hrd")["y"][:], rows_of(np.arange(100, 103))["y"])
    with pytest.raises(hr.NotFoundError, match="no input gives a field z"):
        hr.convert("a.hrd", out="d.hrd", fields=["z"])
    with pytest.raises(hr.InvalidError, match="the end of range"):
        hr.convert("a.hrd", out="d.hrd", range=(5, 5))
    with pytest.raises(TypeError):
        hr.convert("a.hrd", out="d.hrd", fields="y")


def test_convert__notes__are_told(arrays):
    values = np.zeros((50, 3), "f4")
    values[7, 1] = np.nan
    np.save("n.npy", values)
    with pytest.warns(hr.HeadraceWarning, match="NaN"):
        done = hr.convert("n.npy", out="n.hrd")
    assert done.num_nan == 1
    assert any("NaN" in line for line in done.notes)


@pytest.mark.parametrize(("options", "kind", "words"), [
    ({"inputs": ["no.npy"]}, FileNotFoundError, "no.npy"),
    ({"optimize": "fast"}, ValueError, "optimize is 'fast', expected one of 'speed'"),
    ({"level": 50}, ValueError, "level is 50, expected an integer from -131072 to 22"),
    ({"budget": "lots"}, ValueError, "budget is 'lots', expected bytes such as"),
    ({"shuffle": -1}, ValueError, "shuffle is -1"),
    ({"inputs": ["X\0.npy"]}, ValueError, "zero byte"),
])
def test_convert__what_cannot_be__the_exception_that_python_expects(arrays, options, kind, words):
    inputs = options.pop("inputs", ["X.npy"])
    with pytest.raises(kind) as refused:
        hr.convert(*inputs, out="a.hrd", **options)
    assert isinstance(refused.value, hr.Error)
    assert words in str(refused.value)
    assert not os.path.exists("a.hrd")


LONG = """
import sys, numpy as np
from python_package import hr
np.save("big.npy", np.random.default_rng(1).random((60_000, 2_000), dtype="f4"))
print("ready", flush=True)
try:
    hr.convert("big.npy", out="big.hrd", optimize="size", threads=1)
except KeyboardInterrupt:
    print("interrupted")
"""


def test_convert__interrupted__stops_and_what_is_done_stays(arrays):
    child = subprocess.Popen([sys.executable, "-c", LONG], env=ENVIRONMENT, stdout=subprocess.PIPE, text=True)
    assert child.stdout.readline() == "ready\n"
    while not os.path.exists("big.hrd.partial") or os.path.getsize("big.hrd.partial") < 1 << 20:
        assert child.poll() is None
    child.send_signal(signal.SIGINT)
    out, _ = child.communicate(timeout=30)
    assert (child.returncode, out) == (0, "interrupted\n")
    assert not os.path.exists("big.hrd")
    assert os.path.exists("big.hrd.partial")


def test_convert__progress__drawn_where_it_is_asked_for(arrays, capsys):
    pytest.importorskip("tqdm")
    hr.convert("X.npy", out="a.hrd", progress=True)
    assert "a.hrd" in capsys.readouterr().err
    hr.convert("X.npy", out="b.hrd")
    assert capsys.readouterr().err == ""


def test_export__some_fields_and_samples__as_they_are(arrays):
    hr.convert("X.npy", "y.npy", out="a.hrd")
    hr.export(hr.open("a.hrd"), "out", fields=["X"], range=(10, 30))
    assert os.listdir("out") == ["X.npy"]
    np.testing.assert_array_equal(np.load("out/X.npy"), np.load("X.npy")[10:30])
    with pytest.raises(FileExistsError):
        hr.export(hr.open("a.hrd"), "out")


def test_verify__damaged__says_where_and_what_is_lost(tmp_path):
    path = write_indexed(tmp_path)
    assert hr.verify(path) == []
    with open(path, "r+b") as file:
        file.seek(150_000)
        byte = file.read(1)
        file.seek(150_000)
        file.write(bytes([byte[0] ^ 1]))
    (damage,) = hr.verify(path)
    assert damage.num_samples > 0
    assert damage.chunk is not None
    path.write_bytes(b"nothing")
    with pytest.raises(hr.CorruptError):
        hr.open(path)


def test_bench_and_probe__figures_by_name(tmp_path):
    data = hr.open(write_indexed(tmp_path))
    found = hr.bench(data, ["decode", "memory-shuffled"], rounds=1, seconds=0.02)
    assert found["measures"]["memory-shuffled"]["share"]["median"] > 0
    assert found["measures"]["disk-shuffled"]["num_runs"] == 0
    assert hr.probe(data.loader(batch=50), seconds=0.1)["bytes_per_s"] > 0
    with pytest.raises(hr.InvalidError, match="measures is 'speed', expected one of 'decode'"):
        hr.bench(data, ["speed"])


# ---- as notebooks show them ----


def bitmap(html):
    """Pixels of the first image in a page, rows of (red, green, blue)."""
    data = base64.b64decode(re.search(r"data:image/bmp;base64,([^']+)'", html)[1])
    size, begin = struct.unpack_from("<I4xI", data, 2)
    width, height = struct.unpack_from("<ii", data, 18)
    assert size == len(data)
    rows = np.frombuffer(data, np.uint8, offset=begin).reshape(height, -1)[::-1, : width * 3]
    return rows.reshape(height, width, 3)[:, :, ::-1]


@pytest.mark.parametrize("layout", ["HW", "HW1", "HWC", "CHW", "floats"])
def test_html__images__the_pixels_of_the_first_sample(tmp_path, layout):
    random = np.random.default_rng(1)
    colour = random.integers(0, 256, (5, 9, 10, 3), dtype=np.uint8)
    given = {"HW": colour[..., 0], "HW1": colour[..., :1], "HWC": colour, "CHW": np.moveaxis(colour, 3, 1),
             "floats": (colour / 255).astype("f4")}[layout]
    hr.from_arrays(tmp_path / "a.hrd", image=given)
    shown = bitmap(hr.open(tmp_path / "a.hrd")._repr_html_())
    grey = np.broadcast_to(colour[0, :, :, :1], (9, 10, 3))
    expected = grey if layout in ("HW", "HW1") else colour[0]
    np.testing.assert_array_equal(shown, expected)


def test_html__names_and_texts_of_the_file__are_escaped(tmp_path):
    hr.from_arrays(tmp_path / "a.hrd", {"<b>x</b>": ["<script>alert(1)</script>"] * 3})
    html = hr.open(tmp_path / "a.hrd")._repr_html_()
    assert "<script>" not in html
    assert "&lt;b&gt;x&lt;/b&gt;" in html


@pytest.mark.filterwarnings("ignore:.* has 1 (NaN|Inf)")
def test_html__statistics__bad_values_and_sorted_labels_are_seen(tmp_path):
    x = np.ones((2000, 2), "f4")
    x[3, 1] = np.nan
    hr.from_arrays(tmp_path / "a.hrd", x=x, y=np.arange(2000) // 200, empty=np.zeros((2000, 0)))
    html = hr.open(tmp_path / "a.hrd")._repr_html_()
    assert "<b>1 NaN</b>" in html
    assert "<b>sorted by class</b>" in html


def test_report__each_way__says_the_same(tmp_path):
    loader = hr.open(write_indexed(tmp_path)).loader(batch=20)
    with pytest.raises(hr.InvalidError, match="nothing to report yet"):
        loader.report()
    for _ in range(3):
        for _ in loader:
            pass
    found = loader.report()
    assert str(found).startswith(found.sentence)
    assert found.as_dict()["limit"] == found.limit
    assert found.as_dict()["batches_delivered"] == 150
    page = found._repr_html_()
    assert "threads&#x27; time" in page
    assert len(re.findall("<td[^>]*>[^<]+</td>", page)) == page.count("<td") == 2 * (len(str(found).splitlines()) - 1)
    loader.close()
    assert loader.report().figures["batches_delivered"] == 150
    assert loader.info()["batches_delivered"] == 150


def test_convert__texts_beside_hdf5__readers_leave_each_other_memory(tmp_path, monkeypatch):
    h5py = pytest.importorskip("h5py")
    monkeypatch.chdir(tmp_path)
    x = np.random.default_rng(0).integers(0, 99, (4000, 512), dtype="i4")
    texts = [f"text {k}" * (k % 50) for k in range(len(x))]
    with h5py.File("x.h5", "w") as file:
        file.create_dataset("x", data=x, chunks=(1000, 512), compression="gzip", compression_opts=1)
    with hr.Writer("v.hrd", fields={"t": "utf8"}) as writer:
        writer.append(t=texts)
    hr.convert("x.h5", "v.hrd", out="both.hrd", budget="32M", threads=2)
    both = hr.open("both.hrd")
    np.testing.assert_array_equal(both["x"].read(), x)
    assert both["t"].read().tolist() == texts


def test_export__of_a_path__and_names_it_does_not_make(arrays):
    hr.from_arrays("a.hrd", x=np.arange(5), y=np.zeros(5))
    hr.export("a.hrd", "out", fields=["x"])
    assert np.load("out/x.npy").tolist() == [0, 1, 2, 3, 4]
    for name in ("e.csv", "e.npy", "e.hrd"):
        with pytest.raises(hr.InvalidError, match="this makes F"):
            hr.export("a.hrd", name)
        assert not os.path.exists(name)


@pytest.mark.parametrize("options, words", [
    ({"codec": "raw", "level": 3}, "level is that of zstd"),
    ({"shape": (3,)}, "whose dtype is missing"),
    ({"skip_bytes": 3}, "whose dtype is missing"),
    ({"range": (5,)}, "expected a pair"),
    ({"range": slice(2, 5)}, "expected a pair"),
    ({"range": [1, 2, 3]}, "expected a pair"),
    ({"helper_timeout": float("nan")}, "helper_timeout is nan"),
    ({"helper_timeout": -3}, "helper_timeout is -3"),
])  # fmt: skip
def test_convert__options_that_mean_nothing__are_refused(arrays, options, words):
    with pytest.raises(hr.InvalidError, match=words):
        hr.convert("X.npy", out="a.hrd", **options)


def test_dataset__has_its_fields_by_name__and_options_of_loaders_are_checked(arrays):
    hr.from_arrays("a.hrd", x=np.arange(5), y=np.zeros(5))
    data = hr.open("a.hrd")
    assert "x" in data and "z" not in data and 3 not in data
    assert list(data.keys()) == ["x", "y"] and dict(data)["x"][2] == 2
    with pytest.raises(hr.InvalidError, match="window is of shuffle=True"):
        data.loader(2, window=3)
    with pytest.raises(hr.InvalidError, match=r"subset is a list, expected a Subset: data.subset"):
        data.loader(2, subset=[1, 2])
    with pytest.raises(hr.InvalidError, match="open\\(\\) was given None"):
        hr.open(None)


def with_nan():
    values = np.zeros((50, 3), "f4")
    values[7, 1:], values[9, 0] = np.nan, -np.inf
    return values


OF_WITH_NAN = "a.hrd: field x has 2 NaN (the first in sample 7) and 1 Inf (the first in sample 9)"


def write(out, **arrays):
    with hr.Writer(out, {name: (values.dtype, values.shape[1:]) for name, values in arrays.items()}) as writer:
        writer.append(arrays)


def commit(out, **arrays):
    writer = hr.Writer(out, {name: (values.dtype, values.shape[1:]) for name, values in arrays.items()})
    writer.append(arrays)
    writer.commit()


def convert(out, **arrays):
    for name, values in arrays.items():
        np.save(f"{name}.npy", values)
    hr.convert(*(f"{name}.npy" for name in arrays), out=out)


WAYS = [convert, hr.from_arrays, write, commit, lambda out, **arrays: hr.from_iterator(out, [arrays], batched=True)]
OF_WAYS = ["convert", "from_arrays", "with", "commit", "from_iterator"]


@pytest.mark.parametrize("make", WAYS, ids=OF_WAYS)
def test_nan__written__warned_of_once_where_it_was_called(arrays, make):
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        make("a.hrd", x=with_nan(), y=np.arange(50), z=np.ones(50))
    assert [str(one.message) for one in told] == [OF_WITH_NAN]
    assert told[0].category is hr.HeadraceWarning
    assert told[0].filename == __file__


@pytest.mark.parametrize("make", WAYS, ids=OF_WAYS)
@pytest.mark.filterwarnings("error")
def test_nan__warnings_are_errors__the_file_is_made(arrays, make):
    with pytest.raises(hr.HeadraceWarning):
        make("a.hrd", x=with_nan())
    assert len(hr.open("a.hrd")) == 50 and not os.path.exists("a.hrd.partial")
    make("b.hrd", x=np.zeros((3, 2)))


def test_nan__in_many_fields__some_are_named(arrays):
    with pytest.warns(hr.HeadraceWarning, match=r"field f0 has 2 NaN .*; field f3 has .*; and 2 more fields have such"):
        hr.from_arrays("a.hrd", **{f"f{k}": with_nan() for k in range(6)})
