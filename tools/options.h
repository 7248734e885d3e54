/*
 * Options of a command, one at a time, over getopt_long; wrong ones are reported here in words.
 */
#ifndef HEADRACE_OPTIONS_H
#define HEADRACE_OPTIONS_H

#include <getopt.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define OPTIONS_END  (-1)
#define OPTIONS_BAD  (-2) /* reported already */
#define OPTIONS_LONG 256  /* values of options without a letter begin here */

/** What a command accepts; the vector's first entry is the command's name. */
typedef struct options {
    const char *command;
    int argc;
    char **argv;
    const struct option *table;
    const char *letters; /* as getopt's, beginning with ':' */
} options;

/** The next option's value, OPTIONS_END, or OPTIONS_BAD. */
int options_next(const options *o);

/** Values of the option just read (optarg); false after a report. */
bool options_uint(const options *o, const char *name, uint64_t min, uint64_t max, uint64_t *out);
bool options_uint32(const options *o, const char *name, uint32_t min, uint32_t max, uint32_t *out);
bool options_size(const options *o, const char *name, uint64_t *out);
bool options_duration(const options *o, const char *name, int64_t *out_ns);
/** A range that is not empty; *end is 0 where it is left out. */
bool options_range(const options *o, const char *name, uint64_t *first, uint64_t *end);
bool options_word(const options *o, const char *name, const char *const *words, size_t count,
                  size_t *out);

/** The files of a command line, in the order given: one data set. */
typedef struct options_files {
    const char *const *paths;
    size_t count;
} options_files;

/** The positional arguments, one or more; false after a report. */
bool options_take_files(const options *o, options_files *out);

#endif
