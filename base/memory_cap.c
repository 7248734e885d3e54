/*
 * The process-wide cap. Invariant: under a cap, in_use_bytes grows only while it stays at or below
 * cap_bytes. Without one, a sum that does not fit wraps, and comes back when it is given back: that
 * no memory has so many bytes, the allocator says.
 */
#include "memory_cap.h"

#include "error.h"

#include <stdatomic.h>

#define NO_CAP UINT64_MAX

static _Atomic uint64_t cap_bytes = NO_CAP;
static _Atomic uint64_t in_use_bytes;

void hr_memory_set_cap(uint64_t n_bytes) {
    atomic_store(&cap_bytes, n_bytes != 0 ? n_bytes : NO_CAP);
}

uint64_t hr_memory_cap(void) {
    const uint64_t cap = atomic_load(&cap_bytes);
    return cap != NO_CAP ? cap : 0;
}

uint64_t hr_memory_in_use(void) {
    return atomic_load(&in_use_bytes);
}

static uint64_t left_of(uint64_t cap, uint64_t in_use) {
    return cap > in_use ? cap - in_use : 0;
}

uint64_t hr__memory_left(void) {
    const uint64_t cap = atomic_load(&cap_bytes);
    return cap != NO_CAP ? left_of(cap, atomic_load(&in_use_bytes)) : NO_CAP;
}

static double mib(uint64_t n_bytes) {
    return (double)n_bytes / 1048576.0;
}

static hr_status refuse(uint64_t n_bytes, const char *what, uint64_t cap, uint64_t in_use,
                        hr_error *err) {
    return hr__error_set(err, HR_ERR_BUDGET,
                         "%s needs %.1f MiB, and %.1f MiB of the process-wide cap of %.1f MiB are "
                         "left (%.1f MiB are in use); give a budget of at most %.1f MiB, close "
                         "what is no longer needed, or raise the cap (hr_memory_set_cap)",
                         what, mib(n_bytes), mib(left_of(cap, in_use)), mib(cap), mib(in_use),
                         mib(left_of(cap, in_use)));
}

hr_status hr__memory_take(uint64_t n_bytes, const char *what, hr_error *err) {
    uint64_t was = atomic_load(&in_use_bytes);
    do {
        const uint64_t cap = atomic_load(&cap_bytes);
        if (cap != NO_CAP && n_bytes > left_of(cap, was))
            return refuse(n_bytes, what, cap, was, err);
    } while (!atomic_compare_exchange_weak(&in_use_bytes, &was, was + n_bytes));
    return HR_OK;
}

void hr__memory_give_back(uint64_t n_bytes) {
    atomic_fetch_sub(&in_use_bytes, n_bytes);
}
