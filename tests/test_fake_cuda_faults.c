/*
 * The stand-in for CUDA when it is told to fail, and what it forbids in the steady phase, after a
 * fault, in a kernel and in a forked child.
 */
#define _GNU_SOURCE
#include "fake_cuda_case.h"

#include <pthread.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- faults ---- */

/* All that a program does, until something fails; what was made is released. */
static cudaError_t small_program(void) {
    static unsigned char host[CASE_BYTES];
    cudaStream_t stream = NULL;
    cudaEvent_t event = NULL;
    void *memory = NULL;
    cudaError_t e = cudaSetDevice(0);
    const cudaError_t registered = e != cudaSuccess ? e : cudaHostRegister(host, sizeof host, 0);
    e = registered;
    if (e == cudaSuccess)
        e = cudaMalloc(&memory, CASE_BYTES);
    if (e == cudaSuccess)
        e = cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking);
    if (e == cudaSuccess)
        e = cudaEventCreateWithFlags(&event, cudaEventDisableTiming);
    if (e == cudaSuccess)
        e = cudaMemcpyAsync(memory, host, CASE_BYTES, cudaMemcpyHostToDevice, stream);
    if (e == cudaSuccess)
        e = cudaEventRecord(event, stream);
    if (e == cudaSuccess)
        e = cudaStreamWaitEvent(stream, event, 0);
    if (stream != NULL && cudaStreamSynchronize(stream) != cudaSuccess)
        e = cudaErrorUnknown;
    if (event != NULL && cudaEventDestroy(event) != cudaSuccess)
        e = cudaErrorUnknown;
    if (stream != NULL && cudaStreamDestroy(stream) != cudaSuccess)
        e = cudaErrorUnknown;
    if (cudaFree(memory) != cudaSuccess)
        e = cudaErrorUnknown;
    if (registered == cudaSuccess && cudaHostUnregister(host) != cudaSuccess)
        e = cudaErrorUnknown;
    return e;
}

static void call__the_nth__fails_and_nothing_is_left(void **state) {
    (void)state;
    uint64_t nth = 1;
    for (;; nth++) {
        fake_cuda_begin(NULL);
        fake_cuda_fail(NULL, nth, cudaErrorECCUncorrectable);
        const cudaError_t error = small_program();
        const bool hit = fake_cuda_failed() != NULL;
        if (fake_cuda_end() != 0) {
            fake_cuda_print(stderr);
            fail_msg("call %d", (int)nth);
        }
        if (!hit) {
            assert_int_equal(error, cudaSuccess);
            break;
        }
        assert_int_not_equal(error, cudaSuccess);
    }
    assert_int_equal(nth, 14); /* all 13 calls were tried */
}

static void call__of_one_name__fails_at_its_turn(void **state) {
    (void)state;
    void *one, *two;
    fake_cuda_begin(NULL);
    fake_cuda_fail("cudaMalloc", 2, cudaErrorMemoryAllocation);
    fake_cuda_as_user(true);
    assert_int_equal(cudaMalloc(&one, 1), cudaSuccess); /* not the library's */
    assert_int_equal(cudaFree(one), cudaSuccess);
    fake_cuda_as_user(false);
    assert_int_equal(cudaMalloc(&one, 1), cudaSuccess);
    assert_null(fake_cuda_failed());
    assert_int_equal(cudaMalloc(&two, 1), cudaErrorMemoryAllocation);
    assert_string_equal(fake_cuda_failed(), "cudaMalloc");
    assert_string_equal(cudaGetErrorString(cudaPeekAtLastError()), "out of memory");
    assert_int_equal(cudaMalloc(&two, 1), cudaSuccess);
    assert_int_equal(cudaFree(one), cudaSuccess);
    assert_int_equal(cudaFree(two), cudaSuccess);
    assert_int_equal(fake_cuda_calls("cudaMalloc"), 3);
    assert_int_equal(fake_cuda_calls("cudaFree"), 2);
    assert_int_equal(fake_cuda_calls(NULL), 5);
    assert_int_equal(fake_cuda_end(), 0);
}

