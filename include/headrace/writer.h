/*
 * Writers: rows of all fields become one .hrd file.
 */
#ifndef HEADRACE_WRITER_H
#define HEADRACE_WRITER_H

#include "types.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct hr_writer hr_writer;

/**
 * Values of a field of variable length for some samples, as Arrow lays them out: value i is
 * values[offsets[i]] .. values[offsets[i + 1] - 1]. The first offset need not be 0, so that a part
 * of a longer column can be given.
 */
typedef struct hr_varlen_column {
    const int64_t *offsets; /**< num_samples + 1, ascending, from 0 on; in bytes */
    const void *values;     /**< may be NULL where there are no bytes */
    uint64_t values_bytes;  /**< that may be read there: no offset is larger */
} hr_varlen_column;

/** What codec and filter to use. The numbers are frozen. */
typedef enum hr_codec { HR_CODEC_AUTO = 0, HR_CODEC_RAW = 1, HR_CODEC_ZSTD = 2 } hr_codec;
/** The filters are those of docs/format.md, 6.3; at what distance a delta is taken is always tried.
 */
typedef enum hr_filter {
    HR_FILTER_AUTO = 0,
    HR_FILTER_NONE = 1,
    HR_FILTER_BYTE_SHUFFLE = 2,
    HR_FILTER_BIT_SHUFFLE = 3,
    HR_FILTER_DELTA = 4,
    HR_FILTER_DELTA_BYTE_SHUFFLE = 5,
    HR_FILTER_DELTA_BIT_SHUFFLE = 6
} hr_filter;

/** What the choice of codec, level and filter is for (docs/convert.md). The numbers are frozen. */
typedef enum hr_optimize {
    HR_OPTIMIZE_SPEED = 0,    /**< fastest delivery */
    HR_OPTIMIZE_BALANCED = 1, /**< least product of time to deliver and size */
    HR_OPTIMIZE_SIZE = 2      /**< smallest file, however long compressing takes */
} hr_optimize;

/** Bits of hr_writer_options.flags. Unknown bits are refused. */
#define HR_WRITER_REPLACE 1u /**< an existing target is replaced at commit */
#define HR_WRITER_RESUME  2u /**< go on with TARGET.partial where there is one of this very job */
#define HR_WRITER_APPEND  4u /**< the target is there, and samples are put behind its own */

/** Where the data came from; kept in the file, and compared when a job is resumed. */
typedef struct hr_source_fingerprint {
    const char *path;
    uint64_t size_bytes;
    int64_t mtime_ns;
} hr_source_fingerprint;

/** Options of hr_writer_open(). Zero means default. */
typedef struct hr_writer_options {
    uint32_t struct_bytes;
    uint32_t flags;
    uint64_t budget_bytes;      /**< 0: default, see hr_default_budget() */
    uint32_t num_threads;       /**< compression workers, at most 1,024; 0: one per core */
    uint32_t samples_per_chunk; /**< 0: from chunk_bytes, for values of variable length as soon as
                                 * the first 4 x chunk_bytes or 65,536 samples are there; else
                                 * 1..65,536 */
    uint64_t chunk_bytes;       /**< decoded; 0: 256 KiB */
    int32_t codec;  /**< hr_codec, for all fields; HR_CODEC_AUTO: tried on real chunks */
    int32_t filter; /**< hr_filter, for all fields; HR_FILTER_AUTO: tried */
    /** zstd's, -131072..22; 0: level 1 with HR_CODEC_ZSTD and HR_OPTIMIZE_SPEED, else tried */
    int32_t level;
    uint32_t num_sources;
    const hr_source_fingerprint *sources; /**< num_sources entries; copied */
    const char *attributes_json; /**< of the data set: a JSON object as text, or NULL; copied */
    /** A JSON object as text, or NULL; copied. Compared when a job is resumed, but for a "program"
     * in it. */
    const char *provenance_json;
    void *user; /**< handed to on_resume */
    /** Called during hr_writer_open() with HR_WRITER_RESUME, after each chunk that is kept, with
     * the samples kept so far; non-zero stops with HR_ERR_CANCELLED. May be NULL. */
    int (*on_resume)(void *user, uint64_t done_samples);
    int32_t optimize;          /**< hr_optimize: by what rule the trial chooses */
    uint32_t reserved;         /**< 0 */
    uint64_t disk_bytes_per_s; /**< of the disk that will be read from; 0: 10^9 */
} hr_writer_options;
#define HR_WRITER_OPTIONS_INIT                                                                     \
    { sizeof(hr_writer_options), 0, 0, 0, 0, 0, 0, 0, 0, 0, NULL, NULL, NULL, NULL, NULL, 0, 0, 0 }

