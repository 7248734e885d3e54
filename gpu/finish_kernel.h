/*
 * The bodies of the CUDA kernels of finishing: what one thread does, as functions of its number.
 * C11 and CUDA C++: on a machine without a GPU, a test runs them for every thread of the grid.
 *
 * Invariants:
 *  1. from, to and one_channel are constants where a body is compiled, so that loops over them
 *     are unrolled and arrays stay in registers;
 *  2. threads of one warp read and write side by side, 4 to 16 bytes each; where what is not a
 *     multiple of that has to be taken apart, by way of a tile in shared memory;
 *  3. every value is written by one thread, and counted by it.
 */
#ifndef HEADRACE_FINISH_KERNEL_H
#define HEADRACE_FINISH_KERNEL_H

#include "finish.h"
#include "finish_bits.h"

#define HR__KERNEL_THREADS     256u   /* of a block */
#define HR__KERNEL_MOST_BLOCKS 32768u /* of a grid; each thread takes every so-many-th vector */
#define HR__DIRECT_CHANNELS    3u
#define HR__TILE_CHANNELS      32u   /* at most */
#define HR__TILE_ELEMENTS      2048u /* at most */
#define HR__TILE_SLOTS         (HR__TILE_ELEMENTS + HR__TILE_CHANNELS)

struct hr__kernel_args {
    const void *src;
    void *dst;                  /* NULL: only counted */
    const float *scale, *shift; /* or NULL */
    uint64_t num_samples, sample_elements, plane_elements;
    uint32_t channels;
    uint64_t infinity; /* bits of the type delivered; 0: nothing is checked */
};

HR__HD float hr__scale_of(const struct hr__kernel_args *a, uint32_t c) {
    return a->scale != NULL ? a->scale[c] : HR__NO_SCALE;
}

HR__HD float hr__shift_of(const struct hr__kernel_args *a, uint32_t c) {
    return a->shift != NULL ? a->shift[c] : HR__NO_SHIFT;
}

/* What is delivered as `bits` of so many bytes. place: its row, or what one follows from. */
HR__HD void hr__bits_check(const struct hr__kernel_args *a, uint32_t bytes, uint64_t bits,
                           uint64_t place, struct hr__finish_bad *found) {
    const uint64_t magnitude = bits & ((UINT64_C(1) << (8 * bytes - 1)) - 1);
    if (magnitude < a->infinity)
        return;
    found->num_nan += magnitude > a->infinity;
    found->num_inf += magnitude == a->infinity;
    found->first_row = place < found->first_row ? place : found->first_row;
}

/* The quotient; in 32 bits, which are much faster, where they do. */
HR__HD uint64_t hr__quotient(uint64_t a, uint64_t b) {
    return (a | b) >> 32 == 0 ? (uint32_t)a / (uint32_t)b : a / b;
}

/* One value, where it stays in its place. */
HR__HD void hr__linear_value(hr_dtype from, hr_dtype to, const struct hr__kernel_args *a,
                             uint64_t i, struct hr__finish_bad *found) {
    const uint32_t to_bytes = hr__kernel_bytes(to), c = (uint32_t)(i % a->channels);
    const uint64_t bits =
        hr__bits_finish(from, to, hr__bits_load(hr__kernel_bytes(from), a->src, i),
                        hr__scale_of(a, c), hr__shift_of(a, c));
    if (a->dst != NULL)
        hr__bits_store(to_bytes, a->dst, i, bits);
    if (a->infinity != 0)
        hr__bits_check(a, to_bytes, bits, i, found);
}

/* Values that stay in their places: vectors thread, thread + num_threads, ..., and then what is
 * left over. one_channel: a->channels is 1. */
