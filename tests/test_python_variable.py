"""Fields of variable length in Python: texts, bytes, sequences of numbers."""

import json
import pickle

import pytest

np = pytest.importorskip("numpy", minversion="1.24")

import decoder  # noqa: E402
from headrace_command import headrace  # noqa: E402
from python_package import hr  # noqa: E402

COUNT = 2000
FIELDS = {"t": "utf8", "b": "bytes", "s": "int32[]", "h": "float16[]", "y": "int64"}


def sample(i):
    return {"t": "Käse 七 " * (i % 7), "b": bytes([i % 256]) * (i * 31 % 200),
            "s": np.arange(i % 50, dtype="i4") * i, "h": np.full(i % 3, i % 11, "f2"), "y": i}


def columns(first, end):
    return {name: [sample(i)[name] for i in range(first, end)] for name in FIELDS}


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    made = tmp_path_factory.mktemp("variable") / "v.hrd"
    with hr.Writer(made, FIELDS, chunk_bytes="32K") as writer:
        for first in range(0, COUNT, 300):
            writer.append(columns(first, min(first + 300, COUNT)))
    return made


@pytest.fixture
def data(path):
    with hr.open(path) as opened:
        yield opened


def same(found, wanted):
    assert type(found) is type(wanted)
    assert found.dtype == wanted.dtype if isinstance(wanted, np.ndarray) else True
    assert np.array_equal(found, wanted) if isinstance(wanted, np.ndarray) else found == wanted


@pytest.mark.parametrize("name", ["t", "b", "s", "h"])
def test_field__every_kind_of_index__is_what_was_written(data, name):
    field = data[name]
    assert (len(field), field.shape, field.sample_shape) == (COUNT, (COUNT,), ())
    wanted = [sample(i)[name] for i in range(COUNT)]
    for i in (0, 7, 999, -1):
        same(field[i], wanted[i])
    for found, listed in [(field[:], wanted), (field[100:700], wanted[100:700]), (field[::-3], wanted[::-3]),
                          (field[[5, 1900, 5, 0]], [wanted[k] for k in (5, 1900, 5, 0)]),
                          (field[data["y"][:] < 4], wanted[:4]), (field[9:9], []), (list(field), wanted)]:
        assert len(found) == len(listed)
        for one, other in zip(found, listed, strict=True):
            same(one, other)


def test_field__read_and_indexed__is_made_of_pieces_between_which_interrupts_are_seen(data, monkeypatch):
    calls = []

    def counted(name, *arguments):
        calls.append(name)
        call(name, *arguments)

    call = hr._variable.call
    monkeypatch.setattr(hr._rows, "PIECE_CHUNKS", 2)
    monkeypatch.setattr(hr._variable, "call", counted)
    field, wanted = data["s"], [sample(i)["s"] for i in range(COUNT)]
    for index in (slice(None), slice(3, None, 2), slice(None, None, -3), slice(0, 0)):
        del calls[:]
        found = field[index]
        assert len(calls) > 6 or len(found) == 0
        for one, other in zip(found, wanted[index], strict=True):
            same(one, other)
    assert field.read(7, 1900).tolist()[1899].tolist() == wanted[1906].tolist()


def test_field__kinds_and_lengths__are_told(data):
    assert [field.kind for field in data.fields.values()] == ["utf8", "bytes", "int32[]", "float16[]", "int64"]
    sizes = [4 * (i % 50) for i in range(COUNT)]
    lengths = data["s"].lengths
    assert (lengths["total_bytes"], lengths["min_bytes"], lengths["max_bytes"]) == (sum(sizes), 0, 196)
    assert lengths["num_empty"] == sizes.count(0)
    assert lengths["mean_bytes"] == pytest.approx(np.mean(sizes))
    assert lengths["std_bytes"] == pytest.approx(np.std(sizes))
    assert data["s"].statistics is None and data["s"].nbytes == sum(sizes)
    assert data.info()["decoded_bytes"] == sum(field.nbytes for field in data.fields.values())


def test_samples__of_all_fields__are_a_dict(data):
    for i in (0, 1234):
        for name, value in data[i].items():
            assert np.array_equal(value, sample(i)[name])
    for i, row in zip(range(5), data, strict=False):
        assert row["t"] == sample(i)["t"] and row["y"] == i


