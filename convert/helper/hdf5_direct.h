/*
 * Rows of a data set whose chunks are decoded here, not by the HDF5 library, which only finds them
 * and reads their stored bytes.
 */
#ifndef HEADRACE_HDF5_DIRECT_H
#define HEADRACE_HDF5_DIRECT_H

#include "helper.h"

struct h5_direct;

/* NULL: the rows are to be read by H5Dread(), since this is not such a data set, or memory is
 * short. cache_bytes: what may be kept of chunks in which reads end. *is must outlive it. */
struct h5_direct *h5_direct_open(hid_t dataset, const struct h5_described *is,
                                 uint64_t cache_bytes);
void h5_direct_close(struct h5_direct *d); /* NULL is fine */

/* Rows that exist, to dst. HR_ERR_UNSUPPORTED: H5Dread() is to read them, and say what is wrong, as
 * a chunk cannot be found, or its stored bytes are more than there is room for. */
hr_status h5_direct_read(struct h5_direct *d, uint64_t first, uint64_t n, uint8_t *dst,
                         hr_error *err);

#endif
