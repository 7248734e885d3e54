/*
 * A memory budget: every large buffer of a loader, writer or conversion is reserved here before it
 * is allocated. Invariants:
 *  1. 0 <= reserved_bytes <= limit_bytes at any instant;
 *  2. what is reserved in a budget that is counted is in use of the process (memory_cap.h), too,
 *     until it is released or the budget is closed.
 * Threads: any; lock-free.
 */
#ifndef HEADRACE_BUDGET_H
#define HEADRACE_BUDGET_H

#include "headrace/status.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

struct hr__budget {
    uint64_t limit_bytes;
    _Atomic uint64_t reserved_bytes;
    _Atomic uint64_t peak_bytes;
    _Atomic uint64_t missing_bytes; /* of what was refused last, beyond the limit */
    bool counted;
};

void hr__budget_init(struct hr__budget *b, uint64_t limit_bytes);
/* Without limit, and not counted: of what is part of another budget, or is only planned. */
void hr__budget_init_uncounted(struct hr__budget *b);
/* Gives back what is still reserved. A zeroed budget, and closing again, are fine. */
void hr__budget_close(struct hr__budget *b);

/* HR_ERR_BUDGET: "WHAT needs N MiB, M MiB of the budget of L MiB are left; give at least K more",
 * or the same about the process-wide cap. */
hr_status hr__budget_reserve(struct hr__budget *b, uint64_t n_bytes, const char *what,
                             hr_error *err);
void hr__budget_release(struct hr__budget *b, uint64_t n_bytes);
uint64_t hr__budget_left(const struct hr__budget *b); /* at this instant */

/* malloc'ed memory, zeroed, charged to a budget; aligned to 64 bytes, from a page on to pages.
 * NULL: *st, which is left alone otherwise, and err say why. */
void *hr__budget_take(struct hr__budget *b, size_t n_bytes, const char *what, hr_status *st,
                      hr_error *err);
/* The same for a buffer that is written before it is read: its bytes are not set. */
void *hr__budget_take_raw(struct hr__budget *b, size_t n_bytes, const char *what, hr_status *st,
                          hr_error *err);
void hr__budget_free(struct hr__budget *b, void *p, size_t n_bytes);

#endif
