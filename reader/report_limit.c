/*
 * What limits a loader. Two parties wait for each other, the consumer for batches and the threads
 * for room in the ring; who waits less is the slower one. Where that is the loader, its threads are
 * either idle, because reads have not come, or busy. Where batches go to a GPU, the uploads are
 * between the two, and their thread sees whom they wait for.
 */
#include "loader_report.h"

#include <stdbool.h>

#define LEAST_VISITS  16u /* before anything is said */
#define LEAST_BATCHES 2u
#define IDLE          0.15 /* of the threads' time: enough to be the limit */
#define FEW_READS     4u   /* times fewer than wanted: enough to be why the disk is slow */

static double share(int64_t part, double whole) {
    double s = whole > 0 ? (double)part / whole : 0;
    return s < 0 ? 0 : s > 1 ? 1 : s;
}

double hr__report_for_room(const hr_loader_report_info *r) {
    double span = (double)r->elapsed_ns * r->num_threads;
    int64_t ended_ns = (int64_t)span > r->thread_ns ? (int64_t)span - r->thread_ns : 0;
    return share(ended_ns + r->wait_consumer_ns + r->wait_ring_ns, span);
}

/* On a GPU the upload thread sees where batches are missing: whatever took most of its time. The
 * rest of the loader, where no batch was whole. */
static bool gpu_limits(const hr_loader_report_info *r, hr_limit *out) {
    const double all = (double)r->upload_thread_ns;
    const double upload = share(r->upload_ns, all), held = share(r->upload_wait_slot_ns, all);
    const double compute = share(r->upload_wait_device_ns - r->upload_ns, all);
    const double nothing_whole = share(r->upload_wait_batch_ns, all);
    if (nothing_whole > upload && nothing_whole > held + compute)
        return false;
    *out = upload > held + compute ? HR_LIMIT_UPLOAD
           : compute > held        ? HR_LIMIT_COMPUTE
                                   : HR_LIMIT_CONSUMER;
    return true;
}

hr_limit hr__report_limit(const hr_loader_report_info *r, int64_t wait_first_ns,
                          enum hr__given_up *given_up) {
    *given_up = HR__GAVE_NOTHING;
    if (r->visits < LEAST_VISITS || r->batches_delivered < LEAST_BATCHES)
        return HR_LIMIT_UNKNOWN;
    hr_limit limit = HR_LIMIT_UNKNOWN;
    const bool gpu = r->device != HR_DEVICE_HOST;
    if (gpu && gpu_limits(r, &limit))
        return limit;
    double elapsed = (double)r->elapsed_ns;
    double later = share(r->wait_batch_ns - wait_first_ns, elapsed);
    if (r->num_slots < r->wanted_slots && later > IDLE &&
        share(r->wait_consumer_ns + r->wait_ring_ns, elapsed * r->num_threads) > IDLE) {
        *given_up = HR__GAVE_BATCHES;
        return HR_LIMIT_BUDGET;
    }
    if (!gpu && hr__report_for_room(r) > share(r->wait_batch_ns, elapsed))
        return HR_LIMIT_CONSUMER;
    double at_work = (double)(r->thread_ns - r->wait_consumer_ns - r->wait_ring_ns);
    if (share(r->wait_io_ns, at_work) > IDLE) {
        if (r->io_depth > r->wanted_io_depth / FEW_READS)
            return HR_LIMIT_DISK;
        *given_up = HR__GAVE_READS;
        return HR_LIMIT_BUDGET;
    }
    if (r->num_threads >= r->num_cores)
        return HR_LIMIT_DECODING;
    if (r->num_threads == r->wanted_threads)
        return HR_LIMIT_THREADS;
    *given_up = HR__GAVE_THREADS;
    return HR_LIMIT_BUDGET;
}
