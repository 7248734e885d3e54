/*
 * A sparse matrix that comes by columns, turned into rows: the entries of each row are counted,
 * then every entry goes to its row, where it stands behind those that came before it. Rows lie in
 * memory all together, or, where they do not fit, bucket by bucket: then entries go through a
 * temporary file, which has a region for each bucket, and a bucket is loaded when a row of it is
 * wanted.
 *
 * Use: open; count all entries; place; put all entries in the same order; finish; load and read.
 * After a failure only close it. Entries are as given, rows are below num_rows. What is read from
 * the file is untrusted.
 *
 * Invariants
 *   1. starts[row] is where the row's values begin among all values: but while values are put into
 *      memory it is where the next one goes, until the bucket at hand is complete.
 *   2. A bucket is a run of whole rows: as many as have room together, or one that has not.
 *   3. Of each bucket in the file the hashes of its pieces were added up as they were written.
 */
#ifndef HEADRACE_TRANSPOSE_H
#define HEADRACE_TRANSPOSE_H

#include "budget.h"
#include "file.h"

struct hr__transpose_bucket;

struct hr__transpose {
    struct hr__budget *budget;
    uint64_t num_rows;
    uint32_t width;   /* of a value */
    uint64_t *starts; /* num_rows + 1 */
    struct hr__transpose_bucket *buckets;
    uint64_t num_buckets;
    uint64_t piece_entries; /* of the file */
    uint8_t *pieces;        /* one for each bucket; then one */
    uint64_t pieces_bytes;
    struct hr__file file; /* where there are several buckets */
    uint8_t *values;      /* of the bucket in memory */
    uint64_t values_bytes;
    uint64_t loaded;  /* the bucket in memory; num_buckets: none */
    uint64_t not_put; /* of rows that were counted, a sum: 0 when the same were put */
};

/* Takes 8 bytes for each row of the budget, which must outlive it. num_rows: below 2^60. */
hr_status hr__transpose_open(struct hr__transpose *t, uint64_t num_rows, uint32_t width,
                             struct hr__budget *budget, hr_error *err);
void hr__transpose_close(struct hr__transpose *t); /* a zeroed one is fine */

/* Another sum for other rows, but by chance. */
static inline uint64_t hr__transpose_mix(uint64_t row) {
    const uint64_t x = (row + 1) * UINT64_C(0x9e3779b97f4a7c15);
    return (x ^ x >> 32) * x;
}

static inline void hr__transpose_count(struct hr__transpose *t, uint64_t row) {
    t->starts[row + 1]++;
    t->not_put += hr__transpose_mix(row);
}

/* What is left of the budget decides about the buckets. output: beside which there may be a file;
 * NULL: nowhere, and where one is needed that is HR_ERR_UNSUPPORTED. name: of the source, for
 * messages. HR_ERR_BUDGET: not even that is enough. */
hr_status hr__transpose_place(struct hr__transpose *t, const char *output, bool check_space,
                              const char *name, hr_error *err);
/* HR_ERR_DATA: there were fewer entries when they were counted. */
hr_status hr__transpose_put(struct hr__transpose *t, uint64_t row, const uint8_t *value,
                            hr_error *err);
/* HR_ERR_DATA: these were not the entries that were counted. */
hr_status hr__transpose_finish(struct hr__transpose *t, hr_error *err);

/* Loads the bucket of a row: its rows, from that row on, go up to *end. HR_ERR_BUDGET: it does not
 * fit; it can be tried again with more. */
hr_status hr__transpose_load(struct hr__transpose *t, uint64_t row, uint64_t *end, hr_error *err);
/* The values of rows that are loaded, from a row on. */
const uint8_t *hr__transpose_values(const struct hr__transpose *t, uint64_t row);

#endif
