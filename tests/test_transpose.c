/*
 * Rows of random matrices that come by columns, in memory and through a file, against rows that
 * were put together one by one; entries that are not those that were counted; a file that is not
 * what was written.
 */
#include "transpose.h"

#include "made_dataset.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define ROWS    700u
#define ENTRIES 20000u
#define WIDTH   4u

/* Entry i is in row rows[i] and has the value i. */
struct entries {
    uint32_t num_rows, n;
    uint32_t rows[ENTRIES];
};

static struct entries *random_entries(uint32_t seed, uint32_t num_rows, uint32_t n) {
    static struct entries e;
    uint32_t r = seed;
    e = (struct entries){.num_rows = num_rows, .n = n};
    for (uint32_t i = 0; i < n; i++) {
        r = r * 1664525u + 1013904223u;
        const uint32_t row = (r >> 8) % num_rows;
        e.rows[i] = (r >> 4) % 3 == 0 ? row / 10 : row; /* the first rows are long */
    }
    return &e;
}

static hr_status put_all(struct hr__transpose *t, const struct entries *e, hr_error *err) {
    for (uint32_t i = 0; i < e->n; i++) {
        const hr_status st = hr__transpose_put(t, e->rows[i], (const uint8_t *)&i, err);
        if (st != HR_OK)
            return st;
    }
    return hr__transpose_finish(t, err);
}

/* counted: what is counted; put: what is put. output NULL: no file. */
static hr_status turn(struct hr__transpose *t, const struct entries *counted,
                      const struct entries *put, const char *output, struct hr__budget *budget,
                      hr_error *err) {
    hr_status st = hr__transpose_open(t, counted->num_rows, WIDTH, budget, err);
    if (st != HR_OK)
        return st;
    for (uint32_t i = 0; i < counted->n; i++)
        hr__transpose_count(t, counted->rows[i]);
    st = hr__transpose_place(t, output, true, "some.h5ad", err);
    return st == HR_OK ? put_all(t, put, err) : st;
}

static void assert_row(struct hr__transpose *t, const struct entries *e, uint64_t row) {
    uint64_t end, n = 0;
    assert_int_equal(hr__transpose_load(t, row, &end, NULL), HR_OK);
    assert_true(end > row);
    const uint8_t *values = hr__transpose_values(t, row);
    for (uint32_t i = 0; i < e->n; i++)
        if (e->rows[i] == row)
            assert_memory_equal(values + WIDTH * n++, &i, WIDTH);
    assert_int_equal(t->starts[row + 1] - t->starts[row], n);
}

static void assert_rows(struct hr__transpose *t, const struct entries *e) {
    for (uint64_t row = 0; row < e->num_rows; row++)
        assert_row(t, e, row);
    for (uint64_t i = 0; i < e->num_rows; i += 5)
        assert_row(t, e, i * 331 % e->num_rows);
}

static void assert_nothing_held(struct hr__transpose *t, struct hr__budget *budget) {
    hr__transpose_close(t);
    assert_int_equal(atomic_load(&budget->reserved_bytes), 0);
    hr__budget_close(budget);
}

static void turn__with_room__is_in_memory(void **state) {
    (void)state;
    for (uint32_t seed = 0; seed < 5; seed++) {
        const struct entries *e = random_entries(seed, 1 + seed * 173, seed * 4000);
        struct hr__transpose t;
        struct hr__budget budget = {0};
        hr__budget_init(&budget, 1 << 20);
        assert_int_equal(turn(&t, e, e, NULL, &budget, NULL), HR_OK);
        assert_int_equal(t.num_buckets, 1);
        assert_rows(&t, e);
        assert_nothing_held(&t, &budget);
    }
}

static void turn__with_little_room__goes_through_a_file(void **state) {
    (void)state;
    const struct entries *e = random_entries(1, ROWS, ENTRIES);
    struct hr__transpose t;
    struct hr__budget budget = {0};
    hr__budget_init(&budget, (ROWS + 1) * 8 + 30000);
    assert_int_equal(turn(&t, e, e, made_path("turned"), &budget, NULL), HR_OK);
    assert_true(t.num_buckets > 3);
    assert_rows(&t, e);
    assert_nothing_held(&t, &budget);
}

