/*
 * The records of one HDF5 data set, whose members are sources. Readers share cursors
 * (cursor_pool.h), each with a helper that reads whole records: so a thread that reads the members
 * in turns, piece by piece, has each chunk decoded once. Pieces are the windows of a cursor's
 * reader. What helpers say is untrusted. Threads: reading, any; the others not while it is read.
 */
#ifndef HEADRACE_RECORD_FILE_H
#define HEADRACE_RECORD_FILE_H

#include "cursor_pool.h"
#include "helper_reader.h"
#include "source_list.h"

struct hr__record_file {
    struct hr__helper_target target; /* of whole records; path and member are its own */
    char *path, *member;
    uint64_t members_bytes; /* of all members that were ever added, in one record */
    uint64_t room_bytes;    /* that a cursor takes */
    uint64_t piece_samples;
    struct hr__cursor_pool pool;
    struct hr__source_list members; /* of which the pool counts as many, and one for the caller of
                                     * make; others close them */
};

/* Of the data set that the field of `member` is a member of. */
hr_status hr__record_file_make(const struct hr__helper_target *member, struct hr__record_file **out,
                               hr_error *err);
/* The caller of make is done. NULL is fine. */
void hr__record_file_release(struct hr__record_file *f);

/* A member of the same records, as far as their name says it. */
bool hr__record_file_has(const struct hr__record_file *f, const struct hr__helper_field *member);
/* One source more. HR_ERR_HELPER: the helper said something of the member, or of those before, that
 * cannot be. */
hr_status hr__record_file_add(struct hr__record_file *f, const struct hr__helper_field *member,
                              struct hr__source *source, hr_error *err);
/* One source less. The one that alone is left, or NULL. f is gone with the last. */
struct hr__source *hr__record_file_remove(struct hr__record_file *f, struct hr__source *source);

/* What each cursor may take; it takes more where it cannot do with that. */
void hr__record_file_set_room(struct hr__record_file *f, uint64_t n_bytes);

/* For a reader, which has entered the pool: samples of a member, which exist. */
hr_status hr__record_file_read(struct hr__record_file *f, const struct hr__helper_target *member,
                               uint64_t first, uint64_t n, uint8_t *dst, hr_error *err);

#endif
