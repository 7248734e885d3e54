/*
 * Samples as text, laid out as NumPy prints arrays: aligned, large ones by their edges.
 */
#ifndef HEADRACE_HEAD_NUMBERS_H
#define HEADRACE_HEAD_NUMBERS_H

#include "headrace/types.h"

#include <stdbool.h>

/** Columns that the widest value shown of this sample takes, or `least` where that is more. */
int numbers_width(const hr_field *field, const uint8_t *sample, bool utf8, int least);

typedef struct numbers_place {
    uint32_t indent;  /**< where lines begin; the first where the cursor is */
    uint32_t columns; /**< of a terminal: rows that are longer are shown by their ends; 0: any */
} numbers_place;

/** Prints one sample, each value `width` columns wide. utf8: as value_text_of(). */
void numbers_print(const hr_field *field, const uint8_t *sample, const numbers_place *place,
                   bool utf8, int width);

#endif
