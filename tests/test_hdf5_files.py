"""Every HDF5 file of the shared data through the command: converted and exported it is what h5py
reads, or the refusal names the file; damaged ones never crash or hang it."""

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

HERE = Path(__file__).resolve().parent
SHARED = Path(os.environ.get("HEADRACE_SHARED", HERE.parent.parent / "shared" / "data"))
HEADRACE = Path(os.environ.get("HEADRACE_BIN", HERE.parent / "build" / "release" / "bin")) / "headrace"
pytestmark = pytest.mark.skipif(not HEADRACE.is_file(), reason="the headrace command is not built")

FILES = sorted(p for folder in ("hdf5", "hdf5-damaged") for p in (SHARED / folder).rglob("*")
               if p.is_file())


def headrace(*arguments):
    return subprocess.run([str(HEADRACE), *map(str, arguments)], capture_output=True, text=True,
                          errors="replace", timeout=300, check=False)


def described(path, folder):
    """hdf5_expected.write() in a process of its own; None where h5py cannot read the file."""
    out = folder / "expected.json"
    code = f"import hdf5_expected; hdf5_expected.write({str(path)!r}, {str(out)!r})"
    subprocess.run([sys.executable, "-c", code], cwd=HERE, capture_output=True, timeout=60,
                   check=False)
    return json.loads(out.read_text()) if out.exists() else None


def check_fields(path, exported, folder):
    expected = {e["path"].replace("/", "__"): e for e in described(path, folder) or []}
    for file in exported.iterdir():
        entry = expected.get(file.stem)
        if entry is None or entry["kind"] != "yes":
            continue  # several names of one data set, or one that h5py cannot read
        array = np.load(file)
        if array.dtype.kind == "U":
            continue  # h5py reads fixed UTF-8 as bytes: compared in test_hdf5_sources.py
        little = array.astype(array.dtype.newbyteorder("<"), copy=False)
        assert hashlib.sha256(little.tobytes()).hexdigest() == entry["sha256"], file.stem


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(SHARED)))
def test_convert_gives_the_same_data_or_a_reason(path, tmp_path):
    target = tmp_path / "out.hrd"
    done = headrace("convert", path, "-o", target, "--helper-timeout", "5s")
    assert done.returncode in (0, 1, 3), (done.returncode, done.stderr)
    assert not (tmp_path / "out.hrd.partial").exists() or done.returncode != 0
    if done.returncode != 0:
        assert not target.exists()
        assert path.name in done.stderr
        return
    assert headrace("verify", target).returncode == 0
    exported = tmp_path / "exported"
    assert headrace("export", target, "-o", exported).returncode == 0
    check_fields(path, exported, tmp_path)
