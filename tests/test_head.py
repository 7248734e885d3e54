"""`headrace head`: what is printed into a pipe, what a terminal gets, PNG files, JSON."""

import json
import os
import re
import struct
import subprocess
import sys
import zlib

import pytest

np = pytest.importorskip("numpy", minversion="1.24")

from headrace_command import PROGRAM, good, headrace, on_terminal  # noqa: E402
from python_package import hr  # noqa: E402

HALF = "▀"
RNG = np.random.default_rng(3)
RGB = RNG.integers(0, 256, (12, 10, 8, 3), np.uint8)
COLUMNS = {
    "label": np.arange(12) ** 3 - 5,
    "rgb": RGB,
    "matrix": np.arange(12 * 6).reshape(12, 2, 3) * 1.5,
    "long": RNG.normal(size=(12, 300)).astype("f2"),
    "name": np.array(["a", "größe", "evil\x1b[31m"] * 4),
    "raw": np.array([b"a\x00b", b"\xff"] * 6),
    "complex": np.arange(12) * (1 + 2j),
    "empty": np.zeros((12, 0, 3), "f4"),
    "deep": np.arange(12 * 32).reshape(12, 2, 2, 2, 2, 2),
}


@pytest.fixture
def data(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    hr.from_arrays("a.hrd", COLUMNS)
    return "a.hrd"


def section(out, name):
    return re.search(rf"^{name}  .*\n((?:  .*\n|\n)*)", out, re.M)[1]


def test_head__into_a_pipe__aligned_numbers_and_texts(data):
    out = good("head", data, "-n", "3", "--from", "1")
    assert section(out, "label") == "  1  -4\n  2   3\n  3  22\n"
    assert section(out, "matrix") == (
        "  1  [[ 9.0 10.5 12.0]\n      [13.5 15.0 16.5]]\n"
        "  2  [[18.0 19.5 21.0]\n      [22.5 24.0 25.5]]\n"
        "  3  [[27.0 28.5 30.0]\n      [31.5 33.0 34.5]]\n")
    assert section(out, "name") == '  1  "größe"\n  2  "evil\\x1b[31m"\n  3  "a"\n'
    assert section(out, "raw") == '  1  b"\\xff"\n  2  b"a\\x00b"\n  3  b"\\xff"\n'
    assert section(out, "complex").split() == ["1", "1.0+2.0j", "2", "2.0+4.0j", "3", "3.0+6.0j"]
    assert section(out, "empty") == "  1  []\n  2  []\n  3  []\n"
    assert re.fullmatch(r"  1  \[( +-?[\d.]+){3} \.\.\.( +-?[\d.]+){3}\]", section(out, "long").splitlines()[0])
    assert "\x1b" not in out and HALF not in out
    lines = section(out, "long").splitlines()
    assert len({len(line) for line in lines}) == 1


def test_head__of_large_arrays__shows_their_edges(data):
    out = section(good("head", data, "-n", "1", "--fields", "rgb"), "rgb")
    first, last = RGB[0, 0, 0], RGB[0, -1, -1]
    numbers = list(map(int, re.findall(r"\d+", out)))[1:]
    assert [numbers[0], numbers[-1]] == [first[0], last[2]] and len(numbers) == 8
    assert out.count("...") == 7


def test_head__more_than_there_are__all_of_them(data):
    out = good("head", data, "-n", "1000", "--fields", "label")
    assert len(out.splitlines()) == 13
    for first in ("12", "13"):
        done = headrace("head", data, "--from", first)
        assert done.returncode == 1 and f"no sample {first}: the data set has 12" in done.stderr
    done = headrace("head", data, "--fields", "nothing")
    assert done.returncode == 1 and "nothing" in done.stderr


def test_head__values_of_variable_length__texts_and_sequences(tmp_path):
    with hr.Writer(tmp_path / "v.hrd", fields={"t": "utf8", "b": "bytes", "s": "int32[]"}) as writer:
        writer.append(t=["a", "größe\x1b[1m", "x" * 500], b=[b"a\0", b"", b"\xff"], s=[[1, 20, 300], [], range(200)])
    out = good("head", tmp_path / "v.hrd")
    assert section(out, "t").splitlines()[:2] == ['  0  "a"', '  1  "größe\\x1b[1m"']
    assert section(out, "t").splitlines()[2].endswith('xxx"...')
    assert section(out, "b") == '  0  b"a\\x00"\n  1  b""\n  2  b"\\xff"\n'
    assert re.search(r"^s  int32\[\]$", out, re.M)
    assert section(out, "s").splitlines() == [
        "  0  [  1  20 300]", "  1  []", "  2  [  0   1   2 ... 197 198 199]"]
    fields = {field["name"]: field for field in json.loads(good("head", tmp_path / "v.hrd", "--json"))["fields"]}
    assert fields["t"]["samples"][1:] == [["größe\x1b[1m"], ["x" * 500]]
    assert [fields[name]["element_dtype"] for name in "tbs"] == [None, None, "int32"]
    assert fields["s"]["samples"][:2] == [[1, 20, 300], []] and len(fields["s"]["samples"][2]) == 200


# ---- a terminal ----

def pixels_of(line):
    """The upper and the lower colours of a line."""
    up, down, letter, ground = [], [], None, None
    for code, half in re.findall(r"\x1b\[([\d;]*)m|(▀)", line):
        if half:
            up.append(letter)
            down.append(ground)
        elif code.startswith("38;2;"):
            letter = tuple(map(int, code[5:].split(";")))
        elif code.startswith("48;2;"):
            ground = tuple(map(int, code[5:].split(";")))
    return up, down


def test_head__on_a_terminal__images_pixel_by_pixel(data):
    lines = [line for line in on_terminal("head", data, "-n", "3", "--fields", "rgb").split("\n") if HALF in line]
    assert len(lines) == 5  # ten rows; all three side by side
    for number, line in enumerate(lines):
        up, down = pixels_of(line)
        assert up == [tuple(pixel) for image in RGB[:3] for pixel in image[2 * number]]
        assert down == [tuple(pixel) for image in RGB[:3] for pixel in image[2 * number + 1]]
        assert line.rstrip().endswith("\x1b[0m")


def test_head__narrow_terminal__images_one_below_the_other(data):
    out = on_terminal("head", data, "-n", "3", "--fields", "rgb", columns=18)
    assert len([line for line in out.split("\n") if HALF in line]) == 10
    assert max(line.count(HALF) for line in out.split("\n")) == 16


def test_head__large_images__shrink_to_fit(tmp_path):
    hr.from_arrays(tmp_path / "big.hrd", x=np.full((2, 300, 500), 0.25, "f4"))
    out = on_terminal("head", str(tmp_path / "big.hrd"), "-n", "1", columns=40)
    lines = [line for line in out.split("\n") if HALF in line]
    assert {line.count(HALF) for line in lines} == {40} and len(lines) == 12
    assert pixels_of(lines[0])[0][0] == (64, 64, 64)


@pytest.mark.parametrize("environment", [
    {"NO_COLOR": "1"}, {"TERM": "dumb"}, {"LC_ALL": "C"}, {"TERM": "vt100", "COLORTERM": ""},
], ids=str)
def test_head__terminal_without_colours_or_utf8__numbers(environment, data):
    out = on_terminal("head", data, "-n", "2", "--fields", "rgb,name", **environment)
    assert HALF not in out and "\x1b" not in out
    assert ('"größe"' in out) == (environment.get("LC_ALL") != "C")


def test_head__terminal_of_256_colours__uses_them(data):
    out = on_terminal("head", data, "-n", "1", "--fields", "rgb", COLORTERM="")
    assert HALF in out and "38;5;" in out and "38;2;" not in out
    out = on_terminal("head", data, "-n", "1", "--fields", "rgb", "--numbers")
    assert HALF not in out


# ---- files ----


def read_png(path):
    """Rows of an RGB image without interlacing."""
    data, at, packed = path.read_bytes(), 8, b""
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    while at < len(data):
        length, kind = struct.unpack(">I4s", data[at:at + 8])
        body = data[at + 8:at + 8 + length]
        if kind == b"IHDR":
            width, height, depth, colour = struct.unpack(">IIBB", body[:10])
        packed += body if kind == b"IDAT" else b""
        at += length + 12
    assert (depth, colour) == (8, 2)
    raw = np.frombuffer(zlib.decompress(packed), np.uint8).reshape(height, 1 + 3 * width)
    rows = np.zeros((height + 1, 3 * width + 3), np.int64)
    for y in range(height):  # the five filters
        for x in range(3 * width):
            left, above, corner = rows[y + 1, x], rows[y, x + 3], rows[y, x]
            guess = left + above - corner
            paeth = min((left, above, corner), key=lambda value: abs(guess - value))
            add = [0, left, above, (left + above) // 2, paeth][raw[y, 0]]
            rows[y + 1, x + 3] = (int(raw[y, x + 1]) + add) % 256
    return rows[1:, 3:].reshape(height, width, 3).astype(np.uint8)


@pytest.fixture
def png(data, tmp_path):
    done = headrace("head", data, "-n", "1", "--png", tmp_path / "probe.png", "--fields", "rgb")
    if "built without libpng" in done.stderr:
        pytest.skip("the command was built without libpng")
    assert done.returncode == 0, done.stderr
    return data


def test_head__png_of_a_folder__each_image_as_it_is(png, tmp_path):
    good("head", png, "-n", "2", "--from", "3", "--png", "out")
    assert sorted(os.listdir("out")) == ["rgb-00003.png", "rgb-00004.png"]
    np.testing.assert_array_equal(read_png(tmp_path / "out" / "rgb-00004.png"), RGB[4])
    done = headrace("head", png, "-n", "2", "--from", "3", "--png", "out")
    assert done.returncode == 1 and "--force" in done.stderr
    good("head", png, "-n", "2", "--from", "3", "--png", "out", "--force")


def test_head__png_of_one_file__a_grid(png, tmp_path):
    good("head", png, "-n", "3", "--png", "grid.png")
    found = read_png(tmp_path / "grid.png")
    assert found.shape == (22, 18, 3)
    np.testing.assert_array_equal(found[:10, :8], RGB[0])
    np.testing.assert_array_equal(found[:10, 10:], RGB[1])
    np.testing.assert_array_equal(found[12:, :8], RGB[2])
    assert not found[12:, 10:].any()


def test_head__png_of_floats_and_planes__the_same_pixels(png, tmp_path):
    hr.from_arrays("f.hrd", {
        "planes": np.ascontiguousarray(RGB.transpose(0, 3, 1, 2)).astype("f4") / 255,
        "grey": RGB[..., 0].astype("f8") * 3 - 100,
        "alpha": np.concatenate([RGB, np.full((12, 10, 8, 1), 255, np.uint8)], -1),
        "nan": np.full((12, 8, 8), np.nan, "f4"),
    })
    good("head", "f.hrd", "-n", "1", "--png", "out")
    np.testing.assert_array_equal(read_png(tmp_path / "out" / "planes-00000.png"), RGB[0])
    np.testing.assert_array_equal(read_png(tmp_path / "out" / "alpha-00000.png"), RGB[0])
    grey = RGB[0, ..., 0].astype(int)
    expected = np.rint((grey - grey.min()) * 255 / (grey.max() - grey.min()))
    assert np.abs(read_png(tmp_path / "out" / "grey-00000.png")[..., 1] - expected).max() <= 1
    assert not read_png(tmp_path / "out" / "nan-00000.png").any()


def test_head__many_large_images__are_held_one_at_a_time(png, tmp_path):
    with hr.Writer("large.hrd", fields={"x": ("uint8", (1600, 1600))}) as writer:
        for _ in range(12):
            writer.append(x=np.zeros((1, 1600, 1600), np.uint8))
    peak = ("import resource, subprocess, sys; done = subprocess.run(sys.argv[1:]); "
            "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss); sys.exit(done.returncode)")
    args = ["head", "large.hrd", "-n", "12", "--png", "out"]
    done = subprocess.run([sys.executable, "-c", peak, PROGRAM, *args], capture_output=True, text=True, timeout=100)
    assert done.returncode == 0 and len(os.listdir("out")) == 12, done.stderr
    assert int(done.stdout.split()[-1]) < 48 << 10  # all of them: 92 MB
    done = headrace("head", "large.hrd", "-n", "12", "--png", "grid.png", "--budget", "32M")
    assert done.returncode == 1 and "give a larger --budget, or a folder with --png" in done.stderr
    done = headrace("head", "large.hrd", "-n", "1", "--png", "out2", "--budget", "5M")
    assert done.returncode == 1 and "the images of the field x take 7.32 MiB" in done.stderr


def test_head__png_where_there_is_none__says_why(data):
    done = headrace("head", data, "--png", "out", "--fields", "label")
    assert done.returncode == 1 and "no images" in done.stderr
    assert not os.path.exists("out")


# ---- JSON and the package ----


def test_head__json__elements_in_c_order(data):
    done = headrace("head", data, "--json", "-n", "2")
    out = json.loads(done.stdout)
    fields = {field["name"]: field for field in out["fields"]}
    assert (out["total"], out["first"], out["count"]) == (12, 0, 2)
    assert fields["label"]["samples"] == [[-5], [-4]]
    assert fields["matrix"]["samples"][1] == [9, 10.5, 12, 13.5, 15, 16.5]
    assert fields["name"]["samples"] == [["a"], ["größe"]]
    assert fields["complex"]["samples"] == [[[0, 0]], [[1, 2]]]
    assert fields["rgb"]["samples"][0] == RGB[0].ravel().tolist() and fields["rgb"]["complete"]
    assert fields["deep"]["shape"] == [2] * 5


def test_head__sample_larger_than_the_budget__is_refused(data):
    done = headrace("head", data, "--fields", "long", "--budget", "100")
    assert done.returncode == 1 and "budget" in done.stderr


def test_python__head__first_samples(data):
    found = hr.open(data).head(2)
    np.testing.assert_array_equal(found["label"], [-5, -4])
    assert found["rgb"].shape == (2, 10, 8, 3)


def test_head__rows_longer_than_a_terminal__are_shown_by_their_ends(tmp_path):
    rows = np.arange(200, dtype="i4").reshape(2, 100) + 1000
    hr.from_arrays(tmp_path / "a.hrd", rows=rows)
    first, second = on_terminal("head", str(tmp_path / "a.hrd"), columns=60).splitlines()[1:]
    assert len(first) == len(second) <= 60 and "..." in first
    numbers = [int(n) for n in re.findall(r"\d+", first)[1:]]
    assert numbers == [*range(1000, 1000 + len(numbers) // 2), *range(1100 - len(numbers) // 2, 1100)]
    assert "..." not in good("head", tmp_path / "a.hrd")
