/*
 * JSON on stdout.
 */
#include "json_out.h"

#include "exit_codes.h"
#include "report.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

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

json_t *json_out_seconds(int64_t ns) {
    return json_real((double)ns / 1e9);
}

int json_out_print(const char *command, json_t *root) {
    if (root == NULL) {
        return report_failure(command, "not enough memory for the JSON output");
    }
    const int failed = json_dumpf(root, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(17));
    json_decref(root);
    fputc('\n', stdout);
    return failed ? report_failure(command, "the JSON output could not be written") : EXIT_DONE;
}
