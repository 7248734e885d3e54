/*
 * Loading a bucket. Places are checked as they are read, since a sample is put to its place before
 * its bucket's sum is known.
 */
#include "bucket_load.h"

#include "checked.h"
#include "clock.h"
#include "error.h"
#include "spill_file.h"

#include <stdio.h>
#include <stdlib.h>

struct hr__bucket_reader {
    struct hr__bucket_load *load;
    struct hr__thread thread;
    uint8_t *bytes;
    hr_error failure; /* status HR_OK: none */
};

hr_status hr__bucket_load_open(struct hr__bucket_load *load, const struct hr__buckets *buckets,
                               hr_error *err) {
    const struct hr__shuffle_plan *plan = buckets->plan;
    *load = (struct hr__bucket_load){.buckets = buckets,
                                     .n_bytes = plan->load_records * buckets->layout->record_bytes};
    load->readers = calloc(plan->num_threads, sizeof *load->readers);
    if (load->readers == NULL)
        return hr__error_no_memory(err, plan->num_threads * sizeof *load->readers, "threads");
    load->num_readers = plan->num_threads;
    hr_status st;
    HR_TRY(hr__mutex_init(&load->lock, err));
    load->has_lock = true;
    HR_TRY(hr__cond_init(&load->ended, err));
    load->has_ended = true;
    for (uint32_t i = 0; i < load->num_readers; i++) {
        load->readers[i].load = load;
        HR_TRY(hr__shuffle_alloc(buckets->budget, load->n_bytes, "a buffer for a bucket",
                                 &load->readers[i].bytes, err));
    }
done:
    if (st != HR_OK)
        hr__bucket_load_close(load);
    return st;
}

/* The pieces of the records first .. first + n - 1, which are in bytes: hashed, and put to their
 * places. off: in the file. */
static hr_status take_pieces(struct hr__bucket_load *load, const uint8_t *bytes, uint64_t first,
                             uint64_t n, uint64_t off, hr_error *err) {
    const struct hr__buckets *b = load->buckets;
    const uint64_t record_bytes = b->layout->record_bytes;
    const uint64_t samples = hr__buckets_samples(b, load->bucket);
    for (uint64_t done = 0; done < n; done += b->plan->piece_records) {
        const uint64_t records = hr__min_u64(b->plan->piece_records, n - done);
        const uint8_t *piece = bytes + done * record_bytes;
        atomic_fetch_add(&load->sum, hr__piece_hash(piece, (size_t)(records * record_bytes),
                                                    (first + done) / b->plan->piece_records));
        for (uint64_t i = 0; i < records; i++) {
            const uint8_t *record = piece + i * record_bytes;
            if (hr__shuffle_record_place(record) >= samples)
                return hr__spill_file_damaged(b->file, off + (done + i) * record_bytes, err);
            hr__shuffle_record_take(b->layout, load->rows, record);
        }
    }
    return HR_OK;
}

static void *read_pieces(void *arg) {
    struct hr__bucket_reader *r = arg;
    struct hr__bucket_load *load = r->load;
    const struct hr__buckets *b = load->buckets;
    const struct hr__file *file = b->file;
    const uint64_t record_bytes = b->layout->record_bytes, step = b->plan->load_records;
    const uint64_t samples = hr__buckets_samples(b, load->bucket);
    const uint64_t region_off = load->bucket * b->plan->bucket_samples * record_bytes;
    while (!atomic_load(&load->failed)) {
        const uint64_t first = atomic_fetch_add(&load->next_record, step);
        if (first >= samples)
            break;
        const uint64_t n = hr__min_u64(step, samples - first);
        const uint64_t off = region_off + first * record_bytes;
        if (file->ops->prefetch != NULL && samples - first > load->num_readers * step)
            file->ops->prefetch(file->ctx, (size_t)(step * record_bytes),
                                off + load->num_readers * step * record_bytes);
        hr_status st =
            hr__spill_file_read(file, r->bytes, (size_t)(n * record_bytes), off, &r->failure);
        if (st == HR_OK)
            st = take_pieces(load, r->bytes, first, n, off, &r->failure);
        if (st != HR_OK)
            atomic_store(&load->failed, true);
    }
    pthread_mutex_lock(&load->lock);
    load->num_running--;
    pthread_cond_signal(&load->ended);
    pthread_mutex_unlock(&load->lock);
    return NULL;
}

hr_status hr__bucket_load_begin(struct hr__bucket_load *load, uint64_t bucket,
                                struct hr__shuffle_rows *rows, hr_error *err) {
    load->bucket = bucket;
    load->rows = rows;
    atomic_store(&load->next_record, 0);
    atomic_store(&load->sum, 0);
    atomic_store(&load->failed, false);
    load->num_running = load->num_readers;
    hr_status st = HR_OK;
    for (uint32_t i = 0; i < load->num_readers && st == HR_OK; i++) {
        char name[16];
        (void)snprintf(name, sizeof name, "hr-bucket-%u", i % 1000);
        load->readers[i].failure.status = HR_OK;
        st = hr__thread_start(&load->readers[i].thread, name, read_pieces, &load->readers[i], err);
    }
    if (st != HR_OK)
        atomic_store(&load->failed, true);
    return st;
}

static void join(struct hr__bucket_load *load) {
    for (uint32_t i = 0; i < load->num_readers; i++)
        hr__thread_join(&load->readers[i].thread);
}

/* False: some reader has not ended. */
static bool wait_for_readers(struct hr__bucket_load *load, int64_t timeout_ns) {
    const int64_t deadline_ns = hr__now_ns() + timeout_ns;
    bool in_time = true;
    pthread_mutex_lock(&load->lock);
    while (load->num_running > 0 && in_time)
        in_time = hr__cond_wait_until(&load->ended, &load->lock, deadline_ns);
    const bool all = load->num_running == 0;
    pthread_mutex_unlock(&load->lock);
    return all;
}

hr_status hr__bucket_load_end(struct hr__bucket_load *load, int64_t timeout_ns, hr_error *err) {
    const struct hr__buckets *b = load->buckets;
    if (!wait_for_readers(load, timeout_ns))
        return HR_TIMEOUT;
    join(load);
    for (uint32_t i = 0; i < load->num_readers; i++) {
        const hr_error *why = &load->readers[i].failure;
        if (why->status == HR_OK)
            continue;
        if (err != NULL)
            *err = *why;
        return why->status;
    }
    if (atomic_load(&load->sum) == b->buckets[load->bucket].sum)
        return HR_OK;
    return hr__spill_file_damaged(
        b->file, load->bucket * b->plan->bucket_samples * b->layout->record_bytes, err);
}

void hr__bucket_load_close(struct hr__bucket_load *load) {
    if (load->readers != NULL) {
        atomic_store(&load->failed, true);
        join(load);
        for (uint32_t i = 0; i < load->num_readers; i++)
            hr__shuffle_free(load->buckets->budget, load->readers[i].bytes, load->n_bytes);
    }
    if (load->has_ended)
        pthread_cond_destroy(&load->ended);
    if (load->has_lock)
        pthread_mutex_destroy(&load->lock);
    free(load->readers);
    *load = (struct hr__bucket_load){0};
}
