/*
 * Types that hold others: each member of a compound is a field of its own, the dimensions of an
 * array inside an element are axes of the sample. Types are untrusted.
 */
#include "helper.h"

#include <stdio.h>
#include <string.h>

#define MAX_NESTING 32u

hr_status h5_nesting_check(unsigned depth, hr_error *err) {
    if (depth <= MAX_NESTING)
        return HR_OK;
    return hr__error_set(err, HR_ERR_UNSUPPORTED, "its types are nested deeper than %u",
                         MAX_NESTING);
}

/* Where in `path` the rest after this member's name begins, or NULL: another member is meant. A
 * name may itself hold a '/'. */
static const char *after_name(const char *path, const char *name) {
    size_t n = strlen(name);
    if (n == 0 || strncmp(path, name, n) != 0)
        return NULL;
    return path[n] == '\0' ? path + n : path[n] == '/' ? path + n + 1 : NULL;
}

static hr_status select_in(hid_t type, const char *path, unsigned depth, struct h5_leaf *leaf,
                           hr_error *err);

/* A compound in memory with this member only: HDF5 then reads no other. */
static hr_status wrap_member(hid_t part, const char *name, hid_t *out, hr_error *err) {
    size_t n_bytes = H5Tget_size(part);
    hid_t t = n_bytes != 0 ? H5Tcreate(H5T_COMPOUND, n_bytes) : -1;
    if (t < 0 || H5Tinsert(t, name, 0, part) < 0) {
        if (t >= 0)
            (void)H5Tclose(t);
        return h5_error(err, HR_ERR_NO_MEMORY, "a type");
    }
    *out = t;
    return HR_OK;
}

static hr_status select_member(hid_t type, const char *path, unsigned depth, struct h5_leaf *leaf,
                               hr_error *err) {
    int n = H5Tget_nmembers(type);
    for (unsigned i = 0; n > 0 && i < (unsigned)n; i++) {
        char *name = H5Tget_member_name(type, i);
        const char *rest = name != NULL ? after_name(path, name) : NULL;
        hid_t member = rest != NULL ? H5Tget_member_type(type, i) : -1;
        const uint32_t rank = leaf->rank;
        hr_status st = HR_ERR_NOT_FOUND;
        hid_t part = -1;
        if (member >= 0)
            st = select_in(member, rest, depth + 1, leaf, err);
        if (st == HR_OK) {
            part = leaf->memory_type;
            leaf->memory_type = -1;
            st = wrap_member(part, name, &leaf->memory_type, err);
        }
        if (part >= 0)
            (void)H5Tclose(part);
        if (member >= 0)
            (void)H5Tclose(member);
        (void)H5free_memory(name);
        if (rest != NULL && st != HR_ERR_NOT_FOUND)
            return st;
        leaf->rank = rank;
    }
    return hr__error_set(err, HR_ERR_NOT_FOUND, "its records have no member %s", path);
}

static hr_status add_dims(struct h5_leaf *leaf, const hsize_t *dims, int rank, hr_error *err) {
    if (leaf->rank + (uint32_t)rank > HR_MAX_RANK)
        return hr__error_set(err, HR_ERR_UNSUPPORTED, "it has more than %d axes", HR_MAX_RANK);
    for (int i = 0; i < rank; i++)
        leaf->dims[leaf->rank++] = dims[i];
    return HR_OK;
}

static hr_status select_array(hid_t type, const char *path, unsigned depth, struct h5_leaf *leaf,
                              hr_error *err) {
    hsize_t dims[HR_MAX_RANK];
    int rank = H5Tget_array_ndims(type);
    if (rank < 1 || rank > HR_MAX_RANK || H5Tget_array_dims2(type, dims) < 0)
        return h5_error(err, HR_ERR_CORRUPT, "the arrays inside its elements cannot be read");
    hid_t base = H5Tget_super(type);
    if (base < 0)
        return h5_error(err, HR_ERR_CORRUPT, "the arrays inside its elements cannot be read");
    hr_status st = add_dims(leaf, dims, rank, err);
    if (st == HR_OK)
        st = select_in(base, path, depth + 1, leaf, err);
    (void)H5Tclose(base);
    if (st != HR_OK)
        return st;
    hid_t part = leaf->memory_type;
    leaf->memory_type = H5Tarray_create2(part, (unsigned)rank, dims);
    (void)H5Tclose(part);
    return leaf->memory_type >= 0 ? HR_OK : h5_error(err, HR_ERR_NO_MEMORY, "a type");
}

