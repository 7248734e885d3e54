/*
 * One side of a comparison: a .hrd file or other arrays, as columns that can be read at any place.
 */
#ifndef HEADRACE_COMPARE_SIDE_H
#define HEADRACE_COMPARE_SIDE_H

#include "headrace/compare.h"

#include "inputs.h"

#include <stdbool.h>

struct hr__column {
    hr_field field; /* points into the side */
    uint64_t num_samples;
    uint64_t sample_bytes;
    uint32_t width_bytes; /* of one element, whatever its dtype */
    uint64_t elements_per_sample;
    uint64_t granule_samples; /* decoded together */
    uint32_t max_readers;     /* that are useful side by side; UINT32_MAX: any number */
    uint64_t reader_bytes;    /* that one wants; 0 where its room can be set */
    hr_dataset *ds;           /* with `index`, or */
    uint32_t index;
    struct hr__source *source;
};

struct hr__side {
    const char *path;
    hr_dataset *ds;
    struct hr__inputs inputs;    /* of a folder or a pattern */
    struct hr__source **sources; /* of one file */
    uint32_t num_sources;
    struct hr__column *columns;
    uint32_t num_columns;
};

struct hr__side_options {
    const hr_compare_options *opts;
    hr_sparse sparse;       /* of HDF5 files */
    uint64_t budget_bytes;  /* as of hr_open_options */
    const char *spill_path; /* what the names of temporary files begin with */
};

/* path and the spill path must outlive the side. */
hr_status hr__side_open(const char *path, const struct hr__side_options *how, struct hr__side *out,
                        hr_error *err);
void hr__side_close(struct hr__side *s); /* a zeroed one is fine */

/* How the other side's sparse matrices are to be read: as this data set has them. */
hr_sparse hr__side_sparse(const struct hr__side *s);

/* NULL: there is no such column. */
struct hr__column *hr__side_find(const struct hr__side *s, const char *name);

/* It will be compared by itself, not together with others of its file: before it is opened. */
void hr__column_set_alone(struct hr__column *c);
/* What such columns share that are best compared together: what is read for one is read for all;
 * NULL: nothing. */
const void *hr__column_company(const struct hr__column *c);
/* A reader of it takes little but a descriptor, so that others may be open beside it. */
bool hr__column_is_light(const struct hr__column *c);

/* Whether it has others of its file that are best read in turns with it, and up to where: as
 * hr__source_ops.piece_end; UINT64_MAX: it has none. */
bool hr__column_has_pieces(const struct hr__column *c);
uint64_t hr__column_piece_end(const struct hr__column *c, uint64_t sample);

/* How much each reader may take for itself, before the first is opened. */
void hr__column_set_room(const struct hr__column *c, uint64_t n_bytes);

/* From any thread: reads that would take long end soon, for good. */
void hr__column_stop(const struct hr__column *c);

/* Reads a column for one thread, whose `helpers` are. Columns of a data set, but for values of
 * variable length, are read together instead (parallel_read.h). */
struct hr__column_reader {
    const struct hr__column *column;
    struct hr__source_reader *reader;
};

hr_status hr__column_reader_open(const struct hr__column *column, struct hr__budget *budget,
                                 struct hr__helper_group *helpers, struct hr__column_reader *out,
                                 hr_error *err);
/* Of a source. */
hr_status hr__column_read(const struct hr__column_reader *r, uint64_t first, uint64_t n,
                          uint8_t *dst, hr_error *err);
/* Of values of variable length: as hr__source_ops.fetch, and .read_values, with the bytes of all.
 */
hr_status hr__column_fetch(const struct hr__column_reader *r, uint64_t first, uint64_t n,
                           uint64_t *out, hr_error *err);
hr_status hr__column_read_values(const struct hr__column_reader *r, uint64_t first, uint64_t n,
                                 int64_t *offsets, uint8_t *values, uint64_t room_bytes,
                                 uint64_t *n_bytes, hr_error *err);
void hr__column_reader_close(struct hr__column_reader *r); /* a zeroed one is fine */

#endif
