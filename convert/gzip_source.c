/*
 * Samples one after the other in a file that gzip has compressed as a whole.
 */
#include "flat_source.h"
#include "input_stream.h"

#include "error.h"
#include "numpy_elements.h"

#include <stdlib.h>

struct gzip_reader {
    struct hr__flat_source *src;
    struct hr__input_stream stream;
};

static void close_reader(struct hr__source_reader *reader) {
    struct gzip_reader *r = (struct gzip_reader *)reader;
    if (r == NULL)
        return;
    hr__input_stream_close(&r->stream);
    free(r);
}

static hr_status open_reader(struct hr__source *source, struct hr__budget *budget,
                             struct hr__helper_group *helpers, struct hr__source_reader **out,
                             hr_error *err) {
    struct hr__flat_source *src = (struct hr__flat_source *)source;
    (void)helpers;
    (void)budget; /* of a fixed, small size */
    *out = NULL;
    struct gzip_reader *r = calloc(1, sizeof *r);
    if (r == NULL)
        return hr__error_no_memory(err, sizeof *r, "a reader of a source");
    r->src = src;
    hr_status st = hr__input_stream_open(src->path, true, &r->stream, err);
    if (st == HR_OK)
        st = hr__input_file_check_same(&r->stream.file, &src->base.info.file, err);
    if (st != HR_OK) {
        close_reader((struct hr__source_reader *)r);
        return st;
    }
    *out = (struct hr__source_reader *)r;
    return HR_OK;
}

/* The last sample was read. */
static hr_status come_to_end(struct gzip_reader *r, hr_error *err) {
    struct hr__flat_source *src = r->src;
    uint64_t end_off = 0;
    const hr_status st = hr__input_stream_finish(&r->stream, &end_off, err);
    if (st == HR_OK)
        atomic_store(&src->surplus_bytes,
                     end_off - src->data_off -
                         src->base.info.num_samples * src->base.info.sample_bytes);
    return st;
}

static hr_status read_bytes(struct gzip_reader *r, uint64_t first, uint64_t n, uint8_t *dst,
                            hr_error *err) {
    const struct hr__flat_source *src = r->src;
    const uint64_t sample_bytes = src->base.info.sample_bytes;
    const size_t n_bytes = (size_t)(n * sample_bytes);
    size_t found = 0;
    hr_status st = hr__input_stream_read(&r->stream, dst, n_bytes,
                                         src->data_off + first * sample_bytes, &found, err);
    if (st == HR_OK && found < n_bytes)
        st = hr__error_set(err, HR_ERR_CORRUPT,
                           "%s is truncated: what it holds ends in sample %llu of %llu; copy or "
                           "save it again",
                           src->path, (unsigned long long)(first + found / sample_bytes),
                           (unsigned long long)src->base.info.num_samples);
    if (st == HR_OK && first + n == src->base.info.num_samples)
        st = come_to_end(r, err);
    return st;
}

static hr_status read_samples(struct hr__source_reader *reader, uint64_t first, uint64_t n,
                              void *dst, hr_error *err) {
    struct gzip_reader *r = (struct gzip_reader *)reader;
    const struct hr__flat_source *src = r->src;
    hr_status st = hr__source_check_range(&src->base, src->path, first, n, err);
    if (st == HR_OK)
        st = read_bytes(r, first, n, dst, err);
    if (st != HR_OK)
        return st;
    st = hr__elements_to_canonical(&src->element, dst, n, src->elements_per_sample, first, err);
    if (st != HR_OK)
        hr__error_prefix(err, "%s", src->path);
    return st;
}

static const struct hr__source_ops gzip_ops = {
    .name = "compressed flat file",
    .open_reader = open_reader,
    .read = read_samples,
    .close_reader = close_reader,
    .close = hr__flat_source_close,
};

hr_status hr__gzip_source_make(const char *path, const struct hr__input_file *file,
                               const struct hr__npy_header *array, struct hr__source **out,
                               hr_error *err) {
    struct hr__flat_source *src;
    *out = NULL;
    const hr_status st = hr__flat_source_new(path, file, array, NULL, &src, err);
    if (st != HR_OK)
        return st;
    src->base.ops = &gzip_ops;
    src->base.info.any_pieces = false;
    src->base.info.surplus_bytes = &src->surplus_bytes;
    src->base.info.is_stream = true;
    *out = &src->base;
    return HR_OK;
}
