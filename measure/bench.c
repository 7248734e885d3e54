/*
 * hr_bench(): what is asked for, and what of it can be measured here.
 */
#include "bench_run.h"

#include "checked.h"
#include "cpu.h"
#include "default_budget.h"
#include "error.h"
#include "loader_config.h"
#include "options.h"

#include <stdio.h>
#include <stdlib.h>

#define ALL_KINDS       ((1u << HR_BENCH_NUM_KINDS) - 1)
#define MAX_HELD_BYTES  (UINT64_C(256) << 20)
#define MAX_THREADS     1024u
#define DEFAULT_ROUNDS  7u
#define DEFAULT_BATCH   256u
#define DEFAULT_RUN_NS  INT64_C(1000000000)
#define SHORTEST_RUN_NS INT64_C(1000000)
#define LONGEST_RUN_NS  INT64_C(3600000000000)

static const char *const kind_names[HR_BENCH_NUM_KINDS] = {
    "decode",          "read-sequential", "read-shuffled", "memory-sequential",
    "memory-shuffled", "disk-sequential", "disk-shuffled",
};

const char *hr_bench_kind_name(uint32_t kind) {
    return kind < HR_BENCH_NUM_KINDS ? kind_names[kind] : NULL;
}

static hr_status options_check(const hr_bench_options *o, hr_error *err) {
    if ((o->measures & ~ALL_KINDS) != 0)
        return hr__error_set(err, HR_ERR_INVALID, "hr_bench_options.measures has unknown bits %#x",
                             o->measures & ~ALL_KINDS);
    if (o->num_rounds > HR__BENCH_MAX_ROUNDS)
        return hr__error_set(err, HR_ERR_INVALID, "num_rounds is %u, at most %u", o->num_rounds,
                             HR__BENCH_MAX_ROUNDS);
    if (o->num_threads > MAX_THREADS)
        return hr__error_set(err, HR_ERR_INVALID, "num_threads is %u, at most %u", o->num_threads,
                             MAX_THREADS);
    if (o->run_ns != 0 && (o->run_ns < SHORTEST_RUN_NS || o->run_ns > LONGEST_RUN_NS))
        return hr__error_set(err, HR_ERR_INVALID,
                             "run_ns is %lld, expected a millisecond to an hour, or 0",
                             (long long)o->run_ns);
    return HR_OK;
}

static hr_status options_resolve(const hr_bench_options *opts, hr_bench_options *o, hr_error *err) {
    *o = (hr_bench_options)HR_BENCH_OPTIONS_INIT;
    hr_status st = HR_OK;
    if (opts != NULL)
        st = hr__options_copy(opts, offsetof(hr_bench_options, batch_samples), o, sizeof(*o),
                              "hr_bench_options", err);
    if (st == HR_OK)
        st = options_check(o, err);
    if (st != HR_OK)
        return st;
    if (o->measures == 0)
        o->measures = ALL_KINDS;
    if (o->batch_samples == 0)
        o->batch_samples = DEFAULT_BATCH;
    if (o->num_threads == 0)
        o->num_threads = hr__cpu_count();
    if (o->num_rounds == 0)
        o->num_rounds = DEFAULT_ROUNDS;
    if (o->run_ns == 0)
        o->run_ns = DEFAULT_RUN_NS;
    return HR_OK;
}

/* Reads past the page cache: how, or why there are none. */
static hr_status direct_probe(struct hr__bench *b, hr_error *err) {
    hr_status st =
        hr__io_backend_choose(b->ds->files, b->ds->num_files, HR_IO_DIRECT, true, &b->direct, err);
    if (st != HR_ERR_UNSUPPORTED)
        return st;
    snprintf(b->no_disk, sizeof(b->no_disk), "%.*s", (int)sizeof(b->no_disk) - 1, err->message);
    return HR_OK;
}

