/*
 * Sample indices as an int64 .npy file that grows while an epoch runs.
 */
#ifndef HEADRACE_INDEX_FILE_H
#define HEADRACE_INDEX_FILE_H

#include "whole_file.h"

#include <stddef.h>
#include <stdint.h>

/** Zeroed: not in use. */
typedef struct index_file {
    whole_file whole;
    uint64_t count;
} index_file;

/** Begin PATH.partial. False after a report; an existing PATH is refused unless replace. */
bool index_file_open(index_file *f, const char *command, const char *path, bool replace);

/** Add indices; false after a report. */
bool index_file_add(index_file *f, const char *command, const uint64_t *indices, size_t count);

/** Write the final length and give the file its name; false after a report. */
bool index_file_finish(index_file *f, const char *command);

/** Drop what was not finished. */
void index_file_close(index_file *f);

#endif
