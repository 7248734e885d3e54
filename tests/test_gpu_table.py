"""The section of docs/benchmarks.md on GPUs: made of what the programs print, "not measured yet" where they have not
run, and kept by the scripts that write the rest of the page."""

import os
import pathlib
import re
import sys

SOURCE = pathlib.Path(os.environ.get("HEADRACE_SOURCE", pathlib.Path(__file__).parent.parent))
sys.path.insert(0, str(SOURCE / "bench"))
import gpu_table  # noqa: E402
import table  # noqa: E402

MADE = "# Benchmarks\n\nMade by `script/bench a` on 2026-01-01; run it.\n\n## Machine and data\n\nm\n"
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
    assert "*By `script/bench-gpu" in section or section.rstrip() == gpu_table.render({}).rstrip()
