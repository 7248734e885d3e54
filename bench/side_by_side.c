/*
 * side_by_side FILE.hrd LOADERS THREADS SECONDS: so many loaders of one data set, each with so many
 * decode threads and a consumer of its own, read shuffled epochs from the page cache at the same
 * time. Prints the rate of each as JSON. Public headers only.
 */
#define _GNU_SOURCE
#include "headrace/headrace.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define MAX_LOADERS   16
#define BATCH_SAMPLES 256u
#define BUDGET_BYTES  ((uint64_t)256 << 20)

struct consumer {
    pthread_t thread;
    pthread_barrier_t *start;
    hr_loader *loader;
    uint64_t sample_bytes;
    double seconds, bytes_per_s;
    hr_status st;
    hr_error err;
};

static double now_s(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static hr_status take(struct consumer *c, uint64_t *num_bytes) {
    hr_batch *b = NULL;
    hr_status st = hr_loader_next(c->loader, -1, &b, &c->err);
    if (st == HR_OK)
        *num_bytes += hr_batch_num_samples(b) * c->sample_bytes;
    hr_batch_release(b);
    return st == HR_END_OF_EPOCH ? HR_OK : st;
}

/* All begin when each has its first batch, and count until their time is up. */
static void *consume(void *arg) {
    struct consumer *c = arg;
    uint64_t num_bytes = 0;
    c->st = take(c, &num_bytes);
    pthread_barrier_wait(c->start);
    const double start = now_s();
    double now = start;
    num_bytes = 0;
    while (c->st == HR_OK && now - start < c->seconds) {
        c->st = take(c, &num_bytes);
        now = now_s();
    }
    c->bytes_per_s = c->st == HR_OK ? (double)num_bytes / (now - start) : 0;
    return NULL;
}

static hr_status open_all(hr_dataset *ds, struct consumer *all, uint32_t n, uint32_t threads,
                          hr_error *err) {
    hr_loader_options o = HR_LOADER_OPTIONS_INIT;
    hr_status st = HR_OK;
    o.flags = HR_LOADER_SHUFFLE;
    o.batch_samples = BATCH_SAMPLES;
    o.num_threads = threads;
    o.budget_bytes = BUDGET_BYTES;
    o.io = HR_IO_CACHED;
    for (uint32_t i = 0; i < n && st == HR_OK; i++) {
        o.seed = i;
        all[i].sample_bytes = hr_dataset_sample_bytes(ds, UINT32_MAX);
        st = hr_loader_open(ds, &o, &all[i].loader, err);
    }
    return st;
}

static hr_status consume_all(struct consumer *all, uint32_t n, double seconds, hr_error *err) {
    pthread_barrier_t start;
    hr_status st = HR_OK;
    pthread_barrier_init(&start, NULL, n);
    for (uint32_t i = 0; i < n; i++) {
        all[i].start = &start;
        all[i].seconds = seconds;
        if (pthread_create(&all[i].thread, NULL, consume, &all[i]) != 0) {
            fprintf(stderr, "no thread for consumer %u\n", i);
            exit(1); /* the others wait for it */
        }
    }
    for (uint32_t i = 0; i < n; i++) {
        pthread_join(all[i].thread, NULL);
        if (all[i].st != HR_OK) {
            st = all[i].st;
            *err = all[i].err;
        }
    }
    pthread_barrier_destroy(&start);
    return st;
}

static void print_rates(const struct consumer *all, uint32_t n) {
    printf("{\"bytes_per_s\": [");
    for (uint32_t i = 0; i < n; i++)
        printf("%s%.0f", i > 0 ? ", " : "", all[i].bytes_per_s);
    printf("]}\n");
}

int main(int argc, char **argv) {
    static struct consumer all[MAX_LOADERS];
    hr_error err = {.message = ""};
    hr_dataset *ds = NULL;
    const int loaders = argc == 5 ? atoi(argv[2]) : 0, threads = argc == 5 ? atoi(argv[3]) : 0;
    const double seconds = argc == 5 ? atof(argv[4]) : 0;
    if (loaders < 1 || loaders > MAX_LOADERS || threads < 1 || !(seconds > 0)) {
        fprintf(stderr, "usage: %s FILE.hrd LOADERS THREADS SECONDS\n", argv[0]);
        return 2;
    }
    const uint32_t n = (uint32_t)loaders;
    hr_status st = hr_dataset_open(argv[1], NULL, &ds, &err);
    if (st == HR_OK)
        st = open_all(ds, all, n, (uint32_t)threads, &err);
    if (st == HR_OK)
        st = consume_all(all, n, seconds, &err);
    if (st == HR_OK)
        print_rates(all, n);
    else
        fprintf(stderr, "%s\n", err.message);
    for (uint32_t i = 0; i < n; i++)
        hr_loader_close(all[i].loader);
    hr_dataset_close(ds);
    return st == HR_OK ? 0 : 1;
}
