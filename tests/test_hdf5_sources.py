"""HDF5 sources, read through the helper and compared with h5py: every type, layout and filter that is
promised, everything that is refused, links, damaged files, limits. Uses the program tool_hdf5_dump
of the build that $HEADRACE_BIN is the bin folder of (default: build/release/bin)."""
import hashlib
import json
import multiprocessing
import os
import signal
import subprocess
import time
from pathlib import Path

import h5py
import hdf5plugin
import numpy as np
import pytest

import hdf5_expected
from hdf5_dump import BUILD, LIMIT_S, TOOL, any_bits, assert_rows, list_sources, read_rows

HERE = Path(__file__).resolve().parent
SHARED = Path(os.environ.get("HEADRACE_SHARED", HERE.parent.parent / "shared" / "data"))
pytestmark = pytest.mark.skipif(TOOL is None, reason=f"no tool_hdf5_dump in {BUILD}")


@pytest.fixture
def out(tmp_path):
    return tmp_path / "rows"


NUMBERS = ["i1", "u1", "<i2", ">i2", "<u2", ">u2", "<i4", ">i4", "<u4", ">u4", "<i8", ">i8", "<u8", ">u8",
           "<f2", ">f2", "<f4", ">f4", "<f8", ">f8", "<c8", ">c8", "<c16", ">c16"]
NAMES = {"i": "int", "u": "uint", "f": "float", "c": "complex"}
LAYOUTS = {
    "contiguous": {},
    "chunked": {"chunks": (7, 2, 3)},
    "gzip": {"chunks": (16, 5, 2), "compression": "gzip"},
    "shuffle": {"chunks": (50, 1, 1), "compression": "gzip", "shuffle": True},
    "fletcher": {"chunks": (64, 5, 4), "fletcher32": True, "compression": "gzip"},
}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", NUMBERS)
def test_numbers__every_type_and_layout__bit_for_bit(tmp_path, out, dtype, layout):
    x = any_bits(dtype, (103, 5, 4))
    with h5py.File(tmp_path / "a.h5", "w") as f:
        f.create_dataset("x", data=x, **LAYOUTS[layout])
    little = x.astype(x.dtype.newbyteorder("<"), copy=True)
    # astype() may quiet NaN; swapping bytes may not.
    if x.dtype.byteorder == ">":
        little = x.byteswap().view(x.dtype.newbyteorder("<"))
    result, data = read_rows(tmp_path / "a.h5", "x", out, step=37)
    assert result.ok, result.message
    assert result.answer["dtype"] == NAMES[x.dtype.kind] + str(8 * x.dtype.itemsize)
    assert data == little.tobytes()


@pytest.mark.parametrize("layout", LAYOUTS)
def test_bool__is_bool(tmp_path, out, layout):
    x = any_bits("u1", (103, 5, 4)) > 100
    with h5py.File(tmp_path / "a.h5", "w") as f:
        f.create_dataset("x", data=x, **LAYOUTS[layout])
    assert_rows(tmp_path / "a.h5", "x", out, x)
    assert list_sources(tmp_path / "a.h5").answer[0]["dtype"] == "bool"


def test_bool__invalid_byte__is_refused_with_its_index(tmp_path, out):
    x = np.zeros((50, 3), bool)
    with h5py.File(tmp_path / "a.h5", "w") as f:
        f["x"] = x
        where = f["x"].id.get_offset()
    with open(tmp_path / "a.h5", "r+b") as f:
        f.seek(where + 17 * 3 + 2)
        f.write(b"\x02")
    result, _ = read_rows(tmp_path / "a.h5", "x", out)
    assert result.status == "HR_ERR_DATA" and "sample 17 holds 2" in result.message


def fixed_string(size, pad, charset):
    t = h5py.h5t.C_S1.copy()
    t.set_size(size)
    t.set_strpad(pad)
    t.set_cset(charset)
    return t


