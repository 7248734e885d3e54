/*
 * Strided copies. Axes are first made as few as possible: those of one entry go, neighbours that
 * are one axis on both sides become one, and an axis along which both sides are contiguous makes
 * the element larger. Of what is left, the axis along which reading, and the one along which
 * writing is densest are walked in tiles, so that both stay in the cache.
 */
#include "strided_copy.h"

#include "checked.h"

#include <stdbool.h>
#include <string.h>

#define TILE_BYTES 4096u /* of each side of a tile, about */
#define MAX_TILE   64u   /* entries of a tile, along either axis */

/* Both axes of a tile: `read` is the one along which reading is densest. */
struct tile {
    struct hr__strided_axis read, write;
};

/* A width that the compiler knows makes of each copy one load and one store. */
static inline void copy_tile_of(size_t width, const struct tile *t, const uint8_t *from,
                                uint8_t *to) {
    for (uint64_t i = 0; i < t->write.n; i++) {
        const uint8_t *src = from + i * t->write.from;
        uint8_t *dst = to + i * t->write.to;
        for (uint64_t k = 0; k < t->read.n; k++)
            memcpy(dst + k * t->read.to, src + k * t->read.from, width);
    }
}

static void copy_tile(size_t width, const struct tile *t, const uint8_t *from, uint8_t *to) {
    switch (width) {
    case 1:
        copy_tile_of(1, t, from, to);
        break;
    case 2:
        copy_tile_of(2, t, from, to);
        break;
    case 4:
        copy_tile_of(4, t, from, to);
        break;
    case 8:
        copy_tile_of(8, t, from, to);
        break;
    case 16:
        copy_tile_of(16, t, from, to);
        break;
    default:
        copy_tile_of(width, t, from, to);
    }
}

static void copy_plane(size_t width, const struct tile *plane, const uint8_t *from, uint8_t *to) {
    uint64_t side = hr__min_u64(TILE_BYTES / width + 1, MAX_TILE);
    for (uint64_t k = 0; k < plane->read.n; k += side) {
        for (uint64_t i = 0; i < plane->write.n; i += side) {
            struct tile t = *plane;
            t.read.n = hr__min_u64(side, plane->read.n - k);
            t.write.n = hr__min_u64(side, plane->write.n - i);
            copy_tile(width, &t, from + k * t.read.from + i * t.write.from,
                      to + k * t.read.to + i * t.write.to);
        }
    }
}

/* By distance on the side that is written, the largest first. */
static void sort(struct hr__strided_axis *a, uint32_t n) {
    for (uint32_t i = 1; i < n; i++)
        for (uint32_t k = i; k > 0 && a[k].to > a[k - 1].to; k--) {
            struct hr__strided_axis swapped = a[k];
            a[k] = a[k - 1];
            a[k - 1] = swapped;
        }
}

/* The axes that are left, and how wide an element then is. */
static uint32_t simplify(const struct hr__strided_axis *axes, uint32_t num_axes,
                         struct hr__strided_axis *out, size_t *width) {
    struct hr__strided_axis sorted[HR__MAX_STRIDED_AXES];
    uint32_t n = 0, left = 0;
    for (uint32_t i = 0; i < num_axes; i++)
        if (axes[i].n > 1)
            sorted[n++] = axes[i];
    sort(sorted, n);
    for (uint32_t i = 0; i < n; i++) {
        struct hr__strided_axis *outer = left > 0 ? &out[left - 1] : NULL;
        if (outer != NULL && outer->from == sorted[i].n * sorted[i].from &&
            outer->to == sorted[i].n * sorted[i].to) {
            outer->n *= sorted[i].n;
            outer->from = sorted[i].from;
            outer->to = sorted[i].to;
        } else {
            out[left++] = sorted[i];
        }
    }
    if (left > 0 && out[left - 1].from == *width && out[left - 1].to == *width)
        *width *= out[--left].n;
    return left;
}

/* Takes the axis along which reading is densest out of the list. */
static struct hr__strided_axis take_densest(struct hr__strided_axis *a, uint32_t *n) {
    uint32_t best = 0;
    for (uint32_t i = 1; i < *n; i++)
        if (a[i].from <= a[best].from)
            best = i;
    struct hr__strided_axis taken = a[best];
    --*n;
    for (uint32_t i = best; i < *n; i++)
        a[i] = a[i + 1];
    return taken;
}

/* The next place of the outer axes; false: there is none. */
static bool step(const struct hr__strided_axis *a, uint32_t n, uint64_t *at, const uint8_t **from,
                 uint8_t **to) {
    for (uint32_t i = n; i-- > 0;) {
        *from += a[i].from;
        *to += a[i].to;
        if (++at[i] < a[i].n)
            return true;
        *from -= a[i].n * a[i].from;
        *to -= a[i].n * a[i].to;
        at[i] = 0;
    }
    return false;
}

void hr__strided_copy(const struct hr__strided_axis *axes, uint32_t num_axes, size_t width_bytes,
                      const uint8_t *from, uint8_t *to) {
    struct hr__strided_axis left[HR__MAX_STRIDED_AXES];
    uint64_t at[HR__MAX_STRIDED_AXES] = {0};
    struct tile plane = {.read = {.n = 1}, .write = {.n = 1}};
    for (uint32_t i = 0; i < num_axes; i++)
        if (axes[i].n == 0)
            return;
    uint32_t n = simplify(axes, num_axes, left, &width_bytes);
    if (n > 0)
        plane.read = take_densest(left, &n);
    if (n > 0)
        plane.write = left[--n];
    do
        copy_plane(width_bytes, &plane, from, to);
    while (step(left, n, at, &from, &to));
}
