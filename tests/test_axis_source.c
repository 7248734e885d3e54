/*
 * Samples along any axis of arrays in either order: compared with a slow reference, for random
 * shapes, widths and rooms; the input is read once, in order where it must be; the temporary file
 * is checked; what is not there or does not fit is refused.
 */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "axis_plan.h"
#include "axis_source.h"
#include "axis_spill.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char folder[] = "/tmp/headrace-axis-XXXXXX";
static char output[256];

/* Where samples are put together; it has its name only while it is made. */
static const char *temporary(void) {
    static char path[300];
    (void)snprintf(path, sizeof path, "%s.axis", output);
    return path;
}

static void put_in_the_way(void) {
    FILE *f = fopen(temporary(), "w");
    assert_true(f != NULL && fputs("mine", f) >= 0 && fclose(f) == 0);
}
static uint32_t seed;

static uint32_t random_below(uint32_t n) {
    seed = seed * 1664525u + 1013904223u;
    return (uint32_t)(((uint64_t)(seed >> 8) * n) >> 24);
}

/* ---- an input in memory ---- */

struct memory_source {
    struct hr__source base;
    uint8_t *bytes;
    bool anywhere;
    uint64_t next, num_read; /* units */
};

static hr_status memory_open(struct hr__source *src, struct hr__budget *budget,
                             struct hr__helper_group *helpers, struct hr__source_reader **out,
                             hr_error *err) {
    (void)helpers;
    (void)budget;
    (void)err;
    *out = (struct hr__source_reader *)src;
    return HR_OK;
}

static hr_status memory_read(struct hr__source_reader *r, uint64_t first, uint64_t n, void *dst,
                             hr_error *err) {
    struct memory_source *m = (struct memory_source *)r;
    uint64_t unit = m->base.info.sample_bytes;
    (void)err;
    assert_true(first <= m->base.info.num_samples && n <= m->base.info.num_samples - first);
    assert_true(m->anywhere || first == m->next);
    memcpy(dst, m->bytes + first * unit, (size_t)(n * unit));
    m->next = first + n;
    m->num_read += n;
    return HR_OK;
}

static void memory_close_reader(struct hr__source_reader *r) {
    (void)r;
}

static void memory_close(struct hr__source *src) {
    free(((struct memory_source *)src)->bytes);
    free(src);
}

static const struct hr__source_ops memory_ops = {.name = "memory",
                                                 .open_reader = memory_open,
                                                 .read = memory_read,
                                                 .close_reader = memory_close_reader,
                                                 .close = memory_close};

static uint64_t elements_of(const struct hr__axis_array *a) {
    uint64_t n = 1;
    for (uint32_t i = 0; i < a->rank; i++)
        n *= a->shape[i];
    return n;
}

/* Of unit_bytes (0: of elements) at a time, filled with random bytes. */
static struct memory_source *make_memory(const struct hr__axis_array *a, uint64_t unit_bytes,
                                         bool anywhere) {
    struct memory_source *m = calloc(1, sizeof *m);
    uint64_t total = elements_of(a) * a->width_bytes;
    assert_non_null(m);
    m->bytes = malloc((size_t)total + 1);
    assert_non_null(m->bytes);
    for (uint64_t i = 0; i < total; i++)
        m->bytes[i] = (uint8_t)random_below(256);
    m->base.ops = &memory_ops;
    m->anywhere = anywhere;
    m->base.info.path = "made up";
    m->base.info.sample_bytes = unit_bytes != 0 ? unit_bytes : a->width_bytes;
    m->base.info.num_samples = total / m->base.info.sample_bytes;
    return m;
}

/* ---- the reference ---- */

