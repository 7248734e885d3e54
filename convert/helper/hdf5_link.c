/*
 * From names in a file to objects. Names and links are untrusted.
 */
#define _GNU_SOURCE
#include "helper.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MAX_LINKS 32 /* followed one after another */

static hr_status walk(const struct h5_file *f, hid_t group, const char *path, unsigned depth,
                      hid_t *out, const char **rest, hr_error *err);

/* The real path of the folder of a file, with a '/' at its end; malloc'ed, or NULL. */
static char *real_folder(const char *path) {
    char *real = realpath(path, NULL);
    char *slash = real != NULL ? strrchr(real, '/') : NULL;
    if (slash != NULL)
        slash[1] = '\0';
    return real;
}

/* Ten places for each chunk, so that few chunks drive each other out. */
static size_t cache_places(uint64_t cache_chunks) {
    return cache_chunks < 100000 ? (size_t)cache_chunks * 10 + 521 : 1000003;
}

/* Who opens a file again shares what HDF5 has of it: caches are therefore those of data sets. */
static hr_status make_access(struct h5_file *f, uint64_t cache_bytes, uint64_t cache_chunks,
                             hr_error *err) {
    f->access = H5Pcreate(H5P_FILE_ACCESS);
    f->dataset_access = H5Pcreate(H5P_DATASET_ACCESS);
    if (f->access < 0 || f->dataset_access < 0 ||
        H5Pset_cache(f->access, 0, cache_places(0), 0, 1.0) < 0 ||
        H5Pset_chunk_cache(f->dataset_access, cache_places(cache_chunks), (size_t)cache_bytes,
                           1.0) < 0)
        return h5_error(err, HR_ERR_NO_MEMORY, "a chunk cache");
    return HR_OK;
}

hr_status h5_file_open(struct h5_file *f, const char *path, bool follow_external,
                       uint64_t cache_bytes, uint64_t cache_chunks, hr_error *err) {
    *f = (struct h5_file){
        .file = -1, .access = -1, .dataset_access = -1, .follow_external = follow_external};
    f->folder = real_folder(path);
    if (f->folder == NULL || access(path, R_OK) != 0)
        return hr__error_os(err, errno, "cannot open the file");
    /* By its real path: HDF5 then looks for other files where we do. */
    char *real = realpath(path, NULL);
    if (real == NULL)
        return hr__error_os(err, errno, "cannot open the file");
    hr_status st = make_access(f, cache_bytes, cache_chunks, err);
    if (st == HR_OK)
        st = h5_open_any(real, f->access, &f->file, &f->growing, err);
    free(real);
    return st;
}

void h5_file_close(struct h5_file *f) {
    if (f->file >= 0)
        (void)H5Fclose(f->file);
    if (f->access >= 0)
        (void)H5Pclose(f->access);
    if (f->dataset_access >= 0)
        (void)H5Pclose(f->dataset_access);
    free(f->folder);
    *f = (struct h5_file){.file = -1, .access = -1, .dataset_access = -1};
}

char *h5_beside(const struct h5_file *f, hid_t object, const char *name) {
    char own[HR__HELPER_PATH_BYTES], *joined = NULL, *real = NULL;
    ssize_t n = H5Fget_name(object, own, sizeof own);
    char *folder = n > 0 && (size_t)n < sizeof own ? real_folder(own) : NULL;
    /* The name of a family of files is a pattern. */
    if (asprintf(&joined, "%s%s",
                 name[0] == '/'   ? ""
                 : folder != NULL ? folder
                                  : f->folder,
                 name) < 0)
        joined = NULL;
    if (joined != NULL)
        real = realpath(joined, NULL);
    free(joined);
    free(folder);
    return real;
}

bool h5_may_open(const struct h5_file *f, const char *real) {
    return f->follow_external || strncmp(real, f->folder, strlen(f->folder)) == 0;
}

static hr_status walk_external(const struct h5_file *f, hid_t group, const char *name,
                               const char *path, unsigned depth, hid_t *out, hr_error *err) {
    char *real = h5_beside(f, group, name);
    hid_t file = -1, root = -1;
    hr_status st = HR_OK;
    if (real == NULL)
        return hr__error_set(err, HR_ERR_NOT_FOUND,
                             "an external link leads to the file %s, which cannot be found", name);
    if (!h5_may_open(f, real)) {
        st = hr__error_set(err, HR_ERR_UNSUPPORTED,
                           "an external link leads to %s, outside the input's own folder; allow "
                           "that with --follow-external",
                           real);
        goto done;
    }
    file = H5Fopen(real, H5F_ACC_RDONLY, f->access);
    root = file >= 0 ? H5Gopen2(file, "/", H5P_DEFAULT) : -1;
    if (root < 0) {
        st = h5_error(err, HR_ERR_CORRUPT, "the linked file %s cannot be opened as HDF5", real);
        goto done;
    }
    st = walk(f, root, path, depth, out, NULL, err);
done:
    if (root >= 0)
        (void)H5Gclose(root);
    if (file >= 0) /* stays open while an object in it is */
        (void)H5Fclose(file);
    free(real);
    return st;
}

