/*
 * .npz archives in the helper: zip files whose members NAME.npy are arrays. Archives are untrusted:
 * libzip reads them, and what it says of sizes is not believed before the bytes have come.
 */
#ifndef HEADRACE_SOURCE_NPZ_H
#define HEADRACE_SOURCE_NPZ_H

#include "error.h"
#include "helper_protocol.h"
#include "npy_header.h"

#include <zip.h>

/* --- npz_archive.c: archives and their members ---------------------------------------------- */

struct npz_archive {
    zip_t *zip;
    uint64_t file_bytes;
};

struct npz_entry {
    zip_uint64_t index;
    uint64_t size_bytes; /* as the archive says; the stream is held to it */
    const char *name;    /* with ".npy"; the archive's */
};

/* Whether the file begins as zip archives do. */
bool npz_is_archive(const char *path);

hr_status npz_archive_open(struct npz_archive *a, const char *path, hr_error *err);
void npz_archive_close(struct npz_archive *a); /* a zeroed one is fine */

/* HR_ERR_UNSUPPORTED: a method or encryption; HR_ERR_CORRUPT: sizes that cannot be. */
hr_status npz_archive_entry(const struct npz_archive *a, zip_uint64_t index, struct npz_entry *out,
                            hr_error *err);

/* What libzip says, as our error. A want of memory becomes HR_ERR_HELPER and says so. */
hr_status npz_error(zip_error_t *e, const char *what, hr_error *err);

/* --- npz_stream.c: one member, inflated from its beginning ----------------------------------- */

/*
 * Invariants
 *   1. at_bytes is how many bytes of the array have been read.
 *   2. When the last byte of the array has been handed out, the stream was read to its end and its
 *      checksum compared.
 */
struct npz_stream {
    zip_file_t *file; /* NULL: none */
    struct hr__npy_header header;
    uint8_t *header_bytes;
    uint64_t at_bytes;
};

/* Reads and checks the header. */
hr_status npz_stream_open(struct npz_stream *s, const struct npz_archive *a,
                          const struct npz_entry *entry, hr_error *err);
/* The next n_bytes of the array. A stream that failed is closed. */
hr_status npz_stream_read(struct npz_stream *s, void *dst, uint64_t n_bytes, hr_error *err);
void npz_stream_close(struct npz_stream *s); /* a zeroed one is fine */

/* --- npz_list.c ------------------------------------------------------------------------------ */

typedef hr_status (*npz_found)(void *arg, const struct hr__helper_field *field, hr_error *err);

/* Of a member that is none that can be read. */
typedef void (*npz_refused)(void *arg, const char *name, const hr_error *why);

/* Calls found for each array, and for each member of a structured one (member "": of all), in the
 * archive's order. refused NULL: what is none refuses the whole. */
hr_status npz_list(const struct npz_archive *a, const char *member, npz_found found,
                   npz_refused refused, void *arg, hr_error *err);

/* Fills all of *out but member and name; of a structured array: of its records, as bytes. */
hr_status npz_describe(const struct hr__npy_header *header, struct hr__helper_field *out,
                       hr_error *err);

/* --- npz_records.c: structured arrays --------------------------------------------------------- */

struct npz_teller {
    npz_found found;
    npz_refused refused; /* or NULL */
    void *arg;
    uint32_t num_found; /* or refused */
};

/* Tells of the members of a structured array, which is called `array`: those that `rest` names, or
 * that lie in what it names; "": all. */
hr_status npz_records_tell(const struct npz_stream *s, const char *array, const char *rest,
                           struct npz_teller *t, hr_error *err);

/* The members of records that are not in canonical form in the file. */
struct npz_members {
    struct hr__npy_member *list; /* name: NULL */
    uint32_t n, room;
};

/* Zeroed before; free it also after a failure. */
hr_status npz_members_load(struct npz_members *m, const struct npz_stream *s, hr_error *err);
void npz_members_free(struct npz_members *m);
/* Of n records, in place. Text that has no UTF-8 form becomes bytes that are none either: who asked
 * for it looks at it, others do not mind. */
void npz_members_to_canonical(const struct npz_members *m, uint8_t *records, uint64_t n,
                              uint32_t record_bytes);

/* --- npz_read.c ------------------------------------------------------------------------------ */

struct npz_reader {
    struct npz_archive archive;
    struct npz_entry entry;
    struct npz_stream stream;
    struct hr__npy_header header; /* as of the first time that it was read */
    struct hr__helper_field field;
    bool elements; /* in the order of the file */
    struct npz_members members;
    uint8_t *shared;
    uint64_t slot_bytes;
};

/* Zeroed before. fd: the memory that rows go to. */
hr_status npz_reader_open(struct npz_reader *r, const struct hr__helper_message *open, int fd,
                          hr_error *err);
void npz_reader_close(struct npz_reader *r); /* also after a failure */
/* Rows in canonical form. Reading on costs what is read; going back begins the member anew. */
hr_status npz_reader_read(struct npz_reader *r, uint32_t slot, uint64_t first, uint64_t n,
                          hr_error *err);

#endif
