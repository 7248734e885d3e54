/*
 * Values on the command line: text that a person typed becomes numbers, or a message that says what
 * is wrong with it. Nothing here prints or exits.
 */
#ifndef HEADRACE_ARGS_H
#define HEADRACE_ARGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ARGS_MESSAGE_BYTES 256
#define ARGS_MAX_LIST      4096

/** Why a value was refused; filled where a function here returns false. */
typedef struct args_error {
    char message[ARGS_MESSAGE_BYTES];
} args_error;

/** A decimal integer between min and max. */
bool args_uint(const char *text, uint64_t min, uint64_t max, uint64_t *out, args_error *err);

/** A decimal integer with an optional sign, between min and max. */
bool args_int(const char *text, int64_t min, int64_t max, int64_t *out, args_error *err);

/** A size in bytes: a number, and K, M, G or T for powers of 1024 ("256M", "1.5G", "64KiB"). */
bool args_size(const char *text, uint64_t *out, args_error *err);

/** A duration: a number and ns, us, ms, s, m or h; seconds where no unit stands. */
bool args_duration(const char *text, int64_t *out_ns, args_error *err);

/** A range A:B, A: or :B; B is exclusive, UINT64_MAX where it is left out. */
bool args_range(const char *text, uint64_t *first, uint64_t *end, args_error *err);

/** A shape: "28,28" or "28x28"; "" is a scalar per sample. */
bool args_shape(const char *text, uint64_t *shape, uint32_t max_rank, uint32_t *rank,
                args_error *err);

/** Decimal fractions with commas between them: "0.8,0.1,0.1". */
bool args_fractions(const char *text, double *fractions, uint32_t max_count, uint32_t *count,
                    args_error *err);

/** One of count words; *out is its place. */
bool args_word(const char *text, const char *const *words, size_t count, size_t *out,
               args_error *err);

/** Names with commas between them; a comma of a name has a backslash before it. Cuts text in place;
 * items point into it. */
bool args_list(char *text, const char **items, uint32_t max_items, uint32_t *count,
               args_error *err);

#endif
