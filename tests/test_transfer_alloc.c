/*
 * Every allocation of a join fails in turn (link-time --wrap): HR_ERR_NO_MEMORY, no target, no
 * leak, and the parts can be joined afterwards.
 */
#define _GNU_SOURCE
#include "made_dataset.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static atomic_long allocations_left = -1; /* negative: none fails */

static bool may_allocate(void) {
    const long left = atomic_load(&allocations_left);
    return left < 0 || (left > 0 && atomic_fetch_sub(&allocations_left, 1) > 0);
}

void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t n);
void *__real_aligned_alloc(size_t align, size_t n);
char *__real_strdup(const char *s);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t n);
void *__wrap_aligned_alloc(size_t align, size_t n);
char *__wrap_strdup(const char *s);

void *__wrap_malloc(size_t n) {
    return may_allocate() ? __real_malloc(n) : NULL;
}

void *__wrap_calloc(size_t n, size_t size) {
    return may_allocate() ? __real_calloc(n, size) : NULL;
}

void *__wrap_realloc(void *p, size_t n) {
    return may_allocate() ? __real_realloc(p, n) : NULL;
}

void *__wrap_aligned_alloc(size_t align, size_t n) {
    return may_allocate() ? __real_aligned_alloc(align, n) : NULL;
}

char *__wrap_strdup(const char *s) {
    return may_allocate() ? __real_strdup(s) : NULL;
}

/* Jansson is no part of the library, and its own allocations are not wrapped. */
static void each_allocation_fails(hr_status (*run)(const char *output, uint32_t flags,
                                                   hr_error *err),
                                  const char *output) {
    bool failed = true;
    long n = 0;
    for (; failed; n++) {
        hr_error err = {0};
        (void)unlink(output);
        atomic_store(&allocations_left, n);
        const hr_status st = run(output, 0, &err);
        failed = atomic_exchange(&allocations_left, -1) <= 0;
        if (st == HR_OK)
            continue;
        if (st != HR_ERR_NO_MEMORY)
            fail_msg("allocation %ld: %s: %s", n, hr_status_name(st), err.message);
        assert_int_equal(err.status, st);
        assert_int_not_equal(access(output, F_OK), 0);
        made_ok(run(output, 0, &err), &err);
    }
    assert_true(n > 30);
    hr_error err = {0};
    made_ok(hr_dataset_verify(output, NULL, &err), &err);
}

static char *parts[2];

static hr_status join(const char *output, uint32_t flags, hr_error *err) {
    hr_join_options o = HR_JOIN_OPTIONS_INIT;
    o.flags = flags;
    o.parts = (const char *const *)parts;
    o.num_parts = 2;
    o.output = output;
    o.num_threads = 2;
    return hr_join(&o, NULL, err);
}

static void join__each_allocation_fails__says_so_and_goes_on(void **state) {
    (void)state;
    const struct made m = {.num_samples = 500, .samples_per_chunk = 60, .row_bytes = 30};
    parts[0] = strdup(made_path("a.hrd"));
    parts[1] = strdup(made_path("b.hrd"));
    char *output = strdup(made_path("all.hrd"));
    made_write_part(parts[0], &m, 0, 200);
    made_write_part(parts[1], &m, 200, 300);
    each_allocation_fails(join, output);
    free(parts[0]);
    free(parts[1]);
    free(output);
}

static void flip(const char *path, long off) {
    FILE *f = fopen(path, "r+b");
    assert_non_null(f);
    assert_int_equal(fseek(f, off, SEEK_SET), 0);
    const int c = fgetc(f);
    assert_int_equal(fseek(f, off, SEEK_SET), 0);
    assert_int_not_equal(fputc(c ^ 16, f), EOF);
    assert_int_equal(fclose(f), 0);
}

static hr_status salvage(const char *output, uint32_t flags, hr_error *err) {
    hr_salvage_options o = HR_SALVAGE_OPTIONS_INIT;
    o.flags = flags;
    o.path = parts[0];
    o.output = output;
    return hr_salvage(&o, NULL, err);
}

static void salvage__each_allocation_fails__says_so_and_leaves_nothing(void **state) {
    (void)state;
    const struct made m = {.num_samples = 500, .samples_per_chunk = 60, .row_bytes = 30};
    parts[0] = strdup(made_path("damaged.hrd"));
    char *output = strdup(made_path("saved.hrd"));
    made_write(parts[0], &m);
    flip(parts[0], 131072 + 700);
    each_allocation_fails(salvage, output); /* by the index */
    flip(parts[0], 0);
    flip(parts[0], 65536);
    each_allocation_fails(salvage, output); /* page by page */
    free(parts[0]);
    free(output);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(join__each_allocation_fails__says_so_and_goes_on),
        cmocka_unit_test(salvage__each_allocation_fails__says_so_and_leaves_nothing),
    };
    const int rc = cmocka_run_group_tests(tests, NULL, NULL);
    made_cleanup();
    return rc;
}
