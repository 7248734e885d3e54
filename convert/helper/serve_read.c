/*
 * Opening, reading and closing arrays. Messages are untrusted.
 */
#include "serve_read.h"

#include "helper.h"
#include "npz.h"

#include <stdlib.h>
#include <string.h>

struct open_array {
    bool in_archive;
    bool failed; /* the file may be damaged */
    struct h5_reader hdf5;
    struct npz_reader npz; /* instead of it */
};

static struct open_array *find(const struct read_server *s, uint32_t array) {
    return array < s->room ? s->arrays[array] : NULL;
}

static hr_status make_room(struct read_server *s, uint32_t array, hr_error *err) {
    if (array < s->room)
        return HR_OK;
    const uint32_t room = array < 8 ? 16 : array * 2;
    struct open_array **p = realloc(s->arrays, room * sizeof *p);
    if (p == NULL)
        return hr__error_no_memory(err, room * sizeof *p, "a data set");
    memset(p + s->room, 0, (room - s->room) * sizeof *p);
    s->arrays = p;
    s->room = room;
    return HR_OK;
}

static hr_status open_it(struct open_array *a, const struct hr__helper_message *m, int fd,
                         uint64_t others_bytes, struct hr__helper_field *field, hr_error *err) {
    a->in_archive = npz_is_archive(m->path);
    const hr_status st = a->in_archive ? npz_reader_open(&a->npz, m, fd, err)
                                       : h5_reader_open(&a->hdf5, m, fd, others_bytes, err);
    *field = a->in_archive ? a->npz.field : a->hdf5.is.field;
    return st;
}

hr_status read_open(struct read_server *s, const struct hr__helper_message *m, int fd,
                    struct hr__helper_field *field, hr_error *err) {
    hr_status st = make_room(s, m->array, err);
    if (st != HR_OK)
        return st;
    if (s->arrays[m->array] != NULL)
        return hr__error_set(err, HR_ERR_INVALID, "a data set of that number is open already");
    struct open_array *a = calloc(1, sizeof *a);
    if (a == NULL)
        return hr__error_no_memory(err, sizeof *a, "a data set");
    st = open_it(a, m, fd, s->needed_bytes, field, err);
    if (st != HR_OK) /* what HDF5 has of a damaged file is better left alone */
        return st;
    s->arrays[m->array] = a;
    s->needed_bytes += a->hdf5.needed_bytes;
    return HR_OK;
}

hr_status read_rows(struct read_server *s, const struct hr__helper_message *m, uint64_t *n,
                    hr_error *err) {
    struct open_array *a = find(s, m->array);
    if (a == NULL)
        return hr__error_set(err, HR_ERR_INVALID, "no data set is open");
    *n = m->n;
    const hr_status st = a->in_archive ? npz_reader_read(&a->npz, m->slot, m->first, m->n, err)
                                       : h5_reader_read(&a->hdf5, m->slot, m->first, n, err);
    a->failed = a->failed || st != HR_OK;
    return st;
}

void read_close(struct read_server *s, uint32_t array) {
    struct open_array *a = find(s, array);
    if (a == NULL)
        return;
    s->arrays[array] = NULL;
    s->needed_bytes -= a->hdf5.needed_bytes;
    if (a->failed) /* as above */
        return;
    if (a->in_archive)
        npz_reader_close(&a->npz);
    else
        h5_reader_close(&a->hdf5);
    free(a);
}
