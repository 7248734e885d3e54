/*
 * What a data set says of itself: fields, statistics, sizes.
 */
#include "dataset.h"

#include "checked.h"
#include "dtype.h"
#include "error.h"
#include "options.h"

#include <string.h>

uint64_t hr_dataset_num_samples(const hr_dataset *ds) {
    return ds->footer.num_samples;
}

uint32_t hr_dataset_num_fields(const hr_dataset *ds) {
    return ds->footer.schema.num_fields;
}

static hr_status check_field(const hr_dataset *ds, uint32_t field, hr_error *err) {
    if (field >= ds->footer.schema.num_fields)
        return hr__error_set(err, HR_ERR_INVALID, "%s: field %u asked for, it has fields 0 to %u",
                             hr__dataset_name(ds), field, ds->footer.schema.num_fields - 1);
    return HR_OK;
}

hr_status hr_dataset_field(const hr_dataset *ds, uint32_t index, hr_field *out, hr_error *err) {
    hr_status st = check_field(ds, index, err);
    if (st != HR_OK)
        return st;
    const struct hr__schema_field *f = &ds->footer.schema.fields[index];
    *out = (hr_field){.name = f->name,
                      .dtype = f->dtype,
                      .width_bytes = f->width_bytes,
                      .rank = f->rank,
                      .shape = f->shape,
                      .attributes_json = f->attributes_json,
                      .element_dtype = f->element_dtype};
    return HR_OK;
}

hr_status hr_dataset_find_field(const hr_dataset *ds, const char *name, uint32_t *out,
                                hr_error *err) {
    const struct hr__schema *s = &ds->footer.schema;
    for (uint32_t f = 0; f < s->num_fields; f++)
        if (strcmp(s->fields[f].name, name) == 0) {
            *out = f;
            return HR_OK;
        }
    char list[256] = "";
    size_t used = 0;
    for (uint32_t f = 0; f < s->num_fields; f++) {
        size_t n = strlen(s->fields[f].name);
        if (used + n + 8 > sizeof(list)) {
            memcpy(list + used, ", ...", 6);
            break;
        }
        if (f > 0) {
            memcpy(list + used, ", ", 2);
            used += 2;
        }
        memcpy(list + used, s->fields[f].name, n + 1);
        used += n;
    }
    return hr__error_set(err, HR_ERR_NOT_FOUND, "%s: no field \"%s\"; it has: %s",
                         hr__dataset_name(ds), name, list);
}

uint64_t hr_dataset_sample_bytes(const hr_dataset *ds, uint32_t field) {
    const struct hr__schema *s = &ds->footer.schema;
    if (field == UINT32_MAX)
        return s->sample_bytes;
    return field < s->num_fields ? s->fields[field].sample_bytes : 0;
}

hr_status hr_dataset_statistics(const hr_dataset *ds, uint32_t field, hr_statistics *out,
                                hr_error *err) {
    hr_status st = check_field(ds, field, err);
    if (st != HR_OK)
        return st;
    st = hr__result_check(out, offsetof(hr_statistics, num_values), sizeof(*out), "hr_statistics",
                          err);
    if (st != HR_OK)
        return st;
    const struct hr__statistics *s = ds->footer.schema.fields[field].statistics;
    hr_statistics found = {.struct_bytes = sizeof(found),
                           .first_nan_sample = UINT64_MAX,
                           .first_inf_sample = UINT64_MAX};
    if (s != NULL && !hr__dtype_is_variable(ds->footer.schema.fields[field].dtype))
        hr__statistics_get(s, &found);
    hr__result_copy(out, &found, sizeof(found));
    return HR_OK;
}

