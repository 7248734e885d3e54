/*
 * Memory budgets.
 */
#include "budget.h"

#include "checked.h"
#include "error.h"
#include "memory_cap.h"
#include "size_text.h"

#include <stdlib.h>
#include <string.h>

#define ALIGN_BYTES 64u
#define PAGE_BYTES  4096u
#define KIB         (UINT64_C(1) << 10)
#define MIB         (UINT64_C(1) << 20)

void hr__budget_init(struct hr__budget *b, uint64_t limit_bytes) {
    b->limit_bytes = limit_bytes;
    atomic_init(&b->reserved_bytes, 0);
    atomic_init(&b->peak_bytes, 0);
    atomic_init(&b->missing_bytes, 0);
    b->counted = true;
}

void hr__budget_init_uncounted(struct hr__budget *b) {
    hr__budget_init(b, UINT64_MAX);
    b->counted = false;
}

void hr__budget_close(struct hr__budget *b) {
    hr__budget_release(b, atomic_load(&b->reserved_bytes));
}

uint64_t hr__budget_left(const struct hr__budget *b) {
    const uint64_t reserved = atomic_load(&b->reserved_bytes);
    return b->limit_bytes > reserved ? b->limit_bytes - reserved : 0;
}

static hr_status refuse(struct hr__budget *b, uint64_t n_bytes, uint64_t left_bytes,
                        const char *what, hr_error *err) {
    const uint64_t missing = n_bytes - left_bytes;
    const bool large = missing >= 10 * MIB;
    atomic_store(&b->missing_bytes, missing);
    return hr__error_set(err, HR_ERR_BUDGET,
                         "%s needs %s, and %s of the budget of %s are left; give at least %llu %s "
                         "more",
                         what, hr__size_text(n_bytes).text, hr__size_text(left_bytes).text,
                         hr__size_text(b->limit_bytes).text,
                         (unsigned long long)hr__ceil_div(missing, large ? MIB : KIB),
                         large ? "MiB" : "KiB");
}

hr_status hr__budget_reserve(struct hr__budget *b, uint64_t n_bytes, const char *what,
                             hr_error *err) {
    uint64_t was = atomic_load(&b->reserved_bytes);
    do {
        if (n_bytes > b->limit_bytes - was)
            return refuse(b, n_bytes, b->limit_bytes - was, what, err);
    } while (!atomic_compare_exchange_weak(&b->reserved_bytes, &was, was + n_bytes));
    hr_status st = b->counted ? hr__memory_take(n_bytes, what, err) : HR_OK;
    if (st != HR_OK) {
        atomic_fetch_sub(&b->reserved_bytes, n_bytes);
        return st;
    }
    uint64_t now = was + n_bytes, peak = atomic_load(&b->peak_bytes);
    while (peak < now && !atomic_compare_exchange_weak(&b->peak_bytes, &peak, now))
        ;
    return HR_OK;
}

void hr__budget_release(struct hr__budget *b, uint64_t n_bytes) {
    atomic_fetch_sub(&b->reserved_bytes, n_bytes);
    if (b->counted)
        hr__memory_give_back(n_bytes);
}

void *hr__budget_take_raw(struct hr__budget *b, size_t n_bytes, const char *what, hr_status *st,
                          hr_error *err) {
    const hr_status reserved = hr__budget_reserve(b, n_bytes, what, err);
    if (reserved != HR_OK) {
        *st = reserved;
        return NULL;
    }
    const size_t align = n_bytes < PAGE_BYTES ? ALIGN_BYTES : PAGE_BYTES;
    const size_t size = n_bytes > SIZE_MAX - align ? 0 : hr__round_up(n_bytes, align);
    void *p = size > 0 || n_bytes == 0 ? aligned_alloc(align, size > 0 ? size : align) : NULL;
    if (p == NULL) {
        hr__budget_release(b, n_bytes);
        *st = hr__error_no_memory(err, n_bytes, what);
    }
    return p;
}

void *hr__budget_take(struct hr__budget *b, size_t n_bytes, const char *what, hr_status *st,
                      hr_error *err) {
    void *p = hr__budget_take_raw(b, n_bytes, what, st, err);
    if (p != NULL)
        memset(p, 0, n_bytes);
    return p;
}

void hr__budget_free(struct hr__budget *b, void *p, size_t n_bytes) {
    if (p == NULL)
        return;
    free(p);
    hr__budget_release(b, n_bytes);
}
