/*
 * Slots of values from any bytes: the first two say how many values there are, the third of what
 * they are multiples. An error, or ends that lie in the slot.
 */
#include "bytes.h"
#include "value_slot.h"

#include <stdlib.h>

#define HEAD_BYTES 3u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(uint64_t room, uint64_t n, uint32_t unit, const uint64_t *ends) {
    uint64_t before = 0;
    for (uint64_t i = 0; i < n; i++) {
        if (ends[i] < before || ends[i] > room - 8 * n || (ends[i] - before) % unit != 0)
            abort();
        before = ends[i];
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static uint64_t ends[HR__SLOT_MAX_VALUES];
    hr_error err = {0};
    if (size < HEAD_BYTES)
        return 0;
    const uint64_t n = hr__get_u16(data), room = size - HEAD_BYTES;
    const uint32_t unit = data[2] % 16 + 1;
    const hr_status st = hr__value_slot_take(data + HEAD_BYTES, room, n, unit, ends, &err);
    if (st == HR_OK)
        check(room, n, unit, ends);
    else if (err.status != st || err.message[0] == '\0')
        abort();
    return 0;
}
