/*
 * Elements as text.
 */
#include "value_text.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MOST_QUOTED 200u /* bytes of output, so that the end and its "..." have room */

/* What tells a floating-point type's numbers apart. */
typedef struct precision {
    int bits;          /* of the significand */
    int least_power;   /* the smallest number is two to it */
    int most_digits;   /* that are ever needed */
    uint64_t nan_bits; /* of the usual NaN, without its sign */
} precision;

static precision precision_of(hr_dtype dtype) {
    switch (dtype) {
    case HR_FLOAT16:
        return (precision){11, -24, 5, 0x7e00};
    case HR_BFLOAT16:
        return (precision){8, -133, 4, 0x7fc0};
    case HR_FLOAT32:
    case HR_COMPLEX64:
        return (precision){24, -149, 9, 0x7fc00000};
    default:
        return (precision){53, -1074, 17, UINT64_C(0x7ff8000000000000)};
    }
}

static uint64_t load(const void *p, size_t n_bytes) {
    const uint8_t *bytes = p;
    uint64_t v = 0;
    for (size_t i = n_bytes; i > 0; i--) {
        v = v << 8 | bytes[i - 1];
    }
    return v;
}

static double float_of_bits(uint32_t bits) {
    float f;
    memcpy(&f, &bits, sizeof f);
    return (double)f;
}

static double half_of_bits(uint16_t bits) {
    const int exponent = bits >> 10 & 31, fraction = bits & 1023;
    const double size = exponent == 31  ? (fraction != 0 ? NAN : INFINITY)
                        : exponent == 0 ? ldexp(fraction, -24)
                                        : ldexp(1024 + fraction, exponent - 25);
    return (bits & 0x8000) != 0 ? -size : size;
}

static double double_of_bits(uint64_t bits) {
    double d;
    memcpy(&d, &bits, sizeof d);
    return d;
}

static double sign_extended(uint64_t bits, unsigned n_bytes) {
    const unsigned up = 64 - 8 * n_bytes;
    return (double)((int64_t)(bits << up) >> up);
}

uint32_t value_width(const hr_field *field) {
    const uint32_t own = hr_dtype_bytes(field->dtype);
    return own != 0 ? own : field->width_bytes;
}

/* Bytes of a number; of a complex one, of each part. */
static uint32_t part_bytes(hr_dtype dtype) {
    const bool complex = dtype == HR_COMPLEX64 || dtype == HR_COMPLEX128;
    return hr_dtype_bytes(dtype) / (complex ? 2 : 1);
}

double value_real(hr_dtype dtype, const void *element, int part) {
    const uint32_t n_bytes = part_bytes(dtype);
    const uint64_t bits = load((const uint8_t *)element + (size_t)part * n_bytes, n_bytes);
    switch (dtype) {
    case HR_FLOAT16:
        return half_of_bits((uint16_t)bits);
    case HR_BFLOAT16:
        return float_of_bits((uint32_t)bits << 16);
    case HR_FLOAT32:
    case HR_COMPLEX64:
        return float_of_bits((uint32_t)bits);
    case HR_FLOAT64:
    case HR_COMPLEX128:
        return double_of_bits(bits);
    case HR_INT8:
    case HR_INT16:
    case HR_INT32:
    case HR_INT64:
        return sign_extended(bits, n_bytes);
    default:
        return (double)bits;
    }
}

/* Fewest digits that no other number of the type is nearer to. */
static void print_finite(double value, precision p, int most_digits, char *out, size_t room) {
    int exponent = 0;
    const double half = frexp(value, &exponent);
    const int power = exponent - p.bits > p.least_power ? exponent - p.bits : p.least_power;
    const double step = ldexp(fabs(half) == 0.5 ? 0.5 : 1, power); /* to the nearer neighbour */
    const int most = most_digits < p.most_digits ? most_digits : p.most_digits;
    int digits = 1;
    for (; digits <= most; digits++) {
        snprintf(out, room, "%.*e", digits - 1, value);
        if (fabs(strtod(out, NULL) - value) * 2 < step || strtod(out, NULL) == value) {
            break;
        }
    }
    digits = digits > most ? most : digits;
    const char *e = strchr(out, 'e');
    const int ten = e != NULL ? (int)strtol(e + 1, NULL, 10) : 0;
    if (ten >= -4 && ten < 16) { /* as Python writes them: 430.0, not 4.3e+02 */
        const int decimals = digits - 1 - ten;
        snprintf(out, room, "%.*f", decimals > 1 ? decimals : 1, value);
    }
}

static void print_real(hr_dtype dtype, const void *element, int part, int most_digits, char *out,
                       size_t room) {
    const precision p = precision_of(dtype);
    const uint32_t n_bytes = part_bytes(dtype);
    const uint64_t bits = load((const uint8_t *)element + (size_t)part * n_bytes, n_bytes);
    const double value = value_real(dtype, element, part);
    if (isfinite(value)) {
        print_finite(value, p, most_digits, out, room);
    } else if (!isnan(value)) {
        snprintf(out, room, "%s", value < 0 ? "-inf" : "inf");
    } else if (bits == p.nan_bits) {
        snprintf(out, room, "nan");
    } else {
        snprintf(out, room, "nan(0x%0*" PRIx64 ")", (int)n_bytes * 2, bits);
    }
}

