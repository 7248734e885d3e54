/*
 * The commit (docs/format.md, 4): data and footer, fsync; slot 0, fsync; slot 1, fsync. Both slots
 * are equal, or zero, before.
 */
#include "commit.h"

#include "checked.h"
#include "dtype.h"
#include "error.h"
#include "frame_filter.h"
#include "hash.h"
#include "partial_file.h"
#include "superblock.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

uint32_t hr__commit_features(const struct hr__schema *s) {
    uint32_t features = 0;
    for (uint32_t f = 0; f < s->num_fields; f++) {
        if (s->fields[f].storage.codec == HR__CODEC_ZSTD)
            features |= HR__FEATURE_ZSTD;
        features |= hr__filter_features(s->fields[f].storage.filter);
        if (!hr__dtype_is_variable(s->fields[f].dtype))
            continue;
        features |= HR__FEATURE_VARLEN;
        if (s->fields[f].storage.codec == HR__CODEC_ZSTD)
            features |= hr__filter_features(hr__ends_storage.filter);
    }
    return features;
}

static hr_status encode_footer(const struct hr__commit *c, uint8_t **out, size_t *n_bytes,
                               hr_error *err) {
    struct hr__footer footer = {
        .commit_seq = c->identity->commit_seq,
        .num_samples = c->num_samples,
        .num_chunks = c->num_chunks,
        .dead_bytes = c->dead_bytes,
        .max_chunk_pages = c->max_chunk_pages,
        .num_segments = c->num_segments,
        .segments = c->segments,
        .num_index_pages = c->index->num_refs,
        .index_pages = c->index->refs,
        .schema = *c->schema,
    };
    memcpy(footer.uuid, c->identity->uuid, sizeof footer.uuid);
    return hr__footer_encode(&footer, out, n_bytes, err);
}

static hr_status write_footer(const struct hr__commit *c, const uint8_t *bytes, size_t n_bytes,
                              hr_error *err) {
    static const uint8_t zeros[HR__PAGE_BYTES];
    const uint64_t end = c->end_off + n_bytes;
    const uint64_t file_bytes = hr__round_up(end, HR__PAGE_BYTES);
    hr_status st = hr__file_write_all(c->file, bytes, n_bytes, c->end_off, err);
    if (st == HR_OK && file_bytes > end)
        st = hr__file_write_all(c->file, zeros, (size_t)(file_bytes - end), end, err);
    return st;
}

static hr_status write_superblocks(const struct hr__file *file, const struct hr__superblock *sb,
                                   hr_error *err) {
    uint8_t page[HR__PAGE_BYTES];
    hr_status st;
    hr__superblock_encode(sb, page);
    HR_TRY(hr__file_write_all(file, page, sizeof page, 0, err));
    HR_TRY(hr__file_sync(file, err));
    HR_TRY(hr__file_write_all(file, page, sizeof page, HR__SLOT1_OFF, err));
    HR_TRY(hr__file_sync(file, err));
done:
    return st;
}

hr_status hr__commit_write(struct hr__commit *c, hr_error *err) {
    uint8_t *footer = NULL;
    size_t n_bytes = 0;
    hr_status st;
    HR_TRY(hr__index_builder_flush(c->index, c->file, &c->end_off, err));
    HR_TRY(encode_footer(c, &footer, &n_bytes, err));
    HR_TRY(write_footer(c, footer, n_bytes, err));
    HR_TRY(hr__file_sync(c->file, err));
    struct hr__superblock sb = {
        .commit_seq = c->identity->commit_seq,
        .footer_off = c->end_off,
        .footer_bytes = n_bytes,
        .footer_hash = hr__hash(footer, n_bytes),
        .file_bytes = hr__round_up(c->end_off + n_bytes, HR__PAGE_BYTES),
        .required = c->required,
    };
    memcpy(sb.uuid, c->identity->uuid, sizeof sb.uuid);
    c->published = true;
    HR_TRY(write_superblocks(c->file, &sb, err));
    c->end_off = sb.file_bytes;
done:
    free(footer);
    return st;
}

hr_status hr__commit_file(const struct hr__job *job, struct hr__chunk_sink *sink, hr_error *err) {
    struct hr__segment segment = {.num_chunks = sink->num_chunks, .num_samples = sink->num_samples};
    const struct hr__commit_parts parts = {.segments = &segment,
                                           .num_segments = sink->num_chunks > 0 ? 1 : 0,
                                           .required = hr__commit_features(sink->schema)};
    return hr__commit_file_of(job, sink, &parts, err);
}

struct hr__commit hr__commit_of(const struct hr__job *job, struct hr__chunk_sink *sink,
                                const struct hr__commit_parts *parts) {
    return (struct hr__commit){.identity = &job->identity,
                               .schema = sink->schema,
                               .file = sink->file,
                               .index = &sink->index,
                               .segments = parts->segments,
                               .num_segments = parts->num_segments,
                               .num_chunks = sink->num_chunks,
                               .num_samples = sink->num_samples,
                               .max_chunk_pages = sink->max_chunk_pages,
                               .required = parts->required,
                               .end_off = sink->end_off};
}

hr_status hr__commit_file_of(const struct hr__job *job, struct hr__chunk_sink *sink,
                             const struct hr__commit_parts *parts, hr_error *err) {
    struct hr__commit c = hr__commit_of(job, sink, parts);
    const hr_status st = hr__commit_write(&c, err);
    if (st != HR_OK)
        return st;
    sink->end_off = c.end_off;
    atomic_store(&sink->stored_bytes, c.end_off);
    return HR_OK;
}

hr_status hr__commit_name(const struct hr__folder_ops *folder, const char *partial,
                          const char *target, bool replace, hr_error *err) {
    int rc = folder->rename(folder->ctx, partial, target, replace);
    if (rc == -EEXIST)
        return hr__error_os(err, EEXIST,
                            "%s was made by somebody else meanwhile; the new data set is complete "
                            "in %s: rename it, or ask for the target to be replaced",
                            target, partial);
    if (rc != 0)
        return hr__error_os(err, -rc, "cannot rename %s to %s", partial, target);
    rc = folder->sync_parent(folder->ctx, target);
    return rc == 0 ? HR_OK : hr__name_uncertain(target, -rc, err);
}
