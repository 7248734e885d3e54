/*
 * Messages that write a file: each is done, or an error.
 */
#ifndef HEADRACE_SERVE_WRITE_H
#define HEADRACE_SERVE_WRITE_H

#include "helper.h"
#include "npz_write.h"

struct write_server {
    struct h5_writer hdf5;
    struct npz_writer npz;
    bool zip;        /* the file is an archive */
    uint8_t *shared; /* NULL: no file */
    uint64_t slot_bytes;
};

/* fd: what came along, or -1. *m becomes the message that is now done: writing an archive fetches
 * others, by `next`. */
hr_status write_answer(struct write_server *s, struct hr__helper_message *m, int fd, npz_next next,
                       void *arg, hr_error *err);

#endif
