"""Data sets in Python: what they are, their life, and their errors. Indexing: test_python_indexing.py."""

import os
import pickle
import sys
import threading
import weakref

import numpy as np
import pytest

from headrace_command import good
from python_package import SOURCE, check, hr, memory_in_use, rows_of, run_in_child, write_indexed

DTYPES = [
    "bool",
    "int8",
    "int16",
    "int32",
    "int64",
    "uint8",
    "uint16",
    "uint32",
    "uint64",
    "float16",
    "float32",
    "float64",
    "complex64",
    "complex128",
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("data")
    write_indexed(made)
    return made


@pytest.fixture
def data(folder):
    with hr.open(folder / "train.hrd") as opened:
        yield opened


def convert(folder, arrays, *args, name="made.hrd"):
    inputs = []
    for field, array in arrays.items():
        np.save(folder / f"{field}.npy", array)
        inputs += ["--field", f"{field}={field}.npy"]
    good("convert", *inputs, "-o", name, "--quiet", *args, cwd=folder)
    return hr.open(folder / name)


def test_open__of_a_file__says_what_is_in_it(data, folder):
    assert (len(data), data.num_samples, list(data.fields)) == (1000, 1000, ["X", "y"])
    X, y = data["X"], data["y"]
    assert (X.shape, X.ndim, X.dtype, X.sample_shape) == ((1000, 4, 6), 3, np.float32, (4, 6))
    assert (y.shape, y.ndim, y.dtype, y.sample_bytes, y.nbytes) == ((1000,), 1, np.int64, 8, 8000)
    assert (data.path, data.paths) == (str(folder / "train.hrd"), [str(folder / "train.hrd")])
    assert (y.statistics["min_int"], y.statistics["max_int"], y.statistics["num_nan"]) == (0, 999, 0)
    assert data.info()["num_chunks"] > 3 and len(data.info()["uuid"]) == 36
    assert {field["name"] for field in data.footer["fields"]} == {"X", "y"} and data.attributes == {}
    assert "1000 samples of X (4, 6) float32" in repr(data) and "'X'" in repr(X)


@pytest.mark.parametrize("dtype", DTYPES)
def test_field__of_each_type__has_the_values_and_the_type(dtype, tmp_path):
    values = np.random.default_rng(1).integers(0, 2 if dtype == "bool" else 100, (50, 3)).astype(dtype)
    with convert(tmp_path, {"v": values}) as data:
        field = data["v"]
        assert field.dtype == values.dtype and field.kind == dtype and np.array_equal(field[:], values)
        batch = next(iter(data.loader(batch=50)))
        assert batch["v"].dtype == values.dtype and np.array_equal(batch["v"], values)


def test_field__of_text_and_bytes__is_bytes_without_padding(tmp_path):
    words = np.array(["", "a", "grün", "日本語", "x" * 9])
    with convert(tmp_path, {"text": words, "raw": np.array([b"", b"\x01", b"ab", b"abc", b"a b"])}) as data:
        assert [word.decode() for word in data["text"][:]] == list(words)
        assert list(data["raw"][:]) == [b"", b"\x01", b"ab", b"abc", b"a b"]
        assert (data["text"].kind, data["raw"].kind) == ("fixed_utf8", "fixed_bytes")
        batch = next(iter(data.loader(batch=5)))
        assert [word.decode() for word in batch["text"]] == list(words)


@pytest.fixture
def bfloat16(tmp_path):
    bits = (np.arange(60, dtype=np.float32).view(np.uint32) >> 16).astype(np.uint16).reshape(20, 3)
    bits.tofile(tmp_path / "v.bin")
    good("convert", "--field", "v=v.bin", "--dtype", "bfloat16", "--shape", "3", "-o", "v.hrd", "--quiet", cwd=tmp_path)
    return tmp_path / "v.hrd", bits


def test_bfloat16__with_ml_dtypes__is_its_type(bfloat16):
    ml_dtypes = pytest.importorskip("ml_dtypes")
    with hr.open(bfloat16[0]) as data:
        values = data["v"][:]
        assert values.dtype == ml_dtypes.bfloat16 and np.array_equal(values.view(np.uint16), bfloat16[1])
        assert next(iter(data.loader(batch=20)))["v"].dtype == ml_dtypes.bfloat16


def test_bfloat16__without_ml_dtypes__is_its_bits(bfloat16, monkeypatch):
    monkeypatch.setitem(sys.modules, "ml_dtypes", None)
    with hr.open(bfloat16[0]) as data:
        assert (
            data["v"].dtype == np.uint16 and data["v"].kind == "bfloat16" and np.array_equal(data["v"][:], bfloat16[1])
        )
        assert np.array_equal(next(iter(data.loader(batch=20)))["v"], bfloat16[1])


def test_samples__without_axes_or_bytes__are_read(tmp_path):
    with convert(tmp_path, {"none": np.zeros((7, 0, 3), "float32"), "one": np.arange(7)}) as data:
        assert data["none"][2:5].shape == (3, 0, 3) and data["none"][[1, 1]].shape == (2, 0, 3)
        batch = next(iter(data.loader(batch=4)))
        assert batch["none"].shape == (4, 0, 3) and list(batch["one"]) == [0, 1, 2, 3]


def test_files__opened_as_one__are_their_samples_in_turn(tmp_path):
    parts = []
    for part, length in enumerate((300, 1, 157)):
        np.save(tmp_path / "y.npy", np.arange(length) + 1000 * part)
        good("convert", "y.npy", "-o", f"{part}.hrd", "--chunk-bytes", "4K", "--quiet", cwd=tmp_path)
        parts.append(np.load(tmp_path / "y.npy"))
    whole = np.concatenate(parts)
    with hr.open([tmp_path / f"{part}.hrd" for part in range(3)]) as data:
        assert len(data) == 458 and len(data.paths) == 3 and data.info()["num_files"] == 3
        for index in (slice(None), slice(450, 290, -7), [457, 0, 300, 300, -1], 300):
            assert np.array_equal(data["y"][index], whole[index])
        assert np.array_equal(np.concatenate([batch.copy()["y"] for batch in data.loader(batch=50)]), whole)
    with pytest.raises(hr.InvalidError):
        hr.open([])


def test_subset__of_a_range_a_list_and_a_mask__delivers_these(data, tmp_path):
    mask = np.zeros(1000, bool)
    mask[::7] = True
    np.save(tmp_path / "part.npy", np.arange(3, 900, 9))
    made = {
        "range": (data.subset(100, 200, 3), np.arange(100, 200, 3)),
        "list": (data.subset([1, 5, 999]), np.array([1, 5, 999])),
        "mask": (data.subset(np.flatnonzero(mask)), np.flatnonzero(mask)),
        "file": (data.subset_from_npy(tmp_path / "part.npy"), np.arange(3, 900, 9)),
    }
    for subset, wanted in made.values():
        assert len(subset) == wanted.size and np.array_equal(subset.indices(), wanted)
        assert np.array_equal(subset.indices(1, 2), wanted[1:3])
        got = [batch.copy() for batch in data.loader(batch=32, subset=subset, shuffle=True, epochs=1)]
        assert sorted(y for rows in got for y in rows["y"]) == list(wanted)
        for rows in got:
            check(rows)


@pytest.mark.parametrize("indices", [[3, 2], [1, 1], [1000], [-1], [0.5], [[1, 2]], ["a"]])
def test_subset__of_a_list_that_is_none__is_refused(data, indices):
    with pytest.raises((hr.InvalidError, IndexError)):
        data.subset(indices)


def test_split__by_a_seed__is_disjoint_and_whole(data):
    train, test = data.split(0.8, 0.2, seed=3)
    again, _ = data.split(0.8, 0.2, seed=3)
    other, _ = data.split(0.8, 0.2, seed=4)
    assert (len(train), len(test)) == (800, 200)
    assert sorted([*train.indices(), *test.indices()]) == list(range(1000))
    assert np.array_equal(train.indices(), again.indices()) and not np.array_equal(train.indices(), other.indices())
    first, second = data.split(0.5, 0.5, contiguous=True)
    assert np.array_equal(first.indices(), np.arange(500)) and second.indices()[0] == 500
    with pytest.raises(hr.InvalidError):
        data.split(0.8, 0.9)
    with pytest.raises(hr.InvalidError):
        data.split()


def test_split__stratified__gives_each_part_its_share(tmp_path):
    labels = np.repeat(np.arange(4), 100)
    with convert(tmp_path, {"label": labels}) as data:
        for part, share in zip(data.split(0.75, 0.25, stratify="label"), (75, 25), strict=True):
            assert list(np.bincount(labels[part.indices()])) == [share] * 4


def test_subset__after_its_data_set_was_closed__lists_its_samples(folder):
    data = hr.open(folder / "train.hrd")
    subset = data.subset(5, 9)
    data.close()
    assert list(subset.indices()) == [5, 6, 7, 8]
    with pytest.raises(hr.ClosedError):
        data.subset(5, 9)


def test_index__of_more_than_the_budget__is_refused_with_words(tmp_path):
    write_indexed(tmp_path, num_samples=120_000)
    with hr.open(tmp_path / "train.hrd", budget="8M") as data:
        for index in (slice(None), np.arange(100_000), np.ones(120_000, bool), ..., slice(None, None, -1)):
            with pytest.raises(
                hr.BudgetError, match=r"\d+\.\d+ MiB, more than the budget of 8\.00 MiB; stream them with loader\(\)"
            ):
                data["X"][index]
        with pytest.raises(hr.BudgetError):
            np.asarray(data["X"])
        assert data["X"].read().nbytes == 120_000 * 96
        assert data["X"][::2].shape == (60_000, 4, 6)
        assert sum(1 for _ in data["X"]) == 120_000


def test_field__as_array_and_iterated__is_all_of_it(data):
    whole = rows_of(np.arange(1000))
    assert np.array_equal(np.asarray(data["X"]), whole["X"])
    assert np.asarray(data["y"], dtype=np.float64).dtype == np.float64
    assert np.array_equal(np.stack(list(data["X"])), whole["X"])
    for number, sample in zip(range(3), data, strict=False):
        assert sample["y"] == number and np.array_equal(sample["X"], whole["X"][number])
    with pytest.raises(ValueError, match="is a copy"):
        data["X"].__array__(copy=False)


def test_read__of_samples_that_there_are_not__is_refused(data):
    assert data["y"].read(998).tolist() == [998, 999] and data["y"].read(1000).size == 0
    for first, count in ((0, 1001), (1001, 0), (999, 2), (-1, 1), (0, -1), (2000, None), (0, 10**15), (2**64, 1)):
        with pytest.raises(hr.InvalidError):
            data["y"].read(first, count)


def test_pickled__a_data_set_a_field_and_a_subset__are_opened_again(data):
    again, subset = pickle.loads(pickle.dumps((data, data.subset(3, 30, 4))))
    assert np.array_equal(again["X"][10:20], data["X"][10:20]) and list(subset.indices()) == list(range(3, 30, 4))
    field = pickle.loads(pickle.dumps(data["y"]))
    data.close()
    assert again["y"][7] == 7 and field[7] == 7
    again.close()


def test_pickled__a_data_set_with_a_budget__keeps_it(folder):
    with hr.open(folder / "train.hrd", budget="3M") as data, pickle.loads(pickle.dumps(data)) as again:
        assert again.budget_bytes == 3 << 20


def test_fork__of_an_open_data_set__goes_on_in_both(data):
    def work():
        assert np.array_equal(data["X"][100:300], rows_of(np.arange(100, 300))["X"])
        for batch in data.loader(batch=64, epochs=1, shuffle=True):
            check(batch)
        data.close()

    assert data["y"][5] == 5
    assert run_in_child(work) == 0
    assert data["y"][6] == 6 and run_in_child(work) == 0


def test_fork__while_threads_read__goes_on_in_the_child(data):
    stop, failed = threading.Event(), []

    def read():
        while not stop.is_set():
            if data["y"][500] != 500:
                failed.append(1)

    threads = [threading.Thread(target=read) for _ in range(3)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(20):
            assert run_in_child(lambda: data["y"][[3, 500, 900]].sum() == 1403 or os._exit(2)) == 0
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert not failed


def test_threads__that_read_one_data_set__get_what_they_asked_for(data):
    failed = []

    def read(seed):
        rng = np.random.default_rng(seed)
        for _ in range(50):
            indices = rng.integers(0, 1000, 20)
            if not np.array_equal(data["X"][indices], rows_of(indices)["X"]):
                failed.append(seed)

    threads = [threading.Thread(target=read, args=(seed,)) for seed in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed


@pytest.mark.parametrize("seed", range(10))
def test_close__while_others_read_and_loop__ends_them_with_words(folder, seed):
    data = hr.open(folder / "train.hrd")
    found = []

    def read():
        try:
            while True:
                assert np.array_equal(data["y"][10:500], np.arange(10, 500))
        except BaseException as error:
            found.append(error)

    def loop():
        try:
            while True:
                for batch in data.loader(batch=32, shuffle=True):
                    check(batch)
        except BaseException as error:
            found.append(error)

    threads = [threading.Thread(target=work) for work in (read, read, loop, loop)]
    for thread in threads:
        thread.start()
    threading.Event().wait(seed * 0.01)
    data.close()
    for thread in threads:
        thread.join(20)
    assert [type(error) for error in found] == [hr.ClosedError] * 4
    assert all("closed" in str(error) for error in found)


@pytest.mark.parametrize("whole", [True, False])
def test_close__between_two_steps_of_opening_a_loader__is_refused(folder, monkeypatch, whole):
    with hr.open(folder / "train.hrd") as data:

        class Closing(weakref.WeakSet):
            def add(self, stream):
                super().add(stream)
                data.close() if whole else stream.close()

        monkeypatch.setattr(data, "_streams", Closing())
        for _ in range(3):
            with pytest.raises(hr.ClosedError):
                next(iter(data.loader(batch=10)))


def test_close__twice_and_after_use__refuses_what_reads(folder):
    before = memory_in_use()
    data = hr.open(folder / "train.hrd")
    X, kept = data["X"], data["X"][3]
    data.close()
    data.close()
    assert np.array_equal(kept, rows_of([3])["X"][0]) and memory_in_use() == before
    for use in (
        lambda: X[3],
        data.info,
        lambda: data.split(1.0),
        lambda: data.plan(batch=3),
        lambda: X.statistics,
        lambda: next(iter(data.loader(batch=3))),
        lambda: list(X),
        lambda: data.footer,
    ):
        with pytest.raises(hr.ClosedError, match=r"the data set .*train\.hrd is closed; open it again"):
            use()
    assert len(data) == 1000 and "train.hrd" in repr(data)


ERRORS = {
    "NotFoundError": (hr.NotFoundError, FileNotFoundError, lambda folder, data: hr.open(folder / "none.hrd")),
    "NotFoundError in a folder": (hr.NotFoundError, OSError, lambda folder, data: hr.open(folder / "no" / "none.hrd")),
    "FieldNotFoundError": (hr.FieldNotFoundError, KeyError, lambda folder, data: data["Z"]),
    "FieldNotFoundError of a loader": (
        hr.NotFoundError,
        hr.Error,
        lambda folder, data: next(iter(data.loader(batch=1, fields=["Z"]))),
    ),
    "InvalidError": (hr.InvalidError, ValueError, lambda folder, data: data.loader(batch=0)),
    "InvalidError of a path": (hr.InvalidError, ValueError, lambda folder, data: hr.open("a\0b")),
    "BudgetError": (hr.BudgetError, MemoryError, lambda folder, data: next(iter(data.loader(batch=100, budget="64K")))),
    "CorruptError": (hr.CorruptError, hr.Error, lambda folder, data: hr.open(folder / "X.npy")),
    "NotDatasetError": (hr.NotDatasetError, hr.CorruptError, lambda folder, data: hr.open(folder / "X.npy")),
    "IoError": (hr.IoError, OSError, lambda folder, data: hr.open(folder)),
    "ExistsError": (
        hr.ExistsError,
        FileExistsError,
        lambda folder, data: hr.convert(folder / "X.npy", out=folder / "train.hrd"),
    ),
    "MismatchError": (
        hr.MismatchError,
        hr.Error,
        lambda folder, data: next(iter(data.loader(batch=8, resume=data.loader(batch=9).state()))),
    ),
    "CorruptError of a state": (
        hr.CorruptError,
        hr.Error,
        lambda folder, data: next(iter(data.loader(batch=8, resume=b"x" * 256))),
    ),
    "ClosedError": (hr.ClosedError, ValueError, lambda folder, data: closed(data)["X"][0]),
    "UnsupportedError": (
        hr.UnsupportedError,
        hr.Error,
        lambda folder, data: pickle.dumps(next(iter(data.loader(batch=8)))),
    ),
    "NoDeviceModuleError": (
        hr.DeviceError,
        hr.Error,
        lambda folder, data: next(iter(data.loader(batch=8, device="cuda:255"))),
    ),
}


def closed(data):
    data.close()
    return data


@pytest.mark.parametrize("name", ERRORS)
def test_error__of_each_kind__is_of_these_classes_and_has_words(name, folder, data):
    kind, also, provoke = ERRORS[name]
    with pytest.raises(kind) as raised:
        provoke(folder, data)
    assert isinstance(raised.value, also) and isinstance(raised.value, hr.Error)
    assert len(str(raised.value)) > 20 and "'" != str(raised.value)[0]


def test_error__of_the_library__has_its_numbers(folder):
    with pytest.raises(FileNotFoundError) as raised:
        hr.open(folder / "none.hrd")
    assert (raised.value.status, raised.value.errno, raised.value.os_errno) == (8, 2, 2) and "none.hrd" in str(
        raised.value
    )
    assert pickle.loads(pickle.dumps(raised.value)).args == raised.value.args


def test_error__of_each_status__has_a_class(folder):
    statuses = {name: value for name, value in vars(hr._abi).items() if name.startswith("HR_ERR_")}
    assert set(hr.errors._CLASSES) == set(statuses.values())
    for name, status in statuses.items():
        made = hr.errors.from_status(status, hr._abi.hr_error(message=b"words"))
        assert type(made).__name__ != "Error" and str(made) == "words" and made.status == status, name


def test_damage__in_a_chunk__is_an_error_that_names_the_place(folder, tmp_path):
    bytes_ = bytearray((folder / "train.hrd").read_bytes())
    begin = 128 << 10  # of chunks, behind the superblocks
    bytes_[begin:] = bytes(byte ^ 0xFF for byte in bytes_[begin : begin + 20000]) + bytes_[begin + 20000 :]
    (tmp_path / "damaged.hrd").write_bytes(bytes_)
    with hr.open(tmp_path / "damaged.hrd") as data:
        with pytest.raises(hr.CorruptError, match=r"damaged\.hrd") as raised:
            data["X"][:]
        assert "chunk 0" in str(raised.value)
        loader = data.loader(batch=10)
        for _ in range(2):
            with pytest.raises(hr.CorruptError):
                list(map(check, loader))
    assert len(hr.verify(tmp_path / "damaged.hrd")) > 0


@pytest.mark.filterwarnings("ignore:.* has 1 (NaN|Inf)")
def test_statistics__that_do_not_exist__are_none(tmp_path):
    c = np.array([1 + 2j, 3 - 1j])
    u = np.array([2**63 + 5, 7], np.uint64)
    f = np.array([[np.nan, 1.5], [2.5, -1]])
    hr.from_arrays(tmp_path / "a.hrd", c=c, u=u, f=f, i=np.array([-3, 4], np.int8))
    found = {name: field.statistics for name, field in hr.open(tmp_path / "a.hrd").fields.items()}
    assert [found["c"][name] for name in ("min", "max", "mean", "std", "num_nan")] == [None] * 4 + [0]
    assert (found["u"]["min_uint"], found["u"]["max_uint"]) == (7, 2**63 + 5)
    assert found["u"]["max_int"] is None and found["u"]["first_nan_sample"] is None
    assert (found["f"]["min"], found["f"]["first_nan_sample"], found["f"]["num_runs"]) == (-1, 0, None)
    assert (found["i"]["min_int"], found["i"]["max_int"], found["i"]["max_uint"]) == (-3, 4, None)


def test_paths__and_data_sets__stand_for_each_other(folder, data, monkeypatch):
    monkeypatch.chdir(folder)
    with hr.open(b"train.hrd") as opened:
        assert opened.path == os.fspath(opened) == "train.hrd" and opened.num_samples == 1000
    assert hr.verify(data) == [] and hr.compare(data, "train.hrd").equal
    assert hr.bench("train.hrd", ["decode"], rounds=1, seconds=0.01)["measures"]["decode"]["num_runs"] == 1
    with hr.open(["train.hrd", "train.hrd"]) as many, pytest.raises(hr.InvalidError, match="data set of 2 files"):
        hr.verify(many)
    with pytest.raises(hr.InvalidError, match=r"probe\(\) was given <headrace.Dataset .* expected a loader"):
        hr.probe(data)
    with pytest.raises(hr.InvalidError, match=r"bench\(\) was given 3, expected a data set"):
        hr.bench(3)


@pytest.mark.parametrize("call, words", [
    (lambda data: hr.open([]), r"open\(\) was given no paths"),
    (lambda data: hr.open([3]), "3 was given where a path is expected"),
    (lambda data: hr.verify(["a.hrd"]), r"\['a.hrd'\] was given where a path .* give several one by one: \*"),
    (lambda data: hr.join(["a.hrd"], out="b.hrd"), "one by one"),
    (lambda data: hr.convert(["a.npy"], out="b.hrd"), "one by one"),
    (lambda data: hr.convert("a.npy", out=3), "3 was given where a path is expected"),
    (lambda data: hr.convert("a.npy", out="b.hrd", rename={"X": 1}), "rename is {'X': 1}, expected a dict"),
    (lambda data: hr.convert("a.npy", out="b.hrd", replace="no"), "replace is 'no', expected True or False"),
    (lambda data: hr.export(data, "b", replace="no"), "replace is 'no'"),
    (lambda data: hr.join("a.hrd", out="b.hrd", replace="no"), "replace is 'no'"),
    (lambda data: hr.salvage("a.hrd", out="b.hrd", replace="no"), "replace is 'no'"),
    (lambda data: hr.Writer("b.hrd", {"x": "int8"}, replace="no"), "replace is 'no'"),
    (lambda data: hr.Writer("b.hrd", ["x"]), r"b.hrd: fields is \['x'\], expected a dict"),
    (lambda data: data.split([0.8, 0.2]), r"split\(\) was given \[0.8, 0.2\], expected fractions one by one"),
    (lambda data: data.split(0.8, 0.2, seed="a"), "seed is 'a'"),
    (lambda data: data.split(0.8, 0.2, stratify=3), "stratify is 3, expected the name"),
    (lambda data: data.subset(10), r"subset\(10\) may mean .* subset\(0, 10\) or subset\(10, len"),
    (lambda data: data.subset(slice(0, 10)), "give its ends"),
    (lambda data: data.subset(0, "a"), "end is 'a'"),
])  # fmt: skip
def test_argument__of_another_type__is_refused_with_its_name(data, call, words):
    with pytest.raises(hr.InvalidError, match=words):
        call(data)


def test_message__of_the_library__names_what_python_has(tmp_path):
    hr.from_arrays(tmp_path / "a.hrd", fields={"t": "utf8"}, t=["a", "bcd" * 5])
    with hr.open(tmp_path / "a.hrd") as data:
        for options, words in [({"pad": {"t": 2}}, r"off \(truncate=True\)"), ({"max_bytes": 1}, "max_bytes")]:
            with pytest.raises(hr.Error, match=words) as refused:
                list(data.loader(batch=2, epochs=1, **options))
            assert "HR_" not in str(refused.value) and "--" not in str(refused.value)
        assert data.plan(1)["fits"] is True and data.plan(1, budget=1)["fits"] is False
    for said in hr.errors._IN_PYTHON:  # each is what the library says
        words = said.split(" (")[-1].strip(" )")
        found = [path for folder in ("reader", "writer", "convert", "io", "format") for path in
                 (SOURCE / folder).rglob("*.c") if words in path.read_text()]  # fmt: skip
        assert found, said


def test_exists__of_a_cell_that_is_run_again__names_replace(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    np.save("X.npy", np.zeros(10))
    hr.convert("X.npy", out="a.hrd")
    with pytest.raises(hr.ExistsError, match=r"replace it \(replace=True\)"):
        hr.convert("X.npy", out="a.hrd", progress=True)
    for make in (hr.from_arrays, lambda out, **_: hr.from_iterator(out, [{"X": 1}])):
        with pytest.raises(hr.ExistsError, match=r"replace it \(options={'replace': True}\)"):
            make("a.hrd", X=[1])
    with pytest.raises(hr.InvalidError, match=r"is an option of the Writer; give options={'replace': True}"):
        hr.from_arrays("a.hrd", X=[1], replace=True)
    assert capsys.readouterr().err == ""  # no bar of what was not begun
    hr.convert("X.npy", out="a.hrd", replace=True)
    hr.from_arrays("a.hrd", X=[1], options={"replace": True})
    assert len(hr.open("a.hrd")) == 1


def test_words__of_one_sample__are_singular(tmp_path):
    hr.from_arrays(tmp_path / "a.hrd", X=np.zeros((1, 200)))
    with hr.open(tmp_path / "a.hrd") as data:
        data.budget_bytes = 1000
        assert "1 sample of X" in repr(data)
        with pytest.raises(hr.BudgetError, match="1 sample of X would take"):
            data["X"][:]