static hr_status follow(const struct h5_file *f, hid_t group, const char *name,
                        const H5L_info_t *info, unsigned depth, hid_t *out, hr_error *err) {
    size_t n_bytes = info->u.val_size;
    if (depth >= MAX_LINKS || n_bytes > 4u * HR__HELPER_PATH_BYTES)
        return hr__error_set(err, HR_ERR_UNSUPPORTED,
                             "the link %s goes on over too many links, or is too long", name);
    char *value = calloc(1, n_bytes + 1);
    if (value == NULL)
        return hr__error_no_memory(err, n_bytes, "a link");
    hr_status st = HR_OK;
    const char *file, *path;
    unsigned flags;
    if (H5Lget_val(group, name, value, n_bytes, H5P_DEFAULT) < 0)
        st = h5_error(err, HR_ERR_CORRUPT, "the link %s cannot be read", name);
    else if (info->type == H5L_TYPE_SOFT)
        st = walk(f, group, value, depth + 1, out, NULL, err);
    else if (H5Lunpack_elink_val(value, n_bytes, &flags, &file, &path) < 0)
        st = h5_error(err, HR_ERR_CORRUPT, "the external link %s cannot be read", name);
    else
        st = walk_external(f, group, file, path, depth + 1, out, err);
    free(value);
    return st;
}

/* A data set with its chunk cache, which the first one to open it decides. */
static hid_t open_object(const struct h5_file *f, hid_t group, const char *name) {
    const hid_t object = H5Oopen(group, name, H5P_DEFAULT);
    if (object < 0 || H5Iget_type(object) != H5I_DATASET)
        return object;
    (void)H5Oclose(object);
    return H5Dopen2(group, name, f->dataset_access);
}

static hr_status step(const struct h5_file *f, hid_t group, const char *name, unsigned depth,
                      hid_t *out, hr_error *err) {
    H5L_info_t info;
    if (H5Iget_type(group) != H5I_GROUP)
        return hr__error_set(err, HR_ERR_NOT_FOUND, "%s is looked for in what is no group", name);
    htri_t there = H5Lexists(group, name, H5P_DEFAULT);
    if (there == 0)
        return hr__error_set(err, HR_ERR_NOT_FOUND,
                             "there is no \"%s\" in it; h5ls -r lists what is there", name);
    if (there < 0 || H5Lget_info(group, name, &info, H5P_DEFAULT) < 0)
        return h5_error(err, HR_ERR_CORRUPT, "the link %s cannot be read", name);
    if (info.type == H5L_TYPE_SOFT || info.type == H5L_TYPE_EXTERNAL)
        return follow(f, group, name, &info, depth, out, err);
    if (info.type != H5L_TYPE_HARD)
        return hr__error_set(err, HR_ERR_UNSUPPORTED, "the link %s is of a user's own kind (%d)",
                             name, (int)info.type);
    *out = open_object(f, group, name);
    if (*out < 0)
        return h5_error(err, HR_ERR_CORRUPT, "the object %s cannot be opened", name);
    return HR_OK;
}

/* `path` is cut at its first component, which is returned; NULL: there is none. */
static char *next_component(char **path) {
    char *name;
    do
        name = strsep(path, "/");
    while (name != NULL && (name[0] == '\0' || strcmp(name, ".") == 0));
    return name;
}

/* rest: NULL, or where what is left of the path behind a data set goes: it names a member of its
 * records. */
static hr_status walk(const struct h5_file *f, hid_t group, const char *path, unsigned depth,
                      hid_t *out, const char **rest, hr_error *err) {
    hr_status st = HR_OK;
    char *copy = strdup(path), *left = copy;
    if (copy == NULL)
        return hr__error_no_memory(err, strlen(path), "a path");
    hid_t at = H5Oopen(group, path[0] == '/' ? "/" : ".", H5P_DEFAULT);
    if (at < 0)
        st = h5_error(err, HR_ERR_CORRUPT, "a group cannot be opened");
    for (char *name; st == HR_OK && (name = next_component(&left)) != NULL;) {
        hid_t next = -1;
        if (rest != NULL && H5Iget_type(at) == H5I_DATASET) {
            *rest = path + (name - copy);
            break;
        }
        st = step(f, at, name, depth, &next, err);
        (void)H5Oclose(at);
        at = next;
    }
    free(copy);
    if (st == HR_OK)
        *out = at;
    return st;
}

hr_status h5_walk(const struct h5_file *f, hid_t group, const char *path, hid_t *out,
                  const char **rest, hr_error *err) {
    *out = -1;
    if (rest != NULL)
        *rest = "";
    return walk(f, group, path, 0, out, rest, err);
}