static void faulty(void *arg) {
    (void)arg;
    fake_cuda_fault(cudaErrorIllegalAddress);
}

static void kernel__that_faults__fails_all_later_calls(void **state) {
    (void)state;
    for (uint64_t seed = 0; seed < CASE_SEEDS; seed++) {
        struct fake_cuda_config config = FAKE_CUDA_CONFIG_INIT;
        cudaStream_t stream;
        void *memory;
        config.seed = seed;
        config.num_devices = 2;
        fake_cuda_begin(&config);
        cudaMalloc(&memory, CASE_BYTES);
        cudaStreamCreate(&stream);
        fake_cuda_launch(stream, &(struct fake_cuda_kernel){.name = "faulty", .fn = faulty});
        assert_int_equal(cudaStreamSynchronize(stream), cudaErrorIllegalAddress);
        assert_int_equal(cudaStreamQuery(stream), cudaErrorIllegalAddress);
        assert_int_equal(cudaGetLastError(), cudaErrorIllegalAddress);
        assert_int_equal(cudaGetLastError(), cudaErrorIllegalAddress);
        assert_int_equal(fake_cuda_violations(), 0);
        assert_int_equal(cudaMemsetAsync(memory, 0, 1, stream), cudaErrorIllegalAddress);
        assert_int_equal(fake_cuda_violations(), 1); /* it was told */
        assert_true(fake_cuda_complained("told that device 0 has failed"));
        assert_int_equal(cudaFree(memory), cudaErrorIllegalAddress); /* and yet it is freed */
        assert_int_equal(cudaStreamDestroy(stream), cudaErrorIllegalAddress);
        assert_int_equal(cudaSetDevice(1), cudaSuccess); /* which is well */
        assert_int_equal(cudaDeviceSynchronize(), cudaSuccess);
        assert_int_equal(fake_cuda_end(), 1);
    }
}

static void call__with_a_sticky_fault__drops_what_is_pending(void **state) {
    (void)state;
    struct cuda_case c;
    case_open(&c, 1);
    fake_cuda_hold(true);
    case_mark(c.a, 1);
    cudaMemcpyAsync(c.x, c.host, CASE_BYTES, cudaMemcpyHostToDevice, c.a);
    fake_cuda_fail_sticky("cudaEventRecord", 1, cudaErrorLaunchFailure);
    assert_int_equal(cudaEventRecord(c.event, c.a), cudaErrorLaunchFailure);
    assert_int_equal(fake_cuda_pending(), 0);
    assert_int_equal(case_num_order, 0);
    c.host[0]++; /* nobody reads it any more */
    assert_int_equal(cudaEventSynchronize(c.event), cudaErrorLaunchFailure);
    cudaFree(c.x);
    cudaFree(c.y);
    cudaStreamDestroy(c.a);
    cudaStreamDestroy(c.b);
    cudaStreamDestroy(c.blocking);
    cudaEventDestroy(c.event);
    cudaEventDestroy(c.other);
    assert_int_equal(cudaHostUnregister(c.pages), cudaErrorLaunchFailure);
    munmap(c.pages, CASE_PAGES_BYTES);
    assert_int_equal(fake_cuda_end(), 1); /* the event was never recorded */
}

/* ---- what is forbidden ---- */

