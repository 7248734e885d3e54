/*
 * What the loader's taking of times costs: epochs with and without it, alternately, in one run, by
 * the processor time of the process, which other programs disturb less than the time of day.
 *
 *   report_cost FILE [PAIRS [BATCH]]
 *
 * Prints the median of the ratios of each pair, in per cent, and the quartiles.
 */
#define _GNU_SOURCE
#include "loader.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define MAX_PAIRS 1001

static int64_t processor_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* Nanoseconds of one shuffled epoch; -1 after a message. */
static int64_t epoch_ns(hr_dataset *ds, uint32_t batch, bool untimed) {
    hr_error err = {.message = ""};
    hr_loader_options o = HR_LOADER_OPTIONS_INIT;
    hr_loader *l = NULL;
    hr_batch *b = NULL;
    o.flags = HR_LOADER_SHUFFLE;
    o.batch_samples = batch;
    o.num_epochs = 1;
    o.io = HR_IO_CACHED;
    const struct hr__loader_setup setup = {.untimed = untimed};
    hr_status st = hr__loader_open(ds, &o, &setup, &l, &err);
    const int64_t began_ns = processor_ns();
    while (st == HR_OK && (st = hr_loader_next(l, -1, &b, &err)) == HR_OK)
        hr_batch_release(b);
    hr_loader_close(l);
    const int64_t took_ns = processor_ns() - began_ns;
    if (st == HR_END_OF_EPOCH)
        return took_ns;
    fprintf(stderr, "report_cost: %s\n", err.message);
    return -1;
}

static int compare(const void *a, const void *b) {
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static bool measure(hr_dataset *ds, uint32_t batch, int num_pairs, double *ratio) {
    for (int i = -1; i < num_pairs; i++) { /* the first is not counted */
        const bool with_first = i % 2 == 0;
        const int64_t first = epoch_ns(ds, batch, !with_first);
        const int64_t second = epoch_ns(ds, batch, with_first);
        if (first < 0 || second < 0)
            return false;
        if (i >= 0)
            ratio[i] = with_first ? (double)first / (double)second : (double)second / (double)first;
    }
    qsort(ratio, (size_t)num_pairs, sizeof(*ratio), compare);
    return true;
}

int main(int argc, char **argv) {
    static double ratio[MAX_PAIRS];
    hr_error err = {.message = ""};
    hr_dataset *ds = NULL;
    const int pairs = argc > 2 ? atoi(argv[2]) : 21;
    const int batch = argc > 3 ? atoi(argv[3]) : 256;
    if (argc < 2 || pairs < 1 || pairs > MAX_PAIRS || batch < 1) {
        fprintf(stderr, "Usage: report_cost FILE [PAIRS [BATCH]]\n");
        return 2;
    }
    if (hr_dataset_open(argv[1], NULL, &ds, &err) != HR_OK) {
        fprintf(stderr, "report_cost: %s\n", err.message);
        return 1;
    }
    const bool done = measure(ds, (uint32_t)batch, pairs, ratio);
    hr_dataset_close(ds);
    if (done)
        printf("taking times costs %.2f %% (quartiles %.2f and %.2f %%, %d pairs)\n",
               100 * (ratio[pairs / 2] - 1), 100 * (ratio[pairs / 4] - 1),
               100 * (ratio[pairs * 3 / 4] - 1), pairs);
    return done ? 0 : 1;
}
