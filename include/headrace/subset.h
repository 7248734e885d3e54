/*
 * Subsets of a data set, and splits into them: parts that loaders deliver without a copy of the
 * data (docs/order.md, 9 and 10).
 */
#ifndef HEADRACE_SUBSET_H
#define HEADRACE_SUBSET_H

#include "dataset.h"

#ifdef __cplusplus
extern "C" {
#endif

/**
 * Some samples of one data set, each at most once. It never changes, and keeps no pointer to the
 * data set. A range takes no memory; other subsets take at most a bit, and a sixty-fourth of a bit,
 * for each sample of the data set, or 8 bytes for each sample of theirs where that is less. What
 * they take counts for hr_memory_set_cap(), and as part of the budget of every loader that delivers
 * them.
 */
typedef struct hr_subset hr_subset;

/**
 * The samples first, first + step, first + 2 * step, ... below end. Does not block.
 *
 * @param end   at most the number of samples; UINT64_MAX: that
 * @param step  1 or more
 * @param out   the subset on HR_OK, else NULL; release with hr_subset_free()
 * @return HR_OK, HR_ERR_INVALID (no sample would be in it, too), HR_ERR_NO_MEMORY
 * Threads: any. Fork: works.
 * @since 0.1
 */
HR_API HR_NODISCARD hr_status hr_subset_from_range(const hr_dataset *ds, uint64_t first,
                                                   uint64_t end, uint64_t step, hr_subset **out,
                                                   hr_error *err);

/**
 * The samples of a list. Does not block; takes a few ns for each.
 *
 * @param indices      num_indices, at least one, in ascending order, none twice; to mix them is for
 *                     the loader. They are copied.
 * @param out          as above
 * @return HR_OK, HR_ERR_INVALID (the message names the entry that is out of bounds or of order),
 *         HR_ERR_BUDGET (the process-wide cap), HR_ERR_NO_MEMORY
 * Threads: any. Fork: works.
 * @since 0.1
 */
HR_API HR_NODISCARD hr_status hr_subset_from_indices(const hr_dataset *ds, const uint64_t *indices,
                                                     uint64_t num_indices, hr_subset **out,
                                                     hr_error *err);

/**
 * The samples of a list in a .npy file: one dimension of int64 or uint64, else as above. `headrace
 * split` writes such files, and numpy.save(). Reads it once, in blocks, without holding it; blocks
 * meanwhile.
 *
 * @param out  as above
 * @return as hr_subset_from_indices(); or HR_ERR_NOT_FOUND, HR_ERR_IO, HR_ERR_CORRUPT (cut off, or
 *         no .npy file), HR_ERR_UNSUPPORTED (another type or shape)
 * Threads: any. Fork: works.
 * @since 0.1
 */
HR_API HR_NODISCARD hr_status hr_subset_from_npy(const hr_dataset *ds, const char *path,
                                                 hr_subset **out, hr_error *err);

/** Bits of hr_split_options.flags. Unknown bits are refused. */
#define HR_SPLIT_CONTIGUOUS 1u /**< parts are ranges in the order of the data set, not drawn */

/** Options of hr_split(). Zero means default. */
typedef struct hr_split_options {
    uint32_t struct_bytes;
    uint32_t flags;
    uint64_t seed;              /**< of the draw; 0 is as good as any */
    const double *fractions;    /**< num_fractions, each above 0, together at most 1; to nine
                                 * places. Where they are less than 1, some samples are in no
                                 * part */
    uint32_t num_fractions;     /**< parts: 1 to 256 */
    uint32_t reserved;          /**< 0 */
    const char *stratify_field; /**< a field of labels, or NULL: of each of its values, every part
                                 * gets its share */
    uint64_t budget_bytes;      /**< for parts and labels together; 0: see hr_default_budget() */
} hr_split_options;
#define HR_SPLIT_OPTIONS_INIT                                                                      \
    { sizeof(hr_split_options), 0, 0, NULL, 0, 0, NULL, 0 }

/**
 * Divide a data set into parts: disjoint, of exactly the sizes that the fractions say (largest
 * remainders), drawn by a seed, the same on every machine and for ever (split/1, docs/order.md).
 * A stratified split reads the labels twice, by threads of its own, which are joined before it
 * returns; others do not read. Blocks: some 10 ns for each sample and part.
 *
 * Labels are integers, bool, or fixed bytes or text of at most 256 bytes, one a sample, with at
 * most 65,536 different values. Of each value, a part gets its share but for less than one sample
 * where there are two parts, and less than j + 1 in part j of more.
 *
 * @param opts   fractions are required
 * @param parts  num_fractions entries: the parts on HR_OK, else NULL; each to be released with
 *               hr_subset_free(). A fraction too small for a single sample is refused.
 * @return HR_OK, HR_ERR_INVALID, HR_ERR_NOT_FOUND (no such field), HR_ERR_UNSUPPORTED (labels of
 *         variable length), HR_ERR_BUDGET, HR_ERR_NO_MEMORY, HR_ERR_IO, HR_ERR_CORRUPT
 * Threads: any. Fork: works.
 * @since 0.1
 */
HR_API HR_NODISCARD hr_status hr_split(hr_dataset *ds, const hr_split_options *opts,
                                       hr_subset **parts, hr_error *err);

/** Number of samples, at least 1. Does not block. Threads: any. Fork: works. @since 0.1 */
HR_API uint64_t hr_subset_num_samples(const hr_subset *subset);

/**
 * Indices of the samples number first .. first + count - 1 of the subset, ascending. Does not
 * block.
 *
 * @param out  count entries of the caller's
 * @return HR_OK, HR_ERR_INVALID (there are not so many)
 * Threads: any. Fork: works.
 * @since 0.1
 */
HR_API HR_NODISCARD hr_status hr_subset_indices(const hr_subset *subset, uint64_t first,
                                                uint64_t count, uint64_t *out, hr_error *err);

/**
 * Release a subset. NULL is fine. Loaders that were opened with it go on: they hold it until they
 * are closed.
 * Threads: any. Fork: frees the child's copy. @since 0.1
 */
HR_API void hr_subset_free(hr_subset *subset);

#ifdef __cplusplus
}
#endif
#endif
