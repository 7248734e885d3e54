/*
 * Members of structured arrays. A list says how large its entries are only where it ends, and where
 * it is repeated only behind that: so a list in a list is read twice, first to measure it.
 */
#include "npy_members.h"

#include "checked.h"
#include "error.h"

#include <stdio.h>
#include <string.h>

#define NAME_BYTES  (HR_MAX_NAME_BYTES + 1)
#define DESCR_BYTES 64u

/* What the members of a list have from the lists around it. */
struct place {
    char name[NAME_BYTES]; /* "", or with a '/' at its end */
    size_t name_bytes;
    uint64_t at;
    uint32_t rank;
    uint64_t shape[HR_MAX_RANK], steps[HR_MAX_RANK];
};

struct walk {
    struct hr__npy_text *text;
    hr__npy_member_found found; /* NULL while a list is measured */
    void *arg;
    uint32_t num_members, depth;
};

/* An entry of a list, without what is in it. */
struct entry {
    char name[NAME_BYTES];
    bool is_list;
    struct hr__npy_text list; /* where it begins */
    char descr[DESCR_BYTES];
    uint64_t element_bytes; /* of the dtype or the list */
    uint32_t rank;
    uint64_t shape[HR_MAX_RANK];
    uint64_t bytes; /* of all elements */
};

static hr_status read_list(struct walk *w, const struct place *place, uint64_t *record_bytes,
                           hr_error *err);

bool hr__npy_member_is_in(const char *name, const char *path) {
    const size_t n = strlen(path);
    return strncmp(name, path, n) == 0 && (name[n] == '\0' || name[n] == '/');
}

/* ---- sizes ---- */

/* Of one element, also of dtypes that cannot be converted: kind and size, "<M8[ns]", "|V3". */
static hr_status measure_dtype(const char *descr, uint64_t *n_bytes, hr_error *err) {
    const char *p = descr + strspn(descr, "<>=|");
    const char kind = *p;
    uint64_t size = kind == '?';
    if (kind == 'O')
        return hr__error_set(err, HR_ERR_UNSUPPORTED,
                             "it holds Python objects, which are pickled programs and are never "
                             "loaded; save the array without it, or with a dtype of fixed width");
    p += kind != '\0';
    const bool sized = kind == '?' || (*p >= '0' && *p <= '9');
    for (; *p >= '0' && *p <= '9' && size <= HR__NPY_MAX_RECORD_BYTES; p++)
        size = size * 10 + (uint64_t)(*p - '0');
    if (!sized || (*p != '\0' && *p != '[') || size > HR__NPY_MAX_RECORD_BYTES)
        return hr__error_set(err, HR_ERR_UNSUPPORTED, "'%.40s' is no dtype known here", descr);
    *n_bytes = kind == 'U' ? 4 * size : size;
    return HR_OK;
}

static hr_status measure_entry(struct entry *e, hr_error *err) {
    uint64_t n = e->element_bytes;
    for (uint32_t i = 0; i < e->rank; i++)
        if (!hr__mul_u64(n, e->shape[i], &n) || n > HR__NPY_MAX_RECORD_BYTES)
            return hr__error_set(err, HR_ERR_UNSUPPORTED,
                                 "a record is larger than 2 GiB, which is the most that is read; "
                                 "save its members as arrays of their own");
    e->bytes = n;
    return HR_OK;
}

/* ---- entries ---- */

/* NumPy says so where the members of a C struct are aligned. */
static bool is_padding(const struct entry *e) {
    return e->name[0] == '\0' && !e->is_list && e->descr[strspn(e->descr, "<>=|")] == 'V';
}

/* 'name', or ('title', 'name'). */
static hr_status read_name(struct hr__npy_text *t, struct entry *e, hr_error *err) {
    hr_status st;
    if (!hr__npy_text_accept(t, '('))
        return hr__npy_text_name(t, e->name, sizeof e->name, err);
    HR_TRY(hr__npy_text_name(t, e->name, sizeof e->name, err));
    if (!hr__npy_text_accept(t, ','))
        return hr__npy_text_malformed(t, "',' behind the title of a member", err);
    HR_TRY(hr__npy_text_name(t, e->name, sizeof e->name, err));
    if (!hr__npy_text_accept(t, ')'))
        return hr__npy_text_malformed(t, "')' behind the name of a member", err);
done:
    return st;
}

static hr_status read_dtype(struct walk *w, struct entry *e, hr_error *err) {
    struct hr__npy_text *t = w->text;
    e->is_list = hr__npy_text_peek(t) == '[';
    if (!e->is_list) {
        const hr_status st = hr__npy_text_string(t, e->descr, sizeof e->descr, err);
        return st == HR_OK ? measure_dtype(e->descr, &e->element_bytes, err) : st;
    }
    struct walk measure = {.text = t, .depth = w->depth + 1};
    const struct place nowhere = {.name = ""};
    e->list = *t;
    return read_list(&measure, &nowhere, &e->element_bytes, err);
}

