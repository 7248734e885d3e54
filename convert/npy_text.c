/*
 * Literals in headers of .npy files.
 */
#include "npy_text.h"

#include "checked.h"
#include "dtype.h"
#include "error.h"
#include "utf8.h"

#include <stdio.h>
#include <string.h>

hr_status hr__npy_text_malformed(const struct hr__npy_text *t, const char *expected,
                                 hr_error *err) {
    char found[24] = "the end of the header";
    if (t->at < t->end) {
        uint8_t b = t->bytes[t->at];
        snprintf(found, sizeof found, b >= 0x20 && b < 0x7f ? "'%c'" : "byte 0x%02x", b);
    }
    return hr__error_at(err, HR_ERR_CORRUPT, t->at,
                        "the header is damaged: at byte %zu %s is expected, %s was found", t->at,
                        expected, found);
}

static void skip_space(struct hr__npy_text *t) {
    while (t->at < t->end && (t->bytes[t->at] == ' ' || t->bytes[t->at] == '\t' ||
                              t->bytes[t->at] == '\n' || t->bytes[t->at] == '\r'))
        t->at++;
}

uint8_t hr__npy_text_peek(struct hr__npy_text *t) {
    skip_space(t);
    return t->at < t->end ? t->bytes[t->at] : 0;
}

bool hr__npy_text_accept(struct hr__npy_text *t, char wanted) {
    if (hr__npy_text_peek(t) != (uint8_t)wanted)
        return false;
    t->at++;
    return true;
}

bool hr__npy_text_accept_word(struct hr__npy_text *t, const char *word) {
    size_t n = strlen(word);
    skip_space(t);
    if (t->end - t->at < n || memcmp(t->bytes + t->at, word, n) != 0)
        return false;
    t->at += n;
    return true;
}

/* ---- strings ---- */

static hr_status open_quote(struct hr__npy_text *t, uint8_t *quote, hr_error *err) {
    *quote = hr__npy_text_peek(t);
    if (*quote == 'u' || *quote == 'b') { /* as Python 2 wrote them */
        t->at++;
        *quote = t->at < t->end ? t->bytes[t->at] : 0;
    }
    if (*quote != '\'' && *quote != '"')
        return hr__npy_text_malformed(t, "a quoted string", err);
    t->at++;
    return HR_OK;
}

static hr_status close_quote(struct hr__npy_text *t, hr_error *err) {
    if (t->at == t->end)
        return hr__npy_text_malformed(t, "a closing quote", err);
    t->at++;
    return HR_OK;
}

hr_status hr__npy_text_string(struct hr__npy_text *t, char *out, size_t room, hr_error *err) {
    uint8_t quote;
    size_t n = 0;
    hr_status st = open_quote(t, &quote, err);
    if (st != HR_OK)
        return st;
    for (; t->at < t->end && t->bytes[t->at] != quote; t->at++) {
        uint8_t b = t->bytes[t->at];
        if (b < 0x20 || b >= 0x7f || b == '\\' || n + 1 >= room)
            return hr__npy_text_malformed(t, "a short string of plain characters", err);
        out[n++] = (char)b;
    }
    out[n] = '\0';
    return close_quote(t, err);
}

hr_status hr__npy_text_name(struct hr__npy_text *t, char *out, size_t room, hr_error *err) {
    uint8_t quote;
    size_t n = 0;
    hr_status st = open_quote(t, &quote, err);
    if (st != HR_OK)
        return st;
    for (; t->at < t->end && t->bytes[t->at] != quote; t->at++) {
        const uint8_t b = t->bytes[t->at];
        const bool two = t->latin1 && b >= 0x80;
        if (b < 0x20 || b == 0x7f || (two && b < 0xa0))
            return hr__npy_text_malformed(t, "a name of plain characters", err);
        if (b == '\\' || n + 2 >= room)
            return hr__error_at(err, HR_ERR_UNSUPPORTED, t->at,
                                "the name of a member %s; rename it (array.dtype.names)",
                                b == '\\' ? "has quotes, backslashes or control characters"
                                          : "is too long");
        if (two)
            out[n++] = (char)(0xc0 | b >> 6);
        out[n++] = two ? (char)(0x80 | (b & 0x3f)) : (char)b;
    }
    out[n] = '\0';
    if (!hr__utf8_valid(out, n))
        return hr__npy_text_malformed(t, "a name in UTF-8", err);
    return close_quote(t, err);
}

/* ---- numbers ---- */

static bool is_digit(const struct hr__npy_text *t) {
    return t->at < t->end && t->bytes[t->at] >= '0' && t->bytes[t->at] <= '9';
}

static hr_status read_length(struct hr__npy_text *t, uint64_t *out, hr_error *err) {
    uint64_t v = 0;
    skip_space(t);
    if (!is_digit(t))
        return hr__npy_text_malformed(t, "a length", err);
    for (; is_digit(t); t->at++) {
        if (!hr__mul_u64(v, 10, &v) || !hr__add_u64(v, (uint64_t)(t->bytes[t->at] - '0'), &v) ||
            v > INT64_MAX)
            return hr__npy_text_malformed(t, "a length below 2^63", err);
    }
    if (t->at < t->end && t->bytes[t->at] == 'L') /* a long integer of Python 2 */
        t->at++;
    *out = v;
    return HR_OK;
}

hr_status hr__npy_text_shape(struct hr__npy_text *t, uint64_t *lengths, uint32_t max_rank,
                             uint32_t *rank, hr_error *err) {
    bool comma = false;
    *rank = 0;
    if (!hr__npy_text_accept(t, '('))
        return hr__npy_text_malformed(t, "'(' of the shape", err);
    while (hr__npy_text_peek(t) != ')') {
        if (*rank > 0 && !comma)
            return hr__npy_text_malformed(t, "',' or ')'", err);
        if (*rank == max_rank)
            return hr__error_at(err, HR_ERR_UNSUPPORTED, t->at,
                                "the array has more than %u dimensions", max_rank);
        hr_status st = read_length(t, &lengths[*rank], err);
        if (st != HR_OK)
            return st;
        (*rank)++;
        comma = hr__npy_text_accept(t, ',');
    }
    if (*rank == 1 && !comma)
        return hr__npy_text_malformed(t, "',' behind the only length", err);
    t->at++;
    return HR_OK;
}
