/*
 * Shuffle, deflate and fletcher32 undone. Stored bytes and parameters are untrusted.
 *
 * Invariant: before each step it is known how many bytes it makes, and that they fit: those of the
 * decoded chunk, and CHECKSUM_BYTES where the checksum was taken before the step.
 */
#include "chunk_pipeline.h"

#include "byte_shuffle.h"

#include <libdeflate.h>
#include <stdlib.h>
#include <string.h>

#define CHECKSUM_BYTES 4u
#define SUM_WORDS      65536u /* whose sums fit 64 bits by far */

/* --- which ones ----------------------------------------------------------------------------- */

static bool has(const struct chunk_pipeline *p, enum chunk_filter filter) {
    for (uint32_t i = 0; i < p->num_steps; i++)
        if (p->steps[i] == filter)
            return true;
    return false;
}

bool chunk_pipeline_add(struct chunk_pipeline *p, int filter, const unsigned *values, size_t n) {
    if (filter != CHUNK_DEFLATE && filter != CHUNK_SHUFFLE && filter != CHUNK_FLETCHER32)
        return false;
    if (has(p, (enum chunk_filter)filter))
        return false;
    if (filter == CHUNK_DEFLATE && (n != 1 || values[0] > 9))
        return false;
    if (filter == CHUNK_SHUFFLE) {
        if (n != 1 || values[0] == 0 || has(p, CHUNK_DEFLATE))
            return false;
        p->element_bytes = values[0];
    }
    p->steps[p->num_steps++] = (enum chunk_filter)filter;
    return true;
}

/* --- memory --------------------------------------------------------------------------------- */

bool chunk_unpacker_open(struct chunk_unpacker *u, uint64_t chunk_bytes) {
    *u = (struct chunk_unpacker){.chunk_bytes = chunk_bytes};
    if (chunk_bytes == 0 || chunk_bytes > UINT32_MAX)
        return false;
    /* What deflate makes of bytes that it cannot make fewer. */
    u->room_bytes = chunk_bytes + chunk_bytes / 64 + 4096;
    u->inflater = libdeflate_alloc_decompressor();
    for (int i = 0; i < 2; i++)
        u->buffers[i] = malloc((size_t)u->room_bytes);
    return u->inflater != NULL && u->buffers[0] != NULL && u->buffers[1] != NULL;
}

void chunk_unpacker_close(struct chunk_unpacker *u) {
    libdeflate_free_decompressor(u->inflater);
    free(u->buffers[0]);
    free(u->buffers[1]);
    memset(u, 0, sizeof *u);
}

/* --- the steps ------------------------------------------------------------------------------ */

/* Ones' complement: 65535 stays, 0 only comes of zeros. */
static uint64_t fold(uint64_t sum) {
    while (sum > 0xffff)
        sum = (sum & 0xffff) + (sum >> 16);
    return sum;
}

/* Over big-endian words of 16 bits; an odd byte is the upper half of one. */
static uint32_t fletcher32(const uint8_t *p, uint64_t n_bytes) {
    uint64_t sum = 0, sum_of_sums = 0;
    for (uint64_t words = n_bytes / 2; words > 0;) {
        const uint64_t n = words < SUM_WORDS ? words : SUM_WORDS;
        for (uint64_t i = 0; i < n; i++) {
            sum += (uint64_t)p[2 * i] << 8 | p[2 * i + 1];
            sum_of_sums += sum;
        }
        sum = fold(sum);
        sum_of_sums = fold(sum_of_sums);
        p += 2 * n;
        words -= n;
    }
    if (n_bytes % 2 != 0) {
        sum = fold(sum + ((uint64_t)*p << 8));
        sum_of_sums = fold(sum_of_sums + sum);
    }
    return (uint32_t)(sum_of_sums << 16 | sum);
}

static uint32_t little_endian(const uint8_t *p) {
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

/* HDF5 before 1.6.3 wrote the sum with the bytes of each half exchanged, on little-endian machines:
 * HDF5 takes both. */
static bool checksum_holds(const uint8_t *p, uint64_t n_bytes) {
    const uint32_t sum = fletcher32(p, n_bytes);
    const uint32_t stored = little_endian(p + n_bytes);
    return stored == sum || stored == ((sum & 0x00ff00ff) << 8 | (sum & 0xff00ff00) >> 8);
}

static void unshuffle(const uint8_t *in, uint64_t n_bytes, uint32_t element_bytes, uint8_t *out) {
    const size_t rest = (size_t)(n_bytes % element_bytes), whole = (size_t)n_bytes - rest;
    hr__byte_unshuffle(in, whole, element_bytes, out);
    memcpy(out + whole, in + whole, rest);
}

/* --- all of them ---------------------------------------------------------------------------- */

static bool was_done(uint32_t mask, uint32_t step) {
    return (mask >> step & 1) == 0;
}

/* Steps before `step` that were done. */
static uint32_t count_before(const struct chunk_pipeline *p, uint32_t mask, uint32_t step,
                             bool checksums) {
    uint32_t n = 0;
    for (uint32_t i = 0; i < step; i++)
        n += was_done(mask, i) && (!checksums || p->steps[i] == CHUNK_FLETCHER32);
    return n;
}

/* `from` has n_bytes; the step makes new_bytes. */
static bool undo(const struct chunk_unpacker *u, const struct chunk_pipeline *p,
                 enum chunk_filter filter, const uint8_t *from, uint64_t n_bytes, uint8_t *to,
                 uint64_t new_bytes) {
    if (filter == CHUNK_DEFLATE)
        return libdeflate_zlib_decompress_ex(u->inflater, from, (size_t)n_bytes, to,
                                             (size_t)new_bytes, NULL, NULL) == LIBDEFLATE_SUCCESS;
    if (n_bytes != new_bytes)
        return false;
    unshuffle(from, n_bytes, p->element_bytes, to);
    return true;
}

const uint8_t *chunk_unpack(struct chunk_unpacker *u, const struct chunk_pipeline *p, uint32_t mask,
                            uint64_t n_bytes, uint8_t *out) {
    const uint8_t *now = u->buffers[0];
    uint32_t other = 1;
    for (uint32_t i = p->num_steps; i-- > 0;) {
        if (!was_done(mask, i))
            continue;
        if (p->steps[i] == CHUNK_FLETCHER32) {
            if (n_bytes < CHECKSUM_BYTES || !checksum_holds(now, n_bytes - CHECKSUM_BYTES))
                return NULL;
            n_bytes -= CHECKSUM_BYTES;
            continue;
        }
        const uint64_t checksums = count_before(p, mask, i, true);
        const uint64_t new_bytes = u->chunk_bytes + checksums * CHECKSUM_BYTES;
        const bool last = count_before(p, mask, i, false) == 0;
        uint8_t *to = last && out != NULL ? out : u->buffers[other];
        if (!undo(u, p, p->steps[i], now, n_bytes, to, new_bytes))
            return NULL;
        n_bytes = new_bytes;
        now = to;
        other = 1 - other;
    }
    if (n_bytes != u->chunk_bytes)
        return NULL;
    if (out == NULL || now == out)
        return now;
    memcpy(out, now, (size_t)n_bytes);
    return out;
}
