/*
 * Structs that cross the library's border: their caller may have been built with an older or a
 * newer version of the headers, and says by `struct_bytes`, the first member, how much it knows.
 */
#ifndef HEADRACE_OPTIONS_H
#define HEADRACE_OPTIONS_H

#include "headrace/status.h"

#include <stddef.h>

/* Puts what the caller has over out, which holds the defaults; a missing tail keeps them. opts has
 * at least least_bytes; a tail that this version does not know must be zero. HR_ERR_INVALID. */
hr_status hr__options_copy(const void *opts, size_t least_bytes, void *out, size_t known_bytes,
                           const char *name, hr_error *err);

/* Entry i of a caller's array, whose entries may be larger or smaller than this version's, but are
 * all of one size. out holds the defaults. HR_ERR_INVALID. */
hr_status hr__options_copy_entry(const void *entries, uint32_t i, size_t least_bytes, void *out,
                                 size_t known_bytes, const char *name, hr_error *err);

/* to->struct_bytes is at least least_bytes. HR_ERR_INVALID. */
hr_status hr__result_check(const void *to, size_t least_bytes, size_t known_bytes, const char *name,
                           hr_error *err);
/* As much of `from` as the caller of a checked `to` has room for; what it knows beyond is zero. */
void hr__result_copy(void *to, const void *from, size_t known_bytes);

#endif
