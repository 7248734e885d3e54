/*
 * How large a chunk may become, and how a writer's budget is divided.
 */
#ifndef HEADRACE_WRITER_PLAN_H
#define HEADRACE_WRITER_PLAN_H

#include "writer_memory.h"

/* Of a larger budget: what others take of it, for messages. Zeroed: the budget is the writer's. */
struct hr__writer_share {
    const char *others; /* "reading takes"; outlives the writer */
    uint64_t others_bytes, all_bytes;
};

struct hr__writer_wants {
    int32_t level; /* the highest that may be used */
    uint32_t max_threads;
    uint64_t budget_bytes; /* 0: default */
    uint64_t chunk_bytes;
    uint64_t mean_bytes; /* of a sample, where values of variable length have been seen; else 0 */
    uint64_t held_bytes; /* of the budget, taken already; *memory holds them, too */
    struct hr__writer_share share;
};

/* Everything that follows from S. Where values of variable length have been seen, a chunk may hold
 * 64 times what is usual with the default budget; else as much as the budget leaves. *limit_bytes:
 * the budget. HR_ERR_BUDGET, HR_ERR_INVALID, HR_ERR_NO_MEMORY. */
hr_status hr__writer_plan_make(const struct hr__schema *schema,
                               const struct hr__writer_wants *wants, struct hr__chunk_plan *plan,
                               struct hr__writer_memory *memory, uint64_t *limit_bytes,
                               hr_error *err);

#endif
