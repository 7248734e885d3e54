/*
 * Joining: data sets that several processes or machines wrote become one file, by copying their
 * chunks.
 */
#ifndef HEADRACE_JOIN_H
#define HEADRACE_JOIN_H

#include "convert.h"

#ifdef __cplusplus
extern "C" {
#endif

/** Bits of hr_join_options.flags. Unknown bits are refused. */
#define HR_JOIN_REPLACE        1u /**< replace an existing output */
#define HR_JOIN_RESUME         2u /**< go on with an interrupted join of the same parts */
#define HR_JOIN_NO_SPACE_CHECK 4u /**< do not check free disk space first */
/** Where attributes differ, those of the first part are taken for all; without it, that is refused.
 */
#define HR_JOIN_FIRST_ATTRIBUTES 8u

/** Options of hr_join(). Zero means default. */
typedef struct hr_join_options {
    uint32_t struct_bytes;
    uint32_t flags;
    /** Files, folders (their .hrd files), or patterns, in the order of the samples; the files of a
     * folder or pattern in natural order (part-2 before part-10). */
    const char *const *parts;
    uint32_t num_parts;
    uint32_t num_threads;  /**< 0: one per core; at most 8 are used */
    const char *output;    /**< the .hrd file */
    uint64_t budget_bytes; /**< 0: default */
    void *user;            /**< handed to the callbacks */
    /** Called about ten times a second on the calling thread; the bytes are those stored. Non-zero
     * stops with HR_ERR_CANCELLED. May be NULL. */
    int (*on_progress)(void *user, const hr_progress *progress);
    /** A line for people. May be NULL. */
    void (*on_note)(void *user, const char *line);
} hr_join_options;
#define HR_JOIN_OPTIONS_INIT                                                                       \
    { sizeof(hr_join_options), 0, NULL, 0, 0, NULL, 0, NULL, NULL, NULL }

/** What a join did. */
typedef struct hr_join_result {
    uint32_t struct_bytes; /**< set by the caller */
    uint32_t num_parts;    /**< files */
    uint64_t num_samples;
    uint64_t num_chunks;
    uint64_t num_segments;
    uint64_t resumed_samples; /**< kept from an interrupted join */
    uint64_t stored_bytes;    /**< of the new file */
    int64_t elapsed_ns;
} hr_join_result;

/**
 * Join. The samples of the first part, then those of the second, and so on, become one new file.
 * Chunks are copied, never decoded: each gets a new header, its frames stay as they are, and their
 * hashes are checked. Every part needs the same fields (names, types, shapes, in the same order),
 * the same samples per chunk, and, but with HR_JOIN_FIRST_ATTRIBUTES, equal attributes; a part
 * without samples is fine. Statistics are merged; the provenance lists the parts' sources. Parts
 * are only read. Blocks; starts and joins its own threads; each part takes a descriptor.
 *
 * On failure the target is as it was; an interrupted job leaves OUTPUT.partial for HR_JOIN_RESUME.
 *
 * @param result  NULL, or struct_bytes set by the caller and filled on HR_OK
 * @return HR_OK; HR_ERR_MISMATCH (a part does not fit the first, in what; or what is to be resumed
 *         is another job); HR_ERR_CORRUPT (a part is damaged: which, the chunk and field);
 *         HR_ERR_NOT_DATASET (a part does not begin as a data set);
 *         HR_ERR_INVALID (a part given twice, the output is a part); HR_ERR_NOT_FOUND,
 *         HR_ERR_EXISTS, HR_ERR_BUSY, HR_ERR_CANCELLED, HR_ERR_UNCERTAIN, HR_ERR_NO_SPACE,
 *         HR_ERR_IO, HR_ERR_UNSUPPORTED, HR_ERR_BUDGET, HR_ERR_NO_MEMORY
 * Threads: any. Fork: works in a child. @since 0.1
 */
HR_API HR_NODISCARD hr_status hr_join(const hr_join_options *opts, hr_join_result *result,
                                      hr_error *err);

#ifdef __cplusplus
}
#endif
#endif
