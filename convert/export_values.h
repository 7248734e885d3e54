/*
 * How a field becomes an array of NumPy's: its name, its type, its bytes.
 */
#ifndef HEADRACE_EXPORT_VALUES_H
#define HEADRACE_EXPORT_VALUES_H

#include "headrace/types.h"

#include "numpy_dtype.h"

struct hr__export_type {
    char descr[HR__NUMPY_DTYPE_BYTES];
    bool variable;        /* any number of elements, below: bytes, of text and bytes */
    hr_dtype dtype;       /* of an element */
    uint32_t item_bytes;  /* of one element in the .npy file */
    uint32_t width_bytes; /* of one element in the data set */
    uint32_t num_chars;   /* of text; else 0 */
    bool text;
    uint64_t num_elements; /* of one sample */
};

/* HR_ERR_UNSUPPORTED: too large, or too wide. */
hr_status hr__export_type_make(const hr_field *field, struct hr__export_type *out, hr_error *err);

/* FOLDER/NAME.npy with "__" for each '/', malloc'ed; NULL without memory. */
char *hr__export_path(const char *folder, const char *name);

#endif
