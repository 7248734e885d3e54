/*
 * Schemas from descriptions: rules of names, types and shapes, and what follows from them (docs/
 * format.md, 2).
 */
#include "schema.h"

#include "bytes.h"
#include "checked.h"
#include "dtype.h"
#include "error.h"
#include "hash.h"
#include "schema_internal.h"
#include "utf8.h"

#include <stdlib.h>
#include <string.h>

#define MAX_WIDTH     ((UINT32_C(1) << 31) - 1)
#define MAX_DIMENSION (UINT64_C(1) << 48)

static hr_status check_name(const char *name, hr_error *err) {
    size_t n = name != NULL ? strlen(name) : 0;
    if (n == 0)
        return hr__error_set(err, HR_ERR_INVALID, "a field has no name; give it one");
    if (n > HR_MAX_NAME_BYTES)
        return hr__error_set(err, HR_ERR_INVALID,
                             "the name of a field, \"%.64s...\", has %zu bytes, expected 1 to %d; "
                             "rename it",
                             name, n, HR_MAX_NAME_BYTES);
    for (size_t i = 0; i < n; i++)
        if ((unsigned char)name[i] < 0x20 || name[i] == 0x7f)
            return hr__error_set(
                err, HR_ERR_INVALID,
                "the name of a field, \"%.*s...\", has a control character (0x%02x); "
                "rename it",
                (int)hr__min_u64(i, 64), name, (unsigned char)name[i]);
    if (!hr__utf8_valid(name, n))
        return hr__error_set(err, HR_ERR_INVALID, "a field's name is not UTF-8; rename it");
    if (name[0] == '/' || name[n - 1] == '/')
        return hr__error_set(err, HR_ERR_INVALID,
                             "the field name \"%.64s\" begins or ends with '/'; rename it", name);
    return HR_OK;
}

static bool is_sequence_type(hr_dtype t) {
    return hr_dtype_bytes(t) > 0 && t != HR_BOOL;
}

static hr_status check_type(const struct hr__schema_field *f, hr_error *err) {
    if (!hr__dtype_valid(f->dtype))
        return hr__error_set(err, HR_ERR_INVALID, "field %s has no valid dtype (%d)", f->name,
                             (int)f->dtype);
    if (f->rank > HR_MAX_RANK)
        return hr__error_set(err, HR_ERR_INVALID, "field %s has %u dimensions, at most %d", f->name,
                             f->rank, HR_MAX_RANK);
    if (hr__dtype_is_variable(f->dtype) && f->rank != 0)
        return hr__error_set(err, HR_ERR_INVALID,
                             "field %s has values of variable length and %u dimensions, expected 0",
                             f->name, f->rank);
    if (f->element_dtype != 0 && (f->dtype != HR_VAR_BYTES || !is_sequence_type(f->element_dtype)))
        return hr__error_set(
            err, HR_ERR_INVALID,
            "field %s has the element_dtype %d, expected that of a sequence: dtype "
            "bytes, elements int8 to complex128",
            f->name, (int)f->element_dtype);
    if (hr__dtype_is_fixed_width(f->dtype) && f->width_bytes > MAX_WIDTH)
        return hr__error_set(err, HR_ERR_INVALID, "field %s has a width of %u bytes, at most %u",
                             f->name, f->width_bytes, MAX_WIDTH);
    return HR_OK;
}

/* Sizes that follow from type and shape. */
static hr_status measure(struct hr__schema_field *f, hr_error *err) {
    uint64_t elements = 1;
    bool ok = true, none = false;
    if (hr__dtype_is_variable(f->dtype)) {
        f->width_bytes = 0;
        f->num_elements = 1;
        return HR_OK;
    }
    if (!hr__dtype_is_fixed_width(f->dtype))
        f->width_bytes = hr_dtype_bytes(f->dtype);
    for (uint32_t i = 0; i < f->rank; i++) {
        ok = ok && f->shape[i] <= MAX_DIMENSION;
        none = none || f->shape[i] == 0;
    }
    for (uint32_t i = 0; ok && !none && i < f->rank; i++)
        ok = hr__mul_u64(elements, f->shape[i], &elements);
    f->num_elements = none ? 0 : elements;
    ok = ok && hr__mul_u64(f->num_elements, f->width_bytes, &f->sample_bytes);
    if (!ok || f->sample_bytes > HR__MAX_SAMPLE_BYTES)
        return hr__error_set(err, HR_ERR_INVALID,
                             "one sample of field %s is too large, at most %llu bytes; split it",
                             f->name, (unsigned long long)HR__MAX_SAMPLE_BYTES);
    return HR_OK;
}

