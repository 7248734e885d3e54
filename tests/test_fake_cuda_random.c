/*
 * Programs made by chance under the stand-in for CUDA, against a second opinion: here the rules of
 * fake_cuda.h are edges of a graph between operations, and "after" is reachability in it. Races are
 * reported for exactly those operations that use a byte with another one that they are not after,
 * and what runs first agrees with every edge.
 */
#include "fake_cuda_case.h"

#include <string.h>

#define NUM_PROGRAMS 3000
#define MAX_OPS      40
#define NUM_STREAMS  6 /* the last is legacy, the one before per-thread */
#define NUM_EVENTS   4
#define NUM_CELLS    5

#define LEGACY     (NUM_STREAMS - 1)
#define PER_THREAD (NUM_STREAMS - 2)

struct op {
    int stream;
    bool record; /* records no bytes, and makes no blocking stream wait (4) */
    int cell;    /* of the bytes that it uses */
    bool writes;
    uint64_t before; /* a bit for each operation that it is after */
};

struct program {
    uint64_t random;
    cudaStream_t streams[NUM_STREAMS];
    bool blocking[NUM_STREAMS];
    cudaEvent_t events[NUM_EVENTS];
    unsigned char *cells; /* NUM_CELLS bytes of device memory */
    struct op ops[MAX_OPS];
    int num_ops;
    /* What is known of a stream, an event and the host: sets of operations. */
    uint64_t latest[NUM_STREAMS]; /* its latest operation, and what that is after */
    uint64_t waits[NUM_STREAMS];  /* that its next one will be after */
    uint64_t captured[NUM_EVENTS];
    uint64_t barrier; /* of the latest work in the legacy stream */
    uint64_t host;
    int num_races;
};

static int ran[MAX_OPS], num_ran;

static uint64_t below(struct program *p, uint64_t n) { /* xorshift64* */
    p->random ^= p->random >> 12;
    p->random ^= p->random << 25;
    p->random ^= p->random >> 27;
    return (p->random * 0x2545f4914f6cdd1du >> 33) % n;
}

/* ---- the second opinion ---- */

static uint64_t all_of_blocking(const struct program *p) {
    uint64_t set = 0;
    for (int i = 0; i < NUM_STREAMS; i++)
        if (p->blocking[i])
            set |= p->latest[i];
    return set;
}

static struct op *add_op(struct program *p, int stream, bool record) {
    struct op *op = &p->ops[p->num_ops];
    *op = (struct op){.stream = stream, .record = record, .cell = -1};
    op->before = p->latest[stream] | p->waits[stream] | p->host;
    if (stream == LEGACY)
        op->before |= all_of_blocking(p);
    if (p->blocking[stream])
        op->before |= p->barrier;
    p->latest[stream] = op->before | (uint64_t)1 << p->num_ops;
    if (stream == LEGACY && !record)
        p->barrier = p->latest[stream];
    p->num_ops++;
    return op;
}

static bool races(const struct program *p, const struct op *op) {
    for (int i = 0; &p->ops[i] != op; i++)
        if (p->ops[i].cell == op->cell && (p->ops[i].writes || op->writes) &&
            (op->before >> i & 1) == 0)
            return true;
    return false;
}

/* ---- the program ---- */

static void note(void *arg) {
    ran[num_ran++] = *(const int *)arg;
}

static void launch(struct program *p, int stream) {
    struct op *op = add_op(p, stream, false);
    const int number = p->num_ops - 1;
    op->cell = (int)below(p, NUM_CELLS);
    op->writes = below(p, 3) == 0;
    p->num_races += races(p, op);
    const struct fake_cuda_range range = {p->cells + op->cell, 1};
    struct fake_cuda_kernel k = {
        .name = "note", .fn = note, .arg = &number, .arg_bytes = sizeof number};
    if (op->writes)
        k.writes = &range, k.num_writes = 1;
    else
        k.reads = &range, k.num_reads = 1;
    assert_int_equal(fake_cuda_launch(p->streams[stream], &k), cudaSuccess);
}

static void record(struct program *p, int stream, int event) {
    add_op(p, stream, true);
    p->captured[event] = p->latest[stream];
    assert_int_equal(cudaEventRecord(p->events[event], p->streams[stream]), cudaSuccess);
}

static void wait_for(struct program *p, int stream, int event) {
    if (p->captured[event] == 0)
        return; /* never recorded */
    p->waits[stream] |= p->captured[event];
    assert_int_equal(cudaStreamWaitEvent(p->streams[stream], p->events[event], 0), cudaSuccess);
}

