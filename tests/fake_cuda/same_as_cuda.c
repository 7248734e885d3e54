/*
 * The subset has the values and prototypes of CUDA: this file compiles against the header of the
 * stand-in, and, where a toolkit is installed, against the real one.
 */
#include <cuda_runtime_api.h>

/* ---- values ---- */

_Static_assert(cudaSuccess == 0, "");
_Static_assert(cudaErrorInvalidValue == 1, "");
_Static_assert(cudaErrorMemoryAllocation == 2, "");
_Static_assert(cudaErrorInitializationError == 3, "");
_Static_assert(cudaErrorInvalidMemcpyDirection == 21, "");
_Static_assert(cudaErrorInsufficientDriver == 35, "");
_Static_assert(cudaErrorDevicesUnavailable == 46, "");
_Static_assert(cudaErrorNoDevice == 100, "");
_Static_assert(cudaErrorInvalidDevice == 101, "");
_Static_assert(cudaErrorNoKernelImageForDevice == 209, "");
_Static_assert(cudaErrorECCUncorrectable == 214, "");
_Static_assert(cudaErrorInvalidResourceHandle == 400, "");
_Static_assert(cudaErrorNotReady == 600, "");
_Static_assert(cudaErrorIllegalAddress == 700, "");
_Static_assert(cudaErrorLaunchTimeout == 702, "");
_Static_assert(cudaErrorAssert == 710, "");
_Static_assert(cudaErrorHostMemoryAlreadyRegistered == 712, "");
_Static_assert(cudaErrorHostMemoryNotRegistered == 713, "");
_Static_assert(cudaErrorHardwareStackError == 714, "");
_Static_assert(cudaErrorIllegalInstruction == 715, "");
_Static_assert(cudaErrorMisalignedAddress == 716, "");
_Static_assert(cudaErrorInvalidAddressSpace == 717, "");
_Static_assert(cudaErrorInvalidPc == 718, "");
_Static_assert(cudaErrorLaunchFailure == 719, "");
_Static_assert(cudaErrorNotPermitted == 800, "");
_Static_assert(cudaErrorNotSupported == 801, "");
_Static_assert(cudaErrorSystemNotReady == 802, "");
_Static_assert(cudaErrorSystemDriverMismatch == 803, "");
_Static_assert(cudaErrorCompatNotSupportedOnDevice == 804, "");
_Static_assert(cudaErrorUnknown == 999, "");
_Static_assert(cudaMemcpyHostToHost == 0, "");
_Static_assert(cudaMemcpyHostToDevice == 1, "");
_Static_assert(cudaMemcpyDeviceToHost == 2, "");
_Static_assert(cudaMemcpyDeviceToDevice == 3, "");
_Static_assert(cudaMemcpyDefault == 4, "");
_Static_assert(cudaMemoryTypeUnregistered == 0, "");
_Static_assert(cudaMemoryTypeHost == 1, "");
_Static_assert(cudaMemoryTypeDevice == 2, "");
_Static_assert(cudaMemoryTypeManaged == 3, "");
_Static_assert(cudaDevAttrMaxThreadsPerBlock == 1, "");
_Static_assert(cudaDevAttrWarpSize == 10, "");
_Static_assert(cudaDevAttrMultiProcessorCount == 16, "");
_Static_assert(cudaDevAttrIntegrated == 18, "");
_Static_assert(cudaDevAttrComputeMode == 20, "");
_Static_assert(cudaDevAttrPciBusId == 33, "");
_Static_assert(cudaDevAttrPciDeviceId == 34, "");
_Static_assert(cudaDevAttrAsyncEngineCount == 40, "");
_Static_assert(cudaDevAttrUnifiedAddressing == 41, "");
_Static_assert(cudaDevAttrPciDomainId == 50, "");
_Static_assert(cudaDevAttrComputeCapabilityMajor == 75, "");
_Static_assert(cudaDevAttrComputeCapabilityMinor == 76, "");
_Static_assert(cudaDevAttrCanUseHostPointerForRegisteredMem == 91, "");
_Static_assert(cudaDevAttrHostRegisterSupported == 99, "");
_Static_assert(cudaDevAttrHostNumaId == 134, "");
_Static_assert(cudaStreamDefault == 0x00, "");
_Static_assert(cudaStreamNonBlocking == 0x01, "");
_Static_assert(cudaEventDefault == 0x00, "");
_Static_assert(cudaEventBlockingSync == 0x01, "");
_Static_assert(cudaEventDisableTiming == 0x02, "");
_Static_assert(cudaEventInterprocess == 0x04, "");
_Static_assert(cudaEventWaitDefault == 0x00, "");
_Static_assert(cudaHostRegisterDefault == 0x00, "");
_Static_assert(cudaHostRegisterPortable == 0x01, "");
_Static_assert(cudaHostRegisterMapped == 0x02, "");
_Static_assert(cudaHostRegisterIoMemory == 0x04, "");
_Static_assert(cudaHostRegisterReadOnly == 0x08, "");
_Static_assert(cudaDeviceScheduleAuto == 0x00, "");
_Static_assert(cudaDeviceScheduleSpin == 0x01, "");
_Static_assert(cudaDeviceScheduleYield == 0x02, "");
_Static_assert(cudaDeviceScheduleBlockingSync == 0x04, "");
_Static_assert(cudaInitDeviceFlagsAreValid == 0x01, "");

