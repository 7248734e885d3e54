/*
 * Files and folders of the operating system (io/file.h).
 */
#define _GNU_SOURCE
#include "file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static const struct hr__folder_ops *const folder = &hr__posix_folder;
static char root[64];

static const char *const names[] = {"a", "b", "c"};
static char paths[3][80];
#define A paths[0]
#define B paths[1]
#define C paths[2]

static int make_root(void **state) {
    (void)state;
    strcpy(root, "/tmp/test_file.XXXXXX");
    if (mkdtemp(root) == NULL)
        return 1;
    for (int i = 0; i < 3; i++)
        snprintf(paths[i], sizeof(paths[i]), "%s/%s", root, names[i]);
    return 0;
}

static int remove_root(void **state) {
    (void)state;
    for (int i = 0; i < 3; i++)
        if (unlink(paths[i]) != 0)
            (void)rmdir(paths[i]);
    return rmdir(root);
}

static struct hr__file open_file(const char *path, int flags) {
    struct hr__file f;
    memset(&f, 0x5a, sizeof(f)); /* open must fill all of it */
    assert_int_equal(folder->open(folder->ctx, path, flags, &f), 0);
    assert_non_null(f.ops);
    assert_string_equal(f.path, path);
    return f;
}

static void write_text(const char *path, const char *text) {
    struct hr__file f = open_file(path, O_RDWR | O_CREAT | O_TRUNC);
    assert_int_equal(hr__file_write_all(&f, text, strlen(text), 0, NULL), HR_OK);
    hr__file_close(&f);
}

static void assert_text(const char *path, const char *text) {
    char found[64] = {0};
    struct hr__file f = open_file(path, O_RDONLY);
    assert_int_equal(f.ops->size(f.ctx), (int64_t)strlen(text));
    assert_int_equal(hr__file_read_exact(&f, found, strlen(text), 0, NULL), HR_OK);
    assert_string_equal(found, text);
    hr__file_close(&f);
}

static int open_status(const char *path, int flags) {
    struct hr__file f;
    int rc = folder->open(folder->ctx, path, flags, &f);
    if (rc != 0)
        assert_null(f.ops); /* so that closing it is fine */
    hr__file_close(&f);
    return rc;
}

static void open__not_a_file__is_refused(void **state) {
    (void)state;
    assert_int_equal(open_status(A, O_RDONLY), -ENOENT);
    assert_int_equal(open_status(root, O_RDONLY), -EISDIR);
    assert_int_equal(open_status(root, O_RDWR), -EISDIR);
    assert_int_equal(open_status("/dev/zero", O_RDONLY), -EINVAL);
}

/* Opening a FIFO blocks until it has a writer; a hang is ended by the alarm. */
static void open__a_fifo__is_refused_at_once(void **state) {
    (void)state;
    assert_int_equal(mkfifo(A, 0600), 0);
    alarm(20);
    assert_int_equal(open_status(A, O_RDONLY), -EINVAL);
    assert_int_equal(open_status(A, O_RDWR), -EINVAL);
    alarm(0);
}

static void open__create_only__refuses_what_is_there(void **state) {
    (void)state;
    assert_int_equal(open_status(A, O_RDWR | O_CREAT | O_EXCL), 0);
    assert_int_equal(open_status(A, O_RDWR | O_CREAT | O_EXCL), -EEXIST);
    assert_int_equal(symlink("b", C), 0);
    assert_int_equal(open_status(C, O_RDWR | O_CREAT | O_EXCL), -EEXIST);
}

static void open__a_file__is_not_inherited(void **state) {
    (void)state;
    struct hr__file f = open_file(A, O_RDWR | O_CREAT);
    assert_true(fcntl(f.ops->descriptor(f.ctx), F_GETFD) & FD_CLOEXEC);
    hr__file_close(&f);
}

static void close__zeroed_or_twice__is_fine(void **state) {
    (void)state;
    struct hr__file none = {0};
    hr__file_close(&none);
    struct hr__file f = open_file(A, O_RDWR | O_CREAT);
    hr__file_close(&f);
    hr__file_close(&f);
    assert_null(f.path);
}