def test_ragged__offsets_and_values__fit(data):
    found = data["s"][10:13]
    assert found.lengths.tolist() == [10, 11, 12] and found.values.dtype == np.int32
    assert np.array_equal(found.values[found.offsets[1] : found.offsets[2]], sample(11)["s"])
    assert found[1:].tolist()[0].tolist() == sample(11)["s"].tolist()
    assert np.asarray(data["t"][:3]).tolist() == [sample(i)["t"] for i in range(3)]
    with pytest.raises(IndexError, match="value 3 was asked for, there are 3"):
        found[3]


def test_ragged__appended_again__is_the_same(data, tmp_path):
    with hr.Writer(tmp_path / "a.hrd", {"s": "int32[]", "t": str}) as writer:
        writer.append(s=data["s"][50:400], t=data["t"][50:400])
        writer.append(s=data["s"][100:200][20:30], t=data["t"][100:200][20:30])
    again = hr.open(tmp_path / "a.hrd")
    for k, i in enumerate([*range(50, 400), *range(120, 130)]):
        same(again["s"][k], sample(i)["s"])
        assert again["t"][k] == sample(i)["t"]


def test_file__read_by_the_second_reader__is_the_same(path):
    assert decoder.verify(path).damage == []
    with decoder.DataSet(path) as ds:
        for name in FIELDS:
            for i, value in enumerate(ds.read(name)):
                assert np.array_equal(value, sample(i)[name])


def test_verify__of_the_file__finds_no_damage(path):
    assert hr.verify(path) == []


def test_dataset__pickled__reads_the_same(data):
    again = pickle.loads(pickle.dumps(data))
    assert again["t"][5] == data["t"][5]


def test_iterator__of_samples__is_written(tmp_path):
    count = hr.from_iterator(tmp_path / "a.hrd", (sample(i) for i in range(130)), fields=FIELDS)
    made = hr.open(tmp_path / "a.hrd")
    assert count == 130 and made["t"].read().tolist() == [sample(i)["t"] for i in range(130)]


def test_writer__resumed__goes_on_where_it_was(tmp_path):
    path = tmp_path / "a.hrd"
    writer = hr.Writer(path, FIELDS, chunk_bytes="4K")
    writer.append(columns(0, 500))
    with pytest.warns(UserWarning, match="without commit"):
        writer.close()
    with hr.Writer(path, FIELDS, chunk_bytes="4K", resume=True) as writer:
        kept = writer.num_samples
        assert 0 < kept <= 500
        writer.append(columns(kept, 700))
    assert hr.open(path)["t"].read().tolist() == [sample(i)["t"] for i in range(700)]


@pytest.mark.parametrize(("given", "words"), [
    ({"t": [3], "s": [[1]]}, "t was appended with a int, expected utf8"),
    ({"t": ["a"], "s": [[[1]]]}, "value of shape \\(1, 1\\), expected one sequence for each sample"),
    ({"t": ["a"], "s": [["x"]]}, r"s was appended as <U1, and its field is int32\[\], which has no such values"),
    ({"t": "abc", "s": [[1], [2], [3]]}, "t was appended as one str, expected a value for each sample"),
    ({"t": b"abc", "s": [[1], [2], [3]]}, "t was appended as one bytes"),
    ({"t": 5, "s": [[1]]}, "t was appended as one int"),
    ({"t": {"a": "b"}, "s": [[1]]}, "t was appended as one dict"),
    ({"t": np.array("a"), "s": [[1]]}, "t was appended as one ndarray"),
    ({"t": ["a", "b"], "s": [[1]]}, "different numbers of samples: t 2, s 1"),
    ({"t": hr.Ragged([0, 1], b"a", "bytes"), "s": [[1]]}, "t was appended as bytes, and its field is utf8"),
])
def test_append__what_cannot_be__is_said(tmp_path, given, words):
    writer = hr.Writer(tmp_path / "a.hrd", {"t": "utf8", "s": "int32[]"})
    with pytest.raises(hr.InvalidError, match=words):
        writer.append(given)


