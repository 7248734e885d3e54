/*
 * The delta filter (docs/format.md, 6.3).
 *
 * Undoing it is a sum in which every element waits for the one before. By doubling it becomes a few
 * steps that do not wait: once all elements have the one at distance d added as it was, what is
 * missing is the sum at distance 2d. From HR__DELTA_FAR_BYTES on the sum itself is quick, as what
 * it needs was stored long ago. Short distances are undone in blocks that stay in the L1 cache; the
 * sums before a block come in by its first elements.
 */
#define LANES_BYTES 16
#include "delta.h"

#include "filter_vectors.h"
#include "lanes.h"

#define BLOCK_BYTES ((size_t)8 << 10)

LANES_INLINE void subtract(const uint8_t *in, const uint8_t *before, size_t n_bytes, uint32_t e,
                           uint8_t *out) {
    size_t at = 0;
    for (; n_bytes - at >= LANES_BYTES; at += LANES_BYTES)
        lanes_store(out + at, lanes_sub(lanes_load(in + at), lanes_load(before + at), e));
    for (; at < n_bytes; at += e) {
        uint64_t a = 0, b = 0;
        memcpy(&a, in + at, e);
        memcpy(&b, before + at, e);
        a -= b;
        memcpy(out + at, &a, e);
    }
}

void hr__delta(const uint8_t *in, size_t n_bytes, uint32_t element_bytes, size_t distance_bytes,
               uint8_t *out) {
    const size_t head = distance_bytes < n_bytes ? distance_bytes : n_bytes, rest = n_bytes - head;
    memcpy(out, in, head);
    switch (element_bytes) {
    case 1:
        subtract(in + head, in, rest, 1, out + head);
        break;
    case 2:
        subtract(in + head, in, rest, 2, out + head);
        break;
    case 4:
        subtract(in + head, in, rest, 4, out + head);
        break;
    default:
        subtract(in + head, in, rest, 8, out + head);
    }
}

static void undelta_block(const struct hr__delta_steps *steps, uint8_t *bytes, size_t n, uint32_t e,
                          size_t d) {
    for (; d < HR__DELTA_FAR_BYTES && d < n; d *= 2)
        steps->add_old(bytes, n, e, d);
    if (d < n)
        steps->add_new(bytes, n, e, d);
}

void hr__undelta_by(const struct hr__delta_steps *steps, uint8_t *bytes, size_t n_bytes,
                    uint32_t element_bytes, size_t distance_bytes) {
    const size_t d = distance_bytes;
    if (d >= HR__DELTA_FAR_BYTES) {
        undelta_block(steps, bytes, n_bytes, element_bytes, d);
        return;
    }
    if (steps->sum_near != NULL && steps->sum_near(bytes, n_bytes, element_bytes, d))
        return;
    for (size_t at = 0; at < n_bytes; at += BLOCK_BYTES) {
        const size_t n = n_bytes - at < BLOCK_BYTES ? n_bytes - at : BLOCK_BYTES;
        if (at > 0)
            steps->add_old(bytes + at - d, d + (d < n ? d : n), element_bytes, d);
        undelta_block(steps, bytes + at, n, element_bytes, d);
    }
}

void hr__undelta(uint8_t *bytes, size_t n_bytes, uint32_t element_bytes, size_t distance_bytes) {
    hr__undelta_by(hr__delta_steps_best(), bytes, n_bytes, element_bytes, distance_bytes);
}
