/*
 * Bools and text. Values are untrusted.
 */
#include "helper_values.h"

#include "dtype.h"
#include "error.h"
#include "utf8.h"

#include <inttypes.h>

#define NONE UINT64_MAX

static uint64_t first_bad_bool(const uint8_t *p, uint64_t n) {
    for (uint64_t i = 0; i < n; i++) {
        if (p[i] > 1)
            return i;
    }
    return NONE;
}

static uint64_t first_bad_text(const uint8_t *p, uint64_t n, uint32_t width) {
    for (uint64_t i = 0; i < n; i++) {
        if (!hr__utf8_valid(p + i * width, width))
            return i;
    }
    return NONE;
}

hr_status hr__helper_values_check(const struct hr__helper_target *t, uint64_t first, uint64_t n,
                                  const uint8_t *rows, hr_error *err) {
    const struct hr__helper_field *f = &t->field;
    const char *noun = t->noun != NULL ? t->noun : "sample";
    uint64_t bytes = n * f->sample_bytes;
    if (f->dtype == HR_BOOL && !t->elements) {
        uint64_t bad = first_bad_bool(rows, bytes);
        if (bad != NONE)
            return hr__error_set(err, HR_ERR_DATA,
                                 "%s:/%s: %s %" PRIu64 " holds %u where a bool is 0 or 1; write "
                                 "the data set anew, or as uint8",
                                 t->path, f->member, noun, first + bad / f->sample_bytes,
                                 rows[bad]);
    } else if (f->dtype == HR_FIXED_UTF8) {
        uint64_t bad = first_bad_text(rows, bytes / f->width_bytes, f->width_bytes);
        if (bad != NONE)
            return hr__error_set(err, HR_ERR_DATA, "%s:/%s: %s %" PRIu64 " holds text that %s",
                                 t->path, f->member, noun,
                                 first + bad * f->width_bytes / f->sample_bytes,
                                 t->opts.zip ? "has a code point which is no character; repair it, "
                                               "or save the array as bytes"
                                             : "is not UTF-8; write the data set anew with ASCII "
                                               "strings to keep its bytes");
    }
    return HR_OK;
}
