/*
 * Data sets: one .hrd file opened for reading, or several as one. Random access is here; streams of
 * batches are in loader.h.
 */
#ifndef HEADRACE_DATASET_H
#define HEADRACE_DATASET_H

#include "types.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct hr_dataset hr_dataset;

/** How stored bytes are read. The numbers are frozen. */
typedef enum hr_io {
    HR_IO_AUTO = 0, /**< page cache for data that fit it, else direct; threads where the file system
                     * has neither (see docs/architecture.md) */
    HR_IO_DIRECT = 1,  /**< past the page cache (O_DIRECT), by io_uring, or by libaio where that is
                        * refused or older than Linux 5.12; refused where the file system cannot */
    HR_IO_CACHED = 2,  /**< through the page cache, by the decode threads themselves */
    HR_IO_THREADS = 3, /**< through the page cache, by threads that do nothing else */
    HR_IO_LIBAIO = 4   /**< as HR_IO_DIRECT, by libaio in any case */
} hr_io;

/** Options of hr_dataset_open(). Zero means default. */
typedef struct hr_open_options {
    uint32_t struct_bytes;
    uint32_t flags;        /**< none defined: 0 */
    uint64_t budget_bytes; /**< for the indexes of all files, and again for the scratch of each read
                            * or gather in progress, of which up to 4 are kept for the next ones
                            * (4 to 6 MiB each, where that is little of what the process-wide cap
                            * leaves); 0: see hr_default_budget() */
} hr_open_options;
#define HR_OPEN_OPTIONS_INIT                                                                       \
    { sizeof(hr_open_options), 0, 0 }

/**
 * Open a data set for reading. Blocks on I/O; starts no thread; touches no GPU. The data set is the
 * commit that was newest at this moment, whatever is appended later.
 *
 * @param path  copied
 * @param opts  NULL for defaults
 * @param out   the data set on HR_OK, else NULL; release with hr_dataset_close()
 * @param err   NULL, or filled on failure only
 * @return HR_OK, HR_ERR_IO, HR_ERR_NOT_FOUND, HR_ERR_NOT_DATASET (it does not begin as one),
 *         HR_ERR_CORRUPT (a truncated file too), HR_ERR_UNSUPPORTED, HR_ERR_BUDGET,
 *         HR_ERR_NO_MEMORY, HR_ERR_INVALID
 * Threads: any; one data set may be read by many. Fork: works in the child (reads are positioned
 * and take no lock).
 * @since 0.1
 */
HR_API HR_NODISCARD hr_status hr_dataset_open(const char *path, const hr_open_options *opts,
                                              hr_dataset **out, hr_error *err);

/**
 * Open several files as one data set: the samples of the first, then those of the second, and so
 * on. Chunks are mixed across all of them by loaders. Every file needs the same fields (names,
 * types, shapes, in the same order) and the same samples per chunk; how it is stored, its
 * statistics and attributes may differ. A file without samples is fine; a file may be given more
 * than once, and its samples then count as often. Each footer and index is read once; all indexes
 * together share the budget. Each file takes a descriptor until the data set is closed, and a
 * second one for as long as a loader reads directly.
 *
 * @param paths      num_paths paths, copied
 * @param num_paths  1 to 1,048,576
 * @param opts, out, err  as for hr_dataset_open()
 * @return as hr_dataset_open(), and HR_ERR_MISMATCH: the files do not fit together; the message
 *         names the file that differs from the first, and in what
 * Threads: any; one data set may be read by many. Fork: works in the child.
 * @since 0.1
 */
HR_API HR_NODISCARD hr_status hr_dataset_open_many(const char *const *paths, size_t num_paths,
                                                   const hr_open_options *opts, hr_dataset **out,
                                                   hr_error *err);

/**
 * Close a data set. NULL is fine. Every loader made from it must be closed before.
 * Threads: no other call may be in progress. Fork: in a child, frees only the child's memory.
 * @since 0.1
 */
HR_API void hr_dataset_close(hr_dataset *ds);

