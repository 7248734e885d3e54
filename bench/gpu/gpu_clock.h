/*
 * What the benchmarks on a GPU share: time, work of a given length, medians, and the JSON they
 * print. Only calls that the stand-in for CUDA has, so that the programs can be run without a GPU.
 */
#ifndef HEADRACE_GPU_CLOCK_H
#define HEADRACE_GPU_CLOCK_H

#include "gpu_case.h"

#include <stdbool.h>
#include <stdint.h>

#define MOST_ROUNDS 16u

int64_t clock_ns(void);

/* Median, lowest and highest of what was measured in rounds. */
struct figure {
    double values[MOST_ROUNDS];
    uint32_t num_values;
};

void figure_add(struct figure *f, double value);
/* "name": {"median": ..., "low": ..., "high": ..., "runs": ...} */
void figure_print(const char *name, const struct figure *f);

/* Turns the GPU for so many of its clock's ticks. In gpu_spin.cu or on the stand-in. */
cudaError_t gpu_spin(void *stream, uint64_t ticks);

/* Ticks that take so long, by trial; the GPU's clock is brought up before. */
uint64_t spin_ticks(cudaStream_t stream, double ns);
/* How long a spin takes where one follows another. */
double spin_ns(cudaStream_t stream, uint64_t ticks, uint32_t times);

/* What is on the stream, from begin to end, as the GPU sees it. */
struct stopwatch {
    cudaEvent_t begin, end;
};
void stopwatch_make(struct stopwatch *w);
void stopwatch_free(struct stopwatch *w);
void stopwatch_begin(struct stopwatch *w, cudaStream_t stream);
double stopwatch_end_ns(struct stopwatch *w, cudaStream_t stream);

#endif
