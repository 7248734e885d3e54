/*
 * The options of padding against a data set. Options are a caller's and checked here.
 */
#define _GNU_SOURCE
#include "pad_fields.h"

#include "dtype.h"
#include "error.h"
#include "options.h"

#include <stdio.h>
#include <string.h>

#define MAX_LENGTH (UINT64_C(1) << 32)

static hr_status check(const hr_pad *pad, const struct hr__schema_field *f, hr_error *err) {
    if ((pad->flags & ~HR_PAD_TRUNCATE) != 0)
        return hr__error_set(err, HR_ERR_INVALID,
                             "field %s: hr_pad has unknown flags %#x; leave them out, or use the "
                             "Headrace that they were written for",
                             f->name, pad->flags & ~HR_PAD_TRUNCATE);
    if (pad->length == 0 || pad->length > MAX_LENGTH)
        return hr__error_set(err, HR_ERR_INVALID,
                             "field %s: it is to be padded to %llu elements, expected 1 to 2^32",
                             f->name, (unsigned long long)pad->length);
    if (!hr__dtype_is_variable(f->dtype))
        return hr__error_set(
            err, HR_ERR_INVALID,
            "field %s has samples of one size, which need no padding; leave it out "
            "of pads",
            f->name);
    return HR_OK;
}

hr_status hr__pad_find(const hr_loader_options *opts, const struct hr__schema_field *f, hr_pad *out,
                       bool *found, hr_error *err) {
    *found = false;
    if (opts->num_pads > 0 && opts->pads == NULL)
        return hr__error_set(err, HR_ERR_INVALID, "num_pads is %u, but pads is NULL",
                             opts->num_pads);
    for (uint32_t i = 0; i < opts->num_pads; i++) {
        hr_pad pad = HR_PAD_INIT;
        hr_status st =
            hr__options_copy_entry(opts->pads, i, sizeof(pad), &pad, sizeof(pad), "hr_pad", err);
        if (st == HR_OK && pad.field == NULL)
            st = hr__error_set(err, HR_ERR_INVALID, "hr_pad has no field; name one");
        if (st != HR_OK)
            return st;
        if (strcmp(pad.field, f->name) != 0)
            continue;
        if (*found)
            return hr__error_set(err, HR_ERR_INVALID, "field %s is padded twice; name it once",
                                 f->name);
        *out = pad;
        *found = true;
    }
    return *found ? check(out, f, err) : HR_OK;
}

hr_status hr__pad_refuse_left_out(const hr_loader_options *opts, const hr_dataset *ds,
                                  const uint32_t *fields, uint32_t num_fields, hr_error *err) {
    hr_pad pad = HR_PAD_INIT;
    bool delivered = true;
    hr_status st = HR_OK;
    for (uint32_t i = 0; i < opts->num_pads && st == HR_OK && delivered; i++) {
        st = hr__options_copy_entry(opts->pads, i, sizeof(pad), &pad, sizeof(pad), "hr_pad", err);
        delivered = false;
        for (uint32_t k = 0; k < num_fields && st == HR_OK && !delivered; k++)
            delivered = strcmp(ds->footer.schema.fields[fields[k]].name, pad.field) == 0;
    }
    if (st != HR_OK)
        return st;
    return hr__error_set(err, HR_ERR_INVALID,
                         "field %s is to be padded, and is none of those that the loader delivers; "
                         "add it to the fields, or leave it out of pads (--pad)",
                         pad.field);
}

static hr_status check_longest(const hr_pad *pad, const struct hr__schema_field *f,
                               uint32_t element_bytes, hr_error *err) {
    hr_length_statistics s = {0};
    if (f->statistics != NULL)
        hr__lengths_get(f->statistics, &s);
    if ((pad->flags & HR_PAD_TRUNCATE) != 0 || s.max_bytes / element_bytes <= pad->length)
        return HR_OK;
    return hr__error_set(
        err, HR_ERR_INVALID,
        "field %s is padded to %llu elements, and its longest value has %llu; pad to "
        "that, or cut longer values off (HR_PAD_TRUNCATE, --truncate)",
        f->name, (unsigned long long)pad->length,
        (unsigned long long)(s.max_bytes / element_bytes));
}

hr_status hr__pad_columns_make(const hr_pad *pad, const struct hr__schema_field *f,
                               struct hr__pad_column *values, struct hr__pad_column *mask,
                               hr_error *err) {
    const uint32_t element_bytes = hr__value_unit_bytes(f);
    const hr_status st = check_longest(pad, f, element_bytes, err);
    if (st != HR_OK)
        return st;
    *values = (struct hr__pad_column){
        .kind = HR__PAD_VALUES,
        .truncate = (pad->flags & HR_PAD_TRUNCATE) != 0,
        .dtype = f->element_dtype != 0 ? f->element_dtype : HR_UINT8,
        .length = pad->length,
        .row_bytes = pad->length * element_bytes,
    };
    *mask = (struct hr__pad_column){
        .kind = HR__PAD_MASK, .dtype = HR_BOOL, .length = pad->length, .row_bytes = pad->length};
    if (asprintf(&mask->name, "%s.mask", f->name) >= 0)
        return HR_OK;
    mask->name = NULL;
    return hr__error_no_memory(err, strlen(f->name) + 6, "the name of a mask");
}
