/*
 * One field of a data set, a sample at a time, whether its values are of one size or not.
 */
#ifndef HEADRACE_HEAD_FIELD_H
#define HEADRACE_HEAD_FIELD_H

#include "head_image.h"

#include "headrace/dataset.h"

typedef struct head_field {
    hr_dataset *ds;
    uint64_t budget_bytes; /* of one sample */
    uint32_t index;
    hr_field field;
    image_layout layout;
    bool is_image, is_variable;
    uint64_t sample_bytes;
    uint8_t *sample;      /* the one that was read last */
    hr_field shown;       /* what it is: of a variable one, this value's own width or shape */
    uint64_t shown_shape; /* of a sequence */
} head_field;

/** A zeroed one is filled; to be closed also after a failure. budget_bytes = 0: the default. */
hr_status head_field_open(hr_dataset *ds, uint32_t index, uint64_t budget_bytes, head_field *out,
                          hr_error *err);

/** Reads one sample: out->sample is then what out->shown says. */
hr_status head_field_read(head_field *f, uint64_t sample, hr_error *err);

void head_field_close(head_field *f);

/** Fills err; returns status. */
hr_status head_fail(hr_error *err, hr_status status, const char *text);

#endif