static void read__across_the_end__gives_what_is_there(void **state) {
    (void)state;
    char buf[16];
    write_text(A, "0123456789");
    struct hr__file f = open_file(A, O_RDONLY);
    assert_int_equal(f.ops->read(f.ctx, buf, sizeof(buf), 0), 10);
    assert_int_equal(f.ops->read(f.ctx, buf, sizeof(buf), 7), 3);
    assert_memory_equal(buf, "789", 3);
    assert_int_equal(f.ops->read(f.ctx, buf, sizeof(buf), 10), 0);
    assert_int_equal(f.ops->read(f.ctx, buf, sizeof(buf), 1000), 0);
    assert_int_equal(f.ops->read(f.ctx, buf, 0, 3), 0);
    hr__file_close(&f);
}

static void read_exact__across_the_end__is_truncation_and_says_where(void **state) {
    (void)state;
    char buf[16] = {0};
    hr_error err = {0};
    write_text(A, "0123456789");
    struct hr__file f = open_file(A, O_RDONLY);
    assert_int_equal(hr__file_read_exact(&f, buf, 4, 6, &err), HR_OK);
    assert_string_equal(buf, "6789");
    assert_int_equal(hr__file_read_exact(&f, buf, 4, 7, &err), HR_ERR_CORRUPT);
    assert_true(err.file_off == 10);
    assert_non_null(strstr(err.message, "truncated: the file ends at offset 10,"));
    assert_int_equal(hr__file_read_exact(&f, buf, 4, 4096, &err), HR_ERR_CORRUPT);
    assert_true(err.file_off == 10);
    assert_non_null(strstr(err.message, "ends at offset 10, 4 bytes at 4096 were"));
    assert_int_equal(hr__file_read_exact(&f, buf, 4, 7, NULL), HR_ERR_CORRUPT);
    hr__file_close(&f);
}

static void read_exact__beyond_what_an_offset_can_be__is_an_error(void **state) {
    (void)state;
    char buf[4];
    hr_error err = {0};
    write_text(A, "0123456789");
    struct hr__file f = open_file(A, O_RDONLY);
    assert_int_equal(hr__file_read_exact(&f, buf, 4, UINT64_MAX - 1, &err), HR_ERR_IO);
    assert_int_equal(err.os_errno, EINVAL);
    assert_true(err.file_off == UINT64_MAX - 1);
    hr__file_close(&f);
}

static void write__refused__says_which_file(void **state) {
    (void)state;
    hr_error err = {0};
    write_text(A, "0123456789");
    struct hr__file f = open_file(A, O_RDONLY);
    assert_int_equal(hr__file_write_all(&f, "x", 1, 5, &err), HR_ERR_IO);
    assert_int_equal(err.os_errno, EBADF);
    assert_true(err.file_off == 5);
    assert_non_null(strstr(err.message, A));
    hr__file_close(&f);
}

static void write__beyond_the_end__leaves_zeros_between(void **state) {
    (void)state;
    char buf[8];
    write_text(A, "ab");
    struct hr__file f = open_file(A, O_RDWR);
    assert_int_equal(hr__file_write_all(&f, "z", 1, 7, NULL), HR_OK);
    assert_int_equal(hr__file_read_exact(&f, buf, 8, 0, NULL), HR_OK);
    assert_memory_equal(buf, "ab\0\0\0\0\0z", 8);
    assert_int_equal(f.ops->truncate(f.ctx, 1), 0);
    assert_int_equal(f.ops->size(f.ctx), 1);
    assert_int_equal(hr__file_sync(&f, NULL), HR_OK);
    hr__file_close(&f);
}

static int failing_sync(void *ctx) {
    (void)ctx;
    return -EIO;
}

static void sync__failed__is_uncertain(void **state) {
    (void)state;
    static const struct hr__file_ops ops = {.name = "failing", .sync = failing_sync};
    char path[] = "x.hrd";
    struct hr__file f = {.ops = &ops, .path = path};
    hr_error err = {0};
    assert_int_equal(hr__file_sync(&f, &err), HR_ERR_UNCERTAIN);
    assert_int_equal(err.status, HR_ERR_UNCERTAIN);
    assert_int_equal(err.os_errno, EIO);
    assert_non_null(strstr(err.message, "x.hrd"));
    assert_int_equal(hr__file_sync(&f, NULL), HR_ERR_UNCERTAIN);
}

