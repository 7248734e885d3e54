/*
 * Numbers as text, in the same way in every locale. Input is untrusted. No I/O.
 *
 * A number is [+-]DIGITS[.DIGITS][e[+-]DIGITS], with digits before or behind the point, or "inf",
 * "infinity" with a sign or without. Nothing, "nan", "na" and "null" are missing values. Case does
 * not matter.
 */
#ifndef HEADRACE_CSV_NUMBER_H
#define HEADRACE_CSV_NUMBER_H

#include "headrace/types.h"

#include <locale.h>
#include <stdbool.h>

enum hr__csv_kind {
    HR__CSV_MISSING,
    HR__CSV_INTEGER, /* that fits int64 */
    HR__CSV_LARGE,   /* an integer that does not */
    HR__CSV_REAL,
    HR__CSV_TEXT /* no number */
};

/* At most so many characters are a number. */
#define HR__CSV_MAX_NUMBER_BYTES 400u

enum hr__csv_kind hr__csv_classify(const char *text, size_t n);

/* Numbers of this dtype can be read: bool, integers, float32, float64. */
bool hr__csv_dtype_fits(hr_dtype dtype);

/* One element in canonical form. float64 is the nearest to what the text says, float32 that rounded
 * once more; an integer may be written as 3.0 or 3e2. NULL, or why it cannot be: "is no number".
 * locale: the C locale. */
const char *hr__csv_store(const char *text, size_t n, hr_dtype dtype, locale_t locale,
                          uint8_t *dst);

#endif
