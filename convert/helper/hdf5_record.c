/*
 * Records as wholes: the type in memory that holds every value which can be converted, in its
 * canonical type, packed, in the order of h5_leaf_each(). So one read of a chunk serves all
 * members. Types are untrusted.
 */
#define _GNU_SOURCE
#include "helper.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_NESTING 32u

struct maker {
    struct h5_record *record;
    const char *rest;
    uint32_t room; /* for places */
};

bool h5_leaf_is_asked_for(const char *rest, const char *leaf) {
    size_t n = strlen(rest);
    return n == 0 || (strncmp(leaf, rest, n) == 0 && (leaf[n] == '\0' || leaf[n] == '/'));
}

static hr_status make_in(struct maker *m, hid_t type, const char *path, unsigned depth, hid_t *out,
                         hr_error *err);

static hr_status add_place(struct maker *m, struct h5_place **out, hr_error *err) {
    struct h5_record *r = m->record;
    if (r->num_places == HR__HELPER_MAX_FIELDS)
        return hr__error_set(err, HR_ERR_UNSUPPORTED, "its records have more than %u members",
                             HR__HELPER_MAX_FIELDS);
    if (r->num_places == m->room) {
        uint32_t room = m->room == 0 ? 16 : m->room * 2;
        struct h5_place *grown = realloc(r->places, room * sizeof *grown);
        if (grown == NULL)
            return hr__error_no_memory(err, room * sizeof *grown, "the members of records");
        r->places = grown;
        m->room = room;
    }
    *out = &r->places[r->num_places++];
    **out = (struct h5_place){.inside = false};
    return HR_OK;
}

/* What cannot be converted is left out; who is told of it hears why. */
static hr_status make_leaf(struct maker *m, hid_t type, const char *path, hid_t *out,
                           hr_error *err) {
    struct h5_place *place = NULL;
    hr_dtype dtype;
    uint32_t width;
    if (!h5_leaf_is_asked_for(m->rest, path))
        return HR_OK;
    hr_status st = add_place(m, &place, err);
    if (st != HR_OK)
        return st;
    if (h5_is_variable(type)) /* is read by itself */
        return HR_OK;
    st = h5_type(type, &dtype, &width, out, err);
    if (st == HR_ERR_UNSUPPORTED) {
        *out = -1;
        return HR_OK;
    }
    place->inside = st == HR_OK;
    m->record->num_inside += place->inside;
    return st;
}

/* Puts a part behind what is in the compound, which is made where it is the first. */
static hr_status insert(const char *name, hid_t part, hid_t *compound, uint64_t *at,
                        hr_error *err) {
    size_t n_bytes = H5Tget_size(part);
    *at = *compound >= 0 ? H5Tget_size(*compound) : 0;
    if (*compound < 0)
        *compound = n_bytes != 0 ? H5Tcreate(H5T_COMPOUND, n_bytes) : -1;
    else if (n_bytes == 0 || H5Tset_size(*compound, (size_t)*at + n_bytes) < 0)
        return h5_error(err, HR_ERR_NO_MEMORY, "a type");
    if (*compound < 0 || H5Tinsert(*compound, name, (size_t)*at, part) < 0)
        return h5_error(err, HR_ERR_NO_MEMORY, "a type");
    return HR_OK;
}

static hr_status make_member(struct maker *m, hid_t member, const char *name, const char *path,
                             unsigned depth, hid_t *compound, hr_error *err) {
    const uint32_t before = m->record->num_places;
    uint64_t at = 0;
    hid_t part = -1;
    hr_status st = make_in(m, member, path, depth, &part, err);
    if (st == HR_OK && part >= 0)
        st = insert(name, part, compound, &at, err);
    for (uint32_t i = before; i < m->record->num_places; i++)
        m->record->places[i].at += at;
    if (part >= 0)
        (void)H5Tclose(part);
    return st;
}

