/*
 * Printing JSON, and numbers that may be texts (docs/format.md, 7.1).
 */
#include "json_text.h"

#include "error.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_INTEGER (INT64_C(1) << 53)

/* Brackets outside strings. */
static bool depth_ok(const char *text, size_t n_bytes) {
    int depth = 0;
    bool quoted = false;
    for (size_t i = 0; i < n_bytes; i++) {
        char c = text[i];
        if (quoted && c == '\\')
            i++;
        else if (c == '"')
            quoted = !quoted;
        else if (!quoted && (c == '{' || c == '[') && ++depth > HR__JSON_MAX_DEPTH)
            return false;
        else if (!quoted && (c == '}' || c == ']'))
            depth--;
    }
    return true;
}

hr_status hr__json_print(const json_t *json, char **out, size_t *n_bytes, hr_error *err) {
    size_t flags = JSON_INDENT(1) | JSON_REAL_PRECISION(17);
    size_t n = json_dumpb(json, NULL, 0, flags);
    char *text = n > 0 ? malloc(n + 2) : NULL;
    if (text == NULL || json_dumpb(json, text, n, flags) != n) {
        free(text);
        return hr__error_no_memory(err, n, "JSON");
    }
    text[n] = '\n';
    text[n + 1] = 0;
    if (!depth_ok(text, n)) { /* a reader would refuse it */
        free(text);
        return hr__error_set(err, HR_ERR_INVALID,
                             "the JSON would be nested deeper than %d levels; use attributes of "
                             "fewer levels",
                             HR__JSON_MAX_DEPTH);
    }
    *out = text;
    *n_bytes = n + 1;
    return HR_OK;
}

json_t *hr__json_u64(uint64_t v) {
    char text[24];
    if (v <= MAX_INTEGER)
        return json_integer((json_int_t)v);
    snprintf(text, sizeof(text), "%" PRIu64, v);
    return json_string(text);
}

json_t *hr__json_i64(int64_t v) {
    char text[24];
    if (v >= -MAX_INTEGER && v <= MAX_INTEGER)
        return json_integer(v);
    snprintf(text, sizeof(text), "%" PRId64, v);
    return json_string(text);
}

json_t *hr__json_real(double v) {
    if (isnan(v))
        return json_string("nan");
    if (isinf(v))
        return json_string(v > 0 ? "inf" : "-inf");
    return json_real(v);
}

/* Decimal digits only, with a '-' where signs are allowed. */
static bool digits(const char *text, bool sign) {
    if (sign && *text == '-')
        text++;
    size_t n = strspn(text, "0123456789");
    return n > 0 && n <= 20 && text[n] == 0;
}

bool hr__json_get_u64(const json_t *json, uint64_t *out) {
    const char *text = json_string_value(json);
    if (json_is_integer(json)) {
        json_int_t v = json_integer_value(json);
        *out = (uint64_t)v;
        return v >= 0;
    }
    if (text == NULL || !digits(text, false))
        return false;
    errno = 0;
    *out = strtoull(text, NULL, 10);
    return errno == 0;
}

bool hr__json_get_i64(const json_t *json, int64_t *out) {
    const char *text = json_string_value(json);
    if (json_is_integer(json)) {
        *out = json_integer_value(json);
        return true;
    }
    if (text == NULL || !digits(text, true))
        return false;
    errno = 0;
    *out = strtoll(text, NULL, 10);
    return errno == 0;
}

bool hr__json_get_real(const json_t *json, double *out) {
    const char *text = json_string_value(json);
    if (json_is_number(json)) {
        *out = json_number_value(json);
        return true;
    }
    if (text == NULL)
        return false;
    if (strcmp(text, "nan") == 0)
        *out = NAN;
    else if (strcmp(text, "inf") == 0)
        *out = INFINITY;
    else if (strcmp(text, "-inf") == 0)
        *out = -INFINITY;
    else
        return false;
    return true;
}
