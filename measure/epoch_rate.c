/*
 * What a loader delivers to a consumer that gives every batch back at once, measured through the
 * public interface as a program would.
 */
#include "rates.h"

#include "clock.h"
#include "error.h"

/* Times and bytes of a run. */
struct run {
    const hr_loader_options *opts;
    int64_t run_ns;
    uint64_t sample_bytes;
    int64_t opened_ns, first_ns, last_ns; /* of batches */
    uint64_t bytes, first_bytes;          /* delivered; of the first batch */
};

/* True: the part that was asked for is over. */
static bool take(struct run *run, hr_batch *batch) {
    uint64_t bytes = hr_batch_num_samples(batch) * run->sample_bytes;
    hr_batch_release(batch);
    run->last_ns = hr__now_ns();
    if (run->bytes == 0) {
        run->first_ns = run->last_ns;
        run->first_bytes = bytes;
    }
    run->bytes += bytes;
    return run->opts->num_epochs == 0 && run->last_ns - run->first_ns >= run->run_ns;
}

/* Two ends without a batch between them are the end of the last epoch. */
static hr_status drive(hr_loader *loader, struct run *run, const struct hr__watch *watch,
                       hr_error *err) {
    int64_t asked_ns = hr__now_ns();
    for (bool ended = false;;) {
        hr_batch *batch = NULL;
        hr_status st = hr_loader_next(loader, HR__WATCH_EVERY_NS, &batch, err);
        if (st == HR_END_OF_EPOCH && ended)
            return HR_OK;
        if (st != HR_OK && st != HR_TIMEOUT && st != HR_END_OF_EPOCH)
            return st;
        ended = st == HR_END_OF_EPOCH || (ended && st == HR_TIMEOUT);
        if (st == HR_OK && take(run, batch))
            return HR_OK;
        int64_t now_ns = st == HR_OK ? run->last_ns : hr__now_ns();
        if (now_ns - asked_ns < HR__WATCH_EVERY_NS)
            continue;
        asked_ns = now_ns;
        if (hr__watch_stops(watch))
            return hr__error_set(err, HR_ERR_CANCELLED, "measuring was stopped");
    }
}

static void parts_of(const hr_loader_info *info, const struct run *run, struct hr__epoch_run *out) {
    double workers_ns = (double)info->num_threads * (double)(run->last_ns - run->opened_ns + 1);
    out->io_part = (double)info->wait_io_ns / workers_ns;
    out->decode_part = (double)info->decode_ns / workers_ns;
    out->consumer_part = (double)info->wait_consumer_ns / workers_ns;
    out->first_batch_ns = info->first_batch_ns;
}

hr_status hr__epoch_rate(hr_dataset *ds, const hr_loader_options *opts, int64_t run_ns,
                         const struct hr__watch *watch, struct hr__epoch_run *out, hr_error *err) {
    hr_loader *loader = NULL;
    hr_loader_info info = {.struct_bytes = sizeof(info)};
    struct run run = {.opts = opts,
                      .run_ns = run_ns,
                      .sample_bytes = hr_dataset_sample_bytes(ds, UINT32_MAX),
                      .opened_ns = hr__now_ns()};
    *out = (struct hr__epoch_run){0};
    hr_status st = hr_loader_open(ds, opts, &loader, err);
    if (st == HR_OK)
        st = drive(loader, &run, watch, err);
    if (st == HR_OK)
        st = hr_loader_describe(loader, &info, err);
    hr_loader_close(loader);
    if (st != HR_OK)
        return st;
    bool whole = opts->num_epochs > 0;
    double bytes = (double)(whole ? run.bytes : run.bytes - run.first_bytes);
    int64_t from_ns = whole ? run.opened_ns : run.first_ns;
    out->bytes_per_s = bytes * 1e9 / (double)(run.last_ns - from_ns + 1);
    parts_of(&info, &run, out);
    return HR_OK;
}
