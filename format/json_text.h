/*
 * JSON texts by the rules of docs/format.md, 7.1, over jansson. Texts are untrusted.
 */
#ifndef HEADRACE_JSON_TEXT_H
#define HEADRACE_JSON_TEXT_H

#include "headrace/status.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#define HR__JSON_MAX_DEPTH 64

/* Levels of brackets outside strings, of text that need not be JSON. */
int hr__json_depth(const char *text, size_t n_bytes);

/* One object, no duplicate keys, at most 64 levels, at most 16 MiB. HR_ERR_CORRUPT names line and
 * column. The result is the caller's (json_decref). */
hr_status hr__json_parse(const char *text, size_t n_bytes, json_t **out, hr_error *err);

/* The same for any value, an array say. */
hr_status hr__json_parse_value(const char *text, size_t n_bytes, json_t **out, hr_error *err);

/* Most bytes that parsing takes, the tree included: objects take 79 times their text at worst. */
uint64_t hr__json_parse_bytes(const char *text, size_t n_bytes);

/* Text for a person to read, ends with a newline and a zero (not counted). HR_ERR_INVALID: more
 * levels than a reader takes. */
hr_status hr__json_print(const json_t *json, char **out, size_t *n_bytes, hr_error *err);

/* Integers: as numbers up to 2^53, as decimal strings beyond; both are read. NULL: out of memory.
 */
json_t *hr__json_u64(uint64_t v);
json_t *hr__json_i64(int64_t v);
/* Reals: as numbers, "inf", "-inf" or "nan". */
json_t *hr__json_real(double v);

/* The name of a file, which need not be UTF-8: one that is not keeps its ASCII. */
json_t *hr__json_path(const char *path);

bool hr__json_get_u64(const json_t *json, uint64_t *out);
bool hr__json_get_i64(const json_t *json, int64_t *out);
bool hr__json_get_real(const json_t *json, double *out);

#endif
