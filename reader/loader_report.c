/*
 * hr_loader_report(): the counters of all workers added up.
 */
#include "loader_report.h"

#include "clock.h"
#include "cpu.h"
#include "loader.h"
#include "options.h"
#include "storage_advice.h"

#include <string.h>

static int64_t ns_of(const _Atomic int64_t *counter) {
    return atomic_load_explicit(counter, memory_order_relaxed);
}

static uint64_t count_of(const _Atomic uint64_t *counter) {
    return atomic_load_explicit(counter, memory_order_relaxed);
}

/* A wait that has not ended. */
static void add_open_wait(const struct hr__counters *c, int64_t now_ns, hr_loader_report_info *r) {
    int what = atomic_load_explicit(&c->waits_for, memory_order_acquire);
    int64_t ns = now_ns - ns_of(&c->since_ns);
    if (what == HR__WAIT_IO)
        r->wait_io_ns += ns;
    else if (what == HR__WAIT_RING)
        r->wait_ring_ns += ns;
    else if (what == HR__WAIT_CONSUMER)
        r->wait_consumer_ns += ns;
}

struct timed {
    int64_t all_ns, scatter_ns;
};

static void add_worker(const struct hr__counters *c, int64_t now_ns, hr_loader_report_info *r,
                       struct timed *timed) {
    int64_t began_ns = ns_of(&c->began_ns), ended_ns = ns_of(&c->ended_ns);
    if (began_ns == 0)
        return;
    r->thread_ns += (ended_ns != 0 ? ended_ns : now_ns) - began_ns;
    r->wait_io_ns += ns_of(&c->wait_io_ns);
    r->copy_ns += ns_of(&c->copy_ns);
    r->decode_ns += ns_of(&c->busy_ns);
    r->finish_ns += ns_of(&c->finish_ns);
    r->wait_ring_ns += ns_of(&c->wait_ring_ns);
    r->wait_consumer_ns += ns_of(&c->wait_consumer_ns);
    r->read_bytes += count_of(&c->read_bytes);
    r->wanted_bytes += count_of(&c->wanted_bytes);
    r->visits += count_of(&c->visits);
    timed->all_ns += ns_of(&c->timed_ns);
    timed->scatter_ns += ns_of(&c->timed_scatter_ns);
    for (uint32_t i = 0; i < HR_LATENCY_BUCKETS; i++)
        r->latency_counts[i] += count_of(&c->latency[i]);
    add_open_wait(c, now_ns, r);
}

static bool all_ended(const struct hr_loader *l) {
    for (uint32_t i = 0; i < l->num_workers; i++)
        if (ns_of(&l->workers[i].counters.ended_ns) == 0)
            return false;
    return true;
}

/* Returns what of wait_batch_ns came before the first batch. */
static int64_t add_consumer(struct hr_loader *l, int64_t now_ns, hr_loader_report_info *r) {
    pthread_mutex_lock(&l->lock);
    bool over = all_ended(l) && l->next_began_ns == 0 && l->next_ended_ns != 0;
    int64_t wait_ns = l->wait_batch_ns, first_ns = l->wait_first_ns;
    if (l->next_began_ns != 0 && now_ns > l->next_began_ns)
        wait_ns += now_ns - l->next_began_ns;
    r->elapsed_ns = (over ? l->next_ended_ns : now_ns) - l->opened_ns;
    r->first_batch_ns = l->first_batch_ns;
    r->batches_delivered = l->batches_delivered;
    r->delivered_bytes = hr__delivered_bytes(l);
    pthread_mutex_unlock(&l->lock);
    r->wait_batch_ns = wait_ns < r->elapsed_ns ? wait_ns : r->elapsed_ns;
    return first_ns;
}

static void add_uploads(struct hr_loader *l, int64_t now_ns, hr_loader_report_info *r) {
    pthread_mutex_lock(&l->lock);
    struct hr__upload_counters c = l->gpu.counters;
    pthread_mutex_unlock(&l->lock);
    if (c.began_ns == 0)
        return;
    hr__upload_count_wait(&c, now_ns);
    r->pinned = l->gpu.pinned;
    r->uploads = c.uploads;
    r->uploaded_bytes = c.uploaded_bytes;
    r->upload_ns = c.upload_ns;
    r->upload_thread_ns = now_ns > c.began_ns ? now_ns - c.began_ns : 0;
    r->upload_wait_batch_ns = c.wait_batch_ns;
    r->upload_wait_slot_ns = c.wait_slot_ns;
    r->upload_wait_device_ns = c.wait_device_ns;
    r->stalled_ns = c.stalled_ns;
    r->overlap_known = c.known_ns > 0;
    if (c.known_ns > 0)
        r->overlap_share = 1 - (double)c.exposed_ns / (double)c.known_ns;
}

