/*
 * soak FOLDER BATCHES CYCLES [SEED] [--leak]: loaders of every kind are opened, read and closed at
 * random moments, so many batches and so many times, on a small data set written into FOLDER. What
 * came is checked. Prints what the process held after a warm-up and at the end as JSON; where
 * something has grown, says so in words and ends with 1. --leak leaves one loader open, to show
 * that this is seen. Public headers only.
 */
#define _GNU_SOURCE
#include "headrace/headrace.h"

#include <dirent.h>
#include <inttypes.h>
#include <malloc.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define NUM_SAMPLES       8192u
#define SAMPLES_PER_CHUNK 64u
#define ROW_BYTES         24u
#define BATCH_SAMPLES     16u
#define BUDGET_BYTES      ((uint64_t)16 << 20)
#define MAX_HELD          4u
#define MAX_TAKEN         48u /* batches of a cycle */
#define RARELY            100u
#define NUM_IO            5u

/* What may differ at the end: stacks that the C library keeps for its next threads, and pages that
 * its heap has not given back. */
#define ALLOWED_HEAP_BYTES 16384
#define ALLOWED_RSS_BYTES  (4 << 20)
#define SETTLE_MS          2000

static const char *const io_names[NUM_IO] = {"auto", "direct", "cached", "threads", "libaio"};

struct soak {
    const char *path;
    hr_dataset *ds;
    uint64_t random;
    bool works[NUM_IO];
    uint64_t opened[NUM_IO];
    uint64_t batches, cycles, resumed, reopened;
    uint8_t state[HR_LOADER_STATE_BYTES];
    size_t state_bytes; /* 0: none */
    hr_error err;
};

static uint32_t below(struct soak *s, uint32_t limit) {
    s->random = s->random * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)((s->random >> 33) % limit);
}

static hr_status wrong(struct soak *s, const char *what) {
    snprintf(s->err.message, sizeof(s->err.message), "%s", what);
    return HR_ERR_DATA;
}

/* ---- data ---- */

static uint8_t byte_of(uint64_t sample, uint64_t at) {
    return (uint8_t)(sample * 31 + at * 7 + (sample >> 8));
}

static hr_status append_rows(hr_writer *w, hr_error *err) {
    static int64_t y[NUM_SAMPLES];
    static uint8_t x[NUM_SAMPLES][ROW_BYTES];
    for (uint32_t i = 0; i < NUM_SAMPLES; i++) {
        y[i] = i;
        for (uint32_t at = 0; at < ROW_BYTES; at++)
            x[i][at] = byte_of(i, at);
    }
    return hr_writer_append(w, NUM_SAMPLES, (const void *const[]){y, x}, err);
}

static hr_status write_data(const char *path, hr_error *err) {
    const uint64_t shape = ROW_BYTES;
    const hr_field fields[] = {{.name = "y", .dtype = HR_INT64},
                               {.name = "x", .dtype = HR_UINT8, .rank = 1, .shape = &shape}};
    hr_writer_options o = HR_WRITER_OPTIONS_INIT;
    hr_writer *w = NULL;
    o.flags = HR_WRITER_REPLACE;
    o.samples_per_chunk = SAMPLES_PER_CHUNK;
    o.budget_bytes = 4 * BUDGET_BYTES;
    hr_status st = hr_writer_open(path, fields, 2, &o, &w, err);
    if (st == HR_OK)
        st = append_rows(w, err);
    if (st == HR_OK)
        st = hr_writer_commit(w, err);
    hr_writer_close(w);
    return st;
}

static bool batch_right(const hr_batch *b) {
    const int64_t *y = hr_batch_data(b, 0);
    const uint8_t *x = hr_batch_data(b, 1);
    for (uint32_t i = 0; i < hr_batch_num_samples(b); i++) {
        if (y[i] < 0 || y[i] >= NUM_SAMPLES)
            return false;
        for (uint32_t at = 0; at < ROW_BYTES; at++)
            if (x[i * ROW_BYTES + at] != byte_of((uint64_t)y[i], at))
                return false;
    }
    return true;
}

/* ---- loaders ---- */