static void ask(struct program *p, int stream, int event) {
    if (below(p, 2) == 0) {
        if (p->captured[event] != 0 && cudaEventQuery(p->events[event]) == cudaSuccess)
            p->host |= p->captured[event];
    } else if (cudaStreamQuery(p->streams[stream]) == cudaSuccess) {
        p->host |= p->latest[stream] | p->waits[stream];
        p->host |= stream == LEGACY ? all_of_blocking(p) : 0;
    }
}

static void synchronise(struct program *p, int stream, int event) {
    if (below(p, 2) == 0) {
        if (p->captured[event] == 0)
            return;
        assert_int_equal(cudaEventSynchronize(p->events[event]), cudaSuccess);
        p->host |= p->captured[event];
    } else {
        assert_int_equal(cudaStreamSynchronize(p->streams[stream]), cudaSuccess);
        p->host |= p->latest[stream] | p->waits[stream];
        p->host |= stream == LEGACY ? all_of_blocking(p) : 0;
    }
}

static void one_more(struct program *p) {
    const int stream = (int)below(p, NUM_STREAMS), event = (int)below(p, NUM_EVENTS);
    const uint64_t what = below(p, 20);
    if (what < 9)
        launch(p, stream);
    else if (what < 13)
        record(p, stream, event);
    else if (what < 18)
        wait_for(p, stream, event);
    else if (what < 19)
        ask(p, stream, event);
    else
        synchronise(p, stream, event);
}

static void program_open(struct program *p, uint64_t seed) {
    struct fake_cuda_config config = FAKE_CUDA_CONFIG_INIT;
    *p = (struct program){.random = (seed + 1) * 0x9e3779b97f4a7c15u};
    num_ran = 0;
    config.seed = seed;
    fake_cuda_begin(&config);
    for (int i = 0; i < PER_THREAD; i++) {
        p->blocking[i] = i % 2 == 0;
        cudaStreamCreateWithFlags(&p->streams[i],
                                  p->blocking[i] ? cudaStreamDefault : cudaStreamNonBlocking);
    }
    p->streams[PER_THREAD] = cudaStreamPerThread;
    p->blocking[PER_THREAD] = true;
    p->streams[LEGACY] = NULL;
    for (int i = 0; i < NUM_EVENTS; i++)
        cudaEventCreateWithFlags(&p->events[i], cudaEventDisableTiming);
    cudaMalloc((void **)&p->cells, NUM_CELLS);
    cudaMemsetAsync(p->cells, 0, NUM_CELLS, NULL);
    cudaDeviceSynchronize();
}

static void program_close(struct program *p) {
    cudaDeviceSynchronize();
    for (int i = 0; i < PER_THREAD; i++)
        cudaStreamDestroy(p->streams[i]);
    for (int i = 0; i < NUM_EVENTS; i++)
        cudaEventDestroy(p->events[i]);
    cudaFree(p->cells);
    fake_cuda_end();
}

/* All that an operation is after, and that is a kernel, has run before it. */
static void check_what_ran(const struct program *p) {
    uint64_t done = 0, kernels = 0;
    for (int i = 0; i < p->num_ops; i++)
        kernels |= (uint64_t)!p->ops[i].record << i;
    for (int i = 0; i < num_ran; i++) {
        assert_true((p->ops[ran[i]].before & kernels & ~done) == 0);
        done |= (uint64_t)1 << ran[i];
    }
    assert_true(done == kernels);
}

static void program__by_chance__is_judged_as_by_the_graph(void **state) {
    (void)state;
    int with = 0, without = 0, crossed = 0;
    for (uint64_t seed = 0; seed < NUM_PROGRAMS; seed++) {
        struct program p;
        program_open(&p, seed);
        const int length = 2 + (int)below(&p, 50);
        for (int i = 0; i < length && p.num_ops < MAX_OPS; i++)
            one_more(&p);
        program_close(&p);
        if ((uint64_t)p.num_races != fake_cuda_violations()) {
            fake_cuda_print(stderr);
            fail_msg("seed %d: %d operations race", (int)seed, p.num_races);
        }
        check_what_ran(&p);
        with += p.num_races > 0;
        without += p.num_races == 0;
        for (int i = 1; i < num_ran; i++)
            crossed += ran[i] < ran[i - 1];
    }
    assert_in_range(without, NUM_PROGRAMS / 20, NUM_PROGRAMS);
    assert_in_range(with, NUM_PROGRAMS / 20, NUM_PROGRAMS);
    assert_in_range(crossed, NUM_PROGRAMS, NUM_PROGRAMS * MAX_OPS);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(program__by_chance__is_judged_as_by_the_graph),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
