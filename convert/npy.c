/*
 * .npy files as sources. Files are untrusted.
 */
#include "error.h"
#include "flat_source.h"

#include <stdlib.h>

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

hr_status hr__npy_source_open(const char *path, struct hr__source **out, hr_error *err) {
    hr_status st;
    struct hr__input_file file = {0};
    struct hr__npy_header header;
    uint8_t *bytes = NULL;
    size_t n_bytes = 0;
    *out = NULL;
    HR_TRY(hr__input_file_open(path, &file, err));
    HR_TRY(load_header(&file, path, &bytes, &n_bytes, err));
    st = hr__npy_header_parse(bytes, n_bytes, &header, err);
    if (st != HR_OK) {
        hr__error_prefix(err, "%s", path);
        goto done;
    }
    char text_dtype[HR__NUMPY_DTYPE_BYTES];
    hr__numpy_dtype_print(HR_FIXED_UTF8, 0, header.element.width_bytes / 4, text_dtype);
    HR_TRY(hr__flat_source_make(path, &file, &header, header.element.ucs4 ? text_dtype : NULL, out,
                                err));
done:
    free(bytes);
    hr__input_file_close(&file);
    return st;
}
