"""script/bench-convert from end to end on very small arrays: what is written is what is read, what is not installed is
named, and a kill of ours leaves what can be resumed."""

import os
import pathlib
import sys

import pytest

np = pytest.importorskip("numpy")

SOURCE = pathlib.Path(os.environ.get("HEADRACE_SOURCE", pathlib.Path(__file__).parent.parent))
sys.path.insert(0, str(SOURCE / "bench"))
import convert_rivals  # noqa: E402
import convert_table  # noqa: E402
import convert_writers  # noqa: E402
import programs  # noqa: E402

MIB = 1 << 20
NAMES = ("headrace", "h5py")
pytestmark = pytest.mark.skipif(not programs.HEADRACE.is_file(), reason="not built")


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    pytest.importorskip("h5py")
    absent = convert_writers.Writer("Nobody's", "not at all", ("no_such_module",), None, None, "no")
    chosen = {name: convert_writers.WRITERS[name] for name in NAMES} | {"absent": absent}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(convert_rivals, "WRITERS", chosen)
        patch.setattr(convert_rivals, "SAMPLING_S", 0.001)
        return convert_rivals.measure(tmp_path_factory.mktemp("writers"), 2 * MIB, 1)


def test_writers__that_are_installed__are_measured_on_every_array(results):
    assert [row["name"] for row in results["rows"]] == list(NAMES)
    for row in results["rows"]:
        for part in convert_rivals.SETS:
            assert row["sets"][part]["seconds"]["median"] > 0
            assert row["sets"][part]["peak_bytes"]["median"] > 0
            assert 0 < row["sets"][part]["bytes"] <= 1.1 * results["size_bytes"][part]


def test_writers__that_are_not__are_named_with_the_reason(results):
    assert results["missing"] == {"Nobody's": "no_such_module could not be installed"}


def test_table__has_every_writer_and_what_was_asked_of_it(results):
    about = {"command": "script/bench-convert", "date": "2026-01-01", "cpu": "a processor", "cores": 2, "busy": ""}
    text = convert_table.render(results | about)
    table = [line for line in text.splitlines() if line.startswith("|")]
    assert len(table) == 2 + len(NAMES)
    assert "can it be resumed" in table[0]
    assert "yes: `--resume`" in table[2]
    assert "- Nobody's: not measured: no_such_module could not be installed." in text


def make_npy(path, count):
    np.save(path, np.random.default_rng(1).integers(0, 50, (count, 100), dtype=np.int64))
    return convert_writers.Source(path)


def test_source__in_blocks__is_the_array(tmp_path):
    source = make_npy(tmp_path / "a.npy", 30_000)
    found = np.concatenate([samples for _, samples in source.blocks(7)])
    np.testing.assert_array_equal(found, np.load(tmp_path / "a.npy"))
    assert all(first % 7 == 0 for first, _ in source.blocks(7))


def test_check__samples_that_are_wrong_or_missing__are_counted(tmp_path):
    source = make_npy(tmp_path / "a.npy", 30_000)
    found = np.load(tmp_path / "a.npy")[:25_000]
    found[[3, 24_999]] += 1
    writer = convert_writers.Writer("", "", (), None, lambda target: (25_000, lambda i, n: found[i : i + n]), "")
    assert convert_writers.check(writer, source, tmp_path) == {"samples": 25_000, "wrong": 2}
    mixed = convert_writers.Writer(
        "", "", (), None, lambda target: (25_000, lambda i, n: found[::-1][i : i + n]), "", False
    )
    assert convert_writers.check(mixed, source, tmp_path) == {"samples": 25_000, "wrong": 2}


def test_killed__headrace__leaves_nothing_under_the_name_and_resumes(tmp_path):
    source = make_npy(tmp_path / "a.npy", 200_000)
    target = tmp_path / "headrace-a"
    found = convert_rivals.killed("headrace", source.path, target, 0.1)
    if not found["in_time"]:
        pytest.skip("it had ended before it was killed")
    assert found == {"in_time": True, "there": False}
    assert convert_rivals.resume(source.path, target) == {"samples": 200_000, "wrong": 0}
