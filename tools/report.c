/*
 * Errors as the command prints them.
 */
#include "report.h"

#include "exit_codes.h"
#include "plain.h"

#include <stdarg.h>
#include <stdio.h>

#define LINE_BYTES 16384

void report_line(const char *line) {
    plain_put(line, stderr);
    fputc('\n', stderr);
}

static void print_line(const char *command, const char *format, va_list values) {
    char line[LINE_BYTES];
    (void)vsnprintf(line, sizeof line, format, values);
    fprintf(stderr, "headrace%s%s: ", command[0] == '\0' ? "" : " ", command);
    report_line(line);
}

int report_usage(const char *command, const char *format, ...) {
    va_list values;
    va_start(values, format);
    print_line(command, format, values);
    va_end(values);
    fprintf(stderr, "Try: headrace%s%s --help\n", command[0] == '\0' ? "" : " ", command);
    return EXIT_USAGE;
}

int report_failure(const char *command, const char *format, ...) {
    va_list values;
    va_start(values, format);
    print_line(command, format, values);
    va_end(values);
    return EXIT_FAILED;
}

int report_exit_code(hr_status status) {
    switch (status) {
    case HR_OK:
        return EXIT_DONE;
    case HR_ERR_CORRUPT:
        return EXIT_DAMAGED;
    case HR_ERR_CANCELLED:
        return EXIT_INTERRUPTED;
    default:
        return EXIT_FAILED;
    }
}

int report_status(const char *command, hr_status status, const hr_error *err) {
    const char *message = err->message[0] != '\0' ? err->message : hr_status_name(status);
    report_failure(command, "%s%s", message,
                   status == HR_ERR_EXISTS ? " (--force replaces it)" : "");
    return report_exit_code(status);
}
