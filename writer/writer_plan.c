/*
 * The plan of a writer.
 */
#include "writer_plan.h"

#include "checked.h"
#include "default_budget.h"
#include "error.h"

#include "headrace/dataset.h"

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
                               &m, NULL) == HR_OK)
        return normal;
    const uint64_t stretched = hr__stretched_budget();
    return hr__max_u64(normal, hr__min_u64(hr__writer_memory_smallest(&m), stretched));
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
    return st == HR_OK ? hr__writer_memory_plan(plan, wants->level, memory->num_threads,
                                                wants->held_bytes, limit_bytes, memory, err)
                       : st;
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
    HR_TRY(hr__writer_memory_plan(plan, wants->level, wants->max_threads, wants->held_bytes,
                                  *limit_bytes, memory, err));
    if (schema->num_variable > 0)
        st = give_values_room(schema, wants, usual_bytes, plan, memory, *limit_bytes, err);
done:
    return st;
}
