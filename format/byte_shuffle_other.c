/*
 * Processors without vector code of ours: the portable loops do everything.
 */
#include "byte_shuffle.h"

size_t hr__byte_shuffle_vector(const uint8_t *in, size_t n, uint32_t element_bytes, uint8_t *out) {
    (void)in, (void)n, (void)element_bytes, (void)out;
    return 0;
}

size_t hr__byte_unshuffle_vector(const uint8_t *in, size_t n, uint32_t element_bytes,
                                 uint8_t *out) {
    (void)in, (void)n, (void)element_bytes, (void)out;
    return 0;
}
