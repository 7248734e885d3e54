/*
 * The division of a conversion's memory.
 */
#include "read_plan.h"

#include "checked.h"
#include "dtype.h"

#define TARGET_RANGE_BYTES (UINT64_C(4) << 20)
#define MAX_RANGE_SAMPLES  (UINT64_C(1) << 20)
#define FIELD_ALIGN_BYTES  64u
#define MAX_READERS        64u
#define SMALL_PART         8u /* of what is read, that may be decoded once more */
#define LEAST_VALUES_BYTES (UINT64_C(64) << 10)
#define MAX_VALUES_SAMPLES (UINT64_C(1) << 16)

uint64_t hr__read_plan_field_off(const struct hr__inputs *in, uint64_t range_samples,
                                 uint32_t field) {
    uint64_t off = 0;
    for (uint32_t i = 0; i < field; i++)
        off += hr__round_up(range_samples * in->fields[i].source->info.sample_bytes,
                            FIELD_ALIGN_BYTES);
    return off;
}

/* Of those that share cursors, the first; the only one where it shares none. */
static bool is_first_of_pool(const struct hr__inputs *in, uint32_t i) {
    const void *pool = in->fields[i].source->info.pool;
    uint32_t k = 0;
    while (k < i && (pool == NULL || in->fields[k].source->info.pool != pool))
        k++;
    return k == i;
}

/* Of one thread: fields that share no cursors share a helper. */
static uint32_t num_helpers_of(const struct hr__inputs *in) {
    uint32_t with_cursors = 0, others = 0;
    for (uint32_t i = 0; i < in->num_fields; i++) {
        const struct hr__source_info *info = &in->fields[i].source->info;
        if (info->member != NULL && info->pool == NULL)
            others = 1;
        else if (info->member != NULL)
            with_cursors += is_first_of_pool(in, i);
    }
    return with_cursors + others;
}

uint32_t hr__read_plan_readers(const struct hr__inputs *in, uint32_t max_helpers) {
    const uint32_t helpers = num_helpers_of(in);
    uint32_t most = 1;
    bool has_stream = false;
    for (uint32_t i = 0; i < in->num_fields; i++) {
        const struct hr__source_info *info = &in->fields[i].source->info;
        if (info->max_readers > most)
            most = info->max_readers;
        has_stream = has_stream || info->is_stream;
    }
    if (has_stream) /* each reader would read all of it */
        return 1;
    if (helpers > 0)
        most = (uint32_t)hr__min_u64(most, hr__max_u64(max_helpers / helpers, 1));
    return (uint32_t)hr__min_u64(most, MAX_READERS);
}

/* What one reader of every field needs at least for itself, beside the buffers. */
static uint64_t reader_bytes(const struct hr__inputs *in) {
    uint64_t total = 0;
    for (uint32_t i = 0; i < in->num_fields; i++) {
        const struct hr__source_info *info = &in->fields[i].source->info;
        const uint64_t cursors = info->reader_bytes != 0 ? info->pool_bytes : 0;
        if (!hr__add_u64(total, info->reader_bytes, &total) || !hr__add_u64(total, cursors, &total))
            return UINT64_MAX;
    }
    return total;
}

/* What each thread takes for cursors. UINT64_MAX: more than there can be. */
static uint64_t thread_bytes_of(const struct hr__inputs *in) {
    uint64_t total = 0;
    for (uint32_t i = 0; i < in->num_fields; i++)
        if (is_first_of_pool(in, i) &&
            !hr__add_u64(total, in->fields[i].source->info.pool_bytes, &total))
            return UINT64_MAX;
    return total;
}

uint64_t hr__read_plan_bytes(const struct hr__inputs *in, const struct hr__read_plan *plan) {
    uint64_t bytes = plan->buffer_bytes * plan->num_buffers, cursors;
    return hr__mul_u64(plan->num_readers, thread_bytes_of(in), &cursors) &&
                   hr__add_u64(bytes, cursors, &bytes) &&
                   hr__add_u64(bytes, reader_bytes(in), &bytes)
               ? bytes
               : UINT64_MAX;
}

/* The largest granule below a limit; 1: there is none. */
static uint64_t granule_below(const struct hr__inputs *in, uint64_t limit) {
    uint64_t granule = 1;
    for (uint32_t i = 0; i < in->num_fields; i++) {
        const uint64_t own = in->fields[i].source->info.granule_samples;
        granule = own < limit ? hr__max_u64(granule, own) : granule;
    }
    return granule;
}

