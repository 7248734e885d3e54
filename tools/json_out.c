/*
 * JSON on stdout.
 */
#define _GNU_SOURCE
#include "json_out.h"

#include "exit_codes.h"
#include "report.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EXACT_MAX (UINT64_C(1) << 53)

json_t *json_out_uint(uint64_t value) {
    return value <= EXACT_MAX ? json_integer((json_int_t)value) : json_sprintf("%" PRIu64, value);
}

json_t *json_out_int(int64_t value) {
    return value >= -(int64_t)EXACT_MAX && value <= (int64_t)EXACT_MAX
               ? json_integer(value)
               : json_sprintf("%" PRId64, value);
}

json_t *json_out_real(double value) {
    return isfinite(value) ? json_real(value) : json_null();
}

json_t *json_out_quotient(double a, double b) {
    return b > 0 ? json_out_real(a / b) : json_null();
}

json_t *json_out_text(const char *text) {
    json_t *whole = json_string(text);
    if (whole != NULL) {
        return whole;
    }
    char *clean = malloc(strlen(text) * 3 + 1);
    if (clean == NULL) {
        return NULL;
    }
    char *to = clean;
    for (; *text != '\0'; text++) {
        if ((unsigned char)*text < 0x80) {
            *to++ = *text;
        } else {
            to = stpcpy(to, "\xEF\xBF\xBD");
        }
    }
    *to = '\0';
    whole = json_string(clean);
    free(clean);
    return whole;
}

json_t *json_out_seconds(int64_t ns) {
    return json_real((double)ns / 1e9);
}

int json_out_print(const char *command, json_t *root, int real_digits) {
    if (root == NULL) {
        return report_failure(command, "not enough memory for the JSON output");
    }
    const int failed = json_dumpf(root, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(real_digits));
    json_decref(root);
    fputc('\n', stdout);
    return failed ? report_failure(command, "the JSON output could not be written") : EXIT_DONE;
}
