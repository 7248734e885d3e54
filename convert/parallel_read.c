/*
 * Reading a range side by side: each part is a call of hr_dataset_read(), which threads may make at
 * the same time.
 */
#include "parallel_read.h"

#include "checked.h"
#include "error.h"
#include "thread.h"

struct part {
    hr_dataset *ds;
    uint32_t field;
    uint64_t first, num_samples;
    uint8_t *dst;
    hr_status st;
    hr_error err;
    struct hr__thread thread;
};

static void *part_read(void *arg) {
    struct part *p = arg;
    size_t n_bytes = (size_t)(p->num_samples * hr_dataset_sample_bytes(p->ds, p->field));
    p->st = hr_dataset_read(p->ds, p->field, p->first, p->num_samples, p->dst, n_bytes, &p->err);
    return NULL;
}

/* Samples of each part but the last: whole chunks, so that none is decoded twice. */
static uint64_t part_samples(hr_dataset *ds, uint64_t num_samples, uint32_t num_threads) {
    hr_dataset_info info = {.struct_bytes = sizeof(info)};
    if (hr_dataset_describe(ds, &info, NULL) != HR_OK)
        return num_samples;
    return hr__round_up(hr__ceil_div(num_samples, num_threads), info.samples_per_chunk);
}

hr_status hr__parallel_read(hr_dataset *ds, uint32_t field, uint64_t first, uint64_t num_samples,
                            uint32_t num_threads, uint8_t *dst, hr_error *err) {
    struct part parts[HR__MAX_READ_THREADS] = {0};
    uint64_t sample_bytes = hr_dataset_sample_bytes(ds, field);
    uint32_t most = (uint32_t)hr__min_u64(hr__max_u64(num_threads, 1), HR__MAX_READ_THREADS), n = 0;
    uint64_t each = num_samples > 0 ? part_samples(ds, num_samples, most) : 1;
    hr_status st = HR_OK;
    for (uint64_t at = 0; at < num_samples; at += each, n++)
        parts[n] = (struct part){.ds = ds,
                                 .field = field,
                                 .first = first + at,
                                 .num_samples = hr__min_u64(each, num_samples - at),
                                 .dst = dst + at * sample_bytes};
    for (uint32_t i = 1; i < n; i++)
        if (hr__thread_start(&parts[i].thread, "hr-read", part_read, &parts[i], NULL) != HR_OK)
            part_read(&parts[i]);
    if (n > 0)
        part_read(&parts[0]);
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
