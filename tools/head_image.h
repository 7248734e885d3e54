/*
 * Samples that are images, as pixels.
 */
#ifndef HEADRACE_HEAD_IMAGE_H
#define HEADRACE_HEAD_IMAGE_H

#include "headrace/types.h"

#include <stdbool.h>

/** Where a sample's channels lie. */
typedef struct image_layout {
    uint64_t width, height;
    uint32_t channels; /* 1, 3, 4 */
    bool planes;       /* one after the other: (C, H, W) */
} image_layout;

/** Pixels as red, green, blue; free with image_free(). */
typedef struct image {
    uint64_t width, height;
    uint8_t *rgb; /* 3 x width x height */
} image;

/**
 * Whether samples of this field can be seen as images: uint8 or floating-point, (H, W), (H, W, C)
 * or (C, H, W) with 1, 3 or 4 channels, at least 8 by 8 and at most 16,384 pixels each way.
 */
bool image_layout_of(const hr_field *field, image_layout *out);

/**
 * One sample as pixels. uint8 as it is; floats from 0 to 1 as black to white, or, where some lie
 * outside of that, from the sample's least to its largest. A fourth channel is opacity, over black.
 * False: there is no memory.
 */
bool image_make(const hr_field *field, const image_layout *layout, const uint8_t *sample,
                image *out);

/** Bytes of an image of this layout. */
uint64_t image_bytes(const image_layout *layout);

/** No larger than this, each pixel the mean of those it stands for; what is left over of its memory
 * is given back. */
void image_shrink(image *i, uint64_t most_width, uint64_t most_height);

/** A grid for `count` images of one size, a gap of two pixels between them: its bytes, the grid
 * itself (false: there is no memory), and image i in its place. */
uint64_t image_grid_bytes(const image_layout *layout, uint64_t count, uint64_t columns);
bool image_grid(const image_layout *layout, uint64_t count, uint64_t columns, image *out);
void image_grid_put(image *grid, uint64_t columns, uint64_t i, const image *one);

void image_free(image *i); /* a zeroed one is fine */

#endif
