/*
 * The bit shuffle (docs/format.md, 6.3), and its parts.
 *
 * Elements of 1, 2, 4 or 8 bytes at any address; n_bytes is a multiple of their size. in and out do
 * not overlap.
 */
#ifndef HEADRACE_BIT_SHUFFLE_H
#define HEADRACE_BIT_SHUFFLE_H

#include <stddef.h>
#include <stdint.h>

void hr__bit_shuffle(const uint8_t *in, size_t n_bytes, uint32_t element_bytes, uint8_t *out);
void hr__bit_unshuffle(const uint8_t *in, size_t n_bytes, uint32_t element_bytes, uint8_t *out);

/* Eight rows of this many bytes are transposed bit by bit: bit i of byte c of row k against bit k
 * of byte c of row i. */
#define HR__BIT_ROW_BYTES 64u

/* From rows that are from_bytes apart to rows that are to_bytes apart. */
typedef void hr__bit_transpose_fn(const uint8_t *from, size_t from_bytes, uint8_t *to,
                                  size_t to_bytes);

hr__bit_transpose_fn hr__bit_transpose_base; /* vectors of 16 bytes, anywhere */
hr__bit_transpose_fn hr__bit_transpose_avx2; /* x86-64, where hr__cpu_has_avx2() */

void hr__bit_shuffle_by(hr__bit_transpose_fn *transpose, const uint8_t *in, size_t n_bytes,
                        uint32_t element_bytes, uint8_t *out);
void hr__bit_unshuffle_by(hr__bit_transpose_fn *transpose, const uint8_t *in, size_t n_bytes,
                          uint32_t element_bytes, uint8_t *out);

#endif
