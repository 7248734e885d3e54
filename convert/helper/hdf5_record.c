/*
 * Records as wholes: the type in memory that holds every value which can be converted, in its
 * canonical type, packed, in the order of h5_leaf_each(). So one read of a chunk serves all
 * members. Types are untrusted.
 */
#include "helper.h"

#include <stdlib.h>
#include <string.h>

struct maker {
    struct h5_record *record;
    const char *rest;
    uint32_t room; /* for places */
    unsigned depth;
};

/* A compound at hand. */
struct compound {
    struct maker *maker;
    hid_t *type; /* -1: it has no member yet */
};

bool h5_leaf_is_asked_for(const char *rest, const char *leaf) {
    size_t n = strlen(rest);
    return n == 0 || (strncmp(leaf, rest, n) == 0 && (leaf[n] == '\0' || leaf[n] == '/'));
}

static hr_status make_in(struct maker *m, hid_t type, const char *path, hid_t *out, hr_error *err);

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

static hr_status make_member(void *arg, hid_t member, const char *name, const char *path,
                             hr_error *err) {
    const struct compound *c = arg;
    struct h5_record *r = c->maker->record;
    const uint32_t before = r->num_places;
    uint64_t at = 0;
    hid_t part = -1;
    hr_status st = make_in(c->maker, member, path, &part, err);
    if (st == HR_OK && part >= 0)
        st = insert(name, part, c->type, &at, err);
    for (uint32_t i = before; i < r->num_places; i++)
        r->places[i].at += at;
    if (part >= 0)
        (void)H5Tclose(part);
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

static hr_status make_array(struct maker *m, hid_t type, const char *path, hid_t *out,
                            hr_error *err) {
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
    hr_status st = make_in(m, base, path, &part, err);
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

static hr_status make_in(struct maker *m, hid_t type, const char *path, hid_t *out, hr_error *err) {
    H5T_class_t kind = H5Tget_class(type);
    struct compound compound = {m, out};
    hr_status st = h5_nesting_check(m->depth, err);
    if (st != HR_OK)
        return st;
    m->depth++;
    if (kind == H5T_COMPOUND && !h5_is_complex(type))
        st = h5_members_each(type, path, make_member, &compound, err);
    else if (kind == H5T_ARRAY)
        st = make_array(m, type, path, out, err);
    else
        st = make_leaf(m, type, path, out, err);
    m->depth--;
    return st;
}

hr_status h5_record_make(hid_t type, const char *rest, struct h5_record *out, hr_error *err) {
    struct maker m = {.record = out, .rest = rest};
    *out = (struct h5_record){.type = -1};
    hr_status st = make_in(&m, type, "", &out->type, err);
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
