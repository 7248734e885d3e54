/*
 * Frames: hash, codec, filter (docs/format.md, 6.3). Stored bytes are untrusted; they are hashed
 * before they are decoded, and zstd is bounded by the room it is given.
 */
#include "frame_codec.h"

#include "bytes.h"
#include "error.h"
#include "frame_filter.h"
#include "hash.h"
#include "superblock.h"

#include <stdlib.h>
#include <string.h>
#include <zstd.h>

hr_status hr__frame_decoder_init(struct hr__frame_decoder *d, hr_error *err) {
    d->zstd = ZSTD_createDCtx();
    return d->zstd != NULL ? HR_OK : hr__error_no_memory(err, 0, "a zstd decoder");
}

void hr__frame_decoder_free(struct hr__frame_decoder *d) {
    ZSTD_freeDCtx(d->zstd);
    d->zstd = NULL;
}

hr_status hr__frame_check(const struct hr__frame *frame, const uint8_t *stored, hr_error *err) {
    uint64_t hash = hr__hash(stored, frame->stored_bytes);
    if (hash == frame->hash)
        return HR_OK;
    return hr__error_at(err, HR_ERR_CORRUPT, frame->off,
                        "the frame at offset %llu of the chunk is damaged (hash %016llx, expected "
                        "%016llx); run headrace verify, and convert anew",
                        (unsigned long long)frame->off, (unsigned long long)hash,
                        (unsigned long long)frame->hash);
}

static hr_status check_features(const struct hr__frame *frame, uint32_t features, hr_error *err) {
    uint32_t used = hr__filter_features(frame->filter);
    if (frame->codec == HR__CODEC_ZSTD)
        used |= HR__FEATURE_ZSTD;
    if ((used & ~features) == 0)
        return HR_OK;
    return hr__error_at(err, HR_ERR_CORRUPT, frame->off,
                        "the frame at offset %llu of the chunk uses %s, which the superblock does "
                        "not list; run headrace verify, and convert anew",
                        (unsigned long long)frame->off, hr__feature_name(used & ~features));
}

/* Exactly one: a second or skippable frame behind it would be ignored data. zstd also reads formats
 * older than RFC 8878, which have other magic numbers. */
static bool is_one_zstd_frame(const uint8_t *stored, size_t n_bytes) {
    return n_bytes >= 4 && hr__get_u32(stored) == ZSTD_MAGICNUMBER &&
           ZSTD_findFrameCompressedSize(stored, n_bytes) == n_bytes;
}

hr_status hr__frame_decode(struct hr__frame_decoder *d, const struct hr__frame *frame,
                           const uint8_t *stored, uint32_t features, uint8_t *dst, hr_error *err) {
    hr_status st;
    HR_TRY(check_features(frame, features, err));
    HR_TRY(hr__frame_check(frame, stored, err));
    if (frame->codec == HR__CODEC_RAW) {
        memcpy(dst, stored, frame->decoded_bytes);
        return HR_OK;
    }
    bool one = is_one_zstd_frame(stored, frame->stored_bytes);
    size_t n =
        one ? ZSTD_decompressDCtx(d->zstd, dst, frame->decoded_bytes, stored, frame->stored_bytes)
            : 0;
    if (!one || ZSTD_isError(n) || n != frame->decoded_bytes)
        st = hr__error_at(err, HR_ERR_CORRUPT, frame->off,
                          "the frame at offset %llu of the chunk does not decode to %u bytes (%s)",
                          (unsigned long long)frame->off, frame->decoded_bytes,
                          !one              ? "not one zstd frame"
                          : ZSTD_isError(n) ? ZSTD_getErrorName(n)
                                            : "fewer");
done:
    return st;
}

hr_status hr__frame_encoder_init(struct hr__frame_encoder *e, hr_error *err) {
    e->zstd = ZSTD_createCCtx();
    e->filtered = malloc(HR__MAX_FRAME_BYTES);
    if (e->zstd != NULL && e->filtered != NULL)
        return HR_OK;
    hr__frame_encoder_free(e);
    return hr__error_no_memory(err, HR__MAX_FRAME_BYTES, "a zstd encoder");
}

void hr__frame_encoder_free(struct hr__frame_encoder *e) {
    ZSTD_freeCCtx(e->zstd);
    free(e->filtered);
    *e = (struct hr__frame_encoder){0};
}

