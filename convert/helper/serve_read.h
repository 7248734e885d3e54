/*
 * The part of the conversation that reads: arrays that are open, by their numbers.
 */
#ifndef HEADRACE_SOURCE_SERVE_READ_H
#define HEADRACE_SOURCE_SERVE_READ_H

#include "helper_protocol.h"

struct open_array;

struct read_server {            /* zeroed: none is open */
    struct open_array **arrays; /* by number; NULL: none */
    uint32_t room;
    uint64_t needed_bytes; /* of all that are open */
};

/* *field: all but member and name. */
hr_status read_open(struct read_server *s, const struct hr__helper_message *m, int fd,
                    struct hr__helper_field *field, hr_error *err);
/* *n: samples that are in the slot. */
hr_status read_rows(struct read_server *s, const struct hr__helper_message *m, uint64_t *n,
                    hr_error *err);
/* One that is not open is fine. */
void read_close(struct read_server *s, uint32_t array);

#endif
