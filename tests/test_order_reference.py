"""The golden files of the orders are what the reference computes, and the reference keeps the order's promises."""

import pytest

import order_reference as ref

GOLDEN = ref.golden_texts()


@pytest.mark.parametrize("name", sorted(GOLDEN))
def test_golden__computed_again__is_the_stored_file(name):
    assert (ref.GOLDEN / name).read_text() == GOLDEN[name]


def test_golden__folder__holds_nothing_else():
    assert {p.name for p in ref.GOLDEN.iterdir()} == set(GOLDEN)


def without_repeats(order, epoch, n, batch):
    size, repeats = order.batch, order.batch_repeats(epoch, n)
    if order.last != ref.PAD:
        return batch
    return [i for s, r in enumerate(repeats) for i in batch[s * size : (s + 1) * size - r]]


@pytest.mark.parametrize("name", sorted(ref.CASES))
def test_order__any_case__delivers_each_sample_at_most_once(name):
    order, epochs = ref.make_order(ref.CASES[name])
    for epoch in epochs:
        batches = order.epoch_batches(epoch)
        delivered = [i for n, batch in enumerate(batches) for i in without_repeats(order, epoch, n, batch)]
        assert len(set(delivered)) == len(delivered)
        if order.last == ref.PAD:
            assert sorted(delivered) == list(range(sum(order.chunks)))
        if order.num_streams == 1 and order.last == ref.KEEP:
            assert sorted(delivered) == list(range(sum(order.chunks)))
        else:
            assert all(len(b) == order.batch * order.num_streams for b in batches)


@pytest.mark.parametrize("n", [1, 2, 3, 16, 100, 256, 257, 333, 4095, 4096, 5000])
def test_permutation__any_n__is_a_bijection(n):
    image = ref.permutation(n, 12345)
    assert sorted(map(image, range(n))) == list(range(n))


def test_xxh3__known_input__known_hash():
    data = b"".join(n.to_bytes(8, "little") for n in (1, 2, 3, 4, 5))
    assert ref.xxh3_40(data) == 12184642811809142191  # by libxxhash


@pytest.mark.parametrize("name", sorted(ref.SUBSETS))
def test_subset__any_case__delivers_each_of_its_samples_once(name):
    kind, _, indices, S, B, streams, W, sample_bytes, seed, last, epochs = ref.SUBSETS[name]
    order = ref.SubsetOrder(kind, indices, S, B, streams, W, sample_bytes, seed, last)
    for epoch in epochs:
        batches = order.epoch_batches(epoch)
        delivered = [i for n, batch in enumerate(batches) for i in without_repeats(order, epoch, n, batch)]
        assert len(set(delivered)) == len(delivered) and set(delivered) <= set(indices)
        if order.last == ref.PAD or (streams == 1 and last == ref.KEEP):
            assert sorted(delivered) == indices


def test_subset__all_samples__have_the_order_of_the_data_set():
    whole = ref.Order("interleaved/1", ref.segment(210, 8), 8, 6, 1, 5, 8, 8)
    subset = ref.SubsetOrder("interleaved/1", list(range(210)), 8, 6, 1, 5, 8, 8)
    assert subset.epoch_batches(3) == whole.epoch_batches(3)


def test_subset_hash__example_of_the_page__is_that():
    assert ref.progressions([3, 13, 23, 24, 25, 40]) == [(3, 10, 3), (24, 1, 2), (40, 0, 1)]
    assert f"{ref.subset_hash([3, 13, 23, 24, 25, 40]):016x}" == "2f4eb12291f549b6"


@pytest.mark.parametrize("case", ref.SPLITS, ids=str)
def test_split__any_case__is_disjoint_exact_and_proportional(case):
    N, parts, seed, stratified, contiguous = case
    labels = ref.mod_labels(N) if stratified else [0] * N
    made = ref.split(N, parts, seed, labels if stratified else None, contiguous)
    assert [len(m) for m in made] == ref.split_sizes(N, parts)[:-1]
    assert len(set().union(*made)) == sum(map(len, made))
    assert all(abs(len(m) - N * f) < 1 for m, f in zip(made, parts))
    for label in set(labels):
        for j, m in enumerate(made):
            share = labels.count(label) * len(m) / N
            assert abs(sum(labels[i] == label for i in m) - share) < j + 1
