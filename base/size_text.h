/*
 * Sizes in messages.
 */
#ifndef HEADRACE_SIZE_TEXT_H
#define HEADRACE_SIZE_TEXT_H

#include <stdint.h>

/* With room of its own, so that several fit one message. */
struct hr__size_text {
    char text[32];
};

/* "12.5 MiB"; what is less than 0.1 of them "40.0 KiB" or "100 bytes". */
struct hr__size_text hr__size_text(uint64_t n_bytes);

#endif
