/*
 * The machine that the stand-in for CUDA makes: drivers, devices, memory, and what fails when it is
 * told to; what is forbidden in the steady phase, after a fault, in a kernel and in a forked child.
 */
#define _GNU_SOURCE
#include "fake_cuda_case.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- drivers and devices ---- */

static void begin_with(int num_devices, int driver_version, cudaError_t driver_error) {
    struct fake_cuda_config config = FAKE_CUDA_CONFIG_INIT;
    config.num_devices = num_devices;
    config.driver_version = driver_version;
    config.driver_error = driver_error;
    fake_cuda_begin(&config);
}

static void driver__missing_old_or_broken__fails_everything_but_versions(void **state) {
    (void)state;
    const struct {
        int num_devices, driver_version;
        cudaError_t driver_error, expected;
    } machines[] = {{1, 0, cudaSuccess, cudaErrorInsufficientDriver},
                    {1, 12090, cudaSuccess, cudaErrorInsufficientDriver},
                    {1, 13000, cudaErrorSystemDriverMismatch, cudaErrorSystemDriverMismatch},
                    {1, 13000, cudaErrorSystemNotReady, cudaErrorSystemNotReady},
                    {0, 13000, cudaSuccess, cudaErrorNoDevice}};
    for (size_t i = 0; i < sizeof machines / sizeof *machines; i++) {
        int number = -1;
        void *memory;
        begin_with(machines[i].num_devices, machines[i].driver_version, machines[i].driver_error);
        assert_int_equal(cudaDriverGetVersion(&number), cudaSuccess);
        assert_int_equal(number, machines[i].driver_version);
        assert_int_equal(cudaRuntimeGetVersion(&number), cudaSuccess);
        assert_int_equal(number, 13000);
        assert_int_equal(cudaGetDeviceCount(&number), machines[i].expected);
        assert_int_equal(cudaSetDevice(0), machines[i].expected);
        assert_int_equal(cudaMalloc(&memory, 1), machines[i].expected);
        assert_int_equal(cudaGetLastError(), machines[i].expected);
        assert_int_equal(cudaGetLastError(), cudaSuccess);
        assert_int_equal(fake_cuda_contexts(), 0);
        assert_int_equal(fake_cuda_end(), 0);
    }
    begin_with(1, 13020, cudaSuccess); /* newer, and older of the same major version, will do */
    assert_int_equal(cudaSetDevice(0), cudaSuccess);
    assert_int_equal(fake_cuda_end(), 0);
}

static void devices__of_a_machine__are_told_apart(void **state) {
    (void)state;
    struct cudaDeviceProp prop;
    int number;
    char id[32];
    begin_with(2, 13000, cudaSuccess);
    assert_int_equal(cudaGetDeviceCount(&number), cudaSuccess);
    assert_int_equal(number, 2);
    assert_int_equal(cudaGetDeviceProperties(&prop, 1), cudaSuccess);
    assert_int_equal(cudaDeviceGetPCIBusId(id, sizeof id, 1), cudaSuccess);
    assert_string_equal(id, "fa4e:02:00.0");
    assert_int_equal(prop.pciBusID, 2);
    assert_int_equal(cudaDeviceGetAttribute(&number, cudaDevAttrComputeCapabilityMajor, 0),
                     cudaSuccess);
    assert_int_equal(number, prop.major);
    assert_int_equal(cudaSetDevice(2), cudaErrorInvalidDevice);
    assert_int_equal(cudaGetDevice(&number), cudaSuccess);
    assert_int_equal(number, 0);
    assert_int_equal(fake_cuda_contexts(), 0);
    assert_int_equal(cudaSetDevice(1), cudaSuccess);
    assert_int_equal(fake_cuda_contexts(), 1);
    assert_int_equal(fake_cuda_end(), 0);
}