/* Bytes of a sample that lie in larger granules. */
static uint64_t bytes_beyond(const struct hr__inputs *in, uint64_t granule) {
    uint64_t n_bytes = 0;
    for (uint32_t i = 0; i < in->num_fields; i++)
        if (in->fields[i].source->info.granule_samples > granule)
            n_bytes += in->fields[i].source->info.sample_bytes;
    return n_bytes;
}

/* What ranges are best multiples of. Each of many readers decodes larger granules for itself, and
 * keeps them: where these are a small part of all (labels beside images), that costs less than
 * reading all else with one reader. */
static uint64_t granule_for(const struct hr__inputs *in, uint64_t sample_bytes, uint32_t readers) {
    uint64_t granule = granule_below(in, UINT64_MAX);
    while (readers > 1 && granule > 1) {
        const uint64_t next = granule_below(in, granule);
        if (bytes_beyond(in, next) > sample_bytes / SMALL_PART / readers)
            break;
        granule = next;
    }
    return granule;
}

/* Samples whose buffer has at most n_bytes, whole granules where one fits; 0: not even one. */
static uint64_t fitting_samples(const struct hr__inputs *in, uint64_t sample_bytes,
                                uint64_t granule, uint64_t n_bytes) {
    uint64_t padding = (uint64_t)in->num_fields * FIELD_ALIGN_BYTES;
    uint64_t samples = MAX_RANGE_SAMPLES;
    if (n_bytes <= padding)
        return 0;
    if (sample_bytes > 0)
        samples = hr__min_u64(samples, (n_bytes - padding) / sample_bytes);
    return samples >= granule ? samples / granule * granule : samples;
}

uint64_t hr__read_plan_offsets_bytes(const struct hr__inputs *in, uint64_t range_samples) {
    uint64_t n = 0;
    for (uint32_t i = 0; i < in->num_fields; i++)
        n += hr__dtype_is_variable(in->fields[i].source->info.dtype);
    return n * (range_samples + 1) * sizeof(int64_t);
}

/* One buffer for one reader, since compressing takes longer. Offsets take a quarter at most, where
 * there are not very many fields. */
static void plan_values(const struct hr__inputs *in, uint64_t budget_bytes,
                        struct hr__read_plan *out) {
    const uint64_t padding = (uint64_t)in->num_fields * FIELD_ALIGN_BYTES;
    const uint64_t room =
        hr__max_u64(LEAST_VALUES_BYTES, hr__min_u64(budget_bytes, TARGET_RANGE_BYTES));
    const uint64_t samples = room / 4 / hr__read_plan_offsets_bytes(in, 0);
    out->range_samples = hr__max_u64(1, hr__min_u64(samples, MAX_VALUES_SAMPLES));
    out->buffer_bytes =
        out->sample_bytes + padding + room + hr__read_plan_offsets_bytes(in, out->range_samples);
}

void hr__read_plan_make(const struct hr__inputs *in, uint64_t budget_bytes, uint32_t max_readers,
                        struct hr__read_plan *out) {
    const uint64_t thread_bytes = thread_bytes_of(in);
    *out = (struct hr__read_plan){.range_samples = 1, .num_readers = 1, .num_buffers = 1};
    for (uint32_t i = 0; i < in->num_fields; i++)
        out->sample_bytes += in->fields[i].source->info.sample_bytes;
    if (hr__inputs_have_values(in)) {
        plan_values(in, budget_bytes, out);
        return;
    }
    /* Many readers are worth it only where each reads whole granules: else the pieces of one are
     * decoded by several of them. */
    for (uint32_t readers = max_readers; readers >= 1; readers--) {
        const uint64_t granule = granule_for(in, out->sample_bytes, readers);
        uint64_t share = budget_bytes / (readers + 1);
        if (readers > 1 && thread_bytes > budget_bytes / readers)
            continue;
        uint64_t wanted = hr__max_u64(TARGET_RANGE_BYTES, out->sample_bytes);
        uint64_t samples =
            fitting_samples(in, out->sample_bytes, granule, hr__min_u64(share, wanted));
        if (samples < granule)
            samples = hr__min_u64(granule, fitting_samples(in, out->sample_bytes, granule, share));
        if (samples == 0 || (readers > 1 && samples < granule))
            continue;
        out->range_samples = samples;
        out->num_readers = readers;
        out->num_buffers = readers + 1;
        break;
    }
    out->buffer_bytes = hr__read_plan_field_off(in, out->range_samples, in->num_fields);
}
