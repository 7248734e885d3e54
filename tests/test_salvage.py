"""`headrace verify --salvage` as people and scripts use it, and `hr.salvage()`."""

import json
import subprocess
import sys

import pytest

np = pytest.importorskip("numpy")

from headrace_command import WHOLE, good, headrace, layout  # noqa: E402
from python_package import SOURCE, check, hr, rows_of  # noqa: E402

SAMPLES = 640
CHUNK = 32


@pytest.fixture
def damaged(tmp_path):
    """Of 20 chunks the third and the last are damaged."""
    path = tmp_path / "train.hrd"
    hr.from_arrays(path, options={"chunk_bytes": CHUNK * 104, "codec": "raw"}, **rows_of(np.arange(SAMPLES)))
    data = bytearray(path.read_bytes())
    for offset in (400, 30):
        starts = chunk_starts(data)
        assert len(starts) == 20
        data[starts[2 if offset == 400 else 19] + offset] ^= 8
    path.write_bytes(data)
    return path


KEPT = np.r_[0:64, 96:608]


def test_salvage__command__saves_what_is_whole_and_lists_the_rest(damaged, tmp_path):
    before = damaged.read_bytes()
    done = headrace("verify", damaged, "--salvage", tmp_path / "out.hrd")
    assert done.returncode == 3
    assert "samples 64 to 95 (chunk 2, field y)" in done.stdout or "samples 64 to 95 (chunk 2, field X)" in done.stdout
    assert "samples 608 to 639 (chunk 19)" in done.stdout
    assert "576 samples saved" in done.stdout
    good("verify", tmp_path / "out.hrd")
    with hr.open(tmp_path / "out.hrd") as data:
        assert np.array_equal(data["y"][:], KEPT)
        check(data[:])
    assert damaged.read_bytes() == before


def test_salvage__json__has_the_documented_layout(damaged, tmp_path):
    done = headrace("verify", damaged, "--salvage", tmp_path / "out.hrd", "--json")
    assert done.returncode == 3
    out = json.loads(done.stdout)
    lost = {"first_chunk": WHOLE, "chunks": WHOLE, "first_sample": WHOLE, "samples": WHOLE, "reason": "str"}
    kinds = [{key: value for key, value in layout(entry).items() if key != "fields"} for entry in out.pop("lost")]
    assert kinds == [lost, lost]
    assert layout(out) == {"file": "str", "output": "str", "end_known": "bool", "samples": WHOLE, "chunks": WHOLE,
                           "segments": WHOLE, "lost_samples": WHOLE, "lost_chunks": WHOLE, "stored_bytes": WHOLE,
                           "seconds": "float"}
    page = (SOURCE / "docs" / "cli.md").read_text(encoding="utf-8")
    block = page[page.index('{"file": "bad.hrd", "output"') :]
    documented = json.loads(block[: block.index("```")])
    assert set(documented) == {*out, "lost"}
    assert set(documented["lost"][0]) == {*lost, "fields"}


def test_salvage__read_by_the_decoder__is_whole(damaged, tmp_path):
    pytest.importorskip("xxhash")
    headrace("verify", damaged, "--salvage", tmp_path / "out.hrd")
    decoder = [sys.executable, SOURCE / "tests" / "decoder.py", tmp_path / "out.hrd"]
    told = subprocess.run([*decoder, "--verify", "--export", tmp_path / "out"], capture_output=True, text=True,
                          timeout=100)
    assert told.returncode == 0, told.stdout + told.stderr
    assert np.array_equal(np.load(tmp_path / "out" / "y.npy"), KEPT)


def test_salvage__wrong_command_line__says_what(damaged, tmp_path):
    for args, words in [([damaged, damaged, "--salvage", "x"], "name one"), ([damaged, "--force"], "--salvage")]:
        done = headrace("verify", *args, cwd=tmp_path)
        assert done.returncode == 2
        assert words in done.stderr


def test_salvage__output_exists__refused_without_force(damaged, tmp_path):
    (tmp_path / "out.hrd").write_text("mine")
    done = headrace("verify", damaged, "--salvage", tmp_path / "out.hrd")
    assert done.returncode == 1
    assert (tmp_path / "out.hrd").read_text() == "mine"
    assert headrace("verify", damaged, "--salvage", tmp_path / "out.hrd", "--force").returncode == 3
    good("verify", tmp_path / "out.hrd")


def test_salvage__whole_file__exit_0(tmp_path):
    hr.from_arrays(tmp_path / "a.hrd", **rows_of(np.arange(100)))
    assert "100 samples saved" in good("verify", tmp_path / "a.hrd", "--salvage", tmp_path / "b.hrd")
    assert good("verify", tmp_path / "a.hrd", "--salvage", tmp_path / "c.hrd", "--quiet") == ""


def test_salvage__nothing_to_go_by__exit_3_and_no_output(tmp_path):
    (tmp_path / "a.hrd").write_bytes(bytes(200_000))
    done = headrace("verify", tmp_path / "a.hrd", "--salvage", tmp_path / "b.hrd")
    assert done.returncode == 3
    assert "job record" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["a.hrd"]


