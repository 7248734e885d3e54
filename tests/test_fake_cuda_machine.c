/*
 * The machine that the stand-in for CUDA makes: drivers, devices, memory and time.
 */
#include "fake_cuda_case.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
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

/* ---- time ---- */

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
        cmocka_unit_test(events__with_time__tell_how_long),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
