/*
 * IDX files as sources, also compressed by gzip, as MNIST is passed on. Files are untrusted.
 */
#include "error.h"
#include "flat_source.h"
#include "idx_header.h"
#include "input_stream.h"

hr_status hr__idx_source_open(const char *path, bool gzip, struct hr__source **out, hr_error *err) {
    struct hr__input_stream stream = {0};
    struct hr__npy_header array;
    uint8_t bytes[HR__IDX_MAX_HEADER_BYTES];
    size_t found = 0;
    hr_status st;
    *out = NULL;
    HR_TRY(hr__input_stream_open(path, gzip, &stream, err));
    HR_TRY(hr__input_stream_read(&stream, bytes, sizeof bytes, 0, &found, err));
    st = hr__idx_header_parse(bytes, found, &array, err);
    if (st != HR_OK) {
        hr__error_prefix(err, "%s", path);
        goto done;
    }
    st = gzip ? hr__gzip_source_make(path, &stream.file, &array, out, err)
              : hr__flat_source_make(path, &stream.file, &array, NULL, out, err);
    if (st == HR_OK) {
        struct hr__flat_source *src = (struct hr__flat_source *)*out;
        src->name[hr__idx_name_base(src->name)] = '\0';
    }
done:
    hr__input_stream_close(&stream);
    return st;
}
