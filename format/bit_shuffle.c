/*
 * The bit shuffle (docs/format.md, 6.3), 512 elements at a time: their bytes by the byte shuffle,
 * then of each byte's plane its bits' planes. The last 512 may overlap those before, whose bytes
 * they write once more. Fewer than 512, eight at a time.
 */
#include "bit_shuffle.h"

#include "byte_shuffle.h"
#include "bytes.h"
#include "filter_vectors.h"

#include <string.h>

#define GROUP_ELEMENTS (8u * HR__BIT_PLANE_BYTES)
#define MAX_ELEMENT    8u

/* Where the bits of some elements are: plane k of byte j at (8j + k) x plane_bytes. */
struct bits {
    size_t num_elements; /* whose bits are shuffled */
    size_t plane_bytes;
};

static struct bits bits_of(size_t n_bytes, uint32_t element_bytes) {
    const size_t n = n_bytes / element_bytes;
    return (struct bits){n - n % 8, n / 8};
}

/* Of a square of 8 x 8 bits, row by row in ascending bytes: its transpose. */
static uint64_t square_transpose(uint64_t x) {
    uint64_t t = (x ^ x >> 7) & UINT64_C(0x00aa00aa00aa00aa);
    x ^= t ^ t << 7;
    t = (x ^ x >> 14) & UINT64_C(0x0000cccc0000cccc);
    x ^= t ^ t << 14;
    t = (x ^ x >> 28) & UINT64_C(0x00000000f0f0f0f0);
    return x ^ t ^ t << 28;
}

/* Byte j of eight elements, from or to the eight planes that begin at `planes`. */
static void eight_shuffle(const uint8_t *in, uint32_t e, uint8_t *planes, size_t plane_bytes) {
    uint8_t square[8];
    for (size_t i = 0; i < 8; i++)
        square[i] = in[i * e];
    const uint64_t x = square_transpose(hr__get_u64(square));
    for (size_t k = 0; k < 8; k++)
        planes[k * plane_bytes] = (uint8_t)(x >> 8 * k);
}

static void eight_unshuffle(const uint8_t *planes, size_t plane_bytes, uint32_t e, uint8_t *out) {
    uint8_t square[8];
    for (size_t k = 0; k < 8; k++)
        square[k] = planes[k * plane_bytes];
    const uint64_t x = square_transpose(hr__get_u64(square));
    for (size_t i = 0; i < 8; i++)
        out[i * e] = (uint8_t)(x >> 8 * i);
}

static void group_shuffle(const struct hr__bit_planes *by, const uint8_t *in, uint32_t e,
                          uint8_t *planes, size_t plane_bytes) {
    uint8_t bytes[MAX_ELEMENT * GROUP_ELEMENTS];
    if (e > 1) {
        hr__byte_shuffle(in, (size_t)GROUP_ELEMENTS * e, e, bytes);
        in = bytes;
    }
    for (size_t j = 0; j < e; j++)
        by->split(in + j * GROUP_ELEMENTS, planes + 8 * j * plane_bytes, plane_bytes);
}

static void group_unshuffle(const struct hr__bit_planes *by, const uint8_t *planes,
                            size_t plane_bytes, uint32_t e, uint8_t *out) {
    uint8_t bytes[MAX_ELEMENT * GROUP_ELEMENTS];
    if (e == 1) {
        by->join(planes, plane_bytes, out);
        return;
    }
    for (size_t j = 0; j < e; j++)
        by->join(planes + 8 * j * plane_bytes, plane_bytes, bytes + j * GROUP_ELEMENTS);
    hr__byte_unshuffle(bytes, (size_t)GROUP_ELEMENTS * e, e, out);
}

/* Where the group after `done` elements begins. */
static size_t next_group(const struct bits *b, size_t done) {
    const size_t last = b->num_elements - GROUP_ELEMENTS;
    return done < last ? done : last;
}

void hr__bit_shuffle_by(const struct hr__bit_planes *by, const uint8_t *in, size_t n_bytes,
                        uint32_t element_bytes, uint8_t *out) {
    const struct bits b = bits_of(n_bytes, element_bytes);
    const size_t e = element_bytes, rest = b.num_elements * e;
    memcpy(out + rest, in + rest, n_bytes - rest);
    if (b.num_elements < GROUP_ELEMENTS)
        for (size_t i = 0; i < rest; i += 8 * e)
            for (size_t j = 0; j < e; j++)
                eight_shuffle(in + i + j, element_bytes, out + 8 * j * b.plane_bytes + i / (8 * e),
                              b.plane_bytes);
    else
        for (size_t done = 0; done < b.num_elements; done += GROUP_ELEMENTS) {
            const size_t i = next_group(&b, done);
            group_shuffle(by, in + i * e, element_bytes, out + i / 8, b.plane_bytes);
        }
}

void hr__bit_unshuffle_by(const struct hr__bit_planes *by, const uint8_t *in, size_t n_bytes,
                          uint32_t element_bytes, uint8_t *out) {
    const struct bits b = bits_of(n_bytes, element_bytes);
    const size_t e = element_bytes, rest = b.num_elements * e;
    memcpy(out + rest, in + rest, n_bytes - rest);
    if (b.num_elements < GROUP_ELEMENTS)
        for (size_t i = 0; i < rest; i += 8 * e)
            for (size_t j = 0; j < e; j++)
                eight_unshuffle(in + 8 * j * b.plane_bytes + i / (8 * e), b.plane_bytes,
                                element_bytes, out + i + j);
    else
        for (size_t done = 0; done < b.num_elements; done += GROUP_ELEMENTS) {
            const size_t i = next_group(&b, done);
            group_unshuffle(by, in + i / 8, b.plane_bytes, element_bytes, out + i * e);
        }
}

void hr__bit_shuffle(const uint8_t *in, size_t n_bytes, uint32_t element_bytes, uint8_t *out) {
    hr__bit_shuffle_by(hr__bit_planes_best(), in, n_bytes, element_bytes, out);
}

void hr__bit_unshuffle(const uint8_t *in, size_t n_bytes, uint32_t element_bytes, uint8_t *out) {
    hr__bit_unshuffle_by(hr__bit_planes_best(), in, n_bytes, element_bytes, out);
}
