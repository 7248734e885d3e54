/*
 * hr_salvage(): what is known, what is found, and the new file.
 */
#define _GNU_SOURCE
#include "headrace/salvage.h"

#include "clock.h"
#include "default_budget.h"
#include "error.h"
#include "options.h"
#include "output_check.h"
#include "salvage_internal.h"
#include "space.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PROGRESS_NS INT64_C(100000000)

static void note(const struct hr__salvage *s, const char *line) {
    if (s->opts.on_note != NULL)
        s->opts.on_note(s->opts.user, line);
}

hr_status hr__salvage_tell(struct hr__salvage *s, uint64_t done_bytes, bool now, hr_error *err) {
    const int64_t time_ns = hr__now_ns();
    if (s->opts.on_progress == NULL ||
        (!now && s->told_ns != 0 && time_ns - s->told_ns < PROGRESS_NS))
        return HR_OK;
    s->told_ns = time_ns;
    const hr_progress progress = {.done_samples = s->to.sink.num_samples,
                                  .total_samples =
                                      s->known.ds != NULL ? s->known.ds->footer.num_samples : 0,
                                  .done_bytes = done_bytes,
                                  .total_bytes = s->known.end_off};
    if (s->opts.on_progress(s->opts.user, &progress) == 0)
        return HR_OK;
    return hr__error_set(err, HR_ERR_CANCELLED, "stopped; nothing of %s is left", s->opts.output);
}

static hr_status open_output(struct hr__salvage *s, hr_error *err) {
    const int64_t size = s->known.file.ops->size(s->known.file.ctx);
    const hr_source_fingerprint source = {.path = s->opts.path,
                                          .size_bytes = size > 0 ? (uint64_t)size : 0};
    struct hr__new_file_plan plan = {.path = s->opts.output,
                                     .replace = (s->opts.flags & HR_SALVAGE_REPLACE) != 0,
                                     .removed_on_failure = true,
                                     .sources = &source,
                                     .num_sources = 1};
    char *provenance = NULL;
    hr_status st;
    HR_TRY(hr__output_check(s->opts.output, &s->known.file, err));
    if ((s->opts.flags & HR_SALVAGE_NO_SPACE_CHECK) == 0)
        HR_TRY(hr__space_check(s->opts.output, source.size_bytes, "salvage again", err));
    HR_TRY(hr__salvage_provenance(s, s->known.schema.provenance_json, false, &provenance, err));
    plan.provenance_json = provenance;
    plan.job_options_json = strdup("{\"job\":\"salvage\"}");
    if (plan.job_options_json == NULL)
        HR_TRY(hr__error_no_memory(err, 1, "the options of a job"));
    HR_TRY(hr__new_file_open(&s->to, s->folder, &plan, &s->known.schema, &s->budget, err));
    HR_TRY(hr__new_file_begin(&s->to, err));
done:
    free(provenance);
    return st;
}

static hr_status find_chunks(struct hr__salvage *s, hr_error *err) {
    char line[400];
    const bool by_index = s->known.ds != NULL && s->known.index_whole;
    if (!by_index) {
        (void)snprintf(line, sizeof line, "chunks are looked for page by page: %s",
                       s->known.why_not);
        note(s, line);
    }
    const hr_status st = by_index ? hr__salvage_by_index(s, err) : hr__salvage_by_pages(s, err);
    return st == HR_OK ? hr__salvage_tell(s, s->known.end_off, true, err) : st;
}

static hr_status check_found(const struct hr__salvage *s, hr_error *err) {
    const bool empty = s->known.ds != NULL && s->known.ds->footer.num_chunks == 0;
    if (s->to.sink.num_chunks > 0 || empty)
        return HR_OK;
    return hr__error_set(err, HR_ERR_CORRUPT, "%s: no chunk of it is whole, so nothing was saved",
                         s->opts.path);
}

/* What is missing is known now. */
static hr_status commit(struct hr__salvage *s, hr_error *err) {
    struct hr__schema *schema = &s->known.schema;
    char *provenance = NULL;
    hr_status st = hr__salvage_provenance(s, schema->provenance_json, true, &provenance, err);
    if (st != HR_OK)
        return st;
    free(schema->provenance_json);
    schema->provenance_json = provenance;
    return hr__new_file_commit(&s->to, err);
}

static void fill_result(const struct hr__salvage *s, int64_t began_ns, hr_salvage_result *result) {
    const hr_salvage_result made = {.struct_bytes = sizeof made,
                                    .end_known = s->known.ds != NULL,
                                    .num_samples = s->to.sink.num_samples,
                                    .num_chunks = s->to.sink.num_chunks,
                                    .num_segments = s->to.num_segments,
                                    .lost_samples = s->lost.num_samples,
                                    .lost_chunks = s->lost.num_chunks,
                                    .stored_bytes = s->to.sink.end_off,
                                    .elapsed_ns = hr__now_ns() - began_ns};
    if (result != NULL)
        hr__result_copy(result, &made, sizeof made);
}

hr_status hr__salvage_in(const struct hr__folder_ops *folder, const hr_salvage_options *opts,
                         hr_salvage_result *result, hr_error *err) {
    struct hr__salvage s = {.opts = *opts, .folder = folder};
    const int64_t began_ns = hr__now_ns();
    hr_status st;
    hr__budget_init(&s.budget, opts->budget_bytes);
    HR_TRY(hr__salvage_known_find(&s, err));
    HR_TRY(hr__salvage_look_init(&s, err));
    HR_TRY(hr__salvage_lost_init(&s, err));
    HR_TRY(open_output(&s, err));
    HR_TRY(find_chunks(&s, err));
    HR_TRY(check_found(&s, err));
    HR_TRY(commit(&s, err));
    fill_result(&s, began_ns, result);
done:
    hr__new_file_close(&s.to);
    hr__salvage_lost_free(&s.lost);
    hr__salvage_look_free(&s);
    hr__salvage_known_free(&s.known);
    hr__budget_close(&s.budget);
    return st;
}

static hr_status check_options(const hr_salvage_options *o, hr_error *err) {
    const uint32_t known = HR_SALVAGE_REPLACE | HR_SALVAGE_NO_SPACE_CHECK;
    if ((o->flags & ~known) != 0)
        return hr__error_set(err, HR_ERR_INVALID, "unknown flags 0x%x", o->flags & ~known);
    if (o->path == NULL || o->path[0] == '\0')
        return hr__error_set(err, HR_ERR_INVALID, "the damaged file has no name");
    if (o->output == NULL || o->output[0] == '\0')
        return hr__error_set(err, HR_ERR_INVALID, "the output has no name");
    return HR_OK;
}

hr_status hr_salvage(const hr_salvage_options *opts, hr_salvage_result *result, hr_error *err) {
    hr_salvage_options o = HR_SALVAGE_OPTIONS_INIT;
    hr_status st;
    HR_TRY(hr__options_copy(opts, offsetof(hr_salvage_options, budget_bytes), &o, sizeof o,
                            "hr_salvage_options", err));
    HR_TRY(check_options(&o, err));
    if (result != NULL)
        HR_TRY(hr__result_check(result, offsetof(hr_salvage_result, num_samples), sizeof *result,
                                "hr_salvage_result", err));
    if (o.budget_bytes == 0)
        o.budget_bytes = hr_default_budget();
    st = hr__salvage_in(&hr__posix_folder, &o, result, err);
done:
    return st;
}
