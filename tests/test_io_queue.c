/*
 * Queues of reads (io/io_queue.h): every back end against the same cases, over three files. What
 * the system answers is changed on its way (link-time --wrap): short results, EINTR, EAGAIN, EIO,
 * slowness.
 */
#define _GNU_SOURCE
#include "clock.h"
#include "fault_answers.h"
#include "io_backend.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define PAGE       4096u
#define READ_PAGES 4u
#define READ_BYTES ((size_t)READ_PAGES * PAGE)
#define NUM_FILES  3u
#define NUM_READS  32u
#define FILE_BYTES (NUM_READS * READ_BYTES + 1234u)
#define DEPTH      8u

static const hr_io ios[] = {HR_IO_DIRECT, HR_IO_LIBAIO, HR_IO_CACHED, HR_IO_THREADS};
#define NUM_IOS (sizeof(ios) / sizeof(ios[0]))

static char paths[NUM_FILES][64];
static struct hr__file files[NUM_FILES];
static struct hr__io_backend backend;
static struct hr__io_queue queue;
static uint8_t *buffers; /* DEPTH reads */

/* Reads go to the files in turn. */
static uint32_t file_of(uint64_t number) {
    return (uint32_t)(number % NUM_FILES);
}

static uint8_t byte_at(uint32_t file, uint64_t off) {
    return (uint8_t)(off * 31 + off / 251 + off / PAGE + file * 85);
}

/* False: this file system does not have this back end. */
static bool queue_open(hr_io io) {
    hr_error err = {0};
    memset(&fault_answers, 0, sizeof(fault_answers));
    hr_status st = hr__io_backend_choose(files, NUM_FILES, io, true, &backend, &err);
    if (st == HR_ERR_UNSUPPORTED && (io == HR_IO_DIRECT || io == HR_IO_LIBAIO))
        return false;
    assert_int_equal(st, HR_OK);
    assert_int_equal(hr__io_backend_start(&backend, 2, &err), HR_OK);
    assert_int_equal(
        hr__io_backend_queue(&backend, DEPTH, buffers, DEPTH * READ_BYTES, &queue, &err), HR_OK);
    assert_string_equal(queue.ops->name, hr__io_backend_name(&backend));
    memset(buffers, 0xee, DEPTH * READ_BYTES);
    memset(&fault_answers, 0, sizeof(fault_answers)); /* opening reads, too */
    return true;
}

static void queue_close(void) {
    hr__io_queue_close(&queue);
    hr__io_backend_close(&backend);
    memset(&fault_answers, 0, sizeof(fault_answers));
}

static uint8_t *buffer_of(uint64_t number) {
    return buffers + number % DEPTH * READ_BYTES;
}

static int submit(uint64_t number) {
    return queue.ops->submit(queue.ctx, number, file_of(number), buffer_of(number), READ_BYTES,
                             number * READ_BYTES);
}

static void assert_right(uint64_t number, uint64_t n_bytes) {
    for (uint64_t i = 0; i < n_bytes; i++)
        if (buffer_of(number)[i] != byte_at(file_of(number), number * READ_BYTES + i))
            fail_msg("byte %llu of read %llu is wrong", (unsigned long long)i,
                     (unsigned long long)number);
}

/* Reads everything, DEPTH at a time; results[number] is what came. */
static void read_all(int64_t results[NUM_READS]) {
    struct hr__io_done done[3];
    for (uint64_t first = 0; first < NUM_READS; first += DEPTH) {
        uint32_t seen = 0, left = DEPTH;
        for (uint64_t i = first; i < first + DEPTH; i++)
            assert_int_equal(submit(i), 0);
        while (left > 0) {
            int n = queue.ops->reap(queue.ctx, done, 3);
            assert_in_range(n, 1, 3);
            for (int i = 0; i < n; i++) {
                assert_in_range(done[i].tag, first, first + DEPTH - 1);
                assert_int_equal(seen & 1u << (done[i].tag - first), 0);
                seen |= 1u << (done[i].tag - first);
                results[done[i].tag] = done[i].result;
                if (done[i].result > 0)
                    assert_right(done[i].tag, (uint64_t)done[i].result);
            }
            left -= (uint32_t)n;
        }
        assert_int_equal(queue.ops->reap(queue.ctx, done, 3), 0);
    }
}

static void assert_all_whole(void) {
    int64_t results[NUM_READS];
    read_all(results);
    for (uint32_t i = 0; i < NUM_READS; i++)
        assert_int_equal(results[i], READ_BYTES);
}

