/*
 * Chunks on their way to the disk (writer/write_queue.h).
 */
#include "fault_disk.h"
#include "write_queue.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define PAGE         ((size_t)4096)
#define BUFFER_BYTES (16 * PAGE)
#define NUM_THREADS  4
#define NUM_CHUNKS   400 /* the first of them below what the disk has in its page cache */
#define ROOM         (UINT64_C(8) << 20)

struct rig {
    struct fault_disk *disk;
    struct hr__file file;
    struct hr__budget budget;
    struct hr__write_queue queue;
};

static void make_rig(struct rig *r, uint64_t budget_bytes) {
    *r = (struct rig){.disk = fault_disk_new()};
    const struct hr__folder_ops *folder = fault_disk_folder(r->disk);
    assert_int_equal(folder->open(folder->ctx, "f", O_RDWR | O_CREAT, &r->file), 0);
    hr__budget_init(&r->budget, budget_bytes);
    assert_int_equal(hr__write_queue_open(&r->queue, &r->file, BUFFER_BYTES, &r->budget, NULL),
                     HR_OK);
}

static void free_rig(struct rig *r) {
    hr__write_queue_close(&r->queue);
    assert_int_equal(r->budget.reserved_bytes, 0);
    hr__budget_close(&r->budget);
    hr__file_close(&r->file);
    fault_disk_free(r->disk);
}

/* Chunk i has 1 to 16 pages. */
static size_t bytes_of(uint64_t i) {
    return (size_t)(i * 7 % 16 + 1) * PAGE;
}

static uint64_t off_of(uint64_t i) {
    uint64_t off = 0;
    for (uint64_t k = 0; k < i; k++)
        off += bytes_of(k);
    return off;
}

static hr_status put(struct rig *r, uint8_t **buffer, uint64_t i, hr_error *err) {
    memset(*buffer, (int)(i % 251) + 1, bytes_of(i));
    return hr__write_queue_put(&r->queue, buffer, bytes_of(i), off_of(i), err);
}

static void assert_written(const struct rig *r, uint64_t num_chunks) {
    uint8_t *got = malloc(BUFFER_BYTES);
    for (uint64_t i = 0; i < num_chunks; i++) {
        assert_int_equal(r->file.ops->read(r->file.ctx, got, bytes_of(i), off_of(i)), bytes_of(i));
        for (size_t b = 0; b < bytes_of(i); b++)
            if (got[b] != i % 251 + 1)
                fail_msg("byte %zu of chunk %llu is %u", b, (unsigned long long)i, got[b]);
    }
    free(got);
}

struct caller {
    struct rig *rig;
    uint64_t first;
    uint8_t *buffer;
    pthread_t id;
    hr_status st;
};

static void *put_every_fourth(void *arg) {
    struct caller *c = arg;
    for (uint64_t i = c->first; i < NUM_CHUNKS && c->st == HR_OK; i += NUM_THREADS)
        c->st = put(c->rig, &c->buffer, i, NULL);
    return NULL;
}

static uint8_t *new_buffer(struct rig *r) {
    hr_status st = HR_OK;
    uint8_t *buffer = hr__budget_take_raw(&r->budget, BUFFER_BYTES, "a buffer", &st, NULL);
    assert_non_null(buffer);
    assert_int_equal((uintptr_t)buffer % PAGE, 0);
    return buffer;
}

static hr_status put_by_threads(struct rig *r) {
    struct caller callers[NUM_THREADS];
    hr_status st = HR_OK;
    for (uint64_t t = 0; t < NUM_THREADS; t++)
        callers[t] = (struct caller){.rig = r, .first = t, .buffer = new_buffer(r)};
    for (uint64_t t = 0; t < NUM_THREADS; t++)
        assert_int_equal(pthread_create(&callers[t].id, NULL, put_every_fourth, &callers[t]), 0);
    for (uint64_t t = 0; t < NUM_THREADS; t++) {
        pthread_join(callers[t].id, NULL);
        st = callers[t].st != HR_OK ? callers[t].st : st;
        hr__budget_free(&r->budget, callers[t].buffer, BUFFER_BYTES);
    }
    return st;
}

