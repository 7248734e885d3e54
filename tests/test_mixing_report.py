"""script/bench-mixing from end to end on a short epoch: what bench/mixing prints, and page and picture made of it."""

import os
import pathlib
import re
import subprocess
import sys
import xml.etree.ElementTree as ElementTree

import pytest

pytest.importorskip("numpy")

SOURCE = pathlib.Path(os.environ.get("HEADRACE_SOURCE", pathlib.Path(__file__).parent.parent))
sys.path.insert(0, str(SOURCE / "bench"))
import mixing_picture  # noqa: E402
import mixing_report  # noqa: E402
import mixing_text  # noqa: E402
import order_training  # noqa: E402

SVG = "{http://www.w3.org/2000/svg}"
TINY = ("--quick", "--seeds", "2", "--place-seeds", "4")
built = pytest.mark.skipif(not mixing_report.MIXING.is_file(), reason="not built")


def report(*options):
    program = SOURCE / "bench" / "mixing_report.py"
    return subprocess.run([sys.executable, program, *map(str, options)], capture_output=True, text=True, timeout=60)


@pytest.fixture(scope="module")
def docs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("docs")
    done = report("--docs", folder, *TINY)
    assert done.returncode == 0, done.stderr
    return folder


@built
def test_page__every_order__has_every_figure(docs):
    page = (docs / "mixing.md").read_text()
    assert f"`script/bench-mixing {' '.join(TINY)}`: 2 seeds" in page
    assert "![" in page and "](mixing.svg)" in page
    sections = page.split("\n## ")[2:]
    assert len(sections) == len(mixing_text.SECTIONS)
    for section in sections:
        for name in mixing_text.ORDERS.values():
            rows = [line for line in section.splitlines() if line.startswith(f"| {name} |")]
            assert len(rows) == section.count("| order |"), (name, section)
            for cell in (cell for row in rows for cell in row.split("|")[2:-1]):
                assert re.search(r"\d\.\d+|\d+ ±", cell), rows


@built
def test_picture__every_line__lies_within(docs):
    root = ElementTree.parse(docs / "mixing.svg").getroot()
    lines = [path for path in root.iter(SVG + "path") if path.get("class", "").startswith("line")]
    assert len(lines) == 6 + 6 + 10
    for line in lines:
        for x, y in (map(float, spot.split()) for spot in line.get("d")[1:].split("L")):
            assert 0 < x < mixing_picture.WIDTH and 0 < y < mixing_picture.HEIGHT
    diamonds = [path for path in root.iter(SVG + "path") if path.get("class") == "stated"]
    assert len(diamonds) == 6 + 1  # a short epoch has six memories; one explains them


def test_training__orders__are_told_with_their_difference():
    found = {"samples": 1000, "samples_per_chunk": 83, "batch": 256, "epochs": 2, "held_out": 500, "seeds": 3,
             "rates": {"regression": 0.5, "mlp": 0.05}}
    found["runs"] = [
        {"model": model, "order": order, "memory_chunks": memory, "accuracy": [[0.1, a + d] for d in (0, 0.02, -0.02)]}
        for model in ("regression", "mlp")
        for order, memory, a in (("permutation", 0, 0.9), ("interleaved", 256, 0.87), ("buffer", 256, 0.89),
                                 ("interleaved_shuffled", 256, 0.91))
    ]
    text = order_training.render(found, mixing_report.student_quantile)
    assert "| a true permutation |  |" + 2 * " 90.0 (2.0) |  |" in text
    assert "| **`interleaved/1`** | 256 |" + 2 * " 87.0 (2.0) | -3.0 ± 0.0 |" in text
    assert "at 256 chunks is -3.0 ± 0.0 and -3.0 ± 0.0 from the true permutation" in " ".join(text.split())
    assert "in 13 chunks of 83" in " ".join(text.split())


def test_estimate__known_values__is_students_interval():
    mean, half = mixing_report.estimate([1.0, 2.0, 3.0, 4.0, 5.0, 6.0])
    assert mean == 3.5
    assert half == pytest.approx(2.571 * 1.8708 / 6**0.5, rel=0.01)  # 0.975 quantile, five degrees


def test_show__figures_of_any_size__have_two_digits_of_the_confidence():
    assert mixing_text.show((0.9698, 0.0223)) == "0.970 ± 0.022"
    assert mixing_text.show((41801.7, 11.2)) == "41,802 ± 11"
    assert mixing_text.show((0.9914, 0.0002)) == "0.991 ± < 0.001"
    assert mixing_text.show((256.0624, 0.0)) == "256.06"


@built
def test_report__one_seed__is_refused(tmp_path):
    done = report("--docs", tmp_path, "--quick", "--seeds", "1", "--place-seeds", "1")
    assert done.returncode != 0 and "one seed has no spread" in done.stderr
    assert not list(tmp_path.iterdir())


@built
def test_report__unknown_option__is_told(tmp_path):
    done = report("--docs", tmp_path, "--frobnicate")
    assert done.returncode != 0 and "usage:" in done.stderr
