/*
 * Whether an output is one of the inputs: by device and inode, whatever the names.
 */
#define _GNU_SOURCE
#include "output_check.h"

#include "error.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static bool is_input(const char *path, const struct hr__file *input) {
    struct stat out, in;
    const int fd = input->ops->descriptor != NULL ? input->ops->descriptor(input->ctx) : -1;
    return fd >= 0 && fstat(fd, &in) == 0 && stat(path, &out) == 0 && in.st_dev == out.st_dev &&
           in.st_ino == out.st_ino;
}

hr_status hr__output_check(const char *output, const struct hr__file *input, hr_error *err) {
    struct stat out;
    char *partial = NULL;
    if (stat(output, &out) == 0 && S_ISDIR(out.st_mode))
        return hr__error_set(err, HR_ERR_INVALID,
                             "%s is a folder; name the file that is to be made", output);
    if (asprintf(&partial, "%s.partial", output) < 0)
        return hr__error_no_memory(err, strlen(output), "a path");
    const bool same = is_input(output, input), same_partial = is_input(partial, input);
    free(partial);
    if (same)
        return hr__error_set(err, HR_ERR_INVALID,
                             "the output %s is also an input; give it another name", output);
    if (same_partial)
        return hr__error_set(err, HR_ERR_INVALID,
                             "the output %s is written as %s.partial, which is an input; give it "
                             "another name",
                             output, output);
    return HR_OK;
}
