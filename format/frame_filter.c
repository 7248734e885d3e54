/*
 * Filters of frames (docs/format.md, 6.3). The parameters of a frame are untrusted until
 * hr__filter_fits().
 */
#include "frame_filter.h"

#include "bit_shuffle.h"
#include "byte_shuffle.h"
#include "delta.h"
#include "superblock.h"

#include <string.h>

#define MAX_DISTANCE_BYTES (UINT32_C(1) << 20)

/* A block of zstd has tables of its own: planes that are shorter share one. */
#define LEAST_BYTE_PLANES 2048u
#define LEAST_BIT_PLANES  8192u

/* Element sizes as bits: 1, 2, 4, 8, 16 are their own. */
static const struct filter {
    const char *name;
    uint32_t features;
    uint32_t element_sizes;
    bool delta;
} filters[] = {
    [HR__FILTER_NONE] = {"none", 0, 0, false},
    [HR__FILTER_BYTE_SHUFFLE] = {"byte-shuffle", HR__FEATURE_BYTE_SHUFFLE, 2 + 4 + 8 + 16, false},
    [HR__FILTER_BIT_SHUFFLE] = {"bit-shuffle", HR__FEATURE_BIT_SHUFFLE, 1 + 2 + 4 + 8, false},
    [HR__FILTER_DELTA] = {"delta", HR__FEATURE_DELTA, 1 + 2 + 4 + 8, true},
    [HR__FILTER_DELTA_BYTE_SHUFFLE] = {"delta+byte-shuffle",
                                       HR__FEATURE_DELTA | HR__FEATURE_BYTE_SHUFFLE, 2 + 4 + 8,
                                       true},
    [HR__FILTER_DELTA_BIT_SHUFFLE] = {"delta+bit-shuffle",
                                      HR__FEATURE_DELTA | HR__FEATURE_BIT_SHUFFLE, 1 + 2 + 4 + 8,
                                      true},
};
#define NUM_FILTERS (sizeof(filters) / sizeof(filters[0]))

const char *hr__filter_name(uint32_t filter) {
    return filter < NUM_FILTERS ? filters[filter].name : NULL;
}

bool hr__filter_from_name(const char *name, uint8_t *out) {
    for (uint8_t i = 0; i < NUM_FILTERS; i++)
        if (strcmp(filters[i].name, name) == 0) {
            *out = i;
            return true;
        }
    return false;
}

uint32_t hr__filter_features(uint32_t filter) {
    return filters[filter].features;
}

bool hr__filter_has_delta(uint32_t filter) {
    return filters[filter].delta;
}

bool hr__filter_fits(uint32_t filter, uint32_t element_bytes, uint32_t distance_bytes,
                     uint32_t n_bytes) {
    const struct filter *f = &filters[filter];
    const uint32_t e = element_bytes, d = distance_bytes;
    if (filter == HR__FILTER_NONE)
        return e == 0 && d == 0;
    if ((e & (e - 1)) != 0 || (e & f->element_sizes) == 0 || n_bytes % e != 0)
        return false;
    return f->delta ? d > 0 && d <= MAX_DISTANCE_BYTES && d % e == 0 : d == 0;
}

bool hr__filter_is_in_place(uint32_t filter) {
    return filter == HR__FILTER_NONE || filter == HR__FILTER_DELTA;
}

void hr__filter_undo(const struct hr__frame *frame, const uint8_t *in, uint8_t *out) {
    const uint32_t n = frame->decoded_bytes, e = frame->element_bytes;
    switch (frame->filter) {
    case HR__FILTER_BYTE_SHUFFLE:
    case HR__FILTER_DELTA_BYTE_SHUFFLE:
        hr__byte_unshuffle(in, n, e, out);
        break;
    case HR__FILTER_BIT_SHUFFLE:
    case HR__FILTER_DELTA_BIT_SHUFFLE:
        hr__bit_unshuffle(in, n, e, out);
        break;
    default:
        break;
    }
    if (hr__filter_has_delta(frame->filter))
        hr__undelta(out, n, e, frame->distance_bytes);
}

static void shuffle(uint8_t filter, const uint8_t *in, uint32_t n_bytes, uint32_t e, uint8_t *out) {
    if (filter == HR__FILTER_BYTE_SHUFFLE || filter == HR__FILTER_DELTA_BYTE_SHUFFLE)
        hr__byte_shuffle(in, n_bytes, e, out);
    else
        hr__bit_shuffle(in, n_bytes, e, out);
}

void hr__filter_apply(const struct hr__storage *how, const uint8_t *in, uint32_t n_bytes,
                      uint8_t *scratch, uint8_t *out) {
    const uint32_t e = how->element_bytes;
    if (how->filter == HR__FILTER_DELTA) {
        hr__delta(in, n_bytes, e, how->distance_bytes, out);
    } else if (hr__filter_has_delta(how->filter)) {
        hr__delta(in, n_bytes, e, how->distance_bytes, scratch);
        shuffle(how->filter, scratch, n_bytes, e, out);
    } else {
        shuffle(how->filter, in, n_bytes, e, out);
    }
}

/* As many planes as have least_bytes, or the whole. */
static uint32_t whole_planes(uint32_t plane_bytes, uint32_t least_bytes, uint32_t n_bytes) {
    if (plane_bytes == 0 || n_bytes <= least_bytes)
        return n_bytes;
    return (least_bytes + plane_bytes - 1) / plane_bytes * plane_bytes;
}

uint32_t hr__filter_piece_bytes(const struct hr__storage *how, uint32_t n_bytes) {
    const uint32_t n = n_bytes / how->element_bytes;
    switch (how->filter) {
    case HR__FILTER_BYTE_SHUFFLE:
    case HR__FILTER_DELTA_BYTE_SHUFFLE:
        return whole_planes(n, LEAST_BYTE_PLANES, n_bytes);
    case HR__FILTER_BIT_SHUFFLE:
    case HR__FILTER_DELTA_BIT_SHUFFLE:
        return whole_planes(n / 8, LEAST_BIT_PLANES, n_bytes);
    default:
        return n_bytes;
    }
}
