/*
 * Rows of variable length for tests.
 */
#include "varlen_rows.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TEXT     0
#define LABEL    1
#define BYTES    2
#define SEQUENCE 3

const hr_field varlen_fields[VARLEN_NUM_FIELDS] = {
    {.name = "text", .dtype = HR_VAR_UTF8},
    {.name = "label", .dtype = HR_INT32},
    {.name = "blob", .dtype = HR_VAR_BYTES},
    {.name = "tokens", .dtype = HR_VAR_BYTES, .element_dtype = HR_INT32},
};

static uint64_t mix(uint64_t x) {
    x ^= x >> 31;
    x *= UINT64_C(0x7fb5d329728ea185);
    x ^= x >> 27;
    return x * UINT64_C(0x81dadef4bc2dd44d);
}

uint64_t varlen_length(uint32_t field, uint64_t sample) {
    const uint64_t r = mix(sample * 1000003 + field) >> 40;
    switch (field) {
    case LABEL:
        return 4;
    case TEXT:
        return r % 3 == 0 ? 0 : 2 * (r % 97);
    case BYTES:
        return r % 41 == 0 ? 3000 + r % 5000 : r % 7;
    default:
        return 4 * (r % 23);
    }
}

void varlen_fill(uint32_t field, uint64_t sample, uint8_t *dst) {
    const uint64_t n = varlen_length(field, sample);
    for (uint64_t i = 0; i < n; i++) {
        const uint64_t r = mix(sample * 7919 + i / 5 + field) >> 40;
        if (field == TEXT) /* two bytes of one character */
            dst[i] = i % 2 == 0 ? 0xc3 : (uint8_t)(0x80 + r % 64);
        else
            dst[i] = (uint8_t)(i % 4 == 0 ? r : 0);
    }
}

/* Values of samples first .. first + n - 1; the offsets begin at 3, as those of a part would. */
static void make_column(uint32_t field, uint64_t first, uint64_t n, hr_varlen_column *out) {
    int64_t *offsets = malloc((n + 1) * sizeof(*offsets));
    offsets[0] = 3;
    for (uint64_t i = 0; i < n; i++)
        offsets[i + 1] = offsets[i] + (int64_t)varlen_length(field, first + i);
    uint8_t *values = calloc(1, (size_t)offsets[n]);
    for (uint64_t i = 0; i < n; i++)
        varlen_fill(field, first + i, values + offsets[i]);
    *out = (hr_varlen_column){offsets, values, (uint64_t)offsets[n]};
}

static hr_status append_once(hr_writer *w, uint64_t first, uint64_t n, hr_error *err) {
    hr_varlen_column made[VARLEN_NUM_FIELDS];
    const void *columns[VARLEN_NUM_FIELDS];
    for (uint32_t f = 0; f < VARLEN_NUM_FIELDS; f++) {
        make_column(f, first, n, &made[f]);
        columns[f] = f == LABEL ? (const uint8_t *)made[f].values + 3 : (const void *)&made[f];
    }
    const hr_status st = hr_writer_append(w, n, columns, err);
    for (uint32_t f = 0; f < VARLEN_NUM_FIELDS; f++) {
        free((void *)(uintptr_t)made[f].offsets);
        free((void *)(uintptr_t)made[f].values);
    }
    return st;
}

hr_status varlen_append(hr_writer *w, uint64_t first, uint64_t n, uint64_t step, hr_error *err) {
    hr_status st = HR_OK;
    for (uint64_t done = 0; done < n && st == HR_OK; done += step)
        st = append_once(w, first + done, n - done < step ? n - done : step, err);
    return st;
}

static hr_status wrong(uint32_t field, uint64_t sample, hr_error *err) {
    snprintf(err->message, sizeof err->message, "field %u, sample %llu is not what was written",
             field, (unsigned long long)sample);
    err->status = HR_ERR_DATA;
    return HR_ERR_DATA;
}

static hr_status compare(uint32_t field, const uint64_t *samples, uint64_t n,
                         const int64_t *offsets, const uint8_t *values, hr_error *err) {
    uint8_t expected[8192];
    for (uint64_t i = 0; i < n; i++) {
        const uint64_t length = varlen_length(field, samples[i]);
        varlen_fill(field, samples[i], expected);
        if ((uint64_t)(offsets[i + 1] - offsets[i]) != length ||
            (length > 0 && memcmp(values + offsets[i], expected, length) != 0))
            return wrong(field, samples[i], err);
    }
    return HR_OK;
}

/* Samples first .. + n - 1, or with scattered, those and their like in no order. */
static hr_status read_some(hr_dataset *ds, uint32_t field, uint64_t first, uint64_t n,
                           uint64_t scattered, hr_error *err) {
    uint64_t *samples = malloc((n + 1) * sizeof(*samples)), needed = 0, again = 0;
    int64_t *offsets = calloc(n + 1, sizeof(*offsets));
    uint8_t *values = NULL;
    for (uint64_t i = 0; i < n; i++)
        samples[i] = scattered > 0 ? mix(first + i / 2) % scattered : first + i;
    hr_status st =
        scattered > 0
            ? hr_dataset_gather_values(ds, field, samples, n, offsets, NULL, 0, &needed, err)
            : hr_dataset_read_values(ds, field, first, n, offsets, NULL, 0, &needed, err);
    if (st == HR_OK) {
        values = malloc(needed + 1);
        st = scattered > 0 ? hr_dataset_gather_values(ds, field, samples, n, offsets, values,
                                                      needed, &again, err)
                           : hr_dataset_read_values(ds, field, first, n, offsets, values, needed,
                                                    &again, err);
    }
    if (st == HR_OK && again != needed)
        st = wrong(field, first, err);
    if (st == HR_OK)
        st = compare(field, samples, n, offsets, values, err);
    free(values);
    free(offsets);
    free(samples);
    return st;
}

static hr_status read_labels(hr_dataset *ds, uint64_t n, hr_error *err) {
    uint8_t *found = malloc(4 * n + 1), expected[4];
    hr_status st = hr_dataset_read(ds, LABEL, 0, n, found, 4 * n, err);
    for (uint64_t i = 0; st == HR_OK && i < n; i++) {
        varlen_fill(LABEL, i, expected);
        if (memcmp(found + 4 * i, expected, 4) != 0)
            st = wrong(LABEL, i, err);
    }
    free(found);
    return st;
}

hr_status varlen_read(hr_dataset *ds, uint64_t n, uint64_t step, hr_error *err) {
    hr_status st = hr_dataset_num_samples(ds) == n ? HR_OK : wrong(0, n, err);
    if (st == HR_OK)
        st = read_labels(ds, n, err);
    for (uint32_t f = 0; f < VARLEN_NUM_FIELDS && st == HR_OK; f++) {
        if (f == LABEL)
            continue;
        for (uint64_t at = 0; at < n && st == HR_OK; at += step)
            st = read_some(ds, f, at, n - at < step ? n - at : step, 0, err);
        if (st == HR_OK)
            st = read_some(ds, f, 5, n < 200 ? n : 200, n > 0 ? n : 1, err);
    }
    return st;
}
