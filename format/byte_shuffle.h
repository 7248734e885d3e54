/*
 * The byte shuffle, and its parts: portable loops, and vector code for whole groups of elements.
 */
#ifndef HEADRACE_BYTE_SHUFFLE_H
#define HEADRACE_BYTE_SHUFFLE_H

#include <stddef.h>
#include <stdint.h>

/* out := in with the byte shuffle of n_bytes undone or done; element_bytes 2, 4, 8 or 16. */
void hr__byte_unshuffle(const uint8_t *in, size_t n_bytes, uint32_t element_bytes, uint8_t *out);
void hr__byte_shuffle(const uint8_t *in, size_t n_bytes, uint32_t element_bytes, uint8_t *out);

/* Elements first .. n - 1 of n, any element size. */
void hr__byte_shuffle_portable(const uint8_t *in, size_t first, size_t n, uint32_t element_bytes,
                               uint8_t *out);
void hr__byte_unshuffle_portable(const uint8_t *in, size_t first, size_t n, uint32_t element_bytes,
                                 uint8_t *out);

/* The best this processor can do. All of these do elements 0 .. (result) - 1 of n, for elements of
 * 2, 4, 8 or 16 bytes at any alignment; the result is 0 where there is nothing better. */
size_t hr__byte_shuffle_vector(const uint8_t *in, size_t n, uint32_t element_bytes, uint8_t *out);
size_t hr__byte_unshuffle_vector(const uint8_t *in, size_t n, uint32_t element_bytes, uint8_t *out);

/* x86-64 only; AVX2 where hr__cpu_has_avx2(). */
size_t hr__byte_shuffle_sse2(const uint8_t *in, size_t n, uint32_t element_bytes, uint8_t *out);
size_t hr__byte_unshuffle_sse2(const uint8_t *in, size_t n, uint32_t element_bytes, uint8_t *out);
size_t hr__byte_shuffle_avx2(const uint8_t *in, size_t n, uint32_t element_bytes, uint8_t *out);
size_t hr__byte_unshuffle_avx2(const uint8_t *in, size_t n, uint32_t element_bytes, uint8_t *out);

#endif
