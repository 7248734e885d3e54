/*
 * Steps, epochs and tests of train_mlp and train_cuda.
 */
#define _POSIX_C_SOURCE 200809L
#include "trainer.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define MAX_CLASSES 65536u

double seconds_now(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static int is_integer(hr_dtype dtype) {
    return dtype >= HR_INT8 && dtype <= HR_UINT64;
}

int fields_choose(const hr_dataset *ds, hr_field *x, hr_field *y) {
    int have_x = 0, have_y = 0;
    for (uint32_t i = 0; i < hr_dataset_num_fields(ds); i++) {
        hr_field f;
        hr_error err;
        if (hr_dataset_field(ds, i, &f, &err) != HR_OK) {
            fprintf(stderr, "%s\n", err.message);
            return -1;
        }
        if (!have_x && f.rank > 0 && (f.dtype == HR_FLOAT32 || f.dtype == HR_UINT8)) {
            *x = f;
            have_x = 1;
        } else if (!have_y && f.rank == 0 && is_integer(f.dtype)) {
            *y = f;
            have_y = 1;
        }
    }
    if (have_x && have_y)
        return 0;
    fprintf(stderr, "%s: needs a float32 or uint8 array and a field of one integer per sample\n",
            hr_dataset_path(ds));
    return -1;
}

/* Opens the held-out samples, which must be of the same kind. */
static int test_open(struct trainer *t) {
    hr_error err;
    hr_field x, y;
    const uint32_t n = t->opts->batch_samples;
    if (hr_dataset_open(t->opts->test_path, NULL, &t->test, &err) != HR_OK) {
        fprintf(stderr, "%s\n", err.message);
        return -1;
    }
    if (fields_choose(t->test, &x, &y) != 0)
        return -1;
    if (hr_dataset_find_field(t->test, x.name, &t->test_x, &err) != HR_OK ||
        hr_dataset_find_field(t->test, y.name, &t->test_y, &err) != HR_OK) {
        fprintf(stderr, "%s\n", err.message);
        return -1;
    }
    const uint64_t x_bytes = hr_dataset_sample_bytes(t->test, t->test_x);
    if (x.dtype != t->x_dtype || y.dtype != t->y_dtype ||
        x_bytes != (uint64_t)t->inputs * hr_dtype_bytes(x.dtype)) {
        fprintf(stderr, "%s: its samples are not of the kind trained on\n", t->opts->test_path);
        return -1;
    }
    t->test_rows = malloc(n * x_bytes);
    t->test_labels = malloc((size_t)n * hr_dtype_bytes(y.dtype));
    return t->test_rows != NULL && t->test_labels != NULL ? 0 : -1;
}

int trainer_init(struct trainer *t, const struct train_options *opts,
                 const struct sample_kind *kind) {
    *t = (struct trainer){.opts = opts, .x_dtype = kind->x_dtype, .y_dtype = kind->y_dtype};
    if (kind->inputs == 0 || kind->inputs > (1u << 24) || kind->classes < 2 ||
        kind->classes > MAX_CLASSES) {
        fprintf(stderr, "%" PRIu64 " inputs and %" PRIu64 " classes: not for this program\n",
                kind->inputs, kind->classes);
        return -1;
    }
    const uint32_t n = opts->batch_samples;
    t->inputs = (uint32_t)kind->inputs;
    t->classes = (uint32_t)kind->classes;
    t->sample_bytes = (uint64_t)t->inputs * hr_dtype_bytes(t->x_dtype) + hr_dtype_bytes(t->y_dtype);
    t->input_scale = kind->largest > 0.0 ? (float)(1.0 / kind->largest) : 1.0f;
    t->mlp = mlp_new(t->inputs, t->classes, t->input_scale, opts->seed);
    t->labels = malloc(n * sizeof *t->labels);
    t->floats = malloc(t->x_dtype == HR_FLOAT32 ? 1 : (size_t)n * t->inputs * sizeof(float));
    if (t->mlp == NULL || t->labels == NULL || t->floats == NULL ||
        (opts->test_path != NULL && test_open(t) != 0)) {
        fprintf(stderr, "the training cannot begin\n");
        return -1;
    }
    return 0;
}

void trainer_free(struct trainer *t) {
    hr_dataset_close(t->test);
    mlp_free(t->mlp);
    free(t->floats);
    free(t->labels);
    free(t->test_rows);
    free(t->test_labels);
    memset(t, 0, sizeof *t);
}

static const float *as_floats(struct trainer *t, const void *x, uint32_t n) {
    if (t->x_dtype == HR_FLOAT32)
        return x;
    const uint8_t *bytes = x;
    for (size_t i = 0; i < (size_t)n * t->inputs; i++)
        t->floats[i] = (float)bytes[i];
    return t->floats;
}

static int64_t label_at(hr_dtype dtype, const void *y, uint32_t i) {
    switch (dtype) {
    case HR_INT8:
        return ((const int8_t *)y)[i];
    case HR_UINT8:
        return ((const uint8_t *)y)[i];
    case HR_INT16:
        return ((const int16_t *)y)[i];
    case HR_UINT16:
        return ((const uint16_t *)y)[i];
    case HR_INT32:
        return ((const int32_t *)y)[i];
    case HR_UINT32:
        return ((const uint32_t *)y)[i];
    default:
        return ((const int64_t *)y)[i];
    }
}

/* NULL: a message was printed. */
static const int64_t *as_labels(struct trainer *t, const void *y, uint32_t n) {
    for (uint32_t i = 0; i < n; i++) {
        t->labels[i] = label_at(t->y_dtype, y, i);
        if (t->labels[i] < 0 || t->labels[i] >= t->classes) {
            fprintf(stderr, "label %" PRId64 ": not one of 0 .. %" PRIu32 "\n", t->labels[i],
                    t->classes - 1);
            return NULL;
        }
    }
    return t->labels;
}

float trainer_rate(const struct trainer *t) {
    const uint64_t epochs_left = t->opts->epochs - t->total.epoch;
    return t->opts->rate * (float)epochs_left / (float)t->opts->epochs;
}

int trainer_step(struct trainer *t, const void *x, const void *y, uint32_t n) {
    const int64_t *labels = as_labels(t, y, n);
    if (labels == NULL)
        return -1;
    const struct mlp_result r = mlp_train(t->mlp, as_floats(t, x, n), labels, n, trainer_rate(t));
    t->epoch.samples += n;
    t->epoch.bytes += n * t->sample_bytes;
    t->epoch.loss += r.loss;
    t->correct += r.correct;
    return 0;
}

/* Share of the held-out samples that are right; negative: a message was printed. */
static double test_run(struct trainer *t) {
    const uint64_t num_samples = hr_dataset_num_samples(t->test);
    const uint64_t x_bytes = hr_dataset_sample_bytes(t->test, t->test_x);
    const uint64_t y_bytes = hr_dataset_sample_bytes(t->test, t->test_y);
    uint64_t correct = 0;
    hr_error err;
    for (uint64_t first = 0; first < num_samples;) {
        const uint64_t left = num_samples - first;
        const uint32_t n = left < t->opts->batch_samples ? (uint32_t)left : t->opts->batch_samples;
        if (hr_dataset_read(t->test, t->test_x, first, n, t->test_rows, n * x_bytes, &err) !=
                HR_OK ||
            hr_dataset_read(t->test, t->test_y, first, n, t->test_labels, n * y_bytes, &err) !=
                HR_OK) {
            fprintf(stderr, "%s\n", err.message);
            return -1.0;
        }
        const int64_t *labels = as_labels(t, t->test_labels, n);
        if (labels == NULL)
            return -1.0;
        correct += mlp_test(t->mlp, as_floats(t, t->test_rows, n), labels, n).correct;
        first += n;
    }
    return num_samples > 0 ? (double)correct / (double)num_samples : 0.0;
}

int trainer_epoch_end(struct trainer *t, double seconds, double wait_seconds) {
    struct epoch_report *e = &t->epoch;
    e->epoch = t->total.epoch + 1;
    e->seconds = seconds;
    e->wait_seconds = wait_seconds;
    if (e->samples > 0) {
        e->loss /= (double)e->samples;
        e->seen = (double)t->correct / (double)e->samples;
    }
    e->held_out = EPOCH_NONE;
    if (t->test != NULL && (e->held_out = test_run(t)) < 0.0)
        return -1;
    epoch_print(e);
    epoch_add(&t->total, e);
    *e = (struct epoch_report){0};
    t->correct = 0;
    return 0;
}
