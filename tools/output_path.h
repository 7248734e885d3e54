/*
 * A file that a command is to write, looked at before the work that it is of is begun.
 */
#ifndef HEADRACE_OUTPUT_PATH_H
#define HEADRACE_OUTPUT_PATH_H

#include "options.h"

/** No two of the paths, of which any may be NULL, name one file. False after a report. */
bool output_paths_differ(const char *command, const char *const *paths, size_t n);

/** Its ending is none of others, a list that ends with NULL. made: what the command makes, and what
 * to do. False after a report. */
bool output_name_good(const char *command, const char *path, const char *const *others,
                      const char *made);
extern const char *const output_no_dataset[]; /**< endings that no .hrd file has */

/** It is none of the inputs, no device or pipe, and its folder is there and can be written. path
 * NULL is fine. False after a report. */
bool output_path_good(const char *command, const char *path, const options_files *inputs);

#endif
