/*
 * How a loader's workers share the work, and what their lock costs: more threads than cores will
 * do, as what is counted is how often and how long the lock is held.
 *
 *   loader_share FILE THREADS [DEPTH [LATENCY_US [CONSUME_US [EPOCHS [BATCH]]]]]
 *
 * DEPTH: reads in flight of all threads together; 0: the default. LATENCY_US: every read takes so
 * long, whatever else is on its way (at most 64 at the same time); 0: reads through the page cache.
 * CONSUME_US: what the consumer does with a batch. Calls of the C library are wrapped at link time.
 */
#define _GNU_SOURCE
#include "clock.h"
#include "dataset.h"
#include "loader.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>

#define BUCKET_NS   20
#define NUM_BUCKETS 5000u /* up to 0.1 ms */

/* ---- the lock ---- */

/* Written with the lock held. */
static struct {
    pthread_mutex_t *lock; /* the one that is watched */
    int64_t since_ns;
    uint64_t times, waits; /* taken; of these, not at once */
    int64_t wait_ns;
    uint64_t wake_ups, consumer_wake_ups;
    uint64_t held[NUM_BUCKETS];
} seen;

int __real_pthread_mutex_lock(pthread_mutex_t *m);
int __real_pthread_mutex_unlock(pthread_mutex_t *m);
int __real_pthread_cond_wait(pthread_cond_t *c, pthread_mutex_t *m);
int __wrap_pthread_mutex_lock(pthread_mutex_t *m);
int __wrap_pthread_mutex_unlock(pthread_mutex_t *m);
int __wrap_pthread_cond_wait(pthread_cond_t *c, pthread_mutex_t *m);

int __wrap_pthread_mutex_lock(pthread_mutex_t *m) {
    if (m != seen.lock)
        return __real_pthread_mutex_lock(m);
    bool at_once = pthread_mutex_trylock(m) == 0;
    int64_t began_ns = at_once ? 0 : hr__now_ns();
    if (!at_once)
        (void)__real_pthread_mutex_lock(m);
    seen.since_ns = hr__now_ns();
    seen.times++;
    seen.waits += !at_once;
    seen.wait_ns += at_once ? 0 : seen.since_ns - began_ns;
    return 0;
}

static void hold_ends(void) {
    const int64_t bucket = (hr__now_ns() - seen.since_ns) / BUCKET_NS;
    seen.held[bucket < (int64_t)NUM_BUCKETS ? bucket : (int64_t)NUM_BUCKETS - 1]++;
}

int __wrap_pthread_mutex_unlock(pthread_mutex_t *m) {
    if (m == seen.lock)
        hold_ends();
    return __real_pthread_mutex_unlock(m);
}

static pthread_cond_t *consumers;

int __wrap_pthread_cond_wait(pthread_cond_t *c, pthread_mutex_t *m) {
    if (m != seen.lock)
        return __real_pthread_cond_wait(c, m);
    hold_ends();
    const int rc = __real_pthread_cond_wait(c, m);
    seen.since_ns = hr__now_ns();
    *(c == consumers ? &seen.consumer_wake_ups : &seen.wake_ups) += 1;
    return rc;
}

/* Below which so many of the holds are. */
static int64_t held_ns(double part) {
    uint64_t all = 0, below = 0;
    for (uint32_t i = 0; i < NUM_BUCKETS; i++)
        all += seen.held[i];
    for (uint32_t i = 0; i < NUM_BUCKETS; i++) {
        below += seen.held[i];
        if ((double)below >= part * (double)all)
            return (int64_t)(i + 1) * BUCKET_NS;
    }
    return -1;
}

/* Without those that lost the processor while they had the lock. */
static double mean_held_ns(void) {
    double sum = 0, n = 0;
    for (uint32_t i = 0; i + 1 < NUM_BUCKETS; i++) {
        sum += (double)seen.held[i] * (i + 0.5) * BUCKET_NS;
        n += (double)seen.held[i];
    }
    return n > 0 ? sum / n : 0;
}

/* ---- a file whose reads take a while ---- */

static struct hr__file file;
static int64_t latency_ns;

static int64_t slow_read(void *ctx, void *buf, size_t n_bytes, uint64_t off) {
    const struct timespec t = {latency_ns / 1000000000, latency_ns % 1000000000};
    (void)ctx;
    (void)nanosleep(&t, NULL);
    return file.ops->read(file.ctx, buf, n_bytes, off);
}

static int64_t slow_size(void *ctx) {
    (void)ctx;
    return file.ops->size(file.ctx);
}

static void slow_close(void *ctx) {
    (void)ctx;
    hr__file_close(&file);
}

static const struct hr__file_ops slow_ops = {
    .name = "slow", .read = slow_read, .size = slow_size, .close = slow_close};

static int slow_open(void *ctx, const char *path, int flags, struct hr__file *out) {
    (void)ctx;
    int rc = hr__posix_folder.open(NULL, path, flags, &file);
    *out = (struct hr__file){&slow_ops, NULL, rc == 0 ? strdup(path) : NULL};
    return rc;
}

/* ---- the epochs ---- */

static const struct hr__folder_ops slow_folder = {.name = "slow", .open = slow_open};

