/*
 * Device memory, and host memory that is registered.
 *
 * Invariants:
 *  1. device addresses lie in one range of the address space that nobody can read or write; what
 *     they mean is in blocks of the heap, which only operations are led to;
 *  2. an address is handed out once between begin and end, so that use after free is seen;
 *  3. between two allocations lies at least a page that belongs to neither, and before and after
 *     each block a guard.
 */
#define _GNU_SOURCE
#include "fake_state.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define ADDRESS_BYTES ((size_t)64 << 30)
#define GAP_BYTES     ((size_t)4096)
#define GUARD_BYTES   ((size_t)256)
#define GUARD_VALUE   0xfd
#define GARBAGE_BYTES ((size_t)4 << 20) /* larger allocations keep what the heap gave */
#define GRANULE_BYTES ((size_t)512)

static uintptr_t address_base; /* kept for the life of the process */

void fake__memory_begin(void) {
    if (address_base == 0) {
        void *p = mmap(NULL, ADDRESS_BYTES, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
                       -1, 0);
        if (p == MAP_FAILED)
            abort();
        address_base = (uintptr_t)p;
    }
    fake__m.next_address = address_base + GAP_BYTES;
}

bool fake__is_device_address(uintptr_t at) {
    return at - address_base < ADDRESS_BYTES;
}

/* ---- device memory ---- */

static bool has(const struct fake_allocation *a, uintptr_t begin, size_t n_bytes) {
    return begin - a->begin <= a->n_bytes && n_bytes <= a->n_bytes - (begin - a->begin);
}

struct fake_allocation *fake__allocation_of(uintptr_t begin, size_t n_bytes) {
    for (size_t i = 0; i < fake__m.num_allocations; i++)
        if (fake__m.allocations[i].live && has(&fake__m.allocations[i], begin, n_bytes))
            return &fake__m.allocations[i];
    return NULL;
}

unsigned char *fake__bytes(uintptr_t at, size_t n_bytes) {
    const struct fake_allocation *a = fake__allocation_of(at, n_bytes);
    return a == NULL ? (unsigned char *)at : a->block + GUARD_BYTES + (at - a->begin);
}

void fake__check_guards(const struct fake_allocation *a, const char *name, uint64_t op) {
    const unsigned char *ends[] = {a->block, a->block + GUARD_BYTES + a->n_bytes};
    for (int end = 0; end < 2; end++) {
        for (size_t i = 0; i < GUARD_BYTES; i++) {
            if (ends[end][i] == GUARD_VALUE)
                continue;
            char at[96];
            fake__address_name(a->begin, at);
            fake__violation("'%s' (operation %llu) has written %s the allocation of %zu bytes, %s",
                            name, (unsigned long long)op, end == 0 ? "before" : "past", a->n_bytes,
                            at);
            memset((void *)(uintptr_t)ends[end], GUARD_VALUE, GUARD_BYTES);
            break;
        }
    }
}

static void free_block(struct fake_allocation *a) {
    free(a->block);
    free(a->written);
    a->block = NULL;
    a->written = NULL;
    a->num_written = a->room_written = 0;
    if (a->live)
        fake__m.devices[a->device].used_bytes -=
            (a->n_bytes + GRANULE_BYTES - 1) / GRANULE_BYTES * GRANULE_BYTES;
    a->live = false;
}

void fake__memory_end(void) {
    size_t left = 0, left_bytes = 0;
    for (size_t i = 0; i < fake__m.num_allocations; i++) {
        struct fake_allocation *a = &fake__m.allocations[i];
        left += a->live;
        left_bytes += a->live ? a->n_bytes : 0;
        free_block(a);
    }
    if (left > 0)
        fake__violation("%zu allocations were never freed, %zu bytes of device memory", left,
                        left_bytes);
    fake__m.num_allocations = 0;
}

static size_t bytes_left(int device) {
    return fake__m.config.device_bytes - fake__m.config.context_bytes -
           fake__m.devices[device].used_bytes;
}

static cudaError_t allocate(void **out, size_t size, int device) {
    struct fake_device *d = &fake__m.devices[device];
    const uintptr_t end = address_base + ADDRESS_BYTES;
    *out = NULL;
    if (size == 0)
        return cudaSuccess;
    if (size > bytes_left(device) || size > end - fake__m.next_address - 2 * GAP_BYTES)
        return cudaErrorMemoryAllocation;
    const size_t rounded = (size + GRANULE_BYTES - 1) / GRANULE_BYTES * GRANULE_BYTES;
    unsigned char *block = rounded > bytes_left(device) ? NULL : malloc(size + 2 * GUARD_BYTES);
    if (block == NULL)
        return cudaErrorMemoryAllocation;
    memset(block, GUARD_VALUE, GUARD_BYTES);
    if (size <= GARBAGE_BYTES)
        memset(block + GUARD_BYTES, FAKE_GARBAGE, size);
    memset(block + GUARD_BYTES + size, GUARD_VALUE, GUARD_BYTES);
    fake__m.allocations = fake__grown(fake__m.allocations, fake__m.num_allocations,
                                      &fake__m.room_allocations, sizeof *fake__m.allocations);
    fake__m.allocations[fake__m.num_allocations++] =
        (struct fake_allocation){.begin = fake__m.next_address,
                                 .n_bytes = size,
                                 .device = device,
                                 .live = true,
                                 .block = block};
    *out = (void *)fake__m.next_address;
    fake__m.next_address += (size + GAP_BYTES - 1) / GAP_BYTES * GAP_BYTES + GAP_BYTES;
    d->used_bytes += rounded;
    d->peak_bytes = d->used_bytes > d->peak_bytes ? d->used_bytes : d->peak_bytes;
    return cudaSuccess;
}

