/*
 * The row store that this build uses against the portable one, bit for bit.
 */
#include "row_store.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

void portable_copy(const struct hr__row_targets *t, uint32_t first, uint32_t count,
                   uint64_t field_off, size_t row_bytes, const uint8_t *src);
void portable_unshuffle(const struct hr__row_targets *t, uint32_t first, uint32_t count,
                        uint64_t field_off, size_t row_bytes, uint32_t element_bytes,
                        const uint8_t *src);
void portable_fence(void);

#define hr__rows_copy      portable_copy
#define hr__rows_unshuffle portable_unshuffle
#define hr__rows_fence     portable_fence
#include "../reader/row_store_portable.c"
#undef hr__rows_copy
#undef hr__rows_unshuffle
#undef hr__rows_fence

#define SLOTS      3
#define ROWS       8 /* of a slot */
#define COUNT      11
#define MOST_BYTES 300
#define SLOT_BYTES ((size_t)ROWS * MOST_BYTES + 320)

/* Both stores write the same rows into slots of the same random bytes. */
struct scene {
    uint8_t src[(COUNT + 1) * MOST_BYTES + 64];
    uint8_t *ours, *portable; /* SLOTS x SLOT_BYTES, aligned to a line */
    uint8_t *our_slots[COUNT + 3], *portable_slots[COUNT + 3];
    uint32_t rows[COUNT + 3];
};

static uint32_t next_random(uint32_t *r) {
    *r = *r * 1664525u + 1013904223u;
    return *r >> 8;
}

static void scene_make(struct scene *s, uint32_t seed) {
    uint32_t r = seed;
    for (size_t i = 0; i < sizeof(s->src); i++)
        s->src[i] = (uint8_t)next_random(&r);
    for (size_t i = 0; i < SLOTS * SLOT_BYTES; i++)
        s->ours[i] = s->portable[i] = (uint8_t)next_random(&r);
    uint32_t used = 0; /* each place of a slot at most once: 24 places, in steps of 7 */
    for (uint32_t i = 0; i < COUNT + 3; i++) {
        uint32_t place = (seed + 7 * used++) % (SLOTS * ROWS);
        bool nowhere = next_random(&r) % 4 == 0;
        s->our_slots[i] = nowhere ? NULL : s->ours + place / ROWS * SLOT_BYTES;
        s->portable_slots[i] = nowhere ? NULL : s->portable + place / ROWS * SLOT_BYTES;
        s->rows[i] = place % ROWS;
    }
}

/* element_bytes 1: plain copies. */
static void compare(struct scene *s, size_t row_bytes, uint32_t element_bytes, uint32_t seed) {
    struct hr__row_targets ours = {s->our_slots, s->rows}, portable = {s->portable_slots, s->rows};
    uint32_t first = seed % 3, count = 1 + seed % COUNT;
    uint64_t off = seed % 64;
    const uint8_t *src = s->src + seed % 61;
    scene_make(s, seed);
    if (element_bytes == 1) {
        hr__rows_copy(&ours, first, count, off, row_bytes, src);
        portable_copy(&portable, first, count, off, row_bytes, src);
    } else {
        hr__rows_unshuffle(&ours, first, count, off, row_bytes, element_bytes, src);
        portable_unshuffle(&portable, first, count, off, row_bytes, element_bytes, src);
    }
    hr__rows_fence();
    portable_fence();
    if (memcmp(s->ours, s->portable, SLOTS * SLOT_BYTES) != 0)
        fail_msg("rows of %zu bytes, elements of %u, first %u, count %u, offset %llu", row_bytes,
                 element_bytes, first, count, (unsigned long long)off);
}

static int scene_open(void **state) {
    struct scene *s = calloc(1, sizeof(*s));
    s->ours = aligned_alloc(64, (SLOTS * SLOT_BYTES + 63) / 64 * 64);
    s->portable = aligned_alloc(64, (SLOTS * SLOT_BYTES + 63) / 64 * 64);
    *state = s;
    return 0;
}

static int scene_close(void **state) {
    struct scene *s = *state;
    free(s->ours);
    free(s->portable);
    free(s);
    return 0;
}

/* Every row size with every offset; the number of rows, the first and the source's alignment go
 * through their values at other rates. */
static void all_sizes(struct scene *s, uint32_t element_bytes) {
    uint32_t seed = 0;
    for (size_t row_bytes = element_bytes; row_bytes <= MOST_BYTES; row_bytes += element_bytes)
        for (uint32_t off = 0; off < 64; off++, seed += 65) /* 65 = 1 mod 64 */
            compare(s, row_bytes, element_bytes, seed);
}

static void rows_copy__every_size_and_offset__as_portable(void **state) {
    all_sizes(*state, 1);
}

static void rows_unshuffle__elements_of_2__as_portable(void **state) {
    all_sizes(*state, 2);
}

static void rows_unshuffle__elements_of_4__as_portable(void **state) {
    all_sizes(*state, 4);
}

static void rows_unshuffle__elements_of_8__as_portable(void **state) {
    all_sizes(*state, 8);
}

static void rows_unshuffle__elements_of_16__as_portable(void **state) {
    all_sizes(*state, 16);
}

/* The portable one against the words of the format: out[i * e + j] = in[j * n + i]. */
static void rows_unshuffle__portable__is_what_the_format_says(void **state) {
    struct scene *s = *state;
    enum { E = 4, N = 6, COUNT_HERE = 5 };
    scene_make(s, 1);
    uint8_t frame[E * N * COUNT_HERE];
    uint32_t n = N * COUNT_HERE;
    for (uint32_t i = 0; i < n; i++)
        for (uint32_t j = 0; j < E; j++)
            frame[i * E + j] = s->src[j * n + i];
    for (uint32_t i = 0; i < COUNT_HERE; i++) {
        s->portable_slots[i] = s->portable;
        s->rows[i] = COUNT_HERE - 1 - i;
    }
    struct hr__row_targets t = {s->portable_slots, s->rows};
    portable_unshuffle(&t, 0, COUNT_HERE, 3, E * N, E, s->src);
    for (uint32_t i = 0; i < COUNT_HERE; i++)
        assert_memory_equal(s->portable + 3 + (size_t)s->rows[i] * E * N, frame + i * E * N, E * N);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_copy__every_size_and_offset__as_portable),
        cmocka_unit_test(rows_unshuffle__elements_of_2__as_portable),
        cmocka_unit_test(rows_unshuffle__elements_of_4__as_portable),
        cmocka_unit_test(rows_unshuffle__elements_of_8__as_portable),
        cmocka_unit_test(rows_unshuffle__elements_of_16__as_portable),
        cmocka_unit_test(rows_unshuffle__portable__is_what_the_format_says),
    };
    return cmocka_run_group_tests(tests, scene_open, scene_close);
}
