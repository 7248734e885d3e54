/*
 * hr_probe(): a trial of the loader, and its parts by themselves, in less time than one waits for.
 *
 * Invariant: of the trials and the two measures, one at a time has memory, each no more than the
 * loader's budget.
 */
#include "cached_share.h"
#include "checked.h"
#include "clock.h"
#include "error.h"
#include "headrace/bench.h"
#include "loader.h"
#include "options.h"
#include "rates.h"
#include "trial.h"

#include <stdio.h>

#define DEFAULT_LIMIT_NS  INT64_C(1600000000)
#define SHORTEST_LIMIT_NS INT64_C(20000000)
#define LONGEST_LIMIT_NS  INT64_C(60000000000)
#define LEAST_RUN_NS      INT64_C(2000000)

/* Parts of the limit. A measure takes a fifth more, to warm up. */
#define TRIAL_PART      0.6
#define COLD_PART       0.45 /* where there is a second trial */
#define SECOND_PART     0.25 /* of what the page cache then has */
#define MEASURE_PART    0.1
#define ALL_CACHED      0.98
#define MOST_HELD_BYTES (UINT64_C(16) << 20)
#define HOLD_PART       32 /* of what is read in a second may be held to be decoded */

struct probe {
    hr_dataset *ds;
    hr_loader_options loader;
    hr_probe_options o;
    int64_t began_ns;
    struct hr__watch watch;
    struct hr__io_backend io;
    struct hr__sketch sketch;
    struct hr__budget work;
    double cached_share;
    struct hr__trial trial, second; /* second.visits is 0 where there is none */
    double read_bytes_per_s, decode_bytes_per_s;
};

static bool stop(void *user) {
    struct probe *p = user;
    return p->o.on_progress != NULL && p->o.on_progress(p->o.user) != 0;
}

/* What a part of the limit is, as far as there is still time: where something took longer than it
 * should, there is a moment left for what follows. */
static int64_t time_for(const struct probe *p, double part) {
    int64_t left_ns = p->began_ns + p->o.limit_ns - hr__now_ns();
    int64_t run_ns = (int64_t)((double)p->o.limit_ns * part);
    run_ns = run_ns < left_ns ? run_ns : left_ns;
    return run_ns > LEAST_RUN_NS ? run_ns : LEAST_RUN_NS;
}

static hr_status options_resolve(const hr_loader_options *loader, const hr_probe_options *opts,
                                 struct probe *p, hr_error *err) {
    hr_status st;
    p->o = (hr_probe_options)HR_PROBE_OPTIONS_INIT;
    if (opts != NULL)
        HR_TRY(hr__options_copy(opts, offsetof(hr_probe_options, user), &p->o, sizeof(p->o),
                                "hr_probe_options", err));
    if (p->o.flags != 0)
        return hr__error_set(err, HR_ERR_INVALID,
                             "hr_probe_options has unknown flags %#x; "
                             "leave them out, or use the Headrace that they were written for",
                             p->o.flags);
    if (p->o.limit_ns == 0)
        p->o.limit_ns = DEFAULT_LIMIT_NS;
    if (p->o.limit_ns < SHORTEST_LIMIT_NS || p->o.limit_ns > LONGEST_LIMIT_NS)
        return hr__error_set(err, HR_ERR_INVALID,
                             "limit_ns is %lld, expected 20 milliseconds to a minute, or 0",
                             (long long)p->o.limit_ns);
    HR_TRY(hr__loader_options_resolve(loader, &p->loader, err));
    p->loader.resume_state = NULL;
    p->loader.resume_state_bytes = 0;
done:
    return st;
}

/* ---- trials ---- */

static bool is_cold(const struct probe *p) {
    return p->cached_share >= 0 && p->cached_share < ALL_CACHED;
}

/* A file that is not in the page cache is read once only, or the trial would find it there. */
static hr_status first_trial(struct probe *p, hr_error *err) {
    bool cold = is_cold(p);
    hr_loader_options o = p->loader;
    o.num_epochs = cold ? 1 : 0;
    return hr__trial_run(p->ds, &o, time_for(p, cold ? COLD_PART : TRIAL_PART), UINT64_MAX,
                         &p->watch, &p->trial, err);
}

/* Over the visits of the first, which the page cache has now, but for those that were in flight. */
static hr_status second_trial(struct probe *p, hr_error *err) {
    const struct hr__loader_config *c = &p->sketch.config;
    uint64_t ahead = (uint64_t)hr__sketch_depth(&p->sketch) * c->num_threads;
    hr_loader_options o = p->loader;
    o.num_epochs = 1;
    if (!is_cold(p) || p->trial.visits <= ahead)
        return HR_OK;
    return hr__trial_run(p->ds, &o, time_for(p, SECOND_PART), p->trial.visits - ahead, &p->watch,
                         &p->second, err);
}

/* ---- the parts by themselves ---- */

/* Where the disk limits, the trial has read as fast as can be, and what more a slow one would be
 * asked for would have to be waited for. */
static hr_status measure_reads(struct probe *p, hr_error *err) {
    const struct hr__trial *t = &p->trial;
    if (t->report.limit == HR_LIMIT_DISK) {
        p->read_bytes_per_s = t->visits_per_s * t->read_bytes;
        return HR_OK;
    }
    const struct hr__disk_reads reads = {.sketch = &p->sketch,
                                         .backend = &p->io,
                                         .most_bytes =
                                             hr__round_up((uint64_t)t->read_bytes, HR__PAGE_BYTES),
                                         .budget = &p->work};
    hr_status st = hr__io_backend_start(&p->io, p->sketch.config.io_depth, err);
    if (st == HR_OK)
        st = hr__disk_rate(&reads, time_for(p, MEASURE_PART), &p->watch, &p->read_bytes_per_s, err);
    return st;
}

