/*
 * See gpu_clock.h.
 */
#define _GNU_SOURCE
#include "gpu_clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define TRIAL_TICKS UINT64_C(2000000)
#define WARM_TRIALS 200u

int64_t clock_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

void figure_add(struct figure *f, double value) {
    GPU_CHECK(f->num_values < MOST_ROUNDS, "too many rounds");
    f->values[f->num_values++] = value;
}

static int compare(const void *a, const void *b) {
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void sorted(const struct figure *f, double out[MOST_ROUNDS]) {
    GPU_CHECK(f->num_values > 0, "nothing was measured");
    memcpy(out, f->values, f->num_values * sizeof(*out));
    qsort(out, f->num_values, sizeof(*out), compare);
}

static double median(const struct figure *f) {
    double s[MOST_ROUNDS];
    const uint32_t n = f->num_values;
    sorted(f, s);
    return n % 2 == 1 ? s[n / 2] : 0.5 * (s[n / 2 - 1] + s[n / 2]);
}

void figure_print(const char *name, const struct figure *f) {
    double s[MOST_ROUNDS];
    sorted(f, s);
    printf("\"%s\": {\"median\": %.6g, \"low\": %.6g, \"high\": %.6g, \"runs\": %u}", name,
           median(f), s[0], s[f->num_values - 1], f->num_values);
}

void stopwatch_make(struct stopwatch *w) {
    GPU_CALL(cudaEventCreate(&w->begin));
    GPU_CALL(cudaEventCreate(&w->end));
}

void stopwatch_free(struct stopwatch *w) {
    GPU_CALL(cudaEventDestroy(w->begin));
    GPU_CALL(cudaEventDestroy(w->end));
}

void stopwatch_begin(struct stopwatch *w, cudaStream_t stream) {
    GPU_CALL(cudaEventRecord(w->begin, stream));
}

double stopwatch_end_ns(struct stopwatch *w, cudaStream_t stream) {
    float ms = 0;
    GPU_CALL(cudaEventRecord(w->end, stream));
    GPU_CALL(cudaEventSynchronize(w->end));
    GPU_CALL(cudaEventElapsedTime(&ms, w->begin, w->end));
    return ms > 0 ? 1e6 * (double)ms : 1;
}

double spin_ns(cudaStream_t stream, uint64_t ticks, uint32_t times) {
    struct stopwatch w;
    stopwatch_make(&w);
    stopwatch_begin(&w, stream);
    for (uint32_t i = 0; i < times; i++)
        GPU_CALL(gpu_spin(stream, ticks));
    const double ns = stopwatch_end_ns(&w, stream) / times;
    stopwatch_free(&w);
    return ns;
}

uint64_t spin_ticks(cudaStream_t stream, double ns) {
    (void)spin_ns(stream, TRIAL_TICKS, WARM_TRIALS);
    const double each = spin_ns(stream, TRIAL_TICKS, 10) / (double)TRIAL_TICKS;
    return (uint64_t)(ns / each) + 1;
}
