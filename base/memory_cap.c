/*
 * The process-wide cap. Invariant: under a cap, in_use_bytes grows only while it stays at or below
 * cap_bytes. Without one, a sum that does not fit wraps, and comes back when it is given back: that
 * no memory has so many bytes, the allocator says.
 */
#include "memory_cap.h"

#include "error.h"
#include "size_text.h"

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

static hr_status refuse(uint64_t n_bytes, const char *what, uint64_t cap, uint64_t in_use,
                        hr_error *err) {
    const struct hr__size_text left = hr__size_text(left_of(cap, in_use));
    return hr__error_set(err, HR_ERR_BUDGET,
                         "%s needs %s, and %s of the process-wide cap of %s are left (%s are in "
                         "use); give a budget of at most %s, close what is no longer needed, or "
                         "raise the cap (hr_memory_set_cap)",
                         what, hr__size_text(n_bytes).text, left.text, hr__size_text(cap).text,
                         hr__size_text(in_use).text, left.text);
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
