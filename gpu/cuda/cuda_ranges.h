/*
 * Named ranges of threads, for Nsight Systems and its like.
 */
#ifndef HEADRACE_CUDA_RANGES_H
#define HEADRACE_CUDA_RANGES_H

/* Where Headrace's ranges are kept apart from others; NULL: no tool looks on. */
void *hr__cuda_ranges_open(void);
void hr__cuda_ranges_close(void *ranges); /* NULL is fine */
void hr__cuda_range_begin(void *ranges, const char *name);
void hr__cuda_range_end(void *ranges);

#endif
