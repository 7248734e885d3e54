/*
 * Opening a writer: of a new file, of one that is resumed, and to append.
 */
#include "writer_state.h"

#include "checked.h"
#include "default_budget.h"
#include "dtype.h"
#include "error.h"
#include "writer_memory.h"
#include "writer_options.h"
#include "writer_plan.h"

#include <stdlib.h>
#include <unistd.h>

static hr_status make_schema(hr_writer *w, const hr_field *fields, uint32_t num_fields,
                             const hr_writer_options *o, hr_error *err) {
    uint32_t samples = o->samples_per_chunk;
    hr_status st = hr__schema_make(fields, num_fields, samples > 0 ? samples : 1, &w->schema, err);
    if (st != HR_OK)
        return st;
    w->settled = samples > 0 || w->schema.num_variable == 0;
    if (!w->settled || samples > 0)
        return HR_OK;
    samples = hr__samples_per_chunk(w->schema.sample_bytes, o->chunk_bytes);
    return hr__schema_set_samples_per_chunk(&w->schema, samples, err);
}

static hr_status make_totals(hr_writer *w, hr_error *err) {
    struct hr__statistics **all = calloc(w->schema.num_fields, sizeof *all);
    if (all == NULL)
        return hr__error_no_memory(err, w->schema.num_fields * sizeof *all, "statistics");
    const hr_status st = hr__statistics_make_all(&w->schema, all, err);
    for (uint32_t f = 0; f < w->schema.num_fields; f++)
        w->schema.fields[f].statistics = all[f];
    free(all);
    return st;
}

/* Bytes of the values of variable length that the totals know of. */
static uint64_t values_so_far(const hr_writer *w) {
    uint64_t n = 0;
    for (uint32_t f = 0; f < w->schema.num_fields; f++) {
        const struct hr__schema_field *field = &w->schema.fields[f];
        if (hr__dtype_is_variable(field->dtype) && field->statistics != NULL &&
            !hr__add_u64(n, hr__lengths_total(field->statistics), &n))
            n = UINT64_MAX;
    }
    return n;
}

/* Early rows stay until they are in chunks, and what an append has loaded until its end. */
static struct hr__writer_wants wants_of(const hr_writer *w) {
    const uint64_t n = hr__max_u64(w->early.num_samples, 1);
    struct hr__writer_wants wants = {
        .level = hr__trial_max_level(&w->wishes),
        .max_threads = w->max_threads,
        .budget_bytes = w->given_budget_bytes,
        .chunk_bytes = w->chunk_bytes,
        .mean_bytes = hr__max_u64(hr__ceil_div(w->early.num_bytes, n), w->there_mean_bytes),
        .held_bytes = w->early.columns != NULL ? hr__early_rows_held_bytes(&w->early) : 0,
        .share = w->share};
    if (w->append.on) {
        wants.level = hr__append_level(&w->schema);
        wants.held_bytes = w->append.held_bytes;
        if (w->schema.num_variable > 0)
            wants.mean_bytes =
                hr__ceil_div(values_so_far(w), hr__max_u64(w->append.num_samples, 1));
    }
    return wants;
}

hr_status hr__writer_make_memory(hr_writer *w, hr_error *err) {
    struct hr__writer_wants wants = wants_of(w);
    struct hr__writer_memory m;
    uint64_t limit = 0;
    hr_status st;
    st = hr__writer_plan_make(&w->schema, &wants, &w->plan, &m, &limit, err);
    if (st == HR_ERR_BUDGET && w->early.columns == NULL && wants.mean_bytes > 0) {
        hr__chunk_plan_free(&w->plan);
        wants.mean_bytes = 0; /* what is there may be less than whole chunks of such values */
        st = hr__writer_plan_make(&w->schema, &wants, &w->plan, &m, &limit, err);
    }
    if (st != HR_OK) {
        if (w->append.on)
            hr__error_prefix(err, "%s", w->partial.target);
        return st;
    }
    /* Early rows have a budget of their own; what an append has loaded is in this one. */
    const uint64_t early_bytes = wants.held_bytes - w->append.held_bytes;
    hr__budget_init(&w->budget, limit - early_bytes);
    w->needed_bytes = hr__writer_memory_needed(&m) - early_bytes;
    HR_TRY(hr__budget_reserve(&w->budget,
                              hr__writer_memory_totals(&w->plan) + w->append.footer_bytes,
                              "statistics and schema", err));
    if (!w->append.on)
        HR_TRY(make_totals(w, err));
    HR_TRY(hr__index_builder_init(&w->sink.index, &w->budget, err));
    HR_TRY(hr__compress_pool_open(&w->pool, &w->plan, &w->sink, wants.level, m.num_threads,
                                  m.num_rows, &w->budget, err));
    if (!w->append.on && hr__trial_needed(&w->schema, &w->wishes))
        w->trial_chunks = (uint32_t)hr__min_u64(HR__TRIAL_CHUNKS, m.num_rows);
done:
    return st;
}

