/*
 * Sources: arrays that can be converted. A source is one array: rows (samples) of one dtype and
 * shape, handed out in canonical form (little-endian, C order, dtype of the design). Everything a
 * file says is untrusted.
 */
#ifndef HEADRACE_SOURCE_H
#define HEADRACE_SOURCE_H

#include "budget.h"
#include "headrace/convert.h"

#include <stdatomic.h>
#include <stdbool.h>

struct hr__source;
struct hr__source_reader;
struct hr__helper_group;

/* The data set that a source is a field of; valid until the last source of it is closed. */
struct hr__source_origin {
    uint8_t uuid[16];
    uint64_t commit_seq;
    const char *provenance_json; /* or NULL */
};

/* What a source says of itself; valid until it is closed. */
struct hr__source_info {
    const char *path;         /* the file */
    const char *member;       /* the path in the file (HDF5, .npz), or NULL */
    const char *default_name; /* the field's name where none is given: file stem or member */
    hr_dtype dtype;
    uint32_t width_bytes;
    uint32_t rank; /* of one sample */
    uint64_t shape[HR_MAX_RANK];
    uint64_t num_samples;
    uint64_t sample_bytes;        /* 0 of values of variable length */
    hr_dtype element_dtype;       /* of such a sequence; else 0 */
    uint64_t value_bytes;         /* of all such values, about, where it is known; else 0 */
    uint64_t granule_samples;     /* rows that are decoded together in the source (chunk rows); 1 */
    uint32_t max_readers;         /* readers that are useful side by side; 1 */
    bool is_stream;               /* read best by one reader, in ascending order */
    bool any_pieces;              /* any readers may read any pieces: none is read twice for it */
    uint64_t reader_bytes;        /* least memory of one reader, beside what it reads into; 0 */
    uint64_t reader_wanted_bytes; /* with which it reads best */
    bool growing;                 /* another process adds to the file: it may change */
    const char *numpy_dtype;      /* what an export should restore, e.g. "<U12"; NULL: by dtype */
    const char *note;             /* one line for people, or NULL */
    const char *attributes_json;  /* of the field: a JSON object as text, or NULL */
    const char *file_attributes_json;       /* of the file: of its first source only, or NULL */
    hr_source_fingerprint file;             /* path as given */
    const struct hr__source_origin *origin; /* NULL: it is no field of a data set */
    const void *pool;    /* the same for sources whose readers share cursors; NULL: none */
    uint64_t pool_bytes; /* that readers of all of them take in one thread */
    const _Atomic uint64_t *surplus_bytes; /* behind the array, once a reader came to the end; or
                                            * NULL: nothing can be there, or the note says so */
    bool named_inside; /* default_name stands in the file, and is not its name */
    uint64_t variant;  /* of raw binary: tells apart what may be read out of the same bytes */
};

struct hr__source_ops {
    const char *name;
    /* A reader for one thread. helpers: NULL, or what all readers share that this thread uses.
     * Blocks. */
    hr_status (*open_reader)(struct hr__source *src, struct hr__budget *budget,
                             struct hr__helper_group *helpers, struct hr__source_reader **out,
                             hr_error *err);
    /* Rows first .. first + n - 1 into dst (n x sample_bytes). Blocks. HR_ERR_DATA for values that
     * cannot be converted (the message has the sample's index). */
    hr_status (*read)(struct hr__source_reader *r, uint64_t first, uint64_t n, void *dst,
                      hr_error *err);
    /* The same of sources of values of variable length, which have this instead of read: value i is
     * values[offsets[i]] .. values[offsets[i + 1] - 1], offsets[0] is 0. values NULL: only the n +
     * 1 offsets are wanted; else there is room for what they have said. */
    hr_status (*read_values)(struct hr__source_reader *r, uint64_t first, uint64_t n,
                             int64_t *offsets, uint8_t *values, uint64_t room_bytes, hr_error *err);
    /* Of such sources, or NULL: brings as many of the n >= 1 values from `first` on to hand as the
     * reader holds at once, at least one. To read these, lengths first, costs no more. Blocks. */
    hr_status (*fetch)(struct hr__source_reader *r, uint64_t first, uint64_t n, uint64_t *out,
                       hr_error *err);
    /* Rows that exist will be read soon, by any reader: begins to bring them into the page cache
     * and does not wait. Where any_pieces, else NULL. */
    void (*announce)(struct hr__source_reader *r, uint64_t first, uint64_t n);
    void (*close_reader)(struct hr__source_reader *r); /* NULL is fine */
    void (*close)(struct hr__source *src);             /* NULL is fine */
    /* NULL, or where the samples end that are best read together with this one: those of a chunk
     * that holds several sources. Who reads several up to there, and only then on, has it read
     * once. */
    uint64_t (*piece_end)(const struct hr__source *src, uint64_t sample);
    /* Up to where a stream must be read, so that it is known that this sample is whole. NULL: to
     * its last sample. */
    uint64_t (*stream_end)(const struct hr__source *src, uint64_t sample);
    /* How much a reader may take for itself, before one is opened: sets info.reader_bytes and
     * info.reader_wanted_bytes, which are more where it cannot do with that. NULL: they are as they
     * are. */
    void (*set_room)(struct hr__source *src, uint64_t n_bytes);
    /* It will be read by itself, and not in turns with the others of its file: before a reader is
     * opened. NULL: that is the same to it, or it is a part of a source, which nobody reads so. */
    void (*set_alone)(struct hr__source *src);
    /* From any thread: reads that would take long end soon with HR_ERR_CANCELLED, for good. NULL:
     * none takes long. */
    void (*stop)(struct hr__source *src);
};