static void device__other_than_the_current_one__is_reported(void **state) {
    (void)state;
    cudaStream_t stream;
    cudaEvent_t event;
    unsigned char *memory;
    begin_with(2, 13000, cudaSuccess);
    cudaMalloc((void **)&memory, CASE_BYTES);
    cudaEventCreate(&event);
    cudaSetDevice(1);
    cudaStreamCreate(&stream);
    assert_int_equal(cudaEventRecord(event, stream), cudaErrorInvalidResourceHandle);
    assert_true(fake_cuda_complained("an event of device 0 in a stream of device 1"));
    assert_int_equal(cudaMemsetAsync(memory, 0, CASE_BYTES, stream), cudaErrorInvalidValue);
    assert_true(fake_cuda_complained("memory of another device than its stream"));
    cudaSetDevice(0);
    assert_int_equal(fake_cuda_launch(stream, &(struct fake_cuda_kernel){.name = "there"}),
                     cudaErrorInvalidResourceHandle);
    assert_true(fake_cuda_complained("in a stream of device 1 while device 0 is current"));
    cudaStreamDestroy(stream);
    cudaEventDestroy(event);
    cudaFree(memory);
    assert_int_equal(fake_cuda_end(), 3);
}

/* ---- memory ---- */

static void memory__of_a_device__ends(void **state) {
    (void)state;
    struct fake_cuda_config config = FAKE_CUDA_CONFIG_INIT;
    size_t left, total;
    void *first, *second;
    config.device_bytes = 1 << 20;
    config.context_bytes = 1 << 18;
    fake_cuda_begin(&config);
    assert_int_equal(cudaMemGetInfo(&left, &total), cudaSuccess);
    assert_int_equal(left, 3 << 18);
    assert_int_equal(total, 1 << 20);
    assert_int_equal(cudaMalloc(&first, left + 1), cudaErrorMemoryAllocation);
    assert_int_equal(cudaMalloc(&first, left - 1), cudaSuccess);
    assert_int_equal(cudaMalloc(&second, 1), cudaErrorMemoryAllocation);
    assert_int_equal(fake_cuda_device_bytes(0), left);
    assert_int_equal(cudaFree(first), cudaSuccess);
    assert_int_equal(cudaMalloc(&second, 1), cudaSuccess);
    assert_ptr_not_equal(first, second);
    assert_int_equal(cudaFree(second), cudaSuccess);
    assert_int_equal(fake_cuda_device_peak_bytes(0), left);
    assert_int_equal(fake_cuda_end(), 0);
}

static void memory__of_the_host__is_registered_once(void **state) {
    (void)state;
    static unsigned char bytes[8192];
    struct cudaPointerAttributes is;
    fake_cuda_begin(NULL);
    assert_int_equal(cudaHostRegister(bytes, 0, 0), cudaErrorInvalidValue);
    assert_int_equal(cudaHostRegister(bytes, 4096, 0), cudaSuccess);
    assert_int_equal(cudaHostRegister(bytes + 4095, 2, 0), cudaErrorHostMemoryAlreadyRegistered);
    assert_int_equal(cudaHostRegister(bytes + 4096, 4096, 0), cudaSuccess);
    assert_int_equal(fake_cuda_registered_bytes(), 8192);
    assert_int_equal(cudaPointerGetAttributes(&is, bytes + 4095), cudaSuccess);
    assert_int_equal(is.type, cudaMemoryTypeHost);
    assert_int_equal(cudaHostUnregister(bytes), cudaSuccess);
    assert_int_equal(cudaPointerGetAttributes(&is, bytes + 4095), cudaSuccess);
    assert_int_equal(is.type, cudaMemoryTypeUnregistered);
    assert_int_equal(cudaHostUnregister(bytes + 4096), cudaSuccess);
    assert_int_equal(fake_cuda_end(), 0);
}

/* What fn does in a child ends it by a signal. */
static void assert_dies(void (*fn)(void *), void *arg) {
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
        signal(SIGSEGV, SIG_DFL); /* neither cmocka's handler nor a sanitizer's */
        fn(arg);
        _exit(0);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
}

static void read_byte(void *at) {
    (void)*(volatile unsigned char *)at;
}

