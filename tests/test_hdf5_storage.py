"""HDF5 data sets whose values lie in other files, files in several parts, and files that another process writes."""
import contextlib
import os
import shutil
import subprocess
import sys

import h5py
import numpy as np
import pytest

from hdf5_dump import TOOL, any_bits, assert_rows, list_sources, read_rows
from headrace_command import good, headrace

pytestmark = pytest.mark.skipif(TOOL is None, reason="no tool_hdf5_dump")


@pytest.fixture
def out(tmp_path):
    return tmp_path / "rows"


@pytest.fixture
def folders(tmp_path):
    """Where the input is, and another one."""
    for name in ("in", "out"):
        (tmp_path / name).mkdir()
    return tmp_path / "in", tmp_path / "out"


# --- virtual data sets ------------------------------------------------------------------------------------------

def write_parts(folder, rows=(40, 25, 60), **options):
    parts = []
    for i, n in enumerate(rows):
        x = any_bits("<i4", (n, 3), seed=i)
        with h5py.File(folder / f"part{i}.h5", "w") as f:
            f.create_dataset("g/x", data=x, **options)
        parts.append(x)
    return parts


def write_virtual(path, names, parts, hole=0, fill=-1, dataset="g/x"):
    n = sum(len(x) for x in parts) + hole
    layout = h5py.VirtualLayout(shape=(n, 3), dtype="<i4")
    at = 0
    for name, x in zip(names, parts):
        layout[at: at + len(x)] = h5py.VirtualSource(name, dataset, shape=x.shape)
        at += len(x)
    with h5py.File(path, "w") as f:
        f.create_virtual_dataset("v", layout, fillvalue=fill)


@pytest.mark.parametrize("options", [{}, {"chunks": (16, 2), "compression": "gzip"}])
def test_virtual__parts_in_the_folder__are_read(folders, out, options):
    inside, _ = folders
    parts = write_parts(inside, **options)
    write_virtual(inside / "v.h5", [f"part{i}.h5" for i in range(3)], parts, hole=7)
    expected = np.concatenate([*parts, np.full((7, 3), -1, "<i4")])
    assert_rows(inside / "v.h5", "v", out, expected, step=11)
    assert_rows(inside / "v.h5", "v", out, expected, step=1000, budget=300000)


def test_virtual__of_its_own_file__is_read(tmp_path, out):
    x = any_bits("<i4", (9, 3))
    with h5py.File(tmp_path / "v.h5", "w") as f:
        f["g/x"] = x
        layout = h5py.VirtualLayout(shape=(9, 3), dtype="<i4")
        layout[:] = h5py.VirtualSource(f["g/x"])
        f.create_virtual_dataset("v", layout)
    assert_rows(tmp_path / "v.h5", "v", out, x)


def test_virtual__parts_elsewhere__only_when_allowed(folders, out):
    inside, outside = folders
    parts = write_parts(outside)
    (inside / "sneaky.h5").symlink_to(outside / "part0.h5")
    for name in ("../out/part0.h5", str(outside / "part0.h5"), "sneaky.h5"):
        write_virtual(inside / "v.h5", [name], parts[:1])
        refused = list_sources(inside / "v.h5")
        assert refused.status == "HR_ERR_UNSUPPORTED" and "--follow-external" in refused.message
        assert_rows(inside / "v.h5", "v", out, parts[0], FOLLOW=1)


def test_virtual__part_that_links_elsewhere__only_when_allowed(folders, out):
    inside, outside = folders
    parts = write_parts(outside)
    with h5py.File(inside / "near.h5", "w") as f:
        f["g"] = h5py.ExternalLink("../out/part0.h5", "/g")
    write_virtual(inside / "v.h5", ["near.h5"], parts[:1])
    refused = list_sources(inside / "v.h5")
    assert refused.status == "HR_ERR_UNSUPPORTED" and "--follow-external" in refused.message
    assert_rows(inside / "v.h5", "v", out, parts[0], FOLLOW=1)


def test_virtual__of_virtual__obeys_the_same_rule(folders, out):
    inside, outside = folders
    parts = write_parts(outside)
    write_virtual(inside / "w.h5", ["../out/part0.h5"], parts[:1])
    write_virtual(inside / "v.h5", ["w.h5"], parts[:1], dataset="v")
    assert list_sources(inside / "v.h5").status == "HR_ERR_UNSUPPORTED"
    assert_rows(inside / "v.h5", "v", out, parts[0], FOLLOW=1)


def test_virtual__of_itself__ends(tmp_path):
    x = np.zeros((4, 3), "<i4")
    write_virtual(tmp_path / "v.h5", ["v.h5"], [x], dataset="v")
    assert list_sources(tmp_path / "v.h5").status in ("HR_ERR_UNSUPPORTED", "HR_ERR_CORRUPT")


