/*
 * JSON texts: accepted and understood as jansson's own parser does, but for the limits on nesting
 * and on the length of numbers, which that one does not have, and for a zero byte, which it takes
 * for the end.
 */
#include "json_text.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool is_limit(const char *message) {
    return strstr(message, "nesting deeper") != NULL || strstr(message, "too long") != NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    json_t *json = NULL;
    hr_error err = {.status = HR_OK};
    size_t flags = JSON_REJECT_DUPLICATES | JSON_DECODE_ANY;
    json_t *expected = json_loadb((const char *)data, size, flags, NULL);
    hr_status st = hr__json_parse_value((const char *)data, size, &json, &err);
    if (st == HR_OK && (expected == NULL || !json_equal(json, expected)))
        abort();
    if (st != HR_OK && (st != HR_ERR_CORRUPT || json != NULL || err.status != st))
        abort();
    bool zero = size > 0 && memchr(data, 0, size) != NULL;
    if (st != HR_OK && expected != NULL && !zero && !is_limit(err.message))
        abort();
    json_decref(json);
    json_decref(expected);
    return 0;
}
