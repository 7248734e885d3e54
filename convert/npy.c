/*
 * .npy files as sources. Files are untrusted.
 */
#include "axis_source.h"
#include "error.h"
#include "flat_source.h"

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

static hr_status read_header(const char *path, struct hr__input_file *file,
                             struct hr__npy_header *out, hr_error *err) {
    hr_status st;
    uint8_t *bytes = NULL;
    size_t n_bytes = 0;
    HR_TRY(hr__input_file_open(path, file, err));
    HR_TRY(load_header(file, path, &bytes, &n_bytes, err));
    st = hr__npy_header_parse(bytes, n_bytes, out, err);
    if (st != HR_OK)
        hr__error_prefix(err, "%s", path);
done:
    free(bytes);
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

hr_status hr__npy_source_open(const char *path, const struct hr__axis_options *axis,
                              struct hr__source **out, hr_error *err) {
    struct hr__input_file file = {0};
    struct hr__npy_header header;
    *out = NULL;
    hr_status st = read_header(path, &file, &header, err);
    if (st == HR_OK) {
        const struct hr__axis_array array = array_of(&header);
        st = hr__axis_layout_is_plain(&array, axis->axis)
                 ? make_flat(path, &file, &header, &header, out, err)
                 : make_along(path, &file, &header, axis, out, err);
    }
    hr__input_file_close(&file);
    return st;
}

hr_status hr__npy_plain_source_open(const char *path, struct hr__source **out, hr_error *err) {
    struct hr__input_file file = {0};
    struct hr__npy_header header;
    *out = NULL;
    hr_status st = read_header(path, &file, &header, err);
    if (st == HR_OK && header.fortran)
        st = hr__error_set(err, HR_ERR_UNSUPPORTED,
                           "%s: the array is in Fortran order; save it with "
                           "numpy.ascontiguousarray(array)",
                           path);
    else if (st == HR_OK)
        st = make_flat(path, &file, &header, &header, out, err);
    hr__input_file_close(&file);
    return st;
}
