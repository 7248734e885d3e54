/*
 * Samples one after the other in a file. Each reader opens the file for itself, so that a source
 * costs no descriptor: a data set may be made of thousands of files.
 */
#define _GNU_SOURCE
#include "flat_source.h"

#include "error.h"
#include "numpy_elements.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct flat_reader {
    const struct hr__flat_source *src;
    struct hr__input_file file;
};

static void close_reader(struct hr__source_reader *reader) {
    struct flat_reader *r = (struct flat_reader *)reader;
    if (r == NULL)
        return;
    hr__input_file_close(&r->file);
    free(r);
}

static hr_status open_reader(struct hr__source *source, struct hr__budget *budget,
                             struct hr__helper_group *helpers, struct hr__source_reader **out,
                             hr_error *err) {
    const struct hr__flat_source *src = (const struct hr__flat_source *)source;
    (void)helpers;
    (void)budget; /* reads go straight into the caller's memory */
    *out = NULL;
    struct flat_reader *r = calloc(1, sizeof *r);
    if (r == NULL)
        return hr__error_no_memory(err, sizeof *r, "a reader of a source");
    r->src = src;
    hr_status st = hr__input_file_open(src->path, &r->file, err);
    if (st == HR_OK)
        st = hr__input_file_check_same(&r->file, &src->base.info.file, err);
    if (st != HR_OK) {
        close_reader((struct hr__source_reader *)r);
        return st;
    }
    *out = (struct hr__source_reader *)r;
    return HR_OK;
}

static hr_status read_samples(struct hr__source_reader *reader, uint64_t first, uint64_t n,
                              void *dst, hr_error *err) {
    const struct flat_reader *r = (const struct flat_reader *)reader;
    const struct hr__flat_source *src = r->src;
    uint64_t sample_bytes = src->base.info.sample_bytes;
    hr_status st = hr__source_check_range(&src->base, src->path, first, n, err);
    if (st == HR_OK)
        st = hr__input_file_read_exact(&r->file, src->path, dst, (size_t)(n * sample_bytes),
                                       src->data_off + first * sample_bytes, err);
    if (st != HR_OK)
        return st;
    st = hr__elements_to_canonical(&src->element, dst, n, src->elements_per_sample, first, err);
    if (st != HR_OK)
        hr__error_prefix(err, "%s", src->path);
    return st;
}

static void announce(struct hr__source_reader *reader, uint64_t first, uint64_t n) {
    const struct flat_reader *r = (const struct flat_reader *)reader;
    const uint64_t sample_bytes = r->src->base.info.sample_bytes;
    hr__input_file_announce(&r->file, n * sample_bytes, r->src->data_off + first * sample_bytes);
}

void hr__flat_source_close(struct hr__source *source) {
    struct hr__flat_source *src = (struct hr__flat_source *)source;
    if (src == NULL)
        return;
    free(src->path);
    free(src->name);
    free(src);
}

static const struct hr__source_ops flat_ops = {
    .name = "flat file",
    .open_reader = open_reader,
    .read = read_samples,
    .announce = announce,
    .close_reader = close_reader,
    .close = hr__flat_source_close,
};

/* The file's name without folder and suffix. */
static char *stem_of(const char *path) {
    const char *slash = strrchr(path, '/');
    const char *name = slash == NULL ? path : slash + 1;
    const char *dot = strrchr(name, '.');
    size_t n = dot == NULL || dot == name ? strlen(name) : (size_t)(dot - name);
    return strndup(name, n);
}

static void describe(struct hr__flat_source *src, const struct hr__input_file *file,
                     const struct hr__npy_header *array) {
    struct hr__source_info *info = &src->base.info;
    info->path = src->path;
    info->default_name = src->name;
    info->dtype = array->element.dtype;
    info->width_bytes = array->element.width_bytes;
    info->rank = array->rank;
    memcpy(info->shape, array->shape, sizeof info->shape);
    info->num_samples = array->num_samples;
    info->sample_bytes = array->sample_bytes;
    info->granule_samples = 1;
    info->max_readers = 1;
    info->any_pieces = true;
    info->numpy_dtype = src->numpy_dtype[0] != '\0' ? src->numpy_dtype : NULL;
    info->file = (hr_source_fingerprint){src->path, file->size_bytes, file->mtime_ns};
}

struct hr__npy_header hr__npy_header_of_elements(const struct hr__npy_header *array) {
    struct hr__npy_header elements = {
        .element = {.dtype = HR_FIXED_BYTES, .width_bytes = array->element.width_bytes},
        .num_samples = array->num_samples * array->elements_per_sample,
        .elements_per_sample = 1,
        .sample_bytes = array->element.width_bytes,
        .data_off = array->data_off,
        .data_bytes = array->data_bytes};
    return elements;
}

hr_status hr__flat_source_new(const char *path, const struct hr__input_file *file,
                              const struct hr__npy_header *array, const char *numpy_dtype,
                              struct hr__flat_source **out, hr_error *err) {
    *out = NULL;
    struct hr__flat_source *src = calloc(1, sizeof *src);
    if (src == NULL)
        return hr__error_no_memory(err, sizeof *src, "a source");
    src->base.ops = &flat_ops;
    src->element = array->element;
    src->elements_per_sample = array->elements_per_sample;
    src->data_off = array->data_off;
    src->path = strdup(path);
    src->name = stem_of(path);
    if (src->path == NULL || src->name == NULL) {
        hr__flat_source_close(&src->base);
        return hr__error_no_memory(err, strlen(path), "a source's name");
    }
    if (numpy_dtype != NULL)
        snprintf(src->numpy_dtype, sizeof src->numpy_dtype, "%s", numpy_dtype);
    describe(src, file, array);
    *out = src;
    return HR_OK;
}

hr_status hr__flat_surplus(const char *path, const struct hr__input_file *file,
                           const struct hr__npy_header *array, uint64_t *out, hr_error *err) {
    if (file->size_bytes < array->data_off ||
        file->size_bytes - array->data_off < array->data_bytes)
        return hr__error_at(err, HR_ERR_CORRUPT, file->size_bytes,
                            "%s is truncated: it has %llu bytes, its %llu samples need %llu; copy "
                            "or save it again",
                            path, (unsigned long long)file->size_bytes,
                            (unsigned long long)array->num_samples,
                            (unsigned long long)(array->data_off + array->data_bytes));
    *out = file->size_bytes - array->data_off - array->data_bytes;
    return HR_OK;
}

hr_status hr__flat_source_make(const char *path, const struct hr__input_file *file,
                               const struct hr__npy_header *array, const char *numpy_dtype,
                               struct hr__source **out, hr_error *err) {
    struct hr__flat_source *src = NULL;
    uint64_t surplus = 0;
    *out = NULL;
    hr_status st = hr__flat_surplus(path, file, array, &surplus, err);
    if (st == HR_OK)
        st = hr__flat_source_new(path, file, array, numpy_dtype, &src, err);
    if (st != HR_OK)
        return st;
    if (surplus > 0) {
        snprintf(src->note, sizeof src->note, "%llu bytes behind the array are ignored",
                 (unsigned long long)surplus);
        src->base.info.note = src->note;
    }
    *out = &src->base;
    return HR_OK;
}
