/*
 * A new .npz archive of members that come as streams of chunks.
 *
 * libzip writes an archive in one go, asking for the bytes of each member in turn. So the names and
 * sizes of all members come first; with the first chunks the archive is begun, and whatever libzip
 * asks for beyond them is fetched by `next`.
 */
#ifndef HEADRACE_NPZ_WRITE_H
#define HEADRACE_NPZ_WRITE_H

#include "hdf5_chunks.h"

#include <zip.h>

/* The message at hand is done: says so, and brings the next one. */
typedef hr_status (*npz_next)(void *arg, struct hr__helper_message *m, hr_error *err);

struct npz_member {
    struct npz_writer *writer;
    char *name;
    struct hr__chunks chunks;
    uint64_t next; /* chunk */
};

struct npz_writer {
    int fd; /* of the file; -1: none */
    uint64_t at;
    zip_t *zip;
    uint32_t level;
    struct npz_member **members;
    uint32_t num_members;
    const uint8_t *shared;
    uint64_t slot_bytes;
    struct hr__helper_message message; /* at hand: WRITE */
    const uint8_t *bytes;              /* what is left of it */
    uint64_t left;
    bool complete;
    zip_error_t file_error;
    hr_error failure; /* of what libzip asked for */
    npz_next next;
    void *arg;
};

/* path: of a file that is there, and empty. shared: the slots. */
hr_status npz_writer_open(struct npz_writer *w, const char *path, uint32_t level,
                          const uint8_t *shared, uint64_t slot_bytes, hr_error *err);
/* One more member; before the first bytes. */
hr_status npz_writer_member(struct npz_writer *w, const struct hr__helper_field *f, hr_error *err);
/* The first chunks of the first member. Fetches all others. */
hr_status npz_writer_write(struct npz_writer *w, const struct hr__helper_message *m, npz_next next,
                           void *arg, hr_error *err);
hr_status npz_writer_finish(struct npz_writer *w, hr_error *err);

#endif