/* The trial was that of the first run: what its chunks really took stands for it. */
static double ratio_so_far(const hr_writer *w) {
    const uint64_t stored_bytes = w->sink.end_off - w->job.first_chunk_off;
    const uint64_t decoded_bytes = w->sink.num_samples * w->schema.sample_bytes + w->values_bytes;
    return stored_bytes > 0 ? (double)decoded_bytes / (double)stored_bytes : 0.0;
}

/* Goes on with the job that is in the partial file; *resumed false: there is none. */
static hr_status resume(hr_writer *w, const struct hr__resume_watch *watch, bool *resumed,
                        hr_error *err) {
    enum hr__job_found found;
    struct hr__chunk_rows *rows = NULL;
    hr_status st;
    *resumed = false;
    HR_TRY(hr__job_adopt(&w->job, &w->schema, &w->partial.file, &found, err));
    if (found == HR__JOB_NONE)
        return HR_OK;
    HR_TRY(hr__compress_pool_take(&w->pool, &rows, err));
    st = hr__resume_chunks(&w->job, &w->sink, hr__compress_pool_encoder(&w->pool, 0), rows, watch,
                           err);
    hr__compress_pool_return(&w->pool, rows);
    if (st != HR_OK)
        goto done;
    w->values_bytes = values_so_far(w);
    w->trial_ratio = ratio_so_far(w);
    w->num_chunks = w->sink.num_chunks;
    w->num_samples = w->resumed_samples = w->sink.num_samples;
    hr__compress_pool_skip_to(&w->pool, w->num_chunks);
    w->pool.identity = w->job.identity;
    w->begun = *resumed = true;
done:
    return st;
}

hr_status hr__writer_open_job(hr_writer *w, const struct hr__resume_watch *watch, hr_error *err) {
    bool resumed = false;
    hr_status st = HR_OK;
    if (w->resume)
        st = resume(w, watch, &resumed, err);
    if (st != HR_OK || resumed)
        return st;
    HR_TRY(hr__partial_file_empty(&w->partial, err));
    if (w->trial_chunks == 0)
        st = hr__writer_begin(w, err);
done:
    return st;
}

/* The last chunk, if it is to be written anew, becomes the one that is filled. */
static hr_status take_last_chunk(hr_writer *w, hr_error *err) {
    const struct hr__append *a = &w->append;
    hr_status st = HR_OK;
    w->num_samples = a->num_samples;
    w->values_bytes = values_so_far(w);
    w->num_chunks = w->sink.num_chunks;
    w->trial_ratio = hr__append_ratio(a, w->num_samples * w->schema.sample_bytes + w->values_bytes);
    hr__compress_pool_skip_to(&w->pool, w->num_chunks);
    if (a->num_short == 0)
        return HR_OK;
    HR_TRY(hr__compress_pool_take(&w->pool, &w->filling, err));
    HR_TRY(hr__resume_last_chunk(&w->job, &w->sink, hr__compress_pool_encoder(&w->pool, 0),
                                 &a->last, a->num_short, w->filling, err));
    w->filling->number = w->num_chunks;
    w->filling->num_counted = a->num_short;
done:
    return st;
}

static hr_status build_append(hr_writer *w, const struct hr__folder_ops *folder, const char *path,
                              const hr_field *fields, uint32_t num_fields,
                              const hr_writer_options *o, hr_error *err) {
    hr_status st;
    w->settled = true;
    HR_TRY(hr__append_open(folder, path, &w->partial, err));
    HR_TRY(hr__append_load(&w->append, &w->partial.file, fields, num_fields, o, &w->schema, err));
    HR_TRY(hr__job_make_append(o, &w->append.base.superblock, &w->job, err));
    w->sink.schema = &w->schema;
    w->sink.file = &w->partial.file;
    HR_TRY(hr__writer_make_memory(w, err));
    HR_TRY(hr__append_place(&w->append, &w->sink, err));
    HR_TRY(take_last_chunk(w, err));
done:
    return st;
}