static void turn__of_no_rows_or_no_entries__has_none(void **state) {
    (void)state;
    struct hr__transpose t;
    struct hr__budget budget = {0};
    struct entries none = {.num_rows = 0};
    hr__budget_init(&budget, 1 << 20);
    assert_int_equal(turn(&t, &none, &none, NULL, &budget, NULL), HR_OK);
    hr__transpose_close(&t);
    none.num_rows = 9;
    assert_int_equal(turn(&t, &none, &none, NULL, &budget, NULL), HR_OK);
    assert_rows(&t, &none);
    assert_nothing_held(&t, &budget);
}

static void turn__nowhere_for_a_file__says_so(void **state) {
    (void)state;
    const struct entries *e = random_entries(1, ROWS, ENTRIES);
    struct hr__transpose t;
    struct hr__budget budget = {0};
    hr_error err;
    hr__budget_init(&budget, (ROWS + 1) * 8 + 30000);
    assert_int_equal(turn(&t, e, e, NULL, &budget, &err), HR_ERR_UNSUPPORTED);
    assert_non_null(strstr(err.message, "some.h5ad: it is stored by columns"));
    assert_nothing_held(&t, &budget);
}

/* Every budget does or says what it lacks. */
static void turn__of_every_budget__is_right_or_refused(void **state) {
    (void)state;
    const struct entries *e = random_entries(2, 50, 2000);
    uint32_t done = 0, refused = 0;
    for (uint64_t n_bytes = 1; n_bytes < 20000; n_bytes += n_bytes / 7 + 1) {
        struct hr__transpose t;
        struct hr__budget budget = {0};
        hr_error err = {0};
        uint64_t end;
        hr__budget_init(&budget, n_bytes);
        hr_status st = turn(&t, e, e, made_path("turned"), &budget, &err);
        for (uint64_t row = 0; st == HR_OK && row < e->num_rows; row++)
            st = hr__transpose_load(&t, row, &end, &err);
        assert_true(st == HR_OK || st == HR_ERR_BUDGET);
        if (st == HR_OK)
            assert_rows(&t, e);
        else
            assert_non_null(strstr(err.message, "budget"));
        done += st == HR_OK;
        refused += st != HR_OK;
        assert_nothing_held(&t, &budget);
    }
    assert_true(done > 3 && refused > 3);
}

/* One entry is in another row than it was. */
static void turn__of_other_entries_than_were_counted__is_an_error(void **state) {
    (void)state;
    static struct entries other;
    for (uint32_t in_file = 0; in_file < 2; in_file++)
        for (uint32_t i = 0; i < ENTRIES; i += 1999) {
            const struct entries *e = random_entries(3, ROWS, ENTRIES);
            struct hr__transpose t;
            struct hr__budget budget = {0};
            other = *e;
            other.rows[i] = (other.rows[i] + 1 + i % 5) % ROWS;
            hr__budget_init(&budget, in_file == 0 ? 1 << 20 : (ROWS + 1) * 8 + 30000);
            assert_int_equal(turn(&t, e, &other, made_path("turned"), &budget, NULL), HR_ERR_DATA);
            assert_nothing_held(&t, &budget);
        }
}

static void load__of_a_file_that_changed__is_corrupt(void **state) {
    (void)state;
    const struct entries *e = random_entries(4, ROWS, ENTRIES);
    for (uint64_t off = 0; off < 8; off++) {
        struct hr__transpose t;
        struct hr__budget budget = {0};
        uint8_t byte;
        uint64_t end;
        hr__budget_init(&budget, (ROWS + 1) * 8 + 30000);
        assert_int_equal(turn(&t, e, e, made_path("turned"), &budget, NULL), HR_OK);
        assert_int_equal(t.file.ops->read(t.file.ctx, &byte, 1, off), 1);
        byte ^= 0x80;
        assert_int_equal(t.file.ops->write(t.file.ctx, &byte, 1, off), 0);
        assert_int_equal(hr__transpose_load(&t, 0, &end, NULL), HR_ERR_CORRUPT);
        assert_nothing_held(&t, &budget);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(turn__with_room__is_in_memory),
        cmocka_unit_test(turn__with_little_room__goes_through_a_file),
        cmocka_unit_test(turn__of_no_rows_or_no_entries__has_none),
        cmocka_unit_test(turn__nowhere_for_a_file__says_so),
        cmocka_unit_test(turn__of_every_budget__is_right_or_refused),
        cmocka_unit_test(turn__of_other_entries_than_were_counted__is_an_error),
        cmocka_unit_test(load__of_a_file_that_changed__is_corrupt),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
