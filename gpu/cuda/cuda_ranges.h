/*
 * Named ranges of threads, for Nsight Systems: nothing happens where no tool looks on.
 */
#ifndef HEADRACE_CUDA_RANGES_H
#define HEADRACE_CUDA_RANGES_H

void hr__cuda_range_begin(const char *name);
void hr__cuda_range_end(void);

#endif
