/*
 * The budget of an object that was given none.
 */
#include "default_budget.h"

#include "checked.h"
#include "memory_cap.h"
#include "memory_limit.h"

#define MAX_DEFAULT_BYTES (UINT64_C(1) << 30)
#define MIN_DEFAULT_BYTES (UINT64_C(16) << 20)

static uint64_t share(uint64_t divisor) {
    struct hr__memory_limit limit;
    hr__memory_limit_read("", &limit);
    return hr__min_u64(limit.smallest_bytes, hr__memory_left()) / divisor;
}

uint64_t hr_default_budget(void) {
    uint64_t quarter = share(4);
    if (quarter > MAX_DEFAULT_BYTES)
        return MAX_DEFAULT_BYTES;
    return quarter > MIN_DEFAULT_BYTES ? quarter : MIN_DEFAULT_BYTES;
}

uint64_t hr__stretched_budget(void) {
    return share(2);
}
