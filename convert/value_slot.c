/*
 * The layout of slots of values. What is taken is untrusted.
 */
#include "value_slot.h"

#include "bytes.h"
#include "checked.h"
#include "error.h"

#include <string.h>

#define END_BYTES 8u

uint64_t hr__value_slot_bytes(uint64_t n, uint64_t n_bytes) {
    uint64_t total;
    return hr__add_u64(n * END_BYTES, n_bytes, &total) ? total : UINT64_MAX;
}

static uint64_t bytes_of(const int64_t *offsets, uint64_t n) {
    return hr__value_slot_bytes(n, (uint64_t)(offsets[n] - offsets[0]));
}

uint64_t hr__value_slot_fits(const int64_t *offsets, uint64_t n, uint64_t slot_bytes) {
    uint64_t low = n > 0, high = hr__min_u64(n, HR__SLOT_MAX_VALUES);
    while (low < high) {
        const uint64_t middle = low + (high - low + 1) / 2;
        if (bytes_of(offsets, middle) <= slot_bytes)
            low = middle;
        else
            high = middle - 1;
    }
    return low;
}

void hr__value_slot_put(const int64_t *offsets, uint64_t n, const uint8_t *bytes, uint8_t *slot) {
    for (uint64_t i = 0; i < n; i++)
        hr__put_u64(slot + i * END_BYTES, (uint64_t)(offsets[i + 1] - offsets[0]));
    if (offsets[n] > offsets[0])
        memcpy(slot + n * END_BYTES, bytes, (size_t)(offsets[n] - offsets[0]));
}

hr_status hr__value_slot_take(const uint8_t *slot, uint64_t slot_bytes, uint64_t n,
                              uint32_t unit_bytes, uint64_t *ends, hr_error *err) {
    uint64_t before = 0;
    if (n == 0 || n > HR__SLOT_MAX_VALUES || n * END_BYTES > slot_bytes)
        return hr__error_set(err, HR_ERR_INVALID, "%llu values in a slot of %llu bytes",
                             (unsigned long long)n, (unsigned long long)slot_bytes);
    for (uint64_t i = 0; i < n; i++) {
        const uint64_t end = hr__get_u64(slot + i * END_BYTES);
        if (end < before || end > slot_bytes - n * END_BYTES || (end - before) % unit_bytes != 0)
            return hr__error_set(err, HR_ERR_INVALID, "a value from byte %llu to %llu of %llu",
                                 (unsigned long long)before, (unsigned long long)end,
                                 (unsigned long long)(slot_bytes - n * END_BYTES));
        ends[i] = before = end;
    }
    return HR_OK;
}

const uint8_t *hr__value_slot_values(const uint8_t *slot, uint64_t n) {
    return slot + n * END_BYTES;
}
