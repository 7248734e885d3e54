/*
 * A memory budget: every large buffer of a loader, writer or conversion is reserved here before it
 * is allocated. Invariant: 0 <= reserved_bytes <= limit_bytes at any instant.
 * Threads: any; lock-free.
 */
#ifndef HEADRACE_BUDGET_H
#define HEADRACE_BUDGET_H

#include "headrace/status.h"

#include <stdatomic.h>
#include <stddef.h>

struct hr__budget {
    uint64_t limit_bytes;
    _Atomic uint64_t reserved_bytes;
    _Atomic uint64_t peak_bytes;
};

void hr__budget_init(struct hr__budget *b, uint64_t limit_bytes);

/* HR_ERR_BUDGET: "WHAT needs N MiB, M MiB of the budget of L MiB are left; ..." */
hr_status hr__budget_reserve(struct hr__budget *b, uint64_t n_bytes, const char *what,
                             hr_error *err);
void hr__budget_release(struct hr__budget *b, uint64_t n_bytes);

/* malloc'ed memory (64-byte aligned, zeroed) charged to a budget; NULL and err on failure. */
void *hr__budget_alloc(struct hr__budget *b, size_t n_bytes, const char *what, hr_error *err);
/* The same for a buffer that is written before it is read: its bytes are not set. */
void *hr__budget_alloc_raw(struct hr__budget *b, size_t n_bytes, const char *what, hr_error *err);
void hr__budget_free(struct hr__budget *b, void *p, size_t n_bytes);

#endif