/* A job that is resumed has chosen samples per chunk; of a new one the first rows are kept. */
static hr_status wait_for_rows(hr_writer *w, hr_error *err) {
    const uint64_t limit = w->given_budget_bytes > 0 ? w->given_budget_bytes : hr_default_budget();
    struct hr__job_peeked there = {0};
    hr_status st = HR_OK;
    if (w->resume)
        HR_TRY(hr__job_peek(&w->partial.file, &there, err));
    if (there.samples_per_chunk == 0)
        return hr__early_rows_init(&w->early, &w->schema, w->chunk_bytes, limit, err);
    w->settled = true;
    HR_TRY(hr__schema_set_samples_per_chunk(&w->schema, there.samples_per_chunk, err));
    st = hr__resume_mean(&w->partial.file, &w->schema, &there, &w->there_mean_bytes, err);
done:
    return st;
}

static hr_status build(hr_writer *w, const struct hr__folder_ops *folder, const char *path,
                       const hr_field *fields, uint32_t num_fields, const hr_writer_options *o,
                       hr_error *err) {
    hr_status st;
    w->pid = getpid();
    w->replace = (o->flags & HR_WRITER_REPLACE) != 0;
    w->resume = (o->flags & HR_WRITER_RESUME) != 0;
    w->given_budget_bytes = o->budget_bytes;
    w->chunk_bytes = o->chunk_bytes;
    w->max_threads = o->num_threads;
    if ((o->flags & HR_WRITER_APPEND) != 0)
        return build_append(w, folder, path, fields, num_fields, o, err);
    w->wishes = (struct hr__trial_wishes){.codec = o->codec,
                                          .filter = o->filter,
                                          .level = o->level,
                                          .goal = (hr_optimize)o->optimize,
                                          .disk_bytes_per_s = o->disk_bytes_per_s};
    HR_TRY(make_schema(w, fields, num_fields, o, err));
    HR_TRY(hr__job_make(o, &w->schema, &w->job, err));
    w->sink.schema = &w->schema;
    w->sink.file = &w->partial.file;
    if (w->settled) /* a budget that is too small leaves the folder as it was */
        HR_TRY(hr__writer_make_memory(w, err));
    const bool ready = w->settled;
    HR_TRY(hr__partial_file_open(folder, path, w->replace, &w->partial, err));
    if (!ready)
        HR_TRY(wait_for_rows(w, err));
    if (!ready && w->settled)
        HR_TRY(hr__writer_make_memory(w, err));
    if (w->settled)
        HR_TRY(hr__writer_open_job(w, &(struct hr__resume_watch){o->user, o->on_resume}, err));
done:
    return st;
}

static hr_status open_in(const struct hr__folder_ops *folder, const char *path,
                         const hr_field *fields, uint32_t num_fields, const hr_writer_options *opts,
                         const struct hr__writer_share *share, hr_writer **out, hr_error *err) {
    hr_writer_options o;
    if (out == NULL)
        return hr__error_set(err, HR_ERR_INVALID, "out is NULL");
    *out = NULL;
    if (path == NULL || path[0] == '\0')
        return hr__error_set(err, HR_ERR_INVALID, "the path of the target is empty");
    hr_status st = hr__writer_options_resolve(opts, &o, err);
    if (st != HR_OK)
        return st;
    hr_writer *w = calloc(1, sizeof *w);
    if (w == NULL)
        return hr__error_no_memory(err, sizeof *w, "a writer");
    w->share = *share;
    st = build(w, folder, path, fields, num_fields, &o, err);
    if (st == HR_OK)
        *out = w;
    else
        hr_writer_close(w);
    return st;
}

hr_status hr__writer_open_in(const struct hr__folder_ops *folder, const char *path,
                             const hr_field *fields, uint32_t num_fields,
                             const hr_writer_options *opts, hr_writer **out, hr_error *err) {
    const struct hr__writer_share own = {0};
    return open_in(folder, path, fields, num_fields, opts, &own, out, err);
}

hr_status hr__writer_open_shared(const char *path, const hr_field *fields, uint32_t num_fields,
                                 const hr_writer_options *opts,
                                 const struct hr__writer_share *share, hr_writer **out,
                                 hr_error *err) {
    return open_in(&hr__posix_folder, path, fields, num_fields, opts, share, out, err);
}

uint64_t hr__writer_keep_to_need(hr_writer *w) {
    if (!w->settled)
        return w->given_budget_bytes;
    w->budget.limit_bytes = w->needed_bytes;
    return w->needed_bytes;
}

hr_status hr_writer_open(const char *path, const hr_field *fields, uint32_t num_fields,
                         const hr_writer_options *opts, hr_writer **out, hr_error *err) {
    return hr__writer_open_in(&hr__posix_folder, path, fields, num_fields, opts, out, err);
}
