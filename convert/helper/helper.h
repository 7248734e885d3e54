/*
 * The parts of the program headrace-source, which reads and writes HDF5 files for libheadrace in a
 * process of its own. Files and messages are untrusted; a crash or hang of the HDF5 library ends or
 * stops this process only.
 */
#ifndef HEADRACE_SOURCE_HELPER_H
#define HEADRACE_SOURCE_HELPER_H

#include "error.h"
#include "hdf5_chunks.h"
#include "helper_protocol.h"

#include <hdf5.h>
#include <jansson.h>

/* --- hdf5_error.c --------------------------------------------------------------------------- */

/* The formatted message, then the innermost one of HDF5's error stack, which is cleared. A want of
 * memory becomes HR_ERR_HELPER and says so. */
hr_status h5_error(hr_error *err, hr_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* What the innermost message of HDF5's error stack says, which is kept. */
bool h5_error_is(const char *text);

/* --- hdf5_link.c: from names to objects, under the rule for links ----------------------------- */

/*
 * No link is followed by the HDF5 library itself: each component of a path is looked at first, so
 * that nothing outside the input's own folder is opened unless that was asked for.
 */
struct h5_file {
    hid_t file;           /* -1: none */
    hid_t access;         /* file access list, for linked files too */
    hid_t dataset_access; /* with the chunk cache of a data set */
    char *folder;         /* real path of the input's folder, with a '/' at the end */
    bool follow_external;
    bool growing; /* another process writes it */
};

/* cache_bytes and cache_chunks: of the chunk cache of every data set that is opened through it.
 * Close it also after a failure. */
hr_status h5_file_open(struct h5_file *f, const char *path, bool follow_external,
                       uint64_t cache_bytes, uint64_t cache_chunks, hr_error *err);
void h5_file_close(struct h5_file *f);

/* The real path of a file that something in the file of `object` names; malloc'ed, NULL: there is
 * none. */
char *h5_beside(const struct h5_file *f, hid_t object, const char *name);
/* The rule: it is in the input's own folder, or any file may be. real: a real path. */
bool h5_may_open(const struct h5_file *f, const char *real);

/* The object that `path` leads to, from `group`, or from the root of the file where it begins with
 * '/'. Close with H5Oclose(). rest: NULL, or what is left of the path behind a data set, "" for
 * nothing. */
hr_status h5_walk(const struct h5_file *f, hid_t group, const char *path, hid_t *out,
                  const char **rest, hr_error *err);

/* --- hdf5_drivers.c --------------------------------------------------------------------------- */

/* A file, alone, or the first of a split or family file, or one that is being written. */
hr_status h5_open_any(const char *path, hid_t access, hid_t *out, bool *growing, hr_error *err);

/* --- hdf5_hyperslab.c ------------------------------------------------------------------------- */

/* A part of a data set, and the memory for it, one element after the other. */
struct h5_hyperslab {
    hid_t file_space, memory_space; /* -1: none */
};

/* False: an error of HDF5's. Close it in either case, after the error was taken: closing forgets
 * it. */
bool h5_hyperslab_open(hid_t dataset, int rank, const hsize_t *start, const hsize_t *count,
                       struct h5_hyperslab *out);
void h5_hyperslab_close(struct h5_hyperslab *slab);

/* --- hdf5_storage.c --------------------------------------------------------------------------- */

/* Of the data sets that a virtual one is made of; zeros: it is none, or none of them is chunked. */
struct h5_sources {
    uint64_t chunk_samples, chunk_bytes; /* the largest */
};

/* Other files that the values lie in are there, and the rule allows them. */
hr_status h5_storage_check(const struct h5_file *f, hid_t dataset, hid_t plist,
                           struct h5_sources *out, hr_error *err);

/* --- hdf5_types.c --------------------------------------------------------------------------- */

/* The dtype of an HDF5 type and the type to read it as. HR_ERR_UNSUPPORTED says why not and what
 * can be done. Close *memory_type with H5Tclose(). */
hr_status h5_type(hid_t type, hr_dtype *dtype, uint32_t *width_bytes, hid_t *memory_type,
                  hr_error *err);
bool h5_is_complex(hid_t type); /* the compound by which h5py stores complex numbers */
bool h5_is_bool(hid_t type);    /* the enumeration by which h5py stores bools */

/* --- hdf5_variable_types.c ----------------------------------------------------------------------
 */

struct h5_leaf;

/* Strings or sequences of different lengths. */
bool h5_is_variable(hid_t type);
/* What a leaf says of such a type; as h5_type(). */
hr_status h5_variable_type(hid_t type, struct h5_leaf *leaf, hr_error *err);

/* --- hdf5_compound.c: types that hold others -------------------------------------------------- */

/* One value of an element: the element itself, or a member of its records. */
struct h5_leaf {
    hr_dtype dtype;
    uint32_t width_bytes;
    uint32_t rank; /* of the arrays around the value */
    hsize_t dims[HR_MAX_RANK];
    bool variable;     /* as HR__HELPER_VARIABLE */
    hid_t value_type;  /* in the file, of one value, or of an element of one of variable length */
    hid_t memory_type; /* of an element in memory: this value alone */
};

/* path: names of members joined by '/', "" for the element itself. HR_ERR_NOT_FOUND, or as
 * h5_type(). */
hr_status h5_leaf_select(hid_t type, const char *path, struct h5_leaf *out, hr_error *err);
void h5_leaf_close(struct h5_leaf *leaf);

/* HR_ERR_UNSUPPORTED: types inside others, too deep. */
hr_status h5_nesting_check(unsigned depth, hr_error *err);

/* Calls found with each member of a compound and its path: `path`, which is the compound's, and the
 * name. */
typedef hr_status (*h5_member_found)(void *arg, hid_t member, const char *name, const char *path,
                                     hr_error *err);
hr_status h5_members_each(hid_t type, const char *path, h5_member_found found, void *arg,
                          hr_error *err);

/* Calls found with the path of each value of an element, in the order of the members. */
typedef hr_status (*h5_leaf_found)(void *arg, const char *path, hr_error *err);
hr_status h5_leaf_each(hid_t type, h5_leaf_found found, void *arg, hr_error *err);

/* --- hdf5_record.c: records as wholes --------------------------------------------------------- */

/* Where a value lies in a packed record. */
struct h5_place {
    bool inside; /* it is in the record */
    uint32_t rank;
    uint64_t at;
    uint64_t steps[HR_MAX_RANK]; /* to the next value, along each axis around it */
};

struct h5_record {
    hid_t type; /* in memory; -1: none */
    uint32_t num_places, num_inside;
    struct h5_place *places; /* of the values that were asked for, in the order of h5_leaf_each() */
};

/* The values that `rest` names, or is a part of the path to; "": all. */
bool h5_leaf_is_asked_for(const char *rest, const char *leaf);
hr_status h5_record_make(hid_t type, const char *rest, struct h5_record *out, hr_error *err);
void h5_record_close(struct h5_record *r);

/* --- hdf5_attributes.c ------------------------------------------------------------------------ */

/* What could not be carried over. */
struct h5_left_out {
    uint32_t n;
    char names[256]; /* joined by ", "; cut off where there are many */
};
void h5_leave_out(struct h5_left_out *left, const char *name);

/* Attributes of an object, by name, into a JSON object. */
void h5_attributes(hid_t object, json_t *into, struct h5_left_out *left);
/* What a type says beside its values: the names of an enumeration, the tag of opaque bytes. */
void h5_type_attributes(hid_t type, json_t *into, struct h5_left_out *left);

/* --- hdf5_filters.c --------------------------------------------------------------------------- */

/* Makes the filters that are no part of HDF5 known to it. */
bool h5_filters_register(void);
/* The name under which a filter is registered with The HDF Group, or NULL. */
const char *h5_filter_name(int id);

/* The type that an array of this dtype is written as, the one that h5py knows it by: bfloat16 as a
 * floating-point type of its own, which h5py reads as float32. Close with H5Tclose(); negative: an
 * error. */
hid_t h5_type_make(hr_dtype dtype, uint32_t width_bytes);

/* --- hdf5_describe.c ------------------------------------------------------------------------ */

struct h5_described {
    struct hr__helper_field field; /* all but member and name */
    struct h5_leaf leaf;
    int rank;          /* of the data set */
    bool leaves_holes; /* HDF5 gives no value to what was never written */
};

/* path: as h5_leaf_select(). Close with h5_leaf_close(&out->leaf). */
hr_status h5_describe(const struct h5_file *f, hid_t dataset, const char *path,
                      struct h5_described *out, hr_error *err);
/* Of whole records, of the values that `rest` names. */
hr_status h5_describe_records(const struct h5_file *f, hid_t dataset, const char *rest,
                              struct h5_described *out, hr_error *err);
/* HR_ERR_UNSUPPORTED names a filter that cannot be decoded. */
hr_status h5_check_filters(hid_t plist, hr_error *err);

/* --- hdf5_fields.c: what is told of a data set and of the file -------------------------------- */

/* field: NULL for what is the file's. attributes: a JSON object as text, or NULL. note: a line for
 * people, or NULL. */
typedef hr_status (*h5_found)(void *arg, const struct hr__helper_field *field,
                              const char *attributes, const char *note, hr_error *err);

/* Of a data set, by the name of its field, or of the first of them, that cannot be told of. */
typedef void (*h5_refused)(void *arg, const char *name, const hr_error *why);

struct h5_teller {
    const struct h5_file *file;
    h5_found found;
    h5_refused refused; /* NULL: the first one ends the list */
    void *arg;
    size_t name_at;  /* where in a path the field's name begins */
    uint32_t sparse; /* HR__HELPER_DENSE, HR__HELPER_ROW_VALUES; 0: these matrices are refused */
    uint32_t num_found;
    size_t attributes_bytes; /* told of */
};

/* Of a field, or of the file where it is NULL, with the attributes. */
hr_status h5_tell(struct h5_teller *t, const struct hr__helper_field *field, json_t *attributes,
                  struct h5_left_out *left, hr_error *err);
/* Tells of the values that `rest` names, "" for all: names of members joined by '/'. */
hr_status h5_fields_tell(struct h5_teller *t, hid_t dataset, const char *path, const char *rest,
                         hr_error *err);
/* Of a sparse matrix, which is one field, or two. */
hr_status h5_sparse_tell(struct h5_teller *t, hid_t group, const char *path, hr_error *err);
hr_status h5_file_tell(struct h5_teller *t, hr_error *err);

/* --- hdf5_list.c ---------------------------------------------------------------------------- */

/* Calls found for each value of each data set below `member`, in natural order of names, then for
 * the file. sparse, refused: as h5_teller. */
hr_status h5_list(const struct h5_file *f, const char *member, uint32_t sparse, h5_found found,
                  h5_refused refused, void *arg, hr_error *err);

/* --- hdf5_read.c ---------------------------------------------------------------------------- */

struct h5_direct;
struct h5_sparse;
struct h5_values;

struct h5_reader {
    struct h5_file file;
    hid_t dataset;            /* or the group of a sparse matrix */
    struct h5_sparse *sparse; /* NULL: a data set */
    struct h5_direct *direct; /* NULL: HDF5 decodes the chunks */
    struct h5_values *values; /* NULL: they are not of variable length */
    struct h5_described is;   /* of a matrix: the field alone */
    uint8_t *shared;
    uint64_t slot_bytes;
    uint64_t needed_bytes; /* of this process */
};

/* Zeroed before. fd: the memory that rows go to; is mapped, and may be closed afterwards.
 * others_bytes: what other readers need. */
hr_status h5_reader_open(struct h5_reader *r, const struct hr__helper_message *open, int fd,
                         uint64_t others_bytes, hr_error *err);
void h5_reader_close(struct h5_reader *r); /* that was opened */
/* Samples first .. first + *n - 1 into a slot; of variable length as many of them as fit. */
hr_status h5_reader_read(struct h5_reader *r, uint32_t slot, uint64_t first, uint64_t *n,
                         hr_error *err);

/* --- hdf5_heaps.c ---------------------------------------------------------------------------- */

/* Values of variable length lie in heaps, of which HDF5 would keep 32 MiB: here it keeps
 * HR__HELPER_HEAP_BYTES. */
bool h5_bound_heaps(hid_t file);

/* --- hdf5_write.c ---------------------------------------------------------------------------- */

struct h5_writer {
    hid_t file, dataset, type; /* -1: none */
    struct hr__chunks chunks;  /* of the array at hand; count 0: of variable length, or none */
    uint64_t num_values;       /* of variable length */
    bool text;                 /* they are UTF-8 */
    uint32_t unit_bytes;       /* else each is a multiple of these */
    uint64_t next;             /* chunk, or value */
    uint32_t shuffle_bytes;    /* of an element; 1: not shuffled */
    uint32_t level, num_threads;
};

hr_status h5_writer_open(struct h5_writer *w, const char *path, uint32_t level,
                         uint32_t num_threads, hr_error *err);
/* Begins an array; the one before must be complete. */
hr_status h5_writer_array(struct h5_writer *w, const struct hr__helper_field *f, hr_error *err);
/* Chunks first .. first + n - 1, the next ones, whose bytes are the first of room_bytes at rows. */
hr_status h5_writer_write(struct h5_writer *w, uint64_t first, uint64_t n, const uint8_t *rows,
                          uint64_t room_bytes, hr_error *err);
/* Of the file, or of the array at hand. */
hr_status h5_writer_attribute(struct h5_writer *w, const struct hr__helper_message *m,
                              const uint8_t *value, uint64_t room_bytes, hr_error *err);
/* Begins an array of values of variable length, then takes the next ones from a slot of room_bytes
 * (value_slot.h): hdf5_write_values.c. */
hr_status h5_writer_variable(struct h5_writer *w, const struct hr__helper_message *m,
                             hr_error *err);
hr_status h5_writer_values(struct h5_writer *w, uint64_t first, uint64_t n, const uint8_t *slot,
                           uint64_t room_bytes, hr_error *err);
hr_status h5_writer_finish(struct h5_writer *w, hr_error *err);

/* --- serve.c -------------------------------------------------------------------------------- */

/* Answers messages until the other side is gone. */
void serve(int socket);

/* --- limits.c ------------------------------------------------------------------------------- */

void limits_set(uint64_t memory_bytes);
/* Of the address space, 0: none; not less than it was. */
void limits_set_memory(uint64_t memory_bytes);
/* From now on no file can be written: before a file that may be hostile is opened. */
void limits_forbid_writing(void);
/* Ends this process when the one that started it ends, whatever the main thread does then. */
bool limits_watch_parent(int socket, int parent);

#endif
