/*
 * Well-formed UTF-8 (Unicode, table 3-7).
 */
#include "utf8.h"

#include <stdint.h>

/* Length of the well-formed sequence that begins at p, 0 if there is none. */
static size_t sequence(const uint8_t *p, size_t n) {
    uint8_t a = p[0], low = 0x80, high = 0xbf;
    size_t length = a < 0x80 ? 1 : a < 0xc2 ? 0 : a < 0xe0 ? 2 : a < 0xf0 ? 3 : a < 0xf5 ? 4 : 0;
    if (length < 2)
        return length;
    if (length > n)
        return 0;
    if (a == 0xe0)
        low = 0xa0; /* no overlong forms, */
    else if (a == 0xed)
        high = 0x9f; /* no surrogates, */
    else if (a == 0xf0)
        low = 0x90;
    else if (a == 0xf4)
        high = 0x8f; /* nothing beyond U+10FFFF */
    if (p[1] < low || p[1] > high)
        return 0;
    for (size_t i = 2; i < length; i++)
        if ((p[i] & 0xc0) != 0x80)
            return 0;
    return length;
}

bool hr__utf8_valid(const void *text, size_t n_bytes) {
    const uint8_t *p = text;
    while (n_bytes > 0) {
        size_t length = sequence(p, n_bytes);
        if (length == 0)
            return false;
        p += length;
        n_bytes -= length;
    }
    return true;
}

size_t hr__utf8_whole(const void *text, size_t n_bytes) {
    const uint8_t *bytes = text;
    size_t tail = 0; /* bytes of the last character that are not its first */
    while (tail < 3 && tail < n_bytes && (bytes[n_bytes - 1 - tail] & 0xc0) == 0x80)
        tail++;
    if (tail == n_bytes)
        return n_bytes;
    const uint8_t first = bytes[n_bytes - 1 - tail];
    const size_t wanted = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : first >= 0xc0 ? 2 : 1;
    return tail + 1 < wanted ? n_bytes - 1 - tail : n_bytes;
}