HR__HD void hr__kernel_linear(hr_dtype from, hr_dtype to, bool one_channel,
                              const struct hr__kernel_args *a, uint64_t thread,
                              uint64_t num_threads, struct hr__finish_bad *found) {
    const uint32_t width = hr__kernel_width(from, to), from_bytes = hr__kernel_bytes(from);
    const uint32_t to_bytes = hr__kernel_bytes(to), channels = one_channel ? 1 : a->channels;
    const uint64_t n = a->num_samples * a->sample_elements, num_vectors = n / width;
    const uint32_t step = one_channel ? 0 : (uint32_t)(num_threads * width % channels);
    const float scale = hr__scale_of(a, 0), shift = hr__shift_of(a, 0);
    uint32_t first = one_channel ? 0 : (uint32_t)(thread * width % channels);
    HR__NO_UNROLL for (uint64_t v = thread; v < num_vectors; v += num_threads) {
        uint32_t in[4], out[4] = {0, 0, 0, 0}, c = first;
        hr__words_load((const uint8_t *)a->src + v * width * from_bytes, width * from_bytes / 4,
                       in);
        HR__UNROLL for (uint32_t i = 0; i < width; i++) {
            const uint64_t bits = hr__bits_finish(from, to, hr__bits_get(from_bytes, in, i),
                                                  one_channel ? scale : hr__scale_of(a, c),
                                                  one_channel ? shift : hr__shift_of(a, c));
            hr__bits_put(to_bytes, out, i, bits);
            if (a->infinity != 0)
                hr__bits_check(a, to_bytes, bits, v * width + i, found);
            c = c + 1 < channels ? c + 1 : 0;
        }
        if (a->dst != NULL)
            hr__words_store((uint8_t *)a->dst + v * width * to_bytes, width * to_bytes / 4, out);
        first = first + step < channels ? first + step : first + step - channels;
    }
    HR__NO_UNROLL for (uint64_t i = num_vectors * width + thread; i < n; i += num_threads)
        hr__linear_value(from, to, a, i, found);
    if (found->first_row != UINT64_MAX) /* until here, an element: a division for each is dear */
        found->first_row /= a->sample_elements;
}

/* Three channels, and planes that are a multiple of the width: a thread takes so many pixels. */
HR__HD void hr__kernel_direct(hr_dtype from, hr_dtype to, const struct hr__kernel_args *a,
                              uint64_t thread, uint64_t num_threads, struct hr__finish_bad *found) {
    const uint32_t channels = HR__DIRECT_CHANNELS;
    const uint32_t width = hr__kernel_width(from, to), from_bytes = hr__kernel_bytes(from);
    const uint32_t to_bytes = hr__kernel_bytes(to);
    const uint64_t in_plane = a->plane_elements / width, num_vectors = a->num_samples * in_plane;
    float scale[HR__DIRECT_CHANNELS], shift[HR__DIRECT_CHANNELS];
    HR__UNROLL for (uint32_t c = 0; c < channels; c++) {
        scale[c] = hr__scale_of(a, c);
        shift[c] = hr__shift_of(a, c);
    }
    HR__NO_UNROLL for (uint64_t v = thread; v < num_vectors; v += num_threads) {
        const uint64_t sample = hr__quotient(v, in_plane);
        const uint64_t pixel = (v - sample * in_plane) * width;
        const uint64_t element = sample * a->sample_elements + pixel * channels;
        uint32_t in[4 * HR__DIRECT_CHANNELS];
        hr__words_load((const uint8_t *)a->src + element * from_bytes,
                       width * channels * from_bytes / 4, in);
        HR__UNROLL for (uint32_t c = 0; c < channels; c++) {
            uint32_t out[4] = {0, 0, 0, 0};
            HR__UNROLL for (uint32_t p = 0; p < width; p++) {
                const uint64_t bits = hr__bits_finish(
                    from, to, hr__bits_get(from_bytes, in, p * channels + c), scale[c], shift[c]);
                hr__bits_put(to_bytes, out, p, bits);
                if (a->infinity != 0)
                    hr__bits_check(a, to_bytes, bits, sample, found);
            }
            const uint64_t to_element = sample * a->sample_elements + c * a->plane_elements + pixel;
            hr__words_store((uint8_t *)a->dst + to_element * to_bytes, width * to_bytes / 4, out);
        }
    }
}

