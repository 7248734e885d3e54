"""The data sets that script/bench measures with: the same bytes each time, and compressible."""

import hashlib
import os
import pathlib
import subprocess
import sys

import pytest

np = pytest.importorskip("numpy")

SOURCE = pathlib.Path(os.environ.get("HEADRACE_SOURCE", pathlib.Path(__file__).parent.parent))
PLACE = pathlib.Path(os.environ.get("HEADRACE_BIN", "build/release/bin")).resolve()
PROGRAM = PLACE / "headrace" if PLACE.is_dir() else PLACE
sys.path.insert(0, str(SOURCE / "bench"))
import standard_sets  # noqa: E402

MIB = 1 << 20
pytestmark = pytest.mark.skipif(not PROGRAM.is_file(), reason=f"no program {PROGRAM}")
every_set = pytest.mark.parametrize("chosen", standard_sets.SETS, ids=lambda chosen: chosen.file)


def digest(path, n_bytes):
    """Of the first bytes behind the header."""
    data = np.load(path, mmap_mode="r").reshape(-1).view(np.uint8)[:n_bytes]
    return hashlib.sha256(data.tobytes()).hexdigest()


@every_set
def test_set__made_again_and_longer__begins_with_the_same_rows(chosen, tmp_path):
    standard_sets.make_npy(chosen, tmp_path / "a.npy", 9 * MIB)
    standard_sets.make_npy(chosen, tmp_path / "longer.npy", 10 * MIB)
    first = np.load(tmp_path / "a.npy", mmap_mode="r")
    assert first.shape == (9 * MIB // chosen.row_bytes, *chosen.shape)
    assert first.dtype == chosen.dtype
    whole_blocks = standard_sets.BLOCK_BYTES // chosen.row_bytes * chosen.row_bytes
    assert digest(tmp_path / "a.npy", whole_blocks) == digest(tmp_path / "longer.npy", whole_blocks)


@every_set
def test_set__converted__is_a_quarter_to_two_thirds_as_large(chosen, tmp_path):
    standard_sets.make_npy(chosen, tmp_path / "x.npy", 4 * MIB)
    done = subprocess.run(
        [PROGRAM, "convert", tmp_path / "x.npy", "-o", tmp_path / "x.hrd", "--quiet"], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    ratio = (tmp_path / "x.npy").stat().st_size / (tmp_path / "x.hrd").stat().st_size
    assert 1.5 < ratio < 4
