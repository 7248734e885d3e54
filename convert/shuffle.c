/*
 * The two passes of a shuffle.
 */
#include "shuffle.h"

#include "bucket_load.h"
#include "checked.h"
#include "error.h"
#include "order_key.h"
#include "pipeline.h"
#include "spill_file.h"

#include <stdlib.h>

#define WAIT_NS      INT64_C(100000000)
#define BLOCK_PLACES 1024u /* computed at once */
#define NO_PLACE     UINT64_MAX
#define APPEND_BYTES (UINT64_C(4) << 20) /* between two looks at whether to stop */

struct shuffle {
    const struct hr__shuffle_job *job;
    struct hr__shuffle_plan plan;
    struct hr__permutation permutation;
    uint64_t first_place; /* the writer has those before it */
    uint64_t num_read;
    struct hr__pipeline *pipeline;
    struct hr__file file;
    struct hr__buckets buckets;
    struct hr__bucket_load load;
    struct hr__shuffle_rows rows[2];
};

void hr__shuffle_permutation(struct hr__permutation *p, uint64_t num_samples, uint64_t seed) {
    hr__permutation_init(p, num_samples, hr__order_key(seed, 0, HR__KEY_DATASET, 0, 0));
}

/* ---- the first pass: every sample to its place, or to its bucket ---- */

/* Places of the n samples from `first` on, those before first_place as NO_PLACE. */
static void find_places(const struct shuffle *s, uint64_t first, uint64_t n, uint64_t *places) {
    hr__permutation_range(&s->permutation, first, n, places);
    for (uint64_t i = 0; i < n; i++)
        places[i] = places[i] < s->first_place ? NO_PLACE : places[i] - s->first_place;
}

/* By the threads that read: no two samples have the same place. */
static void place_range(void *user, const struct hr__range *range) {
    struct shuffle *s = user;
    uint64_t places[BLOCK_PLACES];
    for (uint64_t done = 0; done < range->num_samples; done += BLOCK_PLACES) {
        const uint64_t n = hr__min_u64(BLOCK_PLACES, range->num_samples - done);
        const uint64_t first = range->first + done;
        find_places(s, first, n, places);
        for (uint64_t i = 0; i < n; i++)
            if (places[i] != NO_PLACE)
                hr__shuffle_rows_put(s->job->layout, &s->rows[0], places[i], range->columns,
                                     done + i, first + i);
    }
}

static hr_status put_range(struct shuffle *s, const struct hr__range *range, hr_error *err) {
    uint64_t places[BLOCK_PLACES];
    hr_status st = HR_OK;
    for (uint64_t done = 0; done < range->num_samples && st == HR_OK; done += BLOCK_PLACES) {
        const uint64_t n = hr__min_u64(BLOCK_PLACES, range->num_samples - done);
        const uint64_t first = range->first + done;
        find_places(s, first, n, places);
        for (uint64_t i = 0; i < n && st == HR_OK; i++)
            if (places[i] != NO_PLACE)
                st = hr__buckets_put(&s->buckets, places[i], range->columns, done + i, first + i,
                                     err);
    }
    return st;
}

static hr_status read_all(struct shuffle *s, hr_error *err) {
    const struct hr__shuffle_job *job = s->job;
    const struct hr__range_work placing = {.run = place_range, .user = s};
    hr_status st;
    HR_TRY(hr__pipeline_open(job->inputs, job->read_plan, 0, s->plan.in_memory ? &placing : NULL,
                             job->budget, &s->pipeline, err));
    for (;;) {
        struct hr__range range;
        HR_TRY(job->tell(job->user, s->num_read, err));
        st = hr__pipeline_next(s->pipeline, WAIT_NS, &range, err);
        if (st == HR_TIMEOUT)
            continue;
        if (st == HR_END_OF_EPOCH)
            break;
        if (st != HR_OK)
            goto done;
        if (!s->plan.in_memory)
            HR_TRY(put_range(s, &range, err));
        s->num_read += range.num_samples;
        hr__pipeline_release(s->pipeline);
    }
    st = HR_OK;
done:
    hr__pipeline_close(s->pipeline);
    s->pipeline = NULL;
    return st;
}

/* ---- the second pass: bucket after bucket ---- */

/* In slices, so that progress can be told. A field without bytes has a column all the same. */
static hr_status append_rows(struct shuffle *s, const struct hr__shuffle_rows *rows,
                             uint64_t num_samples, const void **columns, hr_error *err) {
    const struct hr__shuffle_job *job = s->job;
    const struct hr__shuffle_layout *layout = job->layout;
    const uint64_t slice = hr__max_u64(1, APPEND_BYTES / layout->sample_bytes);
    hr_status st = HR_OK;
    for (uint64_t done = 0; done < num_samples && st == HR_OK; done += slice) {
        const uint64_t n = hr__min_u64(slice, num_samples - done);
        for (uint32_t f = 0; f < layout->num_fields; f++)
            columns[f] = rows->columns[f] + done * layout->field_bytes[f];
        st = hr_writer_append(job->writer, n, columns, err);
        if (st == HR_OK)
            st = job->tell(job->user, s->num_read, err);
    }
    return st;
}

