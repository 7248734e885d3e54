/*
 * One reader of one HDF5 data set or one array of a .npz archive, through a helper.
 */
#ifndef HEADRACE_HELPER_READER_H
#define HEADRACE_HELPER_READER_H

#include "helper_channel.h"

struct hr__helper_reader;

/* The smallest budget with which each chunk is decoded once. */
uint64_t hr__helper_reader_least_bytes(const struct hr__helper_field *f);
/* What a reader takes where it can. */
uint64_t hr__helper_reader_wanted_bytes(const struct hr__helper_field *f);
/* Samples that a reader asks for at once, whose budget has n_bytes, at least the least: windows
 * begin at multiples of that. It keeps the last two. */
uint64_t hr__helper_reader_window(const struct hr__helper_field *f, uint64_t n_bytes);

/* group: of the thread that reads; NULL: it has a helper of its own. *target and *group must
 * outlive the reader. */
hr_status hr__helper_reader_open(const struct hr__helper_target *target, struct hr__budget *budget,
                                 struct hr__helper_group *group, struct hr__helper_reader **out,
                                 hr_error *err);
/* As hr__source_ops.read. */
hr_status hr__helper_reader_read(struct hr__helper_reader *r, uint64_t first, uint64_t n, void *dst,
                                 hr_error *err);

/* The same without a copy, of samples that exist and have bytes: where the first of them lie, and
 * how many. The helper may change them at any time; they are gone with the next call. ahead: the
 * window behind them is asked for, too. */
hr_status hr__helper_reader_view(struct hr__helper_reader *r, uint64_t first, uint64_t n,
                                 bool ahead, const uint8_t **rows, uint64_t *done, hr_error *err);
/* Whether these samples begin where the ones ended that were asked about before. */
bool hr__helper_reader_goes_on(struct hr__helper_reader *r, uint64_t first, uint64_t n);

void hr__helper_reader_close(struct hr__helper_reader *r);

#endif