/** Number of samples. Does not block. Threads: any. Fork: works. @since 0.1 */
HR_API uint64_t hr_dataset_num_samples(const hr_dataset *ds);

/** Number of fields, at least 1. Does not block. Threads: any. Fork: works. @since 0.1 */
HR_API uint32_t hr_dataset_num_fields(const hr_dataset *ds);

/**
 * Describe a field. Does not block.
 * @param index  0 .. num_fields - 1, in the order of the schema
 * @param out    filled on HR_OK; its pointers belong to the data set and live until it is closed
 * @return HR_OK, HR_ERR_INVALID
 * Threads: any. Fork: works. @since 0.1
 */
HR_API HR_NODISCARD hr_status hr_dataset_field(const hr_dataset *ds, uint32_t index, hr_field *out,
                                               hr_error *err);

/**
 * Index of a field by name. Does not block.
 * @return HR_OK, HR_ERR_NOT_FOUND (the message lists the fields), HR_ERR_INVALID
 * Threads: any. Fork: works. @since 0.1
 */
HR_API HR_NODISCARD hr_status hr_dataset_find_field(const hr_dataset *ds, const char *name,
                                                    uint32_t *out, hr_error *err);

/**
 * Decoded bytes of one sample of a field (UINT32_MAX: of all fields), values of variable length not
 * counted; 0 for no such field. Threads: any. Fork: works. @since 0.1
 */
HR_API uint64_t hr_dataset_sample_bytes(const hr_dataset *ds, uint32_t field);

/**
 * Statistics of a field, over all files that have samples; not valid where one of these has none.
 * Does not block.
 * @param out  struct_bytes set by the caller; the rest filled on HR_OK
 * @return HR_OK, HR_ERR_INVALID
 * Threads: any. Fork: works. @since 0.1
 */
HR_API HR_NODISCARD hr_status hr_dataset_statistics(const hr_dataset *ds, uint32_t field,
                                                    hr_statistics *out, hr_error *err);

/**
 * Lengths of the values of a field of variable length, over all files that have samples; not valid
 * for other fields, and where one of these files has none. Does not block.
 * @param out  struct_bytes set by the caller; the rest filled on HR_OK
 * @return HR_OK, HR_ERR_INVALID
 * Threads: any. Fork: works. @since 0.1
 */
HR_API HR_NODISCARD hr_status hr_dataset_length_statistics(const hr_dataset *ds, uint32_t field,
                                                           hr_length_statistics *out,
                                                           hr_error *err);

/** What a data set is made of. */
typedef struct hr_dataset_info {
    uint32_t struct_bytes;      /**< set by the caller */
    uint32_t samples_per_chunk; /**< S */
    uint8_t uuid[16];           /**< made when the file was made; kept by appends. Of several files:
                                 * what names them in their order (docs/order.md, 8) */
    uint64_t commit_seq;        /**< 1 for a new file, one more for each append; 0: several files */
    uint64_t num_samples;
    uint64_t num_chunks;
    uint64_t num_segments;
    uint64_t decoded_bytes;      /**< of all samples; values of variable length are counted by their
                                  * length statistics */
    uint64_t file_bytes;         /**< the committed size of all files */
    uint64_t dead_bytes;         /**< of file_bytes, no longer referred to */
    uint64_t max_chunk_bytes;    /**< largest stored chunk, in whole pages */
    uint64_t index_bytes;        /**< of the chunk index, in the files */
    uint64_t index_loaded_bytes; /**< of these, held in memory now */
    uint32_t num_files;
    uint32_t reserved; /**< 0 */
} hr_dataset_info;

/**
 * Describe the data set. Does not block.
 * @param out  struct_bytes set by the caller; the rest filled on HR_OK
 * @return HR_OK, HR_ERR_INVALID
 * Threads: any. Fork: works. @since 0.1
 */
HR_API HR_NODISCARD hr_status hr_dataset_describe(const hr_dataset *ds, hr_dataset_info *out,
                                                  hr_error *err);

