/*
 * Which kernel a plan of finishing takes, and how large its grid is. For the host: what starts the
 * kernels, and the test that runs their bodies.
 */
#ifndef HEADRACE_FINISH_CHOICE_H
#define HEADRACE_FINISH_CHOICE_H

#include "finish_kernel.h"

/* Which kernel, for which types: moves are by unsigned integers of their width. */
enum hr__kernel_kind { HR__KERNEL_LINEAR, HR__KERNEL_DIRECT, HR__KERNEL_TILE };
struct hr__kernel_choice {
    enum hr__kernel_kind kind;
    bool casts;
    hr_dtype from, to;
    bool one_channel; /* of HR__KERNEL_LINEAR */
    uint32_t blocks;
};

static inline hr_dtype hr__kernel_bits_type(uint32_t bytes) {
    return bytes == 1 ? HR_UINT8 : bytes == 2 ? HR_UINT16 : bytes == 4 ? HR_UINT32 : HR_UINT64;
}

static inline uint32_t hr__kernel_blocks(uint64_t num_units) {
    return (uint32_t)(num_units < HR__KERNEL_MOST_BLOCKS ? num_units : HR__KERNEL_MOST_BLOCKS);
}

/* For a plan that writes or checks, and samples that have elements. */
static inline struct hr__kernel_choice hr__kernel_choose(const struct hr__finish *f,
                                                         uint64_t num_samples) {
    struct hr__kernel_choice k;
    k.casts = hr__finish_casts(f);
    k.from = k.casts ? f->from : hr__kernel_bits_type(f->from_bytes);
    k.to = k.casts ? f->to : k.from;
    const uint32_t width = hr__kernel_width(k.from, k.to);
    uint64_t num_units = num_samples * f->sample_elements / width / HR__KERNEL_THREADS + 1;
    k.kind = HR__KERNEL_LINEAR;
    k.one_channel = f->channels == 1 || !k.casts; /* moves have no scales */
    if (hr__finish_transposes(f)) {
        k.kind = f->channels == HR__DIRECT_CHANNELS && f->plane_elements % width == 0
                     ? HR__KERNEL_DIRECT
                     : HR__KERNEL_TILE;
        num_units = num_samples * (f->plane_elements / width) / HR__KERNEL_THREADS + 1;
        if (k.kind == HR__KERNEL_TILE)
            num_units = hr__num_tiles(num_samples, f->plane_elements, f->channels);
    }
    k.blocks = hr__kernel_blocks(num_units);
    return k;
}

static inline struct hr__kernel_args hr__kernel_args_of(const struct hr__finish *f, const void *src,
                                                        uint64_t num_samples, void *dst) {
    struct hr__kernel_args a;
    a.src = src;
    a.dst = hr__finish_writes(f) ? dst : NULL;
    a.scale = f->scale;
    a.shift = f->shift;
    a.num_samples = num_samples;
    a.sample_elements = f->sample_elements;
    a.plane_elements = f->plane_elements;
    a.channels = f->channels;
    a.infinity = f->check_finite ? hr__infinity(f->to) : 0;
    return a;
}

#endif