static void queue__chunks_of_many_threads__are_all_written(void **state) {
    (void)state;
    struct rig r;
    make_rig(&r, ROOM);
    assert_int_equal(put_by_threads(&r), HR_OK);
    assert_int_equal(hr__write_queue_drain(&r.queue, -1, NULL), HR_OK);
    assert_non_null(r.queue.direct.ops);
    assert_written(&r, NUM_CHUNKS);
    free_rig(&r);
}

static void queue__budget_for_nothing_more__writes_through_the_page_cache(void **state) {
    (void)state;
    struct rig r;
    make_rig(&r, (NUM_THREADS + 1) * BUFFER_BYTES);
    assert_int_equal(put_by_threads(&r), HR_OK);
    assert_int_equal(hr__write_queue_drain(&r.queue, -1, NULL), HR_OK);
    assert_null(r.queue.direct.ops);
    assert_written(&r, NUM_CHUNKS);
    free_rig(&r);
}

static void queue__closed_with_chunks_in_it__writes_them(void **state) {
    (void)state;
    struct rig r;
    make_rig(&r, ROOM);
    uint8_t *buffer = new_buffer(&r);
    for (uint64_t i = 0; i < 30; i++)
        assert_int_equal(put(&r, &buffer, i, NULL), HR_OK);
    hr__write_queue_close(&r.queue);
    assert_written(&r, 30);
    hr__budget_free(&r.budget, buffer, BUFFER_BYTES);
    free_rig(&r);
}

static void queue__chunks_out_of_order__go_by_runs(void **state) {
    (void)state;
    struct rig r;
    make_rig(&r, ROOM);
    uint8_t *buffer = new_buffer(&r);
    for (uint64_t i = 60; i-- > 0;)
        assert_int_equal(put(&r, &buffer, i, NULL), HR_OK);
    assert_int_equal(hr__write_queue_drain(&r.queue, -1, NULL), HR_OK);
    assert_written(&r, 60);
    hr__budget_free(&r.budget, buffer, BUFFER_BYTES);
    free_rig(&r);
}

/* The file is opened, so its first write is operation 1. */
static void queue__any_write_fails__says_so_from_then_on(void **state) {
    (void)state;
    for (uint64_t nth = 1; nth <= 60; nth += 3) {
        struct rig r;
        hr_error err = {.status = HR_OK};
        make_rig(&r, ROOM);
        uint8_t *buffer = new_buffer(&r);
        fault_disk_fail(r.disk, nth, ENOSPC);
        hr_status st = HR_OK;
        for (uint64_t i = 0; i < 60 && st == HR_OK; i++)
            st = put(&r, &buffer, i, &err);
        const bool direct = r.queue.direct.ops != NULL;
        if (st == HR_OK)
            st = hr__write_queue_drain(&r.queue, -1, &err);
        assert_int_equal(st, HR_ERR_NO_SPACE);
        assert_int_equal(err.status, HR_ERR_NO_SPACE);
        assert_non_null(strstr(err.message, "f: writing"));
        if (direct)
            assert_int_equal(put(&r, &buffer, 60, &err), HR_ERR_NO_SPACE);
        hr__budget_free(&r.budget, buffer, BUFFER_BYTES);
        free_rig(&r);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(queue__chunks_of_many_threads__are_all_written),
        cmocka_unit_test(queue__budget_for_nothing_more__writes_through_the_page_cache),
        cmocka_unit_test(queue__closed_with_chunks_in_it__writes_them),
        cmocka_unit_test(queue__chunks_out_of_order__go_by_runs),
        cmocka_unit_test(queue__any_write_fails__says_so_from_then_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
