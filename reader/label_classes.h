/*
 * The classes of a stratified split (docs/order.md, 10): the distinct values of a label field,
 * numbered by their first samples, and how many samples each has.
 */
#ifndef HEADRACE_LABEL_CLASSES_H
#define HEADRACE_LABEL_CLASSES_H

#include "dataset.h"

#define HR__MAX_CLASSES     65536u
#define HR__MAX_LABEL_BYTES 256u

/* Invariant: at most a quarter of the table's slots are in use. */
struct hr__label_classes {
    struct hr__budget *budget;
    const char *field_name; /* of the data set */
    uint32_t label_bytes;
    uint32_t num_classes, room; /* room: 0, or a power of two */
    uint8_t *labels;            /* room x label_bytes */
    uint64_t *counts;           /* room */
    uint32_t *table;            /* 4 x room: class + 1, or 0 */
    uint32_t last;              /* the class found last */
};

/* HR_ERR_INVALID (no field of labels: the message says which are), HR_ERR_NOT_FOUND,
 * HR_ERR_UNSUPPORTED. */
hr_status hr__label_classes_begin(const hr_dataset *ds, const char *field,
                                  struct hr__budget *budget, struct hr__label_classes *out,
                                  hr_error *err);
void hr__label_classes_free(struct hr__label_classes *c); /* a zeroed one is fine */

/* Counts one more label. HR_ERR_INVALID: these are too many classes. */
hr_status hr__label_classes_count(struct hr__label_classes *c, const uint8_t *label, hr_error *err);
/* The class of a label; HR__MAX_CLASSES: none. */
uint32_t hr__label_classes_find(struct hr__label_classes *c, const uint8_t *label);

#endif
