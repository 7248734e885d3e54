/*
 * UTF-8 that somebody else has written.
 */
#ifndef HEADRACE_UTF8_H
#define HEADRACE_UTF8_H

#include <stdbool.h>
#include <stddef.h>

/* Well-formed UTF-8 (no overlong forms, no surrogates, at most U+10FFFF). */
bool hr__utf8_valid(const void *text, size_t n_bytes);
/* Of UTF-8 that was cut off at any byte: how many bytes its whole characters have. */
size_t hr__utf8_whole(const void *text, size_t n_bytes);

#endif