/* Element by element: sample after sample, each in C order of the other axes. */
static uint8_t *reference(const struct hr__axis_array *a, uint32_t axis, const uint8_t *bytes) {
    uint64_t n = elements_of(a), at[HR_MAX_RANK + 1] = {0};
    uint8_t *out = malloc((size_t)(n * a->width_bytes) + 1);
    assert_non_null(out);
    for (uint64_t i = 0; i < n; i++) { /* in C order of the array */
        uint64_t from = 0, to = at[axis];
        for (uint32_t k = 0; k < a->rank; k++) {
            uint32_t j = a->fortran ? a->rank - 1 - k : k;
            from = from * a->shape[j] + at[j];
            if (k != axis)
                to = to * a->shape[k] + at[k];
        }
        memcpy(out + to * a->width_bytes, bytes + from * a->width_bytes, a->width_bytes);
        for (uint32_t k = a->rank; k-- > 0 && ++at[k] == a->shape[k];)
            at[k] = 0;
    }
    return out;
}

static struct hr__source *make(struct memory_source *m, const struct hr__axis_array *a,
                               int32_t axis) {
    const struct hr__axis_input_array input = {
        .array = *a,
        .element = {.dtype = HR_FIXED_BYTES, .width_bytes = a->width_bytes},
        .anywhere = m->anywhere};
    const struct hr__axis_options opts = {.axis = axis, .output = output, .check_space = true};
    struct hr__source *src = NULL;
    hr_error err = {0};
    if (hr__axis_source_make(&m->base, &input, &opts, &src, &err) != HR_OK)
        fail_msg("%s", err.message);
    return src;
}

/* All samples, in steps, with exactly the memory that it says it takes. */
static void check_samples(struct hr__source *src, const uint8_t *expected, uint64_t step) {
    const int there_before = access(temporary(), F_OK);
    struct hr__budget budget;
    struct hr__source_reader *r = NULL;
    hr_error err = {0};
    uint64_t size = src->info.sample_bytes;
    uint8_t *rows = malloc((size_t)(step * size) + 1);
    assert_non_null(rows);
    hr__budget_init(&budget, src->info.reader_bytes);
    if (src->ops->open_reader(src, &budget, NULL, &r, &err) != HR_OK)
        fail_msg("%s", err.message);
    for (uint64_t at = 0; at < src->info.num_samples; at += step) {
        uint64_t n = src->info.num_samples - at < step ? src->info.num_samples - at : step;
        if (src->ops->read(r, at, n, rows, &err) != HR_OK)
            fail_msg("%s", err.message);
        assert_memory_equal(rows, expected + at * size, (size_t)(n * size));
    }
    src->ops->close_reader(r);
    assert_int_equal(budget.reserved_bytes, 0);
    hr__budget_close(&budget);
    free(rows);
    assert_int_equal(access(temporary(), F_OK), there_before); /* none is left */
}

static void random_array(struct hr__axis_array *a) {
    static const uint32_t widths[] = {1, 2, 3, 4, 8, 12, 16};
    *a = (struct hr__axis_array){.rank = 1 + random_below(5),
                                 .fortran = random_below(2),
                                 .width_bytes = widths[random_below(7)]};
    for (uint32_t i = 0; i < a->rank; i++)
        a->shape[i] = 1 + random_below(random_below(3) == 0 ? 40 : 5);
}

static void check_random(bool anywhere) {
    struct hr__axis_array a;
    random_array(&a);
    uint32_t axis = random_below(a.rank);
    struct memory_source *m = make_memory(&a, 0, anywhere);
    uint8_t *expected = reference(&a, axis, m->bytes);
    struct hr__source *src =
        make(m, &a, random_below(2) ? (int32_t)axis : (int32_t)(axis - a.rank));
    assert_int_equal(src->info.num_samples, a.shape[axis]);
    src->ops->set_room(src, random_below(2) ? random_below(200) : random_below(20000));
    check_samples(src, expected, 1 + random_below(7));
    assert_int_equal(m->num_read, elements_of(&a));
    free(expected);
    src->ops->close(src);
}

static void samples__of_random_arrays__are_those_of_the_reference(void **state) {
    (void)state;
    for (seed = 0; seed < 4000000000u; seed += 1000003) {
        uint32_t kept = seed;
        check_random(kept % 2 == 0);
        seed = kept;
    }
}

