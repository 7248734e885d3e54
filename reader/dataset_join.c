/*
 * Files as one data set: whether they fit together, and what all of them hold. What their footers
 * say was checked, each by itself.
 */
#include "dataset.h"

#include "bytes.h"
#include "checked.h"
#include "dtype.h"
#include "error.h"
#include "hash.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define IDENTITY_BYTES 32u /* of one file: UUID, commit, samples */
#define SHAPE_BYTES    (HR_MAX_RANK * 22 + 3)

/* ---- the same fields, the same samples per chunk ---- */

static void shape_print(const struct hr__schema_field *f, char out[SHAPE_BYTES]) {
    size_t used = (size_t)snprintf(out, SHAPE_BYTES, "(");
    for (uint32_t i = 0; i < f->rank; i++)
        used += (size_t)snprintf(out + used, SHAPE_BYTES - used, "%s%" PRIu64, i > 0 ? ", " : "",
                                 f->shape[i]);
    snprintf(out + used, SHAPE_BYTES - used, ")");
}

/* Of a sequence that of its elements. */
static const char *type_name(const struct hr__schema_field *f) {
    return hr_dtype_name(f->element_dtype != 0 ? f->element_dtype : f->dtype);
}

static bool same_layout(const struct hr__schema_field *a, const struct hr__schema_field *b) {
    return strcmp(a->name, b->name) == 0 && hr__schema_same_type(a, b);
}

static hr_status check_fields(const hr_dataset *ds, const struct hr__schema *other, hr_error *err) {
    const struct hr__schema *first = &ds->footer.schema;
    const char *first_path = ds->files[0].path;
    if (other->num_fields != first->num_fields)
        return hr__error_set(err, HR_ERR_MISMATCH,
                             "it has %u fields, the first file has %u; files of one data set need "
                             "the same fields in the same order: convert one of them anew (the "
                             "first is %s)",
                             other->num_fields, first->num_fields, first_path);
    for (uint32_t i = 0; i < first->num_fields; i++) {
        const struct hr__schema_field *a = &first->fields[i], *b = &other->fields[i];
        if (same_layout(a, b))
            continue;
        char a_shape[SHAPE_BYTES], b_shape[SHAPE_BYTES];
        shape_print(a, a_shape);
        shape_print(b, b_shape);
        return hr__error_set(err, HR_ERR_MISMATCH,
                             "field %u is %s, %s of %u bytes, shape %s, and in the first file %s, "
                             "%s of %u bytes, shape %s; files of one data set need the same fields "
                             "in the same order: convert one of them anew (the first is %s)",
                             i, b->name, type_name(b), b->width_bytes, b_shape, a->name,
                             type_name(a), a->width_bytes, a_shape, first_path);
    }
    return HR_OK;
}

static hr_status check_chunks(const hr_dataset *ds, const struct hr__schema *other, hr_error *err) {
    const struct hr__schema *first = &ds->footer.schema;
    if (other->samples_per_chunk == first->samples_per_chunk)
        return HR_OK;
    if (first->num_variable > 0) /* how many follow from chunk bytes depends on the values */
        return hr__error_set(err, HR_ERR_MISMATCH,
                             "its chunks have %u samples, those of the first file %u; files of one "
                             "data set need the same: write it again with samples_per_chunk %u, "
                             "which a writer takes (the first is %s)",
                             other->samples_per_chunk, first->samples_per_chunk,
                             first->samples_per_chunk, ds->files[0].path);
    return hr__error_set(
        err, HR_ERR_MISMATCH,
        "its chunks have %u samples, those of the first file %u; files of one "
        "data set need the same: convert it again with --chunk-bytes %" PRIu64 " (the first is %s)",
        other->samples_per_chunk, first->samples_per_chunk,
        first->samples_per_chunk * hr__max_u64(first->sample_bytes, 1), ds->files[0].path);
}

/* ---- what the first file's schema says of all ---- */

/* Of a and b, as far as both have figures. */
static hr_status statistics_add(hr_dataset *ds, struct hr__schema_field *a,
                                const struct hr__schema_field *b, uint64_t first_sample,
                                hr_error *err) {
    if (a->statistics == NULL || b->statistics == NULL) {
        hr__statistics_free(a->statistics);
        a->statistics = NULL;
        return HR_OK;
    }
    uint64_t had_bytes = hr__statistics_held_bytes(a->statistics);
    hr_status st = hr__statistics_append(a->statistics, b->statistics, first_sample, err);
    uint64_t has_bytes = hr__statistics_held_bytes(a->statistics);
    if (st == HR_OK && has_bytes > had_bytes)
        st = hr__budget_reserve(&ds->budget, has_bytes - had_bytes, "statistics", err);
    return st;
}

/* What was tried for one file is no figure of others that are stored in another way. */
static void storage_compare(struct hr__storage *a, const struct hr__storage *b) {
    if (a->codec == b->codec && a->filter == b->filter && a->level == b->level &&
        a->element_bytes == b->element_bytes && a->distance_bytes == b->distance_bytes)
        return;
    free(a->why_json);
    a->why_json = NULL;
}

static hr_status schema_add(hr_dataset *ds, const struct hr__part *part,
                            const struct hr__schema *other, hr_error *err) {
    hr_status st = HR_OK;
    for (uint32_t i = 0; i < other->num_fields && part->num_samples > 0; i++) {
        struct hr__schema_field *field = &ds->footer.schema.fields[i];
        storage_compare(&field->storage, &other->fields[i].storage);
        HR_TRY(statistics_add(ds, field, &other->fields[i], part->first_sample, err));
    }
done:
    return st;
}

/* ---- sizes ---- */