static bool comes_before(const struct hr__schema *s, uint32_t a, uint32_t b) {
    bool variable_a = hr__dtype_is_variable(s->fields[a].dtype);
    bool variable_b = hr__dtype_is_variable(s->fields[b].dtype);
    if (variable_a != variable_b)
        return variable_b;
    return s->fields[a].sample_bytes < s->fields[b].sample_bytes;
}

/* Insertion keeps equal ones in the order of the schema. */
static void order_blocks(struct hr__schema *s) {
    for (uint32_t i = 0; i < s->num_fields; i++) {
        uint32_t at = i;
        for (; at > 0 && comes_before(s, i, s->block_order[at - 1]); at--)
            s->block_order[at] = s->block_order[at - 1];
        s->block_order[at] = i;
    }
    for (uint32_t i = 0, block = 0; i < s->num_fields; i++) {
        struct hr__schema_field *f = &s->fields[s->block_order[i]];
        f->first_block = block;
        block += hr__dtype_is_variable(f->dtype) ? 2 : 1;
    }
}

static hr_status check_unique(const struct hr__schema *s, hr_error *err) {
    for (uint32_t i = 0; i < s->num_fields; i++)
        for (uint32_t j = 0; j < i; j++)
            if (strcmp(s->fields[i].name, s->fields[j].name) == 0)
                return hr__error_set(err, HR_ERR_INVALID,
                                     "two fields are named \"%.64s\"; rename one",
                                     s->fields[i].name);
    return HR_OK;
}

static hr_status hash_layout(struct hr__schema *s, hr_error *err) {
    size_t n = 8;
    for (uint32_t i = 0; i < s->num_fields; i++)
        n += 2 + strlen(s->fields[i].name) + 6 + 8 * (size_t)s->fields[i].rank;
    uint8_t *bytes = malloc(n), *p = bytes;
    if (bytes == NULL)
        return hr__error_no_memory(err, n, "a schema");
    hr__put_u32(p, s->num_fields);
    hr__put_u32(p + 4, s->samples_per_chunk);
    p += 8;
    for (uint32_t i = 0; i < s->num_fields; i++) {
        const struct hr__schema_field *f = &s->fields[i];
        size_t name_bytes = strlen(f->name);
        hr__put_u16(p, (uint16_t)name_bytes);
        memcpy(p + 2, f->name, name_bytes);
        p += 2 + name_bytes;
        p[0] = (uint8_t)f->dtype;
        p[1] = (uint8_t)f->rank;
        hr__put_u32(p + 2, f->width_bytes);
        p += 6;
        for (uint32_t k = 0; k < f->rank; k++, p += 8)
            hr__put_u64(p, f->shape[k]);
    }
    s->layout_hash = hr__hash(bytes, n);
    free(bytes);
    return HR_OK;
}

hr_status hr__schema_allocate(struct hr__schema *s, uint32_t num_fields, hr_error *err) {
    if (num_fields == 0 || num_fields > HR__MAX_FIELDS)
        return hr__error_set(err, HR_ERR_INVALID, "%u fields, expected 1 to %u", num_fields,
                             HR__MAX_FIELDS);
    s->fields = calloc(num_fields, sizeof(*s->fields));
    s->block_order = calloc(num_fields, sizeof(*s->block_order));
    if (s->fields == NULL || s->block_order == NULL)
        return hr__error_no_memory(err, num_fields * sizeof(*s->fields), "a schema");
    s->num_fields = num_fields;
    return HR_OK;
}

hr_status hr__schema_finish(struct hr__schema *s, hr_error *err) {
    hr_status st = HR_OK;
    if (s->samples_per_chunk == 0 || s->samples_per_chunk > HR__MAX_SAMPLES_PER_CHUNK)
        return hr__error_set(err, HR_ERR_INVALID, "%u samples per chunk, expected 1 to %u",
                             s->samples_per_chunk, HR__MAX_SAMPLES_PER_CHUNK);
    for (uint32_t i = 0; i < s->num_fields; i++) {
        struct hr__schema_field *f = &s->fields[i];
        HR_TRY(check_name(f->name, err));
        HR_TRY(check_type(f, err));
        HR_TRY(measure(f, err));
        s->sample_bytes += f->sample_bytes; /* 4,096 x 2^34 fits */
        s->num_variable += hr__dtype_is_variable(f->dtype);
    }
    if (s->sample_bytes > HR__MAX_SAMPLE_BYTES)
        return hr__error_set(err, HR_ERR_INVALID,
                             "one sample over all fields has %llu bytes, at most %llu; split it",
                             (unsigned long long)s->sample_bytes,
                             (unsigned long long)HR__MAX_SAMPLE_BYTES);
    HR_TRY(check_unique(s, err));
    order_blocks(s);
    HR_TRY(hash_layout(s, err));
done:
    return st;
}

