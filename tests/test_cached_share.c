/*
 * What part of a file the page cache holds (measure/cached_share.c).
 */
#define _GNU_SOURCE
#include "cached_share.h"
#include "dataset.h"
#include "made_dataset.h"
#include "memory_file.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <cmocka.h>

#define NAME       "cached.hrd"
#define NUM_CHUNKS 80u

static const struct made example = {.num_samples = NUM_CHUNKS * 50,
                                    .samples_per_chunk = 50,
                                    .row_bytes = 300,
                                    .row_words = 20,
                                    .codec = HR_CODEC_ZSTD,
                                    .filter = HR_FILTER_BYTE_SHUFFLE};

static hr_loader_options shuffled(void) {
    hr_loader_options o = HR_LOADER_OPTIONS_INIT;
    o.flags = HR_LOADER_SHUFFLE;
    o.batch_samples = 64;
    o.window_visits = 16;
    o.num_threads = 2;
    return o;
}

/* The data set in a file in memory. */
static hr_dataset *open_in_memory(struct memory_file *f) {
    hr_error err = {0};
    hr_dataset *ds = NULL;
    made_write(made_path(NAME), &example);
    memory_file_load(f, made_path(NAME), 0);
    made_ok(hr__dataset_open_in(&f->folder, NAME, NULL, &ds, &err), &err);
    return ds;
}

static struct hr__sketch *sketch_of(hr_dataset *ds, const hr_loader_options *lo) {
    static struct hr__sketch s;
    hr_error err = {0};
    made_ok(hr__sketch_make(ds, lo, HR_IO_CACHED, &s, &err), &err);
    return &s;
}

/* As under overlayfs: not even what was just read. */
static int64_t none_counted(void *ctx, uint64_t n_bytes, uint64_t off) {
    (void)ctx, (void)n_bytes, (void)off;
    return 0;
}

static int64_t one_in_four_counted(void *ctx, uint64_t n_bytes, uint64_t off) {
    (void)ctx, (void)off;
    return (int64_t)(n_bytes / 4);
}

static int64_t no_count(void *ctx, uint64_t n_bytes, uint64_t off) {
    (void)ctx, (void)n_bytes, (void)off;
    return -ENOSYS;
}

static uint64_t middle_off; /* of the chunks */

static int64_t now_in_the_first_half(void *ctx, void *buf, size_t n_bytes, uint64_t off) {
    (void)ctx, (void)buf, (void)n_bytes;
    return off < middle_off ? 1 : -EAGAIN;
}

static int64_t now_unknown(void *ctx, void *buf, size_t n_bytes, uint64_t off) {
    (void)ctx, (void)buf, (void)n_bytes, (void)off;
    return -EOPNOTSUPP;
}

static void cached__system_that_counts_or_does_not__is_believed_or_asked_for_a_byte(void **state) {
    (void)state;
    hr_error err = {0};
    double share = 0;
    struct memory_file f;
    hr_dataset *ds = open_in_memory(&f);
    const struct hr__file_ops *real = ds->files[0].ops;
    struct hr__file_ops ops = *real;
    hr_loader_options lo = shuffled();
    struct hr__sketch *sketch = sketch_of(ds, &lo);
    struct hr__chunk_at middle;
    struct hr__index_cache cache = {0};
    made_ok(hr__dataset_locate(ds, NUM_CHUNKS / 2, &cache, &middle, &err), &err);
    hr__index_cache_free(&cache);
    middle_off = middle.entry.page * HR__PAGE_BYTES;
    ds->files[0].ops = &ops;
    ops.cached = no_count;
    ops.read_now = now_in_the_first_half;
    made_ok(hr__cached_share(sketch, &share, &err), &err);
    assert_true(share > 0.499 && share < 0.501);
    ops.cached = none_counted;
    share = 0;
    made_ok(hr__cached_share(sketch, &share, &err), &err);
    assert_true(share > 0.499 && share < 0.501);
    ops.cached = one_in_four_counted;
    made_ok(hr__cached_share(sketch, &share, &err), &err);
    assert_true(share > 0.249 && share < 0.251);
    ops.cached = no_count;
    ops.read_now = now_unknown;
    made_ok(hr__cached_share(sketch, &share, &err), &err);
    assert_true(share == -1);
    ops.read_now = NULL;
    made_ok(hr__cached_share(sketch, &share, &err), &err);
    assert_true(share == -1);
    hr__sketch_free(sketch);
    ds->files[0].ops = real;
    hr_dataset_close(ds);
    memory_file_free(&f);
}

static void cached__file_just_written_then_dropped__is_counted(void **state) {
    (void)state;
    hr_error err = {0};
    double share = 0;
    hr_dataset *ds = NULL;
    hr_loader_options lo = shuffled();
    made_write(made_path(NAME), &example);
    made_ok(hr_dataset_open(made_path(NAME), NULL, &ds, &err), &err);
    struct hr__sketch *s = sketch_of(ds, &lo);
    made_ok(hr__cached_share(s, &share, &err), &err);
    assert_true(share == -1 || share > 0.9);
    int fd = open(made_path(NAME), O_RDONLY);
    assert_int_equal(fsync(fd), 0);
    assert_int_equal(posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED), 0);
    close(fd);
    double after = 0;
    struct statfs fs;
    made_ok(hr__cached_share(s, &after, &err), &err);
    assert_int_equal(statfs(made_path(NAME), &fs), 0);
    assert_true(fs.f_type == TMPFS_MAGIC || share < 0 || after < 0.5);
    hr__sketch_free(s);
    hr_dataset_close(ds);
}

static int teardown(void **state) {
    (void)state;
    made_cleanup();
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cached__system_that_counts_or_does_not__is_believed_or_asked_for_a_byte),
        cmocka_unit_test(cached__file_just_written_then_dropped__is_counted),
    };
    alarm(100); /* a hang is a failure */
    return cmocka_run_group_tests(tests, NULL, teardown);
}