def test_salvage__in_python__tells_what_is_lost(damaged, tmp_path):
    done = hr.salvage(damaged, out=tmp_path / "out.hrd", budget="64M", progress=False)
    assert (done.num_samples, done.num_chunks, done.num_segments) == (576, 18, 1)
    assert (done.lost_samples, done.lost_chunks, done.end_known) == (64, 2, True)
    first, last = done.lost
    assert (first.first_chunk, first.first_sample, first.num_samples, len(first.fields)) == (2, 64, 32, 1)
    assert (last.first_chunk, last.first_sample, last.num_samples, last.fields) == (19, 608, 32, ())
    assert "is damaged (hash" in first.reason and "convert" not in first.reason
    with hr.open(tmp_path / "out.hrd") as data:
        told = data.footer["provenance"]["salvage"]
        assert told["lost"] == [[64, 32], [608, 32]]
        assert told["end_known"] is True
    with pytest.raises(FileExistsError):
        hr.salvage(damaged, out=tmp_path / "out.hrd")
    again = hr.salvage(damaged, out=tmp_path / "out.hrd", replace=True, check_space=False)
    assert again.num_samples == 576


def chunk_starts(data):
    return [at for at in range(131072, len(data), 4096) if data[at : at + 8] == b"HRDCHNK\n"]


@pytest.mark.parametrize(("footer", "offset"), [(True, 500), (False, 500), (True, 30)])
def test_salvage__values_of_variable_length__are_saved_with_their_chunks(footer, offset, tmp_path):
    stories = [f"story {i} " * (i % 9) for i in range(300)]
    with hr.Writer(tmp_path / "a.hrd", {"s": "utf8", "y": "int64"}, samples_per_chunk=40, codec="raw") as writer:
        writer.append(s=stories, y=np.arange(300))
    data = bytearray((tmp_path / "a.hrd").read_bytes())
    starts = chunk_starts(data)
    assert len(starts) == 8
    data[starts[3] + offset] ^= 1
    if not footer:
        data[0:4096] = data[65536 : 65536 + 4096] = bytes(4096)
    (tmp_path / "a.hrd").write_bytes(data)
    done = hr.salvage(tmp_path / "a.hrd", out=tmp_path / "b.hrd")
    assert (done.lost_samples, done.lost[0].first_sample, done.end_known) == (40, 120, footer)
    good("verify", tmp_path / "b.hrd")
    kept = np.r_[0:120, 160:300]
    with hr.open(tmp_path / "b.hrd") as saved:
        assert np.array_equal(saved["y"][:], kept)
        assert list(saved["s"][:]) == [stories[i] for i in kept]
        lengths = saved.footer["fields"][0]["lengths"]
        assert lengths["values"] == 260
        assert lengths["total_bytes"] == sum(len(stories[i]) for i in kept)


@pytest.mark.parametrize("footer", [True, False])
def test_salvage__file_that_was_appended_to__is_saved_as_of_its_last_commit(footer, tmp_path):
    path, begin = tmp_path / "a.hrd", 0
    for n in (50, 3, 200, 1, 30):
        fields = None if begin else {"X": ("float32", (4, 6)), "y": "int64"}
        with hr.Writer(path, fields, append=begin > 0, **({} if begin else {"samples_per_chunk": 32})) as writer:
            writer.append(rows_of(np.arange(begin, begin + n)))
        begin += n
    if not footer:
        data = bytearray(path.read_bytes())
        data[0:4096] = data[65536 : 65536 + 4096] = bytes(4096)
        path.write_bytes(data)
    done = hr.salvage(path, out=tmp_path / "b.hrd")
    assert (done.num_samples, done.lost, done.end_known, done.num_segments) == (begin, (), footer, 1)
    good("verify", tmp_path / "b.hrd")
    with hr.open(tmp_path / "b.hrd") as data:
        assert np.array_equal(data["y"][:], np.arange(begin))
        check(data[:])


def test_salvage__what_an_append_made_full_is_damaged__its_samples_are_lost(tmp_path):
    """Without a footer only the chunks behind it tell that it was full."""
    path, begin = tmp_path / "a.hrd", 0
    for n in (700, 700):
        fields = None if begin else {"y": "int64"}
        with hr.Writer(path, fields, append=begin > 0, **({} if begin else {"samples_per_chunk": 512})) as writer:
            writer.append(y=np.arange(begin, begin + n))
        begin += n
    data = bytearray(path.read_bytes())
    data[0:4096] = data[65536 : 65536 + 4096] = bytes(4096)
    data[chunk_starts(data)[2] + 20] ^= 1  # 512 to 1023, which were 512 to 699 before
    path.write_bytes(data)
    done = hr.salvage(path, out=tmp_path / "b.hrd")
    assert [(lost.first_sample, lost.num_samples) for lost in done.lost] == [(700, 324)]
    with hr.open(tmp_path / "b.hrd") as saved:
        assert np.array_equal(saved["y"][:], np.r_[0:700, 1024:1400])


def test_salvage__cut_off__what_is_there(damaged, tmp_path):
    damaged.write_bytes(damaged.read_bytes()[: 131072 + 4096 * 5])
    done = hr.salvage(damaged, out=tmp_path / "out.hrd")
    assert not done.end_known
    assert done.num_samples > 0
    assert any("page by page" in line for line in done.notes)
    check(hr.open(tmp_path / "out.hrd")[:])
