"""`headrace join` as people and scripts use it, and `hr.join()`."""

import json
import subprocess
import sys

import pytest

np = pytest.importorskip("numpy")

from headrace_command import WHOLE, figures, good, headrace, layout  # noqa: E402
from python_package import SOURCE, check, hr, rows_of  # noqa: E402

SIZES = [300, 0, 17, 1000, 64]


@pytest.fixture(scope="module")
def parts(tmp_path_factory):
    """A folder with part-0.hrd, part-1.hrd, ... of SIZES samples, and what else does not belong."""
    folder = tmp_path_factory.mktemp("parts")
    options = {"chunk_bytes": 32 * 104}
    begin = 0
    for i, n in enumerate([*SIZES, *[1] * 7]):  # part-10 is behind part-9
        hr.from_arrays(folder / f"part-{i}.hrd", options=options, **rows_of(np.arange(begin, begin + n)))
        begin += n
    (folder / "part-0.hrd.partial").write_bytes(b"left over")
    (folder / "notes.txt").write_text("no part")
    return folder


TOTAL = sum(SIZES) + 7


@pytest.mark.parametrize("given", [["{}"], ["{}/part-*.hrd"], ["{}/part-?.hrd", "{}/part-1[01].hrd"]])
def test_join__folder_or_pattern__in_natural_order(given, parts, tmp_path):
    out = figures("join", *[text.format(parts) for text in given], "-o", tmp_path / "all.hrd")
    assert (out["samples"], out["parts"]) == (TOTAL, 12)
    good("verify", tmp_path / "all.hrd")
    with hr.open(tmp_path / "all.hrd") as data:
        assert np.array_equal(data["y"][:], np.arange(TOTAL))
        check(data[:])


def test_join__json__has_the_documented_layout(parts, tmp_path):
    out = figures("join", parts, "-o", tmp_path / "all.hrd")
    assert layout(out) == {"output": "str", "parts": WHOLE, "samples": WHOLE, "resumed_samples": WHOLE, "chunks": WHOLE,
                           "segments": WHOLE, "stored_bytes": WHOLE, "seconds": "float"}
    assert out["stored_bytes"] == (tmp_path / "all.hrd").stat().st_size


def test_join__read_by_the_decoder__is_the_same(parts, tmp_path):
    pytest.importorskip("xxhash")
    good("join", parts, "-o", tmp_path / "all.hrd")
    told = subprocess.run([sys.executable, SOURCE / "tests" / "decoder.py", tmp_path / "all.hrd", "--verify",
                           "--export", tmp_path / "out"], capture_output=True, text=True, timeout=100)
    assert told.returncode == 0, told.stderr
    assert np.array_equal(np.load(tmp_path / "out" / "y.npy"), np.arange(TOTAL))
    assert np.array_equal(np.load(tmp_path / "out" / "X.npy"), rows_of(np.arange(TOTAL))["X"])


def test_join__statistics__are_those_of_one_file(parts, tmp_path):
    good("join", parts, "-o", tmp_path / "all.hrd")
    hr.from_arrays(tmp_path / "one.hrd", options={"chunk_bytes": 32 * 104}, **rows_of(np.arange(TOTAL)))
    all_, one = (figures("info", tmp_path / name)["fields"] for name in ("all.hrd", "one.hrd"))
    for a, b in zip(all_, one, strict=True):
        for key, value in b["statistics"].items():
            assert a["statistics"][key] == (pytest.approx(value, rel=1e-12) if isinstance(value, float) else value), key


def test_join__nan_in_a_later_part__keeps_its_sample(tmp_path):
    for i in range(3):
        x = np.ones((50, 2), "f4")
        x[i, 1] = np.nan if i == 2 else 1
        hr.from_arrays(tmp_path / f"p{i}.hrd", x=x)
    good("join", tmp_path, "-o", tmp_path / "out.hrd")
    (field,) = figures("info", tmp_path / "out.hrd")["fields"]
    assert (field["statistics"]["nan"], field["statistics"]["first_nan_sample"]) == (1, 102)


