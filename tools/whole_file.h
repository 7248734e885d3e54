/*
 * A file that has its name when it is complete: until then it is PATH.partial. So what is being
 * replaced is there, old or new, at any instant.
 */
#ifndef HEADRACE_WHOLE_FILE_H
#define HEADRACE_WHOLE_FILE_H

#include <stdbool.h>
#include <stdio.h>

typedef struct whole_file {
    const char *path; /* the caller's */
    char *partial;
    FILE *file;
} whole_file;

/** False: errno says why. It is to be closed either way. */
bool whole_file_open(whole_file *f, const char *path);

/** On the disk, and under its name. False: errno says why, and nothing is left. */
bool whole_file_finish(whole_file *f);

/** What was not finished is removed; errno stays. A zeroed one is fine. */
void whole_file_close(whole_file *f);

#endif
