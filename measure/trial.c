/*
 * A loader at work for a short while.
 */
#include "trial.h"

#include "checked.h"
#include "clock.h"
#include "error.h"
#include "loader.h"
#include "loader_report.h"

#define POLL_NS      INT64_C(5000000)
#define WARM_PART    10 /* of the run at least before the rate is taken */
#define WARM_MOST    3  /* and this part at most, where no batch has come */
#define FEW_VISITS   16u
#define SOME_BATCHES 2u

struct mark {
    int64_t ns;
    uint64_t visits;
};

struct run {
    hr_loader *loader;
    const hr_loader_options *opts;
    int64_t opened_ns, run_ns, asked_ns;
    uint64_t most_visits, batches;
    struct mark warm, end; /* from the open */
    struct hr__trial *out;
};

static uint64_t visits_of(const struct hr_loader *l) {
    uint64_t n = 0;
    for (uint32_t i = 0; i < l->num_workers; i++)
        n += atomic_load_explicit(&l->workers[i].counters.visits, memory_order_relaxed);
    return n;
}

static struct mark mark_now(const struct run *r) {
    return (struct mark){hr__now_ns() - r->opened_ns, visits_of(r->loader)};
}

static bool is_warm(const struct run *r, int64_t ns) {
    return ns >= r->run_ns / WARM_MOST || (r->batches > 0 && ns >= r->run_ns / WARM_PART);
}

/* True: the run is over. */
static bool look(struct run *r) {
    r->end = mark_now(r);
    if (r->warm.ns == 0 && is_warm(r, r->end.ns))
        r->warm = r->end;
    return r->end.visits > 0 && (r->end.ns >= r->run_ns || r->end.visits >= r->most_visits);
}

static hr_status drive(struct run *r, const struct hr__watch *watch, hr_error *err) {
    while (!look(r)) {
        hr_batch *batch = NULL;
        hr_status st = hr_loader_next(r->loader, POLL_NS, &batch, err);
        if (st == HR_OK) {
            hr_batch_release(batch);
            r->batches++;
        } else if (st == HR_END_OF_EPOCH) {
            if (r->out->epoch_ns < 0)
                r->out->epoch_ns = hr__now_ns() - r->opened_ns;
            if (r->opts->num_epochs == 1)
                break;
        } else if (st != HR_TIMEOUT) {
            return st;
        }
        if (r->end.ns - r->asked_ns < HR__WATCH_EVERY_NS)
            continue;
        r->asked_ns = r->end.ns;
        if (hr__watch_stops(watch))
            return hr__error_set(err, HR_ERR_CANCELLED, "measuring was stopped");
    }
    r->end = mark_now(r);
    return HR_OK;
}

/* Visits that came while memory was touched for the first time are left out where others came, and
 * so many that it does not matter which are half done. */
static void conclude(const struct run *r, struct hr__trial *out) {
    bool many = r->end.visits - r->warm.visits >= FEW_VISITS;
    struct mark from = many ? r->warm : (struct mark){0, 0};
    out->took_ns = r->end.ns;
    out->visits = r->end.visits;
    out->visits_per_s =
        (double)(r->end.visits - from.visits) * 1e9 / (double)(r->end.ns - from.ns + 1);
    out->first_batch_ns = out->report.first_batch_ns;
    pthread_mutex_lock(&r->loader->lock);
    out->wait_first_ns = r->loader->wait_first_ns;
    out->read_bytes = (double)out->report.read_bytes / (double)r->loader->next_seq;
    pthread_mutex_unlock(&r->loader->lock);
}

hr_status hr__trial_run(hr_dataset *ds, const hr_loader_options *opts, int64_t run_ns,
                        uint64_t most_visits, const struct hr__watch *watch, struct hr__trial *out,
                        hr_error *err) {
    struct run r = {.opts = opts,
                    .opened_ns = hr__now_ns(),
                    .run_ns = run_ns,
                    .most_visits = most_visits,
                    .out = out};
    *out = (struct hr__trial){.epoch_ns = -1, .report = {.struct_bytes = sizeof(out->report)}};
    hr_status st = hr_loader_open(ds, opts, &r.loader, err);
    if (st == HR_OK)
        st = drive(&r, watch, err);
    if (st == HR_OK)
        st = hr_loader_report(r.loader, &out->report, err);
    if (st == HR_OK)
        conclude(&r, out);
    hr_loader_close(r.loader);
    return st;
}

uint64_t hr__epoch_visits(const struct hr__sketch *s) {
    const struct hr__loader_config *c = &s->config;
    uint64_t n = 0;
    for (uint32_t i = 0; i < c->num_streams; i++)
        n += hr__order_epoch_visits(s->epoch, c->first_stream + i);
    return n;
}

uint64_t hr__first_batch_visits(const struct hr__sketch *s) {
    const struct hr__loader_config *c = &s->config;
    uint64_t n = 0;
    for (uint32_t i = 0; i < c->num_streams; i++) {
        uint64_t first, last;
        hr__order_batch_visits(s->epoch, c->first_stream + i, 0, &first, &last);
        n = hr__max_u64(n, last * c->num_streams + i + 1);
    }
    return hr__min_u64(n, hr__epoch_visits(s));
}

int64_t hr__trial_expects_ns(const struct hr__trial *t, uint64_t visits) {
    if (visits <= t->visits)
        return t->took_ns;
    return t->took_ns + (int64_t)((double)(visits - t->visits) * 1e9 / t->visits_per_s);
}

void hr__trial_judge(struct hr__trial *t) {
    enum hr__given_up given_up;
    hr_loader_report_info known = t->report;
    known.visits = hr__max_u64(known.visits, FEW_VISITS);
    known.batches_delivered = hr__max_u64(known.batches_delivered, SOME_BATCHES);
    known.wait_batch_ns = known.elapsed_ns; /* every batch was taken as it came */
    t->report.limit = hr__report_limit(&known, t->wait_first_ns, &given_up);
    t->report.read_bytes = (uint64_t)((double)t->visits * t->read_bytes);
    hr__report_sentence(&t->report, given_up);
}
