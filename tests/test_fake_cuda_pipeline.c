/*
 * A loop of uploads into slots and of reads from them, as a loader and its consumer make it, under
 * the stand-in for CUDA: silent over thousands of seeds, and reported with every seed once any one
 * thing of it is left out or done at the wrong time. Then the same by two threads and a device.
 */
#include "fake_cuda_case.h"

#include <pthread.h>
#include <string.h>

#define NUM_SLOTS   3 /* on the device; the host has as many */
#define NUM_BATCHES 10
#define NUM_SEEDS   2000

enum fault {
    RIGHT,
    NO_WAIT_FOR_UPLOAD,
    NO_WAIT_FOR_RELEASE,
    HOST_SLOT_REUSED_TOO_EARLY,
    UPLOAD_RECORDED_TOO_EARLY,
    RELEASE_RECORDED_TOO_EARLY,
    WAIT_FOR_ANOTHER_SLOT,
    SLOT_OF_ANOTHER_BATCH,
    FREED_TOO_EARLY,
    UNREGISTERED_TOO_EARLY,
    SYNCHRONISED,
    ALLOCATED,
    WAITED_IN_THE_WRONG_THREAD,
    UPLOADED_IN_THE_LEGACY_STREAM,
    NUM_FAULTS
};

static const char *const words[NUM_FAULTS] = {
    [NO_WAIT_FOR_UPLOAD] = "the read of 'read'",
    [NO_WAIT_FOR_RELEASE] = "the write of 'host-to-device copy'",
    [HOST_SLOT_REUSED_TOO_EARLY] = "of the source of 'host-to-device copy'",
    [UPLOAD_RECORDED_TOO_EARLY] = "the read of 'read'",
    [RELEASE_RECORDED_TOO_EARLY] = "the write of 'host-to-device copy'",
    [WAIT_FOR_ANOTHER_SLOT] = "the read of 'read'",
    [SLOT_OF_ANOTHER_BATCH] = "is not ordered after",
    [FREED_TOO_EARLY] = "cudaFree of byte 0 of device allocation",
    [UNREGISTERED_TOO_EARLY] = "cudaHostUnregister of host address",
    [SYNCHRONISED] = "cudaStreamSynchronize in the steady phase",
    [ALLOCATED] = "cudaMalloc in the steady phase",
    [WAITED_IN_THE_WRONG_THREAD] = "this thread may not wait",
    [UPLOADED_IN_THE_LEGACY_STREAM] = "cudaMemcpyAsync in the steady phase",
};

struct slot {
    unsigned char *host, *device;
    cudaEvent_t uploaded, released;
};

struct pipeline {
    cudaStream_t upload, compute;
    struct slot slots[NUM_SLOTS];
    enum fault fault;
    /* of the threads */
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    int uploaded, released;
};

static unsigned char host_memory[NUM_SLOTS * CASE_BYTES];

static void pipeline_open(struct pipeline *p, uint64_t seed, enum fault fault) {
    struct fake_cuda_config config = FAKE_CUDA_CONFIG_INIT;
    *p = (struct pipeline){.fault = fault};
    config.seed = seed;
    fake_cuda_begin(&config);
    cudaHostRegister(host_memory, sizeof host_memory, cudaHostRegisterDefault);
    cudaStreamCreateWithFlags(&p->upload, cudaStreamNonBlocking);
    cudaStreamCreateWithFlags(&p->compute, cudaStreamNonBlocking);
    for (int i = 0; i < NUM_SLOTS; i++) {
        struct slot *s = &p->slots[i];
        s->host = host_memory + i * CASE_BYTES;
        cudaMalloc((void **)&s->device, CASE_BYTES);
        cudaEventCreateWithFlags(&s->uploaded, cudaEventDisableTiming);
        cudaEventCreateWithFlags(&s->released, cudaEventDisableTiming);
    }
    fake_cuda_steady(true);
}

static void upload(struct pipeline *p, int batch) {
    struct slot *s = &p->slots[batch % NUM_SLOTS];
    const enum fault f = p->fault;
    const bool reused = batch >= NUM_SLOTS;
    fake_cuda_may_wait(f != WAITED_IN_THE_WRONG_THREAD);
    if (reused && f != HOST_SLOT_REUSED_TOO_EARLY)
        cudaEventSynchronize(s->uploaded);
    memset(s->host, batch, CASE_BYTES);
    if (reused && f != NO_WAIT_FOR_RELEASE)
        cudaStreamWaitEvent(p->upload, s->released, 0);
    if (f == UPLOAD_RECORDED_TOO_EARLY)
        cudaEventRecord(s->uploaded, p->upload);
    cudaMemcpyAsync(s->device, s->host, CASE_BYTES, cudaMemcpyHostToDevice,
                    f == UPLOADED_IN_THE_LEGACY_STREAM ? NULL : p->upload);
    if (f != UPLOAD_RECORDED_TOO_EARLY)
        cudaEventRecord(s->uploaded, p->upload);
}

static void compute(struct pipeline *p, int batch) {
    struct slot *s = &p->slots[batch % NUM_SLOTS];
    struct slot *previous = &p->slots[(batch + NUM_SLOTS - 1) % NUM_SLOTS];
    const enum fault f = p->fault;
    if (f == WAIT_FOR_ANOTHER_SLOT && batch > 0)
        cudaStreamWaitEvent(p->compute, previous->uploaded, 0);
    else if (f != NO_WAIT_FOR_UPLOAD)
        cudaStreamWaitEvent(p->compute, s->uploaded, 0);
    if (f == RELEASE_RECORDED_TOO_EARLY)
        cudaEventRecord(s->released, p->compute);
    if (f == SLOT_OF_ANOTHER_BATCH && batch > 0)
        case_read(p->compute, previous->device, (unsigned char)(batch - 1)); /* which is released */
    case_read(p->compute, s->device, (unsigned char)batch);
    if (f != RELEASE_RECORDED_TOO_EARLY)
        cudaEventRecord(s->released, p->compute);
}

