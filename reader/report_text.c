/*
 * Reports as people read them.
 */
#define _GNU_SOURCE
#include "loader_report.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define MIB           1048576.0
#define MUCH_BESIDE   1.5 /* bytes read for each wanted: worth saying */
#define DURATION_TEXT 16u

const char *hr_limit_name(hr_limit limit) {
    static const char *const names[] = {"unknown", "disk",     "decoding", "threads",
                                        "budget",  "consumer", "upload",   "compute"};
    unsigned i = (unsigned)limit;
    return names[i < sizeof(names) / sizeof(names[0]) ? i : 0];
}

struct text {
    char *out; /* room for capacity; NULL where that is 0 */
    size_t capacity, length;
};

static void add(struct text *t, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void add(struct text *t, const char *format, ...) {
    va_list values;
    size_t room = t->length < t->capacity ? t->capacity - t->length : 0;
    va_start(values, format);
    int n = vsnprintf(room > 0 ? t->out + t->length : NULL, room, format, values);
    va_end(values);
    t->length += n > 0 ? (size_t)n : 0;
}

static double percent(int64_t part, int64_t whole) {
    return whole > 0 ? 100.0 * (double)part / (double)whole : 0;
}

/* "level -3 would be up to 1.3 times as fast and 4 % larger" */
static void add_other_storage(struct text *t, const hr_loader_report_info *r) {
    double change = 100 * (r->larger - 1);
    add(t, "; %s would be up to %.1f times as fast", r->other_storage, r->faster);
    if (change >= 0.5)
        add(t, " and %.0f %% larger", change);
    else if (change <= -0.5)
        add(t, " and %.0f %% smaller", -change);
}

static void add_disk(struct text *t, const hr_loader_report_info *r) {
    add(t, "limited by the disk: it gave %.0f MiB/s, and the threads waited %.0f %% of their time",
        r->elapsed_ns > 0 ? (double)r->read_bytes / MIB / ((double)r->elapsed_ns / 1e9) : 0,
        percent(r->wait_io_ns, r->thread_ns));
    double beside = r->wanted_bytes > 0 ? (double)r->read_bytes / (double)r->wanted_bytes : 1;
    if (r->other_storage[0] != '\0')
        add_other_storage(t, r);
    else if (beside > MUCH_BESIDE)
        add(t, "; it reads %.1f times the bytes of these %sfields, a file of them alone would not",
            beside, r->order_samples < r->dataset_samples ? "samples and " : "");
    else
        add(t, "; use a faster disk");
}

static void add_budget(struct text *t, const hr_loader_report_info *r, enum hr__given_up given_up) {
    add(t, "limited by the budget of %.1f MiB: ", (double)r->budget_bytes / MIB);
    if (given_up == HR__GAVE_THREADS)
        add(t, "it allows %u of %u threads, busy %.0f %%", r->num_threads, r->wanted_threads,
            100 * r->busy_share);
    else if (given_up == HR__GAVE_READS)
        add(t, "it allows %u of %u reads in flight, and threads waited %.0f %% of their time",
            r->io_depth, r->wanted_io_depth, percent(r->wait_io_ns, r->thread_ns));
    else
        add(t, "it allows %llu of %llu batches, and threads and consumer waited for each other",
            (unsigned long long)r->num_slots, (unsigned long long)r->wanted_slots);
    add(t, "; give it %.1f MiB", (double)r->ample_bytes / MIB + 0.05);
}

static double per_second(uint64_t n_bytes, int64_t ns) {
    return ns > 0 ? (double)n_bytes / (double)ns : 0;
}

static void add_hidden(struct text *t, const hr_loader_report_info *r) {
    if (r->overlap_known)
        add(t, ", and %.0f %% of that was hidden behind compute", 100 * r->overlap_share);
}

static void add_upload_limit(struct text *t, const hr_loader_report_info *r) {
    add(t, "limited by the upload: it ran %.0f %% of the time, at %.1f GB/s",
        percent(r->upload_ns, r->upload_thread_ns), per_second(r->uploaded_bytes, r->upload_ns));
    add(t, r->pinned ? "; upload less: fewer fields, or smaller types that are cast on the GPU"
                     : "; pin the memory, which is several times as fast");
}

static void add_compute_limit(struct text *t, const hr_loader_report_info *r) {
    add(t,
        "limited by compute: uploads waited %.0f %% of the time for the consumer's work on the "
        "GPU; "
        "they took %.0f %%",
        percent(r->upload_wait_device_ns - r->upload_ns, r->upload_thread_ns),
        percent(r->upload_ns, r->upload_thread_ns));
    add_hidden(t, r);
}

static void add_consumer_limit(struct text *t, const hr_loader_report_info *r) {
    if (r->device != HR_DEVICE_HOST)
        add(t,
            "limited by the consumer: it held all batches on the GPU for %.0f %% of the time; give "
            "them back on the stream (hr_batch_release_on), or have more device slots",
            percent(r->upload_wait_slot_ns, r->upload_thread_ns));
    else
        add(t,
            "limited by the consumer: it waited %.0f %% of its time for batches, the loader %.0f "
            "%% of its time for room",
            100 * r->waiting_share, 100 * hr__report_for_room(r));
}

/* What most of the work of busy threads is. */
static const char *work_of(const hr_loader_report_info *r) {
    return r->finish_ns > r->decode_ns + r->scatter_ns ? "finishing" : "decoding";
}

void hr__report_sentence(hr_loader_report_info *r, enum hr__given_up given_up) {
    struct text t = {r->sentence, sizeof(r->sentence), 0};
    uint32_t cores = r->num_threads < r->num_cores ? r->num_threads : r->num_cores;
    switch (r->limit) {
    case HR_LIMIT_DISK:
        add_disk(&t, r);
        break;
    case HR_LIMIT_DECODING:
        add(&t, "limited by %s: %u of %u cores busy %.0f %%", work_of(r), cores, r->num_cores,
            100 * r->busy_share);
        if (r->other_storage[0] != '\0')
            add_other_storage(&t, r);
        break;
    case HR_LIMIT_THREADS:
        add(&t, "limited by too few threads: %u of %u cores busy %.0f %%; use %u threads", cores,
            r->num_cores, 100 * r->busy_share, r->num_cores);
        break;
    case HR_LIMIT_BUDGET:
        add_budget(&t, r, given_up);
        break;
    case HR_LIMIT_CONSUMER:
        add_consumer_limit(&t, r);
        break;
    case HR_LIMIT_UPLOAD:
        add_upload_limit(&t, r);
        break;
    case HR_LIMIT_COMPUTE:
        add_compute_limit(&t, r);
        break;
    case HR_LIMIT_UNKNOWN:
    default:
        add(&t, "too early to say what limits: %llu chunks read, %llu batches delivered",
            (unsigned long long)r->visits, (unsigned long long)r->batches_delivered);
    }
}

struct duration {
    char text[DURATION_TEXT];
};

static struct duration duration(double ns) {
    struct duration d;
    if (ns < 1e3)
        snprintf(d.text, sizeof(d.text), "%.0f ns", ns);
    else if (ns < 1e6)
        snprintf(d.text, sizeof(d.text), "%.0f us", ns / 1e3);
    else if (ns < 1e9)
        snprintf(d.text, sizeof(d.text), "%.1f ms", ns / 1e6);
    else
        snprintf(d.text, sizeof(d.text), "%.1f s", ns / 1e9);
    return d;
}

/* Where the bucket ends in which so many of the reads are; 0: there are no reads. */
static double latency_within(const hr_loader_report_info *r, double part) {
    uint64_t all = 0, below = 0;
    for (uint32_t i = 0; i < HR_LATENCY_BUCKETS; i++)
        all += r->latency_counts[i];
    for (uint32_t i = 0; i < HR_LATENCY_BUCKETS && all > 0; i++) {
        below += r->latency_counts[i];
        if ((double)below >= part * (double)all)
            return (double)(UINT64_C(2) << i);
    }
    return 0;
}

static void add_threads(struct text *t, const hr_loader_report_info *r) {
    const struct {
        const char *what;
        int64_t ns;
    } parts[] = {{"decoding", r->decode_ns},     {"placing rows", r->scatter_ns},
                 {"copying reads", r->copy_ns},  {"waiting for reads", r->wait_io_ns},
                 {"ring full", r->wait_ring_ns}, {"consumer behind", r->wait_consumer_ns},
                 {"all else", r->other_ns}};
    add(t, "\nthreads' time      %u on %u cores", r->num_threads, r->num_cores);
    if (r->num_nodes > 1)
        add(t, " of %u nodes", r->num_nodes);
    add(t, ", %s together", duration((double)r->thread_ns).text);
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
        add(t, "\n  %-17s%5.1f %%", parts[i].what, percent(parts[i].ns, r->thread_ns));
    if (r->finish_ns > 0)
        add(t, "\n  %-17s%5.1f %%", "finishing", percent(r->finish_ns, r->thread_ns));
}

static void add_uploads(struct text *t, const hr_loader_report_info *r) {
    const int64_t all = r->upload_thread_ns;
    const int64_t compute = r->upload_wait_device_ns - r->upload_ns;
    add(t, "\nuploads            %.1f MiB in %s of the GPU's time, %.1f GB/s",
        (double)r->uploaded_bytes / MIB, duration((double)r->upload_ns).text,
        per_second(r->uploaded_bytes, r->upload_ns));
    add_hidden(t, r);
    add(t, "\n  uploading        %5.1f %%", percent(r->upload_ns, all));
    add(t, "\n  for compute      %5.1f %%", percent(compute > 0 ? compute : 0, all));
    add(t, "\n  no batch whole   %5.1f %%", percent(r->upload_wait_batch_ns, all));
    add(t, "\n  all slots held   %5.1f %%", percent(r->upload_wait_slot_ns, all));
}

size_t hr_loader_report_text(const hr_loader_report_info *r, char *out, size_t capacity_bytes) {
    struct text t = {out, capacity_bytes, 0};
    double beside = r->wanted_bytes > 0 ? (double)r->read_bytes / (double)r->wanted_bytes : 1;
    if (r->struct_bytes < sizeof(*r))
        return 0;
    add(&t, "%.*s", (int)strnlen(r->sentence, sizeof(r->sentence)), r->sentence);
    add_threads(&t, r);
    if (r->device != HR_DEVICE_HOST)
        add_uploads(&t, r);
    add(&t, "\nconsumer           waited %.1f %% of %s for batches", 100 * r->waiting_share,
        duration((double)r->elapsed_ns).text);
    if (r->first_batch_ns >= 0)
        add(&t, ", for the first %s", duration((double)r->first_batch_ns).text);
    add(&t, "\nreads              %.1f MiB, %.2f times the bytes wanted",
        (double)r->read_bytes / MIB, beside);
    if (r->order_samples < r->dataset_samples)
        add(&t, " (a subset: %llu of %llu samples)", (unsigned long long)r->order_samples,
            (unsigned long long)r->dataset_samples);
    if (latency_within(r, 0.5) > 0)
        add(&t, "; half within %s, 99 %% within %s", duration(latency_within(r, 0.5)).text,
            duration(latency_within(r, 0.99)).text);
    add(&t,
        "\nmemory             %.1f MiB: %u of %u threads, %u of %u reads, %llu of %llu batches\n",
        (double)r->budget_bytes / MIB, r->num_threads, r->wanted_threads, r->io_depth,
        r->wanted_io_depth, (unsigned long long)r->num_slots, (unsigned long long)r->wanted_slots);
    return t.length;
}
