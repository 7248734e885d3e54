/*
 * Headers of .npy files, versions 1.0, 2.0 and 3.0: parsed and written. Input is untrusted. No I/O.
 *
 * A header is 6 bytes of magic, 2 of version, a length of 2 (version 1) or 4 bytes, and that many
 * bytes of a Python dictionary with exactly the keys descr, fortran_order and shape.
 */
#ifndef HEADRACE_NPY_HEADER_H
#define HEADRACE_NPY_HEADER_H

#include "npy_members.h"

#define HR__NPY_PREFIX_BYTES     12u
#define HR__NPY_MAX_HEADER_BYTES (UINT32_C(1) << 20)

struct hr__npy_header {
    size_t members_at;           /* in the header; 0: the array is not structured */
    struct hr__element element;  /* of a structured array: a record, as bytes */
    uint32_t rank;               /* of one sample: the array's rank without the first axis */
    uint64_t shape[HR_MAX_RANK]; /* of one sample */
    uint64_t num_samples;        /* the first axis */
    uint64_t elements_per_sample;
    uint64_t sample_bytes;                 /* in the file and in canonical form */
    uint64_t data_off;                     /* of the first sample in the file */
    uint64_t data_bytes;                   /* of all samples; fits int64_t */
    bool fortran;                          /* the first axis is the fastest, and that matters */
    char descr[HR__NUMPY_DTYPE_BYTES * 2]; /* as the file says it */
};

/* Begins with the magic of .npy. */
bool hr__npy_is(const uint8_t *bytes, size_t n_bytes);

/* Size of the whole header, from the first HR__NPY_PREFIX_BYTES bytes of a file (or all, if it has
 * fewer). HR_ERR_CORRUPT: no .npy file, or cut off; HR_ERR_UNSUPPORTED: version, size. */
hr_status hr__npy_header_size(const uint8_t *bytes, size_t n_bytes, size_t *header_bytes,
                              hr_error *err);

/* Parses a whole header. HR_ERR_CORRUPT: not what NumPy writes; HR_ERR_UNSUPPORTED: an array that
 * cannot be converted; the message says why and what can be done. */
hr_status hr__npy_header_parse(const uint8_t *bytes, size_t n_bytes, struct hr__npy_header *out,
                               hr_error *err);

/* Of a structured array; bytes: its whole header, which was parsed. */
hr_status hr__npy_header_members(const uint8_t *bytes, const struct hr__npy_header *header,
                                 hr__npy_member_found found, void *arg, hr_error *err);
/* HR_ERR_UNSUPPORTED: records that would have to be put in another order. */
hr_status hr__npy_refuse_order(hr_error *err);

/* The header of an array in C order, padded to a multiple of 64 bytes: version 1.0, or 2.0 where it
 * is too long for that. Returns its bytes; nothing is written where they are more than room. */
size_t hr__npy_header_print(const char *descr, uint64_t num_samples, const uint64_t *shape,
                            uint32_t rank, uint8_t *out, size_t room);

#endif