@pytest.mark.parametrize(("kind", "values", "words"), [
    ("int32[]", hr.Ragged([0, 1, 3], np.array([1, 2, 2**32 + 7]), "int32[]"), "s, sample 4: 4294967303 of int64 "),
    ("int32[]", hr.Ragged([0, 2], np.array([1, 2.5]), "int32[]"), r"2.5 of float64 .* make the field float64\[\]"),
    ("int32[]", [[1], [2, -(2**31) - 1]], "s, sample 4: -2147483649 of int64 is no value of int32"),
    ("float16[]", [[1.5], [], [1e6]], "s, sample 5: 1000000.0 of float64 is no value of float16"),
    ("float32[]", [[2**24 + 1]], "s, sample 3: 16777217 of int64 is no value of float32"),
])
def test_append__numbers_that_would_change__are_refused(tmp_path, kind, values, words):
    with hr.Writer(tmp_path / "a.hrd", {"s": kind}) as writer:
        writer.append(s=[[1], [2], np.array([], "f8")])
        with pytest.raises(hr.Error, match=words) as refused:
            writer.append(s=values)
        assert "astype" in str(refused.value)
    assert [row.tolist() for row in hr.open(tmp_path / "a.hrd")["s"]] == [[1], [2], []]


def test_iteration__of_long_values__holds_few_at_once(tmp_path, monkeypatch):
    sizes = [1 << 20, 0, 1] * 24 + [9 << 20, 5]
    with hr.Writer(tmp_path / "a.hrd", {"b": "bytes"}) as writer:
        for size in sizes:
            writer.append(b=[bytes(size)])
    field = hr.open(tmp_path / "a.hrd")["b"]
    parts, read = [], type(field).read
    monkeypatch.setattr(type(field), "read", lambda *which: parts.append(read(*which)) or parts[-1])
    assert [len(value) for value in field] == sizes
    assert max(part.nbytes for part in parts if len(part) > 1) <= 4 << 20
    assert 8 <= len(parts) <= 12


def test_batches__of_any_sizes__share_their_class(data):
    classes = []
    for batch in data.loader(batch=7, fields=["s"], epochs=1):
        assert len(batch["s"].values) == batch["s"].offsets[-1]
        kept = batch["s"]
        classes.append(type(batch._views["s"]()))
        del kept
    assert len(set(classes)) == 1


def test_append__text_that_is_no_utf8__is_refused_and_it_goes_on(tmp_path):
    with hr.Writer(tmp_path / "a.hrd", {"t": "utf8"}) as writer:
        with pytest.raises(hr.DataError, match='field "t", sample 1: the text is not well-formed UTF-8'):
            writer.append(t=["a", "\ud800"])
        writer.append(t=["b"])
    assert hr.open(tmp_path / "a.hrd")["t"][:].tolist() == ["b"]


def test_index__of_more_than_the_budget__is_refused_and_read_takes_it(tmp_path):
    with hr.Writer(tmp_path / "a.hrd", {"b": "bytes"}) as writer:
        for _ in range(20):
            writer.append(b=[bytes(1 << 20)])
    data = hr.open(tmp_path / "a.hrd", budget="8M")
    with pytest.raises(hr.BudgetError, match="20 samples of b would take"):
        data["b"][:]
    assert data["b"].read().nbytes == 20 << 20 and len(data["b"][3:6]) == 3


def test_export__of_different_lengths__says_what_to_do(data, tmp_path):
    with pytest.raises(hr.UnsupportedError, match="differ in length, which"):
        hr.export(data, tmp_path / "out")
    hr.export(data, tmp_path / "out", fields=["y"])
    assert np.load(tmp_path / "out" / "y.npy").tolist() == list(range(COUNT))


def rows(batch):
    return {name: repr(batch[name].tolist()) for name in batch}


@pytest.mark.parametrize("options", [{}, {"shuffle": True, "seed": 3}, {"shuffle": True, "last": "pad", "threads": 1}],
                         ids=["sequential", "shuffled", "padded"])
def test_loader__each_batch__has_its_samples(data, options):
    seen = set()
    for batch in data.loader(batch=64, epochs=1, **options):
        assert [*batch] == list(FIELDS)
        for row, i in enumerate(batch["y"].tolist()):
            for name in ("t", "b", "s", "h"):
                same(batch[name][row], sample(i)[name])
            seen.add(i)
        assert batch["s"].values.dtype == np.int32 and batch["s"].offsets[0] == 0
        assert batch["s"].offsets[-1] == len(batch["s"].values)
    assert seen == set(range(COUNT))


