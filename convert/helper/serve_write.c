/*
 * The part of the conversation that writes a file. Messages are untrusted.
 */
#include "serve_write.h"

#include "slots.h"

#include <signal.h>

static hr_status create(struct write_server *s, const struct hr__helper_message *m, int fd,
                        hr_error *err) {
    if (s->shared != NULL)
        return hr__error_set(err, HR_ERR_INVALID, "a file is being written already");
    (void)signal(SIGXFSZ, SIG_IGN); /* a file that grows too large is then an error of the write */
    hr_status st = slots_map(fd, m->slot_bytes, &s->shared, err);
    s->slot_bytes = m->slot_bytes;
    s->zip = (m->flags & HR__HELPER_ZIP) != 0;
    if (st != HR_OK)
        return st;
    return s->zip ? npz_writer_open(&s->npz, m->path, m->level, s->shared, s->slot_bytes, err)
                  : h5_writer_open(&s->hdf5, m->path, m->level, m->count, err);
}

static hr_status answer_hdf5(struct write_server *s, const struct hr__helper_message *m,
                             hr_error *err) {
    const uint8_t *slot = s->shared + m->slot * s->slot_bytes;
    switch (m->type) {
    case HR__HELPER_ARRAY:
        return h5_writer_array(&s->hdf5, &m->field, err);
    case HR__HELPER_WRITE:
        return h5_writer_write(&s->hdf5, m->first, m->n, slot, s->slot_bytes, err);
    case HR__HELPER_BEGIN_VALUES:
        return h5_writer_variable(&s->hdf5, m, err);
    case HR__HELPER_VALUES:
        return h5_writer_values(&s->hdf5, m->first, m->n, slot, s->slot_bytes, err);
    case HR__HELPER_ATTRIBUTE:
        return h5_writer_attribute(&s->hdf5, m, slot, s->slot_bytes, err);
    default:
        return h5_writer_finish(&s->hdf5, err);
    }
}

static hr_status answer_npz(struct write_server *s, struct hr__helper_message *m, npz_next next,
                            void *arg, hr_error *err) {
    hr_status st;
    switch (m->type) {
    case HR__HELPER_ARRAY:
        return npz_writer_member(&s->npz, &m->field, err);
    case HR__HELPER_WRITE:
        st = npz_writer_write(&s->npz, m, next, arg, err);
        *m = s->npz.message;
        return st;
    case HR__HELPER_FINISH:
        return npz_writer_finish(&s->npz, err);
    default:
        return hr__error_set(err, HR_ERR_INVALID, "an archive has no such thing");
    }
}

hr_status write_answer(struct write_server *s, struct hr__helper_message *m, int fd, npz_next next,
                       void *arg, hr_error *err) {
    if (m->type == HR__HELPER_CREATE)
        return create(s, m, fd, err);
    if (s->shared == NULL)
        return hr__error_set(err, HR_ERR_INVALID, "no file is being written");
    return s->zip ? answer_npz(s, m, next, arg, err) : answer_hdf5(s, m, err);
}
