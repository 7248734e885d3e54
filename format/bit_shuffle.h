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

/* Of eight times as many bytes, their bits: bit k of byte i is bit i mod 8 of byte i / 8 of plane
 * k. */
#define HR__BIT_PLANE_BYTES 64u

/* The planes begin apart_bytes apart. The same bytes, whatever the table. */
struct hr__bit_planes {
    void (*split)(const uint8_t *bytes, uint8_t *planes, size_t apart_bytes);
    void (*join)(const uint8_t *planes, size_t apart_bytes, uint8_t *bytes);
};

extern const struct hr__bit_planes hr__bit_planes_base; /* vectors of 16 bytes, anywhere */
extern const struct hr__bit_planes hr__bit_planes_avx2; /* x86-64, where hr__cpu_has_avx2() */

void hr__bit_shuffle_by(const struct hr__bit_planes *by, const uint8_t *in, size_t n_bytes,
                        uint32_t element_bytes, uint8_t *out);
void hr__bit_unshuffle_by(const struct hr__bit_planes *by, const uint8_t *in, size_t n_bytes,
                          uint32_t element_bytes, uint8_t *out);

#endif
