"""Every HDF5 file of the shared data through the command: converted and exported it is what h5py reads, or it is
refused for a reason that docs/convert.md lists; damaged ones never crash or hang it. The table of all files with
outcome and reason is written beside the build's programs: hdf5_files.md."""

import hashlib
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from hdf5_expected import variable_digest
from python_package import hr

HERE = Path(__file__).resolve().parent
SHARED = Path(os.environ.get("HEADRACE_SHARED", HERE.parent.parent / "shared" / "data"))
BIN = Path(os.environ.get("HEADRACE_BIN", HERE.parent / "build" / "release" / "bin"))
HEADRACE = BIN / "headrace"
pytestmark = pytest.mark.skipif(not HEADRACE.is_file(), reason="the headrace command is not built")

FILES = sorted(p for folder in ("hdf5", "hdf5-damaged") for p in (SHARED / folder).rglob("*")
               if p.is_file())


def headrace(*arguments):
    return subprocess.run([str(HEADRACE), *map(str, arguments)], capture_output=True, text=True,
                          errors="replace", timeout=300, check=False)


def documented_reasons():
    """The first column of the table of reasons in docs/convert.md: each is part of the message."""
    text = (HERE.parent / "docs" / "convert.md").read_text()
    table = text.split("<!-- reasons -->")[1]
    rows = re.findall(r"^\| (`[^|]+) \|", table, re.MULTILINE)
    return [reason for row in rows for reason in re.findall(r"`([^`]+)`", row)]


def described(path, folder):
    """hdf5_expected.write() in a process of its own; None where h5py cannot read the file."""
    out = folder / "expected.json"
    code = f"import hdf5_expected; hdf5_expected.write({str(path)!r}, {str(out)!r})"
    subprocess.run([sys.executable, "-c", code], cwd=HERE, capture_output=True, timeout=60,
                   check=False)
    return json.loads(out.read_text()) if out.exists() else None


def check_variable(expected, fields, folder):
    """The same of fields of variable length, which no .npy holds."""
    compared = 0
    for name in fields:
        entry = expected.get(name.replace("/", "__"))
        if entry is None or entry["kind"] != "yes":
            continue
        with hr.open(folder / "out.hrd") as dataset:
            values = [v.encode() if isinstance(v, str) else bytes(v) for v in dataset[name][:]]
        assert variable_digest(values) == entry["sha256"], name
        compared += 1
    return compared


def check_fields(path, exported, variable, folder):
    """How many fields were compared with what h5py reads, and how many there are."""
    expected = {e["path"].replace("/", "__"): e for e in described(path, folder) or []}
    compared = check_variable(expected, variable, folder)
    files = list(exported.iterdir()) if exported.exists() else []
    for file in files:
        entry = expected.get(file.stem)
        if entry is None or entry["kind"] not in ("yes", "parts"):
            continue  # several names of one data set, or one that h5py cannot read
        array = np.load(file)
        if array.dtype.kind == "U":
            continue  # h5py reads fixed UTF-8 as bytes: compared in test_hdf5_sources.py
        little = array.astype(array.dtype.newbyteorder("<"), copy=False)
        assert hashlib.sha256(little.tobytes()).hexdigest() == entry["sha256"], file.stem
        compared += 1
    return compared, len(files) + len(variable)


@pytest.fixture(scope="module")
def table():
    """Rows (file, outcome, reason), written when all are there."""
    rows = []
    yield rows
    lines = [f"| {name} | {outcome} | {reason} |" for name, outcome, reason in sorted(rows)]
    head = ["| file | outcome | reason |", "| --- | --- | --- |"]
    (BIN.parent / "hdf5_files.md").write_text("\n".join(head + lines) + "\n")


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(SHARED)))
def test_convert_gives_the_same_data_or_a_reason(path, tmp_path, table):
    target = tmp_path / "out.hrd"
    name = str(path.relative_to(SHARED))
    done = headrace("convert", path, "-o", target, "--helper-timeout", "5s")
    assert done.returncode in (0, 1, 3), (done.returncode, done.stderr)
    assert not (tmp_path / "out.hrd.partial").exists() or done.returncode != 0
    if done.returncode != 0:
        message = done.stderr.strip().replace(str(SHARED) + "/", "")
        table.append((name, "refused", message))
        assert not target.exists()
        assert path.name in message
        assert any(reason in message for reason in documented_reasons()), message
        return
    assert headrace("verify", target).returncode == 0
    exported = tmp_path / "exported"
    fields = json.loads(headrace("info", target, "--json").stdout)["fields"]
    variable = [f["name"] for f in fields if f["dtype"] in ("bytes", "utf8")]
    fixed = [f["name"] for f in fields if f["name"] not in variable]
    if fixed:
        out = headrace("export", target, "-o", exported, *(("--fields", ",".join(fixed)) if variable else ()))
        assert out.returncode == 0, out.stderr
    compared, n = check_fields(path, exported, variable, tmp_path)
    table.append((name, "converted", f"{compared} of {n} fields compared with h5py"))
