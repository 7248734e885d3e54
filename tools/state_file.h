/*
 * A loader's state in a file.
 */
#ifndef HEADRACE_STATE_FILE_H
#define HEADRACE_STATE_FILE_H

#include <stdbool.h>
#include <stddef.h>

/** Read at most room bytes. EXIT_DONE: what they are, the library judges. Else the exit code, after
 * a report. */
int state_file_read(const char *command, const char *path, void *out, size_t room, size_t *bytes);

/** Write by way of PATH.partial and a rename; false after a report. */
bool state_file_write(const char *command, const char *path, const void *state, size_t bytes);

#endif
