/*
 * Values on the command line. The text is whatever somebody typed or a script put together: every
 * character of it is looked at, and every sum is checked.
 */
#include "args.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REFUSE(err, ...) (snprintf((err)->message, ARGS_MESSAGE_BYTES, __VA_ARGS__), false)

static bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

/* Reads digits up to the first other character; false on overflow or where there is none. */
static bool read_digits(const char **text, uint64_t *out) {
    const char *p = *text;
    uint64_t value = 0;
    if (!is_digit(*p)) {
        return false;
    }
    for (; is_digit(*p); p++) {
        const uint64_t digit = (uint64_t)(*p - '0');
        if (value > (UINT64_MAX - digit) / 10) {
            return false;
        }
        value = value * 10 + digit;
    }
    *text = p;
    *out = value;
    return true;
}

static bool is_negative(const char *text) {
    return text[0] == '-' && is_digit(text[1]);
}

bool args_uint(const char *text, uint64_t min, uint64_t max, uint64_t *out, args_error *err) {
    const char *p = text;
    uint64_t value = 0;
    const bool digits = is_digit(*p);
    if (is_negative(text)) {
        return REFUSE(err, "'%.60s' is negative; write %" PRIu64 " or more", text, min);
    }
    if (!digits || p[strspn(p, "0123456789")] != '\0') {
        return REFUSE(err, "'%.60s' is not a whole number", text);
    }
    if (!read_digits(&p, &value) || value < min || value > max) {
        return max == UINT64_MAX
                   ? REFUSE(err, "%.60s is out of range: at least %" PRIu64 ", below 2^64", text,
                            min)
                   : REFUSE(err, "%.60s is out of range: %" PRIu64 " to %" PRIu64, text, min, max);
    }
    *out = value;
    return true;
}

bool args_int(const char *text, int64_t min, int64_t max, int64_t *out, args_error *err) {
    const char *digits = text + (*text == '-' || *text == '+');
    if (!is_digit(*digits) || digits[strspn(digits, "0123456789")] != '\0') {
        return REFUSE(err, "'%.60s' is not a whole number", text);
    }
    errno = 0;
    const long long value = strtoll(text, NULL, 10);
    if (errno == ERANGE || value < min || value > max) {
        return REFUSE(err, "%.60s is out of range: %" PRId64 " to %" PRId64, text, min, max);
    }
    *out = value;
    return true;
}

/* A non-negative decimal number, such as 12 or 1.5, without sign, exponent, hex, inf or nan. */
static bool read_decimal(const char **text, double *out) {
    const char *p = *text;
    if (!is_digit(*p)) {
        return false;
    }
    double value = 0;
    for (; is_digit(*p); p++) {
        value = value * 10 + (*p - '0');
    }
    if (*p == '.' && is_digit(p[1])) {
        double place = 0.1;
        for (p++; is_digit(*p); p++, place /= 10) {
            value += (*p - '0') * place;
        }
    }
    *text = p;
    *out = value;
    return true;
}

/* 0 for no unit, 10 to 40 for K to T, -1 for anything else. */
static int unit_shift(const char *unit) {
    static const char letters[] = "KMGT";
    if (*unit == '\0' || strcmp(unit, "B") == 0) {
        return 0;
    }
    const char letter = (char)(*unit >= 'a' && *unit <= 'z' ? *unit - 'a' + 'A' : *unit);
    const char *found = strchr(letters, letter);
    if (found == NULL || (unit[1] != '\0' && strcmp(unit + 1, "iB") != 0)) {
        return -1;
    }
    return 10 * (int)(found - letters + 1);
}

bool args_size(const char *text, uint64_t *out, args_error *err) {
    const char *p = text;
    double number = 0;
    if (is_negative(text)) {
        return REFUSE(err, "'%.60s' is negative; write bytes or K, M, G, T, as in 256M", text);
    }
    const int shift = read_decimal(&p, &number) ? unit_shift(p) : -1;
    if (shift < 0) {
        return REFUSE(err, "'%.60s' is not a size; write bytes or K, M, G, T, as in 256M", text);
    }
    const char *digits = text;
    uint64_t whole = 0;
    if (read_digits(&digits, &whole) && digits == p) {
        if (whole > UINT64_MAX >> shift) {
            return REFUSE(err, "%.60s is too large for a size", text);
        }
        *out = whole << shift;
        return true;
    }
    const double bytes = ldexp(number, shift);
    if (bytes >= 0x1p63 || shift == 0) {
        return REFUSE(err, "'%.60s' is not a whole number of bytes that a size can hold", text);
    }
    *out = (uint64_t)bytes;
    return true;
}

