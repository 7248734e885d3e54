/*
 * gpu/upload.c by itself, in one thread, over the stand-in for CUDA: a consumer and an upload
 * thread whose turns a seed decides, as it decides when the device does its work. So whatever is
 * found comes again with the same seed.
 */
#define _GNU_SOURCE
#include "fake_gpu.h"
#include "order_cases.h"
#include "upload.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <cmocka.h>

#define NUM_SEEDS   3000u
#define NUM_BATCHES 12u
#define NUM_SLOTS   3u
#define NUM_ROWS    4u /* on the host */
#define NUM_STREAMS 3u
#define ROW_BYTES   256u
#define NONE        UINT32_MAX

enum state { FREE, FLYING, HELD };

struct slot {
    enum state state; /* FLYING until it was seen, whether held or not */
    bool held, seen;
    uint32_t batch, rows, releases_left;
};

struct model {
    uint64_t random;
    void *gpu;
    struct hr__upload upload;
    uint8_t *pages; /* pinned: NUM_ROWS times ROW_BYTES */
    bool rows_used[NUM_ROWS];
    cudaStream_t streams[NUM_STREAMS];
    struct slot slots[NUM_SLOTS];
    uint32_t flying[HR__MOST_FLYING], num_flying;
    uint32_t next_begin, next_deliver, num_freed;
};

static struct hr__upload_field field = {.row_bytes = ROW_BYTES,
                                        .plan = {.from = HR_UINT8, .to = HR_UINT8}};

static uint32_t pick(struct model *m, uint32_t n) {
    return (uint32_t)(case_random(&m->random) % n);
}

static void model_open(struct model *m, uint64_t seed) {
    const struct hr__upload_layout layout = {.num_slots = NUM_SLOTS,
                                             .num_fields = 1,
                                             .rows_bytes = ROW_BYTES,
                                             .keeps_rows = true,
                                             .fields = &field};
    const struct hr__gpu_ops *ops = fake_gpu_ops();
    struct hr__gpu_info info;
    hr_error err = {0};
    *m = (struct model){.random = seed + 1};
    fake_gpu_begin(seed);
    fake_cuda_may_wait(true);
    made_ok(ops->open(0, &m->gpu, &info, &err), &err);
    m->pages = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    made_ok(ops->host_register(m->gpu, m->pages, 4096, &err), &err);
    made_ok(hr__upload_open(&m->upload, ops, m->gpu, &layout, &err), &err);
    for (uint32_t i = 0; i < NUM_STREAMS; i++)
        m->streams[i] = fake_gpu_stream();
    fake_cuda_steady(true);
}

static void model_close(struct model *m) {
    const struct hr__gpu_ops *ops = m->upload.ops;
    fake_cuda_steady(false);
    made_ok(ops->drain(m->gpu, NULL), NULL);
    ops->host_unregister(m->gpu, m->pages);
    hr__upload_close(&m->upload);
    ops->close(m->gpu);
    munmap(m->pages, 4096);
    for (uint32_t i = 0; i < NUM_STREAMS; i++)
        fake_gpu_stream_destroy(m->streams[i]);
}

struct expected {
    const uint8_t *at;
    uint8_t value;
};

static void check_value(void *arg) {
    const struct expected *e = arg;
    const uint8_t *bytes = fake_cuda_read(e->at, ROW_BYTES);
    for (uint32_t i = 0; i < ROW_BYTES; i++)
        if (bytes[i] != e->value) {
            fake_cuda_report("batch %u where batch %u should be", bytes[i], e->value);
            return;
        }
}

static void check(struct model *m, uint32_t slot, cudaStream_t stream) {
    const struct expected e = {m->upload.slots[slot].rows, (uint8_t)m->slots[slot].batch};
    const struct fake_cuda_range range = {e.at, ROW_BYTES};
    fake_cuda_as_user(true);
    assert_int_equal(fake_cuda_launch(stream, &(struct fake_cuda_kernel){.name = "check",
                                                                         .fn = check_value,
                                                                         .arg = &e,
                                                                         .arg_bytes = sizeof(e),
                                                                         .reads = &range,
                                                                         .num_reads = 1}),
                     cudaSuccess);
    fake_cuda_as_user(false);
}

