/*
 * Structured arrays: what their members are, and the members of records in canonical form. Headers
 * and records are untrusted.
 */
#include "npz.h"

#include "numpy_elements.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- telling ---- */

struct tell_job {
    struct npz_teller *teller;
    const struct hr__npy_header *header;
    const char *array, *rest;
};

static hr_status describe_member(const struct tell_job *job, const struct hr__npy_member *m,
                                 struct hr__helper_field *out, hr_error *err) {
    const struct hr__npy_header *header = job->header;
    if (m->refused != NULL)
        return hr__error_set(err, HR_ERR_UNSUPPORTED,
                             "%.500s; or choose the fields without it (--fields)",
                             m->refused->message);
    if (m->rank > HR_MAX_RANK - header->rank)
        return hr__error_set(err, HR_ERR_UNSUPPORTED,
                             "it has more than %d dimensions; save it with fewer "
                             "(array.reshape), or choose the fields without it (--fields)",
                             HR_MAX_RANK);
    const hr_status st = npz_describe(header, out, err);
    if (st != HR_OK)
        return st;
    out->dtype = m->element.dtype;
    out->width_bytes = hr_dtype_bytes(m->element.dtype) == 0 ? m->element.width_bytes : 0;
    out->rank = header->rank + m->rank;
    memcpy(out->shape + header->rank, m->shape, m->rank * sizeof m->shape[0]);
    out->sample_bytes = header->elements_per_sample * m->element.width_bytes;
    for (uint32_t i = 0; i < m->rank; i++)
        out->sample_bytes *= m->shape[i]; /* a member is no larger than its record */
    if (out->sample_bytes == 0)           /* nothing is ever read of it */
        return HR_OK;
    out->record = (struct hr__helper_record){.path = job->array,
                                             .rank = header->rank,
                                             .bytes = header->element.width_bytes,
                                             .at = m->at};
    memcpy(out->record.steps + header->rank, m->steps, m->rank * sizeof m->steps[0]);
    return HR_OK;
}

static hr_status tell(void *arg, const struct hr__npy_member *m, hr_error *err) {
    const struct tell_job *job = arg;
    struct npz_teller *t = job->teller;
    struct hr__helper_field field;
    char path[HR__HELPER_PATH_BYTES + 1];
    if (job->rest[0] != '\0' && !hr__npy_member_is_in(m->name, job->rest))
        return HR_OK;
    t->num_found++;
    if ((size_t)snprintf(path, sizeof path, "%s/%s", job->array, m->name) >= sizeof path)
        return hr__error_set(err, HR_ERR_UNSUPPORTED,
                             "the name of a member is too long; rename it (array.dtype.names)");
    const hr_status st = describe_member(job, m, &field, err);
    if (st == HR_OK) {
        field.member = field.name = path;
        return t->found(t->arg, &field, err);
    }
    hr__error_prefix(err, "the member %s", m->name);
    if (t->refused == NULL)
        return st;
    t->refused(t->arg, path, err);
    return HR_OK;
}

hr_status npz_records_tell(const struct npz_stream *s, const char *array, const char *rest,
                           struct npz_teller *t, hr_error *err) {
    struct tell_job job = {.teller = t, .header = &s->header, .array = array, .rest = rest};
    if (s->header.fortran)
        return hr__npy_refuse_order(err);
    return hr__npy_header_members(s->header_bytes, &s->header, tell, &job, err);
}

/* ---- canonical form ---- */

static hr_status add(void *arg, const struct hr__npy_member *member, hr_error *err) {
    struct npz_members *m = arg;
    if (member->refused != NULL || (member->element.swap_bytes == 0 && !member->element.ucs4))
        return HR_OK;
    if (m->n == m->room) {
        const uint32_t room = m->room == 0 ? 16 : m->room * 2;
        struct hr__npy_member *grown = realloc(m->list, room * sizeof *grown);
        if (grown == NULL)
            return hr__error_no_memory(err, room * sizeof *grown, "the members of records");
        m->list = grown;
        m->room = room;
    }
    m->list[m->n] = *member;
    m->list[m->n++].name = NULL;
    return HR_OK;
}

hr_status npz_members_load(struct npz_members *m, const struct npz_stream *s, hr_error *err) {
    return hr__npy_header_members(s->header_bytes, &s->header, add, m, err);
}

void npz_members_free(struct npz_members *m) {
    free(m->list);
    *m = (struct npz_members){0};
}

static void element_to_canonical(const struct hr__element *e, uint8_t *p) {
    if (hr__elements_to_canonical(e, p, 1, 1, 0, NULL) != HR_OK)
        memset(p, 0xff, e->width_bytes);
}

/* From the axis on; p: the first element. */
static void part_to_canonical(const struct hr__npy_member *m, uint32_t axis, uint8_t *p) {
    if (axis == m->rank) {
        element_to_canonical(&m->element, p);
        return;
    }
    for (uint64_t i = 0; i < m->shape[axis]; i++)
        part_to_canonical(m, axis + 1, p + i * m->steps[axis]);
}

void npz_members_to_canonical(const struct npz_members *m, uint8_t *records, uint64_t n,
                              uint32_t record_bytes) {
    for (uint64_t i = 0; i < n && m->n > 0; i++)
        for (uint32_t k = 0; k < m->n; k++)
            part_to_canonical(&m->list[k], 0, records + i * record_bytes + m->list[k].at);
}
