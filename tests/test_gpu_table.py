"""The section of docs/benchmarks.md on GPUs: made of what the programs print, "not measured yet" where they have not
run, and kept by the scripts that write the rest of the page."""

import json
import os
import pathlib
import re
import sys
from xml.etree import ElementTree

SOURCE = pathlib.Path(os.environ.get("HEADRACE_SOURCE", pathlib.Path(__file__).parent.parent))
sys.path.insert(0, str(SOURCE / "bench"))
import gpu_picture  # noqa: E402
import gpu_table  # noqa: E402
import table  # noqa: E402

MADE = "# Benchmarks\n\nMade by `script/bench a` on 2026-01-01; run it.\n\n## Machine and data\n\nm\n"
SVG = "{http://www.w3.org/2000/svg}"
FIGURES = ("bare", "alone", "raw_read", "compute", "computed", "read", "packed_compute", "packed", "first")


def figure(value):
    return {"median": value, "low": value * 0.9, "high": value * 1.1, "runs": 5}


def results(sizes=gpu_table.SIZES, names=gpu_table.KERNELS):
    one = {f"{name}_ns": figure(1e5) for name in FIGURES}
    one |= {"alone_share": figure(0.97), "computed_ratio": figure(1.2), "packed_ratio": figure(1.01)}
    return {
        "command": "script/bench-gpu",
        "date": "2026-02-02",
        "driver": "1.2",
        "cores": 16,
        "uploads": {
            "context_ns": 3e8,
            "gpu": "a card",
            "sizes": [{"batch_bytes": size, "batches": 10} | one for size in sizes],
            "growth": {"batches": 10000, "host_bytes": 0, "gpu_bytes": 0},
        },
        "kernels": {
            "copy_bytes_per_s": figure(3e12),
            "rows": [{"name": name, "bytes_per_s": figure(2.7e12), "share": figure(0.9)} for name in names],
        },
    }


def test_section__nothing_measured__says_so_of_every_figure():
    text = gpu_table.render({})
    rows = [line for line in text.splitlines() if line.startswith("| ") and "---" not in line]
    measured = [row for row in rows if gpu_table.NOT_MEASURED not in row]
    assert [row.split(" | ")[0] for row in measured] == ["| batches of", "| kernel"]
    assert not re.search(r"\d (?:[GM]B/s|ms)", text)


def test_section__measured__has_the_card_and_judges():
    text = gpu_table.render(results())
    assert gpu_table.NOT_MEASURED not in text
    assert text.startswith("## On a GPU\n\n*By `script/bench-gpu` on 2026-02-02, on a card (driver 1.2)")
    assert text.count("**97 % (87 % to 107 %)**, yes") == 3
    assert text.count("**1.20 (1.08 to 1.32)**, **no**") == 3


def test_section__one_size_is_missing__only_that_is_not_measured():
    text = gpu_table.render(results(sizes=gpu_table.SIZES[:2]))
    assert text.count(gpu_table.NOT_MEASURED) == len(gpu_table.ROWS)


def test_kernels__of_the_table__are_those_of_the_program():
    program = (SOURCE / "bench" / "gpu" / "finish_bench.c").read_text()
    assert tuple(re.findall(r'\.name = "([^"]+)"', program)) == gpu_table.KERNELS


def picture(found):
    promised = (gpu_table.SHARE, gpu_table.RATIO, gpu_table.KERNEL_SHARE)
    return ElementTree.fromstring(gpu_picture.draw(found, gpu_table.SIZES, gpu_table.KERNELS, promised))


def shapes(root, name, kind):
    return [shape for shape in root.iter(SVG + name) if shape.get("class") == kind]


def words_of(root, kind):
    return [text.text for text in shapes(root, "text", kind)]


def test_picture__measured__has_every_figure_and_judges():
    root, sizes, kernels = picture(results()), len(gpu_table.SIZES), len(gpu_table.KERNELS)
    assert [len(shapes(root, "rect", kind)) for kind in ("limit", "ours", "kernel")] == [sizes, sizes, kernels]
    assert len(shapes(root, "circle", "ours")) == 2 * sizes
    assert words_of(root, "kept") == sizes * ["97.0 %"] + sizes * ["1.010"] + kernels * ["90.0 %"]
    assert words_of(root, "missed") == sizes * ["1.200"]
    assert len(shapes(root, "path", "promise")) == sizes + 2
    assert set(gpu_table.KERNELS) <= set(words_of(root, "name"))
    assert gpu_table.NOT_MEASURED not in "".join(root.itertext())


def test_picture__a_bar__ends_where_its_scale_says():
    root = picture(results())
    bars = [float(bar.get("width")) for bar in shapes(root, "rect", "kernel")]
    assert set(bars) == {round(gpu_picture.BARS * 0.9, 1)}  # the highest round is 0.99: the scale ends with 1
    least = shapes(root, "path", "promise")[-1].get("d")
    assert least.startswith(f"M{gpu_picture.LEFT + gpu_picture.BARS * gpu_table.KERNEL_SHARE:.1f} ")


def test_picture__not_all_is_measured__says_so_of_the_rest():
    root = picture(results(sizes=gpu_table.SIZES[:2], names=gpu_table.KERNELS[1:]))
    assert "".join(root.itertext()).count(gpu_table.NOT_MEASURED) == 3  # a size twice, and a kernel


def test_picture__of_a_card_with_odd_name__is_whole():
    found = results()
    found["uploads"]["gpu"] = 'a <"&> card'
    assert words_of(picture(found), "head") == ['Batches on a GPU: a <"&> card']


def test_picture__page_is_written__lies_beside_it_and_goes(tmp_path):
    page, figures = tmp_path / "benchmarks.md", tmp_path / "results.json"
    page.write_text(MADE)
    figures.write_text(json.dumps(results()))
    gpu_table.main([str(figures), "--write", str(page)])
    there = tmp_path / gpu_table.PICTURE
    assert f"]({there.name})" in page.read_text() and there.read_text().startswith("<svg")
    gpu_table.main(["--write", str(page)])
    assert not there.exists() and there.name not in page.read_text()


def test_page__is_written__by_each_script_without_loss(tmp_path):
    page = tmp_path / "benchmarks.md"
    page.write_text(MADE + "\n## Notes\n\n- by hand\n")
    gpu_table.write_page(page, gpu_table.render({}))
    assert page.read_text() == MADE + "\n" + gpu_table.render({}) + "\n## Notes\n\n- by hand\n"
    table.write_page(page, MADE + "\n## Soak\n\nlong\n", {"soak": {}})
    assert page.read_text() == (
        MADE + "\n## Soak\n\nlong\n\n" + gpu_table.render({}) + "\n## Notes\n\n- by hand\n"
    )
    gpu_table.write_page(page, gpu_table.render(results()))
    table.write_page(page, MADE, {})
    text = page.read_text()
    assert text.count("## On a GPU") == 1 and gpu_table.NOT_MEASURED not in text
    assert gpu_table.render(results()) in text and "## Soak" in text and text.endswith("- by hand\n")


def test_page__of_the_project__has_the_section():
    text = (SOURCE / "docs" / "benchmarks.md").read_text()
    section = re.search(r"^## On a GPU$.*?(?=^## |\Z)", text, re.M | re.S)[0]
    measured = "*By `script/bench-gpu" in section
    assert measured or section.rstrip() == gpu_table.render({}).rstrip()
    assert (SOURCE / "docs" / gpu_table.PICTURE).is_file() == measured