/* Any channels and planes: a block takes pixels of some channels into a tile, and out again. */
struct hr__tile {
    uint64_t sample, first_pixel;
    uint32_t first_channel, channels, pixels; /* of this tile */
    uint32_t pitch;                           /* from one channel in the tile to the next */
};

HR__HD uint32_t hr__tile_channels(uint32_t channels) {
    return channels < HR__TILE_CHANNELS ? channels : HR__TILE_CHANNELS;
}

/* A multiple of the threads of a warp: so planes are written in whole sectors where they begin on
 * one. */
HR__HD uint32_t hr__tile_pixels(uint32_t channels) {
    return HR__TILE_ELEMENTS / hr__tile_channels(channels) / 32 * 32;
}

HR__HD uint64_t hr__tiles_across(uint64_t n, uint32_t each) {
    return n / each + (n % each != 0);
}

HR__HD uint64_t hr__num_tiles(uint64_t num_samples, uint64_t plane_elements, uint32_t channels) {
    return num_samples * hr__tiles_across(plane_elements, hr__tile_pixels(channels)) *
           hr__tiles_across(channels, hr__tile_channels(channels));
}

HR__HD struct hr__tile hr__tile_at(const struct hr__kernel_args *a, uint64_t number) {
    const uint32_t pixels = hr__tile_pixels(a->channels);
    const uint32_t channels = hr__tile_channels(a->channels);
    const uint64_t across = hr__tiles_across(a->channels, channels);
    const uint64_t down = hr__tiles_across(a->plane_elements, pixels);
    struct hr__tile t;
    const uint64_t row = number / across;
    t.sample = row / down;
    t.first_pixel = row % down * pixels;
    t.first_channel = (uint32_t)(number % across) * channels;
    const uint64_t left = a->plane_elements - t.first_pixel;
    t.pixels = left < pixels ? (uint32_t)left : pixels;
    const uint32_t more = a->channels - t.first_channel;
    t.channels = more < channels ? more : channels;
    t.pitch = pixels + 1; /* an odd pitch: channels of one pixel lie in different banks */
    return t;
}

/* Bits of `to` into the tile. Afterwards the threads of the block wait for each other. */
HR__HD void hr__kernel_tile_load(hr_dtype from, hr_dtype to, const struct hr__kernel_args *a,
                                 const struct hr__tile *t, uint32_t thread, void *tile,
                                 struct hr__finish_bad *found) {
    const uint32_t from_bytes = hr__kernel_bytes(from), to_bytes = hr__kernel_bytes(to);
    for (uint32_t k = thread; k < t->pixels * t->channels; k += HR__KERNEL_THREADS) {
        const uint32_t pixel = k / t->channels, c = k % t->channels;
        const uint64_t element = t->sample * a->sample_elements +
                                 (t->first_pixel + pixel) * a->channels + t->first_channel + c;
        const uint64_t bits = hr__bits_finish(from, to, hr__bits_load(from_bytes, a->src, element),
                                              hr__scale_of(a, t->first_channel + c),
                                              hr__shift_of(a, t->first_channel + c));
        hr__bits_store(to_bytes, tile, c * t->pitch + pixel, bits);
        if (a->infinity != 0)
            hr__bits_check(a, to_bytes, bits, t->sample, found);
    }
}

HR__HD void hr__kernel_tile_store(hr_dtype to, const struct hr__kernel_args *a,
                                  const struct hr__tile *t, uint32_t thread, const void *tile) {
    const uint32_t to_bytes = hr__kernel_bytes(to);
    for (uint32_t k = thread; k < t->pixels * t->channels; k += HR__KERNEL_THREADS) {
        const uint32_t c = k / t->pixels, pixel = k % t->pixels;
        const uint64_t element = t->sample * a->sample_elements +
                                 (t->first_channel + c) * a->plane_elements + t->first_pixel +
                                 pixel;
        hr__bits_store(to_bytes, a->dst, element,
                       hr__bits_load(to_bytes, tile, c * t->pitch + pixel));
    }
}

#endif
