/*
 * What the parts that write HDF5 share.
 */
#ifndef HEADRACE_SOURCE_HDF5_WRITE_H
#define HEADRACE_SOURCE_HDF5_WRITE_H

#include "helper.h"

/* The formatted error of HDF5's, or that of the disk behind it. */
hr_status h5_writer_error(hr_error *err, const char *what);

/* A data set of w->type, with the groups that its name has. -1: it cannot be made. */
hid_t h5_writer_make(const struct h5_writer *w, const char *name, hid_t space, hid_t plist);

/* UTF-8 of any length, as h5py has it; -1: an error. */
hid_t h5_text_type(void);

/* Ends the array at hand, if there is one. HR_ERR_INVALID: it is not complete. */
hr_status h5_writer_end_array(struct h5_writer *w, hr_error *err);

#endif
