"""script/bench-python: the section of docs/benchmarks.md and its picture of made-up results, and the loop measured on
very small data."""

import copy
import os
import pathlib
import re
import sys
from xml.etree import ElementTree

import pytest

np = pytest.importorskip("numpy")

SOURCE = pathlib.Path(os.environ.get("HEADRACE_SOURCE", pathlib.Path(__file__).parent.parent))
sys.path.insert(0, str(SOURCE / "bench"))
import programs  # noqa: E402
import python_adapters  # noqa: E402
import python_growth  # noqa: E402
import python_loops  # noqa: E402
import python_picture  # noqa: E402
import python_rival_runs  # noqa: E402
import python_rivals  # noqa: E402
import python_runs  # noqa: E402
import python_table  # noqa: E402
import table  # noqa: E402

MIB = 1 << 20
MADE = "# Benchmarks\n\nMade by `script/bench a` on 2026-01-01; run it.\n\n## Machine and data\n\nm\n"
SVG = "{http://www.w3.org/2000/svg}"
SETS = ["256 x 2 KiB", "32 x 400 B"]
ABOUT = {"command": "script/bench-python", "date": "2026-02-02", "cpu": "a processor", "cores": 2}
built = pytest.mark.skipif(
    not (programs.HEADRACE.is_file() and pathlib.Path(python_runs.SETTINGS["HEADRACE_LIBRARY"]).is_file()),
    reason="not built",
)


def spread(value):
    return {"median": value, "low": value * 0.9, "high": value * 1.1, "runs": 7}


def loops(share=0.97):
    parts = {"fields": 2, "raw_us": 3.0, "take_us": 1.0, "array_us": 0.7, "left_us": 0.5, "whole_us": 5.9}
    rows = [
        {
            "name": name,
            "batch": 32,
            "epochs": 3,
            "command": spread(1e6),
            "python": spread(1e6 * share),
            "share": spread(share),
            "promised": python_loops.PROMISED[name],
            "overhead": parts,
        }
        for name in SETS
    ]
    return {"rounds": 7, "threads": 2, "rows": rows} | ABOUT


def adapters(missing=()):
    rows = []
    for name, adapter in python_adapters.ADAPTERS.items():
        found = {"share": spread(0.8), "adapter_us": spread(40.0), "ready_us": 12.0, "numpy_ready_us": 9.0}
        row = {"name": name, "words": adapter.words, "why": adapter.why, "missing": None, "sets": []}
        if name in missing:
            row["missing"] = "it is not installed"
        else:
            row |= {"sets": [{"name": each} | found for each in SETS], "versions": {"numpy": "2.0"}}
        rows.append(row)
    return {"rounds": 7, "sets": SETS, "rows": rows} | ABOUT


def growth(grown=0):
    fed = {"early": spread(500 * MIB), "growth": spread(MIB + grown)}
    control = {"early": spread(400 * MIB), "growth": spread(MIB)}
    rows = [{"name": name, "missing": None, "fed": fed, "control": control, "kept": not grown} for name in
            python_growth.NAMES]
    return {"epochs": 20, "rounds": 3, "early": 2, "size_bytes": MIB, "allowed_bytes": 4 * MIB, "rows": rows} | ABOUT


def rivals(dead=()):
    rows = []
    for name, rival in python_rivals.RIVALS.items():
        lived = {
            "survived": 3,
            "runs": 3,
            "ended": "yes",
            "peak_bytes": spread(100 * MIB),
            "samples_per_s": spread(2000.0),
            "first_batch_s": spread(0.5),
            "before_bytes": spread(30 * MIB),
        }
        gone = lived | {"survived": 0, "ended": "killed for memory"}
        gone |= {"samples_per_s": None, "first_batch_s": None, "before_bytes": None}
        orders = {order: gone if (name, order) in dead else lived for order in python_rival_runs.ORDERS}
        about = {"name": name, "words": rival.words, "how": rival.how, "stored_bytes": MIB, "versions": {"a": "1"}}
        rows.append(about | {"orders": orders})
    figures = {"rounds": 3, "seconds": 6, "size_bytes": 2048 * MIB, "limit_bytes": 1024 * MIB, "missing": {}}
    return figures | {"rows": rows} | ABOUT


def results():
    return {"loops": loops(), "adapters": adapters(), "memory": growth(), "rivals": rivals()}


def rows_of(text, title):
    """The cells of the tables below a heading."""
    section = re.search(rf"^### {title}$.*?(?=^### |\Z)", text, re.M | re.S)[0]
    return [line.strip("| ").split(" | ") for line in section.splitlines() if re.match(r"\| (?!---)", line)]


def test_section__all_is_measured__has_every_figure_and_judges():
    text = python_table.render(results())
    assert text.startswith("## In Python\n\n![")
    assert text.count("*By `script/bench-python` on 2026-02-02, a processor, 2 cores.*") == 4
    assert rows_of(text, "The loop")[1][4:] == ["**97 % (87 % to 107 %)**", "95 %", "yes"]
    assert rows_of(text, "Adapters")[1][1:] == ["12.0 µs (+3.0)", "**80 % (72 % to 88 %)**"] * 2
    assert {row[-1] for row in rows_of(text, "Memory over epochs")[1:]} == {"yes"}
    assert len(rows_of(text, "Beside other readers")) == 1 + 2 * len(python_rivals.RIVALS)
    for line in re.findall(r"^\|.*\n\| ---.*\n(?:\|.*\n)+", text, re.M):
        assert len({row.count(" | ") + row.count("| |") for row in line.splitlines() if row}) == 1
    for each in (*python_adapters.ADAPTERS.values(), *python_rivals.RIVALS.values()):
        assert f"- {each.words}" in text


