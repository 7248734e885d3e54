/*
 * Several sources of the same dtype and shape, one after the other, as one.
 */
#ifndef HEADRACE_CONCAT_SOURCE_H
#define HEADRACE_CONCAT_SOURCE_H

#include "source.h"

/* Takes the n >= 1 parts over on HR_OK (the array stays the caller's). HR_ERR_UNSUPPORTED: they
 * differ; the message says which and how. */
hr_status hr__concat_source_make(struct hr__source *const *parts, uint32_t n,
                                 struct hr__source **out, hr_error *err);

#endif
