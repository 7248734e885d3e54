"""What the tests of the command share: a small data set, and the order in which an epoch delivers it."""

import numpy as np
import pytest

from headrace_command import figures, good

SAMPLES = 3000


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A folder with arrays x (float32 images), y (labels, not sorted), and train.hrd of both."""
    folder = tmp_path_factory.mktemp("made")
    rng = np.random.default_rng(5)
    np.save(folder / "x.npy", rng.integers(0, 9, (SAMPLES, 16, 16)).astype("float32"))
    np.save(folder / "y.npy", rng.integers(0, 10, SAMPLES).astype("int64"))
    good("convert", "x.npy", "y.npy", "-o", "train.hrd", "--chunk-bytes", "16K", cwd=folder)
    return folder


@pytest.fixture
def data(made):
    return made / "train.hrd"


def order_of(data, tmp_path, *args, name="order"):
    index = tmp_path / f"{name}.npy"
    out = figures("epoch", data, "--index", index, "--force", *args)
    got = np.load(index)
    assert got.dtype == np.int64 and got.shape == (out["samples"],)
    return got
