/*
 * From samples to pixels. Values come from a file and may be anything: NaN and infinities too.
 */
#include "head_image.h"

#include "value_text.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define LEAST_PIXELS 8
#define MOST_PIXELS  16384
#define GAP_PIXELS   2

static bool has_pixels(hr_dtype dtype) {
    return dtype == HR_UINT8 || dtype == HR_FLOAT16 || dtype == HR_BFLOAT16 ||
           dtype == HR_FLOAT32 || dtype == HR_FLOAT64;
}

static bool is_channels(uint64_t n) {
    return n == 1 || n == 3 || n == 4;
}

bool image_layout_of(const hr_field *field, image_layout *out) {
    const uint64_t *s = field->shape;
    if (!has_pixels(field->dtype) || field->rank < 2 || field->rank > 3) {
        return false;
    }
    if (field->rank == 2) {
        *out = (image_layout){s[1], s[0], 1, false};
    } else if (is_channels(s[2])) {
        *out = (image_layout){s[1], s[0], (uint32_t)s[2], false};
    } else if (is_channels(s[0])) {
        *out = (image_layout){s[2], s[1], (uint32_t)s[0], true};
    } else {
        return false;
    }
    return out->width >= LEAST_PIXELS && out->height >= LEAST_PIXELS && out->width <= MOST_PIXELS &&
           out->height <= MOST_PIXELS;
}

/* --- values to bytes ------------------------------------------------------------------------ */

typedef struct scale {
    double low, high;
} scale;

/* What becomes black, and what white. */
static scale scale_of(hr_dtype dtype, uint32_t width, const uint8_t *sample, uint64_t n) {
    scale s = {INFINITY, -INFINITY};
    if (dtype == HR_UINT8) {
        return (scale){0, 255};
    }
    for (uint64_t i = 0; i < n; i++) {
        const double v = value_real(dtype, sample + i * width, 0);
        if (isfinite(v)) {
            s.low = v < s.low ? v : s.low;
            s.high = v > s.high ? v : s.high;
        }
    }
    return s.low >= 0 && s.high <= 1 ? (scale){0, 1} : s;
}

static uint8_t byte_of(double v, scale s) {
    const double share = s.high > s.low ? (v - s.low) / (s.high - s.low) : 0;
    return share >= 1 ? 255 : share > 0 ? (uint8_t)lround(share * 255) : 0; /* NaN is black */
}

static void put_pixel(const hr_field *field, const image_layout *l, scale s, const uint8_t *sample,
                      uint64_t at, uint8_t *rgb) {
    const uint64_t plane = l->width * l->height;
    const uint32_t width = value_width(field);
    uint8_t c[4] = {0, 0, 0, 255};
    for (uint32_t k = 0; k < l->channels; k++) {
        const uint64_t index = l->planes ? k * plane + at : at * l->channels + k;
        c[k] = byte_of(value_real(field->dtype, sample + index * width, 0), s);
    }
    for (uint32_t k = 0; k < 3; k++) {
        rgb[k] = (uint8_t)(c[l->channels == 1 ? 0 : k] * c[3] / 255);
    }
}

uint64_t image_bytes(const image_layout *layout) {
    return 3 * layout->width * layout->height;
}

bool image_make(const hr_field *field, const image_layout *layout, const uint8_t *sample,
                image *out) {
    const uint64_t n = layout->width * layout->height;
    const scale s = scale_of(field->dtype, value_width(field), sample, n * layout->channels);
    *out = (image){layout->width, layout->height, malloc(3 * n)};
    if (out->rgb == NULL) {
        return false;
    }
    for (uint64_t i = 0; i < n; i++) {
        put_pixel(field, layout, s, sample, i, out->rgb + 3 * i);
    }
    return true;
}

/* --- sizes ---------------------------------------------------------------------------------- */

static void mean_of(const image *i, const uint64_t from[2], const uint64_t to[2], uint8_t *rgb) {
    uint64_t sum[3] = {0, 0, 0};
    const uint64_t n = (to[0] - from[0]) * (to[1] - from[1]);
    for (uint64_t y = from[1]; y < to[1]; y++) {
        for (uint64_t x = from[0]; x < to[0]; x++) {
            for (int k = 0; k < 3; k++) {
                sum[k] += i->rgb[3 * (y * i->width + x) + (uint64_t)k];
            }
        }
    }
    for (int k = 0; k < 3; k++) {
        rgb[k] = (uint8_t)((sum[k] + n / 2) / n);
    }
}

void image_shrink(image *i, uint64_t most_width, uint64_t most_height) {
    const double by_width = (double)i->width / (double)most_width;
    const double by_height = (double)i->height / (double)most_height;
    const double by = by_width > by_height ? by_width : by_height;
    if (by <= 1) {
        return;
    }
    const uint64_t w = (uint64_t)fmax(1, floor((double)i->width / by));
    const uint64_t h = (uint64_t)fmax(1, floor((double)i->height / by));
    for (uint64_t y = 0; y < h; y++) { /* a pixel is read before its place is written to */
        for (uint64_t x = 0; x < w; x++) {
            const uint64_t from[2] = {x * i->width / w, y * i->height / h};
            const uint64_t to[2] = {(x + 1) * i->width / w, (y + 1) * i->height / h};
            mean_of(i, from, to, i->rgb + 3 * (y * w + x));
        }
    }
    i->width = w;
    i->height = h;
    uint8_t *kept = realloc(i->rgb, 3 * w * h);
    i->rgb = kept != NULL ? kept : i->rgb;
}

static void measure_grid(const image_layout *layout, uint64_t count, uint64_t columns, image *out) {
    const uint64_t rows = (count + columns - 1) / columns;
    out->width = columns * (layout->width + GAP_PIXELS) - GAP_PIXELS;
    out->height = rows * (layout->height + GAP_PIXELS) - GAP_PIXELS;
}

uint64_t image_grid_bytes(const image_layout *layout, uint64_t count, uint64_t columns) {
    image grid;
    measure_grid(layout, count, columns, &grid);
    return 3 * grid.width * grid.height;
}

bool image_grid(const image_layout *layout, uint64_t count, uint64_t columns, image *out) {
    measure_grid(layout, count, columns, out);
    out->rgb = calloc(out->width * out->height, 3);
    return out->rgb != NULL;
}

void image_grid_put(image *grid, uint64_t columns, uint64_t i, const image *one) {
    const uint64_t left = i % columns * (one->width + GAP_PIXELS);
    const uint64_t top = i / columns * (one->height + GAP_PIXELS);
    for (uint64_t y = 0; y < one->height; y++) {
        memcpy(grid->rgb + 3 * ((top + y) * grid->width + left), one->rgb + 3 * y * one->width,
               3 * one->width);
    }
}

void image_free(image *i) {
    free(i->rgb);
    *i = (image){0, 0, NULL};
}
