/*
 * Numbers from text. A short one is computed exactly (its digits and the power of ten are exact in
 * binary64, so that their product or quotient is rounded once); strtod_l() does the others.
 */
#define _GNU_SOURCE
#include "csv_number.h"

#include "bytes.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define EXACT_DIGITS 15 /* below 2^53 */
#define EXACT_POWER  22 /* 10^22 is the last power of ten that is exact */
#define MAX_EXPONENT 100000

/* What the grammar finds. */
struct number {
    bool negative, integer, too_large; /* integer: neither point nor exponent */
    uint64_t digits;                   /* all of them as one number; not if too_large */
    int num_digits;                    /* without leading zeros */
    int exponent;                      /* the number is digits x 10^exponent */
};

static bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

static bool is_word(const char *text, size_t n, const char *word) {
    if (n != strlen(word))
        return false;
    for (size_t i = 0; i < n; i++)
        if ((text[i] | 0x20) != word[i])
            return false;
    return true;
}

/* C's printf() gives NaN a sign. */
static bool is_missing(const char *text, size_t n) {
    const bool has_sign = n > 0 && (text[0] == '+' || text[0] == '-');
    return n == 0 || is_word(text + has_sign, n - has_sign, "nan") || is_word(text, n, "na") ||
           is_word(text, n, "null");
}

/* 1, -1; 0: it is not infinite. */
static int infinite(const char *text, size_t n) {
    const bool has_sign = n > 0 && (text[0] == '+' || text[0] == '-');
    const char *word = text + has_sign;
    if (!is_word(word, n - has_sign, "inf") && !is_word(word, n - has_sign, "infinity"))
        return 0;
    return text[0] == '-' ? -1 : 1;
}

static void take_digit(struct number *out, char c) {
    if (out->num_digits > 0 || c != '0')
        out->num_digits++;
    out->too_large = out->too_large ||
                     __builtin_mul_overflow(out->digits, UINT64_C(10), &out->digits) ||
                     __builtin_add_overflow(out->digits, (uint64_t)(c - '0'), &out->digits);
}

static bool take_exponent(const char *p, const char *end, int *exponent) {
    const bool negative = p < end && *p == '-';
    p += p < end && (*p == '+' || *p == '-');
    if (p == end)
        return false;
    int value = 0;
    for (; p < end && is_digit(*p); p++)
        value = value < MAX_EXPONENT ? value * 10 + (*p - '0') : value;
    *exponent += negative ? -value : value;
    return p == end;
}

static bool parse(const char *text, size_t n, struct number *out) {
    const char *p = text, *end = text + n;
    bool any = false;
    *out = (struct number){.negative = n > 0 && text[0] == '-', .integer = true};
    if (n > HR__CSV_MAX_NUMBER_BYTES)
        return false;
    p += p < end && (*p == '+' || *p == '-');
    for (; p < end && is_digit(*p); p++, any = true)
        take_digit(out, *p);
    if (p < end && *p == '.') {
        out->integer = false;
        for (p++; p < end && is_digit(*p); p++, any = true, out->exponent--)
            take_digit(out, *p);
    }
    if (any && p < end && (*p == 'e' || *p == 'E')) {
        out->integer = false;
        return take_exponent(p + 1, end, &out->exponent);
    }
    return any && p == end;
}

enum hr__csv_kind hr__csv_classify(const char *text, size_t n) {
    struct number number;
    if (is_missing(text, n))
        return HR__CSV_MISSING;
    if (!parse(text, n, &number))
        return infinite(text, n) != 0 ? HR__CSV_REAL : HR__CSV_TEXT;
    if (!number.integer)
        return HR__CSV_REAL;
    const uint64_t most = (uint64_t)INT64_MAX + number.negative;
    return number.too_large || number.digits > most ? HR__CSV_LARGE : HR__CSV_INTEGER;
}

bool hr__csv_dtype_fits(hr_dtype dtype) {
    return (dtype >= HR_BOOL && dtype <= HR_UINT64) || dtype == HR_FLOAT32 || dtype == HR_FLOAT64;
}

static double real_of(const char *text, size_t n, const struct number *number, locale_t locale) {
    static const double powers[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                    1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                    1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
    if (number->num_digits <= EXACT_DIGITS && number->exponent >= -EXACT_POWER &&
        number->exponent <= EXACT_POWER) {
        const double digits = (double)number->digits;
        const double value = number->exponent < 0 ? digits / powers[-number->exponent]
                                                  : digits * powers[number->exponent];
        return number->negative ? -value : value;
    }
    char copy[HR__CSV_MAX_NUMBER_BYTES + 1];
    memcpy(copy, text, n);
    copy[n] = '\0';
    return strtod_l(copy, NULL, locale);
}

static const char *store_real(double value, hr_dtype dtype, uint8_t *dst) {
    if (dtype == HR_FLOAT64) {
        uint64_t bits;
        memcpy(&bits, &value, sizeof bits);
        hr__put_u64(dst, bits);
        return NULL;
    }
    const float narrow = (float)value;
    uint32_t bits;
    if (isinf(narrow) && !isinf(value))
        return "does not fit float32";
    memcpy(&bits, &narrow, sizeof bits);
    hr__put_u32(dst, bits);
    return NULL;
}

/* Of an integer that is written with a point or an exponent. */
static bool whole_value(double value, struct number *out) {
    if (!(value > -0x1p53 && value < 0x1p53) || value != trunc(value))
        return false;
    out->negative = value < 0;
    out->digits = (uint64_t)fabs(value);
    out->too_large = false;
    return true;
}

static const char *store_integer(const struct number *n, hr_dtype dtype, uint8_t *dst) {
    const bool is_signed = dtype >= HR_INT8 && dtype <= HR_INT64;
    const uint32_t width_bytes = hr_dtype_bytes(dtype);
    const uint64_t most = dtype == HR_BOOL ? 1
                          : is_signed      ? (UINT64_C(1) << (8 * width_bytes - 1)) - !n->negative
                                           : UINT64_MAX >> (64 - 8 * width_bytes);
    if (n->too_large || n->digits > most || (!is_signed && n->negative && n->digits > 0))
        return "does not fit the dtype";
    uint8_t bytes[8];
    hr__put_u64(bytes, n->negative ? 0 - n->digits : n->digits);
    memcpy(dst, bytes, width_bytes);
    return NULL;
}

const char *hr__csv_store(const char *text, size_t n, hr_dtype dtype, locale_t locale,
                          uint8_t *dst) {
    const bool real = dtype == HR_FLOAT32 || dtype == HR_FLOAT64;
    struct number number;
    if (is_missing(text, n))
        return real ? store_real((double)NAN, dtype, dst)
                    : "is missing, which only float32 and float64 can say";
    const int sign = infinite(text, n);
    if (sign != 0)
        return real ? store_real(sign * (double)INFINITY, dtype, dst) : "does not fit the dtype";
    if (!parse(text, n, &number))
        return "is no number";
    if (!real && number.integer)
        return store_integer(&number, dtype, dst);
    const double value = real_of(text, n, &number, locale);
    if (isinf(value))
        return "does not fit float64";
    if (real)
        return store_real(value, dtype, dst);
    return whole_value(value, &number) ? store_integer(&number, dtype, dst) : "is no integer";
}
