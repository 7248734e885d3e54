/*
 * Scratch for calls of the API, which data sets keep for the next one. Each place holds one that
 * nobody uses, or NULL; who takes or leaves one exchanges the pointer, so that no lock is needed
 * and a forked child has what its parent did not use at that moment.
 */
#include "dataset_access.h"

#include "error.h"
#include "memory_cap.h"

#include <stdlib.h>

#define MAX_KEPT_HEAD_BYTES ((size_t)1 << 20)
#define KEPT_SHARE          16u /* of what the process-wide cap leaves */

static void call_free(struct hr__access_call *c) {
    if (c == NULL)
        return;
    hr__access_end(&c->access);
    hr__budget_close(&c->budget);
    free(c);
}

hr_status hr__access_call_begin(hr_dataset *ds, struct hr__access_call **out, hr_error *err) {
    *out = NULL;
    for (uint32_t i = 0; i < HR__MAX_IDLE_CALLS && *out == NULL; i++)
        *out = atomic_exchange(&ds->idle[i], NULL);
    if (*out != NULL)
        return HR_OK;
    struct hr__access_call *c = calloc(1, sizeof *c);
    if (c == NULL)
        return hr__error_no_memory(err, sizeof *c, "a read");
    hr__budget_init(&c->budget, ds->budget.limit_bytes);
    const hr_status st = hr__access_begin(&c->access, ds, &c->budget, err);
    if (st != HR_OK)
        call_free(c);
    else
        *out = c;
    return st;
}

static bool is_worth_keeping(const struct hr__access_call *c, hr_status st) {
    return st == HR_OK && c->access.fetch.head_room_bytes <= MAX_KEPT_HEAD_BYTES &&
           atomic_load(&c->budget.reserved_bytes) <= hr__memory_left() / KEPT_SHARE;
}

void hr__access_call_end(hr_dataset *ds, struct hr__access_call *c, hr_status st) {
    if (c == NULL)
        return;
    for (uint32_t i = 0; i < HR__MAX_IDLE_CALLS && c != NULL && is_worth_keeping(c, st); i++) {
        struct hr__access_call *none = NULL;
        if (atomic_compare_exchange_strong(&ds->idle[i], &none, c))
            c = NULL;
    }
    call_free(c);
}

void hr__access_calls_close(hr_dataset *ds) {
    for (uint32_t i = 0; i < HR__MAX_IDLE_CALLS; i++)
        call_free(atomic_exchange(&ds->idle[i], NULL));
}
