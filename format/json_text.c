/*
 * JSON texts over jansson (docs/format.md, 7.1). Texts are untrusted.
 */
#include "json_text.h"

#include "error.h"
#include "schema.h" /* HR__MAX_JSON_BYTES */

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_INTEGER (INT64_C(1) << 53)

int hr__json_depth(const char *text, size_t n_bytes) {
    int depth = 0, deepest = 0;
    bool quoted = false;
    for (size_t i = 0; i < n_bytes; i++) {
        char c = text[i];
        if (quoted && c == '\\')
            i++;
        else if (c == '"')
            quoted = !quoted;
        else if (!quoted && (c == '{' || c == '['))
            deepest = ++depth > deepest ? depth : deepest;
        else if (!quoted && (c == '}' || c == ']'))
            depth--;
    }
    return deepest;
}

static bool depth_ok(const char *text, size_t n_bytes) {
    return hr__json_depth(text, n_bytes) <= HR__JSON_MAX_DEPTH;
}

/* Measured with jansson 2.14 and glibc: an object, an array, an entry, and a member with its key.
 */
#define OBJECT_BYTES 240u
#define ARRAY_BYTES  140u
#define ENTRY_BYTES  112u
#define MEMBER_BYTES 120u

uint64_t hr__json_parse_bytes(const char *text, size_t n_bytes) {
    uint64_t sum = 256 + 2 * (uint64_t)n_bytes; /* the parser's buffers, and strings */
    for (size_t i = 0; i < n_bytes; i++)
        sum += text[i] == '{'   ? OBJECT_BYTES
               : text[i] == '[' ? ARRAY_BYTES
               : text[i] == ',' ? ENTRY_BYTES
               : text[i] == ':' ? MEMBER_BYTES
                                : 0;
    return sum;
}

/* Where memory runs out inside its parser, jansson calls a text invalid, cuts a string short, or
 * fails an assertion. So what it may need is asked for beforehand. */
static bool memory_ok(size_t n_bytes) {
    void *p = malloc(n_bytes);
    bool ok = p != NULL;
    free(p);
    return ok;
}

hr_status hr__json_parse_value(const char *text, size_t n_bytes, json_t **out, hr_error *err) {
    json_error_t where;
    *out = NULL;
    if (n_bytes > HR__MAX_JSON_BYTES)
        return hr__error_set(err, HR_ERR_CORRUPT, "its JSON has %zu bytes, at most %llu", n_bytes,
                             (unsigned long long)HR__MAX_JSON_BYTES);
    if (!depth_ok(text, n_bytes))
        return hr__error_set(err, HR_ERR_CORRUPT, "its JSON is nested deeper than %d levels",
                             HR__JSON_MAX_DEPTH);
    uint64_t needed = hr__json_parse_bytes(text, n_bytes); /* at most 16 MiB x 242 */
    if (!memory_ok((size_t)needed))
        return hr__error_no_memory(err, (size_t)needed, "JSON");
    *out = json_loadb(text, n_bytes, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &where);
    if (*out != NULL)
        return HR_OK;
    if (json_error_code(&where) == json_error_out_of_memory || where.text[0] == 0)
        return hr__error_no_memory(err, n_bytes, "JSON");
    return hr__error_set(err, HR_ERR_CORRUPT, "its JSON is invalid at line %d, column %d: %s",
                         where.line, where.column, where.text);
}

hr_status hr__json_parse(const char *text, size_t n_bytes, json_t **out, hr_error *err) {
    hr_status st = hr__json_parse_value(text, n_bytes, out, err);
    if (st != HR_OK || json_is_object(*out))
        return st;
    json_decref(*out);
    *out = NULL;
    return hr__error_set(err, HR_ERR_CORRUPT, "its JSON is not an object");
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

json_t *hr__json_path(const char *path) {
    json_t *json = json_string(path);
    if (json != NULL)
        return json;
    const size_t n = strlen(path);
    char *mended = malloc(n + 1);
    if (mended == NULL)
        return NULL;
    for (size_t i = 0; i <= n; i++)
        mended[i] = (unsigned char)path[i] < 0x80 ? path[i] : '?';
    json = json_string(mended);
    free(mended);
    return json;
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
