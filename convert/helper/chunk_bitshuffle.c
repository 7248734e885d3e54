/*
 * The bitshuffle filter: blocks of elements whose bits are transposed (docs/format.md, 6.3, filter
 * 2), alone or each compressed by LZ4 or zstd behind its stored bytes (4, big-endian). Compressed
 * chunks begin with decoded bytes (8, big-endian) and block bytes (4, big-endian). The last
 * elements beyond a multiple of eight follow as they are.
 */
#include "bit_shuffle.h"
#include "chunk_decoders.h"

#include <limits.h>
#include <lz4.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

#define HEAD_BYTES         12u
#define TARGET_BLOCK_BYTES 8192u
#define LEAST_BLOCK        128u /* elements, where none is said */
#define MAX_ELEMENT_BYTES  (1u << 16)

enum inner { INNER_NONE = 0, INNER_LZ4 = 2, INNER_ZSTD = 3 };

struct layout {
    enum inner inner;
    size_t element_bytes, block_elements;
    size_t out_bytes;
    size_t at; /* where the blocks begin */
};

static uint32_t get_u32(const uint8_t *p) {
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static size_t default_block(size_t element_bytes) {
    const size_t n = TARGET_BLOCK_BYTES / element_bytes / 8 * 8;
    return n > LEAST_BLOCK ? n : LEAST_BLOCK;
}

/* Parameters: version (2), element bytes, elements of a block, compression. */
static bool get_layout(const struct chunk_params *params, const uint8_t *in, size_t n_bytes,
                       struct layout *l) {
    if (params->n < 3)
        return false;
    *l = (struct layout){.inner = params->n > 4 ? (enum inner)params->values[4] : INNER_NONE,
                         .element_bytes = params->values[2],
                         .block_elements = params->n > 3 ? params->values[3] : 0,
                         .out_bytes = n_bytes};
    if (l->element_bytes == 0 || l->element_bytes > MAX_ELEMENT_BYTES)
        return false;
    if (l->inner != INNER_NONE) {
        if ((l->inner != INNER_LZ4 && l->inner != INNER_ZSTD) || n_bytes < HEAD_BYTES ||
            get_u32(in) != 0)
            return false;
        l->out_bytes = get_u32(in + 4);
        l->block_elements = get_u32(in + 8) / l->element_bytes;
        l->at = HEAD_BYTES;
    }
    if (l->block_elements == 0)
        l->block_elements = default_block(l->element_bytes);
    return l->block_elements % 8 == 0 && l->out_bytes > 0 && l->out_bytes <= CHUNK_MAX_BYTES &&
           l->out_bytes % l->element_bytes == 0 && l->block_elements <= INT_MAX / l->element_bytes;
}

static bool bitshuffle_size(const struct chunk_params *params, const uint8_t *in, size_t n_bytes,
                            size_t *out_bytes) {
    struct layout l;
    if (!get_layout(params, in, n_bytes, &l))
        return false;
    *out_bytes = l.out_bytes;
    return true;
}

/* Elements of a size that the format's own filter does not have. */
static void unshuffle_odd(const uint8_t *in, size_t n, size_t element_bytes, uint8_t *out) {
    const size_t plane_bytes = n / 8;
    memset(out, 0, n * element_bytes);
    for (size_t plane = 0; plane < 8 * element_bytes; plane++) {
        const uint8_t *bits = in + plane * plane_bytes;
        for (size_t i = 0; i < n; i++)
            out[i * element_bytes + plane / 8] |=
                (uint8_t)((bits[i / 8] >> i % 8 & 1u) << plane % 8);
    }
}

static void unshuffle(const uint8_t *in, size_t n, size_t element_bytes, uint8_t *out) {
    if (element_bytes == 1 || element_bytes == 2 || element_bytes == 4 || element_bytes == 8)
        hr__bit_unshuffle(in, n * element_bytes, (uint32_t)element_bytes, out);
    else
        unshuffle_odd(in, n, element_bytes, out);
}

/* One block of n elements; *at moves behind it. scratch: as large as the block. */
static bool decode_block(const struct layout *l, const uint8_t *in, size_t n_bytes, size_t *at,
                         size_t n, uint8_t *scratch, uint8_t *out) {
    const size_t decoded = n * l->element_bytes;
    size_t stored = decoded;
    if (l->inner != INNER_NONE) {
        if (n_bytes - *at < 4)
            return false;
        stored = get_u32(in + *at);
        *at += 4;
    }
    if (stored > n_bytes - *at || stored > INT_MAX)
        return false;
    const uint8_t *from = in + *at;
    *at += stored;
    if (l->inner == INNER_LZ4 && LZ4_decompress_safe((const char *)from, (char *)scratch,
                                                     (int)stored, (int)decoded) != (int)decoded)
        return false;
    if (l->inner == INNER_ZSTD && ZSTD_decompress(scratch, decoded, from, stored) != decoded)
        return false;
    unshuffle(l->inner == INNER_NONE ? from : scratch, n, l->element_bytes, out);
    return true;
}

static bool bitshuffle_decode(const struct chunk_params *params, const uint8_t *in, size_t n_bytes,
                              uint8_t *out, size_t out_bytes) {
    struct layout l;
    if (!get_layout(params, in, n_bytes, &l) || l.out_bytes != out_bytes)
        return false;
    const size_t e = l.element_bytes, total = out_bytes / e;
    const size_t in_blocks = total - total % 8;
    const size_t block = l.block_elements < in_blocks ? l.block_elements : in_blocks;
    uint8_t *scratch = malloc(block * e + 1);
    bool ok = scratch != NULL;
    size_t at = l.at, done = 0;
    while (ok && done < in_blocks) {
        const size_t n = in_blocks - done < block ? in_blocks - done : block;
        ok = decode_block(&l, in, n_bytes, &at, n, scratch, out + done * e);
        done += n;
    }
    free(scratch);
    const size_t rest = (total - in_blocks) * e;
    if (!ok || n_bytes - at < rest)
        return false;
    memcpy(out + in_blocks * e, in + at, rest);
    return true;
}

const struct chunk_decoder chunk_decoder_bitshuffle = {
    .id = 32008, .name = "bitshuffle", .size = bitshuffle_size, .decode = bitshuffle_decode};
