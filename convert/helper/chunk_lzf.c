/*
 * LZF, the filter of h5py. A control byte c below 32 begins c + 1 literal bytes; any other one a
 * copy of earlier output: c / 32 + 2 bytes (7: the next byte is added), from
 * 256 x (c mod 32) + next byte + 1 bytes back.
 */
#include "chunk_decoders.h"

#include <string.h>

struct token {
    bool literal;
    size_t n_bytes;
    size_t back; /* of a copy */
};

/* Behind the token's head; false: it is cut off. */
static bool next_token(const uint8_t *in, size_t n_bytes, size_t *at, struct token *out) {
    const unsigned control = in[(*at)++];
    out->literal = control < 32;
    out->n_bytes = control + 1;
    if (out->literal)
        return out->n_bytes <= n_bytes - *at;
    out->n_bytes = control >> 5;
    if (out->n_bytes == 7) {
        if (*at == n_bytes)
            return false;
        out->n_bytes += in[(*at)++];
    }
    out->n_bytes += 2;
    if (*at == n_bytes)
        return false;
    out->back = ((control & 31u) << 8 | in[(*at)++]) + 1;
    return true;
}

static bool lzf_size(const struct chunk_params *params, const uint8_t *in, size_t n_bytes,
                     size_t *out_bytes) {
    uint64_t total = 0;
    (void)params;
    for (size_t at = 0; at < n_bytes;) {
        struct token t;
        if (!next_token(in, n_bytes, &at, &t))
            return false;
        at += t.literal ? t.n_bytes : 0;
        total += t.n_bytes;
    }
    *out_bytes = (size_t)total;
    return total > 0 && total <= CHUNK_MAX_BYTES;
}

static bool lzf_decode(const struct chunk_params *params, const uint8_t *in, size_t n_bytes,
                       uint8_t *out, size_t out_bytes) {
    size_t done = 0;
    (void)params;
    for (size_t at = 0; at < n_bytes;) {
        struct token t;
        if (!next_token(in, n_bytes, &at, &t) || t.n_bytes > out_bytes - done)
            return false;
        if (t.literal) {
            memcpy(out + done, in + at, t.n_bytes);
            at += t.n_bytes;
        } else if (t.back > done) {
            return false;
        } else {
            for (size_t i = 0; i < t.n_bytes; i++) /* it may copy what it has just written */
                out[done + i] = out[done + i - t.back];
        }
        done += t.n_bytes;
    }
    return done == out_bytes;
}

const struct chunk_decoder chunk_decoder_lzf = {
    .id = 32000, .name = "lzf", .size = lzf_size, .decode = lzf_decode};
