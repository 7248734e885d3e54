"""`headrace epoch` as people and scripts use it: order, resume, ranks, and what it reports."""

import json
import os
import pathlib
import re

import pytest

np = pytest.importorskip("numpy")

from cli_data import SAMPLES, data, made, order_of  # noqa: E402, F401
from headrace_command import FIGURE, WHOLE, figures, good, headrace, layout, needs_program  # noqa: E402

pytestmark = needs_program
SOURCE = pathlib.Path(os.environ.get("HEADRACE_SOURCE", pathlib.Path(__file__).parent.parent))


def test_epoch__json__has_the_documented_layout(data):
    out = figures("epoch", data, "--shuffle", "--batch", "100", "--epochs", "2")
    assert layout(out) == {
        "file": "str", "files": ["str"], "samples": WHOLE, "batches": WHOLE, "epochs": WHOLE, "bytes": WHOLE,
        "seconds": FIGURE, "bytes_per_s": FIGURE, "first_batch_s": FIGURE,
        "peak_rss_bytes": WHOLE, "budget_bytes": WHOLE,
        "wait_s": {"io": FIGURE, "decode": FIGURE, "consumer": FIGURE, "batch": FIGURE},
        "padding": WHOLE, "reserved_bytes": WHOLE, "read_bytes": WHOLE, "window": WHOLE, "streams": WHOLE,
        "batch": WHOLE, "threads": WHOLE, "inflation": FIGURE, "io": "str",
        "io_depth": WHOLE, "read_threads": WHOLE, "dropped_samples": WHOLE, "nodes": WHOLE, "ring_interleaved": "bool",
        "numa_refused": "NoneType", "device": "NoneType",
        "rank": WHOLE, "world_size": WHOLE, "launcher": "NoneType", "subset": "NoneType",
    }
    assert (out["samples"], out["batches"], out["epochs"]) == (2 * SAMPLES, 60, 2)
    assert out["bytes"] == 2 * SAMPLES * (16 * 16 * 4 + 8)


def test_epoch__report__names_a_limit_and_has_the_documented_keys(data):
    page = (SOURCE / "docs" / "cli.md").read_text(encoding="utf-8")
    documented = json.loads(re.search(r'^```json\n(\{"report": .*?)^```$', page, re.M | re.S)[1])["report"]
    out = figures("epoch", data, "--epochs", "8", "--report", "--consume-ns", "2000000")["report"]
    assert set(out) == set(documented)
    for part in ("threads_s", "budget"):
        assert set(out[part]) == set(documented[part])
    assert set(out["latency"][0]) == set(documented["latency"][0])
    assert out["limit"] == "consumer" and out["sentence"].startswith("limited by the consumer: ")
    text = good("epoch", data, "--epochs", "8", "--report", "--consume-ns", "2000000")
    assert "\nlimited by the consumer: " in text and "threads' time" in text
    assert "threads' time" not in good("epoch", data)


def test_epoch__index__is_a_permutation_in_each_epoch(data, tmp_path):
    plain = order_of(data, tmp_path, "--epochs", "2")
    assert np.array_equal(plain, np.tile(np.arange(SAMPLES), 2))
    mixed = order_of(data, tmp_path, "--shuffle", "--epochs", "3").reshape(3, SAMPLES)
    assert all(np.array_equal(np.sort(epoch), np.arange(SAMPLES)) for epoch in mixed)
    assert not np.array_equal(mixed[0], mixed[1]) and not np.array_equal(mixed[1], mixed[2])
    other = order_of(data, tmp_path, "--shuffle", "--seed", "9")
    assert not np.array_equal(other, mixed[0])
    assert np.array_equal(order_of(data, tmp_path, "--shuffle", "--threads", "1"), mixed[0])