static void read__all_of_the_files__each_once_and_right(void **state) {
    (void)state;
    for (size_t i = 0; i < NUM_IOS; i++) {
        if (!queue_open(ios[i]))
            continue;
        assert_all_whole();
        queue_close();
    }
}

static void submit__beyond_the_depth__reap_first(void **state) {
    (void)state;
    struct hr__io_done done[DEPTH];
    for (size_t i = 0; i < NUM_IOS; i++) {
        if (!queue_open(ios[i]))
            continue;
        for (uint64_t k = 0; k < DEPTH; k++)
            assert_int_equal(submit(k), 0);
        assert_int_equal(submit(DEPTH), -EAGAIN);
        int n = queue.ops->reap(queue.ctx, done, DEPTH);
        assert_in_range(n, 1, DEPTH);
        assert_int_equal(submit(done[0].tag), 0);
        queue_close();
    }
}

static void read__across_the_end__gives_what_is_there(void **state) {
    (void)state;
    struct hr__io_done done;
    for (size_t i = 0; i < NUM_IOS; i++) {
        if (!queue_open(ios[i]))
            continue;
        for (uint64_t k = NUM_READS; k <= NUM_READS + 1; k++) {
            assert_int_equal(submit(k), 0);
            assert_int_equal(queue.ops->reap(queue.ctx, &done, 1), 1);
            assert_int_equal(done.result, k == NUM_READS ? 1234 : 0);
            assert_right(k, (uint64_t)done.result);
        }
        queue_close();
    }
}

/* Every answer in turn is cut, to whole pages. */
static void read__short__is_continued(void **state) {
    (void)state;
    for (size_t i = 0; i < NUM_IOS; i++)
        for (long nth = 1; nth <= NUM_READS; nth += 3) {
            if (!queue_open(ios[i]))
                continue;
            fault_answers.at = nth;
            fault_answers.cut_bytes = PAGE;
            assert_all_whole();
            assert_true(fault_answers.count > NUM_READS);
            queue_close();
        }
}

static void read__all_are_short__are_continued(void **state) {
    (void)state;
    for (size_t i = 0; i < NUM_IOS; i++) {
        if (!queue_open(ios[i]))
            continue;
        fault_answers.at = 1;
        fault_answers.times = 1000000;
        fault_answers.cut_bytes = PAGE;
        assert_all_whole();
        assert_true(fault_answers.count >= (long)NUM_READS * READ_PAGES);
        queue_close();
    }
}

static void read__interrupted_or_refused_for_now__is_tried_again(void **state) {
    (void)state;
    static const int errnos[] = {EINTR, EAGAIN};
    for (size_t i = 0; i < NUM_IOS; i++)
        for (int k = 0; k < 8; k++) {
            if (!queue_open(ios[i]))
                continue;
            fault_answers.at = 1 + k / 2 * 5;
            fault_answers.times = 5;
            fault_answers.os_errno = errnos[k % 2];
            assert_all_whole();
            assert_true(fault_answers.hits >= 5);
            queue_close();
        }
}

static void read__eio__is_told_and_not_tried_again(void **state) {
    (void)state;
    for (size_t i = 0; i < NUM_IOS; i++)
        for (long nth = 1; nth <= NUM_READS; nth += 5) {
            int64_t results[NUM_READS];
            uint32_t failed = 0;
            if (!queue_open(ios[i]))
                continue;
            fault_answers.at = nth;
            fault_answers.os_errno = EIO;
            read_all(results);
            for (uint32_t k = 0; k < NUM_READS; k++) {
                assert_true(results[k] == READ_BYTES || results[k] == -EIO);
                failed += results[k] == -EIO;
            }
            assert_int_equal(failed, 1);
            assert_int_equal(fault_answers.hits, 1);
            queue_close();
        }
}

static void files_write(uint64_t n_bytes) {
    uint8_t *bytes = malloc(n_bytes);
    assert_non_null(bytes);
    for (uint32_t f = 0; f < NUM_FILES; f++) {
        for (uint64_t i = 0; i < n_bytes; i++)
            bytes[i] = byte_at(f, i);
        assert_int_equal(hr__file_write_all(&files[f], bytes, n_bytes, 0, NULL), HR_OK);
        assert_int_equal(files[f].ops->sync(files[f].ctx), 0);
    }
    free(bytes);
}

