/*
 * The members of a structured array: the list [(name, dtype), (name, dtype, shape), ...] in the
 * header of a .npy file, in which a dtype may be such a list itself. Input is untrusted. No I/O, no
 * allocation.
 */
#ifndef HEADRACE_NPY_MEMBERS_H
#define HEADRACE_NPY_MEMBERS_H

#include "npy_text.h"
#include "numpy_dtype.h"

#define HR__NPY_MAX_DEPTH        8u    /* of lists in lists */
#define HR__NPY_MAX_MEMBERS      4096u /* of all lists */
#define HR__NPY_MAX_RECORD_BYTES UINT32_C(0x7fffffff)

struct hr__npy_member {
    const char *name;           /* the names of members that it is in, and its own, joined by '/' */
    const hr_error *refused;    /* why its dtype cannot be converted; NULL: it can be */
    struct hr__element element; /* where it can be */
    uint64_t at;                /* of its first element in a record */
    uint32_t rank;              /* in one record */
    uint64_t shape[HR_MAX_RANK];
    uint64_t steps[HR_MAX_RANK]; /* in bytes, from one entry of an axis to the next */
};

/* The member that `path` names, or one that lies in it. */
bool hr__npy_member_is_in(const char *name, const char *path);

typedef hr_status (*hr__npy_member_found)(void *arg, const struct hr__npy_member *member,
                                          hr_error *err);

/* Reads the list that the cursor is at. found is called for each member that is no list, in the
 * order of the list; NULL: they are only measured. Padding is no member. *record_bytes: of all.
 * HR_ERR_CORRUPT: no such list; HR_ERR_UNSUPPORTED: Python objects anywhere, or more, deeper or
 * larger than is read. */
hr_status hr__npy_members_read(struct hr__npy_text *list, hr__npy_member_found found, void *arg,
                               uint32_t *record_bytes, hr_error *err);

#endif