/* As HDF5 is read: in whole entries of the first axis. */
static void samples__of_an_input_that_gives_rows__are_those_of_the_reference(void **state) {
    (void)state;
    for (uint32_t i = 0; i < 1500; i++) {
        struct hr__axis_array a;
        seed = i;
        random_array(&a);
        a.fortran = false;
        a.rank = a.rank < 2 ? 2 : a.rank;
        a.shape[1] = a.shape[1] < 2 ? 2 : a.shape[1];
        uint32_t axis = 1 + random_below(a.rank - 1);
        uint64_t row = elements_of(&a) / a.shape[0] * a.width_bytes;
        if (row == 0)
            continue;
        struct memory_source *m = make_memory(&a, row, false);
        uint8_t *expected = reference(&a, axis, m->bytes);
        struct hr__source *src = make(m, &a, (int32_t)axis);
        src->ops->set_room(src, random_below(3000));
        check_samples(src, expected, 1 + random_below(7));
        assert_int_equal(m->num_read, a.shape[0]);
        free(expected);
        src->ops->close(src);
    }
}

/* Runs of 64 KiB and more are read where they lie. */
static void samples__of_long_runs__need_no_file(void **state) {
    (void)state;
    struct hr__axis_array a = {
        .rank = 3, .shape = {20000, 3, 4}, .fortran = true, .width_bytes = 8};
    struct memory_source *m = make_memory(&a, 0, true);
    uint8_t *expected = reference(&a, 0, m->bytes);
    struct hr__source *src = make(m, &a, 0);
    src->ops->set_room(src, 9000 * 96);
    assert_int_equal(src->info.reader_bytes, 9000 * 96);
    put_in_the_way(); /* a temporary file would be refused */
    check_samples(src, expected, 4096);
    assert_int_equal(unlink(temporary()), 0);
    assert_int_equal(m->num_read, elements_of(&a));
    free(expected);
    src->ops->close(src);
}

static void samples__going_back__is_fine(void **state) {
    (void)state;
    struct hr__axis_array a = {.rank = 2, .shape = {50, 30}, .fortran = true, .width_bytes = 4};
    struct memory_source *m = make_memory(&a, 0, false);
    uint8_t *expected = reference(&a, 0, m->bytes);
    struct hr__source *src = make(m, &a, 0);
    struct hr__source_reader *r = NULL;
    struct hr__budget budget;
    uint8_t row[120];
    src->ops->set_room(src, 700);
    hr__budget_init(&budget, src->info.reader_bytes);
    assert_int_equal(src->ops->open_reader(src, &budget, NULL, &r, NULL), HR_OK);
    for (uint64_t i = 0; i < 200; i++) {
        uint64_t at = i * 37 % 50;
        assert_int_equal(src->ops->read(r, at, 1, row, NULL), HR_OK);
        assert_memory_equal(row, expected + at * sizeof row, sizeof row);
    }
    assert_int_equal(src->ops->read(r, 50, 1, row, NULL), HR_ERR_INVALID);
    src->ops->close_reader(r);
    free(expected);
    src->ops->close(src);
}

static void samples__without_bytes__are_none_to_read(void **state) {
    (void)state;
    static const uint64_t shapes[][3] = {{0, 4, 5}, {4, 0, 5}, {4, 5, 0}};
    for (size_t i = 0; i < 3; i++)
        for (int32_t axis = 0; axis < 3; axis++) {
            struct hr__axis_array a = {.rank = 3, .fortran = true, .width_bytes = 4};
            memcpy(a.shape, shapes[i], sizeof shapes[i]);
            struct memory_source *m = make_memory(&a, 0, true);
            struct hr__source *src = make(m, &a, axis);
            assert_int_equal(src->info.num_samples, a.shape[axis]);
            src->ops->set_room(src, 100);
            check_samples(src, (const uint8_t *)"", 3);
            assert_int_equal(m->num_read, 0);
            src->ops->close(src);
        }
}

