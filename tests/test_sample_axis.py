"""Samples along any axis of .npy, .npz and HDF5 arrays, in C and Fortran order, through the command: they are
numpy.moveaxis(array, axis, 0), whatever the budget, shuffled, resumed and from several files."""

import os
import resource

import numpy as np
import pytest

from headrace_command import good, headrace, needs_program

pytestmark = needs_program


def is_clean(folder):
    return not [name for name in os.listdir(folder) if name.endswith((".axis", ".shuffle"))]


def exported(tmp_path, name):
    good("export", tmp_path / "out.hrd", "-o", tmp_path / "exported", "--force")
    assert is_clean(tmp_path)
    return np.load(tmp_path / "exported" / f"{name}.npy")


def converted(tmp_path, source, *options, name="x"):
    good("convert", "--field", f"{name}={source}", "-o", tmp_path / "out.hrd", "--force", "--threads", "1", *options)
    return exported(tmp_path, name)


def save(tmp_path, kind, x):
    path = tmp_path / f"x.{kind}"
    if kind == "npy":
        np.save(path, x)
    elif kind == "npz":
        (np.savez if x.nbytes > 1 << 20 else np.savez_compressed)(path, x=x)
    else:
        h5py = pytest.importorskip("h5py")
        with h5py.File(path, "w") as file:  # in C order, whatever x is
            rows = max(1, 60000 // int(np.prod(x.shape[1:])))
            file.create_dataset("x", data=x, chunks=(min(rows, x.shape[0]), *(min(999, n) for n in x.shape[1:])))
    return path


def whole(dtype, shape, seed=1):
    rng = np.random.default_rng(seed)
    if np.dtype(dtype).kind in "SU":
        return rng.integers(0, 10**6, size=shape).astype(dtype)
    return rng.integers(0, 2, size=shape).astype(dtype) if dtype == "?" else rng.integers(-99, 99, shape).astype(dtype)


@pytest.mark.parametrize("kind", ["npy", "npz", "h5"])
@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("axis", [0, 1, 2, 3, -1, -4])
def test_every_axis(tmp_path, kind, order, axis):
    x = np.asarray(whole("<i4", (9, 10, 11, 12)), order=order)
    found = converted(tmp_path, save(tmp_path, kind, x), "--axis", axis)
    np.testing.assert_array_equal(found, np.moveaxis(x, axis, 0))


@pytest.mark.parametrize("kind", ["npy", "npz"])
@pytest.mark.parametrize("dtype", ["?", "u1", "<i2", ">i4", "<f8", ">c16", "S5", "<U3", ">U6"])
def test_every_dtype(tmp_path, kind, dtype):
    x = np.asfortranarray(whole(dtype, (40, 5, 6)))
    found = converted(tmp_path, save(tmp_path, kind, x))
    np.testing.assert_array_equal(found, x)
    assert found.dtype == x.dtype.newbyteorder("<")


@pytest.mark.parametrize("kind", ["npy", "npz", "h5"])
@pytest.mark.parametrize(("shape", "order", "axis"), [
    ((3000, 1300), "F", 0), ((1300, 3000), "C", 1), ((100, 200, 190), "C", 1), ((100, 200, 190), "F", 1),
    ((12, 330000), "C", 1), ((330000, 12), "F", 0),
])
def test_larger_than_the_budget_allows(tmp_path, kind, shape, order, axis):
    """16 MB, of which an eighth of the budget is in memory at once: by way of the temporary file but for the
    longest runs of .npy."""
    x = np.asarray(np.arange(np.prod(shape), dtype="<f4").reshape(shape), order=order)
    path = save(tmp_path, kind, x)
    found = converted(tmp_path, path, "--axis", axis, "--budget", "24M", "--codec", "raw", "--filter", "none")
    np.testing.assert_array_equal(found, np.moveaxis(x, axis, 0))


def test_shuffled(tmp_path):
    x = np.asfortranarray(whole("<f4", (60000, 200)))
    np.save(tmp_path / "x.npy", x)
    np.save(tmp_path / "y.npy", np.arange(60000))
    good("convert", tmp_path / "x.npy", tmp_path / "y.npy", "-o", tmp_path / "out.hrd", "--shuffle", "3",
         "--budget", "32M", "--threads", "1")
    np.testing.assert_array_equal(exported(tmp_path, "x"), x[exported(tmp_path, "y")])


def test_parts_and_several_fields(tmp_path):
    x, z = whole("<f4", (3, 900, 700)), np.asfortranarray(whole("<i2", (900, 700)))
    for part in range(3):
        np.save(tmp_path / f"x_{part}.npy", x[part].T if part == 1 else x[part].T.copy())
    np.save(tmp_path / "z.npy", np.concatenate([z.T, z.T, z.T]))
    good("convert", f"{tmp_path}/x_*.npy", f"{tmp_path}/z.npy", "-o", tmp_path / "out.hrd", "--budget", "24M",
         "--threads", "1")
    np.testing.assert_array_equal(exported(tmp_path, "x"), np.concatenate([x[0].T, x[1].T, x[2].T]))


def test_arrays_of_one_axis_are_taken_as_they_are(tmp_path):
    np.savez(tmp_path / "a.npz", x=whole("<f4", (5, 800)), y=np.arange(800))
    good("convert", tmp_path / "a.npz", "-o", tmp_path / "out.hrd", "--axis", "1")
    np.testing.assert_array_equal(exported(tmp_path, "y"), np.arange(800))


@pytest.mark.parametrize("kind", ["npy", "npz"])
def test_interrupted_it_is_resumed(tmp_path, kind):
    x = np.asfortranarray(np.random.default_rng(1).random((60000, 100), dtype="f4"))
    command = ["convert", save(tmp_path, kind, x), "-o", tmp_path / "out.hrd", "--codec", "raw", "--threads", "1"]
    done = headrace(*command, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (15 << 20, 15 << 20)))
    assert done.returncode != 0 and (tmp_path / "out.hrd.partial").exists(), done.stderr
    assert "resumed after" in headrace(*command, "--resume").stderr
    np.testing.assert_array_equal(exported(tmp_path, "x"), x)


