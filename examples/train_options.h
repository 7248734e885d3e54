/*
 * Command line of train_mlp and train_cuda.
 */
#ifndef TRAIN_OPTIONS_H
#define TRAIN_OPTIONS_H

#include <stdint.h>

struct train_options {
    const char *train_path;  /* a .hrd file */
    const char *test_path;   /* held-out samples, or NULL */
    const char *whole_x;     /* .npy files read whole instead of train_path, or NULL */
    const char *whole_y;     /* given with whole_x */
    const char *report_path; /* where figures go as JSON, or NULL */
    uint64_t budget_bytes;   /* 0: the library's default */
    uint64_t epochs;
    uint64_t seed;
    uint32_t batch_samples;
    uint32_t window_visits; /* 0: the library's default */
    uint32_t num_threads;   /* 0: one per core */
    float rate;
};

/* 0: filled; else the exit code plus 1, everything said. */
int train_options_parse(int argc, char **argv, struct train_options *out);

#endif
