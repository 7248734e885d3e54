"""The second reader on every golden file, on every file that must be refused, and on flipped bits."""

import json
import random
import re

import numpy as np
import pytest
import zstandard

import decoder
import refused_recipes as made
import worked_example

EXPECTED = json.loads((made.GOLDEN / "expected.json").read_text())
DERIVED = made.recipes("derived.json")
REFUSED = made.recipes("refused/refused.json")


def canonical(ds, f):
    data = ds.raw(f.name)
    return b"".join(len(v).to_bytes(8, "little") + v for v in data) if f.variable else data


def describe(ds):
    fields = [{"name": f.name, "dtype": f.dtype, "shape": list(f.shape),
               "xxh3": f"{decoder.hash64(canonical(ds, f)):016x}"} for f in ds.fields]
    return {"samples": ds.num_samples, "fields": fields}


def read_all(path):
    with decoder.DataSet(path) as ds:
        for f in ds.fields:
            ds.read(f.name)
        return describe(ds)


def write(tmp_path, data):
    path = tmp_path / "file.hrd"
    path.write_bytes(data)
    return path


def expected_of(recipe):
    return recipe.get("expected") or EXPECTED[recipe["base"]]


@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_golden__each_file__holds_what_is_expected(name, tmp_path):
    path = write(tmp_path, made.golden_bytes(name))
    assert read_all(path) == EXPECTED[name]
    report = decoder.verify(path)
    assert (report.damage, report.notes) == ([], [])


@pytest.mark.parametrize("name", sorted(DERIVED))
def test_derived__each_file__is_read(name, tmp_path):
    path = write(tmp_path, made.apply(DERIVED[name]))
    assert read_all(path) == expected_of(DERIVED[name])
    assert bool(decoder.verify(path).damage) == DERIVED[name].get("damaged", False)


@pytest.mark.parametrize("name", sorted(REFUSED))
def test_refused__each_recipe__is_refused_with_its_kind(name, tmp_path):
    recipe = REFUSED[name]
    path = write(tmp_path, made.apply(recipe))
    if recipe["where"] == "verify":
        read_all(path)
        assert decoder.verify(path).damage
        return
    if recipe["where"] == "read":
        decoder.DataSet(path).close()
    with pytest.raises(decoder.Refused) as refused:
        read_all(path) if recipe["where"] == "read" else decoder.DataSet(path).close()
    assert refused.value.kind == recipe["kind"], refused.value


def flip_is_detected_or_harmless(path, good, data, position, bit):
    data[position] ^= 1 << bit
    path.write_bytes(data)
    data[position] ^= 1 << bit
    try:
        assert read_all(path) == good, f"bit {bit} of byte {position}: other data"
        return decoder.verify(path).damage != []
    except decoder.Refused:
        return True


def structures(patcher):
    """(offset, bytes) of superblocks, job record, footer, index page and chunk headers."""
    yield 0, made.PAGE
    yield 65536, made.PAGE
    yield made.PAGE, 600
    yield patcher.footer, patcher.footer_bytes
    yield from ((offset, made.PAGE) for offset in patcher.index)
    yield from zip(patcher.chunks, patcher.header_bytes)


@pytest.mark.parametrize("name", ["raw_scalar", "mixed", "two_segments", "varlen"])
def test_flip__bits_of_each_structure__are_found_by_verify(name, tmp_path):
    data = made.golden_bytes(name)
    path = write(tmp_path, data)
    good = read_all(path)
    rng = random.Random(20)
    for offset, size in structures(made.Patcher(data)):
        for position in [offset, offset + size - 1] + rng.choices(range(offset, offset + size), k=24):
            assert flip_is_detected_or_harmless(path, good, data, position, rng.randrange(8)), \
                f"byte {position} of {name}: verify finds nothing"


@pytest.mark.parametrize("name", ["raw_scalar", "appended"])
def test_truncation__any_length__is_refused(name, tmp_path):
    data = bytes(made.golden_bytes(name))
    rng = random.Random(5)
    for length in [0, 1, 4095, 4096, 65536, 69631, len(data) - 1] + rng.choices(range(len(data)), k=40):
        with pytest.raises(decoder.Corrupt):
            decoder.DataSet(write(tmp_path, data[:length])).close()


def test_statistics__of_mixed__are_those_of_the_data(tmp_path):
    with decoder.DataSet(made.GOLDEN / "mixed.hrd") as ds:
        image, label = ds.statistics["image"], ds.statistics["label"]
        x, y = ds.read("image").astype(float), ds.read("label")
    assert image["min"] == x.min() and image["max"] == x.max() and image["values"] == x.size
    assert np.isclose(image["mean"], x.mean()) and np.isclose(image["m2"] / image["finite"], x.var())
    assert label["labels"]["distinct"] == len(set(y)) and label["labels"]["ranges"] == [[0, 2]]


def test_attributes__of_mixed__are_kept():
    with decoder.DataSet(made.GOLDEN / "mixed.hrd") as ds:
        assert ds.attributes["title"] == "mixed"
        assert ds.fields[1].attributes["unit"] == "cd/m\u00b2"


def test_index__more_than_one_page__finds_every_chunk(tmp_path):
    """8,200 chunks of one sample, 33 MB: made here, too large to be stored."""
    columns = [made.golden.Column("x", "uint16", np.arange(8200).astype("<u2"))]
    path = write(tmp_path, made.golden.write_once("many", columns, 1).out)
    with decoder.DataSet(path) as ds:
        assert len(ds.footer.index_pages) == 2
        assert (ds.read("x") == np.arange(8200)).all()


@pytest.mark.parametrize("n", [2, 4, 8, 16])
def test_unshuffle__shuffled_bytes__are_restored(n):
    data = bytes(range(16 * 7))
    shuffled = bytes(data[i * n + j] for j in range(n) for i in range(len(data) // n))
    assert decoder.unshuffle(shuffled, n) == data


def test_decompress__frame_of_known_bytes__is_decoded():
    frame = zstandard.ZstdCompressor(write_content_size=False).compress(b"abc" * 100)
    assert decoder.decompress(frame, 300, "here") == b"abc" * 100
    for wrong in (299, 301):
        with pytest.raises(decoder.Corrupt):
            decoder.decompress(frame, wrong, "here")


def test_document__worked_example__is_the_golden_file():
    assert worked_example.section() == worked_example.worked_example()


def test_document__bytes_of_the_layout_hash__give_that_hash():
    """The bytes that the page spells out, hashed, are what the file carries."""
    text = worked_example.DOC.read_text()
    spelled = text[text.index("The layout hash is hash() of the"):text.index(worked_example.BEGIN)]
    data = bytes.fromhex("".join(re.findall(r"`((?:[0-9a-f]{2} ?)+)`", spelled)))
    with decoder.DataSet(made.GOLDEN / "raw_scalar.hrd") as ds:
        assert decoder.hash64(data) == ds.footer.layout_hash
