/*
 * Subsets by .npy files: lists longer than a block, wrong ones, and every system call and
 * allocation failing in turn (link-time --wrap): a clear error that names the file, and nothing
 * left.
 */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fault_calls.h"
#include "made_dataset.h"
#include "npy_header.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define NUM_SAMPLES   9001u
#define BLOCK_INDICES 4096u /* of subset_npy.c */

static hr_dataset *data;
static char path[4096];
static uint64_t list[NUM_SAMPLES];

/* Two of three samples; how many. */
static uint64_t list_fill(void) {
    uint64_t n = 0;
    for (uint64_t i = 0; i < NUM_SAMPLES; i++)
        if (i % 3 != 1)
            list[n++] = i;
    assert_true(n > BLOCK_INDICES);
    return n;
}

static void npy_write(const char *dtype, uint64_t n) {
    uint8_t header[256];
    const size_t n_bytes = hr__npy_header_print(dtype, n, NULL, 0, header, sizeof(header));
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(header, 1, n_bytes, f), n_bytes);
    assert_int_equal(fwrite(list, sizeof(*list), n, f), n);
    assert_int_equal(fclose(f), 0);
}

static void check_holds(const hr_subset *s, uint64_t n) {
    static uint64_t found[NUM_SAMPLES];
    hr_error err = {0};
    assert_int_equal(hr_subset_num_samples(s), n);
    made_ok(hr_subset_indices(s, 0, n, found, &err), &err);
    assert_memory_equal(found, list, n * sizeof(*list));
}

static void check_refused(hr_status expected, const char *words) {
    const uint64_t before = hr_memory_in_use();
    hr_error err = {0};
    hr_subset *s = (hr_subset *)&err;
    assert_int_equal(hr_subset_from_npy(data, path, &s, &err), expected);
    assert_null(s);
    if (strstr(err.message, "list.npy") == NULL || strstr(err.message, words) == NULL)
        fail_msg("\"%s\" is not in \"%s\"", words, err.message);
    assert_int_equal(hr_subset_from_npy(data, path, &s, NULL), expected);
    assert_int_equal(hr_memory_in_use(), before);
}

static void npy__more_than_a_block__is_the_list(void **state) {
    (void)state;
    static const char *const dtypes[] = {"<i8", "<u8"};
    const uint64_t n = list_fill();
    for (int i = 0; i < 2; i++) {
        hr_error err = {0};
        hr_subset *s = NULL;
        npy_write(dtypes[i], n);
        made_ok(hr_subset_from_npy(data, path, &s, &err), &err);
        check_holds(s, n);
        hr_subset_free(s);
    }
}

static void npy__wrong_entries__refused_by_their_place(void **state) {
    (void)state;
    const uint64_t n = list_fill();
    list[BLOCK_INDICES] = list[BLOCK_INDICES - 1]; /* the last of the block before */
    npy_write("<i8", n);
    check_refused(HR_ERR_INVALID, "index 4096 of the subset is 6143, after 6143: expected");
    list[BLOCK_INDICES] = NUM_SAMPLES;
    npy_write("<i8", n);
    check_refused(HR_ERR_INVALID, "index 4096 of the subset is sample 9001, it has 9001");
    npy_write("<i8", 0);
    check_refused(HR_ERR_INVALID, "no samples was asked for");
}

static void npy__no_such_list__refused(void **state) {
    (void)state;
    npy_write("<f8", list_fill());
    check_refused(HR_ERR_UNSUPPORTED, "1 dimension of float64, expected one of int64");
    assert_int_equal(truncate(path, 140), 0);
    check_refused(HR_ERR_CORRUPT, "is truncated");
    assert_int_equal(truncate(path, 3), 0);
    check_refused(HR_ERR_CORRUPT, "no .npy file");
    (void)unlink(path);
    check_refused(HR_ERR_NOT_FOUND, "No such file");
    assert_int_equal(hr_subset_from_npy(data, NULL, NULL, NULL), HR_ERR_INVALID);
}

static int count_descriptors(void) {
    int n = 0;
    DIR *d = opendir("/proc/self/fd");
    while (readdir(d) != NULL)
        n++;
    closedir(d);
    return n;
}

static void each_fails(enum fault_kind kind, long at_least) {
    const uint64_t n = list_fill(), in_use = hr_memory_in_use();
    npy_write("<i8", n);
    const int descriptors = count_descriptors();
    for (long nth = 0;; nth++) {
        hr_error err = {0};
        hr_subset *s = NULL;
        fault_arm(kind, nth);
        const hr_status st = hr_subset_from_npy(data, path, &s, &err);
        fault_disarm();
        if (st == HR_OK)
            check_holds(s, n);
        else
            assert_true(s == NULL && err.status == st && err.message[0] != '\0');
        hr_subset_free(s);
        assert_int_equal(hr_memory_in_use(), in_use);
        assert_int_equal(count_descriptors(), descriptors);
        if (fault_hit() == NULL) {
            assert_int_equal(st, HR_OK);
            assert_true(nth >= at_least);
            return;
        }
        assert_int_not_equal(st, HR_OK);
    }
}

static void npy__each_system_call_fails__is_an_error(void **state) {
    (void)state;
    each_fails(FAULT_SYSTEM, 6);
}

static void npy__each_allocation_fails__is_an_error(void **state) {
    (void)state;
    each_fails(FAULT_MEMORY, 6);
}

static int setup(void **state) {
    (void)state;
    const struct made made = {NUM_SAMPLES, 100, 0, 0, HR_CODEC_ZSTD, HR_FILTER_NONE};
    data = made_open("set.hrd", &made);
    (void)snprintf(path, sizeof(path), "%s", made_path("list.npy"));
    return 0;
}

static int teardown(void **state) {
    (void)state;
    hr_dataset_close(data);
    made_cleanup();
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(npy__more_than_a_block__is_the_list),
        cmocka_unit_test(npy__wrong_entries__refused_by_their_place),
        cmocka_unit_test(npy__no_such_list__refused),
        cmocka_unit_test(npy__each_system_call_fails__is_an_error),
        cmocka_unit_test(npy__each_allocation_fails__is_an_error),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