/* Counters are read one after the other while workers go on: what they add up to may be a little
 * more than the time there was. */
static void find_shares(const struct timed *timed, hr_loader_report_info *r) {
    const int64_t busy_ns = r->copy_ns + r->decode_ns + r->finish_ns;
    int64_t known_ns = busy_ns + r->wait_io_ns + r->wait_ring_ns + r->wait_consumer_ns;
    r->thread_ns = known_ns > r->thread_ns ? known_ns : r->thread_ns;
    r->other_ns = r->thread_ns - known_ns;
    int64_t loaded_ns = r->thread_ns - r->wait_consumer_ns;
    if (loaded_ns > 0)
        r->busy_share = (double)busy_ns / (double)loaded_ns;
    if (r->elapsed_ns > 0)
        r->waiting_share = (double)r->wait_batch_ns / (double)r->elapsed_ns;
    if (timed->all_ns > 0)
        r->scatter_ns =
            (int64_t)((double)r->decode_ns * (double)timed->scatter_ns / (double)timed->all_ns);
    r->decode_ns -= r->scatter_ns;
}

static void find_advice(const struct hr_loader *l, hr_loader_report_info *r) {
    struct hr__advice advice;
    bool disk = r->limit == HR_LIMIT_DISK;
    int64_t busy_ns = r->copy_ns + r->decode_ns + r->scatter_ns + r->finish_ns;
    if ((!disk && r->limit != HR_LIMIT_DECODING) || busy_ns <= 0)
        return;
    double all = (double)(disk ? r->thread_ns : busy_ns);
    struct hr__storage_shares shares = {(double)r->decode_ns / all, (double)r->copy_ns / all};
    hr__storage_advice(&l->config, disk, &shares, &advice);
    r->faster = advice.faster;
    r->larger = advice.larger;
    memcpy(r->other_storage, advice.other, sizeof(r->other_storage));
}

hr_status hr_loader_report(hr_loader *l, hr_loader_report_info *out, hr_error *err) {
    const struct hr__loader_config *c = &l->config;
    hr_status st = hr__result_check(out, offsetof(hr_loader_report_info, num_threads), sizeof(*out),
                                    "hr_loader_report_info", err);
    if (st == HR_OK)
        st = hr__loader_check_fork(l, err);
    if (st != HR_OK)
        return st;
    int64_t now_ns = hr__now_ns();
    struct timed timed = {0, 0};
    enum hr__given_up given_up;
    hr_loader_report_info r = {
        .struct_bytes = sizeof(r),
        .num_threads = c->num_threads,
        .num_cores = hr__cpu_count(),
        .io_depth = c->io_depth,
        .wanted_threads = c->wanted_threads,
        .wanted_io_depth = c->wanted_depth,
        .window_visits = c->order_params.window_visits,
        .num_slots = c->num_slots,
        .wanted_slots = c->wanted_slots,
        .budget_bytes = c->budget_bytes,
        .ample_bytes = c->ample_bytes,
        .num_nodes = l->placement.num_nodes,
        .order_samples = c->num_samples,
        .dataset_samples = c->ds->footer.num_samples,
        .device = c->device,
    };
    for (uint32_t i = 0; i < l->num_workers; i++)
        add_worker(&l->workers[i].counters, now_ns, &r, &timed);
    int64_t wait_first_ns = add_consumer(l, now_ns, &r);
    if (c->device != HR_DEVICE_HOST)
        add_uploads(l, r.elapsed_ns + l->opened_ns, &r);
    find_shares(&timed, &r);
    r.limit = hr__report_limit(&r, wait_first_ns, &given_up);
    find_advice(l, &r);
    hr__report_sentence(&r, given_up);
    hr__result_copy(out, &r, sizeof(r));
    return HR_OK;
}
