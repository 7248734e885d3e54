/*
 * Versions, devices, and the thread that steps.
 */
#include "fake_state.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>

#define PCI_DOMAIN 0xfa4e /* no machine has it */

/* ---- versions ---- */

cudaError_t cudaDriverGetVersion(int *driverVersion) {
    struct fake_call call;
    if (fake__enter(&call, "cudaDriverGetVersion", FAKE_NO_CONTEXT | FAKE_NO_DEVICE)) {
        if (driverVersion == NULL)
            call.error = cudaErrorInvalidValue;
        else
            *driverVersion = fake__m.config.driver_version;
    }
    return fake__leave(&call);
}

cudaError_t cudaRuntimeGetVersion(int *runtimeVersion) {
    struct fake_call call;
    if (fake__enter(&call, "cudaRuntimeGetVersion", FAKE_NO_CONTEXT | FAKE_NO_DEVICE)) {
        if (runtimeVersion == NULL)
            call.error = cudaErrorInvalidValue;
        else
            *runtimeVersion = fake__m.config.runtime_version;
    }
    return fake__leave(&call);
}

/* ---- devices ---- */

static cudaError_t check_device(int device) {
    if (fake__m.config.num_devices == 0)
        return cudaErrorNoDevice;
    return device < 0 || device >= fake__m.config.num_devices ? cudaErrorInvalidDevice
                                                              : cudaSuccess;
}

cudaError_t cudaGetDeviceCount(int *count) {
    struct fake_call call;
    if (fake__enter(&call, "cudaGetDeviceCount", FAKE_NO_CONTEXT)) {
        if (count == NULL) {
            call.error = cudaErrorInvalidValue;
        } else {
            *count = fake__m.config.num_devices;
            call.error = *count == 0 ? cudaErrorNoDevice : cudaSuccess;
        }
    }
    return fake__leave(&call);
}

static cudaError_t use_device(int device) {
    const cudaError_t error = check_device(device);
    if (error != cudaSuccess)
        return error;
    fake__thread()->device = device;
    const cudaError_t made = fake__make_context(device);
    return made != cudaSuccess ? made : fake__m.devices[device].sticky;
}

cudaError_t cudaSetDevice(int device) {
    struct fake_call call;
    if (fake__enter(&call, "cudaSetDevice", FAKE_NO_CONTEXT))
        call.error = use_device(device);
    return fake__leave(&call);
}

cudaError_t cudaGetDevice(int *device) {
    struct fake_call call;
    if (fake__enter(&call, "cudaGetDevice", FAKE_NO_CONTEXT)) {
        if (device == NULL)
            call.error = cudaErrorInvalidValue;
        else if ((call.error = check_device(fake__thread()->device)) == cudaSuccess)
            *device = fake__thread()->device;
    }
    return fake__leave(&call);
}

cudaError_t cudaInitDevice(int device, unsigned int deviceFlags, unsigned int flags) {
    struct fake_call call;
    (void)deviceFlags;
    if (fake__enter(&call, "cudaInitDevice", FAKE_NO_CONTEXT)) {
        call.error = check_device(device);
        if (call.error == cudaSuccess && (flags & ~(unsigned)cudaInitDeviceFlagsAreValid) != 0)
            call.error = cudaErrorInvalidValue;
        if (call.error == cudaSuccess)
            call.error = fake__make_context(device);
    }
    return fake__leave(&call);
}