@pytest.mark.parametrize("charset", [h5py.h5t.CSET_ASCII, h5py.h5t.CSET_UTF8])
@pytest.mark.parametrize("pad,fill", [(h5py.h5t.STR_NULLTERM, b"\0"), (h5py.h5t.STR_NULLPAD, b"\0"),
                                      (h5py.h5t.STR_SPACEPAD, b" ")])
def test_strings__every_padding__end_in_zeros(tmp_path, out, pad, fill, charset):
    words = ["", "a", "dr\u00e4ng", "\u6c34\u8eca", "full-width!"]
    raw = [w.encode().ljust(12, fill) for w in words]
    with h5py.File(tmp_path / "a.h5", "w") as f:
        t = fixed_string(12, pad, charset)
        d = h5py.h5d.create(f.id, b"x", t, h5py.h5s.create_simple((len(raw),)))
        d.write(h5py.h5s.ALL, h5py.h5s.ALL, np.array(raw, dtype="S12"), mtype=t)
    result, data = read_rows(tmp_path / "a.h5", "x", out)
    assert result.ok, result.message
    assert result.answer["dtype"] == ("fixed_utf8" if charset == h5py.h5t.CSET_UTF8 else "fixed_bytes")
    assert result.answer["width"] == 12
    assert data == b"".join(w.encode().ljust(12, b"\0") for w in words)


def test_strings__text_that_is_no_utf8__is_refused_with_its_index(tmp_path, out):
    with h5py.File(tmp_path / "a.h5", "w") as f:
        t = fixed_string(4, h5py.h5t.STR_NULLPAD, h5py.h5t.CSET_UTF8)
        d = h5py.h5d.create(f.id, b"x", t, h5py.h5s.create_simple((2,)))
        d.write(h5py.h5s.ALL, h5py.h5s.ALL, np.array([b"ok", b"\xff\xfe"], dtype="S4"), mtype=t)
    result, _ = read_rows(tmp_path / "a.h5", "x", out)
    assert result.status == "HR_ERR_DATA" and "sample 1 " in result.message


@pytest.mark.parametrize("shape", [(5,), (0,), (0, 3), (4, 0), (3, 1, 2, 1, 2), (1, 1 << 18)])
def test_shapes__odd_ones__are_read(tmp_path, out, shape):
    x = any_bits("<f4", shape)
    with h5py.File(tmp_path / "a.h5", "w") as f:
        f["x"] = x
    assert_rows(tmp_path / "a.h5", "x", out, x)


def test_layouts__compact__is_read(tmp_path, out):
    x = np.arange(20, dtype="<i4")
    with h5py.File(tmp_path / "a.h5", "w") as f:
        plist = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        plist.set_layout(h5py.h5d.COMPACT)
        d = h5py.h5d.create(f.id, b"x", h5py.h5t.STD_I32LE, h5py.h5s.create_simple((20,)), plist)
        d.write(h5py.h5s.ALL, h5py.h5s.ALL, x)
    assert_rows(tmp_path / "a.h5", "x", out, x)


@pytest.mark.parametrize("budget", [64 << 20, 400000, 150000])
@pytest.mark.parametrize("step", [1, 61, 5000])
def test_reading__any_step_and_budget__same_rows(tmp_path, out, budget, step):
    x = any_bits("<u2", (3000, 64))
    with h5py.File(tmp_path / "a.h5", "w") as f:
        f.create_dataset("x", data=x, chunks=(500, 16), compression="gzip")
    assert_rows(tmp_path / "a.h5", "x", out, x, step=step, budget=budget)


def test_reading__chunks_too_large_for_the_budget__says_so(tmp_path, out):
    with h5py.File(tmp_path / "a.h5", "w") as f:
        f.create_dataset("x", shape=(1000, 4096), chunks=(1000, 4096), dtype="f8", compression="gzip")
    result, _ = read_rows(tmp_path / "a.h5", "x", out, budget=8 << 20)
    assert result.status == "HR_ERR_BUDGET"


