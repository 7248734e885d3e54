/*
 * Element types as NumPy names them ("<f4", ">i8", "|S10", "<U12") and as they lie in a file: what
 * has to be done so that they are in the canonical form of docs/format.md, 2.1. Both the text and
 * the elements are untrusted.
 */
#ifndef HEADRACE_NUMPY_DTYPE_H
#define HEADRACE_NUMPY_DTYPE_H

#include "headrace/types.h"

#include <stdbool.h>
#include <stddef.h>

/* Room for any descr that hr__numpy_dtype_print() writes. */
#define HR__NUMPY_DTYPE_BYTES 24

struct hr__element {
    hr_dtype dtype;
    uint32_t width_bytes; /* of one element: the same in the file and in canonical form */
    uint32_t swap_bytes;  /* size of the units whose bytes are reversed: 2, 4, 8; 0: none */
    bool ucs4;            /* code points of 4 bytes; they become UTF-8 in the same room */
};

/* From a NumPy type string, or a name of docs/format.md such as "bfloat16". No or native byte order
 * means little-endian. HR_ERR_UNSUPPORTED: the message says what the type is and what can be done;
 * it names the type but not the file. */
hr_status hr__numpy_dtype_parse(const char *text, struct hr__element *out, hr_error *err);

/* The type string of a canonical field, for a header: "<f4", "|b1", "|S10". bfloat16, which NumPy
 * has no name for, gives "<u2"; fixed_utf8 gives "<U" and as many code points as num_chars. */
void hr__numpy_dtype_print(hr_dtype dtype, uint32_t width_bytes, uint32_t num_chars,
                           char out[HR__NUMPY_DTYPE_BYTES]);

#endif
