/*
 * Kinds of sources.
 */
#define _GNU_SOURCE
#include "source_kind.h"

#include "error.h"
#include "idx_header.h"
#include "input_stream.h"
#include "name_ending.h"
#include "npy_header.h"

#include <stdlib.h>
#include <string.h>

#define HEAD_BYTES 8u

static enum hr__kind kind_of_bytes(const uint8_t *bytes, size_t n_bytes) {
    if (hr__npy_is(bytes, n_bytes))
        return HR__KIND_NPY;
    if (n_bytes >= 8 && memcmp(bytes, "\x89HDF\r\n\x1a\n", 8) == 0)
        return HR__KIND_HDF5;
    if (n_bytes >= 8 && memcmp(bytes, "\x89HRD\r\n\x1a\n", 8) == 0)
        return HR__KIND_HEADRACE;
    if (n_bytes >= 4 && (memcmp(bytes, "PK\3\4", 4) == 0 || memcmp(bytes, "PK\5\6", 4) == 0))
        return HR__KIND_ZIP;
    return HR__KIND_UNKNOWN;
}

static bool is_idx_name(const char *path) {
    return hr__idx_name_base(path) < strlen(path);
}

static enum hr__kind kind_of_name(const char *path) {
    static const struct {
        const char *suffix;
        enum hr__kind kind;
    } suffixes[] = {{".h5", HR__KIND_HDF5}, {".hdf5", HR__KIND_HDF5}, {".h5ad", HR__KIND_HDF5},
                    {".npy", HR__KIND_NPY}, {".npz", HR__KIND_ZIP},   {".csv", HR__KIND_CSV},
                    {".tsv", HR__KIND_CSV}};
    for (size_t i = 0; i < sizeof suffixes / sizeof suffixes[0]; i++)
        if (hr__name_ends(path, suffixes[i].suffix))
            return suffixes[i].kind;
    return is_idx_name(path) ? HR__KIND_IDX : HR__KIND_UNKNOWN;
}

/* The name that a compressed file had before; malloc'ed. */
static char *inner_name(const char *path) {
    const size_t n = strlen(path);
    return strndup(path, hr__name_ends(path, ".gz") ? n - 3 : n);
}

/* An HDF5 file may begin with a user's block of 512, 1024, 2048, ... bytes. */
static hr_status find_user_block(const struct hr__input_file *file, const char *path,
                                 enum hr__kind *kind, hr_error *err) {
    for (uint64_t off = 512; off < file->size_bytes && *kind == HR__KIND_UNKNOWN; off *= 2) {
        uint8_t bytes[HEAD_BYTES];
        size_t found = 0;
        hr_status st = hr__input_file_read(file, path, bytes, sizeof bytes, off, &found, err);
        if (st != HR_OK)
            return st;
        if (kind_of_bytes(bytes, found) == HR__KIND_HDF5)
            *kind = HR__KIND_HDF5;
    }
    return HR_OK;
}

/* Raw binary may begin like IDX, or like gzip. */
static hr_status find_plain(const struct hr__input_file *file, const char *path, bool raw,
                            struct hr__source_kind *out, hr_error *err) {
    uint8_t bytes[HEAD_BYTES];
    size_t found = 0;
    const hr_status st = hr__input_file_read(file, path, bytes, sizeof bytes, 0, &found, err);
    if (st != HR_OK)
        return st;
    if (found == 0 && !raw)
        return hr__error_set(err, HR_ERR_CORRUPT, "%s is empty (0 bytes); write or copy it again",
                             path);
    out->gzip = hr__gzip_is(bytes, found) && (!raw || hr__name_ends(path, ".gz"));
    if (out->gzip)
        return HR_OK;
    out->kind = kind_of_bytes(bytes, found);
    if (out->kind == HR__KIND_UNKNOWN)
        out->kind = kind_of_name(path);
    if (out->kind != HR__KIND_UNKNOWN || raw)
        return HR_OK;
    if (hr__idx_is(bytes, found))
        out->kind = HR__KIND_IDX;
    return out->kind == HR__KIND_UNKNOWN ? find_user_block(file, path, &out->kind, err) : HR_OK;
}

static hr_status find_inside(const char *path, struct hr__source_kind *out, hr_error *err) {
    struct hr__input_stream stream = {0};
    uint8_t bytes[HEAD_BYTES];
    size_t found = 0;
    hr_status st;
    char *name = inner_name(path);
    if (name == NULL)
        return hr__error_no_memory(err, strlen(path), "the name of an input");
    HR_TRY(hr__input_stream_open(path, true, &stream, err));
    HR_TRY(hr__input_stream_read(&stream, bytes, sizeof bytes, 0, &found, err));
    out->kind = kind_of_bytes(bytes, found);
    if (out->kind == HR__KIND_UNKNOWN)
        out->kind = kind_of_name(name);
    if (out->kind == HR__KIND_UNKNOWN && hr__idx_is(bytes, found))
        out->kind = HR__KIND_IDX;
    if (out->kind != HR__KIND_IDX && out->kind != HR__KIND_CSV)
        st = hr__error_set(err, HR_ERR_UNSUPPORTED,
                           "%s is compressed by gzip, and what it holds is neither IDX nor CSV; "
                           "unpack it first (gunzip), and convert that",
                           path);
done:
    hr__input_stream_close(&stream);
    free(name);
    return st;
}

hr_status hr__source_kind_find(const char *path, bool raw, struct hr__source_kind *out,
                               hr_error *err) {
    struct hr__input_file file = {0};
    *out = (struct hr__source_kind){0};
    hr_status st = hr__input_file_open(path, &file, err);
    if (st == HR_OK)
        st = find_plain(&file, path, raw, out, err);
    hr__input_file_close(&file);
    if (st == HR_OK && out->gzip)
        st = find_inside(path, out, err);
    return st;
}
