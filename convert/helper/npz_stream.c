/*
 * One member as a stream: the header of .npy, then the array. The bytes are untrusted.
 */
#include "npz.h"

#include <stdlib.h>
#include <string.h>

static hr_status fail(struct npz_stream *s, hr_error *err) {
    hr_status st = npz_error(zip_file_get_error(s->file), "it cannot be read", err);
    npz_stream_close(s);
    return st;
}

/* Up to n_bytes into *found: fewer only at the end of the stream. */
static hr_status pull(struct npz_stream *s, void *dst, uint64_t n_bytes, uint64_t *found,
                      hr_error *err) {
    *found = 0;
    while (*found < n_bytes) {
        zip_int64_t n = zip_fread(s->file, (uint8_t *)dst + *found, n_bytes - *found);
        if (n < 0)
            return fail(s, err);
        if (n == 0)
            break;
        *found += (uint64_t)n;
    }
    return HR_OK;
}

/* The checksum is compared by libzip when it is asked for bytes behind the last. */
static hr_status check_end(struct npz_stream *s, hr_error *err) {
    uint8_t surplus;
    uint64_t found = 0;
    hr_status st = pull(s, &surplus, 1, &found, err);
    if (st == HR_OK && found != 0) {
        npz_stream_close(s);
        st = hr__error_set(err, HR_ERR_CORRUPT,
                           "the archive is damaged: it goes on behind the size that the archive "
                           "says; copy or save it again");
    }
    return st;
}

static hr_status cut_off(struct npz_stream *s, uint64_t found, hr_error *err) {
    npz_stream_close(s);
    return hr__error_set(err, HR_ERR_CORRUPT,
                         "the archive is damaged: it ends after %llu of the %llu bytes of its "
                         "array; copy or save it again",
                         (unsigned long long)(s->at_bytes + found),
                         (unsigned long long)s->header.data_bytes);
}

static hr_status read_header(struct npz_stream *s, hr_error *err) {
    uint8_t prefix[HR__NPY_PREFIX_BYTES];
    uint64_t found = 0, more = 0;
    size_t header_bytes = 0;
    hr_status st;
    HR_TRY(pull(s, prefix, sizeof prefix, &found, err));
    HR_TRY(hr__npy_header_size(prefix, (size_t)found, &header_bytes, err));
    s->header_bytes = malloc(header_bytes + sizeof prefix);
    if (s->header_bytes == NULL)
        return hr__error_no_memory(err, header_bytes, "the header of a .npy file");
    memcpy(s->header_bytes, prefix, sizeof prefix);
    if (header_bytes > found)
        HR_TRY(pull(s, s->header_bytes + found, header_bytes - found, &more, err));
    HR_TRY(hr__npy_header_parse(s->header_bytes, (size_t)(found + more), &s->header, err));
done:
    return st;
}

hr_status npz_stream_open(struct npz_stream *s, const struct npz_archive *a,
                          const struct npz_entry *entry, hr_error *err) {
    *s = (struct npz_stream){0};
    s->file = zip_fopen_index(a->zip, entry->index, 0);
    if (s->file == NULL)
        return npz_error(zip_get_error(a->zip), "it cannot be opened", err);
    hr_status st = read_header(s, err);
    uint64_t header_bytes = s->header.data_off;
    if (st == HR_OK && (entry->size_bytes < header_bytes ||
                        entry->size_bytes - header_bytes != s->header.data_bytes))
        st = hr__error_set(err, HR_ERR_CORRUPT,
                           "its header stands for %llu bytes, the archive says that it has %llu; "
                           "copy or save it again",
                           (unsigned long long)(header_bytes + s->header.data_bytes),
                           (unsigned long long)entry->size_bytes);
    if (st == HR_OK && s->header.data_bytes == 0)
        st = check_end(s, err);
    if (st != HR_OK)
        npz_stream_close(s);
    return st;
}

hr_status npz_stream_read(struct npz_stream *s, void *dst, uint64_t n_bytes, hr_error *err) {
    uint64_t found = 0;
    hr_status st = pull(s, dst, n_bytes, &found, err);
    if (st == HR_OK && found < n_bytes)
        return cut_off(s, found, err);
    s->at_bytes += found;
    if (st == HR_OK && s->at_bytes == s->header.data_bytes)
        st = check_end(s, err);
    return st;
}

void npz_stream_close(struct npz_stream *s) {
    if (s->file != NULL)
        (void)zip_fclose(s->file);
    s->file = NULL;
    free(s->header_bytes);
    s->header_bytes = NULL;
}
