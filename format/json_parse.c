/*
 * Reading JSON (RFC 8259; docs/format.md, 7.1). Texts are untrusted. The tree is jansson's, its
 * parser is not: that one ends the process by an assertion where memory runs out inside a token.
 *
 * Invariants:
 *  1. a reader that has failed has either said what is wrong with the text, or run out of memory;
 *  2. recursion goes no deeper than HR__JSON_MAX_DEPTH + 1 calls.
 */
#define _GNU_SOURCE /* strtod_l */
#include "dtype.h"
#include "error.h"
#include "json_text.h"
#include "schema.h" /* HR__MAX_JSON_BYTES */

#include <errno.h>
#include <locale.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define MAX_NUMBER_BYTES 512u

struct reader {
    const char *text, *at, *end;
    char *scratch;     /* one decoded string: never longer than the text */
    locale_t c_locale; /* the program's own may write numbers with a comma */
    const char *wrong; /* what is wrong at `at` */
    int depth;
};

static json_t *value_read(struct reader *r);

static json_t *wrong(struct reader *r, const char *what) {
    if (r->wrong == NULL)
        r->wrong = what;
    return NULL;
}

static void skip_space(struct reader *r) {
    while (r->at < r->end && (*r->at == ' ' || *r->at == '\n' || *r->at == '\r' || *r->at == '\t'))
        r->at++;
}

/* Takes c, after space. */
static bool take(struct reader *r, char c) {
    skip_space(r);
    if (r->at == r->end || *r->at != c)
        return false;
    r->at++;
    return true;
}

static bool hex4_read(struct reader *r, uint32_t *out) {
    *out = 0;
    if (r->end - r->at < 4)
        return false;
    for (int i = 0; i < 4; i++) {
        char c = *r->at++;
        uint32_t digit = c >= '0' && c <= '9'   ? (uint32_t)(c - '0')
                         : c >= 'a' && c <= 'f' ? (uint32_t)(c - 'a' + 10)
                         : c >= 'A' && c <= 'F' ? (uint32_t)(c - 'A' + 10)
                                                : 16;
        if (digit == 16)
            return false;
        *out = *out << 4 | digit;
    }
    return true;
}

static size_t utf8_encode(uint32_t c, char *out) {
    if (c < 0x80) {
        out[0] = (char)c;
        return 1;
    }
    size_t n = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    for (size_t i = n - 1; i > 0; i--, c >>= 6)
        out[i] = (char)(0x80 | (c & 0x3f));
    out[0] = (char)((0xf00 >> n & 0xff) | c);
    return n;
}

/* After "\u": one character, of two escapes where they are a surrogate pair. 0: it is wrong. */
static uint32_t unicode_read(struct reader *r) {
    uint32_t c, low;
    if (!hex4_read(r, &c) || (c >= 0xdc00 && c < 0xe000))
        return 0;
    if (c < 0xd800 || c >= 0xe000)
        return c;
    if (r->end - r->at < 2 || r->at[0] != '\\' || r->at[1] != 'u')
        return 0;
    r->at += 2;
    if (!hex4_read(r, &low) || low < 0xdc00 || low >= 0xe000)
        return 0;
    return 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
}

/* After the backslash. The number of bytes at out, 0: it is wrong. */
static size_t escape_read(struct reader *r, char *out) {
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    if (r->at == r->end)
        return 0;
    char c = *r->at++;
    const char *known = c != '\0' ? strchr(from, c) : NULL;
    if (known != NULL) {
        *out = to[known - from];
        return 1;
    }
    uint32_t character = c == 'u' ? unicode_read(r) : 0; /* U+0000 is wrong: C strings end there */
    return character != 0 ? utf8_encode(character, out) : 0;
}

/* After the opening quote. */
static json_t *string_read(struct reader *r) {
    size_t n = 0;
    for (;;) {
        if (r->at == r->end)
            return wrong(r, "a text without its closing quote");
        unsigned char c = (unsigned char)*r->at++;
        if (c == '"')
            break;
        if (c < 0x20)
            return wrong(r, "a control character in a text");
        size_t taken = 1;
        if (c == '\\')
            taken = escape_read(r, r->scratch + n);
        else
            r->scratch[n] = (char)c;
        if (taken == 0)
            return wrong(r, "an invalid escape");
        n += taken;
    }
    if (!hr__utf8_valid(r->scratch, n))
        return wrong(r, "a text that is not UTF-8");
    return json_stringn_nocheck(r->scratch, n);
}

static size_t digits_skip(const char *p, size_t at, size_t n) {
    while (at < n && p[at] >= '0' && p[at] <= '9')
        at++;
    return at;
}

/* Length of the number at the reader, 0: none. *real: it has a fraction or an exponent. */
static size_t number_length(const struct reader *r, bool *real) {
    const char *p = r->at;
    size_t n = (size_t)(r->end - r->at), at = n > 0 && p[0] == '-', from = at;
    *real = false;
    at = digits_skip(p, at, n);
    if (at == from || (p[from] == '0' && at > from + 1))
        return 0;
    if (at < n && p[at] == '.') {
        *real = true;
        from = at + 1;
        at = digits_skip(p, from, n);
        if (at == from)
            return 0;
    }
    if (at < n && (p[at] == 'e' || p[at] == 'E')) {
        *real = true;
        from = at + 1;
        from += from < n && (p[from] == '+' || p[from] == '-');
        at = digits_skip(p, from, n);
        if (at == from)
            return 0;
    }
    return at;
}