/* ---- turns ---- */

static uint32_t free_slot(const struct model *m) {
    for (uint32_t i = 0; i < NUM_SLOTS; i++)
        if (m->slots[i].state == FREE)
            return i;
    return NONE;
}

static uint32_t free_rows(const struct model *m) {
    for (uint32_t i = 0; i < NUM_ROWS; i++)
        if (!m->rows_used[i])
            return i;
    return NONE;
}

static void begin(struct model *m) {
    const uint32_t slot = free_slot(m), rows = free_rows(m);
    if (slot == NONE || rows == NONE || m->num_flying == HR__MOST_FLYING ||
        m->next_begin == NUM_BATCHES)
        return;
    memset(m->pages + rows * ROW_BYTES, (int)m->next_begin, ROW_BYTES);
    m->rows_used[rows] = true;
    m->slots[slot] = (struct slot){FLYING, false, false, m->next_begin++, rows, 0};
    made_ok(hr__upload_begin(&m->upload, slot, m->pages + rows * ROW_BYTES, 1, NULL, NULL), NULL);
    m->flying[m->num_flying++] = slot;
}

static void settle(struct model *m, struct slot *s) {
    if (s->seen && s->batch < m->next_deliver && !s->held && s->state != FREE) {
        s->state = FREE;
        m->num_freed++;
    }
}

static void see(struct model *m) {
    struct hr__upload_times times;
    if (m->num_flying == 0)
        return;
    struct slot *s = &m->slots[m->flying[0]];
    made_ok(hr__upload_see(&m->upload, m->flying[0], &times, NULL), NULL);
    m->flying[0] = m->flying[--m->num_flying];
    m->rows_used[s->rows] = false;
    s->seen = true;
    settle(m, s);
}

static void deliver(struct model *m) {
    for (uint32_t i = 0; i < NUM_SLOTS; i++) {
        struct slot *s = &m->slots[i];
        if (s->state != FREE && s->batch == m->next_deliver && !s->held) {
            s->held = true;
            s->releases_left = 1 + pick(m, 4); /* more than there are events */
            m->next_deliver++;
            return;
        }
    }
}

/* Work on any stream, and one of the holders lets go there. */
static void use(struct model *m) {
    const uint32_t i = pick(m, NUM_SLOTS);
    const cudaStream_t stream = m->streams[pick(m, NUM_STREAMS)];
    struct slot *s = &m->slots[i];
    if (!s->held)
        return;
    made_ok(hr__upload_await_on(&m->upload, i, stream, NULL), NULL);
    check(m, i, stream);
    made_ok(hr__upload_release_on(&m->upload, i, stream, NULL), NULL);
    if (--s->releases_left > 0)
        return;
    s->held = false;
    settle(m, s);
}

static uint64_t run(uint64_t seed) {
    static void (*const turns[])(struct model *) = {begin, see, deliver, use, use};
    struct model m;
    model_open(&m, seed);
    for (uint32_t i = 0; i < 10000 && m.num_freed < NUM_BATCHES; i++)
        turns[pick(&m, 5)](&m);
    assert_int_equal(m.num_freed, NUM_BATCHES);
    model_close(&m);
    const uint64_t hash = fake_cuda_trace_hash();
    fake_gpu_end();
    return hash;
}

static void upload__any_turns_in_any_order__every_batch_right(void **state) {
    (void)state;
    for (uint64_t seed = 0; seed < NUM_SEEDS; seed++)
        (void)run(seed);
}

static void upload__same_seed__the_same_again(void **state) {
    (void)state;
    for (uint64_t seed = 0; seed < 50; seed++)
        assert_int_equal(run(seed), run(seed));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(upload__any_turns_in_any_order__every_batch_right),
        cmocka_unit_test(upload__same_seed__the_same_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