static void lock__by_a_second_descriptor__is_refused_until_the_first_closes(void **state) {
    (void)state;
    struct hr__file first = open_file(A, O_RDWR | O_CREAT), second = open_file(A, O_RDWR);
    assert_int_equal(first.ops->lock(first.ctx), 0);
    assert_int_equal(first.ops->lock(first.ctx), 0);
    assert_int_equal(second.ops->lock(second.ctx), -EAGAIN);
    struct hr__file third = open_file(A, O_RDONLY);
    hr__file_close(&third); /* a POSIX lock would be gone now */
    assert_int_equal(second.ops->lock(second.ctx), -EAGAIN);
    hr__file_close(&first);
    assert_int_equal(second.ops->lock(second.ctx), 0);
    hr__file_close(&second);
}

static void lock__by_another_process__is_refused(void **state) {
    (void)state;
    struct hr__file f = open_file(A, O_RDWR | O_CREAT);
    assert_int_equal(f.ops->lock(f.ctx), 0);
    pid_t pid = fork();
    if (pid == 0) {
        struct hr__file mine;
        int rc = folder->open(folder->ctx, A, O_RDWR, &mine);
        _exit(rc == 0 && mine.ops->lock(mine.ctx) == -EAGAIN ? 0 : 1);
    }
    int status = -1;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    hr__file_close(&f);
}

static void rename__onto_a_file__is_refused_unless_asked_for(void **state) {
    (void)state;
    write_text(A, "new");
    write_text(B, "old");
    assert_int_equal(folder->rename(folder->ctx, A, B, false), -EEXIST);
    assert_text(A, "new");
    assert_text(B, "old");
    assert_int_equal(folder->rename(folder->ctx, A, B, true), 0);
    assert_false(folder->exists(folder->ctx, A));
    assert_text(B, "new");
}

static void rename__onto_a_link_to_nothing__is_refused(void **state) {
    (void)state;
    write_text(A, "new");
    assert_int_equal(symlink("not there", B), 0);
    assert_int_equal(folder->rename(folder->ctx, A, B, false), -EEXIST);
    assert_text(A, "new");
    assert_true(folder->exists(folder->ctx, B));
}

static void rename__onto_nothing__works(void **state) {
    (void)state;
    write_text(A, "new");
    assert_int_equal(folder->rename(folder->ctx, A, B, false), 0);
    assert_false(folder->exists(folder->ctx, A));
    assert_text(B, "new");
    assert_int_equal(folder->rename(folder->ctx, A, C, false), -ENOENT);
    assert_int_equal(folder->rename(folder->ctx, A, C, true), -ENOENT);
}

static void unlink__a_file__is_gone(void **state) {
    (void)state;
    write_text(A, "x");
    assert_int_equal(folder->unlink(folder->ctx, A), 0);
    assert_false(folder->exists(folder->ctx, A));
    assert_int_equal(folder->unlink(folder->ctx, A), -ENOENT);
}

static void sync_parent__paths_of_every_form__find_the_folder(void **state) {
    (void)state;
    char long_path[PATH_MAX + 10];
    write_text(A, "x");
    assert_int_equal(folder->sync_parent(folder->ctx, A), 0);
    assert_int_equal(folder->sync_parent(folder->ctx, "in_this_folder"), 0);
    assert_int_equal(folder->sync_parent(folder->ctx, "/no/such/folder/x"), -ENOENT);
    int rc = folder->sync_parent(folder->ctx, "/in_the_root");
    assert_true(rc == 0 || rc == -EINVAL || rc == -EROFS); /* not every root can be synced */
    memset(long_path, 'd', sizeof(long_path));
    memcpy(long_path + sizeof(long_path) - 3, "/x", 3);
    assert_int_equal(folder->sync_parent(folder->ctx, long_path), -ENAMETOOLONG);
}

