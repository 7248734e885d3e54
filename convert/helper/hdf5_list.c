/*
 * All data sets below a group, each once, in natural order of names. A sparse matrix counts as one,
 * which is a field, or two. Names are untrusted.
 */
#define _GNU_SOURCE
#include "hdf5_sparse.h"
#include "natural_order.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_OBJECTS 16384u /* groups and data sets looked at */
#define MAX_DEPTH   64u

struct object {
    unsigned long file;
    haddr_t address;
};

struct lister {
    const struct h5_file *file;
    struct h5_teller teller;
    struct object *seen;
    uint32_t num_seen;
};

struct names {
    char **names;
    size_t n, room;
};

static herr_t collect(hid_t group, const char *name, const H5L_info_t *info, void *arg) {
    struct names *l = arg;
    (void)group;
    (void)info;
    if (l->n == l->room) {
        size_t room = l->room == 0 ? 64 : l->room * 2;
        char **p = room <= 2u * MAX_OBJECTS ? realloc(l->names, room * sizeof *p) : NULL;
        if (p == NULL)
            return -1;
        l->names = p;
        l->room = room;
    }
    l->names[l->n] = strdup(name);
    if (l->names[l->n] == NULL)
        return -1;
    l->n++;
    return 0;
}

static void names_free(struct names *l) {
    for (size_t i = 0; i < l->n; i++)
        free(l->names[i]);
    free(l->names);
}

/* *again: the object was met before. */
static hr_status remember(struct lister *l, hid_t object, bool *again, hr_error *err) {
    H5O_info_t info;
    if (H5Oget_info2(object, &info, H5O_INFO_BASIC) < 0)
        return h5_error(err, HR_ERR_CORRUPT, "an object cannot be described");
    for (uint32_t i = 0; i < l->num_seen; i++) {
        if (l->seen[i].file == info.fileno && l->seen[i].address == info.addr) {
            *again = true;
            return HR_OK;
        }
    }
    if (l->num_seen == MAX_OBJECTS)
        return hr__error_set(err, HR_ERR_UNSUPPORTED,
                             "more than %u groups and data sets; name a group or the data sets",
                             MAX_OBJECTS);
    l->seen[l->num_seen++] = (struct object){info.fileno, info.addr};
    *again = false;
    return HR_OK;
}

static hr_status list_object(struct lister *l, hid_t object, const char *path, unsigned depth,
                             hr_error *err);

/* What is no data set that can be converted need not end the list. */
static hr_status refuse(const struct lister *l, const char *path, hr_status st, hr_error *err) {
    if (st == HR_OK)
        return HR_OK;
    hr__error_prefix(err, "/%.200s", path);
    if (l->teller.refused == NULL || (st != HR_ERR_UNSUPPORTED && st != HR_ERR_NOT_FOUND))
        return st;
    l->teller.refused(l->teller.arg, path + l->teller.name_at, err);
    return HR_OK;
}

static hr_status list_child(struct lister *l, hid_t group, const char *path, const char *name,
                            unsigned depth, hr_error *err) {
    char child[HR__HELPER_PATH_BYTES];
    int n = snprintf(child, sizeof child, "%s%s%s", path, path[0] != '\0' ? "/" : "", name);
    if (n < 0 || (size_t)n >= sizeof child)
        return hr__error_set(err, HR_ERR_UNSUPPORTED, "%.100s...: its path is too long", path);
    hid_t object = -1;
    hr_status st = h5_walk(l->file, group, name, &object, NULL, err);
    if (st != HR_OK)
        return refuse(l, child, st, err);
    st = list_object(l, object, child, depth, err);
    (void)H5Oclose(object);
    return st;
}

static hr_status list_group(struct lister *l, hid_t group, const char *path, unsigned depth,
                            hr_error *err) {
    if (depth >= MAX_DEPTH)
        return hr__error_set(err, HR_ERR_UNSUPPORTED, "%.200s: groups nested deeper than %u", path,
                             MAX_DEPTH);
    struct names names = {0};
    hr_status st = HR_OK;
    if (H5Literate(group, H5_INDEX_NAME, H5_ITER_NATIVE, NULL, collect, &names) < 0)
        st = h5_error(err, HR_ERR_CORRUPT, "the group /%.150s cannot be listed", path);
    hr__natural_sort(names.names, names.n);
    for (size_t i = 0; st == HR_OK && i < names.n; i++)
        st = list_child(l, group, path, names.names[i], depth + 1, err);
    names_free(&names);
    return st;
}

