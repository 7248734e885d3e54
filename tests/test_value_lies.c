/*
 * A reader of values of variable length against helpers that lie, which this program plays itself:
 * named by its mode, it answers in slots of values whose lengths follow from their index.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "budget.h"
#include "bytes.h"
#include "fake_helper.h"
#include "helper_variable.h"
#include "made_dataset.h"

#include "headrace/memory.h"

#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#define SAMPLES     5000u
#define LONG_SAMPLE 4000u /* of LONG_BYTES in some modes */
#define LONG_BYTES  (UINT64_C(3) << 20)

static uint64_t length_of(const char *mode, uint64_t sample) {
    if (sample == LONG_SAMPLE && strcmp(mode, "long") == 0)
        return LONG_BYTES;
    return sample % 40 * 4;
}

static struct hr__helper_field variable_field(void) {
    return (struct hr__helper_field){.dtype = HR_INT32,
                                     .num_samples = SAMPLES,
                                     .granule_samples = 1,
                                     .flags = HR__HELPER_VARIABLE,
                                     .member = "x",
                                     .name = "x"};
}

/* --- the helper ----------------------------------------------------------------------------- */

static bool is(const char *mode, const char *name) {
    return strcmp(mode, name) == 0;
}

/* As many values as fit. */
static uint64_t fill(const char *mode, const struct hr__helper_message *m, uint8_t *slot,
                     uint64_t slot_bytes) {
    uint64_t n = 0, end = 0;
    while (n < m->n && n < 700 && (n + 1) * 8 + end + length_of(mode, m->first + n) <= slot_bytes)
        end += length_of(mode, m->first + n++);
    if (n == 0)
        hr__put_u64(slot, length_of(mode, m->first));
    end = 0;
    for (uint64_t i = 0; i < n; i++) {
        const uint64_t n_bytes = length_of(mode, m->first + i);
        memset(slot + n * 8 + end, (int)((m->first + i) & 0x7f), n_bytes);
        hr__put_u64(slot + i * 8, end += n_bytes);
    }
    return n;
}

static void lie(const char *mode, struct hr__helper_message *rows, uint8_t *slot,
                uint64_t slot_bytes) {
    rows->slot ^= is(mode, "other_slot");
    rows->first += is(mode, "other_first");
    if (is(mode, "more"))
        rows->n = UINT32_MAX;
    if (is(mode, "descending"))
        hr__put_u64(slot, 8);
    if (is(mode, "beyond"))
        hr__put_u64(slot + (rows->n - 1) * 8, slot_bytes);
    if (is(mode, "odd"))
        hr__put_u64(slot + 8, 3);
    if (is(mode, "none") || is(mode, "endless"))
        rows->n = 0;
    if (is(mode, "none"))
        hr__put_u64(slot, 7);
    if (is(mode, "endless"))
        hr__put_u64(slot, UINT64_MAX);
}

static int play(const char *mode, int socket) {
    struct hr__helper_message m, hello = {.type = HR__HELPER_HELLO, .text = "fake"};
    uint64_t slot_bytes = 0;
    uint8_t *slots = NULL;
    fake_say(socket, &hello);
    for (;;) {
        struct hr__helper_message answer = {.type = HR__HELPER_OPENED, .field = variable_field()};
        int fd = -1;
        fake_hear(socket, &m, &fd);
        if (m.type == HR__HELPER_OPEN) {
            slots = (uint8_t *)fake_map(fd, m.slot_bytes);
            slot_bytes = m.slot_bytes;
            answer.field.flags = is(mode, "rows") ? 0 : HR__HELPER_VARIABLE;
            answer.field.sample_bytes = is(mode, "rows") ? 4 : 0;
        } else {
            uint8_t *slot = slots + m.slot * slot_bytes;
            answer = m;
            answer.type = HR__HELPER_ROWS;
            answer.n = fill(mode, &m, slot, slot_bytes);
            lie(mode, &answer, slot, slot_bytes);
        }
        fake_say(socket, &answer);
    }
    return 0;
}

/* --- the reader ----------------------------------------------------------------------------- */

static void check(const char *mode, uint64_t first, uint64_t n, const int64_t *offsets,
                  const uint8_t *values) {
    for (uint64_t i = 0; i < n; i++) {
        const uint64_t n_bytes = (uint64_t)(offsets[i + 1] - offsets[i]);
        assert_int_equal(n_bytes, length_of(mode, first + i));
        for (uint64_t k = 0; k < n_bytes; k += 3)
            assert_int_equal(values[(uint64_t)offsets[i] + k], (first + i) & 0x7f);
    }
}

