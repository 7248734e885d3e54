/*
 * One range of samples read by several threads.
 */
#ifndef HEADRACE_PARALLEL_READ_H
#define HEADRACE_PARALLEL_READ_H

#include "headrace/dataset.h"

#define HR__MAX_READ_THREADS 16u

/* As hr_dataset_read(), by up to num_threads threads (0 counts as 1, at most HR__MAX_READ_THREADS),
 * each with whole chunks. Does without threads that the system refuses. The first failure is
 * returned. */
hr_status hr__parallel_read(hr_dataset *ds, uint32_t field, uint64_t first, uint64_t num_samples,
                            uint32_t num_threads, uint8_t *dst, hr_error *err);

#endif
