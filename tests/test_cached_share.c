/*
 * What part of a file the page cache holds (measure/cached_share.c).
 */
#define _GNU_SOURCE
#include "cached_share.h"
#include "dataset.h"
#include "made_dataset.h"

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

static const struct made set = {NUM_CHUNKS * 50, 50, 300, 20, HR_CODEC_ZSTD, HR_FILTER_NONE};

struct subject {
    hr_dataset *ds;
    struct hr__sketch sketch;
};

static void begin(struct subject *s) {
    hr_error err = {0};
    hr_loader_options o = HR_LOADER_OPTIONS_INIT;
    o.batch_samples = 64;
    made_write(made_path(NAME), &set);
    made_ok(hr_dataset_open(made_path(NAME), NULL, &s->ds, &err), &err);
    made_ok(hr__sketch_make(s->ds, &o, HR_IO_CACHED, &s->sketch, &err), &err);
}

static void end(struct subject *s) {
    hr__sketch_free(&s->sketch);
    hr_dataset_close(s->ds);
}

static double share_of(const struct subject *s) {
    hr_error err = {0};
    double share = 0;
    made_ok(hr__cached_share(&s->sketch, &share, &err), &err);
    return share;
}

static bool about(double a, double b) {
    return a > b - 0.001 && a < b + 0.001;
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

static uint64_t off_of(const hr_dataset *ds, uint64_t chunk) {
    hr_error err = {0};
    struct hr__chunk_at at;
    struct hr__index_cache cache = {0};
    made_ok(hr__dataset_locate(ds, chunk, &cache, &at, &err), &err);
    hr__index_cache_free(&cache);
    return at.entry.page * HR__PAGE_BYTES;
}

static void cached__system_that_counts_or_does_not__is_believed_or_asked_for_a_byte(void **state) {
    (void)state;
    struct subject s;
    begin(&s);
    const struct hr__file_ops *real = s.ds->files[0].ops;
    struct hr__file_ops ops = *real;
    middle_off = off_of(s.ds, NUM_CHUNKS / 2);
    s.ds->files[0].ops = &ops;
    ops.cached = one_in_four_counted;
    ops.read_now = now_in_the_first_half;
    assert_true(about(share_of(&s), 0.25));
    ops.cached = none_counted;
    assert_true(about(share_of(&s), 0.5));
    ops.cached = no_count;
    assert_true(about(share_of(&s), 0.5));
    ops.read_now = now_unknown;
    assert_true(share_of(&s) == -1);
    ops.read_now = NULL;
    assert_true(share_of(&s) == -1);
    s.ds->files[0].ops = real;
    end(&s);
}

static void cached__file_just_written_then_dropped__is_counted(void **state) {
    (void)state;
    struct subject s;
    struct statfs fs;
    begin(&s);
    double before = share_of(&s);
    assert_true(before == -1 || before > 0.9);
    int fd = open(made_path(NAME), O_RDONLY);
    assert_int_equal(fsync(fd), 0);
    assert_int_equal(posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED), 0);
    close(fd);
    assert_int_equal(statfs(made_path(NAME), &fs), 0);
    assert_true(fs.f_type == TMPFS_MAGIC || before < 0 || share_of(&s) < 0.5);
    end(&s);
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