def test_batch__kept_beyond_its_loop__stays_as_it_is(data):
    loader = data.loader(batch=100, fields=["t", "s", "y"], held=3)
    loop = iter(loader)
    first = next(loop)
    kept, copied = first["s"], first.copy()
    with pytest.raises(BufferError, match="'s'"):
        first.release()
    del first
    next(loop)
    del loop
    loader.close()
    for i in range(100):
        same(kept[i], sample(i)["s"])
        same(copied["s"][i], sample(i)["s"])
        assert copied["t"][i] == sample(i)["t"]


def test_batch__not_writable__its_values_are_not(data):
    batch = next(iter(data.loader(batch=10, writable=False)))
    with pytest.raises(ValueError, match="read-only"):
        batch["s"].values[0] = 1
    batch = next(iter(data.loader(batch=10)))
    batch["s"].values[:] = 7
    assert batch["s"][3].tolist() == [7, 7, 7]


def test_loader__resumed__goes_on(data):
    loader = data.loader(batch=50, shuffle=True, seed=1, epochs=1)
    wanted = [rows(batch) for batch in loader]
    loader = data.loader(batch=50, shuffle=True, seed=1, epochs=1)
    loop = iter(loader)
    first = [rows(next(loop)) for _ in range(7)]
    again = data.loader(batch=50, shuffle=True, seed=1, epochs=1, resume=loader.state())
    assert first + [rows(batch) for batch in again] == wanted


def test_loader__a_batch_of_more_than_max_bytes__is_an_error_that_says_so(data):
    loop = iter(data.loader(batch=64, fields=["b"], max_bytes=5000))
    with pytest.raises(hr.BudgetError, match=r"the values of field b of its 64 samples .* max_value_bytes"):
        list(loop)
    assert sum(len(batch["b"]) for batch in data.loader(batch=64, fields=["b"], max_bytes="13K", epochs=1)) == COUNT


@pytest.mark.parametrize("adapter", ["torch", "jax", "tensorflow"])
def test_adapter__of_different_lengths__is_refused_with_words(data, adapter):
    pytest.importorskip(adapter)
    with pytest.raises(hr.UnsupportedError, match="field 't' has values of different lengths"):
        getattr(hr, adapter)(data, batch=64)


def test_commands__of_the_file__cope_or_say_why(path):
    done = headrace("epoch", path, "--batch", 64, "--shuffle", "--max-bytes", "64K", "--json")
    figures = json.loads(done.stdout)
    assert figures["samples"] == COUNT
    assert "max_value_bytes allows" in headrace("epoch", path, "--max-bytes", 100).stderr
    assert json.loads(headrace("plan", path, "--shuffle", "--json").stdout)["fits"]
    assert "values of variable length, which are not measured" in headrace("bench", path).stderr
    assert "values of variable length cannot be tried" in headrace("plan", path, "--probe").stderr
    shown = json.loads(headrace("info", path, "--json").stdout)["fields"]
    assert [field["element_dtype"] for field in shown] == [None, None, "int32", "float16", None]
    assert shown[2]["lengths"]["max_bytes"] == 196 and shown[4]["lengths"] is None
    text = headrace("info", path).stdout
    assert "int32[]" in text and "longest" in text


def padded(values, length, dtype):
    """Rows of one length, zeros behind each value, and the mask."""
    rows, mask = np.zeros((len(values), length), dtype), np.zeros((len(values), length), bool)
    for row, value in enumerate(values):
        part = np.frombuffer(value, np.uint8) if isinstance(value, bytes) else np.asarray(value)
        part = part[:length]
        rows[row, : len(part)], mask[row, : len(part)] = part, True
    return rows, mask


@pytest.mark.parametrize(("length", "truncate"), [(49, False), (60, False), (12, True)])
def test_loader__padded__arrays_of_one_length_and_masks(data, length, truncate):
    count = 0
    pad = {"s": length, "t": 200}
    for batch in data.loader(batch=96, shuffle=True, epochs=1, pad=pad, truncate=truncate):
        assert [*batch] == ["t", "t.mask", "b", "s", "s.mask", "h", "y"]
        for name, size, dtype in [("s", length, np.int32), ("t", 200, np.uint8)]:
            values = [sample(i)[name] for i in batch["y"]]
            wanted = padded([v.encode() if isinstance(v, str) else v for v in values], size, dtype)
            assert batch[name].dtype == dtype and batch[f"{name}.mask"].dtype == bool
            assert np.array_equal(batch[name], wanted[0]) and np.array_equal(batch[f"{name}.mask"], wanted[1])
        assert isinstance(batch["b"], hr.Ragged)
        count += batch.num_samples
    assert count == COUNT