def test_epoch__stopped_and_resumed_over_an_epochs_end__is_the_same_sequence(data, tmp_path):
    state = tmp_path / "state"
    order = ["--shuffle", "--batch", "128", "--seed", "3"]
    whole = order_of(data, tmp_path, *order, "--epochs", "3")
    parts = []
    for number, (batches, threads) in enumerate([(10, 1), (14, 3), (10, 2), (37, 4)]):
        resume = ["--resume", state] if number else []
        parts.append(order_of(data, tmp_path, *order, "--epochs", "3", "--threads", threads, *resume,
                              "--max-batches", batches, "--save-state", state, name=f"part{number}"))
    got = np.concatenate(parts)
    assert 2 * SAMPLES < len(got) <= len(whole)
    assert np.array_equal(got, whole[: len(got)])


@pytest.mark.parametrize("args", [["--batch", "64"], ["--seed", "4"], ["--window", "7"]])
def test_epoch__state_of_another_order__is_refused(args, data, tmp_path):
    state = tmp_path / "state"
    order = ["--shuffle", "--batch", "128", "--seed", "3"]
    good("epoch", data, *order, "--max-batches", "3", "--save-state", state)
    done = headrace("epoch", data, *order, *args, "--resume", state)
    assert done.returncode == 1 and done.stdout == ""


@pytest.mark.parametrize("content", [b"", b"not a state", bytes(256), bytes(5000)])
def test_epoch__file_that_is_no_state__is_refused(content, data, tmp_path):
    (tmp_path / "state").write_bytes(content)
    done = headrace("epoch", data, "--resume", tmp_path / "state")
    assert done.returncode == 3 and "state" in done.stderr


def test_epoch__ranks__share_the_samples(data, tmp_path):
    order = ["--shuffle", "--batch", "120", "--streams", "4", "--drop-last"]
    parts = [order_of(data, tmp_path, *order, "--rank", rank, "--world-size", "2") for rank in (0, 1)]
    assert len(parts[0]) == len(parts[1])
    assert len(np.unique(np.concatenate(parts))) == len(parts[0]) * 2
    # A global batch is the ranks' slices side by side, whatever the world size is.
    alone = order_of(data, tmp_path, *order)
    assert np.array_equal(np.hstack([p.reshape(-1, 60) for p in parts]).ravel(), alone)
    done = headrace("epoch", data, *order, "--rank", "2", "--world-size", "2")
    assert done.returncode == 1 and "rank" in done.stderr


LAUNCHERS = ("HR_", "OMPI_", "SLURM_", "TORCHELASTIC_", "RANK", "WORLD_SIZE", "LOCAL_RANK")


def environment(**variables):
    return {**{k: v for k, v in os.environ.items() if not k.startswith(LAUNCHERS)}, **variables}


@pytest.mark.parametrize("command", ["plan", "epoch"])
def test_rank_auto__is_what_the_environment_says(command, data):
    env = environment(RANK="1", WORLD_SIZE="2", OMPI_COMM_WORLD_RANK="1", OMPI_COMM_WORLD_SIZE="2")
    out = figures(command, data, "--batch", "64", "--rank", "auto", env=env)
    assert (out["rank"], out["world_size"], out["launcher"]) == (1, 2, "torchrun")
    assert "rank 1 of 2, as openmpi says" in " ".join(
        good(command, data, "--batch", "64", "--rank", "openmpi", env=env).split())
    asked = figures(command, data, "--batch", "64", env=env)
    assert (asked["rank"], asked["world_size"], asked["launcher"]) == (0, 1, None)


@pytest.mark.parametrize("command", ["plan", "epoch"])
@pytest.mark.parametrize("args, variables, code, words", [
    (["--rank", "auto"], {}, 1, "HR_WORLD_SIZE"),
    (["--rank", "auto"], {"RANK": "1"}, 1, "WORLD_SIZE is not"),
    (["--rank", "slurm"], {"HR_RANK": "0", "HR_WORLD_SIZE": "1"}, 1, "SLURM_PROCID"),
    (["--rank", "auto", "--world-size", "2"], {"RANK": "0", "WORLD_SIZE": "2"}, 2, "--world-size"),
    (["--rank", "first"], {}, 2, "torchrun"),
    (["--rank", "-1"], {}, 2, "--rank"),
])
def test_rank_auto__without_a_clear_answer__is_refused(command, args, variables, code, words, data):
    done = headrace(command, data, *args, env=environment(**variables))
    assert done.returncode == code and words in done.stderr and done.stdout == ""


