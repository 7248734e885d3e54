/*
 * Columns of one range of samples, read by several threads. Whoever reads several fields reads them
 * together: then the header of each chunk, which is as long as there are fields, is read once.
 */
#ifndef HEADRACE_PARALLEL_READ_H
#define HEADRACE_PARALLEL_READ_H

#include "headrace/dataset.h"

#define HR__MAX_READ_THREADS 16u

struct hr__read_column {
    uint32_t field; /* of fixed size */
    uint8_t *dst;   /* its samples, one after the other */
};

/* By up to num_threads threads (0 counts as 1, at most HR__MAX_READ_THREADS), each with whole
 * chunks and with memory as a call of hr_dataset_read() takes it. Does without threads that the
 * system refuses. Fields and samples exist. The first failure is returned, as of hr_dataset_read().
 */
hr_status hr__parallel_read(hr_dataset *ds, const struct hr__read_column *columns,
                            uint32_t num_columns, uint64_t first, uint64_t num_samples,
                            uint32_t num_threads, hr_error *err);

#endif
