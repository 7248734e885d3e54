/*
 * Element values between NumPy's form and the canonical one. The values are untrusted.
 */
#include "numpy_elements.h"

#include "bytes.h"
#include "dtype.h"
#include "error.h"
#include "utf8.h"

#include <string.h>

static void swap2(uint8_t *p, uint64_t n) {
    for (uint64_t i = 0; i < n; i++) {
        uint16_t v;
        memcpy(&v, p + 2 * i, 2);
        v = __builtin_bswap16(v);
        memcpy(p + 2 * i, &v, 2);
    }
}

static void swap4(uint8_t *p, uint64_t n) {
    for (uint64_t i = 0; i < n; i++) {
        uint32_t v;
        memcpy(&v, p + 4 * i, 4);
        v = __builtin_bswap32(v);
        memcpy(p + 4 * i, &v, 4);
    }
}

static void swap8(uint8_t *p, uint64_t n) {
    for (uint64_t i = 0; i < n; i++) {
        uint64_t v;
        memcpy(&v, p + 8 * i, 8);
        v = __builtin_bswap64(v);
        memcpy(p + 8 * i, &v, 8);
    }
}

static void swap(uint8_t *p, uint64_t n_bytes, uint32_t unit_bytes) {
    if (unit_bytes == 2)
        swap2(p, n_bytes / 2);
    else if (unit_bytes == 4)
        swap4(p, n_bytes / 4);
    else if (unit_bytes == 8)
        swap8(p, n_bytes / 8);
}

static hr_status check_bools(const uint8_t *p, uint64_t n, uint64_t per_sample, uint64_t first,
                             hr_error *err) {
    uint8_t all = 0;
    for (uint64_t i = 0; i < n; i++)
        all |= p[i];
    if (all <= 1)
        return HR_OK;
    uint64_t bad = 0;
    while (p[bad] <= 1)
        bad++;
    return hr__error_set(err, HR_ERR_DATA,
                         "sample %llu has the bool byte %u where only 0 and 1 are allowed; repair "
                         "it, or save the array as uint8",
                         (unsigned long long)(first + bad / per_sample), p[bad]);
}

static bool is_code_point(uint32_t c) {
    return c <= 0x10ffff && (c < 0xd800 || c > 0xdfff);
}

static size_t put_utf8(uint8_t *out, uint32_t c) {
    if (c < 0x80) {
        out[0] = (uint8_t)c;
        return 1;
    }
    if (c < 0x800) {
        out[0] = (uint8_t)(0xc0 | c >> 6);
        out[1] = (uint8_t)(0x80 | (c & 0x3f));
        return 2;
    }
    if (c < 0x10000) {
        out[0] = (uint8_t)(0xe0 | c >> 12);
        out[1] = (uint8_t)(0x80 | (c >> 6 & 0x3f));
        out[2] = (uint8_t)(0x80 | (c & 0x3f));
        return 3;
    }
    out[0] = (uint8_t)(0xf0 | c >> 18);
    out[1] = (uint8_t)(0x80 | (c >> 12 & 0x3f));
    out[2] = (uint8_t)(0x80 | (c >> 6 & 0x3f));
    out[3] = (uint8_t)(0x80 | (c & 0x3f));
    return 4;
}

/* A code point takes at most its own 4 bytes, so writing never overtakes reading. */
static bool element_to_utf8(uint8_t *p, uint32_t width_bytes, uint32_t *bad) {
    size_t end = 0;
    for (uint32_t i = 0; i < width_bytes; i += 4) {
        uint32_t c = hr__get_u32(p + i);
        if (!is_code_point(c)) {
            *bad = c;
            return false;
        }
        end += put_utf8(p + end, c);
    }
    memset(p + end, 0, width_bytes - end);
    return true;
}

static hr_status ucs4_to_utf8(const struct hr__element *e, uint8_t *p, uint64_t n,
                              uint64_t per_sample, uint64_t first, hr_error *err) {
    for (uint64_t i = 0; i < n; i++) {
        uint32_t bad;
        if (!element_to_utf8(p + i * e->width_bytes, e->width_bytes, &bad))
            return hr__error_set(err, HR_ERR_DATA,
                                 "sample %llu has 0x%x in its text, which is no Unicode character "
                                 "(%s); repair the text",
                                 (unsigned long long)(first + i / per_sample), bad,
                                 bad <= 0xdfff ? "half of a surrogate pair" : "above 0x10ffff");
    }
    return HR_OK;
}

hr_status hr__elements_to_canonical(const struct hr__element *e, void *data, uint64_t num_samples,
                                    uint64_t elements_per_sample, uint64_t first_sample,
                                    hr_error *err) {
    uint64_t n = num_samples * elements_per_sample;
    if (n == 0 || e->width_bytes == 0)
        return HR_OK;
    if (e->swap_bytes != 0)
        swap(data, n * e->width_bytes, e->swap_bytes);
    if (e->dtype == HR_BOOL)
        return check_bools(data, n, elements_per_sample, first_sample, err);
    if (e->ucs4)
        return ucs4_to_utf8(e, data, n, elements_per_sample, first_sample, err);
    return HR_OK;
}

/* The text is known to be well-formed. */
static size_t get_utf8(const uint8_t *p, uint32_t *c) {
    if (p[0] < 0x80) {
        *c = p[0];
        return 1;
    }
    if (p[0] < 0xe0) {
        *c = (p[0] & 0x1fu) << 6 | (p[1] & 0x3fu);
        return 2;
    }
    if (p[0] < 0xf0) {
        *c = (p[0] & 0x0fu) << 12 | (p[1] & 0x3fu) << 6 | (p[2] & 0x3fu);
        return 3;
    }
    *c = (p[0] & 0x07u) << 18 | (p[1] & 0x3fu) << 12 | (p[2] & 0x3fu) << 6 | (p[3] & 0x3fu);
    return 4;
}

static hr_status element_to_ucs4(const uint8_t *src, uint32_t width_bytes, uint32_t num_chars,
                                 uint8_t *dst, hr_error *err) {
    size_t end = width_bytes;
    while (end > 0 && src[end - 1] == 0)
        end--;
    if (!hr__utf8_valid(src, end))
        return hr__error_set(err, HR_ERR_DATA, "the text is not UTF-8");
    uint32_t k = 0;
    for (size_t i = 0; i < end; k++) {
        uint32_t c;
        i += get_utf8(src + i, &c);
        if (k >= num_chars)
            return hr__error_set(err, HR_ERR_DATA, "the text has more than %u characters",
                                 num_chars);
        hr__put_u32(dst + 4 * (size_t)k, c);
    }
    memset(dst + 4 * (size_t)k, 0, 4 * (size_t)(num_chars - k));
    return HR_OK;
}

hr_status hr__utf8_to_ucs4(const uint8_t *src, uint64_t num_elements, uint32_t width_bytes,
                           uint32_t num_chars, uint8_t *dst, hr_error *err) {
    for (uint64_t i = 0; i < num_elements; i++) {
        hr_status st = element_to_ucs4(src + i * width_bytes, width_bytes, num_chars,
                                       dst + i * 4 * num_chars, err);
        if (st != HR_OK)
            return st;
    }
    return HR_OK;
}