static hr_loader_options random_options(struct soak *s) {
    const uint32_t lasts[] = {0, HR_LOADER_DROP_LAST, HR_LOADER_PAD_LAST};
    hr_loader_options o = HR_LOADER_OPTIONS_INIT;
    o.flags = lasts[below(s, 3)] | (below(s, 2) ? HR_LOADER_SHUFFLE : 0);
    o.batch_samples = BATCH_SAMPLES + below(s, 2);
    o.seed = below(s, 1000);
    o.num_threads = 1 + below(s, 4);
    o.max_held_batches = 1 + below(s, MAX_HELD);
    o.budget_bytes = BUDGET_BYTES;
    do
        o.io = (hr_io)below(s, HR_IO_LIBAIO); /* closing libaio takes the kernel tens of ms */
    while (!s->works[o.io]);
    if (s->works[HR_IO_LIBAIO] && below(s, RARELY) == 0)
        o.io = HR_IO_LIBAIO;
    return o;
}

static hr_status open_dataset(struct soak *s) {
    hr_open_options o = HR_OPEN_OPTIONS_INIT;
    o.budget_bytes = BUDGET_BYTES;
    return hr_dataset_open(s->path, &o, &s->ds, &s->err);
}

static void close_dataset(struct soak *s) {
    hr_dataset_close(s->ds);
    s->ds = NULL;
}

/* The next batch, checked; ends of epochs are passed. */
static hr_status take(struct soak *s, hr_loader *loader, hr_batch **out) {
    hr_status st;
    do
        st = hr_loader_next(loader, -1, out, &s->err);
    while (st == HR_END_OF_EPOCH);
    s->batches += st == HR_OK;
    return st == HR_OK && !batch_right(*out) ? wrong(s, "a batch holds wrong data") : st;
}

/* Takes batches, gives some back in any order, and leaves up to max_held of them held. */
static hr_status take_some(struct soak *s, hr_loader *loader, uint32_t max_held) {
    hr_batch *held[MAX_HELD];
    uint32_t num_held = 0;
    hr_status st = HR_OK;
    for (uint32_t left = below(s, MAX_TAKEN); left > 0 && st == HR_OK; left--) {
        if (num_held == max_held || (num_held > 0 && below(s, 2))) {
            uint32_t which = below(s, num_held);
            hr_batch_release(held[which]);
            held[which] = held[--num_held];
        }
        st = take(s, loader, &held[num_held]);
        num_held += st == HR_OK;
    }
    return st;
}

/* Opens the loader of a cycle: one in four goes on where an earlier one was. */
static hr_status open_loader(struct soak *s, hr_loader_options *o, hr_loader **out) {
    static hr_loader_options before;
    if (s->state_bytes > 0 && below(s, 4) == 0) {
        o->flags = before.flags;
        o->batch_samples = before.batch_samples;
        o->seed = before.seed;
        o->resume_state = s->state;
        o->resume_state_bytes = s->state_bytes;
        s->resumed++;
    }
    hr_status st = hr_loader_open(s->ds, o, out, &s->err);
    before = *o;
    s->opened[o->io] += st == HR_OK;
    return st;
}

static hr_status cycle(struct soak *s) {
    hr_loader_options o = random_options(s);
    hr_loader *loader = NULL;
    if (s->ds != NULL && below(s, 8) == 0) {
        close_dataset(s);
        s->reopened++;
    }
    hr_status st = s->ds == NULL ? open_dataset(s) : HR_OK;
    if (st == HR_OK)
        st = open_loader(s, &o, &loader);
    if (st == HR_OK)
        st = take_some(s, loader, o.max_held_batches);
    if (st == HR_OK)
        st = hr_loader_state(loader, s->state, sizeof(s->state), &s->state_bytes, &s->err);
    hr_loader_close(loader); /* with batches held, or before the first came */
    s->cycles += st == HR_OK;
    return st;
}

/* One loader that is read for num_batches, epoch after epoch. */
static hr_status long_run(struct soak *s, hr_io io, uint32_t flags, uint64_t num_batches) {
    hr_loader_options o = HR_LOADER_OPTIONS_INIT;
    hr_loader *loader = NULL;
    o.flags = flags;
    o.batch_samples = BATCH_SAMPLES;
    o.num_threads = 2;
    o.budget_bytes = BUDGET_BYTES;
    o.io = io;
    hr_status st = hr_loader_open(s->ds, &o, &loader, &s->err);
    s->opened[io] += st == HR_OK;
    for (uint64_t i = 0; i < num_batches && st == HR_OK; i++) {
        hr_batch *b = NULL;
        st = take(s, loader, &b);
        hr_batch_release(b);
    }
    hr_loader_close(loader);
    return st;
}

