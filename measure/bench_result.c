/*
 * From the values of all rounds to medians, ranges, and shares of what was measured beside them.
 */
#include "bench_run.h"

#include "checked.h"
#include "spread.h"

#include <stdio.h>

static bool is_memory(uint32_t kind) {
    return (HR__BENCH_MEMORY & HR__BENCH_BIT(kind)) != 0;
}

static bool is_disk(uint32_t kind) {
    return (HR__BENCH_DISK & HR__BENCH_BIT(kind)) != 0;
}

static double limit_of(const struct hr__bench *b, uint32_t kind, uint32_t round) {
    double decode = hr__bench_value(b, HR_BENCH_DECODE, round)->bytes_per_s;
    if (is_memory(kind))
        return decode;
    uint32_t read_kind =
        kind == HR_BENCH_DISK_SEQUENTIAL ? HR_BENCH_READ_SEQUENTIAL : HR_BENCH_READ_SHUFFLED;
    double read = hr__bench_ratio(b) * hr__bench_value(b, read_kind, round)->bytes_per_s;
    return read < decode ? read : decode;
}

enum column { RATE, LIMIT, SHARE, IO, DECODE, CONSUMER, FIRST_BATCH };

static double column_of(const struct hr__bench *b, uint32_t kind, uint32_t round,
                        enum column column) {
    const struct hr__bench_value *v = hr__bench_value(b, kind, round);
    switch (column) {
    case RATE:
        return v->bytes_per_s;
    case LIMIT:
        return limit_of(b, kind, round);
    case SHARE:
        return v->bytes_per_s / limit_of(b, kind, round);
    case IO:
        return v->run.io_part;
    case DECODE:
        return v->run.decode_part;
    case CONSUMER:
        return v->run.consumer_part;
    default:
        return (double)v->run.first_batch_ns;
    }
}

static hr_bench_spread spread(const struct hr__bench *b, uint32_t kind, enum column column) {
    double values[HR__BENCH_MAX_ROUNDS];
    uint32_t count = (uint32_t)hr__min_u64(b->o.num_rounds, HR__BENCH_MAX_ROUNDS);
    for (uint32_t round = 0; round < count; round++)
        values[round] = column_of(b, kind, round, column);
    return hr__spread_of(values, count);
}

static void measure_fill(const struct hr__bench *b, uint32_t kind, hr_bench_measure *out) {
    uint32_t bit = HR__BENCH_BIT(kind);
    out->kind = kind;
    if ((b->wanted & bit) == 0) {
        const char *why = is_memory(kind) ? b->no_memory : b->no_disk;
        if ((b->asked & bit) != 0 && why != NULL)
            snprintf(out->reason, sizeof(out->reason), "%s", why);
        return;
    }
    out->num_runs = b->o.num_rounds;
    out->bytes_per_s = spread(b, kind, RATE);
    if (!is_memory(kind) && !is_disk(kind))
        return;
    out->num_epochs = is_memory(kind) ? b->memory_epochs : b->disk_epochs;
    out->limit_bytes_per_s = spread(b, kind, LIMIT);
    out->share = spread(b, kind, SHARE);
    out->io_part = spread(b, kind, IO).median;
    out->decode_part = spread(b, kind, DECODE).median;
    out->consumer_part = spread(b, kind, CONSUMER).median;
    out->first_batch_ns = (int64_t)spread(b, kind, FIRST_BATCH).median;
}

void hr__bench_result(const struct hr__bench *b, hr_bench_result *out) {
    const struct hr__footer *f = &b->ds->footer;
    out->num_rounds = b->o.num_rounds;
    out->num_threads = b->num_threads;
    out->batch_samples = b->o.batch_samples;
    out->window_visits = b->window_visits;
    out->read_depth = b->read_depth;
    out->ratio = hr__bench_ratio(b);
    out->decoded_bytes = f->num_samples * f->schema.sample_bytes;
    out->file_bytes = b->ds->file_bytes;
    out->num_chunks = f->num_chunks;
    out->held_chunks = b->sample.num_chunks;
    out->held_bytes = b->sample.num_bytes;
    out->budget_bytes = atomic_load(&b->held.reserved_bytes) + b->plan_budget_bytes;
    for (uint32_t kind = 0; kind < HR_BENCH_NUM_KINDS; kind++)
        measure_fill(b, kind, &out->measures[kind]);
}