static void files_truncate(uint64_t n_bytes) {
    for (uint32_t f = 0; f < NUM_FILES; f++)
        assert_int_equal(files[f].ops->truncate(files[f].ctx, n_bytes), 0);
}

static void read__file_truncated_meanwhile__short_and_right(void **state) {
    (void)state;
    const uint64_t cut = 5 * READ_BYTES + PAGE + 100;
    struct hr__io_done done;
    for (size_t i = 0; i < NUM_IOS; i++) {
        if (!queue_open(ios[i]))
            continue;
        for (uint64_t k = 0; k < DEPTH; k++)
            assert_int_equal(submit(k), 0);
        files_truncate(cut);
        for (uint64_t k = 0; k < DEPTH; k++) {
            assert_int_equal(queue.ops->reap(queue.ctx, &done, 1), 1);
            uint64_t begin = done.tag * READ_BYTES;
            uint64_t least = begin > cut ? 0 : cut - begin < READ_BYTES ? cut - begin : READ_BYTES;
            assert_in_range(done.result, least, READ_BYTES); /* it may have been read before */
        }
        /* From now on it is seen for certain. */
        assert_int_equal(submit(5), 0);
        assert_int_equal(queue.ops->reap(queue.ctx, &done, 1), 1);
        assert_int_equal(done.result, PAGE + 100);
        assert_right(5, PAGE + 100);
        queue_close();
        files_write(FILE_BYTES);
    }
}

static void close__reads_in_flight__nothing_is_written_afterwards(void **state) {
    (void)state;
    for (size_t i = 0; i < NUM_IOS; i++)
        for (int round = 0; round < 5; round++) {
            if (!queue_open(ios[i]))
                continue;
            for (uint64_t k = 0; k < DEPTH; k++)
                assert_int_equal(submit(k), 0);
            hr__io_queue_close(&queue);
            memset(buffers, 0x77, DEPTH * READ_BYTES);
            usleep(3000);
            for (size_t k = 0; k < DEPTH * READ_BYTES; k++)
                assert_int_equal(buffers[k], 0x77);
            queue_close();
        }
}

/* Only what a thread has begun with is waited for. */
static void close__slow_reader__takes_no_longer_than_one_read(void **state) {
    (void)state;
    const int64_t slow_ns = 100000000;
    for (size_t i = 0; i < NUM_IOS; i++) {
        if (!queue_open(ios[i]))
            continue;
        fault_answers.delay_ns = slow_ns;
        int64_t began_ns = hr__now_ns();
        for (uint64_t k = 0; k < DEPTH; k++)
            assert_int_equal(submit(k), 0);
        usleep(10000); /* so that threads have begun */
        hr__io_queue_close(&queue);
        memset(buffers, 0x77, DEPTH * READ_BYTES);
        queue_close(); /* no thread is left that could still write */
        assert_true(hr__now_ns() - began_ns < 3 * slow_ns);
        for (size_t k = 0; k < DEPTH * READ_BYTES; k++)
            assert_int_equal(buffers[k], 0x77);
    }
}

/* ---- direct reads alone ---- */

static const hr_io directs[] = {HR_IO_DIRECT, HR_IO_LIBAIO};

static void direct_reap__no_room_in_the_kernel__read_all_the_same(void **state) {
    (void)state;
    static const int errnos[] = {EAGAIN, EINTR};
    for (size_t i = 0; i < 2; i++)
        for (long times = 1; times <= 100; times *= 10) {
            if (!queue_open(directs[i]))
                skip();
            fault_answers.submit_at = 3;
            fault_answers.submit_times = times;
            fault_answers.submit_errno = errnos[times == 10];
            assert_all_whole();
            assert_true(fault_answers.submits >= 3);
            queue_close();
        }
}

static void direct_reap__nothing_is_taken__ends_with_an_error_or_pread(void **state) {
    (void)state;
    struct hr__io_done done;
    for (size_t i = 0; i < 2; i++) {
        if (!queue_open(directs[i]))
            skip();
        fault_answers.submit_at = 1;
        fault_answers.submit_times = 1000000;
        fault_answers.submit_errno = EAGAIN;
        assert_int_equal(submit(3), 0);
        int n = queue.ops->reap(queue.ctx, &done, 1);
        if (backend.uring)
            assert_int_equal(n, -EAGAIN);
        else
            assert_right(3, n == 1 ? (uint64_t)done.result : UINT64_MAX);
        queue_close();
    }
}