static void misuse(const struct pipeline *p) {
    void *memory;
    if (p->fault == SYNCHRONISED)
        cudaStreamSynchronize(p->compute);
    if (p->fault == ALLOCATED && cudaMalloc(&memory, 1) == cudaSuccess)
        cudaFree(memory);
}

static uint64_t pipeline_close(struct pipeline *p) {
    fake_cuda_steady(false);
    if (p->fault == UNREGISTERED_TOO_EARLY)
        cudaHostUnregister(host_memory);
    if (p->fault != FREED_TOO_EARLY)
        cudaStreamSynchronize(p->compute);
    for (int i = 0; i < NUM_SLOTS; i++) {
        cudaFree(p->slots[i].device);
        cudaEventDestroy(p->slots[i].uploaded);
        cudaEventDestroy(p->slots[i].released);
    }
    cudaStreamSynchronize(p->upload);
    cudaStreamDestroy(p->upload);
    cudaStreamDestroy(p->compute);
    if (p->fault != UNREGISTERED_TOO_EARLY)
        cudaHostUnregister(host_memory);
    return fake_cuda_end();
}

/* The consumer is up to most batches behind, as the seed has it. */
static uint64_t run_in_one_thread(uint64_t seed, enum fault fault, int most) {
    struct pipeline p;
    pipeline_open(&p, seed, fault);
    const int behind = (int)(seed % (unsigned)(most + 1));
    for (int i = 0; i < NUM_BATCHES + behind; i++) {
        if (i < NUM_BATCHES)
            upload(&p, i);
        if (i >= behind)
            compute(&p, i - behind);
        misuse(&p);
    }
    return pipeline_close(&p);
}

static void pipeline__right__is_silent(void **state) {
    (void)state;
    for (uint64_t seed = 0; seed < NUM_SEEDS; seed++)
        if (run_in_one_thread(seed, RIGHT, NUM_SLOTS - 1) != 0) {
            fake_cuda_print(stderr);
            fail_msg("seed %d", (int)seed);
        }
}

static void pipeline__with_any_one_fault__is_reported(void **state) {
    (void)state;
    /* One behind at most: where all slots are in use, the event of the slot before is recorded for
     * a later batch, and waiting for it waits for this one too. */
    for (int fault = RIGHT + 1; fault < NUM_FAULTS; fault++)
        for (uint64_t seed = 0; seed < NUM_SEEDS / 20; seed++)
            if (run_in_one_thread(seed, (enum fault)fault, 1) == 0 ||
                !fake_cuda_complained(words[fault])) {
                fake_cuda_print(stderr);
                fail_msg("fault %d, seed %d: nothing said '%s'", fault, (int)seed, words[fault]);
            }
}

/* ---- by threads ---- */

static void wait_for(struct pipeline *p, const int *count, int at_least) {
    pthread_mutex_lock(&p->mutex);
    while (*count < at_least)
        pthread_cond_wait(&p->changed, &p->mutex);
    pthread_mutex_unlock(&p->mutex);
}

static void add_one(struct pipeline *p, int *count) {
    pthread_mutex_lock(&p->mutex);
    ++*count;
    pthread_cond_broadcast(&p->changed);
    pthread_mutex_unlock(&p->mutex);
}

static void *upload_all(void *arg) {
    struct pipeline *p = arg;
    for (int i = 0; i < NUM_BATCHES; i++) {
        wait_for(p, &p->released, i - NUM_SLOTS + 1);
        upload(p, i);
        add_one(p, &p->uploaded);
    }
    return NULL;
}

static void *compute_all(void *arg) {
    struct pipeline *p = arg;
    for (int i = 0; i < NUM_BATCHES; i++) {
        wait_for(p, &p->uploaded, i + 1);
        compute(p, i);
        add_one(p, &p->released);
    }
    return NULL;
}

static uint64_t run_in_threads(uint64_t seed, enum fault fault) {
    struct pipeline p;
    pthread_t threads[2];
    pipeline_open(&p, seed, fault);
    pthread_mutex_init(&p.mutex, NULL);
    pthread_cond_init(&p.changed, NULL);
    fake_cuda_device_thread_start();
    assert_int_equal(pthread_create(&threads[0], NULL, upload_all, &p), 0);
    assert_int_equal(pthread_create(&threads[1], NULL, compute_all, &p), 0);
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    fake_cuda_device_thread_stop();
    pthread_mutex_destroy(&p.mutex);
    pthread_cond_destroy(&p.changed);
    return pipeline_close(&p);
}

/* Of the faults, those that touch the device's memory only: one that overwrites the host's while it
 * is copied is a race of this program, too. */
static void pipeline__by_threads__is_silent_when_right_and_reported_when_not(void **state) {
    (void)state;
    static const enum fault faults[] = {RIGHT, NO_WAIT_FOR_UPLOAD, NO_WAIT_FOR_RELEASE};
    for (uint64_t seed = 0; seed < 39; seed++) {
        const enum fault fault = faults[seed % 3];
        const uint64_t violations = run_in_threads(seed, fault);
        if ((violations == 0) != (fault == RIGHT)) {
            fake_cuda_print(stderr);
            fail_msg("fault %d, seed %d", (int)fault, (int)seed);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pipeline__right__is_silent),
        cmocka_unit_test(pipeline__with_any_one_fault__is_reported),
        cmocka_unit_test(pipeline__by_threads__is_silent_when_right_and_reported_when_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
