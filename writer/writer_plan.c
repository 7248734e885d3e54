/*
 * The plan of a writer.
 */
#include "writer_plan.h"

#include "checked.h"
#include "default_budget.h"
#include "error.h"

#include "headrace/dataset.h"

#include <stdio.h>

/* Of what a chunk's values of variable length usually take: what a plan must have room for, and
 * what it is content with. */
#define LEAST_CHUNKS 4u
#define MOST_CHUNKS  64u

/* The default grows to the least that works, up to the stretched one. */
static uint64_t default_budget(const struct hr__chunk_plan *plan,
                               const struct hr__writer_wants *wants) {
    struct hr__writer_memory m;
    const uint64_t normal = hr_default_budget();
    if (hr__writer_memory_plan(plan, wants->level, wants->max_threads, wants->held_bytes, normal,
                               &m))
        return normal;
    const uint64_t stretched = hr__stretched_budget();
    return hr__max_u64(normal, hr__min_u64(hr__writer_memory_smallest(&m), stretched));
}

/* Names the smallest budget that works. */
static hr_status too_little(const struct hr__chunk_plan *plan, const struct hr__writer_wants *wants,
                            const struct hr__writer_memory *m, uint64_t budget_bytes,
                            hr_error *err) {
    const struct hr__writer_share *share = &wants->share;
    const uint64_t smallest = hr__writer_memory_smallest(m);
    const bool shared = share->others != NULL;
    uint64_t all;
    char others[96] = "";
    if (!hr__add_u64(smallest, shared ? share->others_bytes : 0, &all))
        all = UINT64_MAX;
    /* Found when the first rows are there: a larger budget is divided anew, and the others get up
     * to a quarter of it. */
    if (shared && plan->schema->num_variable > 0)
        all = hr__max_u64(all, smallest / 3 * 4 + 4);
    if (shared)
        (void)snprintf(others, sizeof others, " %s %llu,", share->others,
                       (unsigned long long)share->others_bytes);
    return hr__error_set(err, HR_ERR_BUDGET,
                         "writing needs at least %llu bytes of memory (chunks of %u samples, %llu "
                         "bytes decoded),%s the budget is %llu: give it at least %llu MiB%s",
                         (unsigned long long)smallest, plan->schema->samples_per_chunk,
                         (unsigned long long)plan->decoded_bytes, others,
                         (unsigned long long)(shared ? share->all_bytes : budget_bytes),
                         (unsigned long long)hr__ceil_div(all, UINT64_C(1) << 20),
                         plan->schema->samples_per_chunk > 1 ? ", or use smaller chunks" : "");
}

static hr_status divide(const struct hr__chunk_plan *plan, const struct hr__writer_wants *wants,
                        uint32_t max_threads, uint64_t budget_bytes, struct hr__writer_memory *out,
                        hr_error *err) {
    return hr__writer_memory_plan(plan, wants->level, max_threads, wants->held_bytes, budget_bytes,
                                  out)
               ? HR_OK
               : too_little(plan, wants, out, budget_bytes, err);
}

/* The same plan with as much room for values of variable length as the budget has. */
static hr_status give_values_room(const struct hr__schema *schema,
                                  const struct hr__writer_wants *wants, uint64_t usual_bytes,
                                  struct hr__chunk_plan *plan, struct hr__writer_memory *memory,
                                  uint64_t limit_bytes, hr_error *err) {
    uint64_t values_bytes = hr__writer_memory_values(plan, memory, limit_bytes);
    if (wants->budget_bytes == 0 && wants->mean_bytes > 0)
        values_bytes = hr__min_u64(values_bytes, MOST_CHUNKS * usual_bytes);
    hr__chunk_plan_free(plan);
    const hr_status st = hr__chunk_plan_make(schema, values_bytes, plan, err);
    return st == HR_OK ? divide(plan, wants, memory->num_threads, limit_bytes, memory, err) : st;
}

hr_status hr__writer_plan_make(const struct hr__schema *schema,
                               const struct hr__writer_wants *wants, struct hr__chunk_plan *plan,
                               struct hr__writer_memory *memory, uint64_t *limit_bytes,
                               hr_error *err) {
    uint64_t usual_bytes;
    hr_status st;
    if (!hr__mul_u64(wants->mean_bytes, schema->samples_per_chunk, &usual_bytes))
        usual_bytes = UINT64_MAX;
    usual_bytes = hr__min_u64(hr__max_u64(wants->chunk_bytes, usual_bytes), HR__MAX_SAMPLE_BYTES);
    HR_TRY(hr__chunk_plan_make(schema, LEAST_CHUNKS * usual_bytes, plan, err));
    *limit_bytes = wants->budget_bytes > 0 ? wants->budget_bytes : default_budget(plan, wants);
    HR_TRY(divide(plan, wants, wants->max_threads, *limit_bytes, memory, err));
    if (schema->num_variable > 0)
        st = give_values_room(schema, wants, usual_bytes, plan, memory, *limit_bytes, err);
done:
    return st;
}