struct hr__source { /* the first member of each kind's own struct */
    const struct hr__source_ops *ops;
    struct hr__source_info info;
};

/* source.c: HR_ERR_INVALID where a source, which the message calls `what`, has no samples first ..
 * first + n - 1. */
hr_status hr__source_check_range(const struct hr__source *src, const char *what, uint64_t first,
                                 uint64_t n, hr_error *err);

/* What a conversion says of arrays whose samples are not one after the other. */
struct hr__axis_options {
    int32_t axis; /* of the samples; negative: from the last */
    const char
        *output; /* beside which a temporary file may be made, or NULL; outlives the source */
    bool check_space;
};

struct hr__npy_options {
    struct hr__axis_options axis;
    /* Of structured arrays: */
    const char *member;      /* only this one, with all that is in it; NULL: all */
    const char *const *kept; /* only fields of these names; num_kept 0: all */
    uint32_t num_kept;
    uint32_t num_threads; /* readers that are useful */
};

/* npy.c: .npy 1.0, 2.0, 3.0, of any order and along any axis; a structured array is one source for
 * each member. A malloc'ed array, which is empty where no member is kept. */
hr_status hr__npy_sources_open(const char *path, const struct hr__npy_options *opts,
                               struct hr__source ***out, uint32_t *num_out, hr_error *err);
/* The same of arrays in C order, along their first axis, and not structured. */
hr_status hr__npy_plain_source_open(const char *path, struct hr__source **out, hr_error *err);

/* idx.c: IDX, the format of MNIST; gzip: compressed as a whole. */
hr_status hr__idx_source_open(const char *path, bool gzip, struct hr__source **out, hr_error *err);

/* raw.c: raw binary. dtype as "float32" or a NumPy name such as "<f4". */
hr_status hr__raw_source_open(const char *path, const char *dtype, const uint64_t *shape,
                              uint32_t rank, uint64_t skip_bytes, struct hr__source **out,
                              hr_error *err);

struct hr__hrd_options {
    const char *member;    /* only this field; NULL: all */
    uint32_t num_threads;  /* readers that are useful */
    uint64_t budget_bytes; /* for what the data set holds in memory */
};

/* hrd_source.c: the fields of a data set, in a malloc'ed array. */
hr_status hr__hrd_sources_open(const char *path, const struct hr__hrd_options *opts,
                               struct hr__source ***out, uint32_t *num_out, hr_error *err);

/* Names of columns that are not kept, for messages: "a, b", as many as fit. */
struct hr__left_out {
    size_t used;
    char names[256];
};

struct hr__csv_options {
    struct hr__left_out *left_out; /* added to, or NULL */
    const char *member;            /* only this field; NULL: all */
    const char *const *kept;       /* only fields of these names; num_kept 0: all */
    uint32_t num_kept;
    bool as_one; /* all columns are one field, also where there is a header */
    bool gzip;
    const char *dtype;    /* of all numbers; NULL: by what is found */
    uint32_t num_threads; /* readers that are useful */
};

/* csv.c: the fields of a CSV file, in the order of its columns. Reads it once from end to end. A
 * malloc'ed array, which is empty where none is kept. */
hr_status hr__csv_sources_open(const char *path, const struct hr__csv_options *opts,
                               struct hr__source ***out, uint32_t *num_out, hr_error *err);

struct hr__helper_options {
    int follow_external;
    hr_sparse sparse;        /* what becomes of sparse matrices */
    bool zip;                /* the file is a .npz archive */
    const char *const *kept; /* what cannot be converted matters for fields of these names only */
    uint32_t num_kept;       /* 0: for all */
    int64_t timeout_ns;      /* of silence */
    uint64_t memory_bytes;   /* address space of a helper */
    uint32_t max_helpers;
    struct hr__axis_options axis;
};

/* helper_source.c: every data set under `member` (NULL: the root) that can be converted, in the
 * file's natural order of names, or every array of an archive, in its order; *num_out sources in a
 * malloc'ed array. A single data set that cannot be converted refuses the whole with its reason.
 * Starts a helper process. */
hr_status hr__helper_sources_open(const char *path, const char *member,
                                  const struct hr__helper_options *opts, struct hr__source ***out,
                                  uint32_t *num_out, hr_error *err);

#endif
