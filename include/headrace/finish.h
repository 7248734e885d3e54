/*
 * Finishing: what is done to the values of a field on their way into a batch. The set is closed: a
 * cast, a scale and a shift for each channel, the channels moved to the front; and a count of the
 * values that are no finite numbers. A loader's options name the fields (loader.h).
 *
 * Every device gives the same bits:
 *
 *   y = x * scale[c] + shift[c]
 *
 * x is the stored value as float32: exact, but for float64, which is rounded. The product is
 * rounded to float32, then the sum is; no fused multiply-add. The sum is converted to the type
 * asked for. Each rounding is to the nearest, ties to even; what is too large becomes an infinity,
 * and subnormal numbers are kept. A NaN is delivered as the quiet one with a clear sign and no
 * payload. Without scale the product is left out, without shift the sum. Where the type stays as
 * stored and there is neither, bits are moved as they are.
 */
#ifndef HEADRACE_FINISH_H
#define HEADRACE_FINISH_H

#include "types.h"

#ifdef __cplusplus
extern "C" {
#endif

/** Bits of hr_finish.flags. Unknown bits are refused. */
#define HR_FINISH_CHW 1u /**< samples of shape (H, W, C) come as (C, H, W) */
#define HR_FINISH_STANDARDIZE                                                                      \
    2u /**< to mean 0 and standard deviation 1, by the field's statistics */
#define HR_FINISH_CHECK_FINITE 4u /**< count NaN and infinities among the values delivered */

/**
 * Finishing of one field. All memory is the caller's, and copied by hr_loader_open().
 *
 * dtype: HR_FLOAT16, HR_BFLOAT16 or HR_FLOAT32, from fields of uint8, int16, float16, float32 or
 * float64; or 0, or the field's own type: as stored.
 *
 * Channels are the last axis of a stored sample. The statistics in a file are those of a whole
 * field, not of each channel: so HR_FINISH_STANDARDIZE uses one scale, 1 / std, and one shift,
 * -mean / std, for all of them, each rounded to float32. scale and shift need a type of the three
 * above.
 *
 * HR_FINISH_CHW moves elements of 1, 2, 4 or 8 bytes, whatever they are.
 * HR_FINISH_CHECK_FINITE is for fields that are delivered as floating-point numbers, and also
 * alone: then they are delivered from where they lie.
 */
typedef struct hr_finish {
    uint32_t struct_bytes;
    uint32_t flags;
    const char *field;     /**< a field that the loader delivers */
    hr_dtype dtype;        /**< to deliver; 0: as stored */
    uint32_t num_channels; /**< entries of scale and of shift: 1 for all channels alike, or the
                            * length of the last axis; 0 where both are NULL */
    const float *scale;    /**< NULL: not multiplied; all finite */
    const float *shift;    /**< NULL: not added; all finite */
} hr_finish;
#define HR_FINISH_INIT                                                                             \
    { sizeof(hr_finish), 0, NULL, (hr_dtype)0, 0, NULL, NULL }

/** Values that are no finite numbers, counted as they are delivered: an overflow of the cast too.
 */
typedef struct hr_bad_values {
    uint32_t struct_bytes; /**< set by the caller */
    uint32_t checked;      /**< 1: the figures are valid */
    uint64_t num_nan;
    uint64_t num_inf;
    uint64_t first_epoch;  /**< where the first of them is: of the batch, */
    uint64_t first_batch;  /**< its number in that epoch, */
    uint32_t first_row;    /**< the row in it, */
    uint32_t reserved;     /**< 0 */
    uint64_t first_sample; /**< and the sample's index in the data set; UINT64_MAX: there is none */
} hr_bad_values;

#ifdef __cplusplus
}
#endif
#endif
