/*
 * Places, index entries and totals of chunks (docs/format.md, 7).
 */
#include "chunk_sink.h"

#include "error.h"

static hr_status merge_statistics(const struct hr__schema *schema,
                                  struct hr__statistics *const *statistics, hr_error *err) {
    hr_status st = HR_OK;
    /* Totals of a file that is appended to may be missing, or have labels where these have none. */
    for (uint32_t f = 0; f < schema->num_fields && st == HR_OK; f++)
        if (statistics[f] != NULL && schema->fields[f].statistics != NULL)
            st = hr__statistics_append(schema->fields[f].statistics, statistics[f], 0, err);
    return st;
}

hr_status hr__chunk_sink_take(struct hr__chunk_sink *sink, uint32_t pages, uint32_t num_samples,
                              struct hr__statistics *const *statistics, uint64_t *off,
                              hr_error *err) {
    const hr_status st = merge_statistics(sink->schema, statistics, err);
    if (st != HR_OK)
        return st;
    *off = sink->end_off;
    sink->end_off += (uint64_t)pages * HR__PAGE_BYTES;
    sink->num_chunks++;
    sink->num_samples += num_samples;
    if (pages > sink->max_chunk_pages)
        sink->max_chunk_pages = pages;
    const struct hr__index_entry entry = {.page = *off / HR__PAGE_BYTES, .pages = pages};
    const hr_status added =
        hr__index_builder_add(&sink->index, entry, sink->file, &sink->end_off, err);
    atomic_store(&sink->stored_bytes, sink->end_off);
    return added;
}

hr_status hr__chunk_sink_cut(const struct hr__chunk_sink *sink, hr_error *err) {
    const struct hr__file *file = sink->file;
    const int rc = file->ops->truncate(file->ctx, sink->end_off);
    return rc == 0 ? HR_OK
                   : hr__error_os(err, -rc, "%s: cannot cut it to %llu bytes", file->path,
                                  (unsigned long long)sink->end_off);
}
