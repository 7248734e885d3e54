/*
 * Vectors of LANES_BYTES (16, 32), which a file defines before it includes this: the compiler makes
 * them what the processor has (SSE2, AVX2, NEON), or several of its registers.
 */
#ifndef HEADRACE_LANES_H
#define HEADRACE_LANES_H

#include <stdint.h>
#include <string.h>

#define LANES_INLINE static inline __attribute__((always_inline))

typedef uint8_t lanes_u8 __attribute__((vector_size(LANES_BYTES)));
typedef uint16_t lanes_u16 __attribute__((vector_size(LANES_BYTES)));
typedef uint32_t lanes_u32 __attribute__((vector_size(LANES_BYTES)));
typedef uint64_t lanes_u64 __attribute__((vector_size(LANES_BYTES)));

LANES_INLINE lanes_u64 lanes_load(const uint8_t *p) {
    lanes_u64 v;
    memcpy(&v, p, sizeof(v));
    return v;
}

LANES_INLINE void lanes_store(uint8_t *p, lanes_u64 v) {
    memcpy(p, &v, sizeof(v));
}

/* Element by element, of e bytes each, modulo what they hold. */
LANES_INLINE lanes_u64 lanes_add(lanes_u64 a, lanes_u64 b, uint32_t e) {
    return e == 1   ? (lanes_u64)((lanes_u8)a + (lanes_u8)b)
           : e == 2 ? (lanes_u64)((lanes_u16)a + (lanes_u16)b)
           : e == 4 ? (lanes_u64)((lanes_u32)a + (lanes_u32)b)
                    : a + b;
}

LANES_INLINE lanes_u64 lanes_sub(lanes_u64 a, lanes_u64 b, uint32_t e) {
    return e == 1   ? (lanes_u64)((lanes_u8)a - (lanes_u8)b)
           : e == 2 ? (lanes_u64)((lanes_u16)a - (lanes_u16)b)
           : e == 4 ? (lanes_u64)((lanes_u32)a - (lanes_u32)b)
                    : a - b;
}

#endif