static hr_status read_entry(struct walk *w, struct entry *e, hr_error *err) {
    struct hr__npy_text *t = w->text;
    hr_status st;
    *e = (struct entry){.name = ""};
    if (!hr__npy_text_accept(t, '('))
        return hr__npy_text_malformed(t, "'(' of a member", err);
    HR_TRY(read_name(t, e, err));
    if (!hr__npy_text_accept(t, ','))
        return hr__npy_text_malformed(t, "',' behind the name of a member", err);
    st = read_dtype(w, e, err);
    if (st == HR_OK && hr__npy_text_accept(t, ','))
        st = hr__npy_text_shape(t, e->shape, HR_MAX_RANK, &e->rank, err);
    if (st == HR_OK)
        st = measure_entry(e, err);
    if (st != HR_OK) {
        if (st == HR_ERR_UNSUPPORTED)
            hr__error_prefix(err, "the member %s", e->name);
        goto done;
    }
    if (!hr__npy_text_accept(t, ')'))
        return hr__npy_text_malformed(t, "')' of a member", err);
    if (e->name[0] == '\0' && !is_padding(e))
        return hr__npy_text_malformed(t, "a member with a name before", err);
done:
    return st;
}

/* The place of an entry, with its axes behind those around it. */
static hr_status place_entry(const struct place *around, const struct entry *e, uint64_t at,
                             struct place *out, hr_error *err) {
    uint64_t step = e->element_bytes;
    *out = *around;
    out->at += at;
    const int n = snprintf(out->name + out->name_bytes, NAME_BYTES - out->name_bytes, "%s%s",
                           e->name, e->is_list ? "/" : "");
    if ((size_t)n >= NAME_BYTES - out->name_bytes || e->rank > HR_MAX_RANK - out->rank)
        return hr__error_set(err, HR_ERR_UNSUPPORTED,
                             "the member %s%s has a name of more than %d bytes, or more than %d "
                             "dimensions",
                             around->name, e->name, HR_MAX_NAME_BYTES, HR_MAX_RANK);
    out->name_bytes += (size_t)n;
    for (uint32_t i = e->rank; i-- > 0;) {
        out->shape[out->rank + i] = e->shape[i];
        out->steps[out->rank + i] = step;
        step *= e->shape[i];
    }
    out->rank += e->rank;
    return HR_OK;
}

static hr_status tell(struct walk *w, const struct place *place, const char *descr, hr_error *err) {
    hr_error why = {.status = HR_OK};
    struct hr__npy_member member = {.name = place->name, .at = place->at, .rank = place->rank};
    memcpy(member.shape, place->shape, sizeof member.shape);
    memcpy(member.steps, place->steps, sizeof member.steps);
    if (hr__numpy_dtype_parse(descr, &member.element, &why) != HR_OK)
        member.refused = &why;
    return w->found(w->arg, &member, err);
}

static hr_status tell_of_entry(struct walk *w, const struct place *around, const struct entry *e,
                               uint64_t at, hr_error *err) {
    struct place place;
    hr_status st = place_entry(around, e, at, &place, err);
    if (st != HR_OK || !e->is_list)
        return st == HR_OK ? tell(w, &place, e->descr, err) : st;
    struct hr__npy_text list = e->list;
    struct walk inner = {.text = &list,
                         .found = w->found,
                         .arg = w->arg,
                         .num_members = w->num_members,
                         .depth = w->depth + 1};
    uint64_t measured;
    st = read_list(&inner, &place, &measured, err);
    w->num_members = inner.num_members;
    return st;
}

static hr_status read_list(struct walk *w, const struct place *place, uint64_t *record_bytes,
                           hr_error *err) {
    struct hr__npy_text *t = w->text;
    struct entry e;
    hr_status st = HR_OK;
    *record_bytes = 0;
    if (w->depth == HR__NPY_MAX_DEPTH)
        return hr__error_set(err, HR_ERR_UNSUPPORTED,
                             "members lie more than %u deep in each other; save those that are "
                             "wanted as arrays of their own",
                             HR__NPY_MAX_DEPTH);
    if (!hr__npy_text_accept(t, '['))
        return hr__npy_text_malformed(t, "'[' of the members", err);
    while (!hr__npy_text_accept(t, ']')) {
        HR_TRY(read_entry(w, &e, err));
        if (++w->num_members > HR__NPY_MAX_MEMBERS)
            return hr__error_set(err, HR_ERR_UNSUPPORTED,
                                 "records have more than %u members; save those that are wanted as "
                                 "arrays of their own",
                                 HR__NPY_MAX_MEMBERS);
        if (w->found != NULL && !is_padding(&e))
            HR_TRY(tell_of_entry(w, place, &e, *record_bytes, err));
        *record_bytes += e.bytes;
        if (*record_bytes > HR__NPY_MAX_RECORD_BYTES)
            return hr__error_set(err, HR_ERR_UNSUPPORTED,
                                 "a record is larger than 2 GiB, which is the most that is read; "
                                 "save its members as arrays of their own");
        if (!hr__npy_text_accept(t, ',') && hr__npy_text_peek(t) != ']')
            return hr__npy_text_malformed(t, "',' or ']'", err);
    }
done:
    return st;
}

hr_status hr__npy_members_read(struct hr__npy_text *list, hr__npy_member_found found, void *arg,
                               uint32_t *record_bytes, hr_error *err) {
    struct walk w = {.text = list, .found = found, .arg = arg};
    const struct place whole = {.name = ""};
    uint64_t n = 0;
    const hr_status st = read_list(&w, &whole, &n, err);
    *record_bytes = (uint32_t)n;
    return st;
}
