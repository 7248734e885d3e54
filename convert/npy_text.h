/*
 * The Python literals in the header of a .npy file, as NumPy writes them: strings, lengths, shapes.
 * Nothing is evaluated. Input is untrusted. No I/O, no allocation.
 *
 * Invariants of the cursor
 *   1. at <= end <= the size of the header; bytes are read only below end.
 *   2. A function that returns HR_OK, or true, has moved `at` behind what it read.
 *
 * Failures are HR_ERR_CORRUPT and say what is expected where; others are named.
 */
#ifndef HEADRACE_NPY_TEXT_H
#define HEADRACE_NPY_TEXT_H

#include "headrace/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct hr__npy_text {
    const uint8_t *bytes; /* the whole header, from the magic on */
    size_t at, end;
    bool latin1; /* what is no ASCII is Latin-1; else UTF-8 */
};

/* HR_ERR_CORRUPT: what is at the cursor is not what is expected there. */
hr_status hr__npy_text_malformed(const struct hr__npy_text *t, const char *expected, hr_error *err);

/* The next byte that is no space, or 0 at the end. */
uint8_t hr__npy_text_peek(struct hr__npy_text *t);
/* Whether it is this one; then it is read. */
bool hr__npy_text_accept(struct hr__npy_text *t, char wanted);
bool hr__npy_text_accept_word(struct hr__npy_text *t, const char *word);

/* A string of printable ASCII without escapes, in either kind of quotes. */
hr_status hr__npy_text_string(struct hr__npy_text *t, char *out, size_t room, hr_error *err);
/* A string of any characters but control ones, as UTF-8. HR_ERR_UNSUPPORTED: escapes, or more than
 * there is room for. */
hr_status hr__npy_text_name(struct hr__npy_text *t, char *out, size_t room, hr_error *err);
/* A tuple of lengths. HR_ERR_UNSUPPORTED: more than max_rank. */
hr_status hr__npy_text_shape(struct hr__npy_text *t, uint64_t *lengths, uint32_t max_rank,
                             uint32_t *rank, hr_error *err);

#endif
