"""`headrace epoch --trace`: a file in the Trace Event Format, which says what the run did."""

import json
import os
import signal
import subprocess

import pytest

np = pytest.importorskip("numpy")

from cli_data import SAMPLES, data, made  # noqa: E402, F401
from headrace_command import PROGRAM, figures, good, headrace, needs_program, wait_until  # noqa: E402

pytestmark = needs_program

# What an event of each phase has, and of which type, by the format's description.
TIMED = {"name": str, "cat": str, "ph": str, "ts": (int, float), "pid": int, "tid": int, "args": dict}
EVENTS = {
    "X": {**TIMED, "dur": (int, float)},
    "b": {**TIMED, "id": str},
    "e": {**TIMED, "id": str},
    "M": {"name": str, "ph": str, "pid": int, "tid": int, "args": dict},
}
ON_THREADS = {"decode", "finish", "wait for reads", "copy reads", "wait for room", "wait for the consumer",
              "wait for a batch"}


def checked(path):
    """The events of a trace, each as the format wants it, asynchronous ones begun and ended in turns."""
    root = json.loads(path.read_text(encoding="utf-8"))
    assert root["displayTimeUnit"] in ("ms", "ns")
    running = {}
    for event in root["traceEvents"]:
        wanted = EVENTS[event["ph"]]
        assert set(event) == set(wanted), event
        assert all(isinstance(event[key], kind) for key, kind in wanted.items()), event
        if event["ph"] == "M":
            assert event["name"] in ("process_name", "thread_name") and isinstance(event["args"]["name"], str)
            continue
        assert event["ts"] >= 0 and event.get("dur", 0) >= 0
        assert all(isinstance(number, int) and number >= 0 for number in event["args"].values())
        if event["ph"] == "X":
            assert event["name"] in ON_THREADS
        else:
            key = (event["cat"], event["id"])
            before = running.pop(key, None)
            assert (before is None) == (event["ph"] == "b")
            if before is None:
                running[key] = event
            else:
                assert before["name"] == event["name"] == "read" and before["ts"] <= event["ts"]
    assert not running
    return root["traceEvents"]


def names(events, phase, name):
    return [event for event in events if (event["ph"], event["name"]) == (phase, name)]


def test_trace__of_an_epoch__says_what_was_done(data, tmp_path):
    path = tmp_path / "trace.json"
    out = figures("epoch", data, "--shuffle", "--batch", "100", "--epochs", "2", "--threads", "2",
                  "--finish", "x=float16", "--trace", path)
    events = checked(path)
    visits = len(names(events, "X", "decode"))
    assert visits == len(names(events, "b", "read")) and visits > 2 * SAMPLES * 1024 // 16384
    assert sum(event["args"]["bytes"] for event in names(events, "b", "read")) == out["read_bytes"]
    assert sum(event["args"]["rows"] for event in names(events, "X", "finish")) == out["samples"]
    delivered = [event["args"]["batch"] for event in names(events, "X", "wait for a batch")]
    assert sorted(set(delivered)) == list(range(out["batches"]))
    assert [event["args"]["name"] for event in names(events, "M", "process_name")] == [str(data)]
    threads = {event["args"]["name"]: event["tid"] for event in names(events, "M", "thread_name")}
    assert set(threads) == {"consumer", "decode 0", "decode 1"} and len(set(threads.values())) == 3
    end = max(event["ts"] + event.get("dur", 0) for event in events if "ts" in event)
    assert end < out["seconds"] * 1e6 * 1.5 + 1e5


def test_trace__of_threads__no_two_events_at_once(data, tmp_path):
    path = tmp_path / "trace.json"
    good("epoch", data, "--shuffle", "--epochs", "3", "--trace", path)
    ends = {}
    for event in checked(path):
        if event["ph"] == "X":
            assert event["ts"] > ends.get(event["tid"], 0) - 0.002  # rounded to nanoseconds
            ends[event["tid"]] = event["ts"] + event["dur"]


def test_trace__interrupted__is_written(data, tmp_path):
    path = tmp_path / "trace.json"
    path.write_text("old", encoding="utf-8")
    child = subprocess.Popen([PROGRAM, "epoch", data, "--epochs", "100000", "--consume-ns", "1000000",
                              "--index", tmp_path / "i.npy", "--trace", path],
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    begun = tmp_path / "i.npy.partial"
    wait_until(lambda: child.poll() is not None or (begun.exists() and begun.stat().st_size >= 4096))
    child.send_signal(signal.SIGINT)
    _, err = child.communicate(timeout=60)
    assert child.returncode == 130, err
    assert names(checked(path), "X", "wait for a batch")
    assert not (tmp_path / "trace.json.partial").exists()


def test_trace__of_a_run_that_fails__is_written_too(data, tmp_path):
    bad = tmp_path / "bad.hrd"
    stored = bytearray(data.read_bytes())
    stored[len(stored) // 2] ^= 1
    bad.write_bytes(stored)
    done = headrace("epoch", bad, "--trace", tmp_path / "trace.json")
    assert done.returncode == 3
    assert names(checked(tmp_path / "trace.json"), "X", "decode")


def test_trace__that_cannot_be_written__fails_with_words(data, tmp_path):
    done = headrace("epoch", data, "--trace", tmp_path / "not" / "there.json")
    assert done.returncode == 1 and "not/there.json" in done.stderr
    os.mkdir(tmp_path / "folder")
    done = headrace("epoch", data, "--trace", tmp_path / "folder")
    assert done.returncode == 1 and "folder" in done.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["folder"]