@pytest.mark.parametrize("length", range(1, 12))
def test_loader__text_that_is_cut_off__ends_with_a_whole_character(tmp_path, length):
    texts = ["é€\U0001f600x" * 3, "abc", "", "ü" * 8, "\U0001f600" * 4] * 50
    hr.from_arrays(tmp_path / "a.hrd", fields={"t": "utf8"}, t=texts, y=range(len(texts)))
    for batch in hr.open(tmp_path / "a.hrd").loader(batch=64, shuffle=True, epochs=1, pad={"t": length}, truncate=True):
        for row, mask, y in zip(batch["t"], batch["t.mask"], batch["y"], strict=True):
            expected = texts[y].encode()[:length].decode(errors="ignore").encode()
            assert row.tobytes() == expected.ljust(length, b"\0")
            assert mask.tolist() == [k < len(expected) for k in range(length)]


@pytest.mark.parametrize(("options", "words"), [
    ({"pad": {"s": 10}}, "field s is padded to 10 elements, and its longest value has 49; pad to that, or cut"),
    ({"pad": {"y": 10}}, "pad names 'y', and .* has samples of one size there"),
    ({"pad": {"s": 0}}, "pad of s is 0, expected an integer from 1"),
    ({"truncate": True}, "truncate was given without pad"),
])
def test_loader__pads_that_cannot_be__are_refused(data, options, words):
    with pytest.raises(hr.InvalidError, match=words):
        next(iter(data.loader(batch=10, **options)))


@pytest.mark.parametrize("adapter", ["torch", "jax", "tensorflow"])
def test_adapter__of_padded_fields__has_tensors_of_them(data, adapter):
    pytest.importorskip(adapter)
    made = getattr(hr, adapter)(data, batch=50, fields=["s", "s.mask", "h", "y"], pad={"s": 49, "h": 2}, budget="512M")
    batch = next(iter(made))
    wanted, mask = padded([sample(int(i))["s"] for i in batch["y"]], 49, np.int32)
    assert np.array_equal(np.asarray(batch["s"]), wanted) and np.array_equal(np.asarray(batch["s.mask"]), mask)
    assert np.asarray(batch["h"]).shape == (50, 2)


def test_command__padded__reads_an_epoch(path):
    figures = json.loads(headrace("epoch", path, "--fields", "s,y", "--pad", "s=49", "--json").stdout)
    assert figures["samples"] == COUNT and figures["bytes"] == COUNT * (49 * 5 + 8)
    assert headrace("epoch", path, "--fields", "s", "--pad", "s=9", "--truncate").returncode == 0
    assert "its longest value has 49" in headrace("epoch", path, "--fields", "s", "--pad", "s=9").stderr
    assert "write FIELD=LENGTH" in headrace("epoch", path, "--pad", "s").stderr
    assert "--truncate cuts" in headrace("plan", path, "--truncate").stderr


def test_arrays__of_different_lengths__are_written(data, tmp_path):
    texts = [sample(i)["t"] for i in range(300)]
    tokens = np.empty(300, object)
    for i in range(300):
        tokens[i] = sample(i)["s"]
    hr.from_arrays(tmp_path / "a.hrd", t=texts, s=tokens, r=data["b"][:300], y=range(300),
                   fields={"t": "utf8", "s": "int32[]"})
    made = hr.open(tmp_path / "a.hrd")
    assert [field.kind for field in made.fields.values()] == ["utf8", "int32[]", "bytes", "int64"]
    assert made["t"][:].tolist() == texts and made["r"][:].tolist() == data["b"][:300].tolist()
    same(made["s"][77], sample(77)["s"])
    hr.from_arrays(tmp_path / "a.hrd", t=["more"], s=[[1, 2]], r=[b"x"], y=[300], options={"append": True})
    again = hr.open(tmp_path / "a.hrd")
    assert (again["t"][300], again["s"][-1].tolist(), again["r"][300], len(again)) == ("more", [1, 2], b"x", 301)


TEXTS = ["one", "", "drei"] * 50
TOKENS = [list(range(i % 5)) for i in range(150)]
VARIABLE = {"t": "utf8", "s": "int32[]"}