static void samples__stopped__say_so(void **state) {
    (void)state;
    struct hr__axis_array a = {.rank = 2, .shape = {50, 30}, .fortran = true, .width_bytes = 4};
    struct memory_source *m = make_memory(&a, 0, false);
    struct hr__source *src = make(m, &a, 0);
    struct hr__source_reader *r = NULL;
    struct hr__budget budget;
    uint8_t row[120];
    hr__budget_init(&budget, src->info.reader_bytes);
    assert_int_equal(src->ops->open_reader(src, &budget, NULL, &r, NULL), HR_OK);
    src->ops->stop(src);
    assert_int_equal(src->ops->read(r, 0, 1, row, NULL), HR_ERR_CANCELLED);
    src->ops->close_reader(r);
    src->ops->close(src);
}

static void axis__that_is_not_there__is_refused(void **state) {
    (void)state;
    struct hr__axis_layout l;
    hr_error err = {0};
    struct hr__axis_array a = {.rank = 3, .shape = {2, 3, 4}, .width_bytes = 4};
    assert_int_equal(hr__axis_layout_make(&a, 3, &l, &err), HR_ERR_INVALID);
    assert_non_null(strstr(err.message, "from -3 to 2"));
    assert_int_equal(hr__axis_layout_make(&a, -4, &l, NULL), HR_ERR_INVALID);
    assert_int_equal(hr__axis_layout_make(&a, INT32_MIN, &l, NULL), HR_ERR_INVALID);
    assert_int_equal(hr__axis_layout_make(&a, -3, &l, NULL), HR_OK);
    a.rank = 1; /* it has no other */
    assert_int_equal(hr__axis_layout_make(&a, 5, &l, NULL), HR_OK);
    assert_true(hr__axis_layout_is_plain(&a, 5));
    a = (struct hr__axis_array){
        .rank = 3, .shape = {UINT64_C(1) << 40, UINT64_C(1) << 20, 8}, .width_bytes = 1};
    assert_int_equal(hr__axis_layout_make(&a, 0, &l, NULL), HR_ERR_UNSUPPORTED);
}

/* ---- the temporary file ---- */

static void flip(int fd, uint64_t off) {
    uint8_t b;
    assert_int_equal(pread(fd, &b, 1, (off_t)off), 1);
    b ^= 1;
    assert_int_equal(pwrite(fd, &b, 1, (off_t)off), 1);
}

static hr_status memory_input(void *ctx, uint64_t off, uint64_t n_bytes, void *dst, hr_error *err) {
    (void)err;
    memcpy(dst, (const uint8_t *)ctx + off, (size_t)n_bytes);
    return HR_OK;
}

/* Every byte of it, in turn. */
static void file__a_flipped_bit__is_found(void **state) {
    (void)state;
    enum { SAMPLES = 40, OTHERS = 15 };
    struct hr__axis_array a = {
        .rank = 2, .shape = {SAMPLES, OTHERS}, .fortran = true, .width_bytes = 1};
    static uint8_t bytes[SAMPLES * OTHERS], block[SAMPLES * OTHERS], stage[512];
    uint64_t hashes[SAMPLES] = {0};
    char path[300];
    struct hr__axis_layout l;
    struct hr__axis_plan plan;
    assert_int_equal(hr__axis_layout_make(&a, 0, &l, NULL), HR_OK);
    hr__axis_plan_make(&l, 1, HR__AXIS_IN_ORDER, 150, &plan);
    assert_true(plan.spilled && plan.num_panels > 3 && plan.stage_bytes <= sizeof stage);
    struct hr__axis_spill s = {.layout = &l, .plan = &plan, .hashes = hashes, .stage = stage};
    (void)snprintf(path, sizeof path, "%s/spill", folder);
    assert_int_equal(hr__posix_folder.open(hr__posix_folder.ctx, path, O_RDWR | O_CREAT, &s.file),
                     0);
    const struct hr__axis_input input = {.read = memory_input, .ctx = bytes};
    assert_int_equal(hr__axis_spill_fill(&s, &input, block, NULL), HR_OK);
    int fd = open(path, O_RDWR);
    for (uint64_t off = 0; off < sizeof bytes; off++) {
        hr_error err = {0};
        uint64_t panel = off / (plan.panel_samples * OTHERS);
        flip(fd, off);
        assert_int_equal(hr__axis_spill_read(&s, panel, block, &err), HR_ERR_CORRUPT);
        assert_non_null(strstr(err.message, "temporary file"));
        flip(fd, off);
        assert_int_equal(hr__axis_spill_read(&s, panel, block, NULL), HR_OK);
    }
    assert_int_equal(ftruncate(fd, sizeof bytes - 1), 0);
    assert_int_equal(hr__axis_spill_read(&s, plan.num_panels - 1, block, NULL), HR_ERR_CORRUPT);
    (void)close(fd);
    hr__file_close(&s.file);
    (void)unlink(path);
}

