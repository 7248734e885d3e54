/*
 * How names end. Letters are those of ASCII, whatever the locale.
 */
#include "name_ending.h"

#include <string.h>

static char small(char c) {
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

bool hr__name_ends(const char *name, const char *ending) {
    const size_t n = strlen(name), k = strlen(ending);
    if (n <= k)
        return false;
    for (size_t i = 0; i < k; i++)
        if (small(name[n - k + i]) != ending[i])
            return false;
    return true;
}
