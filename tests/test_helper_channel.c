/*
 * Helpers that several arrays share. This program is its own helper: started under the name of a
 * mode it plays that mode.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fake_helper.h"
#include "helper_reader.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define TIMEOUT_NS   INT64_C(5000000000)
#define NUM_ARRAYS   40u
#define STEP         1000u
#define SMALL_BUDGET 40000u /* several windows */

/* --- the helper ----------------------------------------------------------------------------- */

static void die_at(const struct hr__helper_message *m, uint64_t sample) {
    if (m->type == HR__HELPER_READ && m->array == 1 && m->first >= sample)
        (void)raise(SIGKILL);
}

/* Of array 1 it dies, swaps the number, or has no such data set. */
static int play(const char *mode, int socket) {
    struct hr__helper_message m, hello = {.type = HR__HELPER_HELLO, .text = "fake"};
    uint32_t *rows[2] = {NULL};
    uint64_t slot_bytes = 0;
    fake_say(socket, &hello);
    for (;;) {
        struct hr__helper_message answer = {.type = HR__HELPER_OPENED, .field = fake_field()};
        int fd = -1;
        fake_hear(socket, &m, &fd);
        if (strcmp(mode, "dies") == 0)
            die_at(&m, 5 * STEP);
        if (m.type == HR__HELPER_OPEN) {
            rows[m.array] = fake_map(fd, m.slot_bytes);
            slot_bytes = m.slot_bytes;
        } else {
            answer = m;
            answer.type = HR__HELPER_ROWS;
            fake_fill(rows[m.array], slot_bytes, &m);
            answer.array ^= strcmp(mode, "swaps") == 0;
        }
        if (strcmp(mode, "lacks") == 0 && m.array == 1)
            answer = (struct hr__helper_message){
                .type = HR__HELPER_ERROR, .status = HR_ERR_NOT_FOUND, .text = "it is gone"};
        fake_say(socket, &answer);
    }
    return 0;
}

/* --- the tests ------------------------------------------------------------------------------ */

static unsigned count_helpers(void) {
    char path[64], text[4096];
    unsigned n = 0;
    (void)snprintf(path, sizeof path, "/proc/self/task/%d/children", (int)getpid());
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    const size_t length = fread(text, 1, sizeof text - 1, f);
    (void)fclose(f);
    for (size_t i = 0; i < length; i++)
        n += text[i] == ' ';
    return n;
}

struct arrays {
    struct hr__helper_target targets[NUM_ARRAYS];
    char names[NUM_ARRAYS][8];
    struct hr__helper_reader *readers[NUM_ARRAYS];
    struct hr__helper_group group;
    struct hr__budget budgets[NUM_ARRAYS];
};

static void make_target(struct arrays *a, uint32_t i, const char *mode, uint32_t max_helpers) {
    (void)snprintf(a->names[i], sizeof a->names[i], "x%u", i);
    a->targets[i] =
        (struct hr__helper_target){.path = "some.h5",
                                   .field = fake_field(),
                                   .opts = {.timeout_ns = TIMEOUT_NS, .max_helpers = max_helpers},
                                   .program = fake_program(mode)};
    a->targets[i].field.member = a->names[i];
    hr__budget_init(&a->budgets[i], SMALL_BUDGET);
}

static void open_array(struct arrays *a, uint32_t i) {
    hr_error err = {.status = HR_OK};
    if (hr__helper_reader_open(&a->targets[i], &a->budgets[i], &a->group, &a->readers[i], &err) !=
        HR_OK)
        fail_msg("%s", err.message);
}

static void open_arrays(struct arrays *a, uint32_t n) {
    for (uint32_t i = 0; i < n; i++)
        open_array(a, i);
}

static hr_status read_step(struct hr__helper_reader *r, uint64_t first, hr_error *err) {
    uint32_t rows[STEP];
    const hr_status st = hr__helper_reader_read(r, first, STEP, rows, err);
    for (uint32_t i = 0; st == HR_OK && i < STEP; i++)
        assert_int_equal(rows[i], first + i);
    return st;
}

static void close_arrays(struct arrays *a) {
    for (uint32_t i = 0; i < NUM_ARRAYS; i++) {
        hr__helper_reader_close(a->readers[i]);
        assert_int_equal(a->budgets[i].reserved_bytes, 0);
    }
    assert_null(a->group.channels);
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
}

/* More than can be asked for at once. */
static void group__many_arrays__share_the_helpers_and_give_every_row(void **state) {
    (void)state;
    static const uint32_t max_helpers[] = {1, 3, 64};
    for (size_t k = 0; k < sizeof max_helpers / sizeof *max_helpers; k++) {
        struct arrays a = {.group = {.num_groups = 1}};
        for (uint32_t i = 0; i < NUM_ARRAYS; i++)
            make_target(&a, i, "good", max_helpers[k]);
        open_arrays(&a, NUM_ARRAYS);
        assert_int_equal(count_helpers(),
                         max_helpers[k] < NUM_ARRAYS ? max_helpers[k] : NUM_ARRAYS);
        for (uint64_t at = 0; at < 10 * STEP; at += STEP)
            for (uint32_t i = 0; i < NUM_ARRAYS; i++)
                assert_int_equal(read_step(a.readers[i], at, NULL), HR_OK);
        close_arrays(&a);
    }
}

static void group__several_groups__have_their_part_of_the_helpers(void **state) {
    (void)state;
    struct arrays a = {.group = {.num_groups = 2}};
    for (uint32_t i = 0; i < NUM_ARRAYS; i++)
        make_target(&a, i, "good", 5);
    open_arrays(&a, NUM_ARRAYS);
    assert_int_equal(count_helpers(), 2);
    close_arrays(&a);
}