/* So many chunks that reading them, one after the other, takes little of the time. */
static uint64_t held_bytes(const struct probe *p) {
    uint64_t most = hr__min_u64(MOST_HELD_BYTES, p->work.limit_bytes / 4);
    double quick = p->trial.visits_per_s * p->trial.read_bytes / HOLD_PART;
    return quick < (double)most ? (uint64_t)quick : most;
}

static hr_status measure_decoding(struct probe *p, hr_error *err) {
    struct hr__chunk_sample sample = {0};
    hr_status st = hr__chunk_sample_load(p->ds, held_bytes(p), &p->work, &sample, err);
    if (st == HR_OK)
        st = hr__decode_rate(&sample, p->sketch.config.num_threads, time_for(p, MEASURE_PART),
                             &p->work, &p->watch, &p->decode_bytes_per_s, err);
    hr__chunk_sample_free(&sample);
    return st;
}

/* ---- all of it ---- */

static hr_status prepare(struct probe *p, hr_error *err) {
    hr_status st;
    HR_TRY(hr__loader_io_choose(p->ds, p->loader.io, &p->io, err));
    HR_TRY(hr__sketch_make(p->ds, &p->loader, p->io.io, &p->sketch, err));
    const struct hr__loader_config *c = &p->sketch.config;
    p->loader.budget_bytes = c->budget_bytes;
    hr__budget_init(&p->work, c->budget_bytes - p->ds->budget.reserved_bytes);
    if (c->has_values || c->has_pads)
        return hr__error_set(err, HR_ERR_UNSUPPORTED,
                             "values of variable length cannot be tried; leave them out of the "
                             "fields, or time an epoch (headrace epoch)");
    if (hr__wanted_sample_bytes(c) == 0)
        return hr__error_set(err, HR_ERR_INVALID,
                             "the samples of these fields hold no byte to decode; there is nothing "
                             "to predict");
    p->cached_share = -1;
    if (p->io.io == HR_IO_CACHED || p->io.io == HR_IO_THREADS)
        HR_TRY(hr__cached_share(&p->sketch, &p->cached_share, err));
done:
    return st;
}

static hr_status probe_run(struct probe *p, hr_error *err) {
    hr_status st;
    HR_TRY(prepare(p, err));
    HR_TRY(first_trial(p, err));
    hr__trial_judge(&p->trial);
    HR_TRY(second_trial(p, err));
    HR_TRY(measure_reads(p, err));
    HR_TRY(measure_decoding(p, err));
done:
    return st;
}

static void predict(const struct probe *p, hr_probe_result *out) {
    const struct hr__loader_config *c = &p->sketch.config;
    const struct hr__trial *t = &p->trial, *later = p->second.visits > 0 ? &p->second : t;
    double visits = (double)hr__epoch_visits(&p->sketch), samples = 0;
    for (uint32_t i = 0; i < c->num_streams; i++)
        samples += (double)hr__order_epoch_samples(p->sketch.epoch, c->first_stream + i);
    double sample_bytes = (double)hr__wanted_sample_bytes(c);
    double visit_bytes = samples * sample_bytes / visits;
    out->limit = t->report.limit;
    snprintf(out->sentence, sizeof(out->sentence), "%s", t->report.sentence);
    out->first_batch_ns = t->first_batch_ns >= 0
                              ? t->first_batch_ns
                              : hr__trial_expects_ns(t, hr__first_batch_visits(&p->sketch));
    out->epoch_ns =
        t->epoch_ns >= 0 ? t->epoch_ns : hr__trial_expects_ns(t, hr__epoch_visits(&p->sketch));
    out->later_epoch_ns = (int64_t)(visits * 1e9 / later->visits_per_s);
    out->bytes_per_s = t->visits_per_s * visit_bytes;
    out->samples_per_s = out->bytes_per_s / sample_bytes;
    out->later_bytes_per_s = later->visits_per_s * visit_bytes;
    out->decode_bytes_per_s = p->decode_bytes_per_s;
    out->read_bytes_per_s = p->read_bytes_per_s;
    out->ratio = visit_bytes / t->read_bytes;
    out->cached_share = p->cached_share;
    out->visits = t->visits + p->second.visits;
    out->took_ns = hr__now_ns() - p->began_ns;
}

hr_status hr_probe(hr_dataset *ds, const hr_loader_options *loader, const hr_probe_options *opts,
                   hr_probe_result *out, hr_error *err) {
    struct probe p = {.ds = ds, .began_ns = hr__now_ns()};
    hr_probe_result result = {.struct_bytes = sizeof(result)};
    hr_error local = {0};
    hr_error *e = err != NULL ? err : &local;
    if (ds == NULL)
        return hr__error_set(err, HR_ERR_INVALID, "hr_probe: the data set must not be NULL");
    hr_status st = hr__result_check(out, offsetof(hr_probe_result, sentence), sizeof(*out),
                                    "hr_probe_result", err);
    if (st == HR_OK)
        st = options_resolve(loader, opts, &p, e);
    if (st != HR_OK)
        return st;
    p.watch = (struct hr__watch){stop, &p};
    st = probe_run(&p, e);
    if (st == HR_OK) {
        predict(&p, &result);
        hr__result_copy(out, &result, sizeof(result));
    } else if (st != HR_ERR_CANCELLED) {
        hr__dataset_name_error(ds, e);
    }
    hr__sketch_free(&p.sketch);
    hr__io_backend_close(&p.io);
    hr__budget_close(&p.work);
    return st;
}
