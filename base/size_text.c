/*
 * Sizes in messages.
 */
#include "size_text.h"

#include <stdio.h>

#define KIB 1024u
#define MIB 1048576u

struct hr__size_text hr__size_text(uint64_t n_bytes) {
    struct hr__size_text s;
    if (n_bytes >= MIB / 10)
        snprintf(s.text, sizeof s.text, "%.1f MiB", (double)n_bytes / MIB);
    else if (n_bytes >= KIB)
        snprintf(s.text, sizeof s.text, "%.1f KiB", (double)n_bytes / KIB);
    else
        snprintf(s.text, sizeof s.text, "%llu byte%s", (unsigned long long)n_bytes,
                 n_bytes == 1 ? "" : "s");
    return s;
}
