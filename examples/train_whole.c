/*
 * Training as it is mostly done today: both arrays in memory, rows picked at random from them.
 */
#include "train_whole.h"
#include "trainer.h"
#include "whole_array.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* 0: not one that this program knows. */
static hr_dtype dtype_known(const struct whole_array *a) {
    static const struct {
        const char *name;
        hr_dtype dtype;
    } known[] = {{"f4", HR_FLOAT32}, {"u1", HR_UINT8},  {"i1", HR_INT8},
                 {"i2", HR_INT16},   {"u2", HR_UINT16}, {"i4", HR_INT32},
                 {"u4", HR_UINT32},  {"i8", HR_INT64},  {"u8", HR_UINT64}};
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (strcmp(known[i].name, a->dtype) == 0)
            return known[i].dtype;
    return (hr_dtype)0;
}

static int kind_find(const struct whole_array *x, const struct whole_array *y,
                     struct sample_kind *out) {
    out->x_dtype = dtype_known(x);
    out->y_dtype = dtype_known(y);
    out->inputs = x->sample_elements;
    if ((out->x_dtype != HR_FLOAT32 && out->x_dtype != HR_UINT8) || out->y_dtype != HR_INT64 ||
        y->sample_elements != 1 || x->num_samples != y->num_samples) {
        fprintf(stderr, "read whole, samples are float32 or uint8, and labels int64, as many\n");
        return -1;
    }
    for (uint64_t i = 0; i < x->num_samples; i++) {
        const int64_t label = ((const int64_t *)y->data)[i];
        if (label >= 0 && (uint64_t)label >= out->classes)
            out->classes = (uint64_t)label + 1;
    }
    out->largest = out->x_dtype == HR_UINT8 ? 255.0 : 0.0;
    for (uint64_t i = 0; out->x_dtype == HR_FLOAT32 && i < x->num_samples * out->inputs; i++)
        out->largest = fmax(out->largest, fabsf(((const float *)x->data)[i]));
    return 0;
}

static void shuffle(uint64_t *order, uint64_t n, uint64_t seed) {
    for (uint64_t i = n; i > 1; i--) {
        seed = seed * 6364136223846793005u + 1442695040888963407u;
        const uint64_t j = (seed >> 11) % i;
        const uint64_t swap = order[i - 1];
        order[i - 1] = order[j];
        order[j] = swap;
    }
}

/* Gathers rows in a random order into batches; rows and labels hold one batch. */
static int epoch_run(struct trainer *t, const struct whole_array *x, const struct whole_array *y,
                     uint64_t *order, uint8_t *rows, int64_t *labels) {
    const size_t row_bytes = (size_t)x->sample_elements * x->element_bytes;
    const double begin = seconds_now();
    double gathering = 0.0;
    shuffle(order, x->num_samples, t->opts->seed + t->total.epoch);
    for (uint64_t first = 0; first < x->num_samples;) {
        const double before = seconds_now();
        uint32_t n = 0;
        for (; n < t->opts->batch_samples && first < x->num_samples; n++, first++) {
            const uint8_t *row = (const uint8_t *)x->data + order[first] * row_bytes;
            memcpy(rows + n * row_bytes, row, row_bytes);
            labels[n] = ((const int64_t *)y->data)[order[first]];
        }
        gathering += seconds_now() - before;
        if (trainer_step(t, rows, labels, n) != 0)
            return -1;
    }
    return trainer_epoch_end(t, seconds_now() - begin, gathering);
}

static int train_on(struct trainer *t, const struct whole_array *x, const struct whole_array *y) {
    const size_t batch = t->opts->batch_samples;
    uint64_t *order = malloc(x->num_samples * sizeof *order);
    uint8_t *rows = malloc(batch * (size_t)x->sample_elements * x->element_bytes);
    int64_t *labels = malloc(batch * sizeof *labels);
    int st = order != NULL && rows != NULL && labels != NULL ? 0 : -1;
    for (uint64_t i = 0; st == 0 && i < x->num_samples; i++)
        order[i] = i;
    while (st == 0 && t->total.epoch < t->opts->epochs)
        st = epoch_run(t, x, y, order, rows, labels);
    free(order);
    free(rows);
    free(labels);
    return st;
}

int train_whole(const struct train_options *opts) {
    struct whole_array x = {0}, y = {0};
    struct trainer t = {0};
    struct sample_kind kind = {0};
    printf("reading %s whole into memory\n", opts->whole_x);
    fflush(stdout);
    int st = whole_array_load(opts->whole_x, &x);
    if (st == 0)
        st = whole_array_load(opts->whole_y, &y);
    if (st == 0)
        st = kind_find(&x, &y, &kind);
    if (st == 0)
        st = trainer_init(&t, opts, &kind);
    if (st == 0)
        st = train_on(&t, &x, &y);
    if (st == 0) {
        char text[32];
        printf("peak memory  %s\n", size_text(peak_memory_bytes(), text));
        if (opts->report_path != NULL)
            st = report_write(opts->report_path, &t.total, 0, 0);
    }
    trainer_free(&t);
    whole_array_free(&x);
    whole_array_free(&y);
    return st;
}
