/*
 * Packets of the source helper: whatever is accepted is encoded to the same bytes again.
 */
#include "helper_protocol.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n_bytes);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n_bytes) {
    struct hr__helper_message m;
    hr_error err = {.status = HR_OK};
    if (hr__helper_decode(data, n_bytes, &m, &err) != HR_OK) {
        if (err.message[0] == '\0')
            abort();
        return 0;
    }
    uint8_t again[HR__HELPER_MESSAGE_BYTES];
    if (hr__helper_encode(&m, again, sizeof again) != n_bytes || memcmp(again, data, n_bytes) != 0)
        abort();
    return 0;
}
