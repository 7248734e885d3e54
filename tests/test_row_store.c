/*
 * Every row store that this processor can run against the portable one, bit for bit.
 */
#include "row_store.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define SLOTS      3
#define ROWS       8 /* of a slot */
#define COUNT      11
#define FIRST      100 /* sample of the frame */
#define MOST_BYTES 300
#define SLOT_BYTES ((size_t)ROWS * MOST_BYTES + 320)

/* Both stores write the same rows into slots of the same random bytes. */
struct scene {
    uint8_t src[COUNT * MOST_BYTES + 64 + HR__ROW_SLACK_BYTES];
    uint8_t *ours, *portable; /* SLOTS x SLOT_BYTES, aligned to a line */
    struct hr__row_target our_targets[COUNT], portable_targets[COUNT];
    uint16_t picks[COUNT];
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
    for (uint32_t i = 0; i < COUNT; i++) { /* each place at most once: 24 places, in steps of 7 */
        uint32_t place = (seed + 7 * i) % (SLOTS * ROWS);
        uint32_t sample = FIRST + (seed + 5 * i) % COUNT; /* COUNT is prime */
        size_t slot = place / ROWS * SLOT_BYTES;
        s->our_targets[i] = (struct hr__row_target){s->ours + slot, place % ROWS, sample};
        s->portable_targets[i] = (struct hr__row_target){s->portable + slot, place % ROWS, sample};
        s->picks[i] = (uint16_t)((seed + 3 * i) % COUNT);
    }
}

/* element_bytes 1: plain copies. */
static void compare(const struct hr__row_store *store, struct scene *s, size_t row_bytes,
                    uint32_t element_bytes, uint32_t seed) {
    struct hr__row_group f = {.picks = s->picks,
                              .num_picks = seed % (COUNT + 1),
                              .first_sample = FIRST,
                              .num_samples = COUNT,
                              .frame_samples = 1 + seed / 7 % COUNT,
                              .field_off = seed % 64,
                              .row_bytes = row_bytes,
                              .element_bytes = element_bytes,
                              .src = s->src + seed % 61};
    struct hr__row_group ours = f, portable = f;
    ours.targets = s->our_targets;
    portable.targets = s->portable_targets;
    scene_make(s, seed);
    (element_bytes == 1 ? store->copy : store->unshuffle)(&ours);
    (element_bytes == 1 ? hr__row_store_portable.copy
                        : hr__row_store_portable.unshuffle)(&portable);
    store->fence();
    if (memcmp(s->ours, s->portable, SLOTS * SLOT_BYTES) != 0)
        fail_msg("%s: rows of %zu bytes, elements of %u, %u rows, offset %llu", store->name,
                 row_bytes, element_bytes, f.num_picks, (unsigned long long)f.field_off);
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

/* Every row size with every offset; the number of rows and the source's alignment go through their
 * values at other rates. */
static void all_sizes(struct scene *s, uint32_t element_bytes) {
    for (const struct hr__row_store *const *store = hr__row_stores();
         *store != &hr__row_store_portable; store++) {
        uint32_t seed = 0;
        for (size_t row_bytes = element_bytes; row_bytes <= MOST_BYTES; row_bytes += element_bytes)
            for (uint32_t off = 0; off < 64; off++, seed += 65) /* 65 = 1 mod 64 */
                compare(*store, s, row_bytes, element_bytes, seed);
    }
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
    struct hr__row_target targets[COUNT_HERE];
    const uint16_t picks[COUNT_HERE] = {2, 0, 1, 4, 3};
    for (uint32_t i = 0; i < COUNT_HERE; i++)
        targets[i] = (struct hr__row_target){s->portable, COUNT_HERE - 1 - i, FIRST + i};
    struct hr__row_group f = {targets,    picks, COUNT_HERE, FIRST, COUNT_HERE,
                              COUNT_HERE, 3,     E * N,      E,     s->src};
    hr__row_store_portable.unshuffle(&f);
    for (uint32_t i = 0; i < COUNT_HERE; i++)
        assert_memory_equal(s->portable + 3 + (size_t)targets[i].row * E * N, frame + i * E * N,
                            E * N);
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
