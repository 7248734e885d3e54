/*
 * What an epoch was, for people and as JSON (docs/cli.md).
 */
#include "epoch_result.h"

#include "dataset_text.h"
#include "epoch_report.h"
#include "json_out.h"
#include "sizes.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* Of this program: what getrusage() says begins with the peak of whoever started it. */
static uint64_t peak_rss_bytes(void) {
    char line[128];
    uint64_t kib = 0;
    FILE *f = fopen("/proc/self/status", "r");
    while (f != NULL && kib == 0 && fgets(line, sizeof line, f) != NULL) {
        if (sscanf(line, "VmHWM: %" SCNu64, &kib) != 1) {
            kib = 0;
        }
    }
    if (f != NULL) {
        fclose(f);
    }
    return kib * 1024;
}

/* Where threads and memory were placed, and what the system refused. */
static void add_nodes(const hr_loader_info *i, json_t *root) {
    json_object_set_new(root, "nodes", json_integer(i->num_nodes));
    json_object_set_new(root, "ring_interleaved", json_boolean(i->ring_interleaved));
    json_object_set_new(root, "numa_refused",
                        i->numa_os_errno != 0 ? json_string(strerror(i->numa_os_errno))
                                              : json_null());
}

static void print_nodes(const hr_loader_info *i) {
    if (i->num_nodes < 2) {
        return;
    }
    printf("threads on %u nodes, batches %s", i->num_nodes,
           i->ring_interleaved           ? "on these in turn"
           : i->device == HR_DEVICE_HOST ? "where they were first written"
                                         : "on that of the GPU");
    if (i->numa_os_errno != 0) {
        printf(" (the system refused: %s)", strerror(i->numa_os_errno));
    }
    printf("\n");
}

static json_t *device_json(const hr_loader_info *i) {
    if (i->device == HR_DEVICE_HOST) {
        return json_null();
    }
    return json_pack("{s:I, s:o, s:I, s:o, s:b}", "cuda",
                     (json_int_t)(i->device - HR_DEVICE_CUDA(0)), "name",
                     json_out_text(i->device_name), "slots", (json_int_t)i->device_slots, "bytes",
                     json_out_uint(i->device_bytes), "pinned", (int)i->pinned);
}

static void print_device(const hr_loader_info *i) {
    if (i->device != HR_DEVICE_HOST) {
        printf("on GPU %u (%s): %u batches, %s%s\n", i->device - HR_DEVICE_CUDA(0), i->device_name,
               i->device_slots, sizes_bytes(i->device_bytes).text,
               i->pinned ? "" : ", from memory that is not pinned");
    }
}

int epoch_result_print_json(const epoch_result *r) {
    const hr_loader_info *i = &r->info;
    const double seconds = (double)r->took_ns / 1e9;
    json_t *wait =
        json_pack("{s:o, s:o, s:o, s:o}", "io", json_out_seconds(i->wait_io_ns), "decode",
                  json_out_seconds(i->decode_ns), "consumer", json_out_seconds(i->wait_consumer_ns),
                  "batch", json_out_seconds(i->wait_batch_ns));
    json_t *root = json_pack(
        "{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "file",
        json_out_text(hr_dataset_path(r->ds)), "samples", json_out_uint(i->samples_delivered),
        "batches", json_out_uint(i->batches_delivered), "epochs", json_out_uint(r->epochs), "bytes",
        json_out_uint(i->delivered_bytes), "seconds", json_out_real(seconds), "bytes_per_s",
        json_out_quotient((double)i->delivered_bytes, seconds), "first_batch_s",
        i->first_batch_ns < 0 ? json_null() : json_out_seconds(i->first_batch_ns), "peak_rss_bytes",
        json_out_uint(peak_rss_bytes()), "budget_bytes", json_out_uint(i->budget_bytes), "wait_s",
        wait);
    json_t *more = json_pack(
        "{s:o, s:o, s:o, s:o, s:I, s:I, s:I, s:I, s:o, s:s, s:I, s:I}", "padding",
        json_out_uint(r->padding), "dropped_samples", json_out_uint(i->dropped_samples),
        "reserved_bytes", json_out_uint(i->reserved_bytes), "read_bytes",
        json_out_uint(i->read_bytes), "window", (json_int_t)i->window_visits, "streams",
        (json_int_t)i->num_streams, "batch", (json_int_t)i->batch_samples, "threads",
        (json_int_t)i->num_threads, "inflation", json_out_real(i->inflation), "io", i->io_backend,
        "io_depth", (json_int_t)i->io_depth, "read_threads", (json_int_t)i->num_read_threads);
    json_object_update(root, more);
    json_object_set_new(root, "files", dataset_files_json(r->ds));
    json_decref(more);
    add_nodes(i, root);
    json_object_set_new(root, "device", device_json(i));
    loader_args_add_ranks(r->loader, root);
    json_t *checked = finish_args_json(r->ds, &r->loader->opts, r->open);
    if (checked != NULL) {
        json_object_set_new(root, "checked", checked);
    }
    json_object_set_new(root, "subset", subset_args_json(&r->loader->subset));
    if (r->report) {
        json_object_set_new(root, "report", epoch_report_json(&r->limits));
    }
    return json_out_print("epoch", root, JSON_OUT_MEASURED);
}

void epoch_result_print(const epoch_result *r) {
    const hr_loader_info *i = &r->info;
    const double seconds = (double)r->took_ns / 1e9;
    printf("%s", sizes_of(i->samples_delivered, "sample").text);
    if ((r->loader->opts.flags & HR_LOADER_PAD_LAST) != 0) {
        printf(" (%s of them padding)", sizes_count(r->padding).text);
    }
    printf(" in %s, %s in %s, %s\n", sizes_of(i->batches_delivered, "batch").text,
           sizes_bytes(i->delivered_bytes).text, sizes_duration(r->took_ns).text,
           sizes_rate(seconds > 0 ? (double)i->delivered_bytes / seconds : 0).text);
    printf("first batch after %s; waited %s for data; reads by %s\n",
           sizes_duration(i->first_batch_ns).text, sizes_duration(i->wait_batch_ns).text,
           i->io_backend);
    printf("memory: peak %s of the process, %s reserved of a budget of %s\n",
           sizes_bytes(peak_rss_bytes()).text, sizes_bytes(i->reserved_bytes).text,
           sizes_bytes(i->budget_bytes).text);
    print_device(i);
    print_nodes(i);
    if (i->order_samples < i->dataset_samples) {
        printf("a subset: %s of %s samples\n", sizes_count(i->order_samples).text,
               sizes_count(i->dataset_samples).text);
    }
    if (i->dropped_samples > 0) {
        printf("%s of all ranks are left out of each epoch; --pad-last delivers every one\n",
               sizes_of(i->dropped_samples, "sample").text);
    }
    if (r->loader->rank_by_environment) {
        printf("rank %u of %u, as %s says\n", r->loader->ranks.rank, r->loader->ranks.world_size,
               r->loader->ranks.launcher);
    }
    if ((r->loader->opts.flags & HR_LOADER_SHUFFLE) != 0) {
        printf("window %u, inflation %.3f\n", i->window_visits, i->inflation);
    }
    finish_args_print(r->ds, &r->loader->opts, r->open);
    if (r->report) {
        epoch_report_print(&r->limits);
    }
}
