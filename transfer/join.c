/*
 * hr_join(): the parts are opened as one data set, whose chunks go into a new file as they are.
 */
#define _GNU_SOURCE
#include "headrace/join.h"

#include "clock.h"
#include "error.h"
#include "join_internal.h"
#include "options.h"
#include "space.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#define PROGRESS_NS INT64_C(100000000)

static void note(const struct hr__join *j, const char *line) {
    if (j->opts.on_note != NULL)
        j->opts.on_note(j->opts.user, line);
}

hr_status hr__join_tell(struct hr__join *j, uint64_t done_bytes, bool now, hr_error *err) {
    const int64_t time_ns = hr__now_ns();
    if (j->opts.on_progress == NULL ||
        (!now && j->told_ns != 0 && time_ns - j->told_ns < PROGRESS_NS))
        return HR_OK;
    j->told_ns = time_ns;
    const uint64_t total_samples = j->from->footer.num_samples;
    const double share = j->total_bytes > 0 ? (double)done_bytes / (double)j->total_bytes : 1.0;
    const hr_progress progress = {
        .done_samples = share < 1.0 ? (uint64_t)(share * (double)total_samples) : total_samples,
        .total_samples = total_samples,
        .done_bytes = done_bytes < j->total_bytes ? done_bytes : j->total_bytes,
        .total_bytes = j->total_bytes};
    if (j->opts.on_progress(j->opts.user, &progress) == 0)
        return HR_OK;
    return hr__error_set(err, HR_ERR_CANCELLED,
                         "stopped; what is done is kept in %s.partial and can be resumed",
                         j->opts.output);
}

static hr_status tell(void *user, uint64_t done_bytes, hr_error *err) {
    return hr__join_tell(user, done_bytes, false, err);
}

static hr_status open_parts(struct hr__join *j, hr_error *err) {
    hr_open_options o = HR_OPEN_OPTIONS_INIT;
    hr_status st;
    o.budget_bytes = j->opts.budget_bytes;
    HR_TRY(hr__dataset_open_many_in(j->folder, (const char *const *)j->files.paths, j->files.n, &o,
                                    &j->from, err));
    hr__budget_init(&j->budget, o.budget_bytes - atomic_load(&j->from->budget.reserved_bytes));
    j->total_bytes = j->from->file_bytes - j->from->footer.dead_bytes;
    HR_TRY(hr__join_parts_check(j, err));
    HR_TRY(hr__join_parts_describe(j, err));
done:
    return st;
}

/* What tells this join from others, and from a conversion: the parts' identities in their order. */
static hr_status job_options(const struct hr__join *j, char **out, hr_error *err) {
    const uint8_t *id = j->from->footer.uuid;
    char hex[33];
    for (int i = 0; i < 16; i++)
        (void)snprintf(hex + (size_t)i * 2, 3, "%02x", id[i]);
    if (asprintf(out, "{\"job\":\"join\",\"parts\":\"%s\",\"commit\":\"%" PRIu64 "\"}", hex,
                 j->from->footer.commit_seq) >= 0)
        return HR_OK;
    *out = NULL;
    return hr__error_no_memory(err, sizeof hex, "the options of a job");
}

static uint32_t features_of(const hr_dataset *ds) {
    uint32_t features = 0;
    for (uint32_t i = 0; i < ds->num_files; i++)
        features |= ds->parts[i].superblock.required;
    return features;
}

static hr_status open_output(struct hr__join *j, hr_error *err) {
    struct hr__new_file_plan plan = {.path = j->opts.output,
                                     .replace = (j->opts.flags & HR_JOIN_REPLACE) != 0,
                                     .sources = j->sources,
                                     .num_sources = j->from->num_files,
                                     .provenance_json = j->provenance_json};
    hr_status st;
    HR_TRY(job_options(j, &plan.job_options_json, err));
    HR_TRY(hr__new_file_open(&j->to, j->folder, &plan, &j->from->footer.schema, &j->budget, err));
    j->to.required = features_of(j->from);
done:
    return st;
}