static void uring__nothing_can_be_registered__reads_all_the_same(void **state) {
    (void)state;
    assert_int_equal(hr__io_backend_choose(files, NUM_FILES, HR_IO_AUTO, true, &backend, NULL),
                     HR_OK);
    if (!backend.uring) {
        hr__io_backend_close(&backend);
        skip();
    }
    fault_answers.no_locked_memory = true;
    assert_int_equal(
        hr__io_backend_queue(&backend, DEPTH, buffers, DEPTH * READ_BYTES, &queue, NULL), HR_OK);
    assert_string_equal(queue.ops->name, "io_uring");
    assert_all_whole();
    queue_close();
}

static void aio_submit__refused__is_told_and_the_queue_goes_on(void **state) {
    (void)state;
    struct hr__io_done done;
    if (!queue_open(HR_IO_LIBAIO))
        skip();
    fault_answers.submit_at = 2;
    fault_answers.submit_times = 1;
    fault_answers.submit_errno = EBADF;
    assert_int_equal(submit(0), 0);
    assert_int_equal(submit(1), -EBADF);
    assert_int_equal(queue.ops->reap(queue.ctx, &done, 1), 1);
    assert_int_equal(done.tag, 0);
    assert_int_equal(queue.ops->reap(queue.ctx, &done, 1), 0);
    assert_all_whole();
    queue_close();
}

static void direct_reap__waiting_fails__is_told_and_close_drains(void **state) {
    (void)state;
    struct hr__io_done done;
    for (size_t i = 0; i < 2; i++) {
        if (!queue_open(directs[i]))
            skip();
        if (backend.uring) { /* waits as it sends */
            fault_answers.submit_at = 1;
            fault_answers.submit_times = 1;
            fault_answers.submit_errno = EFAULT;
        } else {
            fault_answers.wait_errno = EINTR;
            assert_all_whole();
            fault_answers.wait_errno = EFAULT;
        }
        for (uint64_t k = 0; k < DEPTH; k++)
            assert_int_equal(submit(k), 0);
        assert_int_equal(queue.ops->reap(queue.ctx, &done, 1), -EFAULT);
        queue_close();
    }
}

static void *write_late(void *fd) {
    usleep(30000);
    assert_int_equal(write(*(const int *)fd, "late", 4), 4);
    return NULL;
}

/* The buffers are the caller's again afterwards, so nothing may be on its way to them. A pipe is a
 * disk that answers when it is told to. */
static void uring_close__waiting_fails_again_and_again__drains_all_the_same(void **state) {
    (void)state;
    static const int errnos[] = {EFAULT, EBADF, EINTR, EAGAIN};
    struct hr__io_done done;
    pthread_t writer;
    int ends[2];
    memset(&fault_answers, 0, sizeof(fault_answers));
    for (int i = 0; i < 4; i++) {
        assert_int_equal(pipe(ends), 0);
        const struct hr__direct_files end = {&ends[0], 1, 1};
        if (hr__uring_queue_open(&end, 2, NULL, 0, &queue, NULL) != HR_OK)
            skip();
        assert_int_equal(write(ends[1], "soon", 4), 4);
        for (uint64_t k = 0; k < 2; k++)
            assert_int_equal(queue.ops->submit(queue.ctx, k, 0, buffer_of(k), 4, 0), 0);
        assert_int_equal(queue.ops->reap(queue.ctx, &done, 1), 1); /* sends both */
        assert_int_equal(pthread_create(&writer, NULL, write_late, &ends[1]), 0);
        fault_answers.wait_errno = errnos[i];
        fault_answers.wait_times = 3;
        hr__io_queue_close(&queue);
        assert_int_equal(fault_answers.wait_errno, 0);
        assert_memory_equal(buffer_of(1 - done.tag), "late", 4);
        pthread_join(writer, NULL);
        close(ends[0]);
        close(ends[1]);
    }
}

/* ---- the page cache alone ---- */

static uint64_t cold_off; /* a read there is not in the page cache */
static uint32_t waited;
static const struct hr__file *silent; /* this file cannot tell */

static int64_t part_now(void *ctx, void *buf, size_t n_bytes, uint64_t off) {
    const struct hr__file *f = ctx;
    if (f == silent)
        return -EOPNOTSUPP;
    if (off == cold_off)
        return -EAGAIN;
    n_bytes = n_bytes < PAGE || off > cold_off ? n_bytes : PAGE; /* a page at a time */
    return f->ops->read(f->ctx, buf, n_bytes, off);
}

