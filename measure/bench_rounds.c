/*
 * Everything that is wanted once in each round, each round beginning with another one.
 */
#include "bench_run.h"

#include "checked.h"
#include "clock.h"
#include "error.h"
#include "loader_config.h"

#define PROBE_PART   5 /* of a run: a first look at how fast things are */
#define LONGEST_RUNS 8 /* an epoch that takes longer than so many runs is measured in part */
#define MOST_EPOCHS  1000u
#define WARM_BYTES   ((size_t)1 << 20)

static bool is_shuffled(hr_bench_kind kind) {
    return kind == HR_BENCH_READ_SHUFFLED || kind == HR_BENCH_MEMORY_SHUFFLED ||
           kind == HR_BENCH_DISK_SHUFFLED;
}

static bool stop(void *user) {
    struct hr__bench *b = user;
    return b->o.on_progress != NULL && b->o.on_progress(b->o.user, &b->progress) != 0;
}

static struct hr__watch watch_of(struct hr__bench *b) {
    return (struct hr__watch){stop, b};
}

static hr_loader_options loader_options(const struct hr__bench *b, bool shuffled, hr_io io,
                                        uint64_t epoch) {
    hr_loader_options o = HR_LOADER_OPTIONS_INIT;
    o.flags = shuffled ? HR_LOADER_SHUFFLE : 0;
    o.batch_samples = b->o.batch_samples;
    o.window_visits = shuffled ? b->o.window_visits : 0;
    o.seed = b->o.seed;
    o.first_epoch = epoch;
    o.num_threads = b->o.num_threads;
    o.budget_bytes = b->loader_budget_bytes;
    o.io = io;
    return o;
}

/* ---- the disk ---- */

static hr_status sketch_make(const struct hr__bench *b, bool shuffled, uint64_t epoch,
                             struct hr__sketch *out, hr_error *err) {
    const hr_loader_options o = loader_options(b, shuffled, HR_IO_DIRECT, epoch);
    return hr__sketch_make(b->ds, &o, o.io, out, err);
}

static hr_status disk_run(struct hr__bench *b, bool shuffled, uint64_t epoch, int64_t run_ns,
                          double *bytes_per_s, hr_error *err) {
    struct hr__sketch sketch;
    const struct hr__watch watch = watch_of(b);
    hr_status st = sketch_make(b, shuffled, epoch, &sketch, err);
    if (st != HR_OK)
        return st;
    const struct hr__disk_reads reads = {
        .sketch = &sketch, .backend = &b->direct, .most_bytes = UINT64_MAX, .budget = &b->work};
    st = hr__disk_rate(&reads, run_ns, &watch, bytes_per_s, err);
    hr__sketch_free(&sketch);
    return st;
}

/* ---- epochs ---- */

/* One file through the page cache; *asked_ns: when the watch was asked last. */
static hr_status warm_file(struct hr__bench *b, uint32_t file, void *buf, int64_t *asked_ns,
                           hr_error *err) {
    const struct hr__watch watch = watch_of(b);
    uint64_t end = b->ds->parts[file].superblock.file_bytes;
    hr_status st = HR_OK;
    for (uint64_t off = 0; off < end && st == HR_OK; off += WARM_BYTES) {
        st = hr__file_read_exact(&b->ds->files[file], buf,
                                 (size_t)hr__min_u64(WARM_BYTES, end - off), off, err);
        if (st != HR_OK)
            hr__error_name_file(err, b->ds->files[file].path);
        if (st != HR_OK || hr__now_ns() - *asked_ns < HR__WATCH_EVERY_NS)
            continue;
        *asked_ns = hr__now_ns();
        if (hr__watch_stops(&watch))
            st = hr__error_set(err, HR_ERR_CANCELLED, "measuring was stopped");
    }
    return st;
}

/* Through the page cache once, so that all is in it. */
static hr_status warm(struct hr__bench *b, hr_error *err) {
    int64_t asked_ns = hr__now_ns();
    hr_status st = HR_OK;
    void *buf = hr__budget_take_raw(&b->work, WARM_BYTES, "a piece of the file", &st, err);
    if (buf == NULL)
        return st;
    for (uint32_t i = 0; i < b->ds->num_files && st == HR_OK; i++)
        st = warm_file(b, i, buf, &asked_ns, err);
    hr__budget_free(&b->work, buf, WARM_BYTES);
    return st;
}

