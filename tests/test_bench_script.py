"""script/bench from end to end, on very small data: what it measures of epochs and loaders, its soak, and the page that
it writes of it."""

import os
import pathlib
import re
import sys

import pytest

np = pytest.importorskip("numpy")

SOURCE = pathlib.Path(os.environ.get("HEADRACE_SOURCE", pathlib.Path(__file__).parent.parent))
sys.path.insert(0, str(SOURCE / "bench"))
import loader_speed  # noqa: E402
import prediction  # noqa: E402
import programs  # noqa: E402
import set_speed  # noqa: E402
import shuffle_speed  # noqa: E402
import standard_sets  # noqa: E402
import table  # noqa: E402

MIB = 1 << 20
NOTES = "## Notes\n\n- kept by hand\n"
pytestmark = pytest.mark.skipif(
    not all(one.is_file() for one in (programs.HEADRACE, programs.WIDE_INDEX, programs.SOAK, programs.SIDE_BY_SIDE)),
    reason="not built",
)


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bench")
    return {
        "command": "script/bench",
        "date": "2026-01-01",
        "rounds": 1,
        "size_bytes": MIB,
        "stolen": 0.0,
        "machine": {
            "cpu": "a processor",
            "cores": 2,
            "memory_bytes": 1 << 34,
            "disk": "a disk",
            "kernel": "6",
            "compiler": "cc",
            "zstd": "1.5",
            "hdf5": "1.10",
            "busy": 0.0,
        },
        "epochs": set_speed.measure(folder, MIB, 1, 0.005),
        "loader": loader_speed.measure(folder, MIB, MIB, 1, 0.005, chunks=20_000),
        "prediction": prediction.measure(
            folder, MIB, 1, standard_sets.SETS[:1], prediction.CASES[-2:], "--probe=100ms"
        ),
        "soak": programs.soak(folder, 10_000, 100),
        "shuffle": shuffle_speed.measure(folder, 33 * MIB, 1),
    }


def test_epochs__every_set_and_window__is_measured(results):
    sets = results["epochs"]["sets"]
    assert [one["name"] for one in sets] == [chosen.name for chosen in standard_sets.SETS]
    for one, chosen in zip(sets, standard_sets.SETS):
        assert [run["window_mib"] for run in one["runs"]] == list(chosen.windows_mib or [None])
        for run in one["runs"]:
            assert set(run["promised"]) == set(set_speed.EPOCHS)
            assert run["measures"]["memory-shuffled"]["share"]["median"] > 0
            assert pathlib.Path(run["picture"]).read_text().startswith("<svg")
    wide = sets[0]["runs"][1]["window"] * sets[0]["file"]["chunk_decoded_bytes"]
    assert 255 * MIB < wide <= 256 * MIB


def test_loader__every_figure__is_there_and_judged(results):
    loader = results["loader"]
    figures = [loader[name] for name in ("short_epochs", "side_by_side", "stalls", "first_batch")]
    figures += [loader["wide_index"][name] for name in ("warm", "cold", "memory")]
    figures += [loader["cores"]] if loader["cores"] else []
    for figure in figures:
        assert figure["value"]["low"] >= 0 and figure["promised"] > 0
        assert isinstance(figure["kept"], bool)
    assert loader["wide_index"]["chunks"] == 20_000
    assert loader["wide_index"]["index_bytes"] >= 20_000 * 8
    assert loader["wide_index"]["memory"]["kept"]


def test_shuffle__both_ways_of_both_sets__are_measured(results):
    rows = results["shuffle"]["rows"]
    assert [row["name"].rpartition(", ")[2] for row in rows] == ["in memory", "by file"] * 2
    for row in rows:
        assert row["share"]["low"] > 0 and isinstance(row["kept"], bool)
        assert (row["budget_bytes"] > row["source_bytes"]) == row["name"].endswith("in memory")


def test_prediction__every_case__is_compared_with_what_came(results):
    cases = results["prediction"]["sets"][0]["cases"]
    assert [case["name"] for case in cases] == [case[0] for case in prediction.CASES[-2:]]
    for case in cases:
        for found in (case["rate"], case["first_batch"]):
            ratio = found["measured"]["median"] / found["predicted"]["median"]
            assert 0.02 < ratio < 50
            assert found["ratio"]["median"] == pytest.approx(ratio)
            assert found["kept"] == (1 / found["promised"] <= ratio <= found["promised"])
        assert 0 < case["probe_s"] < 10


def test_soak__short_form__ends_with_what_it_began_with(results):
    soak = results["soak"]
    assert soak["kept"] and soak["grown"] == []
    assert soak["batches"] >= 10_000 and soak["cycles"] == 100
    assert soak["resumed"] > 0 and soak["reopened"] > 0
    assert all(soak["loaders"][io] > 0 for io in ("auto", "cached", "threads"))


def test_soak__a_loader_left_open__is_seen(tmp_path):
    soak = programs.soak(tmp_path, 100, 10, "--leak")
    assert not soak["kept"]
    for what in ("bytes of budgets", "bytes of the heap", "threads", "descriptors"):
        assert any(line.startswith(f"soak: {what}: ") for line in soak["grown"]), what


def test_page__is_written_with_all_sections__and_keeps_its_notes(results, tmp_path):
    page = tmp_path / "benchmarks.md"
    page.write_text("figures of last year\n\n" + NOTES)
    table.write_page(page, table.render(results), results)
    text = page.read_text()
    assert "last year" not in text and text.endswith(NOTES)
    measured = [title for name, (title, _) in table.SECTIONS.items() if name in results]
    assert re.findall("^## .*", text, re.M) == ["## Machine and data", *measured, "## Notes"]
    for chosen in standard_sets.SETS:
        assert f"\n### {chosen.name}\n" in text
    assert "A window of 64 MiB (" in text and "A window of 256 MiB (" in text
    assert "## Soak" in text and "Nothing has grown." in text and "two loaders of one data set" in text
    assert "## Prediction" in text and "| disk, shuffled |" in text
    assert "## Loader" in text and "`open` of 20,000 chunks" in text
    for header in re.findall(r"^\| epoch from.*\n\| ---.*\n((?:\|.*\n)+)", text, re.M):
        rows = header.splitlines()
        assert len(rows) == 4 and len({row.count("|") for row in rows}) == 1


def test_page__sections_that_a_run_did_not_measure__are_kept_with_their_origin(tmp_path):
    page = tmp_path / "benchmarks.md"
    made = "# Benchmarks\n\nMade by `script/bench {}` on 2026-01-0{}; run it.\n\n## Machine and data\n\nm{}\n"
    page.write_text(made.format("a", 1, 1) + "\n## Epochs\n\nfast\n\n## Loader\n\nslow\n\n" + NOTES)
    table.write_page(page, made.format("b", 2, 2) + "\n## Loader\n\nfaster\n", {"loader": {}})
    table.write_page(page, made.format("c", 3, 3) + "\n## Soak\n\nlong\n", {"soak": {}})
    assert page.read_text() == (
        made.format("c", 3, 3)
        + "\n## Epochs\n\n*By `script/bench a` on 2026-01-01, not by the run named above.*\n\nfast\n"
        + "\n## Loader\n\n*By `script/bench b` on 2026-01-02, not by the run named above.*\n\nfaster\n"
        + "\n## Soak\n\nlong\n\n"
        + NOTES
    )