static hr_status select_in(hid_t type, const char *path, unsigned depth, struct h5_leaf *leaf,
                           hr_error *err) {
    H5T_class_t kind = H5Tget_class(type);
    const hr_status st = h5_nesting_check(depth, err);
    if (st != HR_OK)
        return st;
    if (kind == H5T_ARRAY)
        return select_array(type, path, depth, leaf, err);
    if (kind == H5T_COMPOUND && !h5_is_complex(type))
        return select_member(type, path, depth, leaf, err);
    if (path[0] != '\0')
        return hr__error_set(err, HR_ERR_NOT_FOUND, "there is no %s in it: it holds no records",
                             path);
    if (h5_is_variable(type))
        return h5_variable_type(type, leaf, err);
    leaf->value_type = H5Tcopy(type);
    if (leaf->value_type < 0)
        return h5_error(err, HR_ERR_NO_MEMORY, "a type");
    return h5_type(type, &leaf->dtype, &leaf->width_bytes, &leaf->memory_type, err);
}

hr_status h5_leaf_select(hid_t type, const char *path, struct h5_leaf *out, hr_error *err) {
    memset(out, 0, sizeof *out);
    out->memory_type = out->value_type = -1;
    hr_status st = select_in(type, path, 0, out, err);
    if (st != HR_OK)
        h5_leaf_close(out);
    return st;
}

void h5_leaf_close(struct h5_leaf *leaf) {
    if (leaf->memory_type >= 0)
        (void)H5Tclose(leaf->memory_type);
    if (leaf->value_type >= 0)
        (void)H5Tclose(leaf->value_type);
    leaf->memory_type = leaf->value_type = -1;
}

/* --- all of them ---------------------------------------------------------------------------- */

static hr_status visit_member(hid_t type, unsigned i, const char *path, h5_member_found found,
                              void *arg, hr_error *err) {
    char child[HR__HELPER_PATH_BYTES];
    hr_status st;
    char *name = H5Tget_member_name(type, i);
    hid_t member = H5Tget_member_type(type, i);
    int n = name == NULL
                ? -1
                : snprintf(child, sizeof child, "%s%s%s", path, path[0] != '\0' ? "/" : "", name);
    if (n < 0 || member < 0)
        st = h5_error(err, HR_ERR_CORRUPT, "a member of its records cannot be read");
    else if ((size_t)n >= sizeof child || name[0] == '\0')
        st = hr__error_set(err, HR_ERR_UNSUPPORTED,
                           "a member of its records has no name, or a too long one");
    else
        st = found(arg, member, name, child, err);
    if (member >= 0)
        (void)H5Tclose(member);
    (void)H5free_memory(name);
    return st;
}

hr_status h5_members_each(hid_t type, const char *path, h5_member_found found, void *arg,
                          hr_error *err) {
    hr_status st = HR_OK;
    int num_members = H5Tget_nmembers(type);
    if (num_members < 1)
        return h5_error(err, HR_ERR_CORRUPT, "the members of its records cannot be listed");
    for (unsigned i = 0; st == HR_OK && i < (unsigned)num_members; i++)
        st = visit_member(type, i, path, found, arg, err);
    return st;
}

struct walk {
    h5_leaf_found found;
    void *arg;
    unsigned depth;
};

static hr_status walk_in(struct walk *w, hid_t type, const char *path, hr_error *err);

static hr_status walk_member(void *arg, hid_t member, const char *name, const char *path,
                             hr_error *err) {
    (void)name;
    return walk_in(arg, member, path, err);
}

static hr_status walk_elements(struct walk *w, hid_t type, const char *path, hr_error *err) {
    hid_t base = H5Tget_super(type);
    if (base < 0)
        return h5_error(err, HR_ERR_CORRUPT, "the arrays inside its elements cannot be read");
    hr_status st = walk_in(w, base, path, err);
    (void)H5Tclose(base);
    return st;
}

static hr_status walk_in(struct walk *w, hid_t type, const char *path, hr_error *err) {
    H5T_class_t kind = H5Tget_class(type);
    hr_status st = h5_nesting_check(w->depth, err);
    if (st != HR_OK)
        return st;
    w->depth++;
    if (kind == H5T_COMPOUND && !h5_is_complex(type))
        st = h5_members_each(type, path, walk_member, w, err);
    else if (kind == H5T_ARRAY)
        st = walk_elements(w, type, path, err);
    else
        st = w->found(w->arg, path, err);
    w->depth--;
    return st;
}

hr_status h5_leaf_each(hid_t type, h5_leaf_found found, void *arg, hr_error *err) {
    struct walk w = {.found = found, .arg = arg};
    return walk_in(&w, type, "", err);
}
