/*
 * Elements as NumPy stores them, to the canonical form and back (docs/format.md, 2.1).
 */
#ifndef HEADRACE_NUMPY_ELEMENTS_H
#define HEADRACE_NUMPY_ELEMENTS_H

#include "numpy_dtype.h"

/* Brings num_samples samples of elements_per_sample elements each into canonical form, in place:
 * byte order, UTF-8 for code points. HR_ERR_DATA names the sample (first_sample is the index of the
 * first): a bool that is neither 0 nor 1, a code point that is none. */
hr_status hr__elements_to_canonical(const struct hr__element *e, void *data, uint64_t num_samples,
                                    uint64_t elements_per_sample, uint64_t first_sample,
                                    hr_error *err);

/* UTF-8 padded with zeros (num_elements of width_bytes each) to little-endian code points, padded
 * with zeros to num_chars. HR_ERR_DATA: not UTF-8, or more than num_chars of them. */
hr_status hr__utf8_to_ucs4(const uint8_t *src, uint64_t num_elements, uint32_t width_bytes,
                           uint32_t num_chars, uint8_t *dst, hr_error *err);

#endif
