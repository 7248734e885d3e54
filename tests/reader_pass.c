/*
 * Everything a reader can do with a data set, checked.
 */
#include "reader_pass.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BATCH       16
#define MAX_SAMPLES 4096

static void wrong(const char *what, uint64_t sample) {
    fprintf(stderr, "wrong data delivered: %s of sample %llu\n", what, (unsigned long long)sample);
    abort();
}

static uint64_t field_bytes(const struct made *m, uint32_t field) {
    return field == 0 ? 8 : field == 1 ? m->row_bytes : (uint64_t)m->row_words * 4;
}

static void check_row(const struct made *m, uint32_t field, uint64_t sample, const uint8_t *row) {
    static const char *const names[] = {"y", "x", "w"};
    int64_t y;
    bool right = true;
    if (field == 0) {
        memcpy(&y, row, sizeof(y));
        right = y == (int64_t)sample;
    }
    for (uint32_t k = 0; field == 1 && k < m->row_bytes; k++)
        right = right && row[k] == made_byte(sample, k);
    for (uint32_t k = 0; field == 2 && k < m->row_words; k++) {
        float found, expected = made_word(sample, k);
        memcpy(&found, row + (size_t)k * 4, sizeof(found));
        right = right && memcmp(&found, &expected, sizeof(found)) == 0;
    }
    if (!right)
        wrong(names[field], sample);
}

static uint32_t num_fields(const struct made *m) {
    return m->row_words > 0 ? 3 : 2;
}

/* By the C library's own allocator: allocations of the tests must not fail. */
static uint8_t *buffer(void) {
    static uint8_t bytes[1 << 20];
    return bytes;
}

hr_status pass_read(hr_dataset *ds, const struct made *m, hr_error *err) {
    uint8_t *dst = buffer();
    if (hr_dataset_num_samples(ds) != m->num_samples)
        wrong("number", hr_dataset_num_samples(ds));
    for (uint32_t f = 0; f < num_fields(m); f++) {
        size_t n = (size_t)(m->num_samples * field_bytes(m, f));
        memset(dst, 0xee, n);
        hr_status st = hr_dataset_read(ds, f, 0, m->num_samples, dst, n, err);
        if (st != HR_OK)
            return st;
        for (uint64_t i = 0; i < m->num_samples; i++)
            check_row(m, f, i, dst + i * field_bytes(m, f));
    }
    return HR_OK;
}

hr_status pass_gather(hr_dataset *ds, const struct made *m, hr_error *err) {
    uint64_t indices[64];
    uint8_t *dst = buffer();
    for (uint64_t i = 0; i < 64; i++)
        indices[i] = (i / 2 * 29 + i % 2 * 7) % m->num_samples;
    for (uint32_t f = 0; f < num_fields(m); f++) {
        size_t n = (size_t)(64 * field_bytes(m, f));
        memset(dst, 0xee, n);
        hr_status st = hr_dataset_gather(ds, f, indices, 64, dst, n, err);
        if (st != HR_OK)
            return st;
        for (uint64_t i = 0; i < 64; i++)
            check_row(m, f, indices[i], dst + i * field_bytes(m, f));
    }
    return HR_OK;
}

static void check_batch(const hr_batch *b, const struct made *m, uint8_t *seen) {
    const int64_t *y = hr_batch_data_by_name(b, "y");
    for (uint32_t i = 0; i < hr_batch_num_samples(b); i++) {
        if (y[i] < 0 || y[i] >= (int64_t)m->num_samples || seen[y[i]]++ != 0)
            wrong("index", (uint64_t)y[i]);
    }
    if (!made_batch_right(b, m))
        wrong("a batch", hr_batch_number(b));
}

/* A loader that has failed says the same for ever. */
static void check_repeats(hr_loader *l, hr_status st, const hr_error *err) {
    for (int i = 0; i < 2; i++) {
        hr_error again = {0};
        hr_batch *b = NULL;
        if (hr_loader_next(l, -1, &b, &again) != st || b != NULL ||
            strcmp(again.message, err->message) != 0)
            wrong("a failure not repeated", 0);
    }
}

/* Every step-th sample comes once, and no other. */
static hr_status run_epoch(hr_loader *l, const struct made *m, uint64_t step, hr_error *err) {
    uint8_t seen[MAX_SAMPLES] = {0};
    hr_batch *b = NULL;
    hr_status st;
    while ((st = hr_loader_next(l, -1, &b, err)) == HR_OK) {
        check_batch(b, m, seen);
        hr_batch_release(b);
    }
    if (st != HR_END_OF_EPOCH) {
        check_repeats(l, st, err);
        return st;
    }
    for (uint64_t i = 0; i < m->num_samples; i++)
        if (seen[i] != (i % step == 0))
            wrong("a missing one", i);
    return HR_OK;
}

static hr_status run_loader(hr_dataset *ds, const struct made *m, hr_io io, uint32_t threads,
                            uint64_t num_epochs, uint64_t step, hr_subset *subset, hr_error *err) {
    hr_loader_options o = HR_LOADER_OPTIONS_INIT;
    hr_loader *l = NULL;
    o.flags = HR_LOADER_SHUFFLE;
    o.batch_samples = BATCH;
    o.num_threads = threads;
    o.num_epochs = num_epochs;
    o.budget_bytes = (uint64_t)64 << 20;
    o.io = io;
    o.subset = subset;
    hr_status st = hr_loader_open(ds, &o, &l, err);
    for (uint64_t e = 0; e < num_epochs && st == HR_OK; e++)
        st = run_epoch(l, m, step, err);
    hr_loader_close(l);
    return st;
}

hr_status pass_loader(hr_dataset *ds, const struct made *m, hr_io io, uint32_t threads,
                      uint64_t num_epochs, hr_error *err) {
    return run_loader(ds, m, io, threads, num_epochs, 1, NULL, err);
}

hr_status pass_subset(hr_dataset *ds, const struct made *m, hr_io io, uint32_t threads,
                      uint64_t num_epochs, hr_error *err) {
    const uint64_t step = 5;
    hr_subset *s = NULL;
    hr_status st = hr_subset_from_range(ds, 0, UINT64_MAX, step, &s, err);
    if (st == HR_OK)
        st = run_loader(ds, m, io, threads, num_epochs, step, s, err);
    hr_subset_free(s);
    return st;
}

hr_status pass_split(hr_dataset *ds, hr_error *err) {
    hr_split_options o = HR_SPLIT_OPTIONS_INIT;
    hr_subset *parts[2];
    o.fractions = (const double[]){0.5, 0.5};
    o.num_fractions = 2;
    o.stratify_field = "y";
    o.budget_bytes = (uint64_t)128 << 20;
    hr_status st = hr_split(ds, &o, parts, err);
    if (st != HR_OK && (parts[0] != NULL || parts[1] != NULL))
        wrong("a part", 0);
    hr_subset_free(parts[0]);
    hr_subset_free(parts[1]);
    return st;
}
