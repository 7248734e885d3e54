/*
 * convert/comparison.c with a source that reads until it is stopped.
 */
#define _GNU_SOURCE
#include "clock.h"
#include "comparison.h"
#include "error.h"
#include "helper_channel.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#define WAIT_NS INT64_C(20000000000)
#define SAMPLES 100000u

struct slow {
    struct hr__source base;
    atomic_uint rooms, stops;
    bool waits;
};

struct slow_reader {
    struct slow *of;
};

static hr_status open_reader(struct hr__source *src, struct hr__budget *budget,
                             struct hr__helper_group *helpers, struct hr__source_reader **out,
                             hr_error *err) {
    (void)helpers;
    struct slow_reader *r = calloc(1, sizeof *r);
    (void)budget;
    (void)err;
    assert_non_null(r);
    r->of = (struct slow *)src;
    *out = (struct hr__source_reader *)r;
    return HR_OK;
}

static hr_status read_rows(struct hr__source_reader *reader, uint64_t first, uint64_t n, void *dst,
                           hr_error *err) {
    struct slow *s = ((struct slow_reader *)reader)->of;
    const int64_t end_ns = hr__now_ns() + WAIT_NS;
    (void)first;
    while (s->waits && atomic_load(&s->stops) == 0 && hr__now_ns() < end_ns)
        (void)nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    if (s->waits)
        return hr__error_set(err, HR_ERR_CANCELLED, "reading was stopped");
    memset(dst, 0, n);
    return HR_OK;
}

static void close_reader(struct hr__source_reader *reader) {
    free(reader);
}

static void set_room(struct hr__source *src, uint64_t n_bytes) {
    assert_true(n_bytes > 0);
    atomic_fetch_add(&((struct slow *)src)->rooms, 1);
}

static void stop(struct hr__source *src) {
    atomic_fetch_add(&((struct slow *)src)->stops, 1);
}

static const struct hr__source_ops ops = {.name = "slow",
                                          .open_reader = open_reader,
                                          .read = read_rows,
                                          .close_reader = close_reader,
                                          .set_room = set_room,
                                          .stop = stop};

static hr_status tell(void *user, uint64_t done_bytes, hr_error *err) {
    (void)done_bytes;
    return *(bool *)user ? hr__error_set(err, HR_ERR_CANCELLED, "enough") : HR_OK;
}

static struct hr__column column_of(struct hr__source *source, uint32_t max_readers) {
    return (struct hr__column){.field = {.name = "x", .dtype = HR_UINT8},
                               .num_samples = SAMPLES,
                               .sample_bytes = 1,
                               .width_bytes = 1,
                               .elements_per_sample = 1,
                               .granule_samples = 1,
                               .max_readers = max_readers,
                               .source = source};
}

static hr_status compare(struct slow *a, struct slow *b, bool cancel, hr_error *err) {
    struct hr__budget budget;
    struct hr__column columns[2];
    struct hr__differences none = {0};
    struct slow *sides[2] = {a, b};
    hr__budget_init_uncounted(&budget);
    budget.limit_bytes = 1 << 20;
    for (int i = 0; i < 2; i++) {
        sides[i]->base.ops = &ops;
        columns[i] = column_of(&sides[i]->base, 4);
    }
    hr_difference room[1];
    none.list = room;
    none.room = 1;
    const struct hr__pair pair = {&columns[0], &columns[1], &none};
    struct hr__helper_group helpers[HR__COMPARE_MAX_WORKERS] = {0};
    const struct hr__comparison all = {.pairs = &pair,
                                       .helpers = helpers,
                                       .num_pairs = 1,
                                       .num_samples = SAMPLES,
                                       .budget = &budget,
                                       .num_threads = 4,
                                       .user = &cancel,
                                       .tell = tell};
    return hr__comparison_run(&all, err);
}

static void pair__cancelled_while_a_read_takes_long__ends_it(void **state) {
    (void)state;
    struct slow a = {.waits = true}, b = {.waits = false};
    hr_error err = {0};
    const int64_t start_ns = hr__now_ns();
    assert_int_equal(compare(&a, &b, true, &err), HR_ERR_CANCELLED);
    assert_string_equal(err.message, "enough");
    assert_true(hr__now_ns() - start_ns < WAIT_NS);
    assert_int_equal(atomic_load(&a.stops), 1);
    assert_int_equal(atomic_load(&b.stops), 1);
}