/* Lengths first, then values, `step` samples at once, or as many as come at once where it is 0. */
static hr_status read_steps(struct hr__helper_variable *r, const char *mode, uint64_t step,
                            hr_error *err) {
    int64_t *offsets = malloc((SAMPLES + 1) * sizeof *offsets);
    uint8_t *values = malloc(8u << 20);
    hr_status st = HR_OK;
    assert_true(offsets != NULL && values != NULL);
    for (uint64_t first = 0, n; st == HR_OK && first < SAMPLES; first += n) {
        n = step != 0 && step < SAMPLES - first ? step : SAMPLES - first;
        if (step == 0)
            st = hr__helper_variable_fetch(r, first, n, &n, err);
        if (st == HR_OK)
            st = hr__helper_variable_read(r, first, n, offsets, NULL, 0, err);
        if (st == HR_OK)
            st = hr__helper_variable_read(r, first, n, offsets, values, (uint64_t)offsets[n], err);
        if (st == HR_OK)
            check(mode, first, n, offsets, values);
    }
    free(values);
    free(offsets);
    return st;
}

struct opened {
    struct hr__helper_target target;
    struct hr__budget budget;
    struct hr__helper_variable *reader;
};

/* memory_bytes: of the helper; 0: what it needs. */
static hr_status open_reader(struct opened *o, const char *mode, uint64_t budget_bytes,
                             uint64_t memory_bytes, hr_error *err) {
    o->target = (struct hr__helper_target){
        .path = "some.h5",
        .field = variable_field(),
        .opts = {.timeout_ns = INT64_C(5000000000), .memory_bytes = memory_bytes},
        .program = fake_program(mode)};
    hr__budget_init(&o->budget, budget_bytes);
    const hr_status st = hr__helper_variable_open(&o->target, &o->budget, NULL, &o->reader, err);
    assert_true((st == HR_OK) == (o->reader != NULL));
    return st;
}

static void close_reader(struct opened *o) {
    hr__helper_variable_close(o->reader);
    assert_int_equal(o->budget.reserved_bytes, 0);
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
}

static hr_status read_all(const char *mode, uint64_t step, uint64_t budget_bytes, hr_error *err) {
    struct opened o;
    hr_status st = open_reader(&o, mode, budget_bytes, 0, err);
    if (st == HR_OK)
        st = read_steps(o.reader, mode, step, err);
    close_reader(&o);
    return st;
}

static void values__good_helper__are_all_read(void **state) {
    (void)state;
    static const uint64_t steps[] = {0, 1, 333, SAMPLES};
    const uint64_t least = hr__helper_variable_least_bytes(&(struct hr__helper_field){0});
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        hr_error err = {.status = HR_OK};
        if (read_all("good", steps[i], UINT64_C(16) << 20, &err) != HR_OK ||
            read_all("good", steps[i], least, &err) != HR_OK)
            fail_msg("%s", err.message);
    }
}

static void values__one_longer_than_a_slot__starts_another_helper(void **state) {
    (void)state;
    hr_error err = {.status = HR_OK};
    if (read_all("long", 0, UINT64_C(64) << 20, &err) != HR_OK ||
        read_all("long", SAMPLES, UINT64_C(64) << 20, &err) != HR_OK)
        fail_msg("%s", err.message);
}

static void values__one_longer_than_the_budget__is_refused_by_number_and_size(void **state) {
    (void)state;
    hr_error err = {.status = HR_OK};
    assert_int_equal(read_all("long", 0, UINT64_C(8) << 20, &err), HR_ERR_BUDGET);
    assert_non_null(strstr(err.message, "some.h5:/x: sample 4000 has 3145728 bytes"));
    assert_non_null(strstr(err.message, "larger by"));
}

static void values__one_longer_than_a_helper_may_hold__is_refused_by_that(void **state) {
    (void)state;
    hr_error err = {.status = HR_OK};
    struct opened o;
    assert_int_equal(open_reader(&o, "long", UINT64_C(64) << 20, UINT64_C(72) << 20, &err), HR_OK);
    assert_int_equal(read_steps(o.reader, "long", 0, &err), HR_ERR_HELPER);
    assert_non_null(strstr(err.message, "some.h5:/x: sample 4000 has 3145728 bytes"));
    assert_non_null(strstr(err.message, "it may use 75497472; allow it more"));
    assert_null(strstr(err.message, "budget"));
    close_reader(&o);
}

