/*
 * The figures of hr_bench() as text, as JSON, and as a picture.
 */
#ifndef HEADRACE_BENCH_TEXT_H
#define HEADRACE_BENCH_TEXT_H

#include "headrace/bench.h"

#include <jansson.h>
#include <stdbool.h>

/** "memory, shuffled": as people read a kind of measure. */
const char *bench_kind_text(uint32_t kind);

/** True for the kinds that are epochs, and so a share of a limit. */
bool bench_kind_is_epoch(uint32_t kind);

/** True for the two reads, whose rates are of stored bytes. */
bool bench_kind_is_read(uint32_t kind);

/** A table on stdout. name: of the data set. */
void bench_text_print(const char *name, const hr_bench_result *r);

/** The layout of docs/cli.md; NULL where there is no memory. */
json_t *bench_json(const char *path, const hr_bench_result *r);

/** An SVG document, malloc'ed; NULL where there is no memory. What of path lies before its last '/'
 * is left out. */
char *bench_svg(const char *path, const hr_bench_result *r);

#endif