static hr_status consume(hr_loader *l, uint64_t num_epochs, int64_t consume_ns, hr_error *err) {
    const struct timespec t = {consume_ns / 1000000000, consume_ns % 1000000000};
    hr_batch *b = NULL;
    for (uint64_t ends = 0; ends < num_epochs;) {
        hr_status st = hr_loader_next(l, -1, &b, err);
        if (st != HR_OK && st != HR_END_OF_EPOCH)
            return st;
        ends += st == HR_END_OF_EPOCH;
        if (consume_ns > 0 && st == HR_OK)
            (void)nanosleep(&t, NULL);
        hr_batch_release(b);
    }
    return HR_OK;
}

static int compare(const void *a, const void *b) {
    const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static void print_shares(const hr_loader *l) {
    uint64_t *visits = calloc(l->num_workers, sizeof(*visits));
    if (visits == NULL)
        return;
    for (uint32_t i = 0; i < l->num_workers; i++)
        visits[i] = l->workers[i].counters.visits;
    qsort(visits, l->num_workers, sizeof(*visits), compare);
    printf("visits of a worker    %llu to %llu, median %llu\n", (unsigned long long)visits[0],
           (unsigned long long)visits[l->num_workers - 1],
           (unsigned long long)visits[l->num_workers / 2]);
    free(visits);
}

static void print_lock(const hr_loader_report_info *r) {
    const double n = (double)r->visits, mean = mean_held_ns();
    const double visit_ns = (double)(r->decode_ns + r->scatter_ns + r->copy_ns) / n;
    printf("lock                  %.2f times a visit; held %.0f ns (half below %lld, 99 %% below "
           "%lld); not at once %.1f %%, then %.1f us\n",
           (double)seen.times / n, mean, (long long)held_ns(0.5), (long long)held_ns(0.99),
           100 * (double)seen.waits / (double)seen.times,
           seen.waits > 0 ? (double)seen.wait_ns / 1e3 / (double)seen.waits : 0);
    printf("wake-ups              %.3f a visit of workers, %.3f of the consumer\n",
           (double)seen.wake_ups / n, (double)seen.consumer_wake_ups / n);
    printf(
        "a visit               %.1f us; 64 such workers would hold the lock %.1f %% of the time\n",
        visit_ns / 1e3, 64 * (double)seen.times / n * mean / visit_ns * 100);
    printf("threads               %.1f %% waiting for reads, %.1f %% for room\n",
           100 * (double)r->wait_io_ns / (double)r->thread_ns,
           100 * (double)(r->wait_ring_ns + r->wait_consumer_ns) / (double)r->thread_ns);
}

int main(int argc, char **argv) {
    hr_error err = {.message = ""};
    hr_loader_options o = HR_LOADER_OPTIONS_INIT;
    hr_loader_report_info r = {.struct_bytes = sizeof(r)};
    hr_dataset *ds = NULL;
    hr_loader *l = NULL;
    uint64_t number[8] = {0, 0, 1, 0, 0, 0, 4, 256};
    for (int i = 2; i < argc && i < 8; i++)
        number[i] = strtoull(argv[i], NULL, 10);
    if (argc < 3 || argc > 8 || number[2] == 0 || number[6] == 0 || number[7] == 0) {
        fprintf(stderr, "Usage: loader_share FILE THREADS [DEPTH [LATENCY_US [CONSUME_US [EPOCHS "
                        "[BATCH]]]]]\n");
        return 2;
    }
    latency_ns = (int64_t)number[4] * 1000;
    o.flags = HR_LOADER_SHUFFLE;
    o.batch_samples = (uint32_t)number[7];
    o.num_threads = (uint32_t)number[2];
    o.io_depth = (uint32_t)number[3];
    o.num_epochs = number[6];
    o.io = latency_ns > 0 ? HR_IO_THREADS : HR_IO_CACHED;
    (void)prctl(PR_SET_TIMERSLACK, 1, 0, 0, 0);
    const struct hr__folder_ops *folder = latency_ns > 0 ? &slow_folder : &hr__posix_folder;
    hr_status st = hr__dataset_open_in(folder, argv[1], NULL, &ds, &err);
    if (st == HR_OK)
        st = hr_loader_open(ds, &o, &l, &err);
    if (st == HR_OK) {
        pthread_mutex_lock(&l->lock);
        consumers = &l->batch_ready;
        seen.since_ns = hr__now_ns();
        seen.lock = &l->lock;
        pthread_mutex_unlock(&l->lock);
        st = consume(l, o.num_epochs, (int64_t)number[5] * 1000, &err);
    }
    if (st == HR_OK)
        st = hr_loader_report(l, &r, &err);
    if (st == HR_OK) {
        printf("%u threads, %u reads, %.0f MB/s, first batch after %.1f ms; %s\n", r.num_threads,
               r.io_depth, (double)r.delivered_bytes * 1e3 / (double)r.elapsed_ns,
               (double)r.first_batch_ns / 1e6, r.sentence);
        print_shares(l);
        print_lock(&r);
    } else {
        fprintf(stderr, "loader_share: %s\n", err.message);
    }
    seen.lock = NULL;
    hr_loader_close(l);
    hr_dataset_close(ds);
    return st == HR_OK ? 0 : 1;
}