hr_status hr_dataset_length_statistics(const hr_dataset *ds, uint32_t field,
                                       hr_length_statistics *out, hr_error *err) {
    hr_status st = check_field(ds, field, err);
    if (st != HR_OK)
        return st;
    st = hr__result_check(out, offsetof(hr_length_statistics, num_values), sizeof(*out),
                          "hr_length_statistics", err);
    if (st != HR_OK)
        return st;
    const struct hr__schema_field *f = &ds->footer.schema.fields[field];
    hr_length_statistics found = {.struct_bytes = sizeof(found)};
    if (f->statistics != NULL && hr__dtype_is_variable(f->dtype))
        hr__lengths_get(f->statistics, &found);
    hr__result_copy(out, &found, sizeof(found));
    return HR_OK;
}

/* A lying footer may claim more than fits: then UINT64_MAX. */
static uint64_t decoded_bytes(const struct hr__footer *f) {
    uint64_t n = UINT64_MAX;
    (void)hr__mul_u64(f->num_samples, f->schema.sample_bytes, &n);
    for (uint32_t i = 0; i < f->schema.num_fields; i++) {
        const struct hr__schema_field *field = &f->schema.fields[i];
        if (field->statistics == NULL || !hr__dtype_is_variable(field->dtype))
            continue;
        if (!hr__add_u64(n, hr__lengths_total(field->statistics), &n))
            n = UINT64_MAX;
    }
    return n;
}

hr_status hr_dataset_describe(const hr_dataset *ds, hr_dataset_info *out, hr_error *err) {
    hr_status st = hr__result_check(out, offsetof(hr_dataset_info, uuid), sizeof(*out),
                                    "hr_dataset_info", err);
    if (st != HR_OK)
        return st;
    const struct hr__footer *f = &ds->footer;
    hr_dataset_info info = {
        .struct_bytes = sizeof(info),
        .samples_per_chunk = f->schema.samples_per_chunk,
        .commit_seq = f->commit_seq,
        .num_samples = f->num_samples,
        .num_chunks = f->num_chunks,
        .num_segments = f->num_segments,
        .decoded_bytes = decoded_bytes(f),
        .file_bytes = ds->file_bytes,
        .dead_bytes = f->dead_bytes,
        .max_chunk_bytes = (uint64_t)f->max_chunk_pages * HR__PAGE_BYTES,
        .num_files = ds->num_files,
    };
    for (uint32_t i = 0; i < ds->num_files; i++) {
        const struct hr__part *part = &ds->parts[i];
        for (uint64_t p = 0; p < part->num_index_pages; p++)
            info.index_bytes += hr__part_index_page_bytes(part, p);
        info.index_loaded_bytes += part->held_bytes;
    }
    memcpy(info.uuid, f->uuid, sizeof(info.uuid));
    hr__result_copy(out, &info, sizeof(info));
    return HR_OK;
}

uint32_t hr_dataset_num_files(const hr_dataset *ds) {
    return ds->num_files;
}

hr_status hr_dataset_file(const hr_dataset *ds, uint32_t index, hr_file_info *out, hr_error *err) {
    hr_status st =
        hr__result_check(out, offsetof(hr_file_info, uuid), sizeof(*out), "hr_file_info", err);
    if (st != HR_OK)
        return st;
    if (index >= ds->num_files)
        return hr__error_set(err, HR_ERR_INVALID, "%s: file %u asked for, it has files 0 to %u",
                             hr__dataset_name(ds), index, ds->num_files - 1);
    const struct hr__part *part = &ds->parts[index];
    hr_file_info info = {
        .struct_bytes = sizeof(info),
        .path = ds->files[index].path,
        .commit_seq = part->superblock.commit_seq,
        .first_sample = part->first_sample,
        .num_samples = part->num_samples,
        .num_chunks = part->num_chunks,
        .num_segments = part->num_segments,
        .file_bytes = part->superblock.file_bytes,
        .dead_bytes = part->dead_bytes,
    };
    memcpy(info.uuid, part->superblock.uuid, sizeof(info.uuid));
    hr__result_copy(out, &info, sizeof(info));
    return HR_OK;
}

const char *hr_dataset_json(const hr_dataset *ds) {
    return ds->footer.json;
}

const char *hr_dataset_path(const hr_dataset *ds) {
    return ds->files[0].path;
}