static void values__one_longer_than_the_cap__is_refused_by_that(void **state) {
    (void)state;
    hr_error err = {.status = HR_OK};
    hr_memory_set_cap(UINT64_C(8) << 20);
    assert_int_equal(read_all("long", 0, UINT64_C(64) << 20, &err), HR_ERR_BUDGET);
    hr_memory_set_cap(0);
    assert_non_null(strstr(err.message, "some.h5:/x: sample 4000 has 3145728 bytes"));
    assert_non_null(strstr(err.message, "process-wide cap of 8.0 MiB"));
}

/* The window that is read ahead then begins with the long one. */
static hr_status read_before_the_long_one(struct hr__helper_variable *r, uint64_t *at,
                                          hr_error *err) {
    hr_status st = HR_OK;
    for (uint64_t n; st == HR_OK && *at < LONG_SAMPLE; *at += n)
        st = hr__helper_variable_fetch(r, *at, LONG_SAMPLE - *at, &n, err);
    return st;
}

static void values__one_too_long_ahead__fails_no_read_of_others(void **state) {
    (void)state;
    int64_t offsets[101];
    uint8_t values[100 * 40 * 4];
    uint64_t at = 0, n;
    hr_error err = {.status = HR_OK};
    struct opened o;
    assert_int_equal(open_reader(&o, "long", UINT64_C(8) << 20, 0, &err), HR_OK);
    if (read_before_the_long_one(o.reader, &at, &err) != HR_OK ||
        hr__helper_variable_read(o.reader, 1000, 100, offsets, values, sizeof values, &err) !=
            HR_OK)
        fail_msg("%s", err.message);
    check("long", 1000, 100, offsets, values);
    assert_int_equal(hr__helper_variable_fetch(o.reader, at, 1, &n, &err), HR_ERR_BUDGET);
    close_reader(&o);
}

static void values__budget_too_small__is_refused(void **state) {
    (void)state;
    const uint64_t least = hr__helper_variable_least_bytes(&(struct hr__helper_field){0});
    assert_int_equal(read_all("good", 0, least - 1, NULL), HR_ERR_BUDGET);
}

static void values__lying_helpers__are_errors(void **state) {
    (void)state;
    static const char *const modes[][2] = {{"other_slot", "not asked for"},
                                           {"other_first", "not asked for"},
                                           {"more", "not asked for"},
                                           {"descending", "in no slot"},
                                           {"beyond", "in no slot"},
                                           {"odd", "in no slot"},
                                           {"none", "a length that cannot be"},
                                           {"endless", "a length that cannot be"}};
    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++) {
        hr_error err = {.status = HR_OK};
        hr_status st = read_all(modes[i][0], 0, UINT64_C(16) << 20, &err);
        if (st != HR_ERR_HELPER || strstr(err.message, modes[i][1]) == NULL)
            fail_msg("%s: %d %s", modes[i][0], st, err.message);
    }
}

static void values__of_what_has_none_any_more__is_an_error(void **state) {
    (void)state;
    hr_error err = {.status = HR_OK};
    assert_int_equal(read_all("rows", 0, UINT64_C(16) << 20, &err), HR_ERR_DATA);
    assert_non_null(strstr(err.message, "changed"));
}

int main(int argc, char **argv) {
    if (argc == 5)
        return play(strrchr(argv[0], '/') + 1, atoi(argv[2]));
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values__good_helper__are_all_read),
        cmocka_unit_test(values__one_longer_than_a_slot__starts_another_helper),
        cmocka_unit_test(values__one_longer_than_the_budget__is_refused_by_number_and_size),
        cmocka_unit_test(values__one_longer_than_a_helper_may_hold__is_refused_by_that),
        cmocka_unit_test(values__one_longer_than_the_cap__is_refused_by_that),
        cmocka_unit_test(values__one_too_long_ahead__fails_no_read_of_others),
        cmocka_unit_test(values__budget_too_small__is_refused),
        cmocka_unit_test(values__lying_helpers__are_errors),
        cmocka_unit_test(values__of_what_has_none_any_more__is_an_error),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    made_cleanup();
    return failed;
}
