/*
 * Row stores in plain C: the reference, and what processors other than x86-64 use.
 */
#include "row_store.h"

#include <stdatomic.h>
#include <string.h>

void hr__rows_copy(const struct hr__row_targets *t, uint32_t first, uint32_t count,
                   uint64_t field_off, size_t row_bytes, const uint8_t *src) {
    for (uint32_t r = first; r < first + count; r++, src += row_bytes)
        if (t->slot[r] != NULL)
            memcpy(t->slot[r] + field_off + (size_t)t->row[r] * row_bytes, src, row_bytes);
}

void hr__rows_unshuffle(const struct hr__row_targets *t, uint32_t first, uint32_t count,
                        uint64_t field_off, size_t row_bytes, uint32_t element_bytes,
                        const uint8_t *src) {
    size_t n = row_bytes / element_bytes, plane = count * n;
    for (uint32_t i = 0; i < count; i++) {
        uint8_t *slot = t->slot[first + i];
        if (slot == NULL)
            continue;
        uint8_t *dst = slot + field_off + (size_t)t->row[first + i] * row_bytes;
        for (size_t k = 0; k < n; k++)
            for (size_t j = 0; j < element_bytes; j++)
                dst[k * element_bytes + j] = src[j * plane + i * n + k];
    }
}

void hr__rows_fence(void) {
    atomic_thread_fence(memory_order_release);
}
