/*
 * A loader without the loader: its configuration, its order, and the first epoch of it.
 */
#ifndef HEADRACE_SKETCH_H
#define HEADRACE_SKETCH_H

#include "loader_config.h"

struct hr__sketch {
    struct hr__loader_config config;
    struct hr__order *order;
    struct hr__order_epoch *epoch;
    struct hr__budget tables; /* of order and epoch: planned only. They point to it, so a sketch
                               * stays where it was made */
};

/* opts are resolved, io is what the file's back end is. As hr_loader_open(), which would refuse
 * what this refuses. */
hr_status hr__sketch_make(hr_dataset *ds, const hr_loader_options *opts, hr_io io,
                          struct hr__sketch *out, hr_error *err);
void hr__sketch_free(struct hr__sketch *s); /* a zeroed one is fine */

/* Reads in flight of each thread. */
uint32_t hr__sketch_depth(const struct hr__sketch *s);

/* The chunk of item i of the rank's visits: its streams in turn, each round and round. */
uint64_t hr__sketch_chunk(const struct hr__sketch *s, uint64_t i);

#endif