bool args_duration(const char *text, int64_t *out_ns, args_error *err) {
    static const struct {
        const char *unit;
        double ns;
    } units[] = {{"", 1e9},  {"ns", 1},   {"us", 1e3},  {"ms", 1e6},
                 {"s", 1e9}, {"m", 60e9}, {"h", 3600e9}};
    const char *p = text;
    double number = 0;
    if (is_negative(text)) {
        return REFUSE(err, "'%.60s' is negative; write 60s, 500ms, 2m or 1h", text);
    }
    if (read_decimal(&p, &number)) {
        for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
            if (strcmp(p, units[i].unit) == 0) {
                if (number * units[i].ns >= 9e18) {
                    return REFUSE(err, "%.60s is too long", text);
                }
                *out_ns = (int64_t)(number * units[i].ns);
                return true;
            }
        }
    }
    return REFUSE(err, "'%.60s' is not a duration; write 60s, 500ms, 2m or 1h", text);
}

bool args_range(const char *text, uint64_t *first, uint64_t *end, args_error *err) {
    const char *p = text;
    *first = 0;
    *end = UINT64_MAX;
    bool good = *p == ':' || read_digits(&p, first);
    good = good && *p++ == ':';
    good = good && (*p == '\0' || read_digits(&p, end)) && *p == '\0';
    if (!good) {
        return REFUSE(err, "'%.60s' is not a range; write A:B (B not included), A: or :B", text);
    }
    if (*end < *first) {
        return REFUSE(err, "the range %.60s ends before it begins", text);
    }
    return true;
}

bool args_shape(const char *text, uint64_t *shape, uint32_t max_rank, uint32_t *rank,
                args_error *err) {
    const char *p = text;
    *rank = 0;
    while (*p != '\0') {
        if (*rank == max_rank) {
            return REFUSE(err, "a sample has at most %" PRIu32 " dimensions", max_rank);
        }
        if (!read_digits(&p, &shape[*rank])) {
            return REFUSE(err, "'%.60s' is not a shape; write 28,28 or 28x28", text);
        }
        ++*rank;
        const bool more = (*p == ',' || *p == 'x') && is_digit(p[1]);
        if (*p != '\0' && !more) {
            return REFUSE(err, "'%.60s' is not a shape; write 28,28 or 28x28", text);
        }
        p += more;
    }
    return true;
}

bool args_fractions(const char *text, double *fractions, uint32_t max_count, uint32_t *count,
                    args_error *err) {
    const char *p = text;
    for (*count = 0;; p++) {
        char *end = NULL;
        if (*count == max_count) {
            return REFUSE(err, "more than %" PRIu32 " fractions", max_count);
        }
        /* strtod() rounds as the compiler does, so that 0.8 is 0.8; what it takes besides is not
         * taken here. */
        const bool digits = is_digit(*p) && p[strspn(p, "0123456789.")] != 'e' &&
                            p[strspn(p, "0123456789.")] != 'E' && p[1] != 'x' && p[1] != 'X';
        fractions[*count] = digits ? strtod(p, &end) : 0;
        if (!digits || (*end != ',' && *end != '\0')) {
            return REFUSE(err, "'%.60s' is not a list of fractions; write 0.8,0.1,0.1", text);
        }
        ++*count;
        if (*end == '\0') {
            return true;
        }
        p = end;
    }
}

bool args_word(const char *text, const char *const *words, size_t count, size_t *out,
               args_error *err) {
    char all[ARGS_MESSAGE_BYTES / 2] = "";
    size_t used = 0;
    for (size_t i = 0; i < count; i++) {
        if (strcmp(text, words[i]) == 0) {
            *out = i;
            return true;
        }
        const int n = snprintf(all + used, sizeof all - used, "%s%s", i == 0 ? "" : ", ", words[i]);
        used += n > 0 && (size_t)n < sizeof all - used ? (size_t)n : 0;
    }
    return REFUSE(err, "'%.60s' is none of: %s", text, all);
}

/* Ends the name that begins here, and takes out backslashes before commas and backslashes. Where
 * the next one begins, or NULL. */
static char *cut_name(char *name) {
    char *to = name;
    for (const char *p = name;; p++) {
        if (*p == '\\' && (p[1] == ',' || p[1] == '\\')) {
            *to++ = *++p;
            continue;
        }
        const bool last = *p == '\0';
        if (last || *p == ',') {
            *to = '\0';
            return last ? NULL : name + (p - name) + 1;
        }
        *to++ = *p;
    }
}

bool args_list(char *text, const char **items, uint32_t max_items, uint32_t *count,
               args_error *err) {
    *count = 0;
    for (char *p = text; p != NULL;) {
        char *next = cut_name(p);
        if (*p == '\0') {
            return REFUSE(err, "an empty name in the list; write a,b");
        }
        if (*count == max_items) {
            return REFUSE(err, "more than %" PRIu32 " names in the list", max_items);
        }
        items[(*count)++] = p;
        p = next;
    }
    return true;
}