/** One file of a data set. */
typedef struct hr_file_info {
    uint32_t struct_bytes; /**< set by the caller */
    uint32_t reserved;     /**< 0 */
    const char *path;      /**< belongs to the data set */
    uint8_t uuid[16];      /**< of this file */
    uint64_t commit_seq;
    uint64_t first_sample; /**< in the data set: the samples of all files before it */
    uint64_t num_samples;
    uint64_t num_chunks;
    uint64_t num_segments;
    uint64_t file_bytes; /**< the committed size */
    uint64_t dead_bytes;
} hr_file_info;

/** Number of files, at least 1. Does not block. Threads: any. Fork: works. @since 0.1 */
HR_API uint32_t hr_dataset_num_files(const hr_dataset *ds);

/**
 * Describe one file. Does not block.
 * @param index  0 .. num_files - 1, in the order in which they were given
 * @param out    struct_bytes set by the caller; the rest filled on HR_OK
 * @return HR_OK, HR_ERR_INVALID
 * Threads: any. Fork: works. @since 0.1
 */
HR_API HR_NODISCARD hr_status hr_dataset_file(const hr_dataset *ds, uint32_t index,
                                              hr_file_info *out, hr_error *err);

/**
 * The footer's JSON: fields, codec choices with reasons, attributes, provenance, statistics (layout
 * in docs/format.md). Of several files that of the first; a file opened by itself has its own. Does
 * not block. Belongs to the data set until it is closed; ends with a zero.
 * Threads: any. Fork: works. @since 0.1
 */
HR_API const char *hr_dataset_json(const hr_dataset *ds);

/**
 * The path the data set was opened by, of several files the first. Belongs to the data set.
 * Threads: any. Fork: works. @since 0.1
 */
HR_API const char *hr_dataset_path(const hr_dataset *ds);

/**
 * Read samples first .. first + num_samples - 1 of one field. Blocks on I/O and decoding.
 *
 * @param dst        the caller's memory, C order, shape (num_samples, *field.shape)
 * @param dst_bytes  at least num_samples * hr_dataset_sample_bytes(ds, field)
 * @return HR_OK, HR_ERR_INVALID (a field of variable length, too), HR_ERR_IO, HR_ERR_CORRUPT (dst
 *         is then undefined), HR_ERR_UNSUPPORTED, HR_ERR_BUDGET, HR_ERR_NO_MEMORY
 * Threads: any, side by side. Fork: works.
 * @since 0.1
 */
HR_API HR_NODISCARD hr_status hr_dataset_read(hr_dataset *ds, uint32_t field, uint64_t first,
                                              uint64_t num_samples, void *dst, size_t dst_bytes,
                                              hr_error *err);

/**
 * Read any samples of one field, in any order, with repeats; each chunk is read once.
 *
 * @param indices    num_indices sample indices, each below hr_dataset_num_samples()
 * @param dst        the caller's memory, C order, shape (num_indices, *field.shape)
 * @param dst_bytes  at least num_indices * hr_dataset_sample_bytes(ds, field)
 * @return as hr_dataset_read()
 * Threads: any, side by side. Fork: works.
 * @since 0.1
 */
HR_API HR_NODISCARD hr_status hr_dataset_gather(hr_dataset *ds, uint32_t field,
                                                const uint64_t *indices, size_t num_indices,
                                                void *dst, size_t dst_bytes, hr_error *err);

/**
 * Read samples first .. first + num_samples - 1 of one field of variable length. Blocks on I/O and
 * decoding. To learn how much room they need, call it with values NULL first: that reads the
 * lengths only.
 *
 * @param offsets         num_samples + 1 entries of the caller's: value i is
 *                        values[offsets[i]] .. values[offsets[i + 1] - 1]; offsets[0] is 0
 * @param values          the caller's memory, or NULL: only offsets and values_bytes are wanted
 * @param capacity_bytes  of it
 * @param values_bytes    set to what all values take, like the offsets also where capacity_bytes
 *                        are too few
 * @return HR_OK, HR_ERR_INVALID (capacity_bytes are too few, a field of fixed size), HR_ERR_IO,
 *         HR_ERR_CORRUPT (values are then undefined), HR_ERR_UNSUPPORTED, HR_ERR_BUDGET,
 *         HR_ERR_NO_MEMORY
 * Threads: any, side by side. Fork: works.
 * @since 0.1
 */
