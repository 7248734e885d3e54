/*
 * What a caller hands to a writer (docs/format.md, 2.1).
 */
#include "rows_check.h"

#include "dtype.h"
#include "error.h"
#include "utf8.h"

#include "headrace/writer.h"

static bool bools_valid(const uint8_t *p, uint64_t n) {
    uint8_t seen = 0;
    for (uint64_t i = 0; i < n; i++)
        seen |= p[i];
    return seen <= 1;
}

static hr_status check_bools(const struct hr__schema_field *field, const uint8_t *p, uint64_t n,
                             uint64_t first_sample, hr_error *err) {
    if (bools_valid(p, n * field->num_elements))
        return HR_OK;
    uint64_t i = 0;
    while (p[i] <= 1)
        i++;
    return hr__error_set(err, HR_ERR_DATA,
                         "field \"%s\", sample %llu: the bool byte is 0x%02x, expected 0 or 1; "
                         "store it as uint8, or mend the source",
                         field->name, (unsigned long long)(first_sample + i / field->num_elements),
                         p[i]);
}

static hr_status bad_text(const struct hr__schema_field *field, uint64_t sample, hr_error *err) {
    return hr__error_set(
        err, HR_ERR_DATA,
        "field \"%s\", sample %llu: the text is not well-formed UTF-8; store it as "
        "%s bytes, or mend the source",
        field->name, (unsigned long long)sample,
        hr__dtype_is_variable(field->dtype) ? "variable" : "fixed");
}

static hr_status check_text(const struct hr__schema_field *field, const uint8_t *p, uint64_t n,
                            uint64_t first_sample, hr_error *err) {
    for (uint64_t i = 0; i < n * field->num_elements; i++)
        if (!hr__utf8_valid(p + i * field->width_bytes, field->width_bytes))
            return bad_text(field, first_sample + i / field->num_elements, err);
    return HR_OK;
}

static hr_status check_offsets(const struct hr__schema_field *field, const hr_varlen_column *c,
                               uint64_t n, hr_error *err) {
    if (c->offsets == NULL)
        return hr__error_set(err, HR_ERR_INVALID, "the offsets of field \"%s\" are NULL",
                             field->name);
    int64_t before = 0;
    for (uint64_t i = 0; i <= n; before = c->offsets[i++])
        if (c->offsets[i] < before || (uint64_t)c->offsets[i] > c->values_bytes)
            return hr__error_set(err, HR_ERR_INVALID,
                                 "offset %llu of field \"%s\" is %lld, expected %lld to %llu: "
                                 "offsets ascend, and lie within the values",
                                 (unsigned long long)i, field->name, (long long)c->offsets[i],
                                 (long long)before, (unsigned long long)c->values_bytes);
    if (c->values == NULL && c->offsets[n] > c->offsets[0])
        return hr__error_set(err, HR_ERR_INVALID, "the values of field \"%s\" are NULL",
                             field->name);
    return HR_OK;
}

static hr_status check_values(const struct hr__schema_field *field, const hr_varlen_column *c,
                              uint64_t n, uint64_t first_sample, hr_error *err) {
    const uint32_t unit = hr__value_unit_bytes(field);
    const hr_status st = check_offsets(field, c, n, err);
    if (st != HR_OK || (unit == 1 && field->dtype != HR_VAR_UTF8))
        return st;
    for (uint64_t i = 0; i < n; i++) {
        const uint64_t n_bytes = (uint64_t)(c->offsets[i + 1] - c->offsets[i]);
        if (n_bytes % unit != 0)
            return hr__error_set(err, HR_ERR_DATA,
                                 "field \"%s\", sample %llu: the sequence has %llu bytes, no "
                                 "multiple of the %u of one %s; mend the source",
                                 field->name, (unsigned long long)(first_sample + i),
                                 (unsigned long long)n_bytes, unit,
                                 hr_dtype_name(field->element_dtype));
        if (n_bytes > 0 && field->dtype == HR_VAR_UTF8 &&
            !hr__utf8_valid((const uint8_t *)c->values + c->offsets[i], n_bytes))
            return bad_text(field, first_sample + i, err);
    }
    return HR_OK;
}

hr_status hr__rows_check(const struct hr__schema *schema, const void *const *columns, uint64_t n,
                         uint64_t first_sample, hr_error *err) {
    hr_status st = HR_OK;
    for (uint32_t f = 0; f < schema->num_fields && st == HR_OK; f++) {
        const struct hr__schema_field *field = &schema->fields[f];
        if (hr__dtype_is_variable(field->dtype))
            st = check_values(field, columns[f], n, first_sample, err);
        else if (field->sample_bytes == 0)
            continue;
        else if (field->dtype == HR_BOOL)
            st = check_bools(field, columns[f], n, first_sample, err);
        else if (field->dtype == HR_FIXED_UTF8)
            st = check_text(field, columns[f], n, first_sample, err);
    }
    return st;
}
