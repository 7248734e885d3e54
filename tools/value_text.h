/*
 * Elements of arrays as people read them. What a file holds never reaches a terminal as control
 * sequences: bytes and texts are shown escaped.
 */
#ifndef HEADRACE_VALUE_TEXT_H
#define HEADRACE_VALUE_TEXT_H

#include "headrace/types.h"

#include <stdbool.h>

#define VALUE_TEXT_BYTES 288
#define VALUE_EXACT      17

/** A text with room of its own, so that several fit one printf. */
typedef struct value_text {
    char text[VALUE_TEXT_BYTES];
} value_text;

/**
 * One element in canonical form: the fewest digits that tell it from every other of its type, a NaN
 * with its bits where it is not the usual one, bytes and texts in quotes, cut with "...". utf8:
 * characters beyond ASCII are shown as they are. most_digits: a floating-point number is rounded to
 * so many; VALUE_EXACT for none.
 */
value_text value_text_of(hr_dtype dtype, uint32_t width_bytes, const void *element, bool utf8,
                         int most_digits);

/** The value of a number or bool as a double; of a complex one its part 0 or 1. */
double value_real(hr_dtype dtype, const void *element, int part);

/** Bytes of one element. */
uint32_t value_width(const hr_field *field);

#endif
