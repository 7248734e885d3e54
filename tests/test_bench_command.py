"""`headrace bench`: the JSON that scripts read, the picture, what is refused, and that it can be stopped."""

import json
import signal
import subprocess
import time
import xml.etree.ElementTree

import pytest

np = pytest.importorskip("numpy")

from headrace_command import (  # noqa: E402
    PROGRAM,
    headrace,
    listens_to_interrupts,
    needs_program,
    wait_until,
)

pytestmark = needs_program

EPOCHS = ["memory-sequential", "memory-shuffled", "disk-sequential", "disk-shuffled"]
LIMITS = ["decode", "read-sequential", "read-shuffled"]
SHORT = ["--rounds", "3", "--seconds", "40ms"]
SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bench")
    rows = np.random.default_rng(3).integers(0, 40, (40_000, 64)).astype("float32")
    np.save(folder / "x.npy", rows)
    done = headrace("convert", folder / "x.npy", "-o", folder / "a & <b>.hrd")
    assert done.returncode == 0, done.stderr
    return folder / "a & <b>.hrd"


@pytest.fixture(scope="module")
def measured(data):
    """The figures, and the picture drawn with them."""
    picture = data.with_suffix(".svg")
    done = headrace("bench", data, *SHORT, "--json", "--batch", "100", "--window", "7", "--svg", picture)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout), picture


def in_order(spread):
    assert 0 < spread["lowest"] <= spread["median"] <= spread["highest"]


def test_json__every_measure__has_figures_or_a_reason(measured, data):
    figures, _ = measured
    assert figures["file"] == str(data) and figures["files"] == [str(data)]
    assert (figures["rounds"], figures["batch"], figures["window"]) == (3, 100, 7)
    assert figures["decoded_bytes"] == 40_000 * 64 * 4
    assert figures["held_chunks"] == figures["chunks"]
    assert [measure["name"] for measure in figures["measures"]] == LIMITS + EPOCHS
    for measure in figures["measures"]:
        if measure["runs"] == 0:
            assert measure["reason"] and measure["bytes_per_s"] is None
            continue
        assert measure["runs"] == 3 and measure["reason"] is None
        in_order(measure["bytes_per_s"])


def test_json__epochs__are_shares_of_the_limits_beside_them(measured):
    figures, _ = measured
    by_name = {measure["name"]: measure for measure in figures["measures"] if measure["runs"]}
    assert {"decode", "memory-sequential", "memory-shuffled"} <= set(by_name)
    for name in LIMITS:
        assert by_name.get(name, {"share": None})["share"] is None
    for name in set(EPOCHS) & set(by_name):
        measure = by_name[name]
        in_order(measure["share"])
        assert measure["share"]["median"] < 10  # others may use the machine
        assert measure["epochs"] >= 1
        assert 0 < measure["first_batch_s"] < 10
        assert 0 < measure["worker_parts"]["decode"] <= 1.05
        assert measure["limit_bytes_per_s"]["highest"] <= by_name["decode"]["bytes_per_s"]["highest"] * 1.0001
        low = measure["bytes_per_s"]["lowest"] / measure["limit_bytes_per_s"]["highest"]
        high = measure["bytes_per_s"]["highest"] / measure["limit_bytes_per_s"]["lowest"]
        assert low * 0.999 <= measure["share"]["lowest"] and measure["share"]["highest"] <= high * 1.001


def test_svg__is_whole_and_shows_every_measure(measured):
    figures, picture = measured
    root = xml.etree.ElementTree.parse(picture).getroot()
    assert root.tag == f"{SVG}svg"
    texts = ["".join(text.itertext()) for text in root.iter(f"{SVG}text")]
    assert texts[0] == "a & <b>.hrd"
    assert "memory, shuffled" in texts and "decoding alone (L)" in texts
    shares = sum(text.endswith(" %") for text in texts)
    assert shares == sum(1 for measure in figures["measures"] if measure["share"])
    _, _, width, height = map(float, root.get("viewBox").split())
    for bar in root.iter(f"{SVG}rect"):
        x, y = float(bar.get("x", 0)), float(bar.get("y", 0))
        assert x + float(bar.get("width")) <= width and y + float(bar.get("height")) <= height
    assert not list(picture.parent.glob("*.partial"))


def test_svg__there_already__is_replaced_only_by_force(data, tmp_path):
    picture = tmp_path / "p.svg"
    picture.write_text("mine")
    done = headrace("bench", data, *SHORT, "--measures", "decode", "--svg", picture)
    assert done.returncode == 1 and "--force" in done.stderr
    assert picture.read_text() == "mine"
    done = headrace("bench", data, *SHORT, "--measures", "decode", "--svg", picture, "--force", "--quiet")
    assert done.returncode == 0 and done.stdout == ""
    assert xml.etree.ElementTree.parse(picture).getroot().tag == f"{SVG}svg"


def test_svg__nowhere_to_write__is_an_error(data, tmp_path):
    done = headrace("bench", data, *SHORT, "--measures", "decode", "--svg", tmp_path / "no" / "p.svg")
    assert done.returncode == 1 and "p.svg" in done.stderr


def test_text__shows_shares(data):
    done = headrace("bench", data, *SHORT, "--measures", "memory-shuffled")
    assert done.returncode == 0
    lines = done.stdout.splitlines()
    assert any(line.startswith("decoding alone (L)") for line in lines)
    assert any(line.startswith("memory, shuffled") and " % (" in line for line in lines)
    assert not any(line.startswith("memory, sequential") for line in lines)


def test_budget__holds_fewer_chunks__and_says_so(data):
    done = headrace("bench", data, *SHORT, "--measures", "decode", "--budget", "12M", "--json", "--window", "4")
    assert done.returncode == 0, done.stderr
    figures = json.loads(done.stdout)
    assert 0 < figures["held_bytes"] <= 3 << 20
    assert figures["budget_bytes"] <= 12 << 20


def test_empty_file__is_refused(tmp_path):
    np.save(tmp_path / "x.npy", np.zeros((0, 4), "float32"))
    assert headrace("convert", "x.npy", "-o", "none.hrd", cwd=tmp_path).returncode == 0
    done = headrace("bench", "none.hrd", *SHORT, cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr.startswith("headrace bench: none.hrd: its 0 samples hold no byte")


@pytest.mark.parametrize("measure", ["decode", "read-shuffled", "memory-shuffled"])
def test_interrupt__during_a_long_measure__ends_soon(data, measure):
    command = [str(PROGRAM), "bench", str(data), "--seconds", "20", "--measures", measure]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as child:
        wait_until(lambda: listens_to_interrupts(child.pid))
        time.sleep(0.3)  # so that it is in the middle, mostly
        child.send_signal(signal.SIGINT)
        sent = time.monotonic()
        out, err = child.communicate(timeout=60)
    assert child.returncode == 130 and out == ""
    assert "stopped" in err
    assert time.monotonic() - sent < 10
