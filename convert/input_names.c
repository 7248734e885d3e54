/*
 * Numbered names.
 */
#include "input_names.h"

#include <stdbool.h>
#include <string.h>

static size_t digits_before(const char *name, size_t end) {
    size_t at = end;
    while (at > 0 && name[at - 1] >= '0' && name[at - 1] <= '9')
        at--;
    return end - at;
}

static bool is_separator(char c) {
    return c == '_' || c == '-' || c == '.' || c == ' ';
}

size_t hr__numbered_name_base(const char *name) {
    size_t end = strlen(name);
    size_t digits = digits_before(name, end);
    if (digits == 0)
        return HR__NOT_NUMBERED;
    size_t at = end - digits;
    if (at >= 4 && memcmp(name + at - 3, "of-", 3) == 0 && is_separator(name[at - 4])) {
        size_t inner = digits_before(name, at - 4);
        if (inner > 0)
            at = at - 4 - inner;
    }
    if (at == 0)
        return 0;
    return is_separator(name[at - 1]) ? at - 1 : HR__NOT_NUMBERED;
}