static void write_byte(void *at) {
    *(volatile unsigned char *)at = 1;
}

static void memory__of_a_device__cannot_be_dereferenced(void **state) {
    (void)state;
    struct cuda_case c;
    case_open(&c, 1);
    assert_dies(read_byte, c.x);
    case_close_silent(&c);
}

static void sources__protected__cannot_be_written_until_the_copy_is_known_to_be_done(void **state) {
    (void)state;
    struct fake_cuda_config config = FAKE_CUDA_CONFIG_INIT;
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    unsigned char *host = aligned_alloc(page, 2 * page);
    cudaStream_t stream;
    cudaEvent_t event;
    void *memory;
    memset(host, 0, 2 * page);
    config.protect_sources = true;
    fake_cuda_begin(&config);
    cudaEventCreate(&event);
    cudaHostRegister(host, 2 * page, 0);
    cudaMalloc(&memory, page + 1);
    cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking);
    cudaMemcpyAsync(memory, host, page, cudaMemcpyHostToDevice, stream);
    cudaEventRecord(event, stream);
    cudaStreamWaitEvent(cudaStreamPerThread, event, 0);
    cudaMemcpyAsync(memory, host, page + 1, cudaMemcpyHostToDevice, cudaStreamPerThread);
    cudaEventSynchronize(event); /* of the first of two copies from the same page */
    assert_dies(write_byte, host + page - 1);
    host[page + 1] = 1; /* no whole page of it is a source */
    assert_int_equal(cudaStreamSynchronize(cudaStreamPerThread), cudaSuccess);
    host[0] = 1;
    cudaFree(memory);
    cudaEventDestroy(event);
    cudaStreamDestroy(stream);
    cudaHostUnregister(host);
    assert_int_equal(fake_cuda_end(), 0);
    free(host);
}

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
    munmap(c.pages, 4096);
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

static void events__with_time__tell_how_long(void **state) {
    (void)state;
    struct cuda_case c;
    cudaEvent_t untimed;
    float ms = -1;
    case_open(&c, 1);
    fake_cuda_hold(true);
    cudaEventCreateWithFlags(&untimed, cudaEventDisableTiming);
    cudaEventRecord(untimed, c.a);
    cudaEventRecord(c.event, c.a);
    case_mark(c.a, 1);
    cudaEventRecord(c.other, c.a);
    assert_int_equal(cudaEventElapsedTime(&ms, c.event, c.other), cudaErrorNotReady);
    cudaStreamSynchronize(c.a);
    assert_int_equal(cudaEventElapsedTime(&ms, untimed, c.other), cudaErrorInvalidResourceHandle);
    assert_int_equal(cudaEventElapsedTime(&ms, c.event, c.other), cudaSuccess);
    assert_true(ms > 0 && ms < 1);
    cudaEventDestroy(untimed);
    case_close_silent(&c);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(driver__missing_old_or_broken__fails_everything_but_versions),
        cmocka_unit_test(devices__of_a_machine__are_told_apart),
        cmocka_unit_test(device__other_than_the_current_one__is_reported),
        cmocka_unit_test(memory__of_a_device__ends),
        cmocka_unit_test(memory__of_the_host__is_registered_once),
        cmocka_unit_test(memory__of_a_device__cannot_be_dereferenced),
        cmocka_unit_test(sources__protected__cannot_be_written_until_the_copy_is_known_to_be_done),
        cmocka_unit_test(call__the_nth__fails_and_nothing_is_left),
        cmocka_unit_test(call__of_one_name__fails_at_its_turn),
        cmocka_unit_test(kernel__that_faults__fails_all_later_calls),
        cmocka_unit_test(call__with_a_sticky_fault__drops_what_is_pending),
        cmocka_unit_test(steady__calls_that_wait_or_make__are_reported),
        cmocka_unit_test(kernel__that_calls_the_runtime__is_reported),
        cmocka_unit_test(child__that_calls_the_runtime__is_reported),
        cmocka_unit_test(events__with_time__tell_how_long),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
