/*
 * The widths of elements that have vectors. Included at the end of each file that is compiled for
 * one kind of processor, which defines
 *
 *     INLINE size_t shuffle(const uint8_t *in, size_t n, int e, uint8_t *out);
 *     INLINE size_t unshuffle(const uint8_t *in, size_t n, int e, int log2_e, uint8_t *out);
 *
 * each compiled once for a width, and HR__BYTE_SHUFFLE and HR__BYTE_UNSHUFFLE, the names of its
 * functions of byte_shuffle.h.
 */
#ifndef HEADRACE_BYTE_SHUFFLE_CASES_H
#define HEADRACE_BYTE_SHUFFLE_CASES_H

#include "byte_shuffle.h"

size_t HR__BYTE_SHUFFLE(const uint8_t *in, size_t n, uint32_t element_bytes, uint8_t *out) {
    switch (element_bytes) {
    case 2:
        return shuffle(in, n, 2, out);
    case 4:
        return shuffle(in, n, 4, out);
    case 8:
        return shuffle(in, n, 8, out);
    case 16:
        return shuffle(in, n, 16, out);
    default:
        return 0;
    }
}

size_t HR__BYTE_UNSHUFFLE(const uint8_t *in, size_t n, uint32_t element_bytes, uint8_t *out) {
    switch (element_bytes) {
    case 2:
        return unshuffle(in, n, 2, 1, out);
    case 4:
        return unshuffle(in, n, 4, 2, out);
    case 8:
        return unshuffle(in, n, 8, 3, out);
    case 16:
        return unshuffle(in, n, 16, 4, out);
    default:
        return 0;
    }
}

#endif