def test_reading__chunks_too_large_for_the_helper__says_so(tmp_path, out):
    with h5py.File(tmp_path / "a.h5", "w") as f:
        f.create_dataset("x", shape=(1000, 4096), chunks=(1000, 4096), dtype="f8", compression="gzip")
    result, _ = read_rows(tmp_path / "a.h5", "x", out, budget=256 << 20, MEMORY_BYTES=100 << 20)
    assert result.status == "HR_ERR_HELPER" and "MiB" in result.message


def test_listing__groups__natural_order_once_each(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as f:
        for name in ("g/x10", "g/x9", "g/x09", "g/x1", "a", "z/deep/er"):
            f[name] = np.zeros(3)
        f["again"] = f["a"]
        f["g/loop"] = f["g"]
        f["soft"] = h5py.SoftLink("/g/x1")
        f["type"] = np.dtype("f4")
    names = [s["name"] for s in list_sources(tmp_path / "a.h5").answer]
    assert names == ["a", "g/x1", "g/x09", "g/x9", "g/x10", "z/deep/er"]
    below = list_sources(tmp_path / "a.h5", "/g").answer
    assert [(s["member"], s["name"]) for s in below] == [(f"g/{x}", x) for x in ("x1", "x09", "x9", "x10")]
    one = list_sources(tmp_path / "a.h5", "/z//deep/er").answer
    assert [(s["member"], s["name"]) for s in one] == [("z/deep/er", "er")]


def test_listing__no_such_member__is_not_found(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as f:
        f["x"] = np.zeros(3)
    for member in ("y", "x/y", "/nope/x"):
        assert list_sources(tmp_path / "a.h5", member).status == "HR_ERR_NOT_FOUND"


def test_listing__no_hdf5_file__is_refused(tmp_path):
    (tmp_path / "a.h5").write_bytes(b"no HDF5 at all" * 100)
    assert list_sources(tmp_path / "a.h5").status == "HR_ERR_CORRUPT"
    assert list_sources(tmp_path / "missing.h5").status == "HR_ERR_NOT_FOUND"
    assert list_sources(tmp_path).status == "HR_ERR_INVALID"


def test_listing__soft_links_in_a_circle__end(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as f:
        f["x"] = h5py.SoftLink("/y")
        f["y"] = h5py.SoftLink("/x")
    assert list_sources(tmp_path / "a.h5").status == "HR_ERR_UNSUPPORTED"


def vlen_of_vlen():
    return h5py.vlen_dtype(h5py.vlen_dtype("i4"))


REFUSED = {
    "variable-length values along 2 axes": lambda f: f.create_dataset("x", (3, 2), dtype=h5py.string_dtype()),
    "sequences of variable-length values": lambda f: f.create_dataset("x", (3,), dtype=vlen_of_vlen()),
    "sequences of strings": lambda f: f.create_dataset("x", (3,), dtype=h5py.vlen_dtype("S4")),
    "sequences of records": lambda f: f.create_dataset("x", (3,), dtype=h5py.vlen_dtype(np.dtype("i4,f4"))),
    "sequences of arrays": lambda f: f.create_dataset("x", (3,), dtype=h5py.vlen_dtype(np.dtype("(2,)i4"))),
    "arrays of variable-length values": lambda f: h5py.h5d.create(
        f.id, b"x", h5py.h5t.array_create(h5py.h5t.vlen_create(h5py.h5t.STD_I32LE), (2,)), h5py.h5s.create_simple((3,))
    ),
    "references": lambda f: f.create_dataset("x", (3,), dtype=h5py.ref_dtype),
    "a single value": lambda f: f.create_dataset("x", data=1.5),
    "no values": lambda f: f.create_dataset("x", data=h5py.Empty("f4")),
    "filter 32013 (zfp)": lambda f: f.create_dataset("x", data=np.zeros(100), **hdf5plugin.Zfp()),
}


@pytest.mark.parametrize("what", REFUSED)
def test_refused__says_what_and_why(tmp_path, what):
    with h5py.File(tmp_path / "a.h5", "w") as f:
        REFUSED[what](f)
        f["good"] = np.zeros(3)
    whole = list_sources(tmp_path / "a.h5")
    assert whole.status == "HR_ERR_UNSUPPORTED"
    assert what in whole.message and "a.h5: /x: " in whole.message
    assert list_sources(tmp_path / "a.h5", "good").ok


def test_links__leaving_the_folder__only_when_allowed(tmp_path, out):
    inside, outside = tmp_path / "in", tmp_path / "out"
    inside.mkdir()
    outside.mkdir()
    x = np.arange(6, dtype="<i8")
    for folder in (inside, outside):
        with h5py.File(folder / "other.h5", "w") as f:
            f["g/y"] = x
    (inside / "sneaky.h5").symlink_to(outside / "other.h5")
    with h5py.File(inside / "a.h5", "w") as f:
        f["near"] = h5py.ExternalLink("other.h5", "/g/y")
        f["far"] = h5py.ExternalLink("../out/other.h5", "/g/y")
        f["absolute"] = h5py.ExternalLink(str(outside / "other.h5"), "/g")
        f["sneaky"] = h5py.ExternalLink("sneaky.h5", "/g/y")
        f["missing"] = h5py.ExternalLink("missing.h5", "/g/y")
    path = inside / "a.h5"
    assert_rows(path, "near", out, x)
    for name in ("far", "absolute", "absolute/y", "sneaky"):
        refused = list_sources(path, name)
        assert refused.status == "HR_ERR_UNSUPPORTED" and "--follow-external" in refused.message
    assert list_sources(path, "missing").status == "HR_ERR_NOT_FOUND"
    for name in ("far", "absolute/y", "sneaky"):
        assert_rows(path, name, out, x, FOLLOW=1)


def children_of(pid):
    found = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        found += [int(c) for c in (task / "children").read_text().split()]
    return found


def wait_for(what, limit_s=20):
    end = time.monotonic() + limit_s
    while time.monotonic() < end:
        got = what()
        if got:
            return got
        time.sleep(0.01)
    return None


@pytest.fixture
def long_read(tmp_path):
    """The tool in the middle of a long read, and its helper."""
    with h5py.File(tmp_path / "a.h5", "w") as f:
        f.create_dataset("x", shape=(1 << 33,), dtype="u1", chunks=(1 << 20,), compression="gzip")
    tool = subprocess.Popen([TOOL, "rows", str(tmp_path / "a.h5"), "x", "0", "/dev/null", "1000000"],
                            stdout=subprocess.PIPE, text=True)

    def reading():
        busy = children_of(tool.pid)
        return busy if busy and "headrace-source" in Path(f"/proc/{busy[0]}/cmdline").read_text() else None

    helpers = wait_for(reading)
    time.sleep(0.3)
    yield tool, children_of(tool.pid) or helpers
    tool.kill()
    tool.communicate()


def is_running(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_helper__killed__is_an_error_that_names_the_file(long_read):
    tool, helpers = long_read
    os.kill(helpers[0], signal.SIGKILL)
    answer = json.loads(tool.communicate(timeout=20)[0])
    assert tool.returncode == 1
    assert answer["status"] == "HR_ERR_HELPER"
    assert "a.h5:/x" in answer["message"] and "SIGKILL" in answer["message"]


def test_helper__program_killed__helper_ends_too(long_read):
    tool, helpers = long_read
    tool.kill()
    tool.wait()
    assert wait_for(lambda: not any(map(is_running, helpers)))


def test_helper__stopped_for_ever__is_killed_after_the_time_of_silence(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as f:
        f.create_dataset("x", shape=(1 << 33,), dtype="u1", chunks=(1 << 20,), compression="gzip")
    tool = subprocess.Popen([TOOL, "rows", str(tmp_path / "a.h5"), "x", "0", "/dev/null", "1000000"],
                            stdout=subprocess.PIPE, text=True, env=dict(os.environ, TIMEOUT_MS="500"))
    try:
        time.sleep(0.3)
        helper = wait_for(lambda: children_of(tool.pid))[0]
        os.kill(helper, signal.SIGSTOP)
        answer = json.loads(tool.communicate(timeout=20)[0])
    finally:
        tool.kill()
    assert answer["status"] == "HR_ERR_HELPER" and "said nothing for 0.5 s" in answer["message"]
    assert not is_running(helper)


def shared_files(folder):
    root = SHARED / folder
    return sorted(p for p in root.rglob("*") if p.is_file()) if root.is_dir() else []


def short(path):
    return str(path.relative_to(SHARED))


def expected_of(path, out):
    """What h5py reads, or [] where it crashes, hangs, or refuses the file."""
    child = multiprocessing.get_context("fork").Process(target=hdf5_expected.write, args=(path, out))
    child.start()
    child.join(LIMIT_S)
    child.kill()
    child.join()
    return json.loads(out.read_text()) if out.exists() else []


@pytest.mark.parametrize("path", shared_files("hdf5") + shared_files("hdf5-damaged"), ids=short)
def test_shared__every_file__right_data_or_an_error(path, tmp_path, out):
    whole = list_sources(path, TIMEOUT_MS=5000)
    assert whole.ok or len(whole.message) > 20
    for expected in expected_of(path, tmp_path / "expected"):
        if expected["too_large"]:
            assert list_sources(path, expected["path"]).ok
            continue
        result, data = read_rows(path, expected["path"], out, step=100000, TIMEOUT_MS=5000)
        if expected["kind"] == "yes":
            assert result.ok, result.message
            assert hashlib.sha256(data).hexdigest() == expected["sha256"], expected["path"]
        elif expected["kind"] == "parts" and result.ok:
            assert hashlib.sha256(data).hexdigest() == expected["sha256"], expected["path"]
        elif expected["kind"] == "no":
            assert not result.ok, (expected, result.answer)
            assert result.status in ("HR_ERR_UNSUPPORTED", "HR_ERR_CORRUPT"), result.message


def test_listing__members_as_listed__open_again(tmp_path, out):
    with h5py.File(tmp_path / "a.h5", "w") as f:
        for i in range(12):
            f[f"g{i % 3}/x{i}"] = np.full((10, i), i, "<i4")
    listed = list_sources(tmp_path / "a.h5").answer
    assert len(listed) == 12
    for source in listed:
        i = int(source["name"].rsplit("x", 1)[1])
        assert_rows(tmp_path / "a.h5", source["member"], out, np.full((10, i), i, "<i4"))


KERAS = {
    "model.h5": lambda f: (f.attrs.update({"keras_version": "3.4.1", "backend": "jax"}),
                           f.create_group("model_weights").attrs.update({"layer_names": [b"dense"]})),
    "weights.h5": lambda f: f.attrs.update({"layer_names": np.array([b"dense"])}),
    "a.weights.h5": lambda f: (f.create_group("vars"), f.create_group("layers/dense/vars")),
    "old.weights.h5": lambda f: (f.create_group("vars"), f.create_group("_layer_checkpoint_dependencies")),
}


@pytest.mark.parametrize("name", KERAS)
def test_keras__weights__are_no_samples(tmp_path, out, name):
    x = np.ones((4, 3), "<f4")
    with h5py.File(tmp_path / name, "w") as f:
        KERAS[name](f)
        f["layers/dense/vars/0"] = x
    refused = list_sources(tmp_path / name)
    assert refused.status == "HR_ERR_UNSUPPORTED"
    assert "weights of a Keras model" in refused.message and "load_weights" in refused.message
    assert_rows(tmp_path / name, "layers/dense/vars/0", out, x)


def test_keras__a_file_with_layers_but_no_weights__is_data(tmp_path, out):
    with h5py.File(tmp_path / "a.h5", "w") as f:
        f["layers/raw"] = np.ones(4)
        f["var/names"] = np.ones(4)
    assert list_sources(tmp_path / "a.h5").ok
