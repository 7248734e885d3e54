/*
 * Samples as text, laid out as NumPy prints arrays: aligned, large ones by their edges.
 */
#ifndef HEADRACE_HEAD_NUMBERS_H
#define HEADRACE_HEAD_NUMBERS_H

#include "headrace/types.h"

#include <stdbool.h>

/** Columns that the widest value shown of this sample takes, or `least` where that is more. */
int numbers_width(const hr_field *field, const uint8_t *sample, bool utf8, int least);

/**
 * Prints one sample in lines that begin at column `indent`, the first where the cursor is, each
 * value `width` columns wide. utf8: as value_text_of().
 */
void numbers_print(const hr_field *field, const uint8_t *sample, uint32_t indent, bool utf8,
                   int width);

#endif