static void steady__calls_that_wait_or_make__are_reported(void **state) {
    (void)state;
    struct cuda_case c;
    cudaStream_t stream;
    cudaEvent_t event;
    static unsigned char more[CASE_BYTES];
    void *z;
    for (int as_user = 0; as_user < 2; as_user++) {
        case_open(&c, 1);
        cudaEventRecord(c.event, c.a);
        fake_cuda_steady(true);
        fake_cuda_as_user(as_user == 1);
        assert_int_equal(cudaMalloc(&z, 1), cudaSuccess);
        assert_int_equal(cudaFree(z), cudaSuccess);
        assert_int_equal(cudaHostRegister(more, 1, 0), cudaSuccess);
        assert_int_equal(cudaHostUnregister(more), cudaSuccess);
        assert_int_equal(cudaStreamCreate(&stream), cudaSuccess);
        assert_int_equal(cudaStreamDestroy(stream), cudaSuccess);
        assert_int_equal(cudaEventCreate(&event), cudaSuccess);
        assert_int_equal(cudaEventDestroy(event), cudaSuccess);
        assert_int_equal(cudaStreamSynchronize(c.a), cudaSuccess);
        assert_int_equal(cudaDeviceSynchronize(), cudaSuccess);
        assert_int_equal(cudaMemcpy(c.x, more, 1, cudaMemcpyHostToDevice), cudaSuccess);
        assert_int_equal(cudaMemsetAsync(c.y, 0, 1, cudaStreamLegacy), cudaSuccess);
        assert_int_equal(cudaEventSynchronize(c.event), cudaSuccess);
        assert_int_equal(fake_cuda_violations(), as_user ? 0 : 13);
        fake_cuda_may_wait(true);
        assert_int_equal(cudaEventSynchronize(c.event), cudaSuccess);
        assert_int_equal(fake_cuda_waits(), as_user ? 0 : 1);
        assert_int_equal(cudaMemsetAsync(c.x + 1, 0, 1, c.a), cudaSuccess);
        assert_int_equal(cudaEventRecord(c.event, c.a), cudaSuccess);
        assert_int_equal(cudaStreamWaitEvent(NULL, c.event, 0), cudaSuccess);
        assert_int_equal(cudaEventQuery(c.event) != cudaErrorInvalidValue, 1);
        fake_cuda_as_user(false);
        assert_int_equal(case_close(&c), as_user ? 0 : 13);
    }
}

static void *wait_for_event(void *event) {
    pthread_setname_np(pthread_self(), "uploads");
    return cudaEventSynchronize(event) == cudaSuccess ? event : NULL;
}

static void steady__wait_in_a_thread_with_the_name_of_waiters__is_fine(void **state) {
    (void)state;
    const char *const names[] = {"uploads", "other"};
    for (int i = 0; i < 2; i++) {
        struct cuda_case c;
        pthread_t thread;
        void *waited;
        case_open(&c, 1);
        cudaEventRecord(c.event, c.a);
        fake_cuda_steady(true);
        fake_cuda_may_wait_named(names[i]);
        assert_int_equal(pthread_create(&thread, NULL, wait_for_event, c.event), 0);
        pthread_join(thread, &waited);
        assert_ptr_equal(waited, c.event);
        assert_int_equal(fake_cuda_waits(), i == 0);
        assert_int_equal(case_close(&c), i);
    }
}

static void calls_the_runtime(void *arg) {
    *(cudaError_t *)arg = cudaSetDevice(0);
}

static void kernel__that_calls_the_runtime__is_reported(void **state) {
    (void)state;
    struct cuda_case c;
    cudaError_t error = cudaSuccess;
    case_open(&c, 1);
    fake_cuda_launch(
        c.a, &(struct fake_cuda_kernel){.name = "calls", .fn = calls_the_runtime, .arg = &error});
    case_close_with(&c, "cudaSetDevice is called from inside a kernel");
    assert_int_equal(error, cudaErrorNotPermitted);
}

static void child__that_calls_the_runtime__is_reported(void **state) {
    (void)state;
    struct cuda_case c;
    case_open(&c, 1);
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        const bool none = fake_cuda_violations() == 0;
        const bool refused = cudaEventQuery(c.event) == cudaErrorInitializationError;
        _exit(none && refused && fake_cuda_complained("in a forked child") ? 0 : 1);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    case_close_silent(&c);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(call__the_nth__fails_and_nothing_is_left),
        cmocka_unit_test(call__of_one_name__fails_at_its_turn),
        cmocka_unit_test(kernel__that_faults__fails_all_later_calls),
        cmocka_unit_test(call__with_a_sticky_fault__drops_what_is_pending),
        cmocka_unit_test(steady__calls_that_wait_or_make__are_reported),
        cmocka_unit_test(steady__wait_in_a_thread_with_the_name_of_waiters__is_fine),
        cmocka_unit_test(kernel__that_calls_the_runtime__is_reported),
        cmocka_unit_test(child__that_calls_the_runtime__is_reported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
