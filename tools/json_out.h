/*
 * JSON on stdout, the same layout for ever (docs/cli.md).
 */
#ifndef HEADRACE_JSON_OUT_H
#define HEADRACE_JSON_OUT_H

#include <jansson.h>
#include <stdint.h>

/** A number; a decimal string where JSON readers may not carry it exactly. */
json_t *json_out_uint(uint64_t value);
json_t *json_out_int(int64_t value);

/** A number; null where it is not finite. */
json_t *json_out_real(double value);

/** a / b as a number; null where b is 0. */
json_t *json_out_quotient(double a, double b);

/** A string; bytes that are not UTF-8, as file names may have, become U+FFFD. */
json_t *json_out_text(const char *text);

/** Seconds of a time in nanoseconds. */
json_t *json_out_seconds(int64_t ns);

/** Digits of real numbers. */
enum { JSON_OUT_MEASURED = 9, JSON_OUT_EXACT = 17 };

/** Prints and releases root. Returns an exit code. */
int json_out_print(const char *command, json_t *root, int real_digits);

#endif