def test_join__wrong_command_line__says_what(parts, tmp_path):
    for args, words in [([], "FILE"), ([parts], "-o ALL.hrd"), ([parts, "-o", "x", "--attributes", "none"], "same"),
                        ([parts, "-o", "x", "--threads", "0"], "threads")]:
        done = headrace("join", *args, cwd=tmp_path)
        assert done.returncode == 2
        assert words in done.stderr


def test_join__output_exists__refused_without_force(parts, tmp_path):
    good("join", parts, "-o", tmp_path / "all.hrd")
    done = headrace("join", parts, "-o", tmp_path / "all.hrd")
    assert done.returncode == 1
    assert "all.hrd exists" in done.stderr
    assert "samples of 12 parts" in good("join", parts, "-o", tmp_path / "all.hrd", "--force")
    assert good("join", parts, "-o", tmp_path / "all.hrd", "--force", "--quiet") == ""


def write_appended(path, begin, counts):
    """In several commits, all but the first an append; the samples behind them."""
    for k, n in enumerate(counts):
        rows = rows_of(np.arange(begin, begin + n))
        fields = None if k else {"X": ("float32", (4, 6)), "y": "int64"}
        with hr.Writer(path, fields, append=k > 0, **({} if k else {"samples_per_chunk": 32})) as writer:
            writer.append(rows)
        begin += n
    return begin


def test_join__parts_that_were_appended_to__leave_their_dead_bytes(tmp_path):
    middle = write_appended(tmp_path / "p0.hrd", 0, [50, 3, 200])
    end = write_appended(tmp_path / "p1.hrd", middle, [10, 10, 40])
    hr.join(tmp_path, out=tmp_path / "all.hrd")
    assert figures("info", tmp_path / "p0.hrd")["dead_bytes"] > 0
    assert figures("info", tmp_path / "all.hrd")["dead_bytes"] == 0
    good("verify", tmp_path / "all.hrd")
    with hr.open(tmp_path / "all.hrd") as data:
        assert np.array_equal(data["y"][:], np.arange(end))
        check(data[:])


@pytest.mark.parametrize("first", [50, 64])
def test_join__output__can_be_appended_to(first, tmp_path):
    middle = write_appended(tmp_path / "p0.hrd", 0, [first])
    end = write_appended(tmp_path / "p1.hrd", middle, [70])
    hr.join(tmp_path, out=tmp_path / "all.hrd")
    with hr.Writer(tmp_path / "all.hrd", append=True) as writer:
        writer.append(rows_of(np.arange(end, end + 100)))
    good("verify", tmp_path / "all.hrd")
    with hr.open(tmp_path / "all.hrd") as data:
        assert np.array_equal(data["y"][:], np.arange(end + 100))
        check(data[:])


def test_join__values_of_variable_length__come_along(tmp_path):
    stories = [f"story {i} " * (i % 9) for i in range(300)]
    tokens = [np.arange(i % 7, dtype="int32") for i in range(300)]
    fields = {"s": "utf8", "t": "int32[]", "y": "int64"}
    for k in range(3):
        with hr.Writer(tmp_path / f"p{k}.hrd", fields, samples_per_chunk=40) as writer:
            part = slice(100 * k, 100 * k + 100)
            writer.append(s=stories[part], t=tokens[part], y=np.arange(300)[part])
    hr.join(tmp_path, out=tmp_path / "all.hrd")
    good("verify", tmp_path / "all.hrd")
    with hr.open(tmp_path / "all.hrd") as data:
        assert list(data["s"][:]) == stories
        assert all(np.array_equal(a, b) for a, b in zip(data["t"][:], tokens, strict=True))
        lengths = data.footer["fields"][0]["lengths"]
        assert lengths["values"] == 300
        assert lengths["total_bytes"] == sum(map(len, stories))


