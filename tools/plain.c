/*
 * What reaches the terminal is printable characters of UTF-8.
 */
#include "plain.h"

#include <stdarg.h>
#include <stdbool.h>
#include <string.h>

#define LINE_BYTES 16384

/* Bytes of the character that a lead byte begins; 0: it begins none. */
static size_t length_of(unsigned char lead) {
    return lead < 0x80                   ? 1
           : lead >= 0xc2 && lead < 0xe0 ? 2
           : lead >= 0xe0 && lead < 0xf0 ? 3
           : lead >= 0xf0 && lead < 0xf5 ? 4
                                         : 0;
}

/* No longer form than the character needs, no surrogate, nothing beyond U+10FFFF. */
static bool second_fits(const unsigned char *p) {
    switch (p[0]) {
    case 0xe0:
        return p[1] >= 0xa0;
    case 0xed:
        return p[1] < 0xa0;
    case 0xf0:
        return p[1] >= 0x90;
    case 0xf4:
        return p[1] < 0x90;
    default:
        return true;
    }
}

/* Bytes of the character here; 0: none. The zero at the end goes on no character. */
static size_t character(const unsigned char *p) {
    const size_t n = length_of(p[0]);
    for (size_t i = 1; i < n; i++) {
        if (p[i] < 0x80 || p[i] >= 0xc0) {
            return 0;
        }
    }
    return second_fits(p) ? n : 0;
}

static bool is_control(const unsigned char *p) {
    return p[0] < 0x20 || p[0] == 0x7f || (p[0] == 0xc2 && p[1] < 0xa0);
}

static void put(const char *text, bool lines, FILE *f) {
    for (const unsigned char *p = (const unsigned char *)text; *p != '\0';) {
        const size_t n = character(p);
        if (n > 0 && (!is_control(p) || (lines && *p == '\n'))) {
            (void)fwrite(p, 1, n, f);
            p += n;
        } else {
            p += n == 2; /* of Latin-1's, the number is the second byte */
            fprintf(f, "\\x%02x", *p++);
        }
    }
}

void plain_put(const char *text, FILE *f) {
    put(text, false, f);
}

void plain_put_lines(const char *text, FILE *f) {
    put(text, true, f);
}

void plain_printf(const char *format, ...) {
    char line[LINE_BYTES];
    const size_t before = strspn(format, "\n"), n = strlen(format);
    va_list values;
    va_start(values, format);
    (void)vsnprintf(line, sizeof line, format, values);
    va_end(values);
    const size_t end = strlen(line);
    const bool ends = n > before && format[n - 1] == '\n' && line[end - 1] == '\n';
    if (ends) {
        line[end - 1] = '\0';
    }
    printf("%.*s", (int)before, line);
    plain_put(line + before, stdout);
    if (ends) {
        putchar('\n');
    }
}
