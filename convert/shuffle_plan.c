/*
 * The division of a shuffle's memory.
 */
#include "shuffle_plan.h"

#include "checked.h"

#define MIB          (UINT64_C(1) << 20)
#define STAGE_BYTES  MIB /* read from the temporary file at once */
#define MAX_THREADS  4u  /* more would not be faster than one thread can append */
#define THREAD_SHARE 4u  /* one thread for so many compression workers */
/* Pieces that are on their way to the disk, for each thread. */
#define MOVING_PIECES 2u
#define TABLE_SHARE   16u /* of the memory, for bookkeeping of buckets */

static bool fits_in_memory(const struct hr__shuffle_layout *layout, uint64_t num_samples,
                           const struct hr__shuffle_memory *m) {
    uint64_t n_bytes = hr__shuffle_rows_bytes(layout, num_samples);
    return n_bytes < UINT64_MAX && hr__add_u64(n_bytes, m->reading_bytes, &n_bytes) &&
           n_bytes <= m->memory_bytes;
}

/* Records that each thread reads at once, and samples of a bucket beside them, of which two are in
 * memory; false: not one fits. */
static bool plan_buckets(const struct hr__shuffle_layout *layout, uint64_t memory_bytes,
                         uint32_t threads, uint64_t *load_records, uint64_t *samples) {
    const uint64_t stage = hr__min_u64(STAGE_BYTES, memory_bytes / 16 / threads);
    *load_records = hr__max_u64(1, stage / layout->record_bytes);
    const uint64_t taken = memory_bytes / TABLE_SHARE + 2 * hr__shuffle_rows_bytes(layout, 0) +
                           threads * *load_records * layout->record_bytes;
    if (taken >= memory_bytes)
        return false;
    *samples = hr__min_u64((memory_bytes - taken) / 2 / layout->sample_bytes, UINT32_MAX);
    return *samples > 0;
}

/* Buffers of the first pass: one for each bucket and some that are on their way, as large as there
 * is room for; or single records. */
static bool plan_pieces(const struct hr__shuffle_layout *layout, uint64_t room_bytes,
                        struct hr__shuffle_plan *p) {
    const uint64_t moving = (uint64_t)p->num_threads * MOVING_PIECES;
    const uint64_t fitting = room_bytes / (layout->record_bytes + HR__BUCKET_PIECE_BYTES);
    p->resident = fitting >= p->num_buckets + moving;
    p->num_pieces = p->resident ? p->num_buckets + moving : hr__min_u64(moving, fitting);
    p->piece_records = 1;
    if (p->resident)
        p->piece_records = hr__min_u64((room_bytes / p->num_pieces - HR__BUCKET_PIECE_BYTES) /
                                           layout->record_bytes,
                                       p->load_records);
    return p->num_pieces > 0;
}

static bool plan_file(const struct hr__shuffle_layout *layout, uint64_t num_samples,
                      const struct hr__shuffle_memory *m, uint32_t threads,
                      struct hr__shuffle_plan *p) {
    uint64_t samples, tables;
    *p = (struct hr__shuffle_plan){.num_samples = num_samples, .num_threads = threads};
    if (m->memory_bytes < m->reading_bytes ||
        !hr__mul_u64(num_samples, layout->record_bytes, &p->file_bytes) ||
        !plan_buckets(layout, m->memory_bytes, threads, &p->load_records, &samples))
        return false;
    p->num_buckets = hr__ceil_div(num_samples, samples);
    p->bucket_samples = hr__ceil_div(num_samples, p->num_buckets); /* all alike */
    const uint64_t room = m->memory_bytes - m->reading_bytes;
    if (!hr__mul_u64(p->num_buckets, HR__BUCKET_BYTES, &tables) || tables > room ||
        tables > m->memory_bytes / TABLE_SHARE || !plan_pieces(layout, room - tables, p))
        return false;
    p->load_records = p->load_records / p->piece_records * p->piece_records;
    return true;
}

bool hr__shuffle_plan_make(const struct hr__shuffle_layout *layout, uint64_t num_samples,
                           const struct hr__shuffle_memory *memory, struct hr__shuffle_plan *out) {
    if (fits_in_memory(layout, num_samples, memory)) {
        *out = (struct hr__shuffle_plan){.num_samples = num_samples,
                                         .num_buckets = 1,
                                         .bucket_samples = num_samples,
                                         .in_memory = true};
        return true;
    }
    uint64_t threads = hr__min_u64(hr__max_u64(memory->num_threads / THREAD_SHARE, 1), MAX_THREADS);
    for (; threads > 0; threads--)
        if (plan_file(layout, num_samples, memory, (uint32_t)threads, out))
            return true;
    return false;
}

uint64_t hr__shuffle_plan_least(const struct hr__shuffle_layout *layout, uint64_t num_samples,
                                uint64_t reading_bytes) {
    struct hr__shuffle_memory m = {.reading_bytes = reading_bytes, .num_threads = 1};
    struct hr__shuffle_plan plan;
    uint64_t too_small = 0, enough = UINT64_MAX;
    while (enough - too_small > 1) {
        m.memory_bytes = too_small + (enough - too_small) / 2;
        if (hr__shuffle_plan_make(layout, num_samples, &m, &plan))
            enough = m.memory_bytes;
        else
            too_small = m.memory_bytes;
    }
    return enough;
}
