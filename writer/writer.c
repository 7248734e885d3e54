/*
 * A writer's end, and what it says of itself (include/headrace/writer.h).
 */
#include "writer_state.h"

#include "commit.h"
#include "compact.h"
#include "error.h"
#include "options.h"

#include <stdlib.h>
#include <unistd.h>

hr_status hr__writer_fail(hr_writer *w, hr_status st, hr_error *why, hr_error *err) {
    why->status = st;
    if (w->failure.status == HR_OK)
        w->failure = *why;
    if (err != NULL)
        *err = w->failure;
    return w->failure.status;
}

hr_status hr__writer_check_usable(const hr_writer *w, hr_error *err) {
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

/* ---- the end ---- */

static hr_status write_rest(hr_writer *w, hr_error *err) {
    hr_status st = HR_OK;
    if (!w->settled)
        HR_TRY(hr__writer_settle_early(w, err));
    if (!w->begun)
        HR_TRY(hr__writer_begin(w, err));
    if (w->filling != NULL)
        HR_TRY(hr__writer_finish_rows(w, err));
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
    (void)hr__compact(&c, &w->partial, &w->budget, hr__compress_pool_encoder(&w->pool, 0)->stored,
                      (size_t)w->plan.stored_bytes);
    atomic_store(&w->sink.stored_bytes, c.end_off);
    return HR_OK;
}

hr_status hr_writer_commit(hr_writer *w, hr_error *err) {
    if (w == NULL)
        return hr__error_set(err, HR_ERR_INVALID, "the writer is NULL");
    hr_status st = hr__writer_check_usable(w, err);
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
    return hr__writer_fail(w, st, &why, err);
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
