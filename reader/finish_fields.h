/*
 * What a loader delivers of each field: the options of finishing, resolved against a data set.
 */
#ifndef HEADRACE_FINISH_FIELDS_H
#define HEADRACE_FINISH_FIELDS_H

#include "dataset.h"
#include "finish.h"
#include "headrace/loader.h"

/* Of one field that the loader delivers. */
struct hr__finished_field {
    struct hr__finish plan; /* scale and shift are `tables`, or NULL; from is to, and nothing is
                             * checked: as stored */
    float *tables;          /* owned */
    bool writes;            /* delivered from the output, not from where its rows were decoded */
    uint64_t out_off;       /* where it begins in an output slot; a multiple of 256 */
    uint64_t sample_bytes;  /* as delivered */
    uint64_t shape[3];      /* of a sample, where plan.to_chw */
    bool packs;             /* values of variable length, which are put in the order of the rows */
};

struct hr__finished_fields {
    struct hr__finished_field *fields; /* one for each field delivered; NULL: all are as stored */
    uint64_t out_bytes;                /* of an output slot; 0: nothing is written */
    bool works;                        /* there is something to write or to check */
    bool keeps_rows;                   /* a field is delivered from where its rows were decoded */
};

/* fields: num_fields schema indices, those that the loader delivers; value_capacities likewise, 0
 * for fields of fixed size (batch_values.h). slot_samples rows fit an output slot.
 * HR_ERR_INVALID, HR_ERR_NOT_FOUND, HR_ERR_UNSUPPORTED (a type that is not in the set),
 * HR_ERR_BUDGET (too large for any memory), HR_ERR_NO_MEMORY. */
hr_status hr__finished_fields_make(const hr_dataset *ds, const hr_loader_options *opts,
                                   const uint32_t *fields, const uint64_t *value_capacities,
                                   uint32_t num_fields, uint32_t slot_samples,
                                   struct hr__finished_fields *out, hr_error *err);
void hr__finished_fields_free(struct hr__finished_fields *f, uint32_t num_fields);

/* Bytes of all this, for the budget. */
uint64_t hr__finished_fields_bytes(const struct hr__finished_fields *f, uint32_t num_fields);

/* The field as delivered, over what the data set says of it. */
void hr__finished_field_describe(const struct hr__finished_field *f, hr_field *out);

#endif