def check_texts_and_tokens(path):
    with hr.open(path) as made:
        assert made["t"][:].tolist() == TEXTS and [row.tolist() for row in made["s"]] == TOKENS


def test_arrays__of_pandas__are_written(tmp_path):
    pandas = pytest.importorskip("pandas")
    hr.from_arrays(tmp_path / "p.hrd", pandas.DataFrame({"t": TEXTS, "s": TOKENS, "y": range(150)}), fields=VARIABLE)
    check_texts_and_tokens(tmp_path / "p.hrd")
    for missing in (None, float("nan"), pandas.NA):
        frame = pandas.DataFrame({"t": ["a", missing]})
        for options in ({}, {"fields": {"t": "utf8"}}):
            with pytest.raises(hr.DataError, match="t has missing values, the first in row 1"):
                hr.from_arrays(tmp_path / "q.hrd", frame, **options)


def test_arrays__of_arrow__are_written(tmp_path):
    arrow = pytest.importorskip("pyarrow")
    hr.from_arrays(tmp_path / "a.hrd", arrow.table({"t": TEXTS, "s": TOKENS}), fields=VARIABLE)
    check_texts_and_tokens(tmp_path / "a.hrd")


def test_arrays__of_hdf5__are_written(tmp_path):
    h5py = pytest.importorskip("h5py")
    with h5py.File(tmp_path / "v.h5", "w") as file:
        file.create_dataset("t", data=TEXTS, dtype=h5py.string_dtype())
        ragged = file.create_dataset("s", (150,), dtype=h5py.vlen_dtype("int32"))
        for i, row in enumerate(TOKENS):
            ragged[i] = row
        hr.from_arrays(tmp_path / "h.hrd", t=file["t"], s=file["s"], fields=VARIABLE)
    check_texts_and_tokens(tmp_path / "h.hrd")


def test_arrays__of_fields_that_are_not_there__are_refused(tmp_path):
    with pytest.raises(hr.InvalidError, match="fields names 'u', of which there is no array; there are t"):
        hr.from_arrays(tmp_path / "a.hrd", t=["a"], fields={"u": "utf8"})


def test_convert__values__are_taken_from_data_sets(path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    hr.convert(path, out="a.hrd", fields=["s", "t"], range=(0, 700), chunk_bytes="8K", progress=False)
    hr.convert(path, out="a.hrd", fields=["s", "t"], range=(700, COUNT), append=True, progress=False)
    with hr.open("a.hrd") as data:
        assert [field.kind for field in data.fields.values()] == ["int32[]", "utf8"]
        assert len(data["s"]) == COUNT
        for i in (0, 699, 700, COUNT - 1):
            same(data["s"][i], sample(i)["s"])
            same(data["t"][i], sample(i)["t"])
    with pytest.raises(hr.UnsupportedError, match="not shuffled"):
        hr.convert(path, out="b.hrd", shuffle=1, progress=False)


def test_compare__of_sequences__names_the_type_of_their_elements(tmp_path):
    for name, kind in (("a", "int32[]"), ("b", "int16[]")):
        with hr.Writer(tmp_path / f"{name}.hrd", fields={"s": kind}) as writer:
            writer.append(s=[[1, 2], []])
    (found,) = hr.compare(tmp_path / "a.hrd", tmp_path / "b.hrd").fields
    assert found.element_dtypes == ("int32", "int16") and found.dtypes == ("bytes", "bytes")
    done = headrace("compare", tmp_path / "a.hrd", tmp_path / "b.hrd", "--json")
    (field,) = json.loads(done.stdout)["fields"]
    assert (field["a"]["element_dtype"], field["b"]["element_dtype"]) == ("int32", "int16")


@pytest.mark.parametrize("rows", [slice(None, None, -5), slice(3, 40, 7), slice(5, 5, 2), slice(None)], ids=str)
def test_slices__with_any_step__are_ragged(data, rows):
    for name in ("t", "b", "s"):
        whole, part = list(data[name][:]), data[name][rows]
        assert isinstance(part, hr.Ragged) and isinstance(data[name][:][rows], hr.Ragged)
        for got in (part, data[name][:][rows]):
            assert len(got) == len(whole[rows])
            assert all(np.array_equal(a, b) for a, b in zip(got, whole[rows], strict=True))
