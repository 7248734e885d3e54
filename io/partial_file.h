/*
 * TARGET.partial: made, locked, emptied, and put away (docs/format.md, 4).
 */
#ifndef HEADRACE_PARTIAL_FILE_H
#define HEADRACE_PARTIAL_FILE_H

#include "file.h"

struct hr__partial_file {
    const struct hr__folder_ops *folder;
    struct hr__file file;
    char *target;
    char *path; /* target + ".partial" */
    bool locked;
    bool in_use; /* it holds, or held before, something worth keeping */
};

/* HR_ERR_EXISTS (target, unless replace), HR_ERR_BUSY (another writer has the partial file). */
hr_status hr__partial_file_open(const struct hr__folder_ops *folder, const char *target,
                                bool replace, struct hr__partial_file *out, hr_error *err);
/* The file is still the one that its path names: another writer may rename between opening and
 * locking. */
bool hr__partial_file_has_name(const struct hr__partial_file *p);
/* Drops what an earlier writer left. HR_ERR_MISMATCH: it is no file that Headrace began. */
hr_status hr__partial_file_empty(struct hr__partial_file *p, hr_error *err);
/* On the disk, then under its name. HR_ERR_UNCERTAIN: it has its name. */
hr_status hr__partial_file_complete(struct hr__partial_file *p, bool replace, hr_error *err);
/* HR_ERR_UNCERTAIN: the file has its name, but its folder could not be synchronised. */
hr_status hr__name_uncertain(const char *target, int os_errno, hr_error *err);
/* Closes; a file that is not complete and not in use is removed. A zeroed one is fine. */
void hr__partial_file_close(struct hr__partial_file *p);

#endif
