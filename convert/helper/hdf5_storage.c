/*
 * Data sets whose values lie in other files, under the rule for links: external storage, and
 * virtual data sets. Names are untrusted.
 *
 * Invariant: main.c has HDF5 look for both beside the file that names them, so that what is checked
 * here is what it opens.
 */
#include "checked.h"
#include "helper.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define MAX_NESTING 8u    /* virtual data sets of virtual data sets */
#define MAX_SOURCES 65536 /* of one */

static hr_status check(const struct h5_file *f, hid_t dataset, hid_t plist, unsigned depth,
                       struct h5_sources *out, hr_error *err);

/* The real path of a named file, under the rule; malloc'ed. */
static hr_status find_file(const struct h5_file *f, hid_t dataset, const char *name, char **out,
                           struct stat *st, hr_error *err) {
    *out = h5_beside(f, dataset, name);
    if (*out == NULL || stat(*out, st) != 0)
        return hr__error_set(err, HR_ERR_NOT_FOUND,
                             "a part of it lies in the file %s, which cannot be found beside it; "
                             "put it there",
                             name);
    if (!h5_may_open(f, *out))
        return hr__error_set(err, HR_ERR_UNSUPPORTED,
                             "a part of it lies in %s, outside the input's own folder; allow that "
                             "with --follow-external",
                             *out);
    if (!S_ISREG(st->st_mode))
        return hr__error_set(err, HR_ERR_UNSUPPORTED, "a part of it lies in %s, which is no file",
                             *out);
    return HR_OK;
}

/* --- external storage ----------------------------------------------------------------------- */

/* HDF5 would read zeros behind the end of a file that was cut off. */
static hr_status check_external_file(const struct h5_file *f, hid_t dataset, const char *name,
                                     uint64_t off, uint64_t n_bytes, hr_error *err) {
    char *real = NULL;
    struct stat st;
    hr_status status = find_file(f, dataset, name, &real, &st, err);
    if (status == HR_OK && !hr__range_within(off, n_bytes, (uint64_t)st.st_size))
        status = hr__error_set(err, HR_ERR_CORRUPT,
                               "its values lie in %s, which has %" PRIu64 " bytes where %" PRIu64
                               " from %" PRIu64 " on are needed; copy it again",
                               real, (uint64_t)st.st_size, n_bytes, off);
    free(real);
    return status;
}

static hr_status data_bytes(hid_t dataset, uint64_t *out, hr_error *err) {
    hid_t space = H5Dget_space(dataset), type = H5Dget_type(dataset);
    hssize_t n = space >= 0 ? H5Sget_simple_extent_npoints(space) : -1;
    bool fits = n >= 0 && type >= 0 && hr__mul_u64((uint64_t)n, H5Tget_size(type), out);
    if (space >= 0)
        (void)H5Sclose(space);
    if (type >= 0)
        (void)H5Tclose(type);
    return fits ? HR_OK : h5_error(err, HR_ERR_CORRUPT, "its size cannot be read");
}

static hr_status check_external(const struct h5_file *f, hid_t dataset, hid_t plist, int num_files,
                                hr_error *err) {
    uint64_t left = 0;
    hr_status st = data_bytes(dataset, &left, err);
    for (unsigned i = 0; st == HR_OK && i < (unsigned)num_files && left > 0; i++) {
        char name[HR__HELPER_PATH_BYTES] = "";
        off_t off = 0;
        hsize_t n_bytes = 0;
        if (H5Pget_external(plist, i, sizeof name - 1, name, &off, &n_bytes) < 0 || off < 0)
            return h5_error(err, HR_ERR_CORRUPT, "its external storage cannot be read");
        uint64_t here = hr__min_u64(n_bytes, left);
        st = check_external_file(f, dataset, name, (uint64_t)off, here, err);
        left -= here;
    }
    return st;
}

/* --- virtual data sets ---------------------------------------------------------------------- */

typedef ssize_t (*get_name)(hid_t plist, size_t index, char *name, size_t room);

static bool name_of(get_name get, hid_t plist, size_t i, char name[HR__HELPER_PATH_BYTES]) {
    ssize_t n = get(plist, i, name, HR__HELPER_PATH_BYTES);
    return n > 0 && n < HR__HELPER_PATH_BYTES;
}

/* The chunks of a source, which are decoded where the virtual data set is read. */
static void note_chunks(hid_t plist, hid_t source, struct h5_sources *out) {
    hsize_t chunk[HR_MAX_RANK];
    int rank = H5Pget_layout(plist) == H5D_CHUNKED ? H5Pget_chunk(plist, HR_MAX_RANK, chunk) : 0;
    hid_t type = H5Dget_type(source);
    uint64_t bytes = type >= 0 ? H5Tget_size(type) : 0;
    for (int i = 0; i < rank; i++) {
        if (!hr__mul_u64(bytes, chunk[i], &bytes))
            bytes = 0;
    }
    if (rank > 0) {
        out->chunk_samples = hr__max_u64(out->chunk_samples, chunk[0]);
        out->chunk_bytes = hr__max_u64(out->chunk_bytes, bytes);
    }
    if (type >= 0)
        (void)H5Tclose(type);
}