def test_section__promises_are_missed__says_no():
    text = python_table.render({"loops": loops(0.6), "memory": growth(9 * MIB)})
    assert [row[-1] for row in rows_of(text, "The loop")[1:3]] == ["**no**"] * 2
    assert {row[-1] for row in rows_of(text, "Memory over epochs")[1:]} == {"**no**"}
    assert "### Adapters" not in text


def test_section__what_is_missing_or_was_killed__is_said_in_words():
    found = results() | {"adapters": adapters(["jax"]), "rivals": rivals([("torch", "shuffled")])}
    found["rivals"]["missing"] = {"zarr 3": ("zarr",)}
    text = python_table.render(found)
    assert "| `hr.jax` | not measured: it is not installed |" in text and "- `hr.jax`" not in text
    assert "**killed for memory** (3 of 3) |" in text
    assert "- zarr 3: not measured, zarr must be installed." in text


def test_page__is_written__keeps_the_other_sections_and_is_kept_by_them(tmp_path):
    page = tmp_path / "benchmarks.md"
    page.write_text(MADE + "\n## On a GPU\n\ng\n\n## Notes\n\n- by hand\n")
    python_table.write(page, results())
    text = page.read_text()
    assert text == MADE + "\n## On a GPU\n\ng\n\n" + python_table.render(results()) + "\n## Notes\n\n- by hand\n"
    assert (tmp_path / python_table.PICTURE).read_text().startswith("<svg")
    table.write_page(page, MADE + "\n## Soak\n\nlong\n", {"soak": {}})
    python_table.write(page, {"loops": loops()})
    assert re.findall("^## .*", page.read_text(), re.M) == [
        "## Machine and data", "## Soak", "## On a GPU", "## In Python", "## Notes"
    ]  # fmt: skip
    assert "### Adapters" not in page.read_text()


def picture(found):
    return ElementTree.fromstring(python_picture.draw(found))


def shapes(root, name, kind):
    return [shape for shape in root.iter(SVG + name) if shape.get("class") == kind]


def test_picture__all_is_measured__has_a_bar_for_each():
    root = picture(results())
    readers = len(python_rivals.RIVALS)
    assert len(shapes(root, "rect", "other")) == 2 * (readers - 1)
    assert len(shapes(root, "rect", "ours")) == len(SETS) + 2
    assert len(shapes(root, "rect", "kernel")) == len(SETS) * len(python_adapters.ADAPTERS)
    assert len(shapes(root, "path", "promise")) == len(SETS)
    assert [text.text for text in shapes(root, "text", "kept")] == ["97 %"] * 2 + ["2,000"] * 2


def test_picture__rates__lie_on_a_logarithmic_scale():
    found = rivals()
    for row, value in zip(found["rows"], (1e2, 1e3, 1e4, 1e5, 1e3, 1e3, 1e6)):
        row["orders"] = copy.deepcopy(row["orders"])
        row["orders"]["sequential"]["samples_per_s"] = {"median": value, "low": value, "high": value, "runs": 1}
    bars = [float(bar.get("width")) for bar in shapes(picture({"rivals": found}), "rect", "other")]
    assert bars[0] == 0 and bars[1] == pytest.approx(bars[2] / 2, abs=0.1) == pytest.approx(bars[3] / 3, abs=0.1)


def test_picture__a_reader_was_killed__says_so_instead():
    root = picture({"rivals": rivals([("torch", "shuffled")])})
    assert [text.text for text in shapes(root, "text", "dead")] == ["killed for memory"]


@pytest.mark.parametrize("shuffled", [False, True])
def test_rows__of_an_epoch__are_each_row_once(shuffled):
    taken = [np.arange(1000)[rows] for rows in python_rivals.row_batches(1000, shuffled, 3)]
    assert [len(rows) for rows in taken] == [256, 256, 256, 232]
    assert sorted(np.concatenate(taken)) == list(range(1000))
    assert all((np.diff(rows) > 0).all() for rows in taken)


def test_rival__is_run__has_a_rate_without_its_beginning(tmp_path):
    found = python_rivals.run(lambda _: iter([(np.ones((4, 2), np.float32), np.ones(4, np.int64))] * 3), 0.01)
    assert found["samples"] % 4 == 0 and found["samples_per_s"] > 0 and 0 <= found["first_batch_s"] <= found["seconds"]


@built
def test_loops__very_small__are_measured_in_all_parts(tmp_path):
    found = python_loops.measure(tmp_path, MIB, 1, 0.01, 2, repeats=3) | ABOUT
    assert [row["name"] for row in found["rows"]] == SETS
    for row in found["rows"]:
        assert row["share"]["median"] > 0 and row["epochs"] >= 2
        parts = row["overhead"]
        assert 0 < parts["raw_us"] < parts["whole_us"] and 0 < parts["array_us"] < parts["whole_us"]
    assert "### The loop" in python_table.render({"loops": found})


@built
def test_rivals__in_plain_numpy_and_headrace__read_the_same_rows(tmp_path):
    pytest.importorskip("h5py")
    folder = python_rival_runs.make_files(tmp_path, MIB)
    wanted = np.load(folder / "x_0.npy")
    for name in ("memmap", "h5py", "h5py_gzip", "headrace"):
        read = [np.array(x) for x, _ in python_rivals.RIVALS[name].prepare(folder, False)(0)]
        assert np.array_equal(np.concatenate(read), wanted), name
        mixed = [np.array(x) for x, _ in python_rivals.RIVALS[name].prepare(folder, True)(0)]
        assert np.array_equal(np.sort(np.concatenate(mixed)[:, 0]), np.sort(wanted[:, 0])), name
