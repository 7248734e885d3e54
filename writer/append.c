/*
 * Going on behind a commit.
 */
#include "append.h"

#include "bytes.h"
#include "checked.h"
#include "default_budget.h"
#include "dtype.h"
#include "error.h"
#include "writer_memory.h"

#include <string.h>

/* Fields without statistics in a file that has no samples get them now. */
static hr_status fill_totals(const struct hr__append *a, struct hr__schema *schema, hr_error *err) {
    for (uint32_t f = 0; f < schema->num_fields && a->num_samples == 0; f++) {
        struct hr__schema_field *field = &schema->fields[f];
        const bool variable = hr__dtype_is_variable(field->dtype);
        if (field->statistics != NULL || !(variable || hr__statistics_wanted(field->dtype)))
            continue;
        field->statistics = variable
                                ? hr__lengths_new()
                                : hr__statistics_new(field->dtype, hr__labels_wanted(schema, f));
        if (field->statistics == NULL)
            return hr__error_no_memory(err, 0, "statistics");
    }
    return HR_OK;
}

hr_status hr__append_load(struct hr__append *a, const struct hr__file *file, const hr_field *fields,
                          uint32_t num_fields, const hr_writer_options *opts,
                          struct hr__schema *schema, hr_error *err) {
    struct hr__footer *footer = &a->base.footer;
    const uint64_t limit = opts->budget_bytes > 0 ? opts->budget_bytes : hr_default_budget();
    hr_status st;
    a->on = true;
    HR_TRY(hr__append_base_load(file, limit, &a->base, err));
    HR_TRY(hr__append_check(&footer->schema, file->path, fields, num_fields, opts, err));
    a->num_samples = footer->num_samples;
    a->footer_bytes = a->base.held_bytes;
    /* The index, and that of a compact copy. */
    a->held_bytes = a->footer_bytes + HR__INDEX_BUILDER_BYTES + HR__INDEX_PAGE_BYTES +
                    2 * footer->num_index_pages * sizeof *footer->index_pages;
    *schema = footer->schema;
    footer->schema = (struct hr__schema){0};
    HR_TRY(fill_totals(a, schema, err));
done:
    return st;
}

int32_t hr__append_level(const struct hr__schema *schema) {
    int32_t level = 0;
    for (uint32_t f = 0; f < schema->num_fields; f++)
        if (schema->fields[f].storage.codec == HR__CODEC_ZSTD &&
            schema->fields[f].storage.level > level)
            level = schema->fields[f].storage.level;
    return level;
}

/* ---- the index ---- */

/* What the new commit will not refer to any more, of what the old one does. */
static hr_status count_dead(struct hr__append *a, uint64_t index_bytes, hr_error *err) {
    const struct hr__superblock *sb = &a->base.superblock;
    const uint64_t room = sb->file_bytes - HR__DATA_OFF;
    a->dead_bytes =
        a->base.footer.dead_bytes + index_bytes + hr__round_up(sb->footer_bytes, HR__PAGE_BYTES);
    if (a->num_short > 0)
        a->dead_bytes += (uint64_t)a->last.pages * HR__PAGE_BYTES;
    if (a->dead_bytes <= room)
        return HR_OK;
    return hr__error_set(err, HR_ERR_CORRUPT,
                         "the footer counts %llu dead bytes, more than the file has room for; run "
                         "headrace verify, and convert anew",
                         (unsigned long long)a->base.footer.dead_bytes);
}

/* The last chunk, if it is short: *first is then its number, else the one after it. */
static void find_short(struct hr__append *a, uint32_t samples_per_chunk, uint64_t *first) {
    const struct hr__footer *f = &a->base.footer;
    uint64_t first_sample;
    uint32_t n;
    *first = f->num_chunks;
    if (f->num_chunks == 0)
        return;
    hr__segment_chunk(f->segments, f->num_segments, samples_per_chunk, f->num_chunks - 1,
                      &first_sample, &n);
    if (n == samples_per_chunk)
        return;
    a->num_short = n;
    *first = f->num_chunks - 1;
}

hr_status hr__append_place(struct hr__append *a, struct hr__chunk_sink *sink, hr_error *err) {
    struct hr__footer *f = &a->base.footer;
    uint64_t first = 0;
    find_short(a, sink->schema->samples_per_chunk, &first);
    const uint64_t p = first / HR__INDEX_PAGE_ENTRIES;
    const uint32_t keep = (uint32_t)(first % HR__INDEX_PAGE_ENTRIES);
    const bool there = p < f->num_index_pages;
    uint8_t *page = sink->index.page;
    hr_status st = HR_OK;
    if (there)
        HR_TRY(hr__index_page_load(sink->file, &a->base.footer.index_pages[p],
                                   a->base.footer.num_chunks, p, page, err));
    if (a->num_short > 0)
        HR_TRY(hr__index_entry_decode(hr__get_u64(page + keep * sizeof(uint64_t)),
                                      a->base.superblock.file_bytes, f->max_chunk_pages, &a->last,
                                      err));
    HR_TRY(count_dead(a, there ? hr__index_page_bytes(f->num_chunks, p) : 0, err));
    HR_TRY(hr__index_builder_continue(&sink->index, f->index_pages, p, keep, err));
    sink->num_chunks = first;
    sink->num_samples = a->num_samples - a->num_short;
    sink->max_chunk_pages = f->max_chunk_pages;
    sink->end_off = a->base.superblock.file_bytes;
    atomic_store(&sink->stored_bytes, sink->end_off);
done:
    if (st != HR_OK)
        hr__error_prefix(err, "%s", sink->file->path);
    return st;
}

/* ---- the file ---- */

hr_status hr__append_begin(struct hr__append *a, const struct hr__file *file, hr_error *err) {
    const hr_status st = hr__append_base_settle(&a->base, file, err);
    if (st == HR_OK)
        a->begun = true;
    return st;
}

double hr__append_ratio(const struct hr__append *a, uint64_t decoded_bytes) {
    const uint64_t stored_bytes =
        a->base.superblock.file_bytes - HR__DATA_OFF - a->base.footer.dead_bytes;
    return (double)decoded_bytes / (double)stored_bytes;
}

struct hr__commit hr__append_commit(struct hr__append *a, const struct hr__job *job,
                                    struct hr__chunk_sink *sink) {
    struct hr__footer *f = &a->base.footer;
    /* The table has room for one more than there are. */
    const uint64_t last = f->num_segments > 0 ? f->num_segments - 1 : 0;
    struct hr__segment *s = &f->segments[last];
    s->num_chunks = sink->num_chunks - s->first_chunk;
    s->num_samples = sink->num_samples - s->first_sample;
    const struct hr__commit_parts parts = {.segments = f->segments,
                                           .num_segments = last + 1,
                                           .required = a->base.superblock.required |
                                                       hr__commit_features(sink->schema)};
    struct hr__commit c = hr__commit_of(job, sink, &parts);
    c.dead_bytes = a->dead_bytes + job->first_chunk_off - job->record_off;
    return c;
}

hr_status hr__append_uncertain(const char *path, hr_error *err) {
    hr__error_prefix(err,
                     "%s is whole, but whether with what was appended, headrace info tells; do "
                     "not append again before",
                     path);
    if (err != NULL)
        err->status = HR_ERR_UNCERTAIN;
    return HR_ERR_UNCERTAIN;
}

void hr__append_undo(const struct hr__append *a, const struct hr__file *file) {
    if (a->begun)
        (void)file->ops->truncate(file->ctx, a->base.superblock.file_bytes);
}

void hr__append_free(struct hr__append *a) {
    hr__append_base_free(&a->base);
}