static void pair__of_sources_with_rooms__sets_each_once(void **state) {
    (void)state;
    struct slow a = {.waits = false}, b = {.waits = false};
    hr_error err = {0};
    assert_int_equal(compare(&a, &b, false, &err), HR_OK);
    assert_int_equal(atomic_load(&a.rooms), 1);
    assert_int_equal(atomic_load(&b.rooms), 1);
    assert_int_equal(atomic_load(&a.stops), 0);
}

/* --- sources that share pieces --------------------------------------------------------------- */

#define PIECE    1000u
#define MEMBERS  3u
#define MAX_READ 4096u

static struct {
    uint32_t n;
    uint64_t piece[MAX_READ];
} reads;

static uint64_t piece_end(const struct hr__source *src, uint64_t sample) {
    (void)src;
    return (sample / PIECE + 1) * PIECE;
}

static hr_status read_piece(struct hr__source_reader *reader, uint64_t first, uint64_t n, void *dst,
                            hr_error *err) {
    (void)reader;
    (void)err;
    assert_int_equal(first / PIECE, (first + n - 1) / PIECE);
    assert_true(reads.n < MAX_READ);
    reads.piece[reads.n++] = first / PIECE;
    for (uint64_t i = 0; i < n; i++)
        ((uint8_t *)dst)[i] = (uint8_t)((first + i) % 251);
    return HR_OK;
}

static const struct hr__source_ops piece_ops = {.name = "pieces",
                                                .open_reader = open_reader,
                                                .read = read_piece,
                                                .close_reader = close_reader,
                                                .piece_end = piece_end};

/* So whoever decodes a piece for all of them does so once. */
static void pairs__of_sources_with_pieces__are_read_in_turns(void **state) {
    (void)state;
    bool cancel = false;
    struct hr__source sources[2 * MEMBERS];
    struct hr__column columns[2 * MEMBERS];
    struct hr__pair pairs[MEMBERS];
    struct hr__differences found[MEMBERS];
    hr_difference room[MEMBERS];
    struct hr__budget budget;
    hr__budget_init_uncounted(&budget);
    budget.limit_bytes = 1 << 20;
    reads.n = 0;
    for (uint32_t i = 0; i < 2 * MEMBERS; i++) {
        sources[i] = (struct hr__source){.ops = &piece_ops};
        columns[i] = column_of(&sources[i], 1);
    }
    for (uint32_t i = 0; i < MEMBERS; i++)
        found[i] = (struct hr__differences){.list = &room[i], .room = 1};
    for (uint32_t i = 0; i < MEMBERS; i++)
        pairs[i] = (struct hr__pair){&columns[2 * i], &columns[2 * i + 1], &found[i]};
    struct hr__helper_group helpers[HR__COMPARE_MAX_WORKERS] = {0};
    const struct hr__comparison all = {.pairs = pairs,
                                       .helpers = helpers,
                                       .num_pairs = MEMBERS,
                                       .num_samples = SAMPLES,
                                       .budget = &budget,
                                       .num_threads = 1,
                                       .user = &cancel,
                                       .tell = tell};
    assert_int_equal(hr__comparison_run(&all, NULL), HR_OK);
    assert_int_equal(reads.n % (2 * MEMBERS), 0);
    for (uint32_t i = 0; i < reads.n; i++) {
        assert_int_equal(reads.piece[i], reads.piece[i / (2 * MEMBERS) * (2 * MEMBERS)]);
        assert_true(i == 0 || reads.piece[i] >= reads.piece[i - 1]);
    }
    for (uint32_t i = 0; i < MEMBERS; i++)
        assert_int_equal(found[i].num_different, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pair__cancelled_while_a_read_takes_long__ends_it),
        cmocka_unit_test(pair__of_sources_with_rooms__sets_each_once),
        cmocka_unit_test(pairs__of_sources_with_pieces__are_read_in_turns),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