static void group__arrays_of_another_file__have_another_helper(void **state) {
    (void)state;
    struct arrays a = {.group = {.num_groups = 1}};
    for (uint32_t i = 0; i < 4; i++) {
        make_target(&a, i, "good", 1);
        a.targets[i].path = i % 2 == 0 ? "some.h5" : "other.h5";
    }
    open_arrays(&a, 4);
    assert_int_equal(count_helpers(), 2);
    close_arrays(&a);
}

/* A limit that was given is one of each helper: what does not fit beside others has its own. */
static void group__helpers_may_not_hold_all__there_are_more(void **state) {
    (void)state;
    struct arrays a = {.group = {.num_groups = 1}};
    for (uint32_t i = 0; i < 3; i++) {
        make_target(&a, i, "good", 1);
        a.targets[i].opts.memory_bytes =
            HR__HELPER_BASE_BYTES + 2 * hr__helper_reader_wanted_bytes(&a.targets[i].field);
        hr__budget_init(&a.budgets[i], UINT64_C(1) << 30);
    }
    open_arrays(&a, 3);
    assert_int_equal(count_helpers(), 2);
    for (uint32_t i = 0; i < 3; i++)
        assert_int_equal(read_step(a.readers[i], 0, NULL), HR_OK);
    close_arrays(&a);
}

/* Its answers still come, and its number is used again. */
static void leaving__while_answers_are_awaited__disturbs_nobody(void **state) {
    (void)state;
    struct arrays a = {.group = {.num_groups = 1}};
    for (uint32_t i = 0; i < 8; i++)
        make_target(&a, i, "good", 1);
    open_arrays(&a, 8);
    for (uint32_t round = 0; round < 20; round++) {
        for (uint32_t i = 0; i < 8; i++)
            for (uint64_t at = 0; at < 3 * STEP; at += STEP)
                assert_int_equal(read_step(a.readers[i], at, NULL), HR_OK);
        for (uint32_t i = round % 2; i < 8; i += 2) {
            hr__helper_reader_close(a.readers[i]);
            open_array(&a, i);
        }
    }
    assert_int_equal(count_helpers(), 1);
    close_arrays(&a);
}

/* What the helper is at is named, whoever finds out; then all get the same. */
static void failure__of_one_array__is_named_and_everybodys(void **state) {
    (void)state;
    struct arrays a = {.group = {.num_groups = 1}};
    hr_error first = {.status = HR_OK}, second = {.status = HR_OK};
    hr_status st = HR_OK;
    make_target(&a, 0, "dies", 1);
    make_target(&a, 1, "dies", 1);
    open_arrays(&a, 2);
    for (uint64_t at = 0; st == HR_OK; at += STEP)
        for (uint32_t i = 0; i < 2 && st == HR_OK; i++)
            st = read_step(a.readers[i], at, &first);
    assert_int_equal(st, HR_ERR_HELPER);
    if (strstr(first.message, "some.h5:/x1: ") == NULL)
        fail_msg("%s", first.message);
    assert_non_null(strstr(first.message, "SIGKILL"));
    for (uint32_t i = 0; i < 2; i++) {
        assert_int_equal(read_step(a.readers[i], 50 * STEP, &second), HR_ERR_HELPER);
        assert_string_equal(second.message, first.message);
    }
    close_arrays(&a);
}

static void failure__to_open_one_array__leaves_the_others(void **state) {
    (void)state;
    struct arrays a = {.group = {.num_groups = 1}};
    hr_error err = {.status = HR_OK};
    make_target(&a, 0, "lacks", 1);
    make_target(&a, 1, "lacks", 1);
    open_arrays(&a, 2);
    for (uint64_t at = 0; at < 10 * STEP; at += STEP) {
        assert_int_equal(read_step(a.readers[1], at, &err), HR_ERR_NOT_FOUND);
        assert_string_equal(err.message, "some.h5:/x1: it is gone");
        assert_int_equal(read_step(a.readers[0], at, NULL), HR_OK);
    }
    close_arrays(&a);
}

static void failure__rows_of_another_array__are_a_lie(void **state) {
    (void)state;
    struct arrays a = {.group = {.num_groups = 1}};
    hr_error err = {.status = HR_OK};
    make_target(&a, 0, "swaps", 1);
    open_arrays(&a, 1);
    assert_int_equal(read_step(a.readers[0], 0, &err), HR_ERR_HELPER);
    assert_non_null(strstr(err.message, "some.h5:/x0: "));
    assert_non_null(strstr(err.message, "unasked"));
    close_arrays(&a);
}

int main(int argc, char **argv) {
    if (argc == 5) {
        const char *mode = strrchr(argv[0], '/') + 1;
        return strcmp(mode, "good") == 0 ? fake_serve(atoi(argv[2])) : play(mode, atoi(argv[2]));
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(group__many_arrays__share_the_helpers_and_give_every_row),
        cmocka_unit_test(group__several_groups__have_their_part_of_the_helpers),
        cmocka_unit_test(group__arrays_of_another_file__have_another_helper),
        cmocka_unit_test(group__helpers_may_not_hold_all__there_are_more),
        cmocka_unit_test(leaving__while_answers_are_awaited__disturbs_nobody),
        cmocka_unit_test(failure__of_one_array__is_named_and_everybodys),
        cmocka_unit_test(failure__to_open_one_array__leaves_the_others),
        cmocka_unit_test(failure__rows_of_another_array__are_a_lie),
    };
    return cmocka_run_group_tests_name("helper_channel", tests, NULL, NULL);
}
