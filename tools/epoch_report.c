/*
 * The library's report of an epoch.
 */
#include "epoch_report.h"

#include "json_out.h"
#include "plain.h"

#include <stdio.h>

void epoch_report_print(const hr_loader_report_info *r) {
    char text[2048];
    hr_loader_report_text(r, text, sizeof text);
    plain_put_lines(text, stdout);
}

/* [{"below_ns": 1024, "reads": 3}, ...]: only what was seen. */
static json_t *latency_json(const hr_loader_report_info *r) {
    json_t *list = json_array();
    for (unsigned i = 0; i < HR_LATENCY_BUCKETS; i++) {
        if (r->latency_counts[i] > 0) {
            json_array_append_new(list, json_pack("{s:o, s:o}", "below_ns",
                                                  json_out_uint(UINT64_C(2) << i), "reads",
                                                  json_out_uint(r->latency_counts[i])));
        }
    }
    return list;
}

static json_t *threads_json(const hr_loader_report_info *r) {
    return json_pack(
        "{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "all", json_out_seconds(r->thread_ns),
        "decode", json_out_seconds(r->decode_ns), "scatter", json_out_seconds(r->scatter_ns),
        "copy", json_out_seconds(r->copy_ns), "io", json_out_seconds(r->wait_io_ns), "ring",
        json_out_seconds(r->wait_ring_ns), "consumer", json_out_seconds(r->wait_consumer_ns),
        "other", json_out_seconds(r->other_ns), "finish", json_out_seconds(r->finish_ns));
}

static json_t *budget_json(const hr_loader_report_info *r) {
    return json_pack("{s:o, s:o, s:I, s:I, s:I, s:I, s:o, s:o}", "bytes",
                     json_out_uint(r->budget_bytes), "ample_bytes", json_out_uint(r->ample_bytes),
                     "threads", (json_int_t)r->num_threads, "threads_wanted",
                     (json_int_t)r->wanted_threads, "reads", (json_int_t)r->io_depth,
                     "reads_wanted", (json_int_t)r->wanted_io_depth, "batches",
                     json_out_uint(r->num_slots), "batches_wanted", json_out_uint(r->wanted_slots));
}

static json_t *other_storage_json(const hr_loader_report_info *r) {
    if (r->other_storage[0] == '\0') {
        return json_null();
    }
    return json_pack("{s:o, s:o, s:o}", "what", json_out_text(r->other_storage), "times_as_fast",
                     json_out_real(r->faster), "times_as_large", json_out_real(r->larger));
}

static json_t *uploads_json(const hr_loader_report_info *r) {
    if (r->device == HR_DEVICE_HOST) {
        return json_null();
    }
    return json_pack(
        "{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "bytes", json_out_uint(r->uploaded_bytes),
        "upload_s", json_out_seconds(r->upload_ns), "all_s", json_out_seconds(r->upload_thread_ns),
        "device_s", json_out_seconds(r->upload_wait_device_ns), "batch_s",
        json_out_seconds(r->upload_wait_batch_ns), "slot_s",
        json_out_seconds(r->upload_wait_slot_ns), "stalled_s", json_out_seconds(r->stalled_ns),
        "overlap_share", r->overlap_known ? json_out_real(r->overlap_share) : json_null());
}

json_t *epoch_report_json(const hr_loader_report_info *r) {
    return json_pack("{s:s, s:o, s:I, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}",
                     "limit", hr_limit_name(r->limit), "sentence", json_out_text(r->sentence),
                     "cores", (json_int_t)r->num_cores, "busy_share", json_out_real(r->busy_share),
                     "waiting_share", json_out_real(r->waiting_share), "elapsed_s",
                     json_out_seconds(r->elapsed_ns), "visits", json_out_uint(r->visits),
                     "read_bytes", json_out_uint(r->read_bytes), "wanted_bytes",
                     json_out_uint(r->wanted_bytes), "threads_s", threads_json(r), "budget",
                     budget_json(r), "other_storage", other_storage_json(r), "latency",
                     latency_json(r), "uploads", uploads_json(r));
}
