/*
 * Names in the order in which people count: part-2 before part-10.
 */
#ifndef HEADRACE_NATURAL_ORDER_H
#define HEADRACE_NATURAL_ORDER_H

#include <stddef.h>

/* Below, equal to or above 0 as strcmp(): runs of digits compare as numbers of any length, all else
 * as bytes. 0 only for equal texts. */
int hr__natural_compare(const char *a, const char *b);

void hr__natural_sort(char **names, size_t n);

#endif
