/*
 * Reading samples for `head`.
 */
#include "head_field.h"

#include "headrace/memory.h"
#include "sizes.h"

#include <stdio.h>
#include <stdlib.h>

hr_status head_fail(hr_error *err, hr_status status, const char *text) {
    err->status = status;
    snprintf(err->message, sizeof err->message, "%s", text);
    return status;
}

static hr_status make_room(head_field *f, uint64_t n_bytes, hr_error *err) {
    if (n_bytes > f->budget_bytes) {
        head_fail(err, HR_ERR_BUDGET, "");
        snprintf(err->message, sizeof err->message,
                 "one sample of the field %s takes %s, the budget is %s; name other fields, or "
                 "give a larger --budget",
                 f->field.name, sizes_bytes(n_bytes).text, sizes_bytes(f->budget_bytes).text);
        return HR_ERR_BUDGET;
    }
    free(f->sample);
    f->sample = malloc(n_bytes + 1);
    f->sample_bytes = n_bytes;
    return f->sample != NULL ? HR_OK : head_fail(err, HR_ERR_NO_MEMORY, "not enough memory");
}

/* A text, bytes, or a sequence of numbers. */
static hr_status read_value(head_field *f, uint64_t sample, hr_error *err) {
    int64_t offsets[2];
    uint64_t n_bytes = 0;
    hr_status st =
        hr_dataset_read_values(f->ds, f->index, sample, 1, offsets, NULL, 0, &n_bytes, err);
    if (st == HR_OK) {
        st = make_room(f, n_bytes, err);
    }
    if (st == HR_OK) {
        st = hr_dataset_read_values(f->ds, f->index, sample, 1, offsets, f->sample, n_bytes,
                                    &n_bytes, err);
    }
    if (f->field.element_dtype != 0) {
        f->shown = (hr_field){.dtype = f->field.element_dtype, .rank = 1};
        f->shown_shape = n_bytes / hr_dtype_bytes(f->field.element_dtype);
        f->shown.shape = &f->shown_shape;
    } else {
        f->shown = (hr_field){.dtype = f->field.dtype, .width_bytes = (uint32_t)n_bytes};
    }
    return st;
}

hr_status head_field_read(head_field *f, uint64_t sample, hr_error *err) {
    if (f->is_variable) {
        return read_value(f, sample, err);
    }
    return hr_dataset_read(f->ds, f->index, sample, 1, f->sample, f->sample_bytes, err);
}

hr_status head_field_open(hr_dataset *ds, uint32_t index, uint64_t budget_bytes, head_field *out,
                          hr_error *err) {
    const hr_status st = hr_dataset_field(ds, index, &out->field, err);
    if (st != HR_OK) {
        return st;
    }
    out->ds = ds;
    out->index = index;
    out->budget_bytes = budget_bytes != 0 ? budget_bytes : hr_default_budget();
    out->shown = out->field;
    out->is_variable = out->field.dtype == HR_VAR_BYTES || out->field.dtype == HR_VAR_UTF8;
    out->is_image = image_layout_of(&out->field, &out->layout);
    return out->is_variable ? HR_OK : make_room(out, hr_dataset_sample_bytes(ds, index), err);
}

void head_field_close(head_field *f) {
    free(f->sample);
    *f = (head_field){.sample = NULL};
}