static bool attribute(enum cudaDeviceAttr attr, int device, int *value) {
    const struct {
        enum cudaDeviceAttr attr;
        int value;
    } known[] = {
        {cudaDevAttrMaxThreadsPerBlock, 1024},
        {cudaDevAttrWarpSize, 32},
        {cudaDevAttrMultiProcessorCount, 132},
        {cudaDevAttrIntegrated, 0},
        {cudaDevAttrComputeMode, 0},
        {cudaDevAttrPciBusId, device + 1},
        {cudaDevAttrPciDeviceId, 0},
        {cudaDevAttrAsyncEngineCount, 3},
        {cudaDevAttrUnifiedAddressing, 1},
        {cudaDevAttrPciDomainId, PCI_DOMAIN},
        {cudaDevAttrComputeCapabilityMajor, 9},
        {cudaDevAttrComputeCapabilityMinor, 0},
        {cudaDevAttrCanUseHostPointerForRegisteredMem, 1},
        {cudaDevAttrHostRegisterSupported, 1},
        {cudaDevAttrHostNumaId, 0},
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (known[i].attr == attr) {
            *value = known[i].value;
            return true;
        }
    return false;
}

cudaError_t cudaDeviceGetAttribute(int *value, enum cudaDeviceAttr attr, int device) {
    struct fake_call call;
    if (fake__enter(&call, "cudaDeviceGetAttribute", FAKE_NO_CONTEXT)) {
        call.error = check_device(device);
        if (call.error == cudaSuccess && (value == NULL || !attribute(attr, device, value)))
            call.error = cudaErrorInvalidValue;
    }
    return fake__leave(&call);
}

cudaError_t cudaGetDeviceProperties(struct cudaDeviceProp *prop, int device) {
    struct fake_call call;
    if (!fake__enter(&call, "cudaGetDeviceProperties", FAKE_NO_CONTEXT))
        return fake__leave(&call);
    call.error = check_device(device);
    if (call.error == cudaSuccess)
        *prop = (struct cudaDeviceProp){.name = "Stand-in for a GPU",
                                        .totalGlobalMem = fake__m.config.device_bytes,
                                        .warpSize = 32,
                                        .maxThreadsPerBlock = 1024,
                                        .major = 9,
                                        .multiProcessorCount = 132,
                                        .pciBusID = device + 1,
                                        .pciDomainID = PCI_DOMAIN,
                                        .asyncEngineCount = 3,
                                        .unifiedAddressing = 1,
                                        .hostRegisterSupported = 1};
    return fake__leave(&call);
}

cudaError_t cudaDeviceGetPCIBusId(char *pciBusId, int len, int device) {
    struct fake_call call;
    if (fake__enter(&call, "cudaDeviceGetPCIBusId", FAKE_NO_CONTEXT)) {
        call.error = check_device(device);
        if (call.error == cudaSuccess && (pciBusId == NULL || len < 13))
            call.error = cudaErrorInvalidValue;
        if (call.error == cudaSuccess)
            snprintf(pciBusId, (size_t)len, "%04x:%02x:00.0", PCI_DOMAIN, device + 1);
    }
    return fake__leave(&call);
}

cudaError_t cudaDeviceGetStreamPriorityRange(int *leastPriority, int *greatestPriority) {
    struct fake_call call;
    if (fake__enter(&call, "cudaDeviceGetStreamPriorityRange", 0)) {
        if (leastPriority != NULL)
            *leastPriority = 0;
        if (greatestPriority != NULL)
            *greatestPriority = -5;
    }
    return fake__leave(&call);
}

cudaError_t cudaDeviceSynchronize(void) {
    struct fake_call call;
    if (!fake__enter(&call, "cudaDeviceSynchronize", FAKE_NOT_STEADY | FAKE_ALWAYS))
        return fake__leave(&call);
    struct fake_clock all = {{0}};
    for (int i = 0; i < fake__m.num_streams; i++)
        if (fake__m.streams[i].used && fake__m.streams[i].device == fake__thread()->device)
            fake__clock_join(&all, &fake__m.streams[i].next);
    fake__run_until(&all);
    fake__host_learns(&all);
    return fake__leave(&call);
}

int fake_cuda_contexts(void) {
    fake__lock();
    int contexts = 0;
    for (int i = 0; i < FAKE_CUDA_MAX_DEVICES; i++)
        contexts += fake__m.devices[i].has_context;
    fake__unlock();
    return contexts;
}

/* ---- the thread that steps ---- */

static pthread_t device_thread;
static bool has_device_thread;
static atomic_bool stopped;

static void *step_until_stopped(void *unused) {
    (void)unused;
    while (!atomic_load(&stopped)) {
        fake__lock();
        const bool ran = !fake__m.hold && fake__run_one(NULL);
        fake__unlock();
        if (!ran)
            sched_yield();
    }
    return NULL;
}

void fake_cuda_device_thread_start(void) {
    atomic_store(&stopped, false);
    has_device_thread = pthread_create(&device_thread, NULL, step_until_stopped, NULL) == 0;
}

void fake_cuda_device_thread_stop(void) {
    if (!has_device_thread)
        return;
    atomic_store(&stopped, true);
    pthread_join(device_thread, NULL);
    has_device_thread = false;
}
