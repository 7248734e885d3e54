/*
 * The messages between libheadrace and its source helper: one message is one packet on a
 * SOCK_SEQPACKET pair. Both sides treat what they receive as untrusted; decoding is a pure function
 * over a buffer, and what it accepts it would encode to the same bytes.
 *
 * A conversation: the helper says HELLO. LIST is answered by FIELD for each data set, then
 * LIST_END; before each of them may come its ATTRIBUTES, a JSON object in pieces, and a NOTE for
 * people; those before LIST_END are of the file. With HR__HELPER_GO_ON a REFUSED tells of a data
 * set that cannot be converted, or not all of it; without, it ends the list. OPEN gives a data set
 * the number of an array, carries a sealed memfd, and is answered by OPENED; READ of an array by
 * ROWS; of values of variable length by as many of them as a slot holds (value_slot.h), or by none,
 * where not even one fits: then the slot begins with the bytes of that one, as a u64. CLOSE is
 * answered by DONE, and the number free for another OPEN. Several arrays may be open; answers come
 * in the order of asking. ERROR may come in the place of any answer. The end of file ends the
 * conversation.
 *
 * Writing: CREATE names the file and carries a sealed memfd. ARRAY begins an array, WRITE carries
 * chunks of it (hdf5_chunks.h), in order; BEGIN_VALUES begins an array of values of variable
 * length, of which VALUES carries some (value_slot.h), in order; ATTRIBUTE carries one; FINISH
 * closes the file. Each is answered by DONE, in the order of asking. Of an archive, all ARRAYs come
 * before the first WRITE, and no BEGIN_VALUES. One helper reads or writes one file.
 *
 * A packet, little-endian: magic "HRSH", u16 version, u16 type, u32 body bytes, u32 zero, body.
 * A text is u32 bytes, the bytes (none of them zero), one zero byte.
 */
#ifndef HEADRACE_HELPER_PROTOCOL_H
#define HEADRACE_HELPER_PROTOCOL_H

#include "headrace/types.h"

#include <stdbool.h>

#define HR__HELPER_VERSION        2u
#define HR__HELPER_MESSAGE_BYTES  16384u /* no packet is larger */
#define HR__HELPER_PATH_BYTES     4096u  /* longest text */
#define HR__HELPER_MAX_FIELDS     4096u
#define HR__HELPER_MAX_ARRAYS     4096u /* open in one helper */
#define HR__HELPER_VALUE_SLACK    64u   /* a value of n bytes fits a slot of n and these */
#define HR__HELPER_NUM_SLOTS      2u
#define HR__HELPER_MAX_ATTRIBUTES (8u << 20)    /* bytes of ATTRIBUTES in an answer to LIST */
#define HR__HELPER_HEAP_BYTES     (2u << 20)    /* of HDF5's heaps that a helper keeps */
#define HR__HELPER_BASE_BYTES     (64ull << 20) /* address space of a helper that holds no data */

/* Exit codes of a helper that could not begin. */
#define HR__HELPER_EXIT_NO_THREAD 3
#define HR__HELPER_EXIT_NO_HDF5   4

enum hr__helper_type {
    HR__HELPER_LIST = 1,
    HR__HELPER_OPEN = 2,
    HR__HELPER_READ = 3,
    HR__HELPER_CLOSE = 4,
    HR__HELPER_CREATE = 16,
    HR__HELPER_ARRAY = 17,
    HR__HELPER_WRITE = 18,
    HR__HELPER_ATTRIBUTE = 19,
    HR__HELPER_FINISH = 20,
    HR__HELPER_BEGIN_VALUES = 21,
    HR__HELPER_VALUES = 22,
    HR__HELPER_HELLO = 64,
    HR__HELPER_FIELD = 65,
    HR__HELPER_LIST_END = 66,
    HR__HELPER_OPENED = 67,
    HR__HELPER_ROWS = 68,
    HR__HELPER_ERROR = 69,
    HR__HELPER_ATTRIBUTES = 80,
    HR__HELPER_NOTE = 81,
    HR__HELPER_REFUSED = 82,
    HR__HELPER_DONE = 96
};

/* Flags of LIST and OPEN. */
#define HR__HELPER_FOLLOW_EXTERNAL 1u
#define HR__HELPER_DENSE           2u  /* LIST: sparse matrices are fields of their rows */
#define HR__HELPER_ROW_VALUES      4u  /* LIST: they are two, of what rows hold; OPEN: it is one */
#define HR__HELPER_ELEMENTS        8u  /* OPEN: as hr__helper_field_of_elements() says */
#define HR__HELPER_RECORDS         16u /* OPEN: as hr__helper_field_of_records() says */
#define HR__HELPER_GO_ON           32u /* LIST: what cannot be converted does not end it */

/* Flags of a field. */
#define HR__HELPER_CHUNKED    1u  /* several readers are useful */
#define HR__HELPER_STREAM     2u  /* going back reads it from the beginning */
#define HR__HELPER_GROWING    4u  /* another process adds samples to it */
#define HR__HELPER_FORTRAN    8u  /* the first axis is the fastest in the file */
#define HR__HELPER_SPARSE     16u /* samples end inside chunks; always cache them */
#define HR__HELPER_BY_COLUMNS 32u /* columns of a matrix, whose rows, shape[0], are meant */
#define HR__HELPER_VARIABLE   64u /* of variable length, see its dtype */

