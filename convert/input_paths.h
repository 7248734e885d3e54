/*
 * What an input names: a file, the files of a folder, the files that match a pattern; and the
 * member of a container.
 */
#ifndef HEADRACE_INPUT_PATHS_H
#define HEADRACE_INPUT_PATHS_H

#include "headrace/status.h"

#include <stdbool.h>
#include <stddef.h>

struct hr__input_paths {
    size_t n;
    size_t room;
    char **paths; /* of files, in natural order */
    char *member; /* in each of the files: what stands behind FILE:, with its '/' where it has one;
                   * or NULL */
};

/* text: FILE, FOLDER or PATTERN (*, ?, [...]), each with :/MEMBER or without, .hrd
 * files also with :FIELD. A name that exists is
 * taken literally, whatever characters it has. Of a folder, the files that can be converted are
 * taken: by suffix, or (any_file) all but those of Headrace itself. Hidden files and folders in it
 * are left out. HR_ERR_NOT_FOUND: nothing is there. */
hr_status hr__input_paths_find(const char *text, bool any_file, struct hr__input_paths *out,
                               hr_error *err);

/* text: FILE, FOLDER or PATTERN, of data sets: of a folder, its .hrd files. */
hr_status hr__input_paths_find_parts(const char *text, struct hr__input_paths *out, hr_error *err);

void hr__input_paths_free(struct hr__input_paths *p); /* a zeroed one is fine */

#endif
