/*
 * Errors as the command prints them, one line on stderr, and the exit codes that go with them.
 */
#ifndef HEADRACE_REPORT_H
#define HEADRACE_REPORT_H

#include "headrace/status.h"

#include <stdbool.h>

/** Prints a line on stderr. Control characters, which names and contents of files may hold, are
 * shown as \xNN: none reaches the terminal. */
void report_line(const char *line);

/** Prints "headrace COMMAND: MESSAGE" and a pointer to --help. Returns EXIT_USAGE. */
int report_usage(const char *command, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/** Prints "headrace COMMAND: MESSAGE". Returns EXIT_FAILED. */
int report_failure(const char *command, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/** Prints the library's message. Returns the exit code that goes with its status. */
int report_status(const char *command, hr_status status, const hr_error *err);

/** The exit code of a status. */
int report_exit_code(hr_status status);

#endif