static hr_status wait_for_bucket(struct shuffle *s, hr_error *err) {
    hr_status st;
    while ((st = hr__bucket_load_end(&s->load, WAIT_NS, err)) == HR_TIMEOUT)
        if ((st = s->job->tell(s->job->user, s->num_read, err)) != HR_OK)
            break;
    return st;
}

/* While one bucket is appended, the next is loaded. */
static hr_status append_buckets(struct shuffle *s, const void **columns, hr_error *err) {
    struct hr__bucket_load *load = &s->load;
    hr_status st;
    HR_TRY(hr__bucket_load_open(load, &s->buckets, err));
    for (int i = 0; i < 2; i++)
        HR_TRY(hr__shuffle_rows_make(s->job->layout, s->plan.bucket_samples, s->job->budget,
                                     &s->rows[i], err));
    HR_TRY(hr__bucket_load_begin(load, 0, &s->rows[0], err));
    for (uint64_t k = 0; k < s->plan.num_buckets; k++) {
        HR_TRY(wait_for_bucket(s, err));
        if (k + 1 < s->plan.num_buckets)
            HR_TRY(hr__bucket_load_begin(load, k + 1, &s->rows[(k + 1) % 2], err));
        HR_TRY(append_rows(s, &s->rows[k % 2], hr__buckets_samples(&s->buckets, k), columns, err));
    }
done:
    return st;
}

/* ---- both ---- */

static hr_status wait_for_file(struct shuffle *s, hr_error *err) {
    hr_status st;
    while ((st = hr__buckets_finish(&s->buckets, WAIT_NS, err)) == HR_TIMEOUT)
        if ((st = s->job->tell(s->job->user, s->num_read, err)) != HR_OK)
            break;
    return st;
}

static hr_status run_in_memory(struct shuffle *s, const void **columns, hr_error *err) {
    hr_status st;
    HR_TRY(hr__shuffle_rows_make(s->job->layout, s->plan.num_samples, s->job->budget, &s->rows[0],
                                 err));
    HR_TRY(read_all(s, err));
    HR_TRY(append_rows(s, &s->rows[0], s->plan.num_samples, columns, err));
done:
    return st;
}

static const struct hr__spill_use spill_use = {.suffix = ".shuffle", .purpose = "shuffling"};

static hr_status run_by_file(struct shuffle *s, const void **columns, hr_error *err) {
    const struct hr__shuffle_job *job = s->job;
    hr_status st;
    HR_TRY(hr__spill_file_open(job->folder, job->output, &spill_use,
                               job->check_space ? s->plan.file_bytes : 0, &s->file, err));
    HR_TRY(hr__buckets_open(&s->buckets, job->layout, &s->plan, &s->file, job->budget, err));
    HR_TRY(read_all(s, err));
    HR_TRY(wait_for_file(s, err));
    HR_TRY(append_buckets(s, columns, err));
done:
    return st;
}

static hr_status make_plan(struct shuffle *s, hr_error *err) {
    const struct hr__shuffle_job *job = s->job;
    const struct hr__shuffle_memory memory = {
        .memory_bytes = job->budget->limit_bytes,
        .reading_bytes = hr__read_plan_bytes(job->inputs, job->read_plan),
        .num_threads = job->num_threads,
    };
    const uint64_t total = job->inputs->fields[0].source->info.num_samples;
    s->first_place = hr_writer_num_samples(job->writer);
    if (!hr__shuffle_plan_make(job->layout, total - s->first_place, &memory, &s->plan))
        return hr__error_set(err, HR_ERR_BUDGET,
                             "shuffling has %llu bytes of memory, which are too few; give a larger "
                             "budget",
                             (unsigned long long)memory.memory_bytes);
    hr__shuffle_permutation(&s->permutation, total, job->seed);
    return HR_OK;
}

static void close_all(struct shuffle *s) {
    hr__bucket_load_close(&s->load);
    for (int i = 0; i < 2; i++)
        hr__shuffle_rows_free(&s->rows[i], s->job->budget);
    hr__buckets_close(&s->buckets);
    hr__file_close(&s->file);
}

hr_status hr__shuffle_run(const struct hr__shuffle_job *job, hr_error *err) {
    struct shuffle s = {.job = job};
    hr_status st = HR_OK;
    if (hr_writer_num_samples(job->writer) == job->inputs->fields[0].source->info.num_samples)
        return HR_OK;
    const void **columns = calloc(job->layout->num_fields, sizeof *columns);
    if (columns == NULL)
        return hr__error_no_memory(err, job->layout->num_fields * sizeof *columns, "columns");
    HR_TRY(make_plan(&s, err));
    st = s.plan.in_memory ? run_in_memory(&s, columns, err) : run_by_file(&s, columns, err);
done:
    close_all(&s);
    free(columns);
    return st;
}
