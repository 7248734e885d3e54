"""The orders of docs/order.md, written from that page alone: plain, slow, and kept apart from the C code.

`positions()` sorts samples as section 5.2 says, without the closed forms of 5.3.
`python3 tests/order_reference.py` writes the golden files under tests/golden/order.
"""

import fractions
import pathlib
import struct

import xxhash

KEEP, DROP, PAD = 0, 1, 2  # what becomes of a short last batch
M32 = 2**32 - 1
M64 = 2**64 - 1

# The first 64 bytes of XXH3's default secret: all that inputs of 40 bytes need.
SECRET = bytes.fromhex(
    "b8fe6c3923a44bbe7c01812cf721ad1cded46de9839097db7240a4a4b7b3671f"
    "cb79e64eccc0e578825ad07dccff7221b8084674f743248ee03590e6813a264c"
)


def xxh3_40(data):
    """XXH3-64, seed 0, of exactly 40 bytes (the branch for 33 to 64)."""
    assert len(data) == 40

    def word(source, at):
        return struct.unpack_from("<Q", source, at)[0]

    def mixed16(at, secret_at):
        product = (word(data, at) ^ word(SECRET, secret_at)) * (
            word(data, at + 8) ^ word(SECRET, secret_at + 8)
        )
        return (product & M64) ^ (product >> 64)

    acc = 40 * 0x9E3779B185EBCA87
    acc += mixed16(16, 32) + mixed16(40 - 32, 48)
    acc += mixed16(0, 0) + mixed16(40 - 16, 16)
    acc &= M64
    acc ^= acc >> 37
    acc = acc * 0x165667919E3779F9 & M64
    return acc ^ acc >> 32


def draws(key):
    state = key
    while True:
        state = (state + 0x9E3779B97F4A7C15) & M64
        z = state
        z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9 & M64
        z = (z ^ z >> 27) * 0x94D049BB133111EB & M64
        yield (z ^ z >> 31) >> 32


def mix(x):
    x &= M32
    x = (x ^ x >> 16) * 0x7FEB352D & M32
    x = (x ^ x >> 15) * 0x846CA68B & M32
    return x ^ x >> 16


