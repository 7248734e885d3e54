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

/** Seconds of a time in nanoseconds. */
json_t *json_out_seconds(int64_t ns);

/** Prints and releases root. Returns an exit code. */
int json_out_print(const char *command, json_t *root);

#endif