/* Of a million short samples, whose table would be larger than all else. */
static void plan__without_room__takes_the_least(void **state) {
    (void)state;
    struct hr__axis_array a = {.rank = 2, .shape = {1000000, 3}, .fortran = true, .width_bytes = 1};
    struct hr__axis_layout l;
    struct hr__axis_plan none, plan;
    assert_int_equal(hr__axis_layout_make(&a, 0, &l, NULL), HR_OK);
    hr__axis_plan_make(&l, 1, HR__AXIS_IN_ORDER, 0, &none);
    assert_true(none.spilled && none.own_bytes < 16384);
    for (uint64_t room = 1; room < 3000000; room += 1 + room / 3) {
        hr__axis_plan_make(&l, 1, HR__AXIS_IN_ORDER, room, &plan);
        assert_true(plan.own_bytes >= none.own_bytes);
    }
}

static void file__something_in_its_way__is_kept_and_refused(void **state) {
    (void)state;
    struct hr__axis_array a = {.rank = 2, .shape = {50, 30}, .fortran = true, .width_bytes = 4};
    struct memory_source *m = make_memory(&a, 0, false);
    struct hr__source *src = make(m, &a, 0);
    struct hr__source_reader *r = NULL;
    struct hr__budget budget;
    hr_error err = {0};
    uint8_t row[120];
    put_in_the_way();
    src->ops->set_room(src, 700);
    hr__budget_init(&budget, src->info.reader_bytes);
    assert_int_equal(src->ops->open_reader(src, &budget, NULL, &r, NULL), HR_OK);
    assert_int_equal(src->ops->read(r, 0, 1, row, &err), HR_ERR_EXISTS);
    assert_non_null(strstr(err.message, "putting samples together"));
    assert_int_equal(access(temporary(), F_OK), 0);
    src->ops->close_reader(r);
    src->ops->close(src);
    assert_int_equal(unlink(temporary()), 0);
}

static int make_folder(void **state) {
    (void)state;
    if (mkdtemp(folder) == NULL)
        return -1;
    (void)snprintf(output, sizeof output, "%s/out.hrd", folder);
    return 0;
}

static int remove_folder(void **state) {
    (void)state;
    return rmdir(folder);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(samples__of_random_arrays__are_those_of_the_reference),
        cmocka_unit_test(samples__of_an_input_that_gives_rows__are_those_of_the_reference),
        cmocka_unit_test(samples__of_long_runs__need_no_file),
        cmocka_unit_test(samples__going_back__is_fine),
        cmocka_unit_test(samples__without_bytes__are_none_to_read),
        cmocka_unit_test(samples__stopped__say_so),
        cmocka_unit_test(axis__that_is_not_there__is_refused),
        cmocka_unit_test(file__a_flipped_bit__is_found),
        cmocka_unit_test(plan__without_room__takes_the_least),
        cmocka_unit_test(file__something_in_its_way__is_kept_and_refused),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