static void print_complex(hr_dtype dtype, const void *element, int most_digits, char *out,
                          size_t room) {
    char real[48], imaginary[48];
    print_real(dtype, element, 0, most_digits, real, sizeof real);
    print_real(dtype, element, 1, most_digits, imaginary, sizeof imaginary);
    snprintf(out, room, "%s%s%sj", real, imaginary[0] == '-' ? "" : "+", imaginary);
}

/* Length of the character that begins here and may be shown, 0 for a byte that is to be escaped:
 * no UTF-8, a control character, or one that changes the direction of what stands beside it. */
static size_t shown_bytes(const uint8_t *p, size_t n) {
    const size_t length = p[0] < 0xc2 ? 0 : p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : p[0] < 0xf5 ? 4 : 0;
    if (length == 0 || length > n) {
        return 0;
    }
    uint32_t c = p[0] & (0x7fu >> length);
    for (size_t i = 1; i < length; i++) {
        if ((p[i] & 0xc0) != 0x80) {
            return 0;
        }
        c = c << 6 | (p[i] & 0x3f);
    }
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    const bool hidden = (c >= 0x80 && c < 0xa0) || c == 0xad || c == 0x61c || c == 0xfeff ||
                        (c >= 0x200b && c <= 0x200f) || (c >= 0x2028 && c <= 0x202e) ||
                        (c >= 0x2060 && c <= 0x206f) || (c >= 0xe0000 && c <= 0xe0fff) ||
                        (c >= 0xfff0 && c <= 0xfffb);
    const bool none = c < least[length] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff);
    return hidden || none ? 0 : length;
}

static size_t print_byte(uint8_t c, char *out, size_t room) {
    static const char named[] = "\\\\\"\"\nn\tt\rr";
    for (size_t i = 0; i + 1 < sizeof named; i += 2) {
        if (named[i] == (char)c) {
            return (size_t)snprintf(out, room, "\\%c", named[i + 1]);
        }
    }
    return (size_t)snprintf(out, room, c >= 0x20 && c < 0x7f ? "%c" : "\\x%02x", c);
}

static size_t without_padding(const uint8_t *p, size_t n) {
    while (n > 0 && p[n - 1] == 0) {
        n--;
    }
    return n;
}

static void print_quoted(const uint8_t *p, size_t n, const char *before, bool utf8, char *out,
                         size_t room) {
    size_t used = (size_t)snprintf(out, room, "%s\"", before), at = 0;
    while (at < n && used < MOST_QUOTED) {
        const size_t length = utf8 ? shown_bytes(p + at, n - at) : 0;
        if (length > 0) {
            memcpy(out + used, p + at, length);
            used += length;
            at += length;
        } else {
            used += print_byte(p[at++], out + used, room - used);
        }
    }
    snprintf(out + used, room - used, "\"%s", at < n ? "..." : "");
}

value_text value_text_of(hr_dtype dtype, uint32_t width_bytes, const void *element, bool utf8,
                         int most_digits) {
    value_text v = {.text = ""};
    const uint64_t bits = load(element, part_bytes(dtype));
    switch (dtype) {
    case HR_FIXED_BYTES:
        width_bytes = (uint32_t)without_padding(element, width_bytes);
        print_quoted(element, width_bytes, "b", false, v.text, sizeof v.text);
        break;
    case HR_FIXED_UTF8:
        width_bytes = (uint32_t)without_padding(element, width_bytes);
        print_quoted(element, width_bytes, "", utf8, v.text, sizeof v.text);
        break;
    case HR_VAR_BYTES:
        print_quoted(element, width_bytes, "b", false, v.text, sizeof v.text);
        break;
    case HR_VAR_UTF8:
        print_quoted(element, width_bytes, "", utf8, v.text, sizeof v.text);
        break;
    case HR_COMPLEX64:
    case HR_COMPLEX128:
        print_complex(dtype, element, most_digits, v.text, sizeof v.text);
        break;
    case HR_FLOAT16:
    case HR_BFLOAT16:
    case HR_FLOAT32:
    case HR_FLOAT64:
        print_real(dtype, element, 0, most_digits, v.text, sizeof v.text);
        break;
    case HR_INT8:
    case HR_INT16:
    case HR_INT32:
    case HR_INT64: {
        const unsigned up = 64 - 8 * part_bytes(dtype);
        snprintf(v.text, sizeof v.text, "%" PRId64, (int64_t)(bits << up) >> up);
        break;
    }
    default:
        if (dtype == HR_BOOL && bits <= 1) {
            snprintf(v.text, sizeof v.text, "%s", bits == 1 ? "True" : "False");
        } else {
            snprintf(v.text, sizeof v.text, "%" PRIu64, bits);
        }
    }
    return v;
}
