/*
 * Reading a range side by side.
 */
#include "parallel_read.h"

#include "checked.h"
#include "dataset_access.h"
#include "thread.h"

struct job {
    hr_dataset *ds;
    const struct hr__read_column *columns;
    uint32_t num_columns;
    uint64_t first;
};

struct part {
    const struct job *job;
    uint64_t first, num_samples;
    hr_status st;
    hr_error err;
    struct hr__thread thread;
};

static uint64_t chunk_end(const struct hr__footer *f, uint64_t sample) {
    const uint32_t S = f->schema.samples_per_chunk;
    uint64_t chunk, first;
    uint32_t place, num_samples;
    hr__segment_locate(f->segments, f->num_segments, S, sample, &chunk, &place);
    hr__segment_chunk(f->segments, f->num_segments, S, chunk, &first, &num_samples);
    return first + num_samples;
}

static hr_status read_columns(const struct job *job, struct hr__access *access, uint64_t first,
                              uint64_t n, hr_error *err) {
    hr_status st = HR_OK;
    for (uint32_t i = 0; i < job->num_columns && st == HR_OK; i++) {
        const struct hr__read_column *c = &job->columns[i];
        const uint64_t bytes = hr_dataset_sample_bytes(job->ds, c->field);
        st =
            hr__access_read(access, c->field, first, n, c->dst + (first - job->first) * bytes, err);
    }
    return st;
}

static hr_status part_read(const struct part *p, struct hr__access *access, hr_error *err) {
    const struct job *job = p->job;
    const uint64_t end = p->first + p->num_samples;
    hr_status st = HR_OK;
    for (uint64_t at = p->first, next; at < end && st == HR_OK; at = next) {
        next = hr__min_u64(end, chunk_end(&job->ds->footer, at));
        st = read_columns(job, access, at, next - at, err);
    }
    return st;
}

static void *part_run(void *arg) {
    struct part *p = arg;
    struct hr__access_call *call;
    p->st = hr__access_call_begin(p->job->ds, &call, &p->err);
    if (p->st == HR_OK)
        p->st = part_read(p, &call->access, &p->err);
    hr__access_call_end(p->job->ds, call, p->st);
    return NULL;
}

hr_status hr__parallel_read(hr_dataset *ds, const struct hr__read_column *columns,
                            uint32_t num_columns, uint64_t first, uint64_t num_samples,
                            uint32_t num_threads, hr_error *err) {
    const struct job job = {ds, columns, num_columns, first};
    struct part parts[HR__MAX_READ_THREADS] = {0};
    const uint32_t most = (uint32_t)hr__min_u64(hr__max_u64(num_threads, 1), HR__MAX_READ_THREADS);
    /* Whole chunks, so that none is decoded twice. */
    const uint64_t each =
        hr__round_up(hr__ceil_div(num_samples, most), ds->footer.schema.samples_per_chunk);
    uint32_t n = 0;
    hr_status st = HR_OK;
    for (uint64_t at = 0; at < num_samples; at += each, n++)
        parts[n] = (struct part){
            .job = &job, .first = first + at, .num_samples = hr__min_u64(each, num_samples - at)};
    for (uint32_t i = 1; i < n; i++)
        if (hr__thread_start(&parts[i].thread, "hr-read", part_run, &parts[i], NULL) != HR_OK)
            part_run(&parts[i]);
    if (n > 0)
        part_run(&parts[0]);
    for (uint32_t i = 0; i < n; i++) {
        hr__thread_join(&parts[i].thread);
        if (parts[i].st != HR_OK && st == HR_OK) {
            st = parts[i].st;
            if (err != NULL)
                *err = parts[i].err;
        }
    }
    return st;
}
