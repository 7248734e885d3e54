/*
 * What an address is: how it is called in sentences, whether an operation may use it, and what
 * cudaPointerGetAttributes says; how much memory is in use.
 */
#include "fake_state.h"

#include <stdio.h>

static const struct fake_allocation *ever_allocated(uintptr_t at) {
    for (size_t i = 0; i < fake__m.num_allocations; i++)
        if (at - fake__m.allocations[i].begin < fake__m.allocations[i].n_bytes)
            return &fake__m.allocations[i];
    return NULL;
}

void fake__address_name(uintptr_t at, char out[96]) {
    const struct fake_allocation *a = ever_allocated(at);
    if (a != NULL)
        snprintf(out, 96, "byte %zu of %s allocation %zu (0x%llx)", (size_t)(at - a->begin),
                 a->live ? "device" : "freed", (size_t)(a - fake__m.allocations),
                 (unsigned long long)at);
    else
        snprintf(out, 96, "%s address 0x%llx",
                 fake__is_device_address(at) ? "unallocated device" : "host",
                 (unsigned long long)at);
}

static bool refuse(uintptr_t at, size_t n_bytes, const char *name, const char *why) {
    char where[96];
    fake__address_name(at, where);
    fake__violation("'%s' uses %zu bytes from %s on, %s", name, n_bytes, where, why);
    return false;
}

bool fake__is_usable(uintptr_t at, size_t n_bytes, int device, const char *name) {
    if (!fake__is_device_address(at))
        return at != 0 || refuse(at, n_bytes, name, "which is no address");
    const struct fake_allocation *a = fake__allocation_of(at, n_bytes);
    if (a == NULL)
        return refuse(at, n_bytes, name, "which are not in one allocation");
    if (a->device != device)
        return refuse(at, n_bytes, name, "which is memory of another device than its stream");
    return true;
}

cudaError_t cudaPointerGetAttributes(struct cudaPointerAttributes *attributes, const void *ptr) {
    struct fake_call call;
    if (!fake__enter(&call, "cudaPointerGetAttributes", 0))
        return fake__leave(&call);
    const struct fake_allocation *a = fake__allocation_of((uintptr_t)ptr, 1);
    if (attributes == NULL)
        call.error = cudaErrorInvalidValue;
    else if (a != NULL)
        *attributes =
            (struct cudaPointerAttributes){cudaMemoryTypeDevice, a->device, (void *)ptr, NULL};
    else if (fake__is_registered((uintptr_t)ptr, 1))
        *attributes = (struct cudaPointerAttributes){cudaMemoryTypeHost, fake__thread()->device,
                                                     (void *)ptr, (void *)ptr};
    else
        *attributes =
            (struct cudaPointerAttributes){cudaMemoryTypeUnregistered, -1, NULL, (void *)ptr};
    return fake__leave(&call);
}

size_t fake_cuda_device_bytes(int device) {
    fake__lock();
    const size_t n_bytes = fake__m.devices[device].used_bytes;
    fake__unlock();
    return n_bytes;
}

size_t fake_cuda_device_peak_bytes(int device) {
    fake__lock();
    const size_t n_bytes = fake__m.devices[device].peak_bytes;
    fake__unlock();
    return n_bytes;
}

size_t fake_cuda_registered_bytes(void) {
    fake__lock();
    size_t n_bytes = 0;
    for (size_t i = 0; i < fake__m.num_registrations; i++)
        n_bytes += fake__m.registrations[i].end - fake__m.registrations[i].begin;
    fake__unlock();
    return n_bytes;
}