static void write_behind__any_range__changes_nothing(void **state) {
    (void)state;
    write_text(A, "0123456789");
    struct hr__file f = open_file(A, O_RDWR);
    f.ops->write_behind(f.ctx, 4, 2);
    f.ops->write_behind(f.ctx, SIZE_MAX, UINT64_MAX - 5);
    assert_int_equal(f.ops->sync(f.ctx), 0);
    hr__file_close(&f);
    assert_text(A, "0123456789");
}

/* Parts of 1, 2, 3, ... pages, behind a beginning that is in the page cache. */
static void write_parts__past_the_page_cache__are_read_back(void **state) {
    (void)state;
    enum { PARTS = 12, PAGE = 4096 };
    struct iovec parts[PARTS];
    uint8_t *got = malloc(PARTS * PAGE);
    struct hr__file direct, f = open_file(A, O_RDWR | O_CREAT | O_TRUNC);
    int rc = f.ops->open_direct(f.ctx, &direct);
    if (rc == -EOPNOTSUPP || rc == -EINVAL) {
        hr__file_close(&f);
        free(got);
        skip(); /* not on this file system */
    }
    assert_int_equal(rc, 0);
    for (size_t i = 0; i < PARTS; i++) {
        parts[i] = (struct iovec){aligned_alloc(PAGE, (i + 1) * PAGE), (i + 1) * PAGE};
        memset(parts[i].iov_base, (int)i + 1, parts[i].iov_len);
    }
    memset(got, 0xee, PAGE);
    assert_int_equal(f.ops->write(f.ctx, got, PAGE, 0), 0);
    assert_int_equal(direct.ops->write_parts(direct.ctx, parts, PARTS, PAGE), 0);
    assert_int_equal(f.ops->sync(f.ctx), 0);
    assert_int_equal(f.ops->read(f.ctx, got, PAGE, 0), PAGE);
    assert_int_equal(got[PAGE - 1], 0xee);
    uint64_t off = PAGE;
    for (size_t i = 0; i < PARTS; i++) {
        assert_int_equal(f.ops->read(f.ctx, got, parts[i].iov_len, off), parts[i].iov_len);
        assert_memory_equal(got, parts[i].iov_base, parts[i].iov_len);
        off += parts[i].iov_len;
        free(parts[i].iov_base);
    }
    assert_int_equal(f.ops->size(f.ctx), off);
    hr__file_close(&direct);
    hr__file_close(&f);
    free(got);
}

static void prefetch__any_range__fails_never(void **state) {
    (void)state;
    write_text(A, "0123456789");
    struct hr__file f = open_file(A, O_RDONLY);
    f.ops->prefetch(f.ctx, 4, 2);
    f.ops->prefetch(f.ctx, 4096, UINT64_MAX - 5);
    hr__file_close(&f);
    assert_text(A, "0123456789");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, make_root, remove_root)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(open__not_a_file__is_refused),
        TEST(open__a_fifo__is_refused_at_once),
        TEST(open__create_only__refuses_what_is_there),
        TEST(open__a_file__is_not_inherited),
        TEST(close__zeroed_or_twice__is_fine),
        TEST(read__across_the_end__gives_what_is_there),
        TEST(read_exact__across_the_end__is_truncation_and_says_where),
        TEST(read_exact__beyond_what_an_offset_can_be__is_an_error),
        TEST(write__refused__says_which_file),
        TEST(write__beyond_the_end__leaves_zeros_between),
        TEST(sync__failed__is_uncertain),
        TEST(lock__by_a_second_descriptor__is_refused_until_the_first_closes),
        TEST(lock__by_another_process__is_refused),
        TEST(rename__onto_a_file__is_refused_unless_asked_for),
        TEST(rename__onto_a_link_to_nothing__is_refused),
        TEST(rename__onto_nothing__works),
        TEST(unlink__a_file__is_gone),
        TEST(sync_parent__paths_of_every_form__find_the_folder),
        TEST(write_behind__any_range__changes_nothing),
        TEST(write_parts__past_the_page_cache__are_read_back),
        TEST(prefetch__any_range__fails_never),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
