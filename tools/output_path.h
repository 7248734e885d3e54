/*
 * A file that a command is to write, looked at before the work that it is of is begun.
 */
#ifndef HEADRACE_OUTPUT_PATH_H
#define HEADRACE_OUTPUT_PATH_H

#include "options.h"

/** No two of the paths, of which any may be NULL, name one file. False after a report. */
bool output_paths_differ(const char *command, const char *const *paths, size_t n);

/** It is none of the inputs, no device or pipe, and its folder is there and can be written. path
 * NULL is fine. False after a report. */
bool output_path_good(const char *command, const char *path, const options_files *inputs);

#endif
