/*
 * verify --salvage: drives hr_salvage().
 */
#ifndef HEADRACE_SALVAGE_FILE_H
#define HEADRACE_SALVAGE_FILE_H

#include <stdbool.h>
#include <stdint.h>

typedef struct salvage_file_job {
    const char *path, *output;
    uint64_t budget_bytes;
    bool force, json, quiet;
} salvage_file_job;

/** Saves, prints what is lost, returns the exit code: EXIT_DAMAGED unless it is known that nothing
 * is. */
int salvage_file(const salvage_file_job *job);

#endif
