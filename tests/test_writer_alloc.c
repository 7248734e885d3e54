/*
 * Every allocation of a writer fails in turn (link-time --wrap): HR_ERR_NO_MEMORY, no target, no
 * leak, and the file can be written afterwards.
 */
#define _GNU_SOURCE
#include "hrd_reader_util.h"
#include "writer_rows.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define NUM_SAMPLES 400

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

static char folder_path[] = "/tmp/hr-writer-alloc-XXXXXX";
static char target[256];
static char partial[300];

#define OLD_SAMPLES 40

static void fill_columns(void *columns[ROWS_NUM_FIELDS]) {
    for (uint32_t f = 0; f < ROWS_NUM_FIELDS; f++) {
        columns[f] = malloc(NUM_SAMPLES * rows_sample_bytes(&rows_fields[f]));
        rows_fill(&rows_fields[f], f, 0, NUM_SAMPLES, columns[f]);
    }
}

/* So that there are num_samples. */
static hr_status write_all(void *const columns[ROWS_NUM_FIELDS], uint64_t num_samples,
                           uint32_t flags, hr_error *err) {
    hr_writer_options o = HR_WRITER_OPTIONS_INIT;
    o.flags = flags;
    o.samples_per_chunk = 32;
    o.num_threads = 2;
    hr_writer *w = NULL;
    hr_status st = hr_writer_open(target, rows_fields, ROWS_NUM_FIELDS, &o, &w, err);
    const uint64_t have = st == HR_OK ? hr_writer_num_samples(w) : 0;
    const void *rest[ROWS_NUM_FIELDS];
    for (uint32_t f = 0; f < ROWS_NUM_FIELDS; f++)
        rest[f] = (const uint8_t *)columns[f] + have * rows_sample_bytes(&rows_fields[f]);
    if (st == HR_OK)
        st = hr_writer_append(w, num_samples - have, rest, err);
    if (st == HR_OK)
        st = hr_writer_commit(w, err);
    hr_writer_close(w);
    return st;
}

static uint64_t samples_of_target(void) {
    struct hrd_image im;
    hr_error err = {0};
    const hr_status st = hrd_image_load_path(&hr__posix_folder, target, &im, &err);
    if (st != HR_OK)
        fail_msg("%s", err.message);
    const uint64_t n = im.footer.num_samples;
    assert_true(rows_equal(rows_fields, ROWS_NUM_FIELDS, n, im.columns));
    hrd_image_free(&im);
    return n;
}

static void assert_whole(void) {
    assert_int_equal(samples_of_target(), NUM_SAMPLES);
}

static void each_allocation_fails(uint32_t flags) {
    void *columns[ROWS_NUM_FIELDS];
    hr_status st = HR_ERR_NO_MEMORY;
    fill_columns(columns);
    for (long n = 0; st != HR_OK; n++) {
        hr_error err = {0};
        (void)unlink(target);
        if (flags == 0)
            (void)unlink(partial);
        atomic_store(&allocations_left, n);
        st = write_all(columns, NUM_SAMPLES, flags, &err);
        atomic_store(&allocations_left, -1);
        if (st != HR_OK) {
            if (st != HR_ERR_NO_MEMORY)
                fail_msg("allocation %ld: %s: %s", n, hr_status_name(st), err.message);
            assert_int_equal(err.status, st);
            assert_int_equal(access(target, F_OK), -1);
        }
        assert_true(n < 100000);
    }
    assert_whole();
    for (uint32_t f = 0; f < ROWS_NUM_FIELDS; f++)
        free(columns[f]);
}

static void writer__each_allocation_fails__is_an_error(void **state) {
    (void)state;
    each_allocation_fails(0);
}

static void writer__each_allocation_of_a_resume_fails__is_an_error(void **state) {
    (void)state;
    each_allocation_fails(HR_WRITER_RESUME);
}