static hr_status list_object(struct lister *l, hid_t object, const char *path, unsigned depth,
                             hr_error *err) {
    H5I_type_t kind = H5Iget_type(object);
    if (kind != H5I_GROUP && kind != H5I_DATASET) /* a named type */
        return HR_OK;
    bool again = false;
    hr_status st = remember(l, object, &again, err);
    if (st == HR_OK && !again && kind == H5I_DATASET)
        st = h5_fields_tell(&l->teller, object, path, "", err);
    else if (st == HR_OK && !again && h5_sparse_find(object) != H5_SPARSE_NONE)
        st = h5_sparse_tell(&l->teller, object, path, err);
    else if (st == HR_OK && !again)
        return list_group(l, object, path, depth, err);
    return refuse(l, path, st, err);
}

/* The path as its components joined by '/', without one at the ends. */
static char *plain_path(const char *path) {
    char *copy = strdup(path), *out = calloc(1, strlen(path) + 2), *rest = copy;
    if (copy == NULL || out == NULL) {
        free(copy);
        free(out);
        return NULL;
    }
    size_t n = 0;
    for (char *name; (name = strsep(&rest, "/")) != NULL;) {
        if (name[0] == '\0' || strcmp(name, ".") == 0)
            continue;
        if (n > 0)
            out[n++] = '/';
        size_t length = strlen(name);
        memcpy(out + n, name, length + 1);
        n += length;
    }
    free(copy);
    return out;
}

/* Cuts what is behind a data set off its path. */
static void cut_rest(char *path, const char *rest) {
    size_t n = strlen(path) - strlen(rest);
    path[n > 0 ? n - 1 : 0] = '\0';
}

/* What Keras writes: a whole model or its weights, before and since version 3. */
static bool is_keras_model(hid_t file) {
    bool found = H5Aexists(file, "keras_version") > 0 || H5Aexists(file, "layer_names") > 0 ||
                 H5Lexists(file, "model_weights", H5P_DEFAULT) > 0;
    if (!found && H5Lexists(file, "vars", H5P_DEFAULT) > 0)
        found = H5Lexists(file, "layers", H5P_DEFAULT) > 0 ||
                H5Lexists(file, "_layer_checkpoint_dependencies", H5P_DEFAULT) > 0;
    (void)H5Eclear2(H5E_DEFAULT);
    return found;
}

static hr_status list_from(struct lister *l, hid_t object, char *path, const char *rest,
                           hr_error *err) {
    const char *slash = strrchr(path, '/');
    if (H5Iget_type(object) == H5I_DATASET || h5_sparse_find(object) != H5_SPARSE_NONE)
        l->teller.name_at = slash != NULL ? (size_t)(slash - path) + 1 : 0;
    else
        l->teller.name_at = path[0] != '\0' ? strlen(path) + 1 : 0;
    if (rest[0] == '\0')
        return list_object(l, object, path, 0, err);
    char *member = strdup(rest);
    if (member == NULL)
        return hr__error_no_memory(err, strlen(rest), "a path");
    cut_rest(path, rest);
    const hr_status st = h5_fields_tell(&l->teller, object, path, member, err);
    free(member);
    return refuse(l, path, st, err);
}

hr_status h5_list(const struct h5_file *f, const char *member, uint32_t sparse, h5_found found,
                  h5_refused refused, void *arg, hr_error *err) {
    hr_status st = HR_OK;
    hid_t object = -1;
    const char *rest;
    struct lister l = {
        .file = f,
        .teller = {.file = f, .found = found, .refused = refused, .arg = arg, .sparse = sparse},
    };
    char *path = plain_path(member);
    l.seen = calloc(MAX_OBJECTS, sizeof *l.seen);
    if (path == NULL || l.seen == NULL) {
        st = hr__error_no_memory(err, MAX_OBJECTS * sizeof *l.seen, "a list of objects");
        goto done;
    }
    if (path[0] == '\0' && is_keras_model(f->file)) {
        st =
            hr__error_set(err, HR_ERR_UNSUPPORTED,
                          "it holds the weights of a Keras model, which are no samples: give it to "
                          "keras.models.load_model() or model.load_weights(); or name the data "
                          "set in it that is meant");
        goto done;
    }
    HR_TRY(h5_walk(f, f->file, path, &object, &rest, err));
    HR_TRY(list_from(&l, object, path, rest, err));
    st = h5_file_tell(&l.teller, err);
done:
    if (object >= 0)
        (void)H5Oclose(object);
    free(l.seen);
    free(path);
    return st;
}