/* Of writing. */
#define HR__HELPER_ZIP    1u /* flag of CREATE: an archive, not HDF5 */
#define HR__HELPER_SCALAR 1u /* flag of ATTRIBUTE: one value, no list of one */
#define HR__HELPER_TEXT   1u /* flag of BEGIN_VALUES: the values are UTF-8 */

#define HR__HELPER_MAX_LEVEL   9u
#define HR__HELPER_MAX_THREADS 64u

/* The attribute of fields of what rows hold (HR__HELPER_ROW_VALUES): columns of the matrix. */
#define HR__SPARSE_COLUMNS "headrace:sparse_columns"

/* The records that a data set's values are members of, where they can be read as wholes: packed,
 * with the members one after the other. */
struct hr__helper_record {
    const char *path;            /* to be opened; NULL or "": there are none */
    uint32_t rank;               /* of one sample: these axes come before those of the member */
    uint64_t bytes;              /* of one record */
    uint64_t at;                 /* of the member's first value in it */
    uint64_t steps[HR_MAX_RANK]; /* to the next value, along each axis of the member */
};

/* A data set as the helper describes it. */
struct hr__helper_field {
    hr_dtype dtype;       /* of variable length: of an element; var_bytes, var_utf8: of a value */
    uint32_t width_bytes; /* of one element, HR_FIXED_* only */
    uint32_t rank;        /* of one sample */
    uint32_t flags;
    uint64_t shape[HR_MAX_RANK];
    uint64_t num_samples;
    uint64_t sample_bytes;
    uint64_t granule_samples; /* at least 1 */
    uint64_t chunk_bytes;     /* of one chunk of the file, decoded; 0: not chunked */
    uint64_t chunk_row_bytes; /* of all chunks that one sample touches */
    const char *member;       /* path from the root of the file, without the leading '/' */
    const char *name;         /* the field's name where none is given */
    struct hr__helper_record record;
};

struct hr__helper_message {
    enum hr__helper_type type;
    uint32_t flags;        /* LIST, OPEN, CREATE, ATTRIBUTE, BEGIN_VALUES */
    uint32_t array;        /* OPEN, READ, ROWS, CLOSE */
    uint32_t slot;         /* READ, ROWS, WRITE, VALUES, ATTRIBUTE, DONE */
    uint32_t count;        /* LIST_END; CREATE: threads; ATTRIBUTE: values */
    uint32_t level;        /* CREATE: of compression; 0: none */
    hr_dtype dtype;        /* ATTRIBUTE: int64, float64, bool, or fixed_utf8: one text */
    hr_status status;      /* ERROR, REFUSED */
    uint64_t memory_bytes; /* OPEN: address space that the helper may use from now on; 0: any */
    uint64_t slot_bytes;   /* OPEN, CREATE: of each slot of the memfd */
    uint64_t cache_bytes;  /* OPEN: what the chunk cache may hold */
    uint64_t first, n;     /* READ, ROWS: samples; WRITE: chunks; VALUES: values; DONE: either */
    const char *path;      /* LIST, OPEN, CREATE */
    const char *member;    /* LIST, OPEN, ATTRIBUTE; "": the root; REFUSED: the field's name */
    const char *text;      /* ERROR, REFUSED: the message; HELLO: the library's name and version;
                            * ATTRIBUTES: a piece; NOTE: a line; ATTRIBUTE: its name */
    struct hr__helper_field field; /* FIELD, OPENED, ARRAY; BEGIN_VALUES: num_samples values of such
                                    * elements */
};

/* Bytes written to buf, or 0: it does not fit, a text is too long, or a figure is out of range. */
size_t hr__helper_encode(const struct hr__helper_message *m, uint8_t *buf, size_t cap_bytes);

/* Texts in *out point into buf. HR_ERR_HELPER: the message says what is wrong with the packet. */
hr_status hr__helper_decode(const uint8_t *buf, size_t n_bytes, struct hr__helper_message *out,
                            hr_error *err);

/* The same bytes, in the order of the file, as samples of one element each. They are canonical, but
 * that bools are not looked at. */
struct hr__helper_field hr__helper_field_of_elements(const struct hr__helper_field *f);

/* The whole records that the field is a member of, as fixed bytes. */
struct hr__helper_field hr__helper_field_of_records(const struct hr__helper_field *f);

/* helper_record.c: the field has a record, and values of its own in it. The record's figures lie in
 * the format's limits. */
bool hr__helper_record_valid(const struct hr__helper_field *f);
/* Of the member in one record. */
uint64_t hr__helper_record_member_bytes(const struct hr__helper_field *f);

/* Of values of variable length: a value is a multiple of these. */
uint32_t hr__helper_unit_bytes(const struct hr__helper_field *f);

/* The figures of a field agree with each other and lie in the format's limits. */
bool hr__helper_field_valid(const struct hr__helper_field *f);

#endif