static hr_status check_source_in(const struct h5_file *f, hid_t file, const char *path,
                                 unsigned depth, struct h5_sources *out, hr_error *err) {
    hid_t source = -1, plist = -1;
    hr_status st = h5_walk(f, file, path, &source, NULL, err);
    if (st == HR_OK && H5Iget_type(source) != H5I_DATASET)
        st = hr__error_set(err, HR_ERR_NOT_FOUND, "%s is no data set", path);
    if (st == HR_OK) {
        plist = H5Dget_create_plist(source);
        st = plist < 0 ? h5_error(err, HR_ERR_CORRUPT, "%s cannot be described", path)
                       : h5_check_filters(plist, err);
    }
    if (st == HR_OK) {
        note_chunks(plist, source, out);
        st = check(f, source, plist, depth + 1, out, err);
    }
    if (plist >= 0)
        (void)H5Pclose(plist);
    if (source >= 0)
        (void)H5Oclose(source);
    return st;
}

static hr_status check_source(const struct h5_file *f, hid_t dataset, const char *name,
                              const char *path, unsigned depth, struct h5_sources *out,
                              hr_error *err) {
    char *real = NULL;
    struct stat st;
    hid_t file = -1;
    hr_status status = HR_OK;
    if (strcmp(name, ".") == 0)
        file = H5Iget_file_id(dataset);
    else
        status = find_file(f, dataset, name, &real, &st, err);
    if (real != NULL && status == HR_OK)
        file = H5Fopen(real, H5F_ACC_RDONLY, f->access);
    if (status == HR_OK && file < 0)
        status = h5_error(err, HR_ERR_CORRUPT, "its part %s cannot be opened as HDF5", name);
    if (status == HR_OK) {
        status = check_source_in(f, file, path, depth, out, err);
        if (status != HR_OK)
            hr__error_prefix(err, "its part %s:%s", name, path);
    }
    if (file >= 0)
        (void)H5Fclose(file);
    free(real);
    return status;
}

static hr_status check_virtual(const struct h5_file *f, hid_t dataset, hid_t plist, unsigned depth,
                               struct h5_sources *out, hr_error *err) {
    char name[HR__HELPER_PATH_BYTES], path[HR__HELPER_PATH_BYTES];
    size_t n = 0;
    if (H5Pget_virtual_count(plist, &n) < 0)
        return h5_error(err, HR_ERR_CORRUPT, "its parts cannot be listed");
    if (depth >= MAX_NESTING || n > MAX_SOURCES)
        return hr__error_set(err, HR_ERR_UNSUPPORTED,
                             "it is a virtual data set of more than %d parts, or of virtual data "
                             "sets nested deeper than %u",
                             MAX_SOURCES, MAX_NESTING);
    for (size_t i = 0; i < n; i++) {
        if (!name_of(H5Pget_virtual_filename, plist, i, name) ||
            !name_of(H5Pget_virtual_dsetname, plist, i, path))
            return h5_error(err, HR_ERR_CORRUPT, "the names of its parts cannot be read");
        bool pattern = strchr(name, '%') != NULL || strchr(path, '%') != NULL;
        if (pattern && !f->follow_external)
            return hr__error_set(err, HR_ERR_UNSUPPORTED,
                                 "it is a virtual data set whose parts are named by a pattern, "
                                 "%s:%s; allow any file with --follow-external",
                                 name, path);
        hr_status st = pattern ? HR_OK : check_source(f, dataset, name, path, depth, out, err);
        if (st != HR_OK)
            return st;
    }
    return HR_OK;
}

static hr_status check(const struct h5_file *f, hid_t dataset, hid_t plist, unsigned depth,
                       struct h5_sources *out, hr_error *err) {
    int num_files = H5Pget_external_count(plist);
    H5D_layout_t layout = H5Pget_layout(plist);
    if (layout < 0 || num_files < 0)
        return h5_error(err, HR_ERR_CORRUPT, "its layout cannot be read");
    if (num_files > 0)
        return check_external(f, dataset, plist, num_files, err);
    return layout == H5D_VIRTUAL ? check_virtual(f, dataset, plist, depth, out, err) : HR_OK;
}

hr_status h5_storage_check(const struct h5_file *f, hid_t dataset, hid_t plist,
                           struct h5_sources *out, hr_error *err) {
    *out = (struct h5_sources){0};
    return check(f, dataset, plist, 0, out, err);
}