static hr_status check_space(const struct hr__join *j, hr_error *err) {
    const uint64_t done = j->to.sink.end_off;
    if ((j->opts.flags & HR_JOIN_NO_SPACE_CHECK) != 0 || j->total_bytes <= done)
        return HR_OK;
    return hr__space_check(j->opts.output, j->total_bytes - done, "resume", err);
}

static hr_status begin(struct hr__join *j, hr_error *err) {
    bool resumed = false;
    char line[128];
    hr_status st;
    if ((j->opts.flags & HR_JOIN_RESUME) != 0) {
        HR_TRY(hr__join_resume(j, &resumed, err));
        if (resumed)
            (void)snprintf(line, sizeof line, "resumed after %" PRIu64 " of %" PRIu64 " samples",
                           j->resumed_samples, j->from->footer.num_samples);
        else
            (void)snprintf(line, sizeof line, "nothing is there to resume: it begins anew");
        note(j, line);
    }
    HR_TRY(check_space(j, err));
    if (!resumed)
        st = hr__new_file_begin(&j->to, err);
done:
    return st;
}

static hr_status copy_chunks(struct hr__join *j, hr_error *err) {
    const struct hr__chunk_copy_job job = {.from = j->from,
                                           .to = &j->to,
                                           .budget = &j->budget,
                                           .max_threads = j->opts.num_threads,
                                           .user = j,
                                           .tell = tell};
    const hr_status st = hr__chunks_copy(&job, err);
    if (st == HR_ERR_CORRUPT)
        hr__error_prefix(err, "not joined, as a part is damaged (headrace verify PART --salvage "
                              "OUT.hrd saves what is whole of it)");
    return st == HR_OK ? hr__join_tell(j, j->total_bytes, true, err) : st;
}

static void fill_result(const struct hr__join *j, int64_t began_ns, hr_join_result *result) {
    const hr_join_result made = {.struct_bytes = sizeof made,
                                 .num_parts = j->from->num_files,
                                 .num_samples = j->to.sink.num_samples,
                                 .num_chunks = j->to.sink.num_chunks,
                                 .num_segments = j->to.num_segments,
                                 .resumed_samples = j->resumed_samples,
                                 .stored_bytes = j->to.sink.end_off,
                                 .elapsed_ns = hr__now_ns() - began_ns};
    if (result != NULL)
        hr__result_copy(result, &made, sizeof made);
}

static void close_join(struct hr__join *j) {
    hr__new_file_close(&j->to);
    hr_dataset_close(j->from);
    hr__budget_close(&j->budget);
    free(j->sources);
    free(j->provenance_json);
}

hr_status hr__join_in(const struct hr__folder_ops *folder, const hr_join_options *opts,
                      const struct hr__join_files *files, hr_join_result *result, hr_error *err) {
    struct hr__join j = {.opts = *opts, .folder = folder, .files = *files};
    const int64_t began_ns = hr__now_ns();
    hr_status st;
    HR_TRY(open_parts(&j, err));
    HR_TRY(open_output(&j, err));
    HR_TRY(begin(&j, err));
    HR_TRY(copy_chunks(&j, err));
    HR_TRY(hr__new_file_commit(&j.to, err));
    fill_result(&j, began_ns, result);
done:
    close_join(&j);
    return st;
}

hr_status hr_join(const hr_join_options *opts, hr_join_result *result, hr_error *err) {
    hr_join_options o;
    struct hr__join_files files = {0};
    hr_error local = {.status = HR_OK};
    hr_error *e = err != NULL ? err : &local; /* names of files are put before its message */
    hr_status st;
    HR_TRY(hr__join_options_resolve(opts, &o, e));
    if (result != NULL)
        HR_TRY(hr__result_check(result, offsetof(hr_join_result, num_samples), sizeof *result,
                                "hr_join_result", e));
    HR_TRY(hr__join_files_find(&o, &files, e));
    st = hr__join_in(&hr__posix_folder, &o, &files, result, e);
done:
    hr__join_files_free(&files);
    return st;
}