static hr_status copy_text(const char *text, char **out, hr_error *err) {
    *out = NULL;
    if (text == NULL)
        return HR_OK;
    size_t n = strlen(text) + 1;
    *out = malloc(n);
    if (*out == NULL)
        return hr__error_no_memory(err, n, "a schema");
    memcpy(*out, text, n);
    return HR_OK;
}

static hr_status check_reserved(const hr_field *f, hr_error *err) {
    uint64_t any = f->reserved32;
    for (size_t k = 0; k < sizeof(f->reserved) / sizeof(f->reserved[0]); k++)
        any |= f->reserved[k];
    if (any == 0)
        return HR_OK;
    return hr__error_set(
        err, HR_ERR_INVALID,
        "field %s: hr_field.reserved is not 0; set it to zero, or use the Headrace "
        "that it was written for",
        f->name);
}

hr_status hr__schema_make(const hr_field *fields, uint32_t num_fields, uint32_t samples_per_chunk,
                          struct hr__schema *out, hr_error *err) {
    hr_status st;
    *out = (struct hr__schema){.samples_per_chunk = samples_per_chunk};
    HR_TRY(hr__schema_allocate(out, num_fields, err));
    for (uint32_t i = 0; i < num_fields; i++) {
        struct hr__schema_field *f = &out->fields[i];
        HR_TRY(check_name(fields[i].name, err));
        HR_TRY(copy_text(fields[i].name, &f->name, err));
        HR_TRY(check_reserved(&fields[i], err));
        f->dtype = fields[i].dtype;
        f->element_dtype = fields[i].element_dtype;
        f->rank = fields[i].rank;
        f->width_bytes = fields[i].width_bytes;
        if (f->rank > 0 && fields[i].shape == NULL)
            HR_TRY(hr__error_set(err, HR_ERR_INVALID, "field %s has %u dimensions and no shape",
                                 f->name, f->rank));
        for (uint32_t k = 0; k < f->rank && k < HR_MAX_RANK; k++)
            f->shape[k] = fields[i].shape[k];
        HR_TRY(copy_text(fields[i].attributes_json, &f->attributes_json, err));
        if (f->attributes_json != NULL)
            HR_TRY(hr__schema_check_object(f->attributes_json, f->name, err));
    }
    HR_TRY(hr__schema_finish(out, err));
    return HR_OK;
done:
    hr__schema_free(out);
    return st;
}

hr_status hr__schema_set_samples_per_chunk(struct hr__schema *s, uint32_t samples_per_chunk,
                                           hr_error *err) {
    s->samples_per_chunk = samples_per_chunk;
    return hash_layout(s, err);
}

uint32_t hr__value_unit_bytes(const struct hr__schema_field *f) {
    return f->element_dtype != 0 ? hr_dtype_bytes(f->element_dtype) : 1;
}

uint32_t hr__samples_per_chunk(uint64_t sample_bytes, uint64_t chunk_bytes) {
    uint64_t n = sample_bytes == 0 ? HR__MAX_SAMPLES_PER_CHUNK : chunk_bytes / sample_bytes;
    return (uint32_t)hr__max_u64(1, hr__min_u64(n, HR__MAX_SAMPLES_PER_CHUNK));
}

bool hr__schema_same_type(const struct hr__schema_field *a, const struct hr__schema_field *b) {
    return a->dtype == b->dtype && a->width_bytes == b->width_bytes &&
           a->element_dtype == b->element_dtype && a->rank == b->rank &&
           memcmp(a->shape, b->shape, a->rank * sizeof a->shape[0]) == 0;
}

void hr__schema_free(struct hr__schema *s) {
    for (uint32_t i = 0; i < s->num_fields; i++) {
        free(s->fields[i].name);
        free(s->fields[i].attributes_json);
        free(s->fields[i].storage.why_json);
        hr__statistics_free(s->fields[i].statistics);
    }
    free(s->fields);
    free(s->block_order);
    free(s->attributes_json);
    free(s->provenance_json);
    *s = (struct hr__schema){0};
}