def test_join__damaged_part__exit_3_and_its_name(parts, tmp_path):
    bad = bytearray((parts / "part-3.hrd").read_bytes())
    bad[140000] ^= 1
    (tmp_path / "bad.hrd").write_bytes(bad)
    done = headrace("join", parts / "part-0.hrd", tmp_path / "bad.hrd", "-o", tmp_path / "all.hrd")
    assert done.returncode == 3
    assert "bad.hrd: chunk" in done.stderr and "--salvage" in done.stderr
    assert not (tmp_path / "all.hrd").exists()


def test_join__in_python__what_the_command_makes(parts, tmp_path):
    done = hr.join(parts / "part-*.hrd", out=tmp_path / "all.hrd", threads=1, budget="32M", progress=False)
    assert (done.num_samples, done.num_parts, done.resumed_samples) == (TOTAL, 12, 0)
    assert done.stored_bytes == (tmp_path / "all.hrd").stat().st_size
    with hr.open(tmp_path / "all.hrd") as data:
        assert data.footer["provenance"]["join"] == {"parts": 12}
        rows = [batch["y"].copy() for batch in data.loader(batch=64, shuffle=True, seed=2, epochs=1)]
    with hr.open([parts / f"part-{i}.hrd" for i in range(12)]) as many:
        wanted = [batch["y"].copy() for batch in many.loader(batch=64, shuffle=True, seed=2, epochs=1)]
    assert np.array_equal(np.concatenate(rows), np.concatenate(wanted))
    again = hr.join(parts, out=tmp_path / "all.hrd", replace=True, resume=True)
    assert any("anew" in line for line in again.notes)


@pytest.mark.parametrize(("options", "kind", "words"), [
    ({"parts": ["no.hrd"]}, FileNotFoundError, "no.hrd"),
    ({"parts": []}, ValueError, "0 parts"),
    ({"attributes": "last"}, ValueError, "attributes is 'last'"),
    ({"threads": -1}, ValueError, "threads is -1"),
])
def test_join__what_cannot_be__the_exception_that_python_expects(parts, tmp_path, options, kind, words):
    given = options.pop("parts", [parts])
    with pytest.raises(kind) as refused:
        hr.join(*given, out=tmp_path / "all.hrd", **options)
    assert isinstance(refused.value, hr.Error)
    assert words in str(refused.value)


def test_join__parts_of_other_chunks__name_both_values(tmp_path):
    for name, chunk in (("a", 32), ("b", 33)):
        hr.from_arrays(tmp_path / f"{name}.hrd", options={"chunk_bytes": chunk * 104}, **rows_of(np.arange(100)))
    with pytest.raises(hr.MismatchError, match=r"b\.hrd.* 33 .* 32.*convert"):
        hr.join(tmp_path, out=tmp_path / "all" / "out.hrd")


def test_join__info_of_the_output__has_one_segment_a_short_part(parts, tmp_path):
    out = figures("join", parts / "part-0.hrd", parts / "part-4.hrd", "-o", tmp_path / "a.hrd")
    assert out["segments"] == 2
    out = figures("join", parts / "part-4.hrd", parts / "part-0.hrd", "-o", tmp_path / "b.hrd")
    assert out["segments"] == 1  # the first has two full chunks
    assert json.loads(good("verify", tmp_path / "b.hrd", "--json"))["files"][0]["whole"]


def test_join__parts_of_texts_with_other_chunks__names_what_writers_take(tmp_path):
    for name, samples in (("a", 40), ("b", 44)):
        with hr.Writer(tmp_path / f"{name}.hrd", {"t": "utf8"}, samples_per_chunk=samples) as writer:
            writer.append(t=["text"] * 100)
    done = headrace("join", "a.hrd", "b.hrd", "-o", "all.hrd", cwd=tmp_path)
    assert done.returncode == 1 and "samples_per_chunk 40" in done.stderr and "chunk-bytes" not in done.stderr
