/*
 * Little-endian integers in byte strings. Compilers turn these into single loads and stores.
 */
#include "bytes.h"

#include <string.h>

uint16_t hr__get_u16(const uint8_t *p) {
    return (uint16_t)(p[0] | p[1] << 8);
}

uint32_t hr__get_u32(const uint8_t *p) {
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

uint64_t hr__get_u64(const uint8_t *p) {
    return hr__get_u32(p) | (uint64_t)hr__get_u32(p + 4) << 32;
}

void hr__put_u16(uint8_t *p, uint16_t v) {
    p[0] = (uint8_t)v;
    p[1] = (uint8_t)(v >> 8);
}

void hr__put_u32(uint8_t *p, uint32_t v) {
    hr__put_u16(p, (uint16_t)v);
    hr__put_u16(p + 2, (uint16_t)(v >> 16));
}

void hr__put_u64(uint8_t *p, uint64_t v) {
    hr__put_u32(p, (uint32_t)v);
    hr__put_u32(p + 4, (uint32_t)(v >> 32));
}

bool hr__is_zero(const void *p, size_t n_bytes) {
    const uint8_t *b = p; /* zero are the first byte, and each that is like the one before it */
    return n_bytes == 0 || (b[0] == 0 && memcmp(b, b + 1, n_bytes - 1) == 0);
}
