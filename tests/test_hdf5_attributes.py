"""Attributes of HDF5 files, which the data set keeps."""
import resource

import h5py
import numpy as np
import pytest

from headrace_command import figures, good, headrace, needs_program

pytestmark = needs_program


def converted(tmp_path, *inputs):
    """(the data set's attributes, those of its fields by name, what was said)."""
    target = tmp_path / "out.hrd"
    done = headrace("convert", *inputs, "-o", target, "--force")
    assert done.returncode == 0, done.stderr
    info = figures("info", target)
    return info["attributes"], {f["name"]: f["attributes"] for f in info["fields"]}, done.stderr


def test_attributes__of_data_set_and_file__are_kept(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as f:
        f["g/x"] = np.zeros((5, 2))
        f["y"] = np.zeros(5, "i4")
        f.attrs["title"] = "Pr\u00fcfung"
        f.attrs["created"] = np.bytes_(b"2026-11-27")
        f.attrs["seed"] = np.uint8(7)
        f["g"].attrs["ignored"] = 1
        attrs = f["g/x"].attrs
        attrs["unit"] = "m/s"
        attrs["scale"] = 0.1
        attrs["single"] = np.float32(0.5)
        attrs["valid"] = np.array([True, False])
        attrs["grid"] = np.arange(6, dtype=">i2").reshape(2, 3)
        attrs["words"] = np.array(["a", "", "\u6c34"], dtype=h5py.string_dtype())
        attrs["fixed"] = np.array([b"ab", b"c"], dtype="S2")
        attrs["big"] = np.int64(-(2**63))
        attrs["empty"] = h5py.Empty("f4")
        attrs["none"] = np.zeros(0, "i4")
    of_file, of_fields, said = converted(tmp_path, tmp_path / "a.h5")
    assert of_file == {"title": "Pr\u00fcfung", "created": "2026-11-27", "seed": 7}
    assert of_fields["y"] == {}
    assert of_fields["g/x"] == {
        "unit": "m/s", "scale": 0.1, "single": 0.5, "valid": [True, False], "grid": [[0, 1, 2], [3, 4, 5]],
        "words": ["a", "", "\u6c34"], "fixed": ["ab", "c"], "big": -(2**63), "empty": None, "none": []}
    assert "left out" not in said


LEFT_OUT = {
    "nan": np.float64("nan"),
    "infinite": np.array([1.0, -np.inf]),
    "huge": np.uint64(2**63),
    "complex": 1 + 2j,
    "compound": np.zeros((), [("a", "i4")]),
    "opaque": np.void(b"abc"),
    "latin1": np.bytes_(b"\xe4"),
    "long": np.zeros(8193, "u1"),
    "wide": np.bytes_(b"a" * 65000),
}


@pytest.mark.parametrize("name", LEFT_OUT)
def test_attributes__that_json_cannot_hold__are_named(tmp_path, name):
    with h5py.File(tmp_path / "a.h5", "w", libver=("v110", "v110")) as f:
        f["x"] = np.zeros(3)
        f["x"].attrs["good"] = 1
        f["x"].attrs[name] = LEFT_OUT[name] if name != "wide" else np.array([LEFT_OUT[name]] * 2)
    _, of_fields, said = converted(tmp_path, tmp_path / "a.h5")
    assert of_fields == {"x": {"good": 1}}
    assert f"/x: attributes that JSON cannot hold are left out: {name}" in said


def test_attributes__of_dimension_scales__are_no_noise(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as f:
        f["x"], f["t"] = np.zeros((3, 2)), np.zeros(3)
        f["t"].make_scale("time")
        f["x"].dims[0].attach_scale(f["t"])
    _, of_fields, said = converted(tmp_path, tmp_path / "a.h5")
    assert of_fields["x"] == {} and of_fields["t"] == {"CLASS": "DIMENSION_SCALE", "NAME": "time"}
    assert "left out" not in said


@pytest.mark.parametrize("base", ["i1", ">i2", "<u8"])
def test_enumeration__names_are_an_attribute(tmp_path, base):
    names = {"cat": 0, "dog": 1, "H\u00fcbsch": 100}
    with h5py.File(tmp_path / "a.h5", "w") as f:
        f.create_dataset("y", data=np.array([0, 100, 1], base), dtype=h5py.enum_dtype(names, base))
        f["y"].attrs["unit"] = "animal"
        kinds = h5py.enum_dtype({"a": 5 if base == "<u8" else -1}, base)
        f.create_dataset("rec", data=np.zeros(3, [("kind", kinds)]))
    _, of_fields, _ = converted(tmp_path, tmp_path / "a.h5")
    assert of_fields["y"] == {"unit": "animal", "headrace:enum": names}
    assert of_fields["rec/kind"] == {"headrace:enum": {"a": 5 if base == "<u8" else -1}}


def test_opaque__tag_is_an_attribute(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as f:
        f["t"] = np.zeros(3, "M8[ms]").astype(h5py.opaque_dtype(np.dtype("M8[ms]")))
    _, of_fields, _ = converted(tmp_path, tmp_path / "a.h5")
    assert of_fields["t"] == {"headrace:opaque_tag": "NUMPY:<M8[ms]"}


def test_attributes__of_parts_that_differ__are_left_out_and_named(tmp_path):
    for i in range(3):
        with h5py.File(tmp_path / f"p{i}.h5", "w") as f:
            f["x"] = np.full(4, i)
            f["x"].attrs["unit"], f["x"].attrs["run"] = "K", i
            f.attrs["site"], f.attrs["day"] = "here", i // 2
    of_file, of_fields, said = converted(tmp_path, *sorted(tmp_path.glob("p*.h5")))
    assert of_file == {"site": "here"} and of_fields == {"x": {"unit": "K"}}
    assert "attributes of the files that differ between them are left out: day" in said
    assert "x: attributes that differ between its parts are left out: run" in said


def test_attributes__as_many_as_there_are__arrive_in_pieces(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w", libver="latest") as f:
        f["x"] = np.zeros(3)
        expected = {f"name{i:03}": "\u6c34" * i for i in range(200)}
        for name, value in expected.items():
            f["x"].attrs[name] = value
    _, of_fields, _ = converted(tmp_path, tmp_path / "a.h5")
    assert of_fields["x"] == expected


def test_attributes__of_what_is_resumed__are_the_same(tmp_path):
    x = np.random.default_rng(1).integers(0, 2**60, 2 << 20)
    with h5py.File(tmp_path / "a.h5", "w") as f:
        f["x"] = x
        f["x"].attrs["unit"] = "m"
    target = tmp_path / "out.hrd"
    command = ["convert", tmp_path / "a.h5", "-o", target, "--codec", "raw", "--threads", "1"]
    stopped = headrace(*command, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (9 << 20, 9 << 20)))
    assert stopped.returncode == 1
    assert "resumed after" in headrace(*command, "--resume").stderr
    assert figures("info", target)["fields"][0]["attributes"] == {"unit": "m"}
    good("export", target, "-o", tmp_path / "npy")
    assert np.array_equal(np.load(tmp_path / "npy" / "x.npy"), x)


def test_file_of_a_later_hdf5__says_what_to_do(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w", libver="latest") as f:
        f["x"] = np.zeros(3, [("a", "i4")])
    done = headrace("convert", tmp_path / "a.h5", "-o", tmp_path / "out.hrd")
    if done.returncode != 0:  # HDF5 before 1.12
        assert "written by a later HDF5" in done.stderr and "libver" in done.stderr
    else:
        assert [field["name"] for field in figures("info", tmp_path / "out.hrd")["fields"]] == ["x/a"]