/* What is asked for with the limits that it needs, without what cannot be measured here. */
static hr_status choose(struct hr__bench *b, hr_error *err) {
    hr_status st = HR_OK;
    b->asked = b->wanted = b->o.measures;
    if ((b->wanted & (HR__BENCH_READS | HR__BENCH_DISK)) != 0)
        st = direct_probe(b, err);
    if (b->no_disk[0] != '\0')
        b->wanted &= ~(HR__BENCH_READS | HR__BENCH_DISK);
    if (!hr__fits_page_cache(b->ds)) {
        b->no_memory = b->ds->num_files == 1
                           ? "the file does not fit half of the memory that is left"
                           : "the files do not fit half of the memory that is left";
        b->wanted &= ~HR__BENCH_MEMORY;
    }
    if ((b->wanted & (HR__BENCH_MEMORY | HR__BENCH_DISK)) != 0)
        b->wanted |= HR__BENCH_BIT(HR_BENCH_DECODE);
    if ((b->wanted & HR__BENCH_BIT(HR_BENCH_DISK_SEQUENTIAL)) != 0)
        b->wanted |= HR__BENCH_BIT(HR_BENCH_READ_SEQUENTIAL);
    if ((b->wanted & HR__BENCH_BIT(HR_BENCH_DISK_SHUFFLED)) != 0)
        b->wanted |= HR__BENCH_BIT(HR_BENCH_READ_SHUFFLED);
    return st;
}

/* A quarter of the budget is for chunks held in memory, but for one, which there must be. */
static hr_status hold_chunks(struct hr__bench *b, hr_error *err) {
    uint64_t budget = b->o.budget_bytes != 0 ? b->o.budget_bytes : hr_default_budget();
    hr__budget_init(&b->held, budget);
    hr_status st = hr__chunk_sample_load(b->ds, hr__min_u64(MAX_HELD_BYTES, budget / 4), &b->held,
                                         &b->sample, err);
    if (b->o.budget_bytes != 0 && st == HR_OK)
        b->loader_budget_bytes = budget - atomic_load(&b->held.reserved_bytes);
    return st;
}

static void bench_close(struct hr__bench *b) {
    hr__chunk_sample_free(&b->sample);
    hr__io_backend_close(&b->direct);
    hr__budget_close(&b->work);
    hr__budget_close(&b->held);
    free(b->values);
}

static hr_status bench_run(struct hr__bench *b, hr_error *err) {
    hr_status st;
    size_t count = (size_t)HR_BENCH_NUM_KINDS * b->o.num_rounds;
    HR_TRY(hold_chunks(b, err));
    b->values = calloc(count, sizeof(*b->values));
    if (b->values == NULL)
        return hr__error_no_memory(err, count * sizeof(*b->values), "the figures of all rounds");
    HR_TRY(choose(b, err));
    st = hr__bench_plan(b, err);
    if (st == HR_OK)
        st = hr__bench_rounds(b, err);
    if (st == HR_ERR_BUDGET && b->o.budget_bytes != 0)
        hr__error_prefix(err, "a quarter of the budget is for chunks held in memory, so give a "
                              "third more than is said here");
done:
    return st;
}

hr_status hr_bench(hr_dataset *ds, const hr_bench_options *opts, hr_bench_result *out,
                   hr_error *err) {
    struct hr__bench b = {.ds = ds};
    hr_bench_result result = {.struct_bytes = sizeof(result)};
    hr_error local = {0};
    hr_error *e = err != NULL ? err : &local;
    if (ds == NULL)
        return hr__error_set(err, HR_ERR_INVALID, "hr_bench: the data set must not be NULL");
    hr_status st = hr__result_check(out, offsetof(hr_bench_result, num_rounds), sizeof(*out),
                                    "hr_bench_result", err);
    if (st == HR_OK)
        st = options_resolve(opts, &b.o, err);
    if (st == HR_OK && ds->footer.schema.num_variable > 0)
        return hr__error_set(
            err, HR_ERR_UNSUPPORTED,
            "%s: it has values of variable length, which are not measured; time an "
            "epoch (headrace epoch) instead",
            hr__dataset_name(ds));
    if (st != HR_OK)
        return st;
    st = bench_run(&b, e);
    if (st == HR_OK) {
        hr__bench_result(&b, &result);
        hr__result_copy(out, &result, sizeof(result));
    } else if (st != HR_ERR_CANCELLED) {
        hr__dataset_name_error(ds, e);
    }
    bench_close(&b);
    return st;
}