static int64_t part_waiting(void *ctx, void *buf, size_t n_bytes, uint64_t off) {
    const struct hr__file *f = ctx;
    waited++;
    return f->ops->read(f->ctx, buf, n_bytes, off);
}

static const struct hr__file_ops part_ops = {
    .name = "partly", .read = part_waiting, .read_now = part_now};

/* Reads 0 to 3, which come in this order, the last of them after waiting for it. */
static void assert_cached_order(const uint64_t order[4]) {
    struct hr__file partly[NUM_FILES];
    struct hr__io_done done;
    for (uint32_t f = 0; f < NUM_FILES; f++)
        partly[f] = (struct hr__file){.ops = &part_ops, .ctx = &files[f]};
    waited = 0;
    assert_int_equal(hr__cached_queue_open(partly, NUM_FILES, DEPTH, &queue, NULL), HR_OK);
    for (uint64_t k = 0; k < 4; k++)
        assert_int_equal(submit(k), 0);
    for (uint64_t k = 0; k < 4; k++) {
        assert_int_equal(queue.ops->reap(queue.ctx, &done, 1), 1);
        assert_int_equal(done.tag, order[k]);
        assert_int_equal(done.result, READ_BYTES);
        assert_right(done.tag, READ_BYTES);
        assert_int_equal(waited, k == 3 ? 1 : 0);
    }
    hr__io_queue_close(&queue);
}

static void cached_reap__some_not_there__those_that_are_come_first(void **state) {
    (void)state;
    for (uint64_t page = 0; page < READ_PAGES; page++) { /* where read 1 meets what is not there */
        cold_off = READ_BYTES + page * PAGE;
        assert_cached_order((const uint64_t[]){0, 2, 3, 1});
    }
}

static void cached_reap__one_file_cannot_tell__the_others_can(void **state) {
    (void)state;
    cold_off = UINT64_MAX;
    silent = &files[2];
    assert_cached_order((const uint64_t[]){0, 1, 3, 2});
    silent = NULL;
}

static void cached_reap__file_system_cannot_tell__reads_in_turn(void **state) {
    (void)state;
    assert_true(queue_open(HR_IO_CACHED));
    fault_answers.cannot_tell = true;
    assert_all_whole();
    queue_close();
}

/* ---- the choice ---- */

static hr_io chosen(const struct hr__file *f, uint32_t num_files, bool prefer_direct) {
    struct hr__io_backend b;
    assert_int_equal(hr__io_backend_choose(f, num_files, HR_IO_AUTO, prefer_direct, &b, NULL),
                     HR_OK);
    hr_io io = b.io;
    assert_true(!b.uring || fault_answers.ring_errno == 0);
    hr__io_backend_close(&b);
    return io;
}

static void choose__auto__as_the_file_system_can(void **state) {
    (void)state;
    bool direct = queue_open(HR_IO_DIRECT);
    queue_close();
    fault_answers.cannot_tell = true; /* as overlayfs and network file systems */
    bool memory = chosen(files, NUM_FILES, false) == HR_IO_CACHED;
    if (memory)
        skip();
    assert_int_equal(chosen(files, NUM_FILES, false), HR_IO_THREADS);
    assert_int_equal(chosen(files, NUM_FILES, true), direct ? HR_IO_DIRECT : HR_IO_THREADS);
    fault_answers.ring_errno = EPERM; /* io_uring is often forbidden in containers */
    assert_int_equal(chosen(files, NUM_FILES, true), direct ? HR_IO_DIRECT : HR_IO_THREADS);
    fault_answers.setup_errno = EAGAIN; /* the system has no context to spare */
    assert_int_equal(chosen(files, NUM_FILES, true), HR_IO_THREADS);
    fault_answers.cannot_tell = false;
    hr_io without = chosen(files, NUM_FILES, true);
    assert_int_equal(without, chosen(files, NUM_FILES, false));
    assert_true(without == HR_IO_CACHED || without == HR_IO_THREADS);
    memset(&fault_answers, 0, sizeof(fault_answers));
}

