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
