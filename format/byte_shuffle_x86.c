/*
 * The vector code of x86-64, chosen as the program runs. SSE2 is always there.
 */
#include "byte_shuffle.h"
#include "cpu.h"

size_t hr__byte_shuffle_vector(const uint8_t *in, size_t n, uint32_t element_bytes, uint8_t *out) {
    return hr__cpu_has_avx2() ? hr__byte_shuffle_avx2(in, n, element_bytes, out)
                              : hr__byte_shuffle_sse2(in, n, element_bytes, out);
}

size_t hr__byte_unshuffle_vector(const uint8_t *in, size_t n, uint32_t element_bytes,
                                 uint8_t *out) {
    return hr__cpu_has_avx2() ? hr__byte_unshuffle_avx2(in, n, element_bytes, out)
                              : hr__byte_unshuffle_sse2(in, n, element_bytes, out);
}
