/*
 * Golden files of numbers and words with spaces between them, under tests/golden/order. What is not
 * as expected ends the test.
 */
#ifndef HEADRACE_GOLDEN_TEXT_H
#define HEADRACE_GOLDEN_TEXT_H

#include <stdint.h>
#include <stdio.h>

FILE *golden_open(const char *name); /* closed by the caller */
uint64_t golden_number(FILE *f);
/* The number behind that word. */
uint64_t golden_named(FILE *f, const char *word);

#endif