/* n samples more. */
static void write_small(uint64_t n, uint32_t flags) {
    hr_writer_options o = HR_WRITER_OPTIONS_INIT;
    hr_writer *w = NULL;
    o.flags = flags;
    o.samples_per_chunk = 32;
    assert_int_equal(hr_writer_open(target, rows_fields, ROWS_NUM_FIELDS, &o, &w, NULL), HR_OK);
    const uint64_t have = hr_writer_num_samples(w);
    assert_int_equal(rows_append(w, rows_fields, ROWS_NUM_FIELDS, have, n, n, NULL), HR_OK);
    assert_int_equal(hr_writer_commit(w, NULL), HR_OK);
    hr_writer_close(w);
}

struct saved {
    uint8_t *bytes;
    size_t n_bytes;
    ino_t inode;
};

static struct saved save_target(void) {
    struct stat st;
    assert_int_equal(stat(target, &st), 0);
    struct saved s = {malloc((size_t)st.st_size), (size_t)st.st_size, st.st_ino};
    FILE *f = fopen(target, "rb");
    assert_int_equal(fread(s.bytes, 1, s.n_bytes, f), s.n_bytes);
    fclose(f);
    return s;
}

static void restore_target(const struct saved *s) {
    FILE *f = fopen(target, "wb");
    assert_int_equal(fwrite(s->bytes, 1, s->n_bytes, f), s->n_bytes);
    fclose(f);
}

/* A file of which the next append makes a compact copy. */
static struct saved make_due(void) {
    (void)unlink(target);
    write_small(OLD_SAMPLES, 0);
    for (;;) {
        struct saved before = save_target();
        write_small(1, HR_WRITER_APPEND);
        struct saved after = save_target();
        free(after.bytes);
        if (after.inode != before.inode)
            return before;
        free(before.bytes);
    }
}

/* Each failure comes before the commit, or only hinders the copy. */
static void writer__each_allocation_of_an_append_fails__old_samples_stay(void **state) {
    (void)state;
    void *columns[ROWS_NUM_FIELDS];
    uint64_t num_refused = 0, num_hindered = 0;
    bool copied = false;
    const struct saved due = make_due();
    fill_columns(columns);
    restore_target(&due);
    const uint64_t old = samples_of_target();
    for (long n = 0; !copied; n++) {
        hr_error err = {0};
        restore_target(&due);
        atomic_store(&allocations_left, n);
        const hr_status st = write_all(columns, old + 1, HR_WRITER_APPEND, &err);
        atomic_store(&allocations_left, -1);
        assert_int_equal(samples_of_target(), st == HR_OK ? old + 1 : old);
        if (st != HR_OK && st != HR_ERR_NO_MEMORY)
            fail_msg("allocation %ld: %s: %s", n, hr_status_name(st), err.message);
        struct saved now = save_target();
        free(now.bytes);
        copied = now.n_bytes < due.n_bytes;
        num_refused += st != HR_OK;
        num_hindered += st == HR_OK && !copied;
        assert_int_equal(access(partial, F_OK), -1);
    }
    assert_true(num_refused > 50);
    assert_true(num_hindered > 3);
    free(due.bytes);
    for (uint32_t f = 0; f < ROWS_NUM_FIELDS; f++)
        free(columns[f]);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(writer__each_allocation_fails__is_an_error),
        cmocka_unit_test(writer__each_allocation_of_a_resume_fails__is_an_error),
        cmocka_unit_test(writer__each_allocation_of_an_append_fails__old_samples_stay),
    };
    if (mkdtemp(folder_path) == NULL)
        return 1;
    (void)snprintf(target, sizeof target, "%s/t.hrd", folder_path);
    (void)snprintf(partial, sizeof partial, "%s.partial", target);
    const int rc = cmocka_run_group_tests(tests, NULL, NULL);
    (void)unlink(target);
    (void)unlink(partial);
    (void)rmdir(folder_path);
    return rc;
}
