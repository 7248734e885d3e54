/*
 * Data types and the description of a field.
 */
#ifndef HEADRACE_TYPES_H
#define HEADRACE_TYPES_H

#include "status.h"

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Element types. The numbers are those of the file format and are frozen. */
typedef enum hr_dtype {
    HR_BOOL = 1, /**< one byte, 0 or 1 */
    HR_INT8 = 2,
    HR_INT16 = 3,
    HR_INT32 = 4,
    HR_INT64 = 5,
    HR_UINT8 = 6,
    HR_UINT16 = 7,
    HR_UINT32 = 8,
    HR_UINT64 = 9,
    HR_FLOAT16 = 10,
    HR_BFLOAT16 = 11,
    HR_FLOAT32 = 12,
    HR_FLOAT64 = 13,
    HR_COMPLEX64 = 14,   /**< two float32: real, imaginary */
    HR_COMPLEX128 = 15,  /**< two float64: real, imaginary */
    HR_FIXED_BYTES = 16, /**< width_bytes bytes, padded with zeros at the end */
    HR_FIXED_UTF8 = 17,  /**< UTF-8 in width_bytes bytes, padded with zeros at the end */
    HR_VAR_BYTES = 18, /**< any number of bytes in each sample, or a sequence: see element_dtype */
    HR_VAR_UTF8 = 19   /**< any number of bytes of UTF-8 in each sample */
} hr_dtype;

/** Most dimensions of one sample, and most bytes of a field's name. */
#define HR_MAX_RANK       32
#define HR_MAX_NAME_BYTES 255

/**
 * A field as a caller describes it to a writer, or as a data set describes it to a caller. All
 * memory in it is owned by whoever filled it: the caller, or the data set until it is closed.
 */
typedef struct hr_field {
    const char *name; /**< UTF-8, 1..255 bytes, no control characters, no '/' at either end */
    hr_dtype dtype;
    uint32_t width_bytes;  /**< of one element: given for HR_FIXED_*, else 0 when describing */
    uint32_t rank;         /**< dimensions of one sample, 0..HR_MAX_RANK; 0: a scalar per sample */
    const uint64_t *shape; /**< rank entries; any may be 0 */
    const char *attributes_json; /**< a JSON object as text, or NULL for none */
    hr_dtype element_dtype; /**< of a sequence (HR_VAR_BYTES): what its values consist of, a type of
                             * numbers; else 0 */
    uint32_t reserved32;    /**< 0 */
    uint64_t reserved[3];   /**< 0; what is added later goes here */
} hr_field;

/**
 * Name of a dtype as the format writes it: "float32", "fixed_utf8", ... NULL for no dtype.
 * Valid for ever.
 * Threads: any. Fork: works. @since 0.1
 */
HR_API const char *hr_dtype_name(hr_dtype dtype);

/**
 * The dtype of a name such as "float32".
 * @param out  set on HR_OK
 * @return HR_OK, HR_ERR_INVALID
 * Threads: any. Fork: works. @since 0.1
 */
HR_API HR_NODISCARD hr_status hr_dtype_from_name(const char *name, hr_dtype *out, hr_error *err);

/**
 * Bytes of one element; 0 for fixed-width types, whose width is the field's, and for variable ones.
 * Threads: any. Fork: works. @since 0.1
 */
HR_API uint32_t hr_dtype_bytes(hr_dtype dtype);

/**
 * Statistics of one field over all samples, computed at conversion. Floating-point figures are over
 * finite values; complex fields have counts only; fields of bytes or text have none (valid = 0).
 */
typedef struct hr_statistics {
    uint32_t struct_bytes; /**< set by the caller to sizeof(hr_statistics) */
    uint32_t valid;        /**< 1: counts are valid */
    uint32_t has_moments;  /**< 1: min, max, mean, std are valid (at least one finite value) */
    uint32_t has_labels;   /**< 1: integer or bool scalars per sample: the run figures are valid */
    uint64_t num_values;   /**< elements counted, NaN and Inf included */
    uint64_t num_zeros;    /**< elements equal to zero (both signs) */
    uint64_t num_nan;      /**< elements (complex: either part) that are NaN */
    uint64_t num_inf;      /**< elements that are infinite and not NaN */
    uint64_t first_nan_sample;    /**< UINT64_MAX: none */
    uint64_t first_inf_sample;    /**< UINT64_MAX: none */
    double min, max;              /**< of finite values; 64-bit integers are rounded to double */
    double mean, std;             /**< std is the population standard deviation */
    int64_t min_int, max_int;     /**< exact, for signed integers and bool */
    uint64_t min_uint, max_uint;  /**< exact, for unsigned integers */
    uint64_t longest_run_samples; /**< most equal values in a row */
    uint64_t num_runs;            /**< runs of equal values */
    uint64_t num_distinct;        /**< distinct values, at most 65,536 */
    uint32_t distinct_overflow;   /**< 1: there are more than 65,536 */
    uint32_t looks_sorted;        /**< 1: looks like labels sorted by class (see docs/format.md) */
} hr_statistics;

/** Lengths of the values of a field of variable length, in bytes, over all samples. */
typedef struct hr_length_statistics {
    uint32_t struct_bytes; /**< set by the caller to sizeof(hr_length_statistics) */
    uint32_t valid;        /**< 1: the figures are there */
    uint64_t num_values;   /**< one for each sample */
    uint64_t num_empty;    /**< of these, without a byte */
    uint64_t total_bytes;
    uint64_t min_bytes, max_bytes;
    double mean_bytes, std_bytes; /**< std_bytes is the population standard deviation */
} hr_length_statistics;

#ifdef __cplusplus
}
#endif
#endif
