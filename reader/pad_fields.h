/*
 * What of the fields that a loader delivers is padded (include/headrace/pad.h): a padded field has
 * two columns of a batch, its values and, right behind them, its mask.
 */
#ifndef HEADRACE_PAD_FIELDS_H
#define HEADRACE_PAD_FIELDS_H

#include "dataset.h"

#include "headrace/loader.h"

enum hr__pad_kind { HR__PAD_NONE, HR__PAD_VALUES, HR__PAD_MASK };

/* One column of a batch; zeroed: not padded. */
struct hr__pad_column {
    enum hr__pad_kind kind;
    bool truncate;
    hr_dtype dtype; /* as delivered */
    uint64_t length;
    uint64_t row_bytes;
    char *name; /* of a mask; owned */
};

/* The entry of the options for a field, checked; *found false: there is none. HR_ERR_INVALID,
 * HR_ERR_UNSUPPORTED. */
hr_status hr__pad_find(const hr_loader_options *opts, const struct hr__schema_field *f, hr_pad *out,
                       bool *found, hr_error *err);
/* Says which entry is of no field that is delivered: there is one. */
hr_status hr__pad_refuse_left_out(const hr_loader_options *opts, const hr_dataset *ds,
                                  const uint32_t *fields, uint32_t num_fields, hr_error *err);
/* Both columns of a padded field. HR_ERR_INVALID: a value of the field is longer. */
hr_status hr__pad_columns_make(const hr_pad *pad, const struct hr__schema_field *f,
                               struct hr__pad_column *values, struct hr__pad_column *mask,
                               hr_error *err);

#endif
