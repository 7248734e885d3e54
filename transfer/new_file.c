/*
 * A new file of whole chunks: record, places, segments, commit.
 */
#include "new_file.h"

#include "commit.h"
#include "error.h"

#include <stdlib.h>
#include <string.h>

/* The segment table begins with so many, and doubles. */
#define FIRST_SEGMENTS 1024u

/* The record's texts; the schema keeps its attributes. */
static hr_status make_job(struct hr__new_file *f, const struct hr__new_file_plan *plan,
                          hr_error *err) {
    hr_writer_options o = HR_WRITER_OPTIONS_INIT;
    char *attributes = f->schema->attributes_json;
    o.sources = plan->sources;
    o.num_sources = plan->num_sources;
    o.attributes_json = attributes;
    o.provenance_json = plan->provenance_json;
    free(f->schema->provenance_json);
    f->schema->attributes_json = f->schema->provenance_json = NULL;
    const hr_status st = hr__job_make(&o, f->schema, &f->job, err);
    free(attributes);
    if (st != HR_OK) {
        free(plan->job_options_json);
        return st;
    }
    free(f->job.options_json);
    f->job.options_json = plan->job_options_json;
    return HR_OK;
}

hr_status hr__new_file_open(struct hr__new_file *f, const struct hr__folder_ops *folder,
                            const struct hr__new_file_plan *plan, struct hr__schema *schema,
                            struct hr__budget *budget, hr_error *err) {
    hr_status st;
    *f = (struct hr__new_file){.budget = budget,
                               .schema = schema,
                               .replace = plan->replace,
                               .removed_on_failure = plan->removed_on_failure};
    HR_TRY(make_job(f, plan, err));
    f->no_statistics = calloc(schema->num_fields, sizeof(*f->no_statistics));
    if (f->no_statistics == NULL)
        HR_TRY(hr__error_no_memory(err, schema->num_fields * sizeof(*f->no_statistics), "fields"));
    f->sink.schema = schema;
    f->sink.file = &f->partial.file;
    HR_TRY(hr__index_builder_init(&f->sink.index, budget, err));
    HR_TRY(hr__partial_file_open(folder, plan->path, plan->replace, &f->partial, err));
done:
    return st;
}

hr_status hr__new_file_begin(struct hr__new_file *f, hr_error *err) {
    hr_status st;
    HR_TRY(hr__partial_file_empty(&f->partial, err));
    HR_TRY(hr__job_write(&f->job, f->schema, &f->partial.file, err));
    f->partial.in_use = !f->removed_on_failure;
    f->sink.end_off = f->job.first_chunk_off;
done:
    return st;
}

static hr_status grow_segments(struct hr__new_file *f, hr_error *err) {
    const uint64_t room = f->room_segments > 0 ? 2 * f->room_segments : FIRST_SEGMENTS;
    hr_status st = HR_OK;
    struct hr__segment *grown = hr__budget_take(f->budget, (size_t)room * sizeof(*grown),
                                                "the table of segments", &st, err);
    if (grown == NULL)
        return st;
    if (f->segments != NULL) {
        const size_t n_bytes = (size_t)f->room_segments * sizeof(*grown);
        memcpy(grown, f->segments, n_bytes);
        hr__budget_free(f->budget, f->segments, n_bytes);
    }
    f->segments = grown;
    f->room_segments = room;
    return HR_OK;
}

static hr_status add_to_segment(struct hr__new_file *f, uint32_t num_samples, hr_error *err) {
    struct hr__segment *last = f->num_segments > 0 ? &f->segments[f->num_segments - 1] : NULL;
    if (last == NULL || last->num_samples < last->num_chunks * f->schema->samples_per_chunk) {
        if (f->num_segments == f->room_segments) {
            const hr_status st = grow_segments(f, err);
            if (st != HR_OK)
                return st;
        }
        last = &f->segments[f->num_segments++];
        *last = (struct hr__segment){.first_chunk = f->sink.num_chunks,
                                     .first_sample = f->sink.num_samples};
    }
    last->num_chunks++;
    last->num_samples += num_samples;
    return HR_OK;
}

hr_status hr__new_file_add(struct hr__new_file *f, uint32_t pages, uint32_t num_samples,
                           struct hr__statistics *const *statistics, uint64_t *off, hr_error *err) {
    const hr_status st = add_to_segment(f, num_samples, err);
    if (st != HR_OK)
        return st;
    return hr__chunk_sink_take(&f->sink, pages, num_samples,
                               statistics != NULL ? statistics : f->no_statistics, off, err);
}

hr_status hr__new_file_commit(struct hr__new_file *f, hr_error *err) {
    const struct hr__commit_parts parts = {
        .segments = f->segments, .num_segments = f->num_segments, .required = f->required};
    hr_status st;
    HR_TRY(hr__chunk_sink_cut(&f->sink, err));
    HR_TRY(hr__commit_file_of(&f->job, &f->sink, &parts, err));
    f->partial.in_use = true; /* complete, by whatever name */
    HR_TRY(hr__commit_name(f->partial.folder, f->partial.path, f->partial.target, f->replace, err));
done:
    return st;
}

void hr__new_file_close(struct hr__new_file *f) {
    if (f->budget == NULL)
        return;
    hr__partial_file_close(&f->partial);
    hr__index_builder_free(&f->sink.index);
    hr__budget_free(f->budget, f->segments, (size_t)f->room_segments * sizeof(*f->segments));
    hr__job_free(&f->job);
    free(f->no_statistics);
    *f = (struct hr__new_file){0};
}
