/*
 * Writers: life cycle and public calls (include/headrace/writer.h).
 *
 * Invariants:
 *  1. the target's name is touched by hr__commit_name() only, and a target that is appended to only
 *     as append.h says;
 *  2. nothing is written before the job record, and the record only when storage is chosen: until
 *     then full row buffers are held back for the trial;
 *  3. the first failure is kept, and every later call returns it;
 *  4. until it is settled how many samples a chunk holds, there are early rows (early_rows.h) and
 *     nothing else: no plan, no pool, no chunk.
 */
#include "writer_internal.h"

#include "append.h"
#include "checked.h"
#include "commit.h"
#include "compact.h"
#include "dtype.h"
#include "early_rows.h"
#include "error.h"
#include "options.h"
#include "partial_file.h"
#include "resume.h"
#include "rows_check.h"
#include "writer_memory.h"
#include "writer_options.h"
#include "writer_plan.h"

#include "headrace/dataset.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MAX_CHUNKS (UINT64_C(1) << 40)

struct hr_writer {
    pid_t pid;
    bool replace;
    bool resume;  /* go on with what is there */
    bool settled; /* samples per chunk are known, and all that follows from them */
    bool begun;   /* the job record is on disk, storage is chosen */
    bool committed;
    bool published;   /* a superblock of this commit may be on the disk */
    hr_error failure; /* status HR_OK: none */

    struct hr__partial_file partial; /* of an append the target itself */
    struct hr__append append;
    struct hr__budget budget;
    struct hr__schema schema;
    struct hr__trial_wishes wishes;
    struct hr__chunk_plan plan;
    struct hr__job job;
    struct hr__chunk_sink sink;
    struct hr__compress_pool pool;
    struct hr__early_rows early; /* until it is settled */
    uint64_t given_budget_bytes; /* 0: default */
    uint64_t chunk_bytes;
    uint32_t max_threads;

    struct hr__chunk_rows *filling; /* NULL: the next row takes a new buffer */
    struct hr__chunk_rows *held[HR__TRIAL_CHUNKS];
    uint32_t num_held;
    uint32_t trial_chunks; /* begin with so many; 0: nothing is tried */

    uint64_t num_chunks; /* numbers given so far */
    uint64_t num_samples;
    uint64_t values_bytes; /* of these, of variable length */
    uint64_t resumed_samples;
    double trial_ratio;
    uint64_t needed_bytes; /* of the budget, as planned */
};

static hr_status fail(hr_writer *w, hr_status st, hr_error *why, hr_error *err) {
    why->status = st;
    if (w->failure.status == HR_OK)
        w->failure = *why;
    if (err != NULL)
        *err = w->failure;
    return w->failure.status;
}

/* May this call go on? */
static hr_status check_usable(const hr_writer *w, hr_error *err) {
    if (getpid() != w->pid)
        return hr__error_set(err, HR_ERR_FORKED,
                             "this writer was opened before fork(): it works only in the process "
                             "that opened it");
    if (w->failure.status != HR_OK) {
        if (err != NULL)
            *err = w->failure;
        return w->failure.status;
    }
    if (w->committed)
        return hr__error_set(err, HR_ERR_INVALID,
                             "this writer is committed: it can only be closed");
    return HR_OK;
}

/* ---- opening ---- */

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
        .mean_bytes = hr__ceil_div(w->early.num_bytes, n),
        .held_bytes = w->early.columns != NULL ? hr__early_rows_held_bytes(&w->early) : 0};
    if (w->append.on) {
        wants.level = hr__append_level(&w->schema);
        wants.held_bytes = w->append.held_bytes;
    }
    return wants;
}