/* ---- members ---- */

void members_of_properties(struct cudaDeviceProp *p, const char **name, size_t **size,
                           int *ints[12]);
void members_of_properties(struct cudaDeviceProp *p, const char **name, size_t **size,
                           int *ints[12]) {
    *name = p->name;
    *size = &p->totalGlobalMem;
    int *const all[] = {&p->warpSize,
                        &p->maxThreadsPerBlock,
                        &p->major,
                        &p->minor,
                        &p->multiProcessorCount,
                        &p->integrated,
                        &p->pciBusID,
                        &p->pciDeviceID,
                        &p->pciDomainID,
                        &p->asyncEngineCount,
                        &p->unifiedAddressing,
                        &p->hostRegisterSupported};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        ints[i] = all[i];
}

void members_of_pointers(struct cudaPointerAttributes *p, enum cudaMemoryType **type, int **device,
                         void ***pointers[2]);
void members_of_pointers(struct cudaPointerAttributes *p, enum cudaMemoryType **type, int **device,
                         void ***pointers[2]) {
    *type = &p->type;
    *device = &p->device;
    *pointers[0] = &p->devicePointer;
    *pointers[1] = &p->hostPointer;
}

/* ---- prototypes ---- */

#define SAME(type, name, ...)                                                                      \
    extern type (*const same_##name)(__VA_ARGS__);                                                 \
    type (*const same_##name)(__VA_ARGS__) = name

SAME(cudaError_t, cudaDriverGetVersion, int *driverVersion);
SAME(cudaError_t, cudaRuntimeGetVersion, int *runtimeVersion);
SAME(cudaError_t, cudaGetDeviceCount, int *count);
SAME(cudaError_t, cudaSetDevice, int device);
SAME(cudaError_t, cudaGetDevice, int *device);
SAME(cudaError_t, cudaInitDevice, int device, unsigned int deviceFlags, unsigned int flags);
SAME(cudaError_t, cudaDeviceGetAttribute, int *value, enum cudaDeviceAttr attr, int device);
SAME(cudaError_t, cudaGetDeviceProperties, struct cudaDeviceProp *prop, int device);
SAME(cudaError_t, cudaDeviceGetPCIBusId, char *pciBusId, int len, int device);
SAME(cudaError_t, cudaDeviceGetStreamPriorityRange, int *leastPriority, int *greatestPriority);
SAME(cudaError_t, cudaDeviceSynchronize, void);
SAME(cudaError_t, cudaGetLastError, void);
SAME(cudaError_t, cudaPeekAtLastError, void);
SAME(const char *, cudaGetErrorName, cudaError_t error);
SAME(const char *, cudaGetErrorString, cudaError_t error);
SAME(cudaError_t, cudaMalloc, void **devPtr, size_t size);
SAME(cudaError_t, cudaFree, void *devPtr);
SAME(cudaError_t, cudaMemGetInfo, size_t *free, size_t *total);
SAME(cudaError_t, cudaHostRegister, void *ptr, size_t size, unsigned int flags);
SAME(cudaError_t, cudaHostUnregister, void *ptr);
SAME(cudaError_t, cudaPointerGetAttributes, struct cudaPointerAttributes *attributes,
     const void *ptr);
SAME(cudaError_t, cudaMemcpy, void *dst, const void *src, size_t count, enum cudaMemcpyKind kind);
SAME(cudaError_t, cudaMemcpyAsync, void *dst, const void *src, size_t count,
     enum cudaMemcpyKind kind, cudaStream_t stream);
SAME(cudaError_t, cudaMemsetAsync, void *devPtr, int value, size_t count, cudaStream_t stream);
SAME(cudaError_t, cudaStreamCreate, cudaStream_t *pStream);
SAME(cudaError_t, cudaStreamCreateWithFlags, cudaStream_t *pStream, unsigned int flags);
SAME(cudaError_t, cudaStreamCreateWithPriority, cudaStream_t *pStream, unsigned int flags,
     int priority);
SAME(cudaError_t, cudaStreamDestroy, cudaStream_t stream);
SAME(cudaError_t, cudaStreamSynchronize, cudaStream_t stream);
SAME(cudaError_t, cudaStreamQuery, cudaStream_t stream);
SAME(cudaError_t, cudaStreamGetFlags, cudaStream_t hStream, unsigned int *flags);
SAME(cudaError_t, cudaStreamGetDevice, cudaStream_t hStream, int *device);
SAME(cudaError_t, cudaStreamWaitEvent, cudaStream_t stream, cudaEvent_t event, unsigned int flags);
SAME(cudaError_t, cudaEventCreate, cudaEvent_t *event);
SAME(cudaError_t, cudaEventCreateWithFlags, cudaEvent_t *event, unsigned int flags);
SAME(cudaError_t, cudaEventDestroy, cudaEvent_t event);
SAME(cudaError_t, cudaEventRecord, cudaEvent_t event, cudaStream_t stream);
SAME(cudaError_t, cudaEventQuery, cudaEvent_t event);
SAME(cudaError_t, cudaEventSynchronize, cudaEvent_t event);
SAME(cudaError_t, cudaEventElapsedTime, float *ms, cudaEvent_t start, cudaEvent_t end);