/* Batches of long runs, shared among back ends and orders. */
static hr_status long_runs(struct soak *s, uint64_t num_batches) {
    hr_status st = s->ds == NULL ? open_dataset(s) : HR_OK;
    uint32_t num_runs = 0;
    for (uint32_t io = 0; io < NUM_IO; io++)
        num_runs += 2 * s->works[io];
    for (uint32_t io = 0; io < NUM_IO && st == HR_OK; io++) {
        const uint64_t each = s->works[io] ? (num_batches + num_runs - 1) / num_runs : 0;
        if (each > 0)
            st = long_run(s, (hr_io)io, 0, each);
        if (each > 0 && st == HR_OK)
            st = long_run(s, (hr_io)io, HR_LOADER_SHUFFLE, each);
    }
    return st;
}

/* Which back ends this machine has for the file. */
static hr_status probe(struct soak *s) {
    hr_status st = open_dataset(s);
    for (uint32_t io = 0; io < NUM_IO && st == HR_OK; io++) {
        hr_loader_plan plan = {.struct_bytes = sizeof(plan)};
        hr_loader_options o = HR_LOADER_OPTIONS_INIT;
        o.batch_samples = BATCH_SAMPLES;
        o.budget_bytes = BUDGET_BYTES;
        o.io = (hr_io)io;
        s->works[io] = hr_loader_plan_make(s->ds, &o, &plan, &s->err) == HR_OK;
    }
    return st == HR_OK && !s->works[HR_IO_AUTO] ? wrong(s, "no back end works") : st;
}

static hr_status soak(struct soak *s, uint64_t num_batches, uint64_t num_cycles) {
    hr_status st = HR_OK;
    for (uint64_t i = 0; i < num_cycles && st == HR_OK; i++)
        st = cycle(s);
    if (st == HR_OK)
        st = long_runs(s, num_batches);
    close_dataset(s);
    return st;
}

/* ---- what the process holds ---- */

struct held {
    uint64_t heap_bytes, rss_bytes, budget_bytes, threads, descriptors;
};

static uint64_t entries(const char *folder) {
    uint64_t n = 0;
    DIR *d = opendir(folder);
    while (d != NULL && readdir(d) != NULL)
        n++;
    if (d != NULL)
        closedir(d);
    return n - (n >= 2 ? 2 : 0);
}

static uint64_t rss_bytes(void) {
    unsigned long size = 0, resident = 0;
    FILE *f = fopen("/proc/self/statm", "r");
    if (f == NULL || fscanf(f, "%lu %lu", &size, &resident) != 2)
        resident = 0;
    if (f != NULL)
        fclose(f);
    return (uint64_t)resident * (uint64_t)sysconf(_SC_PAGESIZE);
}

static struct held look(void) {
    malloc_trim(0);
    const struct mallinfo2 heap = mallinfo2();
    return (struct held){heap.uordblks + heap.hblkhd, rss_bytes(), hr_memory_in_use(),
                         entries("/proc/self/task"), entries("/proc/self/fd")};
}

/* The kernel takes a moment to bury threads that were joined, and workers of closed rings. */
static struct held look_settled(uint64_t threads) {
    const struct timespec moment = {.tv_nsec = 10000000};
    struct held now = look();
    for (int ms = 0; ms < SETTLE_MS && now.threads > threads; ms += 10) {
        nanosleep(&moment, NULL);
        now = look();
    }
    return now;
}

static bool grown(const char *what, uint64_t before, uint64_t after, uint64_t allowed) {
    if (after <= before + allowed)
        return false;
    fprintf(stderr, "soak: %s: %" PRIu64 " after the warm-up, %" PRIu64 " at the end", what, before,
            after);
    fprintf(stderr, " (%" PRIu64 " more are allowed)\n", allowed);
    return true;
}

static bool any_grown(const struct held *a, const struct held *b) {
    bool found = grown("bytes of budgets", 0, b->budget_bytes, 0);
    found |= grown("bytes of the heap", a->heap_bytes, b->heap_bytes, ALLOWED_HEAP_BYTES);
    found |= grown("resident bytes", a->rss_bytes, b->rss_bytes, ALLOWED_RSS_BYTES);
    found |= grown("threads", a->threads, b->threads, 0);
    return grown("descriptors", a->descriptors, b->descriptors, 0) || found;
}