def test_epoch__drop_last__leaves_the_short_batch_out(data):
    assert figures("epoch", data, "--batch", "128")["samples"] == SAMPLES
    out = figures("epoch", data, "--batch", "128", "--drop-last")
    assert (out["samples"], out["batches"], out["epochs"]) == (SAMPLES // 128 * 128, SAMPLES // 128, 1)


def test_epoch__pad_last__every_sample_and_full_batches(data, tmp_path):
    order = ["--shuffle", "--batch", "120", "--streams", "4", "--pad-last"]
    plan = figures("plan", data, *order)
    rows = plan["batches_per_epoch"] * 120
    assert plan["samples_per_epoch"] == rows and plan["padded_samples"] == rows - SAMPLES
    assert plan["dropped_samples"] == 0 and "padding" in good("plan", data, *order)
    parts = []
    for rank in (0, 1):
        args = [*order, "--rank", rank, "--world-size", "2"]
        parts.append(order_of(data, tmp_path, *args))
        assert len(parts[rank]) == rows // 2
    assert np.array_equal(np.unique(np.concatenate(parts)), np.arange(SAMPLES))
    assert figures("epoch", data, *order)["padding"] == rows - SAMPLES
    done = headrace("epoch", data, "--pad-last", "--drop-last")
    assert done.returncode == 2 and "leave one out" in done.stderr


def test_epoch__fields__only_these_are_delivered(data):
    assert figures("epoch", data, "--fields", "y")["bytes"] == SAMPLES * 8
    done = headrace("epoch", data, "--fields", "y,z")
    assert done.returncode == 1 and "z" in done.stderr


def test_epoch__io__as_asked(data):
    cached = figures("epoch", data, "--io", "cached")
    assert (cached["io"], cached["read_threads"]) == ("page cache", 0)
    threads = figures("epoch", data, "--io", "threads", "--io-depth", "5", "--threads", "2")
    assert (threads["io"], threads["io_depth"], threads["read_threads"]) == ("threads", 5, 5)
    direct = headrace("epoch", data, "--io", "direct", "--json")
    if direct.returncode != 0:
        assert "direct" in direct.stderr.lower()
        pytest.skip("no direct reads on this file system")
    assert json.loads(direct.stdout)["io"] in ("io_uring", "libaio")
    assert figures("epoch", data, "--io", "libaio")["io"] == "libaio"


def test_epoch__max_batches__counts_the_epoch_that_it_ends(data):
    assert figures("epoch", data, "--batch", "1000", "--max-batches", "2")["epochs"] == 0
    assert figures("epoch", data, "--batch", "1000", "--max-batches", "3")["epochs"] == 1


def test_epoch__slow_consumer__takes_its_time(data):
    out = figures("epoch", data, "--batch", "1000", "--consume-ns", "50000000")
    assert out["seconds"] >= 0.15


def test_epoch__of_several_streams__says_what_it_leaves_out(data):
    told = good("epoch", data, "--streams", "7", "--batch", "70")
    left = figures("epoch", data, "--streams", "7", "--batch", "70")
    assert left["samples"] + left["dropped_samples"] == SAMPLES and left["dropped_samples"] > 0
    assert f"{left['dropped_samples']:,} samples of all ranks are left out of each epoch; --pad-last" in told
    assert "left out" not in good("epoch", data, "--streams", "7", "--batch", "70", "--pad-last")


def test_batch__of_more_samples_than_there_are__takes_their_memory(tmp_path):
    np.save(tmp_path / "x.npy", np.arange(3 << 18, dtype="<u4").reshape(3, -1))
    good("convert", "x.npy", "-o", "x.hrd", cwd=tmp_path)
    for order in ([], ["--shuffle"]):
        report = figures("epoch", "x.hrd", "--batch", "1000", "--budget", "40M", *order, cwd=tmp_path)
        assert report["samples"] == 3
    done = headrace("epoch", "x.hrd", "--batch", "1000", "--budget", "40M", "--pad-last", cwd=tmp_path)
    assert done.returncode == 1 and "the budget of 40.0 MiB is too small" in done.stderr