static hr_status make_memory(hr_writer *w, hr_error *err) {
    const struct hr__writer_wants wants = wants_of(w);
    struct hr__writer_memory m;
    uint64_t limit = 0;
    hr_status st;
    st = hr__writer_plan_make(&w->schema, &wants, &w->plan, &m, &limit, err);
    if (st == HR_ERR_BUDGET && w->append.on)
        hr__error_prefix(err,
                         "%s: its schema and index take %llu bytes of the budget, which must be "
                         "added to what follows",
                         w->partial.target, (unsigned long long)wants.held_bytes);
    if (st != HR_OK)
        return st;
    /* What an append has loaded is in this budget, too. */
    hr__budget_init(&w->budget, limit + w->append.held_bytes);
    w->needed_bytes = hr__writer_memory_needed(&m) + w->append.held_bytes;
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
    st = hr__resume_chunks(&w->job, &w->sink, hr__compress_pool_idle_encoder(&w->pool), rows, watch,
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

static hr_status begin(hr_writer *w, hr_error *err);

static hr_status open_job(hr_writer *w, const struct hr__resume_watch *watch, hr_error *err) {
    bool resumed = false;
    hr_status st = HR_OK;
    if (w->resume)
        st = resume(w, watch, &resumed, err);
    if (st != HR_OK || resumed)
        return st;
    HR_TRY(hr__partial_file_empty(&w->partial, err));
    if (w->trial_chunks == 0)
        st = begin(w, err);
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
    HR_TRY(hr__resume_last_chunk(&w->job, &w->sink, hr__compress_pool_idle_encoder(&w->pool),
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
    HR_TRY(make_memory(w, err));
    HR_TRY(hr__append_place(&w->append, &w->sink, err));
    HR_TRY(take_last_chunk(w, err));
done:
    return st;
}

/* A job that is resumed has chosen samples per chunk; of a new one the first rows are kept. */
static hr_status wait_for_rows(hr_writer *w, hr_error *err) {
    const uint64_t limit = w->given_budget_bytes > 0 ? w->given_budget_bytes : hr_default_budget();
    uint32_t samples = 0;
    hr_status st = HR_OK;
    if (w->resume)
        HR_TRY(hr__job_peek(&w->partial.file, &samples, err));
    if (samples == 0)
        return hr__early_rows_init(&w->early, &w->schema, w->chunk_bytes, limit, err);
    w->settled = true;
    st = hr__schema_set_samples_per_chunk(&w->schema, samples, err);
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
        HR_TRY(make_memory(w, err));
    const bool ready = w->settled;
    HR_TRY(hr__partial_file_open(folder, path, w->replace, &w->partial, err));
    if (!ready)
        HR_TRY(wait_for_rows(w, err));
    if (!ready && w->settled)
        HR_TRY(make_memory(w, err));
    if (w->settled)
        HR_TRY(open_job(w, &(struct hr__resume_watch){o->user, o->on_resume}, err));
done:
    return st;
}

hr_status hr__writer_open_in(const struct hr__folder_ops *folder, const char *path,
                             const hr_field *fields, uint32_t num_fields,
                             const hr_writer_options *opts, hr_writer **out, hr_error *err) {
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
    st = build(w, folder, path, fields, num_fields, &o, err);
    if (st == HR_OK)
        *out = w;
    else
        hr_writer_close(w);
    return st;
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

/* ---- appending ---- */

static void submit(hr_writer *w, struct hr__chunk_rows *rows) {
    hr__compress_pool_submit(&w->pool, rows);
}

/* An append goes on as the file began, and its record has no need of the file's provenance. */
static hr_status begin_append(hr_writer *w, hr_error *err) {
    struct hr__schema planned = w->schema;
    planned.provenance_json = NULL;
    hr_status st = hr__append_begin(&w->append, &w->partial.file, err);
    if (st == HR_OK)
        st = hr__job_write(&w->job, &planned, &w->partial.file, err);
    return st;
}

static hr_status begin_new(hr_writer *w, hr_error *err) {
    struct hr__chunk_rows *tried[HR__TRIAL_CHUNKS + 1];
    uint32_t n = w->num_held;
    memcpy(tried, w->held, n * sizeof tried[0]);
    if (n == 0 && w->filling != NULL)
        tried[n++] = w->filling;
    hr_status st =
        hr__trial_choose(&w->schema, &w->wishes, hr__compress_pool_idle_encoder(&w->pool), tried, n,
                         &w->trial_ratio, err);
    if (st == HR_OK)
        st = hr__job_write(&w->job, &w->schema, &w->partial.file, err);
    w->partial.in_use |= st == HR_OK;
    return st;
}

/* Chooses storage, writes the job record, and lets go what was held back. */
static hr_status begin(hr_writer *w, hr_error *err) {
    hr_status st;
    HR_TRY(w->append.on ? begin_append(w, err) : begin_new(w, err));
    w->sink.end_off = w->job.first_chunk_off;
    atomic_store(&w->sink.stored_bytes, w->sink.end_off);
    w->pool.identity = w->job.identity;
    w->begun = true;
    for (uint32_t i = 0; i < w->num_held; i++)
        submit(w, w->held[i]);
    w->num_held = 0;
done:
    return st;
}

/* The buffer being filled is complete. */
static hr_status finish_rows(hr_writer *w, hr_error *err) {
    struct hr__chunk_rows *rows = w->filling;
    w->filling = NULL;
    w->num_chunks++;
    if (w->begun) {
        submit(w, rows);
        return HR_OK;
    }
    w->held[w->num_held++] = rows;
    return w->append.on || w->num_held == w->trial_chunks ? begin(w, err) : HR_OK;
}

static hr_status too_many_chunks(hr_error *err) {
    return hr__error_set(err, HR_ERR_INVALID, "a file holds at most 2^40 chunks");
}

static hr_status next_rows(hr_writer *w, hr_error *err) {
    if (w->num_chunks >= MAX_CHUNKS)
        return too_many_chunks(err);
    const hr_status st = hr__compress_pool_take(&w->pool, &w->filling, err);
    if (st != HR_OK)
        return st;
    w->filling->number = w->num_chunks;
    w->filling->first_sample = w->num_samples;
    return HR_OK;
}

/* Rows `done` to n - 1 of the columns into chunks. */
static hr_status fill_chunks(hr_writer *w, const void *const *columns, uint64_t done, uint64_t n,
                             hr_error *err) {
    hr_status st = hr__compress_pool_failure(&w->pool, err);
    while (done < n && st == HR_OK) {
        uint64_t took = 0;
        if (w->filling == NULL && (st = next_rows(w, err)) != HR_OK)
            break;
        const uint64_t before = w->filling->values_bytes;
        st = hr__chunk_rows_add(&w->plan, w->filling, columns, done, n - done, &took, err);
        done += took;
        w->num_samples += took;
        w->values_bytes += w->filling->values_bytes - before;
        if (st == HR_OK && w->filling->num_samples == w->schema.samples_per_chunk)
            st = finish_rows(w, err);
    }
    return st;
}

/* The early rows choose samples per chunk, and go where all rows go. */
static hr_status settle_early(hr_writer *w, hr_error *err) {
    const uint64_t n = w->early.num_samples;
    const void **columns = calloc(w->schema.num_fields, sizeof *columns);
    hr_status st;
    if (columns == NULL)
        return hr__error_no_memory(err, w->schema.num_fields * sizeof *columns, "early rows");
    HR_TRY(hr__schema_set_samples_per_chunk(&w->schema, hr__early_rows_samples_per_chunk(&w->early),
                                            err));
    HR_TRY(make_memory(w, err));
    HR_TRY(open_job(w, &(struct hr__resume_watch){0}, err));
    w->settled = true;
    hr__early_rows_columns(&w->early, columns);
    st = fill_chunks(w, columns, 0, n, err);
done:
    free(columns);
    hr__early_rows_free(&w->early);
    return st;
}

static hr_status append_rows(hr_writer *w, uint64_t n, const void *const *columns, hr_error *err) {
    uint64_t done = 0;
    hr_status st = HR_OK;
    if (!w->settled) {
        HR_TRY(hr__early_rows_add(&w->early, columns, n, &done, err));
        if (!hr__early_rows_full(&w->early))
            return HR_OK;
        HR_TRY(settle_early(w, err));
    }
    st = fill_chunks(w, columns, done, n, err);
done:
    return st;
}

static hr_status check_columns(const hr_writer *w, uint64_t n, const void *const *columns,
                               hr_error *err) {
    if (columns == NULL)
        return hr__error_set(err, HR_ERR_INVALID, "columns is NULL");
    for (uint32_t f = 0; f < w->schema.num_fields; f++)
        if (columns[f] == NULL && (w->schema.fields[f].sample_bytes > 0 ||
                                   hr__dtype_is_variable(w->schema.fields[f].dtype)))
            return hr__error_set(err, HR_ERR_INVALID, "the column of field \"%s\" is NULL",
                                 w->schema.fields[f].name);
    return hr__rows_check(&w->schema, columns, n, hr_writer_num_samples(w), err);
}

hr_status hr_writer_append(hr_writer *w, uint64_t num_samples, const void *const *columns,
                           hr_error *err) {
    if (w == NULL)
        return hr__error_set(err, HR_ERR_INVALID, "the writer is NULL");
    hr_status st = check_usable(w, err);
    if (st == HR_OK && num_samples > 0)
        st = check_columns(w, num_samples, columns, err);
    if (st != HR_OK || num_samples == 0)
        return st;
    hr_error why = {.status = HR_OK};
    st = append_rows(w, num_samples, columns, &why);
    return st == HR_OK ? HR_OK : fail(w, st, &why, err);
}

uint32_t hr__writer_threads(const hr_writer *w) {
    return w->pool.num_workers;
}

/* Until storage is chosen the threads have nothing to do, and the caller may pass for one. */
static hr_status fetch_tried(hr_writer *w, const struct hr__row_source *source, uint64_t n,
                             hr_error *err) {
    hr_status st = HR_OK;
    while (n > 0 && !w->begun && (st = next_rows(w, err)) == HR_OK) {
        struct hr__chunk_rows *rows = w->filling;
        rows->num_samples = (uint32_t)hr__min_u64(n, w->schema.samples_per_chunk);
        rows->source = source;
        HR_TRY(hr__chunk_rows_fetch(&w->plan, rows, 0,
                                    hr__compress_pool_idle_encoder(&w->pool)->columns, err));
        w->num_samples += rows->num_samples;
        n -= rows->num_samples;
        HR_TRY(finish_rows(w, err));
    }
done:
    return st;
}

hr_status hr__writer_fetch_first(hr_writer *w, const struct hr__row_source *source,
                                 uint64_t num_samples, hr_error *err) {
    hr_error why = {.status = HR_OK};
    hr_status st = check_usable(w, err);
    if (st != HR_OK)
        return st;
    HR_TRY(fetch_tried(w, source, num_samples, &why));
    if (!w->begun)
        HR_TRY(begin(w, &why));
    return HR_OK;
done:
    return fail(w, st, &why, err);
}

hr_status hr__writer_fetch_rest(hr_writer *w, const struct hr__row_source *source,
                                uint64_t num_samples, hr_error *err) {
    hr_error why = {.status = HR_OK};
    const uint64_t num_chunks = hr__ceil_div(num_samples, w->schema.samples_per_chunk);
    hr_status st = check_usable(w, err);
    if (st != HR_OK)
        return st;
    if (num_chunks > MAX_CHUNKS - w->num_chunks)
        return fail(w, too_many_chunks(&why), &why, err);
    hr__compress_pool_fetch(&w->pool, source, w->num_chunks, w->num_samples, num_samples);
    w->num_chunks += num_chunks;
    w->num_samples += num_samples;
    return HR_OK;
}

hr_status hr__writer_fetch_wait(hr_writer *w, int64_t timeout_ns, uint64_t *begun, hr_error *err) {
    hr_error why = {.status = HR_OK};
    hr_status st = check_usable(w, err);
    if (st != HR_OK)
        return st;
    st = hr__compress_pool_drain(&w->pool, timeout_ns, &why);
    *begun = hr__compress_pool_fetched(&w->pool);
    return st == HR_OK || st == HR_TIMEOUT ? st : fail(w, st, &why, err);
}

/* ---- the end ---- */

static hr_status write_rest(hr_writer *w, hr_error *err) {
    hr_status st = HR_OK;
    if (!w->settled)
        HR_TRY(settle_early(w, err));
    if (!w->begun)
        HR_TRY(begin(w, err));
    if (w->filling != NULL)
        HR_TRY(finish_rows(w, err));
    st = hr__compress_pool_drain(&w->pool, -1, err);
done:
    return st;
}

static hr_status commit_new(hr_writer *w, hr_error *err) {
    const hr_status st = hr__commit_file(&w->job, &w->sink, err);
    return st == HR_OK ? hr__commit_name(w->partial.folder, w->partial.path, w->partial.target,
                                         w->replace, err)
                       : st;
}

static hr_status commit_append(hr_writer *w, hr_error *err) {
    if (!hr__partial_file_has_name(&w->partial))
        return hr__error_set(err, HR_ERR_BUSY,
                             "%s was replaced or removed by somebody else while it was appended "
                             "to; append again to what is there now",
                             w->partial.target);
    hr_status st = hr__append_sources(&w->schema, w->job.sources_json, err);
    if (st != HR_OK)
        return st;
    struct hr__commit c = hr__append_commit(&w->append, &w->job, &w->sink);
    st = hr__commit_write(&c, err);
    w->published = c.published;
    if (st != HR_OK && c.published)
        st = hr__append_uncertain(w->partial.target, err);
    if (st != HR_OK)
        return st;
    (void)hr__compact(&c, &w->partial, &w->budget, hr__compress_pool_idle_encoder(&w->pool)->stored,
                      (size_t)w->plan.stored_bytes);
    atomic_store(&w->sink.stored_bytes, c.end_off);
    return HR_OK;
}

hr_status hr_writer_commit(hr_writer *w, hr_error *err) {
    if (w == NULL)
        return hr__error_set(err, HR_ERR_INVALID, "the writer is NULL");
    hr_status st = check_usable(w, err);
    if (st != HR_OK)
        return st;
    hr_error why = {.status = HR_OK};
    if (!w->append.on || w->num_samples > w->append.num_samples) {
        HR_TRY(write_rest(w, &why));
        HR_TRY(w->append.on ? commit_append(w, &why) : commit_new(w, &why));
    }
    w->committed = true;
    return HR_OK;
done:
    return fail(w, st, &why, err);
}

void hr_writer_close(hr_writer *w) {
    /* In a child the threads are not there and the locks may be held: nothing can be given back. */
    if (w == NULL || getpid() != w->pid)
        return;
    hr__early_rows_free(&w->early);
    hr__compress_pool_close(&w->pool);
    if (!w->published)
        hr__append_undo(&w->append, &w->partial.file);
    hr__index_builder_free(&w->sink.index);
    hr__append_free(&w->append);
    hr__partial_file_close(&w->partial);
    hr__chunk_plan_free(&w->plan);
    hr__job_free(&w->job);
    hr__schema_free(&w->schema);
    hr__budget_close(&w->budget);
    free(w);
}

/* ---- what it is doing ---- */

uint64_t hr_writer_num_samples(const hr_writer *w) {
    return w != NULL ? w->num_samples + w->early.num_samples : 0;
}

static void fill_info(hr_writer *w, hr_writer_info *out) {
    *out = (hr_writer_info){
        .struct_bytes = sizeof *out,
        .samples_per_chunk = w->settled ? w->schema.samples_per_chunk : 0,
        .num_samples = hr_writer_num_samples(w),
        .resumed_samples = w->resumed_samples,
        .decoded_bytes =
            w->num_samples * w->schema.sample_bytes + w->values_bytes + w->early.num_bytes,
        .stored_bytes = atomic_load(&w->sink.stored_bytes),
        .budget_bytes = w->budget.limit_bytes,
        .reserved_bytes = atomic_load(&w->budget.reserved_bytes),
        .codecs_chosen = w->begun,
        .trial_ratio = w->trial_ratio,
    };
}

hr_status hr_writer_describe(hr_writer *w, hr_writer_info *out, hr_error *err) {
    if (w == NULL)
        return hr__error_set(err, HR_ERR_INVALID, "hr_writer_describe: the writer is NULL");
    hr_status st = hr__result_check(out, offsetof(hr_writer_info, num_samples), sizeof *out,
                                    "hr_writer_info", err);
    if (st != HR_OK)
        return st;
    if (getpid() != w->pid)
        return hr__error_set(err, HR_ERR_FORKED, "this writer was opened before fork()");
    hr_writer_info info;
    fill_info(w, &info);
    hr__result_copy(out, &info, sizeof info);
    return HR_OK;
}
