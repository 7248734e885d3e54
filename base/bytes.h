/*
 * Little-endian integers in byte strings, at any alignment.
 */
#ifndef HEADRACE_BYTES_H
#define HEADRACE_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

uint16_t hr__get_u16(const uint8_t *p);
uint32_t hr__get_u32(const uint8_t *p);
uint64_t hr__get_u64(const uint8_t *p);
void hr__put_u16(uint8_t *p, uint16_t v);
void hr__put_u32(uint8_t *p, uint32_t v);
void hr__put_u64(uint8_t *p, uint64_t v);

/* All n_bytes are zero. */
bool hr__is_zero(const void *p, size_t n_bytes);

#endif