def test_virtual__missing_parts__are_no_fill_values(folders):
    inside, _ = folders
    parts = write_parts(inside)
    write_virtual(inside / "v.h5", ["part0.h5", "gone.h5"], parts[:2])
    missing = list_sources(inside / "v.h5")
    assert missing.status == "HR_ERR_NOT_FOUND" and "gone.h5" in missing.message
    write_virtual(inside / "v.h5", ["part0.h5"], parts[:1], dataset="g/gone")
    assert list_sources(inside / "v.h5").status == "HR_ERR_NOT_FOUND"


def test_virtual__named_by_a_pattern__only_when_allowed(folders, out):
    inside, _ = folders
    parts = write_parts(inside, rows=(10, 10))
    sid = h5py.h5s.create_simple((20, 3), (h5py.h5s.UNLIMITED, 3))
    sid.select_hyperslab((0, 0), (h5py.h5s.UNLIMITED, 1), (10, 3), (10, 3))
    plist = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    plist.set_virtual(sid, b"part%b.h5", b"/g/x", h5py.h5s.create_simple((10, 3)))
    with h5py.File(inside / "v.h5", "w") as f:
        h5py.h5d.create(f.id, b"v", h5py.h5t.STD_I32LE, h5py.h5s.create_simple((20, 3), (h5py.h5s.UNLIMITED, 3)), plist)
    refused = list_sources(inside / "v.h5")
    assert refused.status == "HR_ERR_UNSUPPORTED" and "part%b.h5" in refused.message
    assert_rows(inside / "v.h5", "v", out, np.concatenate(parts), FOLLOW=1)


def test_virtual__input_by_a_symbolic_link__parts_are_beside_the_file(folders, out):
    inside, outside = folders
    parts = write_parts(inside, rows=(10,))
    write_parts(outside, rows=(20,))  # a decoy of the same name beside the link
    write_virtual(inside / "v.h5", ["part0.h5"], parts)
    (outside / "v.h5").symlink_to(inside / "v.h5")
    assert_rows(outside / "v.h5", "v", out, parts[0])


# --- external storage -------------------------------------------------------------------------------------------

def write_external(path, files, n=12):
    with h5py.File(path, "w") as f:
        f.create_dataset("x", (n,), "<i4", external=files)


def test_external__files_in_the_folder__are_read(folders, out, monkeypatch):
    inside, outside = folders
    x = any_bits("<i4", (12,))
    (inside / "a.bin").write_bytes(b"head" + x[:5].tobytes())
    (inside / "b.bin").write_bytes(x[5:].tobytes())
    write_external(inside / "x.h5", [("a.bin", 4, 20), ("b.bin", 0, h5py.h5f.UNLIMITED)])
    assert_rows(inside / "x.h5", "x", out, x)
    monkeypatch.chdir(outside)  # where HDF5 itself would look first
    (outside / "b.bin").write_bytes(bytes(100))
    assert_rows(inside / "x.h5", "x", out, x)


def test_external__files_elsewhere__only_when_allowed(folders, out):
    inside, outside = folders
    x = any_bits("<i4", (12,))
    (outside / "a.bin").write_bytes(x.tobytes())
    for name in ("../out/a.bin", str(outside / "a.bin")):
        write_external(inside / "x.h5", [(name, 0, 48)])
        refused = list_sources(inside / "x.h5")
        assert refused.status == "HR_ERR_UNSUPPORTED" and "--follow-external" in refused.message
        assert_rows(inside / "x.h5", "x", out, x, FOLLOW=1)


def test_external__missing_or_short__is_no_zeros(folders):
    inside, _ = folders
    write_external(inside / "x.h5", [("a.bin", 0, 48)])
    with contextlib.suppress(FileNotFoundError):
        (inside / "a.bin").unlink()
    assert list_sources(inside / "x.h5").status == "HR_ERR_NOT_FOUND"
    (inside / "a.bin").write_bytes(bytes(47))
    short = list_sources(inside / "x.h5")
    assert short.status == "HR_ERR_CORRUPT" and "47 bytes where 48" in short.message
    (inside / "a.bin").unlink()
    os.mkfifo(inside / "a.bin")
    assert list_sources(inside / "x.h5").status == "HR_ERR_UNSUPPORTED"


# --- split and family files -------------------------------------------------------------------------------------

@pytest.mark.parametrize("suffix", [".h5", ".hdf5", ""])
def test_split__first_file__is_the_whole(tmp_path, out, suffix):
    x = any_bits("<f8", (1000, 3))
    with h5py.File(tmp_path / "s", "w", driver="split", meta_ext=b"-m" + suffix.encode(),
                   raw_ext=b"-r" + suffix.encode()) as f:
        f["x"] = x
    assert_rows(tmp_path / f"s-m{suffix}", "x", out, x)


