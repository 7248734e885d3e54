/*
 * What a file needs that is to take the place of another.
 */
#ifndef HEADRACE_FILE_PLACE_H
#define HEADRACE_FILE_PLACE_H

#include "file.h"

/* Gives `to` the owner and the permissions of `from`. 0; -errno; -EMLINK where `from` has other
 * names, which would go on to mean the old one; -ENOTSUP where it has an access control list. Files
 * without a descriptor have none of these. */
int hr__file_copy_owner(const struct hr__file *from, const struct hr__file *to);

/* Bytes that are free for this user on the file system of a file; UINT64_MAX: it does not say. */
uint64_t hr__file_free_bytes(const struct hr__file *f);

#endif