static json_t *number_read(struct reader *r) {
    char text[MAX_NUMBER_BYTES];
    bool real;
    size_t n = number_length(r, &real);
    if (n == 0 || n >= sizeof(text))
        return wrong(r, n == 0 ? "no JSON value" : "a number that is too long");
    memcpy(text, r->at, n);
    text[n] = 0;
    if (real) {
        double v = strtod_l(text, NULL, r->c_locale);
        if (!isfinite(v))
            return wrong(r, "a number that is too large");
        r->at += n;
        return json_real(v);
    }
    errno = 0;
    long long v = strtoll(text, NULL, 10);
    if (errno == ERANGE)
        return wrong(r, "an integer that is too large; it is written as a text");
    r->at += n;
    return json_integer(v);
}

/* One member of an object; false with the reader failed. */
static bool member_read(struct reader *r, json_t *object) {
    json_t *key = take(r, '"') ? string_read(r) : wrong(r, "no key where one must be");
    const char *name = json_string_value(key);
    bool ok = false;
    if (key == NULL)
        return false;
    if (json_object_get(object, name) != NULL)
        wrong(r, "a duplicate key");
    else if (!take(r, ':'))
        wrong(r, "no colon after a key");
    else
        ok = json_object_set_new_nocheck(object, name, value_read(r)) == 0;
    json_decref(key);
    return ok;
}

/* Members or entries up to the closing bracket; false with the reader failed. */
static bool entries_read(struct reader *r, json_t *container) {
    bool is_object = json_is_object(container);
    char close = is_object ? '}' : ']';
    if (take(r, close))
        return true;
    do {
        bool ok = is_object ? member_read(r, container)
                            : json_array_append_new(container, value_read(r)) == 0;
        if (!ok)
            return false;
    } while (take(r, ','));
    if (take(r, close))
        return true;
    wrong(r, "neither a comma nor a closing bracket");
    return false;
}

/* After the opening bracket. */
static json_t *container_read(struct reader *r, json_t *container) {
    bool ok = container != NULL;
    if (++r->depth > HR__JSON_MAX_DEPTH) {
        wrong(r, "nesting deeper than 64 levels");
        ok = false;
    }
    ok = ok && entries_read(r, container);
    r->depth--;
    if (ok)
        return container;
    json_decref(container);
    return NULL;
}

static bool word(struct reader *r, const char *text) {
    size_t n = strlen(text);
    if ((size_t)(r->end - r->at) < n || memcmp(r->at, text, n) != 0)
        return false;
    r->at += n;
    return true;
}

static json_t *value_read(struct reader *r) {
    if (take(r, '{'))
        return container_read(r, json_object());
    if (take(r, '['))
        return container_read(r, json_array());
    if (take(r, '"'))
        return string_read(r);
    if (word(r, "true"))
        return json_true();
    if (word(r, "false"))
        return json_false();
    if (word(r, "null"))
        return json_null();
    return number_read(r);
}

static hr_status describe(const struct reader *r, hr_error *err) {
    size_t line = 1, column = 1;
    for (const char *p = r->text; p < r->at; p++) {
        column = *p == '\n' ? 1 : column + 1;
        line += *p == '\n';
    }
    return hr__error_set(err, HR_ERR_CORRUPT, "its JSON is invalid at line %zu, column %zu: %s",
                         line, column, r->wrong);
}

hr_status hr__json_parse_value(const char *text, size_t n_bytes, json_t **out, hr_error *err) {
    struct reader r = {.text = text, .at = text, .end = text + n_bytes};
    hr_status st = HR_OK;
    json_t *json = NULL;
    *out = NULL;
    if (n_bytes > HR__MAX_JSON_BYTES)
        return hr__error_set(err, HR_ERR_CORRUPT, "its JSON has %zu bytes, at most %llu", n_bytes,
                             (unsigned long long)HR__MAX_JSON_BYTES);
    r.scratch = malloc(n_bytes + 1);
    r.c_locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    if (r.scratch != NULL && r.c_locale != (locale_t)0)
        json = value_read(&r);
    skip_space(&r);
    if (json != NULL && r.at != r.end)
        wrong(&r, "something behind its end");
    if (r.wrong != NULL)
        st = describe(&r, err);
    else if (json == NULL)
        st = hr__error_no_memory(err, n_bytes, "JSON");
    if (r.c_locale != (locale_t)0)
        freelocale(r.c_locale);
    free(r.scratch);
    if (st == HR_OK)
        *out = json;
    else
        json_decref(json);
    return st;
}

hr_status hr__json_parse(const char *text, size_t n_bytes, json_t **out, hr_error *err) {
    hr_status st = hr__json_parse_value(text, n_bytes, out, err);
    if (st != HR_OK || json_is_object(*out))
        return st;
    json_decref(*out);
    *out = NULL;
    return hr__error_set(err, HR_ERR_CORRUPT, "its JSON is not an object");
}
