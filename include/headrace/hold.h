/*
 * Batches that outlive the loop they came from: for language bindings, whose arrays live until they
 * are collected.
 */
#ifndef HEADRACE_HOLD_H
#define HEADRACE_HOLD_H

#include "loader.h"

#ifdef __cplusplus
extern "C" {
#endif

/**
 * Hold a batch once more: its memory is not used again before hr_batch_let_go() was called as often
 * as this, also when hr_batch_release() and hr_loader_close() come first. Until then it counts
 * among those that are held (max_held_batches). Memory of a closed loader that no batch lies in
 * goes back to the system at once, and is no longer in use (hr_memory_in_use()). Does not block.
 *
 * On a GPU, hr_batch_let_go() is as hr_batch_release(): the caller has waited for its work.
 *
 * @return HR_OK, HR_ERR_INVALID (nobody holds the batch any more), HR_ERR_FORKED
 * Threads: any. Fork: HR_ERR_FORKED in a child. @since 0.1
 */
HR_API HR_NODISCARD hr_status hr_batch_hold(hr_batch *batch, hr_error *err);

/**
 * Hold it no more; NULL is fine. After hr_loader_close() this is the only call that a batch may be
 * given to; the last one frees the memory.
 * Threads: any, also while hr_loader_close() runs in another. Fork: does nothing in a child.
 * @since 0.1
 */
HR_API void hr_batch_let_go(hr_batch *batch);

/** A batch as hr_loader_take() hands it over. */
typedef struct hr_taken_batch {
    uint32_t struct_bytes; /**< set by the caller */
    uint32_t num_data;     /**< set by the caller: entries of data */
    void **data;           /**< the caller's, or NULL: filled with hr_batch_data() of the first
                            * num_data fields */
    hr_batch *batch;       /**< NULL: there is none */
    uint64_t epoch;        /**< hr_batch_epoch() */
    uint64_t number;       /**< hr_batch_number() */
    uint32_t num_samples;  /**< hr_batch_num_samples() */
    uint32_t num_padding;  /**< hr_batch_num_padding() */
    uint32_t num_held;     /**< batches of the loader that are held now, this one included; at
                            * max_held_batches the next call is refused until one goes */
    uint32_t reserved;     /**< 0 */
} hr_taken_batch;

/**
 * The next batch, held, with what is asked of nearly every batch: in one call hr_loader_next(),
 * hr_batch_hold() and hr_batch_release().
 *
 * @param timeout_ns  as for hr_loader_next()
 * @param out         struct_bytes, num_data and data set by the caller; the rest filled on HR_OK.
 *                    The batch is given back by hr_batch_let_go(); on failure batch is NULL, but
 *                    for a wrong struct_bytes, which leaves all as it was
 * @return as hr_loader_next(), and HR_ERR_INVALID (struct_bytes is wrong)
 * Threads: any, one call at a time is served. Fork: HR_ERR_FORKED in a child. @since 0.1
 */
HR_API HR_NODISCARD hr_status hr_loader_take(hr_loader *loader, int64_t timeout_ns,
                                             hr_taken_batch *out, hr_error *err);

#ifdef __cplusplus
}
#endif
#endif
