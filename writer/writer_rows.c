/*
 * Rows into chunks: those that are handed over, and those that the threads fetch.
 */
#include "writer_state.h"

#include "checked.h"
#include "dtype.h"
#include "error.h"
#include "rows_check.h"

#include <stdlib.h>
#include <string.h>

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
        hr__trial_choose(&w->schema, &w->wishes, &w->pool, tried, n, &w->trial_ratio, err);
    if (st == HR_OK)
        st = hr__job_write(&w->job, &w->schema, &w->partial.file, err);
    w->partial.in_use |= st == HR_OK;
    return st;
}

hr_status hr__writer_begin(hr_writer *w, hr_error *err) {
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

hr_status hr__writer_finish_rows(hr_writer *w, hr_error *err) {
    struct hr__chunk_rows *rows = w->filling;
    w->filling = NULL;
    w->num_chunks++;
    if (w->begun) {
        submit(w, rows);
        return HR_OK;
    }
    w->held[w->num_held++] = rows;
    return w->append.on || w->num_held == w->trial_chunks ? hr__writer_begin(w, err) : HR_OK;
}

static hr_status too_many_chunks(hr_error *err) {
    return hr__error_set(err, HR_ERR_INVALID, "a file holds at most 2^40 chunks");
}

static hr_status next_rows(hr_writer *w, hr_error *err) {
    if (w->num_chunks >= HR__MAX_CHUNKS)
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
            st = hr__writer_finish_rows(w, err);
    }
    return st;
}

hr_status hr__writer_settle_early(hr_writer *w, hr_error *err) {
    const uint64_t n = w->early.num_samples;
    const void **columns = calloc(w->schema.num_fields, sizeof *columns);
    hr_status st;
    if (columns == NULL)
        return hr__error_no_memory(err, w->schema.num_fields * sizeof *columns, "early rows");
    HR_TRY(hr__schema_set_samples_per_chunk(&w->schema, hr__early_rows_samples_per_chunk(&w->early),
                                            err));
    HR_TRY(hr__writer_make_memory(w, err));
    HR_TRY(hr__writer_open_job(w, &(struct hr__resume_watch){0}, err));
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
        HR_TRY(hr__writer_settle_early(w, err));
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
    hr_status st = hr__writer_check_usable(w, err);
    if (st == HR_OK && num_samples > 0)
        st = check_columns(w, num_samples, columns, err);
    if (st != HR_OK || num_samples == 0)
        return st;
    hr_error why = {.status = HR_OK};
    st = append_rows(w, num_samples, columns, &why);
    return st == HR_OK ? HR_OK : hr__writer_fail(w, st, &why, err);
}

void hr__writer_expect(hr_writer *w, uint64_t n_bytes) {
    w->wishes.expected_bytes = n_bytes;
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
                                    hr__compress_pool_encoder(&w->pool, 0)->columns, err));
        w->num_samples += rows->num_samples;
        n -= rows->num_samples;
        HR_TRY(hr__writer_finish_rows(w, err));
    }
done:
    return st;
}

hr_status hr__writer_fetch_first(hr_writer *w, const struct hr__row_source *source,
                                 uint64_t num_samples, hr_error *err) {
    hr_error why = {.status = HR_OK};
    hr_status st = hr__writer_check_usable(w, err);
    if (st != HR_OK)
        return st;
    HR_TRY(fetch_tried(w, source, num_samples, &why));
    if (!w->begun)
        HR_TRY(hr__writer_begin(w, &why));
    return HR_OK;
done:
    return hr__writer_fail(w, st, &why, err);
}

hr_status hr__writer_fetch_rest(hr_writer *w, const struct hr__row_source *source,
                                uint64_t num_samples, hr_error *err) {
    hr_error why = {.status = HR_OK};
    const uint64_t num_chunks = hr__ceil_div(num_samples, w->schema.samples_per_chunk);
    hr_status st = hr__writer_check_usable(w, err);
    if (st != HR_OK)
        return st;
    if (num_chunks > HR__MAX_CHUNKS - w->num_chunks)
        return hr__writer_fail(w, too_many_chunks(&why), &why, err);
    hr__compress_pool_fetch(&w->pool, source, w->num_chunks, w->num_samples, num_samples);
    w->num_chunks += num_chunks;
    w->num_samples += num_samples;
    return HR_OK;
}

hr_status hr__writer_fetch_wait(hr_writer *w, int64_t timeout_ns, uint64_t *begun, hr_error *err) {
    hr_error why = {.status = HR_OK};
    hr_status st = hr__writer_check_usable(w, err);
    if (st != HR_OK)
        return st;
    st = hr__compress_pool_drain(&w->pool, timeout_ns, &why);
    *begun = hr__compress_pool_fetched(&w->pool);
    return st == HR_OK || st == HR_TIMEOUT ? st : hr__writer_fail(w, st, &why, err);
}