size_t hr__frame_bound(size_t n_bytes) {
    size_t bound = ZSTD_compressBound(n_bytes);
    return bound > n_bytes ? bound : n_bytes;
}

static void store_raw(const uint8_t *src, uint32_t n_bytes, uint8_t *dst, struct hr__frame *out) {
    memcpy(dst, src, n_bytes);
    *out = (struct hr__frame){.codec = HR__CODEC_RAW,
                              .filter = HR__FILTER_NONE,
                              .stored_bytes = n_bytes,
                              .decoded_bytes = n_bytes};
}

/*
 * A block of zstd has one table for all its literals, and the planes of a shuffled frame are unlike
 * each other: exponents compress, mantissas do not. So each piece is made a block of its own.
 * Returns the size, n_bytes where it is not smaller, or an error of zstd.
 */
static size_t compress_pieces(ZSTD_CCtx *zstd, int level, const uint8_t *in, uint32_t n_bytes,
                              uint32_t piece_bytes, uint8_t *dst) {
    ZSTD_outBuffer to = {.dst = dst, .size = n_bytes};
    size_t left = ZSTD_CCtx_reset(zstd, ZSTD_reset_session_only);
    if (!ZSTD_isError(left))
        left = ZSTD_CCtx_setParameter(zstd, ZSTD_c_compressionLevel, level);
    if (!ZSTD_isError(left))
        left = ZSTD_CCtx_setPledgedSrcSize(zstd, n_bytes);
    for (uint32_t at = 0; at < n_bytes && left == 0; at += piece_bytes) {
        const bool last = n_bytes - at <= piece_bytes;
        ZSTD_inBuffer piece = {.src = in + at, .size = last ? n_bytes - at : piece_bytes};
        left = ZSTD_compressStream2(zstd, &to, &piece, last ? ZSTD_e_end : ZSTD_e_flush);
    }
    if (ZSTD_isError(left))
        return left;
    return left == 0 ? to.pos : n_bytes; /* what is left had no room */
}

static size_t compress(ZSTD_CCtx *zstd, const struct hr__storage *storage, bool filtered,
                       const uint8_t *in, uint32_t n_bytes, uint8_t *dst, size_t dst_bytes) {
    const uint32_t piece_bytes = filtered ? hr__filter_piece_bytes(storage, n_bytes) : n_bytes;
    if (piece_bytes < n_bytes)
        return compress_pieces(zstd, storage->level, in, n_bytes, piece_bytes, dst);
    return ZSTD_compressCCtx(zstd, dst, dst_bytes, in, n_bytes, storage->level);
}

hr_status hr__frame_encode(struct hr__frame_encoder *e, const struct hr__storage *storage,
                           const uint8_t *src, uint32_t n_bytes, uint8_t *dst, size_t dst_bytes,
                           struct hr__frame *out, hr_error *err) {
    const uint8_t *in = src;
    size_t n = n_bytes;
    bool filtered =
        storage->filter != HR__FILTER_NONE &&
        hr__filter_fits(storage->filter, storage->element_bytes, storage->distance_bytes, n_bytes);
    if (n_bytes > HR__MAX_FRAME_BYTES || dst_bytes < hr__frame_bound(n_bytes))
        return hr__error_set(err, HR_ERR_INVALID,
                             "no room for a frame of %u bytes (at most %u) in %zu", n_bytes,
                             HR__MAX_FRAME_BYTES, dst_bytes);
    if (storage->codec == HR__CODEC_ZSTD) {
        if (filtered) {
            hr__filter_apply(storage, src, n_bytes, dst, e->filtered);
            in = e->filtered;
        }
        n = compress(e->zstd, storage, filtered, in, n_bytes, dst, dst_bytes);
        if (ZSTD_isError(n))
            return hr__error_set(err, HR_ERR_NO_MEMORY, "zstd could not compress %u bytes (%s)",
                                 n_bytes, ZSTD_getErrorName(n));
    }
    if (n >= n_bytes)
        store_raw(src, n_bytes, dst, out);
    else
        *out = (struct hr__frame){.codec = HR__CODEC_ZSTD,
                                  .filter = filtered ? storage->filter : HR__FILTER_NONE,
                                  .element_bytes = filtered ? storage->element_bytes : 0,
                                  .distance_bytes = filtered ? storage->distance_bytes : 0,
                                  .stored_bytes = (uint32_t)n,
                                  .decoded_bytes = n_bytes};
    out->hash = hr__hash(dst, out->stored_bytes);
    return HR_OK;
}
