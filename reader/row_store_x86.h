/*
 * The row stores of x86-64, which every processor has (SSE2) or some have.
 *
 * All of them: whole cache lines are written by non-temporal stores, the ends of rows that begin or
 * end inside a line, and rows shorter than a line, by ordinary ones (a non-temporal store of part
 * of a line costs a read of it).
 */
#ifndef HEADRACE_ROW_STORE_X86_H
#define HEADRACE_ROW_STORE_X86_H

#include "row_store.h"

extern const struct hr__row_store hr__row_store_sse2;
extern const struct hr__row_store hr__row_store_avx2;
extern const struct hr__row_store hr__row_store_avx512;

/* One row, for the sizes that a wider store leaves to the SSE2 one. `plane`: bytes from one plane
 * to the next; n: elements. */
void hr__row_unshuffle_sse2(uint8_t *dst, const uint8_t *src, size_t plane, size_t n,
                            uint32_t planes);

#endif
