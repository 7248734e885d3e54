/*
 * Data sets for tests, by the public writer.
 */
#define _GNU_SOURCE
#include "made_dataset.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROWS 97 /* per append: no divisor of anything */

static char folder[PATH_MAX];

const char *made_path(const char *name) {
    static char path[PATH_MAX + 64];
    const char *tmp = getenv("TMPDIR");
    if (folder[0] == 0) {
        snprintf(folder, sizeof(folder), "%s/headrace-test-XXXXXX", tmp != NULL ? tmp : "/tmp");
        if (mkdtemp(folder) == NULL)
            abort();
    }
    snprintf(path, sizeof(path), "%s/%s", folder, name);
    return path;
}

void made_cleanup(void) {
    char command[PATH_MAX + 16];
    if (folder[0] == 0)
        return;
    snprintf(command, sizeof(command), "rm -rf '%s'", folder);
    if (system(command) != 0)
        fprintf(stderr, "could not remove %s\n", folder);
    folder[0] = 0;
}

void made_ok(hr_status st, const hr_error *err) {
    if (st == HR_OK)
        return;
    fprintf(stderr, "%s: %s\n", hr_status_name(st), err->message);
    abort();
}

uint8_t made_byte(uint64_t sample, uint32_t at) {
    return (uint8_t)(sample * 7 + at * (sample % 5 + 1));
}

float made_word(uint64_t sample, uint32_t at) {
    return (float)sample + (float)at * 0.25f;
}

static void rows_fill(const struct made *m, uint64_t first, uint64_t n, int64_t *y, uint8_t *x,
                      float *w) {
    for (uint64_t i = 0; i < n; i++) {
        y[i] = (int64_t)(first + i);
        for (uint32_t k = 0; k < m->row_bytes; k++)
            x[i * m->row_bytes + k] = made_byte(first + i, k);
        for (uint32_t k = 0; k < m->row_words; k++)
            w[i * m->row_words + k] = made_word(first + i, k);
    }
}

static void write_rows(const char *path, const struct made *m, const hr_writer_options *o,
                       uint64_t first, uint64_t num_samples) {
    hr_error err = {0};
    uint64_t x_shape[1] = {m->row_bytes}, w_shape[1] = {m->row_words};
    const hr_field fields[3] = {{.name = "y", .dtype = HR_INT64},
                                {.name = "x", .dtype = HR_UINT8, .rank = 1, .shape = x_shape},
                                {.name = "w", .dtype = HR_FLOAT32, .rank = 1, .shape = w_shape}};
    hr_writer *writer = NULL;
    made_ok(hr_writer_open(path, fields, m->row_words > 0 ? 3 : 2, o, &writer, &err), &err);
    int64_t *y = calloc(ROWS, sizeof(*y));
    uint8_t *x = calloc(ROWS, m->row_bytes + 1);
    float *w = calloc(ROWS, (m->row_words + 1) * sizeof(*w));
    for (uint64_t at = 0; at < num_samples; at += ROWS) {
        uint64_t n = num_samples - at < ROWS ? num_samples - at : ROWS;
        const void *columns[3] = {y, x, w};
        rows_fill(m, first + at, n, y, x, w);
        made_ok(hr_writer_append(writer, n, columns, &err), &err);
    }
    made_ok(hr_writer_commit(writer, &err), &err);
    hr_writer_close(writer);
    free(y);
    free(x);
    free(w);
}

void made_write_part(const char *path, const struct made *m, uint64_t first, uint64_t num_samples) {
    hr_writer_options o = HR_WRITER_OPTIONS_INIT;
    o.flags = HR_WRITER_REPLACE;
    o.samples_per_chunk = m->samples_per_chunk;
    o.num_threads = 2;
    o.codec = m->codec;
    o.filter = m->filter;
    write_rows(path, m, &o, first, num_samples);
}

void made_append(const char *path, const struct made *m, uint64_t num_samples) {
    hr_writer_options o = HR_WRITER_OPTIONS_INIT;
    o.flags = HR_WRITER_APPEND;
    o.num_threads = 2;
    write_rows(path, m, &o, m->num_samples, num_samples - m->num_samples);
}

void made_write(const char *path, const struct made *m) {
    made_write_part(path, m, 0, m->num_samples);
}

uint64_t made_file_begin(const struct made *m, uint32_t num_files, uint32_t i) {
    return m->num_samples * i * i / ((uint64_t)num_files * num_files);
}

hr_dataset *made_open(const char *name, const struct made *m) {
    hr_error err = {0};
    hr_dataset *ds = NULL;
    made_write(made_path(name), m);
    made_ok(hr_dataset_open(made_path(name), NULL, &ds, &err), &err);
    return ds;
}

hr_dataset *made_open_files(const char *name, const struct made *m, uint32_t num_files) {
    char paths[MADE_MAX_FILES][PATH_MAX + 64];
    const char *list[MADE_MAX_FILES];
    hr_error err = {0};
    hr_dataset *ds = NULL;
    if (num_files > MADE_MAX_FILES)
        abort();
    for (uint32_t i = 0; i < num_files; i++) {
        struct made how = *m;
        uint64_t begin = made_file_begin(m, num_files, i);
        if (i % 2 == 1) {
            how.codec = HR_CODEC_RAW;
            how.filter = HR_FILTER_NONE;
        }
        snprintf(paths[i], sizeof(paths[i]), "%s.%u", made_path(name), i);
        list[i] = paths[i];
        made_write_part(list[i], &how, begin, made_file_begin(m, num_files, i + 1) - begin);
    }
    made_ok(hr_dataset_open_many(list, num_files, NULL, &ds, &err), &err);
    return ds;
}

bool made_batch_right(const hr_batch *b, const struct made *m) {
    const int64_t *y = hr_batch_data_by_name(b, "y");
    const uint8_t *x = hr_batch_data_by_name(b, "x");
    const float *w = hr_batch_data_by_name(b, "w");
    for (uint32_t i = 0; i < hr_batch_num_samples(b); i++) {
        uint64_t sample = (uint64_t)y[i];
        if (sample >= m->num_samples)
            return false;
        for (uint32_t k = 0; k < m->row_bytes; k++)
            if (x[(size_t)i * m->row_bytes + k] != made_byte(sample, k))
                return false;
        for (uint32_t k = 0; k < m->row_words; k++)
            if (w[(size_t)i * m->row_words + k] != made_word(sample, k))
                return false;
    }
    return true;
}

hr_loader_options made_shuffled(uint32_t batch_samples, hr_io io, uint32_t num_threads) {
    hr_loader_options o = HR_LOADER_OPTIONS_INIT;
    o.flags = HR_LOADER_SHUFFLE;
    o.batch_samples = batch_samples;
    o.num_threads = num_threads;
    o.num_epochs = 1;
    o.budget_bytes = (uint64_t)256 << 20;
    o.io = io;
    return o;
}

uint64_t made_drain(hr_loader *l, const struct made *m) {
    hr_error err = {0};
    hr_batch *b = NULL;
    hr_status st;
    uint64_t num_samples = 0;
    while ((st = hr_loader_next(l, -1, &b, &err)) == HR_OK) {
        if (!made_batch_right(b, m)) {
            fprintf(stderr, "batch %llu is wrong\n", (unsigned long long)hr_batch_number(b));
            abort();
        }
        num_samples += hr_batch_num_samples(b);
        hr_batch_release(b);
    }
    made_ok(st == HR_END_OF_EPOCH ? HR_OK : st, &err);
    return num_samples;
}