def test_another_axis_does_not_resume(tmp_path):
    """Of a square array nothing else would tell the two apart."""
    np.save(tmp_path / "x.npy", np.random.default_rng(1).random((3000, 3000), dtype="f4"))
    command = ["convert", tmp_path / "x.npy", "-o", tmp_path / "out.hrd", "--codec", "raw", "--threads", "1"]
    done = headrace(*command, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (15 << 20, 15 << 20)))
    assert done.returncode != 0 and (tmp_path / "out.hrd.partial").exists(), done.stderr
    done = headrace(*command, "--resume", "--axis", "1")
    assert done.returncode == 1 and "is of another job" in done.stderr
    good(*command, "--resume")
    np.testing.assert_array_equal(exported(tmp_path, "x"), np.load(tmp_path / "x.npy"))


def test_bad_values_name_their_sample(tmp_path):
    x = np.zeros((70, 30), np.uint8, order="F")
    x[41, 7] = 2
    for kind in ("npy", "npz"):
        done = headrace("convert", save(tmp_path, kind, x.view(bool)), "-o", tmp_path / "bad.hrd")
        assert done.returncode == 1
        assert "sample 41 has the bool byte 2" in done.stderr


def test_what_cannot_be_is_refused(tmp_path):
    np.save(tmp_path / "x.npy", np.zeros((4, 5, 6)))
    done = headrace("convert", tmp_path / "x.npy", "-o", tmp_path / "bad.hrd", "--axis", "3")
    assert done.returncode == 1 and "from -3 to 2" in done.stderr
    done = headrace("convert", tmp_path / "x.npy", "-o", tmp_path / "bad.hrd", "--axis", "99")
    assert done.returncode == 2
    (tmp_path / "x.bin").write_bytes(bytes(100))
    done = headrace("convert", tmp_path / "x.bin", "--dtype", "u1", "--shape", "10", "-o", tmp_path / "bad.hrd",
                    "--axis", "1")
    assert done.returncode == 1 and "leave the axis out" in done.stderr
    done = headrace("convert", tmp_path / "x.npy", "-o", tmp_path / "bad.hrd", "--axis", "1", "--budget", "1K")
    assert done.returncode == 1 and "budget" in done.stderr