static hr_status make_members(struct maker *m, hid_t type, const char *path, unsigned depth,
                              hid_t *out, hr_error *err) {
    hr_status st = HR_OK;
    int num_members = H5Tget_nmembers(type);
    for (unsigned i = 0; st == HR_OK && num_members > 0 && i < (unsigned)num_members; i++) {
        char child[HR__HELPER_PATH_BYTES];
        char *name = H5Tget_member_name(type, i);
        hid_t member = H5Tget_member_type(type, i);
        int n = name == NULL ? -1
                             : snprintf(child, sizeof child, "%s%s%s", path,
                                        path[0] != '\0' ? "/" : "", name);
        if (member < 0 || n < 0 || (size_t)n >= sizeof child)
            st = h5_error(err, HR_ERR_CORRUPT, "a member of its records cannot be read");
        else
            st = make_member(m, member, name, child, depth + 1, out, err);
        if (member >= 0)
            (void)H5Tclose(member);
        (void)H5free_memory(name);
    }
    return st;
}

/* The axes of an array come before those inside its elements. */
static hr_status add_axes(struct h5_place *place, const hsize_t *dims, uint32_t rank,
                          uint64_t element_bytes, hr_error *err) {
    if (place->rank + rank > HR_MAX_RANK)
        return hr__error_set(err, HR_ERR_UNSUPPORTED, "it has more than %d axes", HR_MAX_RANK);
    memmove(place->steps + rank, place->steps, place->rank * sizeof *place->steps);
    place->rank += rank;
    for (uint32_t i = rank; i-- > 0; element_bytes *= dims[i])
        place->steps[i] = element_bytes;
    return HR_OK;
}

static hr_status make_array(struct maker *m, hid_t type, const char *path, unsigned depth,
                            hid_t *out, hr_error *err) {
    const uint32_t before = m->record->num_places;
    hsize_t dims[HR_MAX_RANK];
    hid_t part = -1;
    int rank = H5Tget_array_ndims(type);
    hid_t base = H5Tget_super(type);
    if (rank < 1 || rank > HR_MAX_RANK || base < 0 || H5Tget_array_dims2(type, dims) < 0) {
        if (base >= 0)
            (void)H5Tclose(base);
        return h5_error(err, HR_ERR_CORRUPT, "the arrays inside its elements cannot be read");
    }
    hr_status st = make_in(m, base, path, depth + 1, &part, err);
    (void)H5Tclose(base);
    if (part < 0)
        return st;
    const uint64_t element_bytes = H5Tget_size(part);
    for (uint32_t i = before; st == HR_OK && i < m->record->num_places; i++)
        st = add_axes(&m->record->places[i], dims, (uint32_t)rank, element_bytes, err);
    if (st == HR_OK)
        *out = H5Tarray_create2(part, (unsigned)rank, dims);
    (void)H5Tclose(part);
    if (st == HR_OK && *out < 0)
        return h5_error(err, HR_ERR_NO_MEMORY, "a type");
    return st;
}

static hr_status make_in(struct maker *m, hid_t type, const char *path, unsigned depth, hid_t *out,
                         hr_error *err) {
    H5T_class_t kind = H5Tget_class(type);
    if (depth > MAX_NESTING)
        return hr__error_set(err, HR_ERR_UNSUPPORTED, "its types are nested deeper than %u",
                             MAX_NESTING);
    if (kind == H5T_COMPOUND && !h5_is_complex(type))
        return make_members(m, type, path, depth, out, err);
    if (kind == H5T_ARRAY)
        return make_array(m, type, path, depth, out, err);
    return make_leaf(m, type, path, out, err);
}

hr_status h5_record_make(hid_t type, const char *rest, struct h5_record *out, hr_error *err) {
    struct maker m = {.record = out, .rest = rest};
    *out = (struct h5_record){.type = -1};
    hr_status st = make_in(&m, type, "", 0, &out->type, err);
    if (st == HR_OK && out->type < 0)
        st = hr__error_set(err, HR_ERR_NOT_FOUND, "its records have nothing that can be read");
    if (st != HR_OK)
        h5_record_close(out);
    return st;
}

void h5_record_close(struct h5_record *r) {
    if (r->type >= 0)
        (void)H5Tclose(r->type);
    free(r->places);
    *r = (struct h5_record){.type = -1};
}
