"""What a loader finishes is what NumPy makes of the same values; bfloat16, which NumPy does not have,
what exact fractions make of them."""

import fractions
import math
import os
import pathlib
import subprocess

import pytest

np = pytest.importorskip("numpy")

BIN = pathlib.Path(os.environ.get("HEADRACE_BIN", "build/release/bin"))
TOOL = BIN.parent / "tests" / "tool_finished_field"
pytestmark = pytest.mark.skipif(not TOOL.is_file(), reason=f"no {TOOL}")

CHW, STANDARDIZE = 1, 2
NUM_SAMPLES, SHAPE = 111, (6, 5, 3)
SCALES = np.array([1 / 3, -0.017, 1e-3], np.float32)
SHIFTS = np.array([-0.485, 1e-7, 3.0], np.float32)


def values(dtype, rng):
    """All patterns of small types, every exponent of large ones, and what lies halfway."""
    count = NUM_SAMPLES * math.prod(SHAPE)
    if np.dtype(dtype).kind in "iu" or dtype == np.float16:
        bits = np.resize(np.arange(2 ** (8 * np.dtype(dtype).itemsize)), count)
        bits = bits if bits.max() < 256 else rng.permutation(65536)[np.arange(count) % 65536]
        return bits.astype(f"u{np.dtype(dtype).itemsize}").view(dtype)
    bits = rng.integers(2**32, size=count, dtype=np.uint32)
    bits[::3] &= 0xFFFFE000  # float16: exact
    bits[1::3] = bits[1::3] & 0xFFFFE000 | 0x1000  # and halfway
    bits[2::6] = bits[2::6] & 0xFFFF0000 | 0x8000  # bfloat16: halfway
    found = bits.view(np.float32)
    if dtype == np.float64:
        with np.errstate(all="ignore"):
            found = found.astype(np.float64)
        found[::2] += found[::2] * 2.0**-25  # between float32 numbers
    return found.astype(dtype)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder, rng = tmp_path_factory.mktemp("finish"), np.random.default_rng(7)
    arrays = {}
    for dtype in (np.uint8, np.int16, np.float16, np.float32, np.float64):
        name = np.dtype(dtype).name
        arrays[name] = values(dtype, rng).reshape(NUM_SAMPLES, *SHAPE)
        np.save(folder / f"{name}.npy", arrays[name])
    command = [BIN / "headrace", "convert", *(folder / f"{n}.npy" for n in arrays), "--quiet",
               "-o", folder / "all.hrd"]
    subprocess.run(list(map(str, command)), check=True, timeout=60)
    return folder / "all.hrd", arrays


def finished(path, field, dtype, flags, scales, shifts):
    def floats(of):
        return "-" if of is None else ",".join(float(v).hex() for v in of)

    command = [TOOL, path, field, dtype, flags, floats(scales), floats(shifts)]
    done = subprocess.run(list(map(str, command)), capture_output=True, timeout=60)
    assert done.returncode == 0, done.stderr
    kind = {"float16": np.uint16, "bfloat16": np.uint16, "float32": np.uint32}[dtype]
    return np.frombuffer(done.stdout, kind)


def round_to_bfloat16(x):
    """The nearest by exact arithmetic, ties to even. x: one float32."""
    if not math.isfinite(x):
        return 0x7FC0 if math.isnan(x) else 0x7F80 | (x < 0) << 15
    sign = int(math.copysign(1, x) < 0) << 15
    exact = abs(fractions.Fraction(float(x)))
    exponent = max(-126, math.frexp(abs(float(x)))[1] - 1) if x else -126
    units = exact / fractions.Fraction(2) ** (exponent - 7)
    whole = units.numerator // units.denominator
    rest = units - whole
    whole += rest > fractions.Fraction(1, 2) or (rest == fractions.Fraction(1, 2) and whole % 2)
    # The leading unit of a normal number adds one to the exponent, as a carry does.
    return sign | min(int((exponent + 126) * 128 + whole), 0x7F80)


def expected(array, dtype, flags, scales, shifts):
    with np.errstate(all="ignore"):
        y = array.astype(np.float32)
        if scales is not None:
            y = y * scales
        if shifts is not None:
            y = y + shifts
        if flags & CHW:
            y = y.transpose(0, 3, 1, 2)
        y = np.ascontiguousarray(y).ravel()
        if dtype == "float32":
            return np.where(np.isnan(y), np.uint32(0x7FC00000), y.view(np.uint32))
        if dtype == "float16":
            return np.where(np.isnan(y), np.uint16(0x7E00), y.astype(np.float16).view(np.uint16))
    known, places = np.unique(y.view(np.uint32), return_inverse=True)
    rounded = np.array([round_to_bfloat16(v) for v in known.view(np.float32)], np.uint16)
    return rounded[places.ravel()]


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32"])
@pytest.mark.parametrize("field", ["uint8", "int16", "float16", "float32", "float64"])
def test_finish__every_pair_of_types__is_what_numpy_makes(data, field, dtype):
    path, arrays = data
    if field == dtype:
        cases = [(CHW, SCALES, SHIFTS)]  # without a scale, bits are moved as they are
    elif dtype == "bfloat16":
        cases = [(0, None, None), (CHW, SCALES, SHIFTS)]  # fractions take their time
    else:
        cases = [(flags, scales, shifts) for flags in (0, CHW)
                 for scales in (None, SCALES[:1], SCALES)
                 for shifts in (None, SHIFTS[: 1 if scales is None else len(scales)])]
    for flags, scales, shifts in cases:
        got = finished(path, field, dtype, flags, scales, shifts)
        want = expected(arrays[field], dtype, flags, scales, shifts)
        assert np.array_equal(got, want), (flags, scales, shifts)


def test_finish__standardize__has_mean_0_and_deviation_1(data):
    path, arrays = data
    got = finished(path, "uint8", "float32", STANDARDIZE, None, None).view(np.float32)
    assert abs(got.mean(dtype=np.float64)) < 1e-5 and abs(got.std(dtype=np.float64) - 1) < 1e-5
    x = arrays["uint8"].astype(np.float64)
    np.testing.assert_allclose(got, ((x - x.mean()) / x.std()).ravel(), atol=1e-5)
