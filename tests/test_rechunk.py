"""Random data sets, converted again with random options: the same values, whatever chunks, fields and ranges."""

import os
import pathlib
import random

import pytest

np = pytest.importorskip("numpy")

from headrace_command import figures, good, needs_program  # noqa: E402

pytestmark = needs_program
SOURCE = pathlib.Path(os.environ.get("HEADRACE_SOURCE", pathlib.Path(__file__).parent.parent))
GOLDEN = sorted((SOURCE / "tests" / "golden").glob("*.hrd"))
DTYPES = ["?", "i1", "u2", "i4", "i8", "f2", "f4", "f8", "c8", "S5", "U3"]


def values(rng, dtype, shape):
    if np.dtype(dtype).kind in "SU":
        return rng.choice(["a", "bcd", "", "xyz"], shape).astype(dtype)
    return (rng.standard_normal(shape) * 50).astype("f8").astype(dtype)


def storage(chance):
    options = ["--chunk-bytes", chance.choice([1, 500, 4096, 70_000, 10**6])]
    options += ["--codec", chance.choice(["raw", "zstd", "auto"])]
    return options + ["--budget", chance.choice(["24M", "200M"]), "--threads", chance.choice([1, 2, 5])]


@pytest.mark.parametrize("seed", range(12))
def test_rechunk__random_data_sets__keep_their_values(seed, tmp_path):
    chance, rng = random.Random(seed), np.random.default_rng(seed)
    count = chance.choice([1, 7, 500, 5000])
    fields = {}
    for i in range(chance.randint(1, 7)):
        shape = tuple(chance.choice([0, 1, 3, 17]) for _ in range(chance.randint(0, 2)))
        fields[f"f{chr(97 + i)}"] = values(rng, chance.choice(DTYPES), (count, *shape))
    for name, array in fields.items():
        np.save(tmp_path / f"{name}.npy", array)
    cuts = sorted({0, count, *(chance.randint(0, count) for _ in range(chance.randint(0, 3)))})
    parts = []
    for i, (begin, end) in enumerate(zip(cuts, cuts[1:], strict=False)):
        parts.append(f"part_{i}.hrd")
        sources = [f"{name}.npy" for name in fields]
        good("convert", *sources, "-o", parts[-1], "--range", f"{begin}:{end}", *storage(chance), cwd=tmp_path)
    kept = chance.sample(list(fields), chance.randint(1, len(fields)))
    first = chance.randint(0, count - 1)
    end = chance.randint(first + 1, count)
    renamed = {name: f"new {name}" for name in kept if chance.random() < 0.3}
    renames = [word for old, new in renamed.items() for word in ("--rename", f"{old}={new}")]
    good("convert", *parts, "-o", "whole.hrd", "--fields", ",".join(kept), *renames, "--range", f"{first}:{end}",
         *storage(chance), cwd=tmp_path)
    good("verify", "whole.hrd", cwd=tmp_path)
    info = figures("info", "whole.hrd", cwd=tmp_path)
    assert [field["name"] for field in info["fields"]] == [renamed.get(name, name) for name in kept]
    assert info["dead_bytes"] == 0
    good("export", "whole.hrd", "-o", "out", cwd=tmp_path)
    for name in kept:
        got = np.load(tmp_path / "out" / f"{renamed.get(name, name)}.npy")
        wanted = fields[name][first:end]
        assert (got.dtype, got.shape) == (wanted.dtype, wanted.shape)
        assert got.tobytes() == np.ascontiguousarray(wanted).tobytes()


@pytest.mark.parametrize("golden", GOLDEN, ids=lambda path: path.stem)
def test_rechunk__files_of_every_kind__keep_their_values(golden, tmp_path):
    dtypes = {field["name"]: field["dtype"] for field in figures("info", golden)["fields"]}
    fixed = [name for name, dtype in dtypes.items() if dtype not in ("bytes", "utf8")]
    good("convert", golden, "-o", "c.hrd", "--chunk-bytes", "300", cwd=tmp_path)
    good("compare", golden, "c.hrd", cwd=tmp_path)
    if 0 < len(fixed) < len(dtypes):
        good("convert", golden, "-o", "f.hrd", "--fields", ",".join(fixed), cwd=tmp_path)
        good("compare", golden, "f.hrd", "--fields", ",".join(fixed), cwd=tmp_path)
