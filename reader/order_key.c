/*
 * Keys of permutations (docs/order.md, 3).
 */
#include "order_key.h"

#include "bytes.h"
#include "hash.h"

uint64_t hr__order_key(uint64_t seed, uint64_t epoch, enum hr__order_purpose purpose,
                       uint64_t stream, uint64_t index) {
    uint8_t tuple[40];
    hr__put_u64(tuple, seed);
    hr__put_u64(tuple + 8, epoch);
    hr__put_u64(tuple + 16, (uint64_t)purpose);
    hr__put_u64(tuple + 24, stream);
    hr__put_u64(tuple + 32, index);
    return hr__hash(tuple, sizeof tuple);
}
