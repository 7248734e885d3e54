/*
 * A real file system of 1 MiB that fills up. Needs the right to mount; skipped (77) without it.
 */
#define _GNU_SOURCE
#include "hrd_reader_util.h"
#include "writer_rows.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include <cmocka.h>

static char folder_path[] = "/tmp/hr-writer-disk-XXXXXX";
static char target[256];

static hr_status write_raw(uint64_t n, uint32_t flags, hr_error *err) {
    hr_writer_options o = HR_WRITER_OPTIONS_INIT;
    o.flags = flags;
    o.codec = HR_CODEC_RAW;
    hr_writer *w = NULL;
    hr_status st = hr_writer_open(target, rows_fields, ROWS_NUM_FIELDS, &o, &w, err);
    if (st == HR_OK)
        st = rows_append(w, rows_fields, ROWS_NUM_FIELDS, 0, n, 1000, err);
    if (st == HR_OK)
        st = hr_writer_commit(w, err);
    hr_writer_close(w);
    return st;
}

static void assert_samples(uint64_t n) {
    struct hrd_image im;
    hr_error err = {0};
    assert_int_equal(hrd_image_load_path(&hr__posix_folder, target, &im, &err), HR_OK);
    assert_int_equal(im.footer.num_samples, n);
    assert_true(rows_equal(rows_fields, ROWS_NUM_FIELDS, n, im.columns));
    hrd_image_free(&im);
}

static void writer__full_file_system__says_so_and_leaves_the_target(void **state) {
    (void)state;
    hr_error err = {0};
    assert_int_equal(write_raw(1000, 0, &err), HR_OK);
    assert_int_equal(write_raw(20000, HR_WRITER_REPLACE, &err), HR_ERR_NO_SPACE);
    assert_int_equal(err.os_errno, ENOSPC);
    assert_samples(1000);
    /* What the failed job left is dropped by the next, and there is room again. */
    assert_int_equal(write_raw(500, HR_WRITER_REPLACE, &err), HR_OK);
    assert_samples(500);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(writer__full_file_system__says_so_and_leaves_the_target),
    };
    if (mkdtemp(folder_path) == NULL)
        return 1;
    if (mount("tmpfs", folder_path, "tmpfs", 0, "size=1m") != 0) {
        (void)printf("skipped: cannot mount a small file system: %s\n", strerror(errno));
        (void)rmdir(folder_path);
        return 77;
    }
    (void)snprintf(target, sizeof target, "%s/t.hrd", folder_path);
    const int rc = cmocka_run_group_tests(tests, NULL, NULL);
    (void)umount(folder_path);
    (void)rmdir(folder_path);
    return rc;
}