def test_split__names_of_parts_that_are_formats__are_not_used(tmp_path):
    """HDF5 prints the names in the file with the file's own name as argument."""
    with h5py.File(tmp_path / "s", "w", driver="split", meta_ext=b"-m.h5", raw_ext=b"-r.h5") as f:
        f["x"] = np.zeros(1000)
    whole = (tmp_path / "s-m.h5").read_bytes()
    assert whole.count(b"%s-r.h5") == 1 and whole.count(b"%s-m.h5") == 1
    for bad in (b"%n%n%n%", b"/etc/pw", b"%s-q.h5"):
        (tmp_path / "s-m.h5").write_bytes(whole.replace(b"%s-r.h5", bad))
        assert list_sources(tmp_path / "s-m.h5").status == "HR_ERR_CORRUPT"
        (tmp_path / "s-m.h5").write_bytes(whole.replace(b"%s-m.h5", bad))
        assert list_sources(tmp_path / "s-m.h5").status == "HR_ERR_CORRUPT"
    (tmp_path / "s-m.h5").write_bytes(whole)
    (tmp_path / "s-r.h5").unlink()
    assert list_sources(tmp_path / "s-m.h5").status == "HR_ERR_CORRUPT"


@pytest.mark.parametrize("name", ["f%05d.h5", "f%d.h5", "f-%03d", "100%% f%04d.hdf5"])
def test_family__first_file__is_the_whole(tmp_path, out, name):
    x = any_bits("<f8", (1000, 3))
    with h5py.File(tmp_path / name, "w", driver="family", memb_size=4096) as f:
        f["x"] = x
    members = sorted(tmp_path.iterdir())
    assert len(members) > 5
    assert_rows(tmp_path / (name % 0), "x", out, x)
    second = list_sources(tmp_path / (name % 1))
    assert second.status == "HR_ERR_CORRUPT" and "give the first" in second.message


def test_family__member_that_is_missing__is_an_error(tmp_path):
    with h5py.File(tmp_path / "f%05d.h5", "w", driver="family", memb_size=4096) as f:
        f["x"] = np.ones(5000)
    (tmp_path / "f00009.h5").unlink()
    assert list_sources(tmp_path / "f00000.h5").status == "HR_ERR_CORRUPT"


# --- files that are being written -------------------------------------------------------------------------------

WRITER = """
import sys, h5py, numpy as np
f = h5py.File(sys.argv[1], "w", libver=("v110", "v110"))
x = f.create_dataset("x", (0, 4), "<i8", maxshape=(None, 4), chunks=(16, 4))
y = f.create_dataset("y", (0,), "<i8", maxshape=(None,), chunks=(16,))
f.swmr_mode = True
for line in sys.stdin:
    names, more = line.split()
    for name in names:
        n = len(f[name])
        m = n + int(more)
        f[name].resize(m, axis=0)
        f[name][n:m] = np.arange(n, m)[:, None] if name == "x" else np.arange(n, m)
        f[name].flush()
    print(m, flush=True)
"""


@pytest.fixture
def writer(tmp_path):
    process = subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path / "w.h5")], stdin=subprocess.PIPE,
                               stdout=subprocess.PIPE, text=True)

    def write(n, names="xy"):
        process.stdin.write(f"{names} {n}\n")
        process.stdin.flush()
        return int(process.stdout.readline())

    yield write
    process.stdin.close()
    process.wait(timeout=20)


def test_swmr__while_it_is_written__what_is_there_is_taken(tmp_path, writer):
    for more, expected in ((100, 100), (117, 237)):
        assert writer(more) == expected
        writer(20 if expected == 100 else 0, "x")  # x has them, y does not yet
        target = tmp_path / f"{expected}.hrd"
        done = headrace("convert", tmp_path / "w.h5", "-o", target)
        writer(20 if expected == 100 else 0, "y")
        assert done.returncode == 0, done.stderr
        assert f"another process writes it; the {expected} samples" in done.stderr
        good("export", target, "-o", tmp_path / f"{expected}")
        x = np.load(tmp_path / f"{expected}" / "x.npy")
        assert np.array_equal(x, np.repeat(np.arange(expected)[:, None], 4, axis=1))
        assert np.array_equal(np.load(tmp_path / f"{expected}" / "y.npy"), np.arange(expected))


def test_swmr__samples_that_come_between_two_openings__are_taken(tmp_path, out, writer):
    writer(50)
    listed = list_sources(tmp_path / "w.h5", "x")
    assert listed.answer[0]["num_samples"] == 50
    writer(30)
    result, data = read_rows(tmp_path / "w.h5", "x", out)
    assert result.ok and result.answer["num_samples"] == 80 and len(data) == 80 * 32


def test_left_open__by_a_writer_that_died__says_what_to_do(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w", libver=("v110", "v110")) as f:
        f["x"] = np.arange(10)
        f.flush()
        shutil.copy(tmp_path / "a.h5", tmp_path / "b.h5")  # as it was when the writer died
    refused = list_sources(tmp_path / "b.h5")
    assert refused.status == "HR_ERR_CORRUPT" and "h5clear" in refused.message
