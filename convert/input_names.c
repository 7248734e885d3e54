/*
 * Numbered names.
 */
#include "input_names.h"

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

/* Its digits without zeros in front; *n of them. */
static const char *number_of(const char *name, size_t *n) {
    const size_t base = hr__numbered_name_base(name);
    const char *at = name + base + (base > 0 ? 1 : 0);
    const size_t all = strspn(at, "0123456789"), zeros = strspn(at, "0");
    *n = all - zeros;
    return at + zeros;
}

bool hr__numbered_names_agree(const char *a, const char *b) {
    size_t a_digits, b_digits;
    const char *of_a = number_of(a, &a_digits), *of_b = number_of(b, &b_digits);
    return a_digits == b_digits && memcmp(of_a, of_b, a_digits) == 0;
}
