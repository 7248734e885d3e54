/*
 * .npy files as sources. Files are untrusted.
 */
#include "axis_source.h"
#include "error.h"
#include "flat_source.h"
#include "npy_records.h"

#include <stdlib.h>
#include <string.h>

/* The first header_bytes bytes of the file, malloc'ed. */
static hr_status load_header(const struct hr__input_file *file, const char *path, uint8_t **out,
                             size_t *n_bytes, hr_error *err) {
    uint8_t prefix[HR__NPY_PREFIX_BYTES];
    size_t found = 0, header_bytes = 0;
    hr_status st;
    HR_TRY(hr__input_file_read(file, path, prefix, sizeof prefix, 0, &found, err));
    st = hr__npy_header_size(prefix, found, &header_bytes, err);
    if (st != HR_OK) {
        hr__error_prefix(err, "%s", path);
        goto done;
    }
    *out = malloc(header_bytes);
    if (*out == NULL) {
        st = hr__error_no_memory(err, header_bytes, "the header of a .npy file");
        goto done;
    }
    HR_TRY(hr__input_file_read(file, path, *out, header_bytes, 0, n_bytes, err));
done:
    return st;
}

/* An open file, with its header as bytes, which are malloc'ed, and parsed. */
struct npy_file {
    struct hr__input_file file;
    uint8_t *bytes;
    struct hr__npy_header header;
};

static void close_file(struct npy_file *f) {
    free(f->bytes);
    hr__input_file_close(&f->file);
}

/* Close it also after a failure. */
static hr_status open_file(const char *path, struct npy_file *f, hr_error *err) {
    size_t n_bytes = 0;
    hr_status st;
    *f = (struct npy_file){0};
    HR_TRY(hr__input_file_open(path, &f->file, err));
    HR_TRY(load_header(&f->file, path, &f->bytes, &n_bytes, err));
    st = hr__npy_header_parse(f->bytes, n_bytes, &f->header, err);
    if (st != HR_OK)
        hr__error_prefix(err, "%s", path);
done:
    return st;
}

/* array: the header, or that of its elements. */
static hr_status make_flat(const char *path, const struct hr__input_file *file,
                           const struct hr__npy_header *header, const struct hr__npy_header *array,
                           struct hr__source **out, hr_error *err) {
    char text_dtype[HR__NUMPY_DTYPE_BYTES];
    hr__numpy_dtype_print(HR_FIXED_UTF8, 0, header->element.width_bytes / 4, text_dtype);
    return hr__flat_source_make(path, file, array, header->element.ucs4 ? text_dtype : NULL, out,
                                err);
}

static struct hr__axis_array array_of(const struct hr__npy_header *header) {
    struct hr__axis_array array = {.rank = header->rank + 1,
                                   .fortran = header->fortran,
                                   .width_bytes = header->element.width_bytes};
    array.shape[0] = header->num_samples;
    memcpy(array.shape + 1, header->shape, sizeof header->shape);
    return array;
}

static hr_status make_along(const char *path, const struct hr__input_file *file,
                            const struct hr__npy_header *header,
                            const struct hr__axis_options *axis, struct hr__source **out,
                            hr_error *err) {
    const struct hr__npy_header elements = hr__npy_header_of_elements(header);
    const struct hr__axis_input_array input = {
        .array = array_of(header), .element = header->element, .anywhere = true};
    struct hr__source *flat = NULL;
    hr_status st = make_flat(path, file, header, &elements, &flat, err);
    if (st == HR_OK)
        st = hr__axis_source_make(flat, &input, axis, out, err);
    if (st != HR_OK && flat != NULL)
        flat->ops->close(flat);
    return st;
}

static hr_status refuse(const char *path, const char *why, hr_error *err) {
    return hr__error_set(err, HR_ERR_UNSUPPORTED, "%s: %s", path, why);
}

static hr_status open_array(const char *path, const struct npy_file *f,
                            const struct hr__npy_options *o, struct hr__source ***out,
                            hr_error *err) {
    const struct hr__axis_array array = array_of(&f->header);
    if (o->member != NULL)
        return hr__error_set(err, HR_ERR_INVALID,
                             "%s is no structured array, so it has no member %s; leave that out",
                             path, o->member);
    struct hr__source **list = calloc(1, sizeof(*list));
    if (list == NULL)
        return hr__error_no_memory(err, sizeof(*list), "a list of sources");
    const hr_status st = hr__axis_layout_is_plain(&array, o->axis.axis)
                             ? make_flat(path, &f->file, &f->header, &f->header, list, err)
                             : make_along(path, &f->file, &f->header, &o->axis, list, err);
    if (st == HR_OK)
        *out = list;
    else
        free(list);
    return st;
}

static hr_status open_records(const char *path, const struct npy_file *f,
                              const struct hr__npy_options *o, struct hr__source ***out,
                              uint32_t *num_out, hr_error *err) {
    const struct hr__axis_array array = array_of(&f->header);
    if (hr__axis_layout_is_plain(&array, o->axis.axis))
        return hr__npy_records_open(path, &f->file, f->bytes, &f->header, o, out, num_out, err);
    const hr_status st = hr__npy_refuse_order(err);
    hr__error_prefix(err, "%s", path);
    return st;
}

hr_status hr__npy_sources_open(const char *path, const struct hr__npy_options *opts,
                               struct hr__source ***out, uint32_t *num_out, hr_error *err) {
    struct npy_file f;
    *out = NULL;
    *num_out = 1;
    hr_status st = open_file(path, &f, err);
    if (st == HR_OK)
        st = f.header.members_at != 0 ? open_records(path, &f, opts, out, num_out, err)
                                      : open_array(path, &f, opts, out, err);
    close_file(&f);
    return st;
}

hr_status hr__npy_plain_source_open(const char *path, struct hr__source **out, hr_error *err) {
    struct npy_file f;
    *out = NULL;
    hr_status st = open_file(path, &f, err);
    if (st == HR_OK && f.header.members_at != 0)
        st = refuse(path,
                    "the array is structured (several named values in each element); save the "
                    "member that is meant as an array of its own",
                    err);
    else if (st == HR_OK && f.header.fortran)
        st = refuse(path,
                    "the array is in Fortran order; save it with numpy.ascontiguousarray(array)",
                    err);
    else if (st == HR_OK)
        st = make_flat(path, &f.file, &f.header, &f.header, out, err);
    close_file(&f);
    return st;
}
