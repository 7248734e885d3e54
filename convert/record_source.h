/*
 * Members of records as sources.
 */
#ifndef HEADRACE_RECORD_SOURCE_H
#define HEADRACE_RECORD_SOURCE_H

#include "record_file.h"

/* Puts a source around *source, which is a member of records and reads it by itself, so that it is
 * read together with the other members. target: what that source reads; outlives it. *file: NULL,
 * or the records that the member before was of; changed where this one is of others, and ended by
 * the caller. Else as hr__record_file_add(). */
hr_status hr__record_source_make(struct hr__source **source, const struct hr__helper_target *target,
                                 struct hr__record_file **file, hr_error *err);
/* No more members of these records come. NULL is fine. */
void hr__record_sources_end(struct hr__record_file *file);

#endif