static void choose__direct_without_a_context__says_what_to_do(void **state) {
    (void)state;
    hr_error err = {0};
    bool direct = queue_open(HR_IO_DIRECT);
    queue_close();
    if (!direct)
        skip();
    fault_answers.setup_errno = EAGAIN;
    fault_answers.ring_errno = EPERM;
    assert_int_equal(hr__io_backend_choose(files, NUM_FILES, HR_IO_DIRECT, true, &backend, &err),
                     HR_ERR_UNSUPPORTED);
    assert_non_null(strstr(err.message, "aio-max-nr"));
    hr__io_backend_close(&backend);
    memset(&fault_answers, 0, sizeof(fault_answers));
}

/* What is in memory anyway is copied by whoever needs it. */
static void choose__file_system_in_memory__page_cache(void **state) {
    (void)state;
    struct hr__file in_memory;
    char name[] = "/dev/shm/test_io_queue.XXXXXX";
    int fd = mkstemp(name);
    if (fd < 0)
        skip();
    close(fd);
    assert_int_equal(hr__posix_folder.open(NULL, name, O_RDONLY, &in_memory), 0);
    fault_answers.cannot_tell = true;
    assert_int_equal(chosen(&in_memory, 1, false), HR_IO_CACHED);
    assert_int_equal(chosen(&in_memory, 1, true), HR_IO_CACHED);
    /* Beside one that is not, whose reads cannot be told not to wait. */
    bool memory = chosen(files, 1, false) == HR_IO_CACHED;
    const struct hr__file both[] = {in_memory, files[0]};
    assert_int_equal(chosen(both, 2, false), memory ? HR_IO_CACHED : HR_IO_THREADS);
    memset(&fault_answers, 0, sizeof(fault_answers));
    hr__file_close(&in_memory);
    unlink(name);
}

static int setup(void **state) {
    (void)state;
    const char *tmp = getenv("TMPDIR");
    for (uint32_t f = 0; f < NUM_FILES; f++) {
        snprintf(paths[f], sizeof(paths[f]), "%.40s/test_io_queue.XXXXXX",
                 tmp != NULL ? tmp : "/tmp");
        int fd = mkstemp(paths[f]);
        if (fd < 0)
            return 1;
        close(fd);
        if (hr__posix_folder.open(NULL, paths[f], O_RDWR, &files[f]) != 0)
            return 1;
    }
    buffers = hr__read_buffers_alloc(DEPTH * READ_BYTES);
    files_write(FILE_BYTES);
    return buffers != NULL ? 0 : 1;
}

static int teardown(void **state) {
    (void)state;
    hr__read_buffers_free(buffers, DEPTH * READ_BYTES);
    int rc = 0;
    for (uint32_t f = 0; f < NUM_FILES; f++) {
        hr__file_close(&files[f]);
        rc |= unlink(paths[f]);
    }
    return rc;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(read__all_of_the_files__each_once_and_right),
        cmocka_unit_test(submit__beyond_the_depth__reap_first),
        cmocka_unit_test(read__across_the_end__gives_what_is_there),
        cmocka_unit_test(read__short__is_continued),
        cmocka_unit_test(read__all_are_short__are_continued),
        cmocka_unit_test(read__interrupted_or_refused_for_now__is_tried_again),
        cmocka_unit_test(read__eio__is_told_and_not_tried_again),
        cmocka_unit_test(read__file_truncated_meanwhile__short_and_right),
        cmocka_unit_test(close__reads_in_flight__nothing_is_written_afterwards),
        cmocka_unit_test(close__slow_reader__takes_no_longer_than_one_read),
        cmocka_unit_test(direct_reap__no_room_in_the_kernel__read_all_the_same),
        cmocka_unit_test(direct_reap__nothing_is_taken__ends_with_an_error_or_pread),
        cmocka_unit_test(uring__nothing_can_be_registered__reads_all_the_same),
        cmocka_unit_test(aio_submit__refused__is_told_and_the_queue_goes_on),
        cmocka_unit_test(direct_reap__waiting_fails__is_told_and_close_drains),
        cmocka_unit_test(uring_close__waiting_fails_again_and_again__drains_all_the_same),
        cmocka_unit_test(cached_reap__some_not_there__those_that_are_come_first),
        cmocka_unit_test(cached_reap__one_file_cannot_tell__the_others_can),
        cmocka_unit_test(cached_reap__file_system_cannot_tell__reads_in_turn),
        cmocka_unit_test(choose__auto__as_the_file_system_can),
        cmocka_unit_test(choose__direct_without_a_context__says_what_to_do),
        cmocka_unit_test(choose__file_system_in_memory__page_cache),
    };
    alarm(100); /* a hang is a failure */
    return cmocka_run_group_tests(tests, setup, teardown);
}