HR_API HR_NODISCARD hr_status hr_dataset_read_values(hr_dataset *ds, uint32_t field, uint64_t first,
                                                     uint64_t num_samples, int64_t *offsets,
                                                     void *values, uint64_t capacity_bytes,
                                                     uint64_t *values_bytes, hr_error *err);

/**
 * Read any samples of one field of variable length, in any order, with repeats; their values lie
 * one after the other in the order of the indices.
 *
 * @param indices  num_indices sample indices, each below hr_dataset_num_samples()
 * @param offsets  num_indices + 1 entries of the caller's
 * @param values, capacity_bytes, values_bytes  as for hr_dataset_read_values()
 * @return as hr_dataset_read_values()
 * Threads: any, side by side. Fork: works.
 * @since 0.1
 */
HR_API HR_NODISCARD hr_status hr_dataset_gather_values(hr_dataset *ds, uint32_t field,
                                                       const uint64_t *indices, size_t num_indices,
                                                       int64_t *offsets, void *values,
                                                       uint64_t capacity_bytes,
                                                       uint64_t *values_bytes, hr_error *err);

/** One damaged place, as hr_dataset_verify() names it. Pointers are valid during the call only. */
typedef struct hr_damage {
    const char *what;      /**< "superblock slot 1", "chunk 17, field x", ... */
    const char *detail;    /**< found and expected */
    uint64_t file_off;     /**< in bytes; UINT64_MAX where it is no single place */
    uint64_t chunk;        /**< UINT64_MAX where it is no chunk */
    uint32_t field;        /**< UINT32_MAX where it is no single field */
    uint64_t first_sample; /**< samples that are lost; num_samples = 0: none */
    uint64_t num_samples;
} hr_damage;

/** Callbacks and options of hr_dataset_verify(). Zero means default. The callbacks run on the
 * threads that verify, under a lock: they must not call the library, nor block for long. */
typedef struct hr_verify_options {
    uint32_t struct_bytes;
    uint32_t flags;                                         /**< none defined: 0 */
    uint32_t num_threads;                                   /**< 0: one per core; at most 256 */
    uint32_t reserved;                                      /**< 0 */
    uint64_t budget_bytes;                                  /**< 0: default */
    void *user;                                             /**< handed to the callbacks */
    void (*on_damage)(void *user, const hr_damage *damage); /**< one call at a time; may be NULL */
    /** Bytes done and in all; non-zero stops with HR_ERR_CANCELLED. One call at a time; may be
     * NULL. */
    int (*on_progress)(void *user, uint64_t done_bytes, uint64_t total_bytes);
} hr_verify_options;
#define HR_VERIFY_OPTIONS_INIT                                                                     \
    { sizeof(hr_verify_options), 0, 0, 0, 0, NULL, NULL, NULL }

/**
 * Read and check every byte of a file: both superblocks, job record, padding, every frame of every
 * chunk (decoded), footer and index. Blocks; starts and joins its own threads. Goes on after
 * damage.
 *
 * @param path  of the file
 * @param opts  NULL for defaults
 * @return HR_OK: everything is whole; HR_ERR_CORRUPT: damage (a file that does not begin as a data
 *         set, too), or a place that cannot be read, was found and reported; HR_ERR_CANCELLED; or
 *         as hr_dataset_open().
 * Threads: any. Fork: works. @since 0.1
 */
HR_API HR_NODISCARD hr_status hr_dataset_verify(const char *path, const hr_verify_options *opts,
                                                hr_error *err);

#ifdef __cplusplus
}
#endif
#endif