static hr_status epoch_run(struct hr__bench *b, hr_bench_kind kind, uint32_t round,
                           struct hr__bench_value *out, hr_error *err) {
    bool cached = kind == HR_BENCH_MEMORY_SEQUENTIAL || kind == HR_BENCH_MEMORY_SHUFFLED;
    hr_loader_options o =
        loader_options(b, is_shuffled(kind), cached ? HR_IO_CACHED : HR_IO_DIRECT, round);
    const struct hr__watch watch = watch_of(b);
    o.num_epochs = cached ? b->memory_epochs : b->disk_epochs;
    hr_status st = cached ? warm(b, err) : HR_OK;
    if (st == HR_OK)
        st = hr__epoch_rate(b->ds, &o, b->o.run_ns, &watch, &out->run, err);
    out->bytes_per_s = out->run.bytes_per_s;
    return st;
}

/* ---- before the rounds ---- */

/* Whole epochs that take about one run, or 0 where a single one is much longer. */
static uint32_t epochs_at(const struct hr__bench *b, double bytes_per_s) {
    double all =
        (double)b->ds->footer.num_samples * (double)hr_dataset_sample_bytes(b->ds, UINT32_MAX);
    double runs_of_one = all / bytes_per_s / ((double)b->o.run_ns / 1e9);
    if (runs_of_one > LONGEST_RUNS)
        return 0;
    double count = 1 / runs_of_one;
    return count >= MOST_EPOCHS ? MOST_EPOCHS : (uint32_t)count + 1;
}

static hr_status decode_run(struct hr__bench *b, int64_t run_ns, double *bytes_per_s,
                            hr_error *err) {
    const struct hr__watch watch = watch_of(b);
    return hr__decode_rate(&b->sample, b->num_threads, run_ns, &b->work, &watch, bytes_per_s, err);
}

/* What a shuffled loader would take, and with it the room of a single measure. */
static hr_status resolve(struct hr__bench *b, hr_error *err) {
    struct hr__sketch sketch;
    hr_status st = sketch_make(b, true, 0, &sketch, err);
    if (st != HR_OK)
        return st;
    const struct hr__loader_config *c = &sketch.config;
    b->window_visits = c->order_params.window_visits;
    b->num_threads = c->num_threads;
    b->read_depth = hr__sketch_depth(&sketch) * c->num_threads;
    b->plan_budget_bytes = c->budget_bytes;
    hr__budget_init(&b->work, c->budget_bytes);
    hr__sketch_free(&sketch);
    return HR_OK;
}

hr_status hr__bench_plan(struct hr__bench *b, hr_error *err) {
    double decode = 0, read = 0;
    int64_t probe_ns = b->o.run_ns / PROBE_PART;
    hr_status st;
    b->progress.num_rounds = b->o.num_rounds;
    b->progress.all_measures = (uint32_t)__builtin_popcount(b->wanted) * b->o.num_rounds;
    HR_TRY(resolve(b, err));
    if ((b->wanted & (HR__BENCH_MEMORY | HR__BENCH_DISK)) == 0)
        return HR_OK;
    HR_TRY(decode_run(b, probe_ns, &decode, err));
    b->memory_epochs = epochs_at(b, decode);
    if ((b->wanted & HR__BENCH_DISK) == 0)
        return HR_OK;
    b->progress.kind = HR_BENCH_READ_SEQUENTIAL;
    HR_TRY(disk_run(b, false, 0, probe_ns, &read, err));
    read *= hr__bench_ratio(b);
    b->disk_epochs = epochs_at(b, read < decode ? read : decode);
done:
    return st;
}

static hr_status measure(struct hr__bench *b, hr_bench_kind kind, uint32_t round, hr_error *err) {
    struct hr__bench_value *value = hr__bench_value(b, kind, round);
    b->progress.kind = kind;
    b->progress.round = round + 1;
    if (stop(b))
        return hr__error_set(err, HR_ERR_CANCELLED, "measuring was stopped");
    switch (kind) {
    case HR_BENCH_DECODE:
        return decode_run(b, b->o.run_ns, &value->bytes_per_s, err);
    case HR_BENCH_READ_SEQUENTIAL:
    case HR_BENCH_READ_SHUFFLED:
        return disk_run(b, is_shuffled(kind), round, b->o.run_ns, &value->bytes_per_s, err);
    default:
        return epoch_run(b, kind, round, value, err);
    }
}

hr_status hr__bench_rounds(struct hr__bench *b, hr_error *err) {
    hr_bench_kind kinds[HR_BENCH_NUM_KINDS];
    uint32_t count = 0;
    hr_status st = HR_OK;
    for (uint32_t k = 0; k < HR_BENCH_NUM_KINDS; k++)
        if ((b->wanted & HR__BENCH_BIT(k)) != 0)
            kinds[count++] = (hr_bench_kind)k;
    for (uint32_t round = 0; round < b->o.num_rounds; round++)
        for (uint32_t i = 0; i < count && st == HR_OK; i++) {
            st = measure(b, kinds[(i + round) % count], round, err);
            b->progress.done_measures++;
        }
    return st;
}
