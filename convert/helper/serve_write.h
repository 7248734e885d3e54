/*
 * Messages that write a file: each is done, or an error.
 */
#ifndef HEADRACE_SERVE_WRITE_H
#define HEADRACE_SERVE_WRITE_H

#include "helper.h"

struct write_server {
    struct h5_writer hdf5;
    uint8_t *shared; /* NULL: no file */
    uint64_t slot_bytes;
};

/* fd: what came along, or -1. */
hr_status write_answer(struct write_server *s, const struct hr__helper_message *m, int fd,
                       hr_error *err);

#endif
