/*
 * Salvaging: what is whole of a damaged or unfinished file becomes a new data set.
 */
#ifndef HEADRACE_SALVAGE_H
#define HEADRACE_SALVAGE_H

#include "convert.h"

#ifdef __cplusplus
extern "C" {
#endif

/** Bits of hr_salvage_options.flags. Unknown bits are refused. */
#define HR_SALVAGE_REPLACE        1u /**< replace an existing output */
#define HR_SALVAGE_NO_SPACE_CHECK 2u /**< do not check free disk space first */

/** Samples that are lost, as numbered in the damaged file. Pointers are valid during the call only.
 */
typedef struct hr_lost {
    uint64_t first_chunk;
    uint64_t num_chunks;
    uint64_t first_sample;
    uint64_t num_samples;
    const char *const *fields; /**< num_fields names: those found damaged; none: the whole chunk */
    uint32_t num_fields;
    uint32_t reserved;  /**< 0 */
    const char *reason; /**< found and expected */
} hr_lost;

/** Options of hr_salvage(). Zero means default. */
typedef struct hr_salvage_options {
    uint32_t struct_bytes;
    uint32_t flags;
    const char *path;      /**< the damaged file, or what an interrupted writer left (.partial) */
    const char *output;    /**< the .hrd file to make */
    uint64_t budget_bytes; /**< 0: default */
    void *user;            /**< handed to the callbacks, which run on the calling thread */
    /** One call for each chunk, or run of chunks, that is lost, in ascending order. May be NULL. */
    void (*on_lost)(void *user, const hr_lost *lost);
    /** Bytes of the damaged file looked at; total_samples is 0 where it is not known. About ten
     * times a second; non-zero stops with HR_ERR_CANCELLED. May be NULL. */
    int (*on_progress)(void *user, const hr_progress *progress);
    /** A line for people. May be NULL. */
    void (*on_note)(void *user, const char *line);
} hr_salvage_options;
#define HR_SALVAGE_OPTIONS_INIT                                                                    \
    { sizeof(hr_salvage_options), 0, NULL, NULL, 0, NULL, NULL, NULL, NULL }

/** What a salvage saved. */
typedef struct hr_salvage_result {
    uint32_t struct_bytes; /**< set by the caller */
    /** 1: the footer is whole, so all that is lost is known. 0: it is not there, and what followed
     * the last chunk that was found, if anything, is not known; a lost chunk is counted as full. */
    uint32_t end_known;
    uint64_t num_samples; /**< saved */
    uint64_t num_chunks;
    uint64_t num_segments;
    uint64_t lost_samples;
    uint64_t lost_chunks;  /**< of which nothing, or not all, was saved */
    uint64_t stored_bytes; /**< of the new file */
    int64_t elapsed_ns;
} hr_salvage_result;

/**
 * Save what is whole: every chunk whose header is right and whose frames all have the right hash
 * and decode becomes a chunk of a new data set, byte for byte, in the order of the old one. A chunk
 * of which one field is damaged is lost for all fields. Statistics are computed again; the
 * provenance says which samples are missing. Chunks are found by the index; where footer or index
 * are damaged or not there, by looking at every page. What the fields are must be known: from the
 * footer, or from the job record near the beginning of the file. The damaged file is only read.
 * Blocks; starts no thread.
 *
 * @param result  NULL, or struct_bytes set by the caller and filled on HR_OK
 * @return HR_OK: the new data set is complete, and result says what is lost; HR_ERR_CORRUPT: what
 *         the fields are is not known, or no chunk is whole; HR_ERR_UNSUPPORTED (a file of a newer
 *         version), HR_ERR_INVALID, HR_ERR_NOT_FOUND, HR_ERR_EXISTS, HR_ERR_BUSY, HR_ERR_CANCELLED,
 *         HR_ERR_UNCERTAIN, HR_ERR_NO_SPACE, HR_ERR_IO, HR_ERR_BUDGET, HR_ERR_NO_MEMORY. But for
 *         HR_ERR_UNCERTAIN, and where the output's name was taken meanwhile, nothing is left then
 * Threads: any. Fork: works in a child. @since 0.1
 */
HR_API HR_NODISCARD hr_status hr_salvage(const hr_salvage_options *opts, hr_salvage_result *result,
                                         hr_error *err);

#ifdef __cplusplus
}
#endif
#endif
