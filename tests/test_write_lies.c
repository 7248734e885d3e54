/*
 * The real helper is told things about a file of values of variable length that cannot be: each is
 * an error, and the conversation goes on. Skipped where the helper is not built.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "bytes.h"
#include "helper_process.h"
#include "made_dataset.h"
#include "shared_memory.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define SLOT_BYTES 8192u

static const char *path;
static struct hr__helper *helper;
static uint8_t *slots;

static bool helper_is_built(void) {
    char *program = NULL;
    const bool found = hr__helper_find(&program, NULL) == HR_OK;
    free(program);
    return found;
}

/* HR_OK: it says that it is done. */
static hr_status tell(const struct hr__helper_message *m, int fd) {
    struct hr__helper_message answer;
    assert_int_equal(hr__helper_send(helper, m, fd, NULL), HR_OK);
    assert_int_equal(hr__helper_receive(helper, &answer, NULL), HR_OK);
    if (answer.type == HR__HELPER_DONE)
        return HR_OK;
    assert_int_equal(answer.type, HR__HELPER_ERROR);
    return answer.status;
}

static hr_status create(bool zip) {
    struct hr__helper_message m = {.type = HR__HELPER_CREATE,
                                   .flags = zip ? HR__HELPER_ZIP : 0,
                                   .count = 1,
                                   .slot_bytes = SLOT_BYTES,
                                   .path = path};
    int fd = -1;
    assert_int_equal(
        hr__shared_memory_make(HR__HELPER_NUM_SLOTS * SLOT_BYTES, true, &slots, &fd, NULL), HR_OK);
    const hr_status st = tell(&m, fd);
    (void)close(fd);
    return st;
}

static hr_status begin(const char *name, hr_dtype dtype, bool text, uint64_t n) {
    const struct hr__helper_message m = {.type = HR__HELPER_BEGIN_VALUES,
                                         .flags = text ? HR__HELPER_TEXT : 0,
                                         .field = {.dtype = dtype,
                                                   .num_samples = n,
                                                   .sample_bytes = hr_dtype_bytes(dtype),
                                                   .granule_samples = 1,
                                                   .member = name,
                                                   .name = ""}};
    return tell(&m, -1);
}

static hr_status send(enum hr__helper_type type, uint32_t slot, uint64_t first, uint64_t n) {
    const struct hr__helper_message m = {.type = type, .slot = slot, .first = first, .n = n};
    return tell(&m, -1);
}

static hr_status values(uint64_t first, uint64_t n) {
    return send(HR__HELPER_VALUES, 0, first, n);
}

static void put_ends(uint64_t a, uint64_t b, uint64_t c) {
    hr__put_u64(slots, a);
    hr__put_u64(slots + 8, b);
    hr__put_u64(slots + 16, c);
}

static int start(void **state) {
    (void)state;
    const struct hr__helper_limits limits = {.writes = true, .memory_bytes = UINT64_C(1) << 30};
    const int fd = open(path, O_CREAT | O_TRUNC | O_WRONLY, 0600);
    if (fd < 0 || close(fd) != 0)
        return -1;
    return hr__helper_start(NULL, path, &limits, &helper, NULL) == HR_OK ? 0 : -1;
}

static int stop(void **state) {
    (void)state;
    hr__helper_close(helper);
    if (slots != NULL)
        (void)munmap(slots, HR__HELPER_NUM_SLOTS * SLOT_BYTES);
    slots = NULL;
    return 0;
}

static void values__before_there_is_a_file_or_an_array__are_refused(void **state) {
    (void)state;
    assert_int_equal(values(0, 1), HR_ERR_INVALID);
    assert_int_equal(begin("x", HR_INT32, false, 3), HR_ERR_INVALID);
    assert_int_equal(create(false), HR_OK);
    assert_int_equal(values(0, 1), HR_ERR_INVALID);
    assert_int_equal(begin("x", HR_INT32, false, 0), HR_OK);
    assert_int_equal(values(0, 0), HR_ERR_INVALID);
    assert_int_equal(values(0, 1), HR_ERR_INVALID);
    assert_int_equal(send(HR__HELPER_FINISH, 0, 0, 0), HR_OK);
}

static void values__ends_that_cannot_be__are_refused(void **state) {
    (void)state;
    assert_int_equal(create(false), HR_OK);
    assert_int_equal(begin("x", HR_INT32, false, 3), HR_OK);
    put_ends(4, 0, 8);
    assert_int_equal(values(0, 3), HR_ERR_INVALID);
    put_ends(4, 6, 8);
    assert_int_equal(values(0, 3), HR_ERR_INVALID);
    put_ends(4, 8, SLOT_BYTES - 20);
    assert_int_equal(values(0, 3), HR_ERR_INVALID);
    put_ends(4, 8, UINT64_MAX - 3);
    assert_int_equal(values(0, 3), HR_ERR_INVALID);
    put_ends(4, 8, SLOT_BYTES - 24);
    assert_int_equal(values(0, 3), HR_OK);
    assert_int_equal(send(HR__HELPER_FINISH, 0, 0, 0), HR_OK);
}

static void values__not_the_next_ones__are_refused(void **state) {
    (void)state;
    assert_int_equal(create(false), HR_OK);
    assert_int_equal(begin("a/x", HR_INT32, false, 3), HR_OK);
    put_ends(4, 8, 12);
    assert_int_equal(values(1, 1), HR_ERR_INVALID);
    assert_int_equal(values(0, 4), HR_ERR_INVALID);
    assert_int_equal(values(0, SLOT_BYTES), HR_ERR_INVALID);
    assert_int_equal(send(HR__HELPER_WRITE, 0, 0, 1), HR_ERR_INVALID);
    assert_int_equal(values(0, 2), HR_OK);
    assert_int_equal(values(0, 1), HR_ERR_INVALID);
    assert_int_equal(values(2, 2), HR_ERR_INVALID);
    assert_int_equal(begin("y", HR_INT32, false, 1), HR_ERR_INVALID);
    assert_int_equal(send(HR__HELPER_FINISH, 0, 0, 0), HR_ERR_INVALID);
}

static void values__text_with_a_zero__is_refused(void **state) {
    (void)state;
    assert_int_equal(create(false), HR_OK);
    assert_int_equal(begin("t", HR_UINT8, true, 3), HR_OK);
    put_ends(2, 2, 5);
    memcpy(slots + 24, "ab\0de", 5);
    assert_int_equal(values(0, 3), HR_ERR_INVALID);
    memcpy(slots + 24, "abcde", 5);
    assert_int_equal(values(0, 3), HR_OK);
    assert_int_equal(send(HR__HELPER_FINISH, 0, 0, 0), HR_OK);
}

static void values__for_an_archive__are_refused(void **state) {
    (void)state;
    assert_int_equal(create(true), HR_OK);
    assert_int_equal(begin("x", HR_INT32, false, 3), HR_ERR_INVALID);
    assert_int_equal(values(0, 1), HR_ERR_INVALID);
}

#define WITH_HELPER(test) cmocka_unit_test_setup_teardown(test, start, stop)

int main(void) {
    const struct CMUnitTest tests[] = {
        WITH_HELPER(values__before_there_is_a_file_or_an_array__are_refused),
        WITH_HELPER(values__ends_that_cannot_be__are_refused),
        WITH_HELPER(values__not_the_next_ones__are_refused),
        WITH_HELPER(values__text_with_a_zero__is_refused),
        WITH_HELPER(values__for_an_archive__are_refused),
    };
    if (!helper_is_built())
        return 77;
    path = made_path("a.h5");
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    made_cleanup();
    return failed;
}