static void part_fill(const hr_dataset *ds, struct hr__part *part, struct hr__footer *f) {
    part->first_chunk = ds->footer.num_chunks;
    part->num_chunks = f->num_chunks;
    part->first_sample = ds->footer.num_samples;
    part->num_samples = f->num_samples;
    part->num_segments = f->num_segments;
    part->dead_bytes = f->dead_bytes;
    part->max_chunk_pages = f->max_chunk_pages;
    part->num_index_pages = f->num_index_pages;
    part->segments = f->segments;
    part->index_pages = f->index_pages;
    f->segments = NULL;
    f->index_pages = NULL;
}

/* Fewer than 2^20 files of at most 2^40 chunks: only samples and bytes need a check. */
static hr_status sizes_add(hr_dataset *ds, const struct hr__part *part, hr_error *err) {
    struct hr__footer *all = &ds->footer;
    if (!hr__add_u64(all->num_samples, part->num_samples, &all->num_samples) ||
        !hr__add_u64(ds->file_bytes, part->superblock.file_bytes, &ds->file_bytes))
        return hr__error_set(err, HR_ERR_CORRUPT,
                             "together with the files before it, it would have 2^64 samples or "
                             "bytes or more; run headrace verify on each of them");
    all->num_chunks += part->num_chunks;
    all->num_segments += part->num_segments;
    all->num_index_pages += part->num_index_pages;
    all->dead_bytes += part->dead_bytes;
    if (part->max_chunk_pages > all->max_chunk_pages)
        all->max_chunk_pages = part->max_chunk_pages;
    return HR_OK;
}

hr_status hr__dataset_join(hr_dataset *ds, uint32_t number, struct hr__footer *f,
                           uint64_t footer_bytes, hr_error *err) {
    hr_status st;
    struct hr__part *part = &ds->parts[number];
    part_fill(ds, part, f);
    if (number == 0) {
        ds->footer = *f; /* and with it what is charged */
        ds->file_bytes = part->superblock.file_bytes;
        *f = (struct hr__footer){0};
        return HR_OK;
    }
    HR_TRY(check_fields(ds, &f->schema, err));
    HR_TRY(check_chunks(ds, &f->schema, err));
    HR_TRY(schema_add(ds, part, &f->schema, err));
    HR_TRY(sizes_add(ds, part, err));
    hr__budget_release(&ds->budget, footer_bytes);
    st = hr__budget_reserve(&ds->budget,
                            part->num_segments * sizeof(*part->segments) +
                                part->num_index_pages * sizeof(*part->index_pages),
                            "the table of its chunks", err);
done:
    if (st != HR_OK)
        hr__error_name_file(err, ds->files[number].path);
    return st;
}

/* ---- all files ---- */

static hr_status segments_join(hr_dataset *ds, hr_error *err) {
    struct hr__footer *all = &ds->footer;
    size_t n_bytes = (size_t)(all->num_segments + 1) * sizeof(*all->segments);
    hr_status st = hr__budget_reserve(&ds->budget, n_bytes, "segments", err);
    if (st != HR_OK)
        return st;
    all->segments = malloc(n_bytes);
    struct hr__segment *to = all->segments;
    for (uint32_t i = 0; i < ds->num_files && to != NULL; i++) {
        struct hr__part *part = &ds->parts[i];
        for (uint64_t s = 0; s < part->num_segments; s++, to++) {
            *to = part->segments[s];
            to->first_chunk += part->first_chunk;
            to->first_sample += part->first_sample;
        }
        free(part->segments); /* from now on, its share of the others is what is charged for it */
        part->segments = NULL;
    }
    hr__budget_release(&ds->budget, n_bytes);
    return to != NULL ? HR_OK : hr__error_no_memory(err, n_bytes, "segments");
}

/* docs/order.md, 8. */
static hr_status identify(hr_dataset *ds, hr_error *err) {
    size_t n_bytes = (size_t)ds->num_files * IDENTITY_BYTES;
    hr_status st;
    uint8_t *bytes = hr__budget_take(&ds->budget, n_bytes, "the names of the files", &st, err);
    if (bytes == NULL)
        return st;
    for (uint32_t i = 0; i < ds->num_files; i++) {
        const struct hr__part *part = &ds->parts[i];
        uint8_t *at = bytes + (size_t)i * IDENTITY_BYTES;
        memcpy(at, part->superblock.uuid, sizeof(part->superblock.uuid));
        hr__put_u64(at + 16, part->superblock.commit_seq);
        hr__put_u64(at + 24, part->num_samples);
    }
    hr__hash_wide(bytes, n_bytes, ds->footer.uuid);
    ds->footer.commit_seq = 0;
    hr__budget_free(&ds->budget, bytes, n_bytes);
    return HR_OK;
}

static hr_status name_all(hr_dataset *ds, hr_error *err) {
    const char *path = ds->files[0].path;
    size_t n_bytes = strlen(path) + 40;
    ds->name = malloc(n_bytes);
    if (ds->name == NULL)
        return hr__error_no_memory(err, n_bytes, "a name");
    snprintf(ds->name, n_bytes, "%s and %u more file%s", path, ds->num_files - 1,
             ds->num_files > 2 ? "s" : "");
    return HR_OK;
}

hr_status hr__dataset_join_end(hr_dataset *ds, hr_error *err) {
    hr_status st;
    if (ds->num_files == 1) {
        ds->footer.segments = ds->parts[0].segments;
        ds->parts[0].segments = NULL;
        return HR_OK;
    }
    HR_TRY(segments_join(ds, err));
    HR_TRY(identify(ds, err));
    HR_TRY(name_all(ds, err));
done:
    return st;
}