cudaError_t cudaMalloc(void **devPtr, size_t size) {
    struct fake_call call;
    if (fake__enter(&call, "cudaMalloc", FAKE_NOT_STEADY))
        call.error =
            devPtr == NULL ? cudaErrorInvalidValue : allocate(devPtr, size, fake__thread()->device);
    return fake__leave(&call);
}

/* Memory goes away that operations still use, as far as the host knows (d). */
static void let_go(uintptr_t begin, uintptr_t end, const char *call) {
    const struct fake_access *a = fake__access_pending(begin, end);
    if (a == NULL)
        return;
    char at[96], stream[64];
    fake__address_name(begin, at);
    fake__stream_name(a->stream, stream);
    fake__violation("%s of %s while '%s' (operation %llu in %s) uses it: nothing has told the host "
                    "that it is done",
                    call, at, a->name, (unsigned long long)a->op, stream);
    while (fake__run_one(NULL)) {
    }
    fake__watch_settle_range(begin, end);
    fake__access_forget_range(begin, end);
}

static cudaError_t release(uintptr_t at) {
    for (size_t i = 0; i < fake__m.num_allocations; i++) {
        struct fake_allocation *a = &fake__m.allocations[i];
        if (a->begin != at)
            continue;
        if (!a->live)
            break;
        let_go(a->begin, a->begin + a->n_bytes, "cudaFree");
        free_block(a);
        return cudaSuccess;
    }
    char name[96];
    fake__address_name(at, name);
    fake__violation("cudaFree of %s, which is no allocation (any more)", name);
    return cudaErrorInvalidValue;
}

cudaError_t cudaFree(void *devPtr) {
    struct fake_call call;
    if (fake__enter(&call, "cudaFree", FAKE_NOT_STEADY | FAKE_ALWAYS))
        call.error = devPtr == NULL ? cudaSuccess : release((uintptr_t)devPtr);
    return fake__leave(&call);
}

cudaError_t cudaMemGetInfo(size_t *free_bytes, size_t *total) {
    struct fake_call call;
    if (fake__enter(&call, "cudaMemGetInfo", 0)) {
        if (free_bytes == NULL || total == NULL) {
            call.error = cudaErrorInvalidValue;
        } else {
            *free_bytes = bytes_left(fake__thread()->device);
            *total = fake__m.config.device_bytes;
        }
    }
    return fake__leave(&call);
}

/* ---- host memory ---- */

bool fake__is_registered(uintptr_t begin, size_t n_bytes) {
    for (size_t i = 0; i < fake__m.num_registrations; i++) {
        const struct fake_interval *r = &fake__m.registrations[i];
        if (begin >= r->begin && begin <= r->end && n_bytes <= r->end - begin)
            return true;
    }
    return false;
}

static cudaError_t register_range(uintptr_t begin, size_t n_bytes, unsigned flags) {
    const unsigned known = cudaHostRegisterPortable | cudaHostRegisterMapped |
                           cudaHostRegisterIoMemory | cudaHostRegisterReadOnly;
    if (begin == 0 || n_bytes == 0 || n_bytes > UINTPTR_MAX - begin || (flags & ~known) != 0 ||
        fake__is_device_address(begin))
        return cudaErrorInvalidValue;
    for (size_t i = 0; i < fake__m.num_registrations; i++)
        if (begin < fake__m.registrations[i].end &&
            fake__m.registrations[i].begin < begin + n_bytes)
            return cudaErrorHostMemoryAlreadyRegistered;
    if (fake__m.num_registrations == FAKE_MAX_REGISTRATIONS)
        return cudaErrorMemoryAllocation;
    fake__m.registrations[fake__m.num_registrations++] =
        (struct fake_interval){begin, begin + n_bytes};
    return cudaSuccess;
}

cudaError_t cudaHostRegister(void *ptr, size_t size, unsigned int flags) {
    struct fake_call call;
    if (fake__enter(&call, "cudaHostRegister", FAKE_NOT_STEADY))
        call.error = register_range((uintptr_t)ptr, size, flags);
    return fake__leave(&call);
}

static cudaError_t unregister(uintptr_t begin) {
    for (size_t i = 0; i < fake__m.num_registrations; i++) {
        if (fake__m.registrations[i].begin != begin)
            continue;
        let_go(begin, fake__m.registrations[i].end, "cudaHostUnregister");
        fake__m.registrations[i] = fake__m.registrations[--fake__m.num_registrations];
        return cudaSuccess;
    }
    fake__violation("cudaHostUnregister of 0x%llx, where nothing registered begins",
                    (unsigned long long)begin);
    return cudaErrorHostMemoryNotRegistered;
}

cudaError_t cudaHostUnregister(void *ptr) {
    struct fake_call call;
    if (fake__enter(&call, "cudaHostUnregister", FAKE_NOT_STEADY | FAKE_ALWAYS))
        call.error = unregister((uintptr_t)ptr);
    return fake__leave(&call);
}
