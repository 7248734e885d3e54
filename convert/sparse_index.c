/*
 * Numbers of rows and columns.
 */
#include "sparse_index.h"

#include "bytes.h"
#include "dtype.h"

static uint64_t unsigned_at(const uint8_t *bytes, size_t width) {
    switch (width) {
    case 1:
        return *bytes;
    case 2:
        return hr__get_u16(bytes);
    case 4:
        return hr__get_u32(bytes);
    default:
        return hr__get_u64(bytes);
    }
}

uint64_t hr__sparse_index_at(const uint8_t *bytes, hr_dtype dtype) {
    const size_t width = hr_dtype_bytes(dtype);
    const uint64_t index = unsigned_at(bytes, width);
    const bool negative = hr__dtype_is_signed(dtype) && index >> (8 * width - 1) != 0;
    return negative ? UINT64_MAX : index;
}

/* The most that one holds. */
static uint64_t largest(hr_dtype dtype) {
    const uint32_t bits = 8 * (uint32_t)hr_dtype_bytes(dtype) - hr__dtype_is_signed(dtype);
    return UINT64_MAX >> (64 - bits);
}

hr_dtype hr__sparse_index_dtype(hr_dtype dtype, uint64_t end) {
    const uint64_t last = end > 0 ? end - 1 : 0;
    return last <= largest(dtype) ? dtype : last <= INT32_MAX ? HR_INT32 : HR_INT64;
}

void hr__sparse_index_put(uint8_t *bytes, hr_dtype dtype, uint64_t index) {
    switch (hr_dtype_bytes(dtype)) {
    case 1:
        *bytes = (uint8_t)index;
        break;
    case 2:
        hr__put_u16(bytes, (uint16_t)index);
        break;
    case 4:
        hr__put_u32(bytes, (uint32_t)index);
        break;
    default:
        hr__put_u64(bytes, index);
    }
}