def permutation(n, key):
    """A function from 0 .. n-1 to 0 .. n-1."""
    draw = draws(key)
    if n <= 256:
        table = list(range(n))
        for i in range(n - 1, 0, -1):
            j = next(draw) * (i + 1) >> 32
            table[i], table[j] = table[j], table[i]
        return table.__getitem__
    a = 2
    while a * a < n:
        a += 2
    b = -(-n // a)
    keys = [next(draw) for _ in range(10 if n < 4096 else 8)]

    def one_pass(x):
        left, r = divmod(x, b)
        for j, k in enumerate(keys):
            if j % 2 == 0:
                left = (left + (mix(r + k) * a >> 32)) % a
            else:
                r = (r + (mix(left + k) * b >> 32)) % b
        return left * b + r

    def image(x):
        x = one_pass(x)
        while x >= n:
            x = one_pass(x)
        return x

    return image


def shuffled_place(n, seed):
    """permutation/1: a function from a sample to its place in a data set of n shuffled as it was made."""
    return permutation(n, xxh3_40(struct.pack("<5Q", seed, 0, 6, 0, 0)))


def shuffled_places(n, seed):
    """The place of each sample."""
    image = shuffled_place(n, seed)
    return [image(i) for i in range(n)]


class Order:
    """chunks: the number of samples of each chunk of the data set."""

    def __init__(self, kind, chunks, S, B, num_streams=1, W=0, sample_bytes=1, seed=0, last=KEEP):
        assert B % num_streams == 0 and W % num_streams == 0 and num_streams <= len(chunks)
        self.kind, self.chunks, self.S, self.seed = kind, chunks, S, seed
        self.num_streams, self.batch = num_streams, B // num_streams
        self.lanes = max(1, S // self.batch)
        if kind == "sequential/1":
            self.window = 1
        elif W:
            self.window = W // num_streams
        else:
            self.window = self.default_window(sample_bytes)
        self.last = last
        self.num_batches = self.count_batches()

    def lane_size(self, q):
        return -(-(self.S - q) // self.lanes)

    def visits(self, stream):
        return -(-(len(self.chunks) - stream) // self.num_streams)

    def default_window(self, sample_bytes):
        if self.S == 1:
            return 1
        chunk_bytes = max(1, self.S * sample_bytes)
        x = max(self.batch, self.lane_size(0))
        x = max(x, 67108864 // chunk_bytes // self.num_streams)
        x = min(x, 268435456 // chunk_bytes // self.num_streams)
        return max(1, min(x, self.visits(0)))

    def count_batches(self):
        missing = sorted(self.S - n for n in self.chunks)
        if self.last == PAD:
            most = self.visits(0)
            return -(-(most * self.S - sum(missing[:most])) // self.batch)
        if self.num_streams == 1 and self.last == KEEP:
            return -(-sum(self.chunks) // self.batch)
        fewest = len(self.chunks) // self.num_streams
        return (fewest * self.S - sum(missing[::-1][:fewest])) // self.batch

    def key(self, epoch, purpose, stream, index):
        return xxh3_40(struct.pack("<5Q", self.seed, epoch, purpose, stream, index))

    def chunk_of_visit(self, epoch, v):
        if self.kind == "sequential/1":
            return v
        return permutation(len(self.chunks), self.key(epoch, 1, 0, 0))(v)

    def raised(self, epoch, stream, chunk_numbers):
        """{(visit, sample): raised position} for every sample as if no chunk were short."""
        C, S, W = len(chunk_numbers), self.S, self.window
        if self.kind == "sequential/1":
            return {(c, r): c * S + r for c in range(C) for r in range(S)}
        if C <= W:
            rho = permutation(C * S, self.key(epoch, 3, stream, 0))
            return {(c, r): rho(c * S + r) for c in range(C) for r in range(S)}
        entries = []
        for c, k in enumerate(chunk_numbers):
            sigma = permutation(S, self.key(epoch, 2, 0, k))
            for r in range(S):
                i, q = divmod(sigma(r), self.lanes)
                tick = c + i * W // self.lane_size(q)
                entries.append((tick, q, i, c, r))
        entries.sort()
        h = W // 2
        head = sum(e[0] < h for e in entries)
        tail = sum(e[0] < C + W - 1 - h for e in entries)
        permute_head = permutation(head, self.key(epoch, 4, stream, 0)) if head else None
        permute_tail = permutation(C * S - tail, self.key(epoch, 5, stream, 0)) if tail < C * S else None
        out = {}
        for P, (_, _, _, c, r) in enumerate(entries):
            if P < head:
                P = permute_head(P)
            elif P >= tail:
                P = tail + permute_tail(P - tail)
            out[c, r] = P
        return out

    def stream_samples(self, epoch, stream):
        """(chunk, sample in it) by position, delivered or not."""
        visits = range(stream, len(self.chunks), self.num_streams)
        numbers = [self.chunk_of_visit(epoch, v) for v in visits]
        at = {P: cr for cr, P in self.raised(epoch, stream, numbers).items()}
        in_order = ((numbers[at[P][0]], at[P][1]) for P in range(len(at)))
        return [(k, r) for k, r in in_order if r < self.chunks[k]]

    def stream_repeats(self, epoch, stream):
        """(chunk, sample in it) of the positions after the last sample, as many as there are rows for."""
        if self.last != PAD:
            return []
        visits = range(stream, len(self.chunks), self.num_streams)
        numbers = [self.chunk_of_visit(epoch, v) for v in visits]
        samples = [(k, r) for k in numbers for r in range(self.chunks[k])]
        return [samples[i % len(samples)] for i in range(self.num_batches * self.batch - len(samples))]

    def batch_repeats(self, epoch, n):
        """How many rows of each stream's slice of batch n, the last ones, are repeats."""
        samples = [len(self.stream_samples(epoch, s)) for s in range(self.num_streams)]
        return [min(self.batch, max(0, (n + 1) * self.batch - N)) if self.last == PAD else 0 for N in samples]

    def epoch_batches(self, epoch):
        """The sample indices of every batch."""
        first_samples = [0]
        for n in self.chunks:
            first_samples.append(first_samples[-1] + n)
        streams = [
            [first_samples[k] + r for k, r in self.stream_samples(epoch, s) + self.stream_repeats(epoch, s)]
            for s in range(self.num_streams)
        ]
        b = self.batch
        return [
            [i for samples in streams for i in samples[n * b : (n + 1) * b]]
            for n in range(self.num_batches)
        ]


def segment(num_samples, S):
    """The chunks of one segment."""
    full, rest = divmod(num_samples, S)
    return [S] * full + ([rest] if rest else [])


# name: (order, segments' samples, S, B, streams, W, sample bytes, seed, last batch, epochs)
CASES = {
    "sequential": ("sequential/1", [23, 9], 5, 4, 1, 0, 8, 0, KEEP, [0, 1]),
    "sequential_streams": ("sequential/1", [47], 4, 6, 3, 0, 8, 0, DROP, [0]),
    "one_chunk": ("interleaved/1", [7], 8, 3, 1, 0, 8, 1, KEEP, [0, 1]),
    "interior": ("interleaved/1", [200], 5, 8, 1, 6, 8, 42, KEEP, [0, 1, 2**64 - 1]),
    "short_chunk": ("interleaved/1", [198], 7, 6, 1, 4, 8, 2**64 - 1, KEEP, [0, 7]),
    "segments": ("interleaved/1", [30, 33, 1, 58], 6, 7, 1, 5, 8, 3, DROP, [0, 1]),
    "lanes": ("interleaved/1", [400], 23, 5, 1, 6, 8, 4, KEEP, [0]),
    "lanes_single": ("interleaved/1", [120], 6, 1, 1, 5, 8, 5, KEEP, [0]),
    "single_samples": ("interleaved/1", [150], 1, 10, 1, 0, 100, 6, KEEP, [0, 1]),
    "single_samples_window": ("interleaved/1", [60], 1, 4, 1, 9, 100, 7, KEEP, [0]),
    "streams": ("interleaved/1", [300], 6, 12, 3, 12, 8, 8, KEEP, [0, 1]),
    "streams_short": ("interleaved/1", [40, 51, 76], 7, 8, 2, 6, 8, 9, KEEP, [0, 1, 2]),
    "streams_mixed": ("interleaved/1", [124], 4, 6, 2, 30, 8, 10, KEEP, [0]),
    "whole": ("interleaved/1", [310], 8, 16, 1, 64, 8, 11, KEEP, [0, 1]),
    "feistel_chunks": ("interleaved/1", [599], 2, 16, 1, 12, 8, 12, KEEP, [0]),
    "feistel_samples": ("interleaved/1", [1500], 300, 100, 1, 2, 8, 13, KEEP, [0]),
    "feistel_large": ("interleaved/1", [4500], 1500, 900, 1, 3, 8, 14, KEEP, [0]),
    "default_window": ("interleaved/1", [900], 10, 12, 1, 0, 2000000, 15, KEEP, [0]),
    "pad": ("interleaved/1", [21], 3, 4, 1, 2, 8, 1, PAD, [0, 1]),
    "pad_sequential": ("sequential/1", [23, 9], 5, 6, 1, 0, 8, 0, PAD, [0]),
    "pad_sequential_streams": ("sequential/1", [47], 4, 6, 3, 0, 8, 0, PAD, [0]),
    "pad_streams": ("interleaved/1", [40, 51, 76], 7, 8, 2, 6, 8, 9, PAD, [0, 1, 2]),
    "pad_streams_mixed": ("interleaved/1", [122], 4, 6, 2, 30, 8, 10, PAD, [0, 1]),
    "pad_whole": ("interleaved/1", [310], 8, 16, 1, 64, 8, 11, PAD, [0]),
    "pad_few_samples": ("interleaved/1", [3, 4], 3, 20, 1, 2, 8, 16, PAD, [0, 1]),
    "pad_unequal": ("interleaved/1", [1, 1, 9, 18, 2], 9, 6, 2, 4, 8, 17, PAD, [0, 1, 2]),
}

def progressions(indices):
    """Section 9.1: (first, step, number) of each."""
    out, at = [], 0
    while at < len(indices):
        step = indices[at + 1] - indices[at] if at + 1 < len(indices) else 0
        n = 1
        while at + n < len(indices) and indices[at + n] - indices[at] == n * step:
            n += 1
        out.append((indices[at], step, n))
        at += n
    return out


def subset_hash(indices):
    return xxhash.xxh3_64_intdigest(b"".join(struct.pack("<3Q", *p) for p in progressions(indices)))


def virtual_chunks(indices, S):
    n, held = len(indices), S - indices[0] % S
    if indices[-1] - indices[0] == n - 1 and held < S and held < n:
        return [held, *segment(n - held, S)]
    return segment(n, S)


class SubsetOrder(Order):
    """Section 9: the order of as many samples, compact numbers replaced. The data set is one segment."""

    def __init__(self, kind, indices, S, *rest, **named):
        super().__init__(kind, virtual_chunks(indices, S), S, *rest, **named)
        self.indices = indices

    def epoch_batches(self, epoch):
        return [[self.indices[c] for c in batch] for batch in super().epoch_batches(epoch)]


def split_sizes(N, parts):
    """Section 10; `parts` are fractions as floats. The last size is that of the part that nobody gets."""
    weights = [int(f * 1e9 + 0.5) for f in parts]
    total = sum(weights)
    weights.append(0 if abs(total - 10**9) <= len(parts) else 10**9 - total)
    assert weights[-1] >= 0
    quotas = [fractions.Fraction(N * w, sum(weights)) for w in weights]
    sizes = [int(q) for q in quotas]
    by_remainder = sorted(range(len(sizes)), key=lambda j: (sizes[j] - quotas[j], j))
    for j in by_remainder[: N - sum(sizes)]:
        sizes[j] += 1
    return sizes


def split(N, parts, seed=0, labels=None, contiguous=False):
    """The indices of each part."""
    sizes = split_sizes(N, parts)
    out = [[] for _ in sizes]
    classes = {}
    for i in range(N):
        classes.setdefault(0 if labels is None else labels[i], []).append(i)
    first = 0
    for x, members in enumerate(classes.values()):
        key = xxh3_40(struct.pack("<5Q", seed, 0, 7, 0, x))
        places = (lambda r: r) if contiguous else permutation(len(members), key)
        for r, i in enumerate(members):
            out[deal(sizes, first + places(r), contiguous)].append(i)
        first += len(members)
    return [sorted(indices) for indices in out[:-1]]


def deal(sizes, g, contiguous):
    M = sum(sizes)
    for j, n in enumerate(sizes):
        if contiguous:
            if g < n:
                return j
            g -= n
            continue
        if (g + 1) * n // M > g * n // M:
            return j
        g -= g * n // M
        M -= n
    raise AssertionError


def some_of(N, percent, seed):
    """A subset drawn without the permutations of this page."""
    draw = draws(seed)
    return [i for i in range(N) if next(draw) % 100 < percent]


# name: (order, N, indices, S, B, streams, W, sample bytes, seed, last batch, epochs)
SUBSETS = {
    "range": ("interleaved/1", 300, list(range(17, 251)), 7, 8, 1, 5, 8, 1, KEEP, [0, 1]),
    "range_padded": ("interleaved/1", 300, list(range(20, 111)), 8, 6, 2, 4, 8, 3, PAD, [0, 1]),
    "range_streams": ("interleaved/1", 300, list(range(5, 251)), 7, 8, 2, 6, 8, 2, KEEP, [0]),
    "range_sequential": ("sequential/1", 100, list(range(9, 57)), 10, 4, 1, 0, 8, 0, KEEP, [0]),
    "every": ("interleaved/1", 900, list(range(3, 900, 10)), 6, 4, 1, 3, 8, 2, KEEP, [0, 5]),
    "most": ("interleaved/1", 400, some_of(400, 80, 1), 9, 10, 1, 4, 8, 3, DROP, [0]),
    "most_lanes": ("interleaved/1", 500, some_of(500, 80, 2), 23, 5, 1, 6, 8, 4, KEEP, [0]),
    "some": ("interleaved/1", 900, some_of(900, 20, 3), 8, 6, 1, 6, 8, 5, KEEP, [0, 1]),
    "some_sequential": ("sequential/1", 500, some_of(500, 20, 4), 8, 6, 1, 0, 8, 0, KEEP, [0]),
    "few": ("interleaved/1", 3000, some_of(3000, 1, 5), 4, 4, 1, 2, 8, 6, KEEP, [0]),
    "one": ("interleaved/1", 50, [33], 8, 4, 1, 0, 8, 7, KEEP, [0, 1]),
    "one_padded": ("interleaved/1", 50, [49], 8, 4, 1, 0, 8, 7, PAD, [0]),
    "last": ("sequential/1", 50, [0, 48, 49], 8, 2, 1, 0, 8, 7, KEEP, [0]),
    "all": ("interleaved/1", 210, list(range(210)), 8, 6, 1, 5, 8, 8, KEEP, [0, 1]),
    "streams": ("interleaved/1", 800, some_of(800, 50, 6), 6, 12, 3, 12, 8, 9, KEEP, [0, 1]),
    "streams_padded": ("interleaved/1", 700, some_of(700, 40, 7), 7, 8, 2, 6, 8, 10, PAD, [0, 1, 2]),
    "streams_mixed": ("interleaved/1", 311, list(range(1, 311, 2)), 4, 6, 2, 38, 8, 11, PAD, [0]),
    "whole": ("interleaved/1", 600, some_of(600, 50, 8), 8, 16, 1, 64, 8, 12, KEEP, [0]),
    "large_chunks": ("interleaved/1", 6000, some_of(6000, 30, 9), 300, 100, 1, 2, 8, 13, KEEP, [0]),
    "single_samples": ("interleaved/1", 200, some_of(200, 60, 10), 1, 10, 1, 0, 8, 14, KEEP, [0]),
}


def mod_labels(N):
    return [i * i % 7 * (i % 11 > 2) for i in range(N)]


# (N, fractions, seed, labels: i * i mod 7 where i mod 11 > 2, otherwise 0; contiguous)
SPLITS = [
    (1, [1.0], 0, False, False), (10, [0.8, 0.2], 0, False, False), (1000, [0.8, 0.1, 0.1], 1, False, False),
    (999, [1 / 3, 1 / 3, 1 / 3], 2, False, False), (777, [0.1, 0.25], 2**64 - 1, False, False),
    (1000, [0.9, 0.1], 3, True, False), (1234, [0.5, 0.3, 0.2], 4, True, False), (100, [0.05, 0.6], 5, True, False),
    (101, [0.5, 0.5], 6, False, True), (50, [0.3, 0.3], 7, False, True),
    (7000, [0.7, 0.15, 0.15], 8, True, False), (60, [0.02] * 50, 9, False, False),
]

PERMUTATIONS = [
    (1, 0), (2, 1), (3, 2), (8, 3), (100, 4), (256, 5), (257, 6), (272, 2**64 - 1), (333, 7),
    (4095, 8), (4096, 9), (65536, 10), (2**32 - 1, 11), (2**32, 12), (10**12, 13), (2**40 + 1, 14),
]


SHUFFLES = [(1, 0), (6, 7), (256, M64), (257, 0), (4096, 7), (10**6 + 3, 2**63), (10**12, 42)]


def make_order(case):
    kind, samples, S, B, streams, W, sample_bytes, seed, last, epochs = case
    chunks = [n for total in samples for n in segment(total, S)]
    return Order(kind, chunks, S, B, streams, W, sample_bytes, seed, last), epochs


def order_text(case, order=None):
    """What a C test reads with fscanf: parameters, then every batch of every epoch; of padded ones, each stream's
    number of repeats too."""
    order, epochs = order or make_order(case)[0], case[-1]
    kind, samples, S, B, streams, W, sample_bytes, seed, last, _ = case
    lines = [
        kind,
        f"segments {len(samples)} {' '.join(map(str, samples))}",
        f"S {S} B {B} streams {streams} W {W} sample_bytes {sample_bytes} seed {seed} drop {last}",
        f"window {order.window * streams} batches {order.num_batches} epochs {len(epochs)}",
    ]
    for epoch in epochs:
        lines.append(f"epoch {epoch}")
        for n, batch in enumerate(order.epoch_batches(epoch)):
            repeats = order.batch_repeats(epoch, n) if last == PAD else []
            lines.append(" ".join(map(str, [len(batch), *batch, *repeats])))
    return "\n".join(lines) + "\n"


def subset_text(case):
    """N, the subset and its hash, then as order_text()."""
    kind, N, indices, S, B, streams, W, sample_bytes, seed, last, epochs = case
    order = SubsetOrder(kind, indices, S, B, streams, W, sample_bytes, seed, last)
    chunks = virtual_chunks(indices, S)
    parts = [chunks[0], sum(chunks[1:])] if chunks[0] < S and len(chunks) > 1 else [len(indices)]
    same = (kind, parts, S, B, streams, W, sample_bytes, seed, last, epochs)
    subset = f"samples {N} hash {subset_hash(indices)} subset {' '.join(map(str, [len(indices), *indices]))}\n"
    return subset + order_text(same, order)


def splits_text():
    """N, seed, stratified, contiguous, the fractions and, of each part, size, hash, first and last index."""
    lines = []
    for N, parts, seed, stratified, contiguous in SPLITS:
        made = split(N, parts, seed, mod_labels(N) if stratified else None, contiguous)
        lines.append(f"{N} {seed} {int(stratified)} {int(contiguous)} {len(parts)} {' '.join(map(repr, parts))}")
        lines += [f"{len(m)} {subset_hash(m)} {m[0]} {m[-1]}" for m in made]
    return "\n".join(lines) + "\n"


def permutation_text():
    """n, key, then 8 pairs: an element and its image."""
    lines = []
    for n, key in PERMUTATIONS:
        image = permutation(n, key)
        elements = [i * max(n - 1, 0) // 7 for i in range(8)]
        pairs = " ".join(f"{i} {image(i)}" for i in elements)
        lines.append(f"{n} {key} {pairs}")
    return "\n".join(lines) + "\n"


def keys_text():
    """seed, epoch, purpose, stream, index, key."""
    lines = []
    tuples = [(0, 0, 1, 0, 0), (1, 2, 3, 4, 5), (M64, M64, 5, M32, M64), (42, 0, 2, 0, 123456789)]
    for t in tuples:
        lines.append(" ".join(map(str, (*t, xxh3_40(struct.pack("<5Q", *t))))))
    return "\n".join(lines) + "\n"


def shuffles_text():
    """n, seed, then 8 pairs: a sample and its place; samples as in permutation_text()."""
    lines = []
    for n, seed in SHUFFLES:
        image = shuffled_place(n, seed)
        pairs = " ".join(f"{i} {image(i)}" for i in (k * (n - 1) // 7 for k in range(8)))
        lines.append(f"{n} {seed} {pairs}")
    return "\n".join(lines) + "\n"


def golden_texts():
    texts = {f"order_{name}.txt": order_text(case) for name, case in CASES.items()}
    texts |= {f"subset_{name}.txt": subset_text(case) for name, case in SUBSETS.items()}
    texts["splits.txt"] = splits_text()
    texts["permutations.txt"] = permutation_text()
    texts["keys.txt"] = keys_text()
    texts["shuffles.txt"] = shuffles_text()
    return texts


GOLDEN = pathlib.Path(__file__).parent / "golden" / "order"


def main():
    GOLDEN.mkdir(parents=True, exist_ok=True)
    for name, text in golden_texts().items():
        (GOLDEN / name).write_text(text)


if __name__ == "__main__":
    main()