/**
 * Begin a new file. Writes TARGET.partial beside the target, under a lock; the target itself
 * appears only at hr_writer_commit(). Starts num_threads threads, and
 * one more when the file outgrows the page cache. Blocks on I/O; with
 * HR_WRITER_RESUME until all chunks of the partial file are decoded (see on_resume).
 *
 * With HR_WRITER_APPEND samples are put behind those of a data set that is there, which is locked
 * until the writer is closed. `fields` are its own, in its order; attributes that are given must be
 * those of the file, which are kept; samples per chunk, codecs and filters are the file's, so that
 * chunk_bytes, codec, filter, level, optimize, disk_bytes_per_s and provenance_json stay unset.
 * `sources` are added to the file's. Until the commit the old data set is what everybody opens, and
 * readers go on with the commit that they opened, however often is appended. An interrupted append
 * leaves the old data set: do it again from its first sample.
 *
 * @param path    the target; copied
 * @param fields  num_fields descriptions; copied
 * @param opts    NULL for defaults
 * @param out     the writer on HR_OK, else NULL; release with hr_writer_close()
 * @return HR_OK, HR_ERR_INVALID, HR_ERR_EXISTS, HR_ERR_BUSY (another writer has it),
 *         HR_ERR_MISMATCH (resume: the partial file is of another job; append: the data set has
 *         other fields; the message says what differs), HR_ERR_NOT_FOUND,
 *         HR_ERR_NOT_DATASET and HR_ERR_CORRUPT (append), HR_ERR_UNSUPPORTED, HR_ERR_BUDGET,
 *         HR_ERR_NO_MEMORY, HR_ERR_NO_SPACE, HR_ERR_IO, HR_ERR_CANCELLED.
 * Threads: any. Fork: a writer belongs to the process that opened it.
 * @since 0.1
 */
HR_API HR_NODISCARD hr_status hr_writer_open(const char *path, const hr_field *fields,
                                             uint32_t num_fields, const hr_writer_options *opts,
                                             hr_writer **out, hr_error *err);

/**
 * Samples that the file holds so far: after a resume, those kept from the interrupted job, where
 * the caller goes on with the one after them; of an append, the old ones too.
 * Threads: that of append. Fork: works. @since 0.1
 */
HR_API uint64_t hr_writer_num_samples(const hr_writer *writer);

/**
 * Append samples: any number, all fields. Blocks while the compression workers are behind.
 *
 * @param columns  one pointer per field, in the order of open: num_samples samples each, C order;
 *                 of a field of variable length to an hr_varlen_column. The caller's; copied before
 *                 the call returns
 * @return HR_OK; HR_ERR_DATA (a bool that is neither 0 nor 1, text that is not UTF-8, a sequence
 *         that ends inside an element) and HR_ERR_INVALID (offsets that do not ascend, or lie
 *         outside the values): nothing of this call is written and the writer stays usable;
 *         HR_ERR_FORKED; or the first failure of the writer, which every later call repeats:
 *         HR_ERR_IO, HR_ERR_NO_SPACE, HR_ERR_NO_MEMORY, HR_ERR_BUDGET (values of variable length
 *         that make a chunk larger than the budget allows: the message says what to do)
 * Threads: one at a time. Fork: HR_ERR_FORKED in a child. @since 0.1
 */
HR_API HR_NODISCARD hr_status hr_writer_append(hr_writer *writer, uint64_t num_samples,
                                               const void *const *columns, hr_error *err);

/**
 * Finish: write what is left, the footer and the superblocks, each with fsync, and give the file
 * its name. Afterwards the writer can only be closed.
 *
 * Of an append, all samples are then there, or none of them is; without samples nothing is
 * written. Where more than half of the file is then no longer referred to, it is copied without
 * that, as TARGET.partial, and the copy takes its name: so a file, however often appended to, is at
 * most twice as large as it need be. Readers keep the old file. What hinders the copy (no room for
 * it, a folder that cannot be written to, another name of the file, an access control list, an
 * interrupted conversion under the name) is no failure: the file stays as it is.
 *
 * @return HR_OK; HR_ERR_EXISTS (somebody made the target meanwhile; the partial file is kept);
 *         HR_ERR_UNCERTAIN (an fsync failed, or of an append a superblock could not be written: the
 *         new data set may or may not be on disk; what was there before is whole); HR_ERR_BUSY (of
 *         an append: the data set was replaced meanwhile); else as append
 * Threads: one at a time. Fork: HR_ERR_FORKED in a child. @since 0.1
 */
HR_API HR_NODISCARD hr_status hr_writer_commit(hr_writer *writer, hr_error *err);

/**
 * Close; NULL is fine. Without a commit the partial file stays, to be resumed; of an append, the
 * data set stays as it was.
 * Threads: no other call may be in progress. Fork: does nothing in a child. @since 0.1
 */
HR_API void hr_writer_close(hr_writer *writer);

/** What a writer chose and did. */
typedef struct hr_writer_info {
    uint32_t struct_bytes;      /**< set by the caller */
    uint32_t samples_per_chunk; /**< 0: not yet chosen (values of variable length) */
    uint64_t num_samples;
    uint64_t resumed_samples; /**< of these, kept from an interrupted job */
    uint64_t decoded_bytes;
    uint64_t stored_bytes; /**< of the file so far */
    uint64_t budget_bytes;
    uint64_t reserved_bytes;
    uint32_t codecs_chosen; /**< 1: trials are over, ratio is valid */
    double trial_ratio;     /**< decoded / stored of the chunks tried */
} hr_writer_info;

/**
 * Describe a writer. Does not block.
 * @return HR_OK, HR_ERR_INVALID, HR_ERR_FORKED
 * Threads: that of append. Fork: HR_ERR_FORKED in a child. @since 0.1
 */
HR_API HR_NODISCARD hr_status hr_writer_describe(hr_writer *writer, hr_writer_info *out,
                                                 hr_error *err);

#ifdef __cplusplus
}
#endif
#endif