static void print_held(const char *name, const struct held *h) {
    printf(", \"%s\": {\"heap_bytes\": %" PRIu64 ", \"rss_bytes\": %" PRIu64
           ", \"budget_bytes\": %" PRIu64 ", \"threads\": %" PRIu64 ", \"descriptors\": %" PRIu64
           "}",
           name, h->heap_bytes, h->rss_bytes, h->budget_bytes, h->threads, h->descriptors);
}

static void print_json(const struct soak *s, const struct held *before, const struct held *after) {
    printf("{\"batches\": %" PRIu64 ", \"cycles\": %" PRIu64 ", \"resumed\": %" PRIu64
           ", \"reopened\": %" PRIu64 ", \"loaders\": {",
           s->batches, s->cycles, s->resumed, s->reopened);
    for (uint32_t io = 0; io < NUM_IO; io++)
        printf("%s\"%s\": %" PRIu64, io > 0 ? ", " : "", io_names[io], s->opened[io]);
    printf("}");
    print_held("before", before);
    print_held("after", after);
    printf(", \"allowed\": {\"heap_bytes\": %d, \"rss_bytes\": %d}}\n", ALLOWED_HEAP_BYTES,
           ALLOWED_RSS_BYTES);
}

/* ---- the whole ---- */

/* A loader, its data set and a batch that nobody closes. */
static hr_status leak(struct soak *s) {
    hr_loader_options o = HR_LOADER_OPTIONS_INIT;
    hr_loader *loader = NULL;
    hr_batch *b = NULL;
    o.batch_samples = BATCH_SAMPLES;
    o.budget_bytes = BUDGET_BYTES;
    hr_status st = open_dataset(s);
    if (st == HR_OK)
        st = hr_loader_open(s->ds, &o, &loader, &s->err);
    return st == HR_OK ? take(s, loader, &b) : st;
}

static int run(struct soak *s, uint64_t num_batches, uint64_t num_cycles, bool leaks) {
    struct held before = {0}, after;
    hr_status st = write_data(s->path, &s->err);
    if (st == HR_OK)
        st = probe(s);
    if (st == HR_OK) /* the warm-up: a tenth, but every back end */
        st = soak(s, num_batches / 10 + 1, num_cycles / 10 + 1);
    before = look_settled(1);
    s->batches = s->cycles = s->resumed = s->reopened = 0;
    memset(s->opened, 0, sizeof(s->opened));
    if (st == HR_OK)
        st = soak(s, num_batches, num_cycles);
    if (st == HR_OK && leaks)
        st = leak(s);
    if (st != HR_OK) {
        fprintf(stderr, "soak: cycle %" PRIu64 ", batch %" PRIu64 ": %s\n", s->cycles, s->batches,
                s->err.message);
        return 1;
    }
    after = look_settled(before.threads);
    print_json(s, &before, &after);
    return any_grown(&before, &after) ? 1 : 0;
}

/* The C library's caches of freed memory count as in use: without them the heap is exact. */
static void without_thread_caches(char **argv) {
    const char *setting = "glibc.malloc.tcache_count=0";
    const char *now = getenv("GLIBC_TUNABLES");
    if (now == NULL && setenv("GLIBC_TUNABLES", setting, 1) == 0)
        execv("/proc/self/exe", argv);
}

static bool number(const char *text, uint64_t *out) {
    char *end = NULL;
    *out = strtoull(text, &end, 10);
    return *text >= '0' && *text <= '9' && *end == '\0';
}

int main(int argc, char **argv) {
    static struct soak s;
    char path[4096];
    uint64_t num_batches = 0, num_cycles = 0;
    const bool leaks = argc > 4 && strcmp(argv[argc - 1], "--leak") == 0;
    const int num_words = argc - leaks;
    s.random = 1;
    if (num_words < 4 || num_words > 5 || !number(argv[2], &num_batches) ||
        !number(argv[3], &num_cycles) || (num_words == 5 && !number(argv[4], &s.random)) ||
        snprintf(path, sizeof(path), "%s/soak.hrd", argv[1]) >= (int)sizeof(path)) {
        fprintf(stderr, "usage: %s FOLDER BATCHES CYCLES [SEED] [--leak]\n", argv[0]);
        return 2;
    }
    without_thread_caches(argv);
    s.path = path;
    const int rc = run(&s, num_batches, num_cycles, leaks);
    unlink(path);
    return rc;
}
