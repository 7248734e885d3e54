/*
 * Comparing arrays, wherever they lie: are they equal bit for bit, and if not, where?
 */
#ifndef HEADRACE_COMPARE_H
#define HEADRACE_COMPARE_H

#include "convert.h"
#include "types.h"

#ifdef __cplusplus
extern "C" {
#endif

/** Bits of hr_compared_field.differs. 0: the fields are equal. */
#define HR_DIFFERS_VALUES  1u  /**< some elements are not the same bits */
#define HR_DIFFERS_DTYPE   2u  /**< or their width; the values were not compared */
#define HR_DIFFERS_SHAPE   4u  /**< of one sample; the values were not compared */
#define HR_DIFFERS_SAMPLES 8u  /**< one has more; those that both have were compared */
#define HR_DIFFERS_ONLY_A  16u /**< there is no such field in b */
#define HR_DIFFERS_ONLY_B  32u /**< there is no such field in a */

/** Most bytes that are kept of an element that differs. */
#define HR_DIFFERENCE_BYTES 64

/** One element that differs. */
typedef struct hr_difference {
    uint64_t sample;
    uint64_t element;               /**< in the sample, in C order; 0: of variable length */
    uint64_t first_byte;            /**< of the element, in a and b: 0 unless it is longer */
    uint32_t a_bytes, b_bytes;      /**< how many are in a and b */
    uint8_t a[HR_DIFFERENCE_BYTES]; /**< canonical form: little-endian */
    uint8_t b[HR_DIFFERENCE_BYTES];
} hr_difference;

/** What was found of one field. All pointers are valid during the call only. */
typedef struct hr_compared_field {
    uint32_t differs; /**< HR_DIFFERS_... */
    uint32_t num_differences;
    const hr_field *a; /**< NULL: there is none. Its attributes are not compared */
    const hr_field *b; /**< likewise */
    uint64_t num_samples_a, num_samples_b;
    uint64_t compared_samples;
    uint64_t num_elements;            /**< compared: a complex number, a text, and a value of
                                       * variable length are one each */
    uint64_t num_different;           /**< of them */
    const hr_difference *differences; /**< the first ones, in the order of the samples */
} hr_compared_field;

/** Options of hr_compare(). Zero means default. */
typedef struct hr_compare_options {
    uint32_t struct_bytes;
    uint32_t flags;            /**< HR_CONVERT_FOLLOW_EXTERNAL */
    const char *a;             /**< a .hrd file, or what hr_convert() takes as an input */
    const char *b;             /**< likewise */
    const char *const *fields; /**< names; NULL, or num_fields 0: all */
    uint32_t num_fields;
    uint32_t num_threads;      /**< 0: one per core; at most 16 are used */
    uint32_t num_helpers;      /**< for one HDF5 file, at most 16 are used; 0: as many as threads */
    uint32_t max_differences;  /**< told of each field; 0: 10; at most 4,096 */
    uint64_t budget_bytes;     /**< 0: default */
    int64_t helper_timeout_ns; /**< longest silence of a helper; 0: 60 s */
    uint64_t
        helper_memory_bytes; /**< address space of a helper; 0: what it is to hold and 512 MiB */
    void *user;              /**< handed to the callbacks */
    /** Called about ten times a second on the calling thread; non-zero stops with
     * HR_ERR_CANCELLED. May be NULL. */
    int (*on_progress)(void *user, const hr_progress *progress);
    /** Called once for each field, on the calling thread: those of a in their order, then those
     * that only b has. May be NULL. */
    void (*on_field)(void *user, const hr_compared_field *field);
} hr_compare_options;
#define HR_COMPARE_OPTIONS_INIT                                                                    \
    { sizeof(hr_compare_options), 0, NULL, NULL, NULL, 0, 0, 0, 0, 0, 0, 0, NULL, NULL, NULL }

/** What a comparison found. */
typedef struct hr_compare_result {
    uint32_t struct_bytes;  /**< set by the caller */
    uint32_t equal;         /**< 1: all fields are, and both have the same ones */
    uint32_t num_fields;    /**< looked at: pairs, and those that have no counterpart */
    uint32_t num_different; /**< of these */
    uint64_t compared_bytes;
    int64_t elapsed_ns;
} hr_compare_result;

/**
 * Compare two sets of arrays bit for bit, in the canonical form that a .hrd file has them in: byte
 * order and NumPy's four bytes for each character do not count, every bit of a NaN does, and so
 * does the sign of a zero. Fields belong together by name; two sides of one array each are
 * compared whatever their names are. A sparse matrix in an HDF5 file is compared as dense rows, or,
 * where the .hrd file on the other side was made with HR_SPARSE_VARLEN, as its two fields. Memory
 * is bounded by the budget, however large the arrays are. Blocks; starts and joins its own threads
 * and helper processes.
 *
 * @param result  struct_bytes set by the caller; the rest filled on HR_OK
 * @return HR_OK, whether they are equal or not; HR_ERR_INVALID, HR_ERR_NOT_FOUND (a file, or a
 *         field that neither has), HR_ERR_IO, HR_ERR_CORRUPT, HR_ERR_UNSUPPORTED, HR_ERR_DATA,
 *         HR_ERR_HELPER, HR_ERR_BUDGET, HR_ERR_NO_MEMORY, HR_ERR_CANCELLED
 * Threads: any. Fork: works in a child. @since 0.1
 */
HR_API HR_NODISCARD hr_status hr_compare(const hr_compare_options *opts, hr_compare_result *result,
                                         hr_error *err);

#ifdef __cplusplus
}
#endif
#endif
