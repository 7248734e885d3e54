/*
 * Headers of .npy files. Input is untrusted: the text is read by a strict parser for just the
 * Python dictionary that NumPy writes; nothing is evaluated.
 *
 * Invariants of the cursor
 *   1. at <= end <= the size of the header; bytes are read only below end.
 *   2. A function that returns HR_OK has moved `at` behind what it read.
 */
#include "npy_header.h"

#include "bytes.h"
#include "checked.h"
#include "error.h"

#include <stdio.h>
#include <string.h>

static const uint8_t magic[6] = {0x93, 'N', 'U', 'M', 'P', 'Y'};

struct cursor {
    const uint8_t *bytes; /* the whole header, from the magic on */
    size_t at, end;
};

/* What the dictionary said, before it is judged. */
struct dictionary {
    bool has_descr, has_fortran, has_shape;
    bool structured; /* descr is a list or tuple */
    char descr[sizeof((struct hr__npy_header *)0)->descr];
    bool fortran;
    uint32_t rank; /* of the array */
    uint64_t shape[HR_MAX_RANK + 1];
};

bool hr__npy_is(const uint8_t *bytes, size_t n_bytes) {
    return n_bytes >= sizeof magic && memcmp(bytes, magic, sizeof magic) == 0;
}

hr_status hr__npy_header_size(const uint8_t *bytes, size_t n_bytes, size_t *header_bytes,
                              hr_error *err) {
    if (!hr__npy_is(bytes, n_bytes))
        return hr__error_at(err, HR_ERR_CORRUPT, 0,
                            "this is no .npy file: it does not begin with \\x93NUMPY");
    if (n_bytes < 10 || (bytes[6] > 1 && n_bytes < 12))
        return hr__error_at(err, HR_ERR_CORRUPT, n_bytes,
                            "the file is cut off inside its header, after %zu bytes; copy or save "
                            "it again",
                            n_bytes);
    if (bytes[6] < 1 || bytes[6] > 3 || bytes[7] != 0)
        return hr__error_at(err, HR_ERR_UNSUPPORTED, 6,
                            "version %u.%u of .npy is not known here (1.0, 2.0 and 3.0 are); save "
                            "it with numpy.save",
                            bytes[6], bytes[7]);
    uint64_t size = bytes[6] == 1 ? 10 + (uint64_t)hr__get_u16(bytes + 8)
                                  : 12 + (uint64_t)hr__get_u32(bytes + 8);
    if (size > HR__NPY_MAX_HEADER_BYTES)
        return hr__error_at(err, HR_ERR_UNSUPPORTED, 8,
                            "the header says that it has %llu bytes; at most %u are read",
                            (unsigned long long)size, HR__NPY_MAX_HEADER_BYTES);
    *header_bytes = (size_t)size;
    return HR_OK;
}

static hr_status malformed(const struct cursor *c, const char *expected, hr_error *err) {
    char found[24] = "the end of the header";
    if (c->at < c->end) {
        uint8_t b = c->bytes[c->at];
        snprintf(found, sizeof found, b >= 0x20 && b < 0x7f ? "'%c'" : "byte 0x%02x", b);
    }
    return hr__error_at(err, HR_ERR_CORRUPT, c->at,
                        "the header is damaged: at byte %zu %s is expected, %s was found", c->at,
                        expected, found);
}

static void skip_space(struct cursor *c) {
    while (c->at < c->end && (c->bytes[c->at] == ' ' || c->bytes[c->at] == '\t' ||
                              c->bytes[c->at] == '\n' || c->bytes[c->at] == '\r'))
        c->at++;
}

/* The next byte that is no space, or 0 at the end. */
static uint8_t peek(struct cursor *c) {
    skip_space(c);
    return c->at < c->end ? c->bytes[c->at] : 0;
}

static bool accept(struct cursor *c, char wanted) {
    if (peek(c) != (uint8_t)wanted)
        return false;
    c->at++;
    return true;
}

static bool accept_word(struct cursor *c, const char *word) {
    size_t n = strlen(word);
    skip_space(c);
    if (c->end - c->at < n || memcmp(c->bytes + c->at, word, n) != 0)
        return false;
    c->at += n;
    return true;
}

/* A string of printable ASCII without escapes, in either kind of quotes. */
static hr_status read_string(struct cursor *c, char *out, size_t room, hr_error *err) {
    uint8_t quote = peek(c);
    if (quote == 'u' || quote == 'b') { /* as Python 2 wrote them */
        c->at++;
        quote = c->at < c->end ? c->bytes[c->at] : 0;
    }
    if (quote != '\'' && quote != '"')
        return malformed(c, "a quoted string", err);
    c->at++;
    size_t n = 0;
    for (; c->at < c->end && c->bytes[c->at] != quote; c->at++) {
        uint8_t b = c->bytes[c->at];
        if (b < 0x20 || b >= 0x7f || b == '\\' || n + 1 >= room)
            return malformed(c, "a short string of plain characters", err);
        out[n++] = (char)b;
    }
    if (c->at == c->end)
        return malformed(c, "a closing quote", err);
    c->at++;
    out[n] = '\0';
    return HR_OK;
}

static hr_status read_descr(struct cursor *c, struct dictionary *d, hr_error *err) {
    uint8_t first = peek(c);
    if (first != '[' && first != '(')
        return read_string(c, d->descr, sizeof d->descr, err);
    d->structured = true;
    return HR_OK;
}

static hr_status read_fortran(struct cursor *c, struct dictionary *d, hr_error *err) {
    if (accept_word(c, "True"))
        d->fortran = true;
    else if (accept_word(c, "False"))
        d->fortran = false;
    else
        return malformed(c, "True or False", err);
    return HR_OK;
}

static hr_status read_length(struct cursor *c, uint64_t *out, hr_error *err) {
    skip_space(c);
    if (c->at == c->end || c->bytes[c->at] < '0' || c->bytes[c->at] > '9')
        return malformed(c, "a length", err);
    uint64_t v = 0;
    for (; c->at < c->end && c->bytes[c->at] >= '0' && c->bytes[c->at] <= '9'; c->at++) {
        if (!hr__mul_u64(v, 10, &v) || !hr__add_u64(v, (uint64_t)(c->bytes[c->at] - '0'), &v) ||
            v > INT64_MAX)
            return malformed(c, "a length below 2^63", err);
    }
    if (c->at < c->end && c->bytes[c->at] == 'L') /* a long integer of Python 2 */
        c->at++;
    *out = v;
    return HR_OK;
}

static hr_status read_shape(struct cursor *c, struct dictionary *d, hr_error *err) {
    if (!accept(c, '('))
        return malformed(c, "'(' of the shape", err);
    bool comma = false;
    d->rank = 0;
    while (peek(c) != ')') {
        if (d->rank > 0 && !comma)
            return malformed(c, "',' or ')'", err);
        if (d->rank > HR_MAX_RANK)
            return hr__error_at(err, HR_ERR_UNSUPPORTED, c->at,
                                "the array has more than %d dimensions", HR_MAX_RANK + 1);
        hr_status st = read_length(c, &d->shape[d->rank], err);
        if (st != HR_OK)
            return st;
        d->rank++;
        comma = accept(c, ',');
    }
    if (d->rank == 1 && !comma)
        return malformed(c, "',' behind the only length", err);
    c->at++;
    return HR_OK;
}

static hr_status read_pair(struct cursor *c, struct dictionary *d, hr_error *err) {
    size_t key_at = (peek(c), c->at);
    char key[16];
    hr_status st = read_string(c, key, sizeof key, err);
    if (st != HR_OK)
        return st;
    bool *seen = NULL;
    hr_status (*read)(struct cursor *, struct dictionary *, hr_error *) = NULL;
    if (strcmp(key, "descr") == 0)
        seen = &d->has_descr, read = read_descr;
    else if (strcmp(key, "fortran_order") == 0)
        seen = &d->has_fortran, read = read_fortran;
    else if (strcmp(key, "shape") == 0)
        seen = &d->has_shape, read = read_shape;
    if (seen == NULL || *seen) {
        c->at = key_at;
        return malformed(c, "each of the keys descr, fortran_order and shape once", err);
    }
    *seen = true;
    if (!accept(c, ':'))
        return malformed(c, "':' behind a key", err);
    return read(c, d, err);
}

static hr_status read_dictionary(struct cursor *c, struct dictionary *d, hr_error *err) {
    if (!accept(c, '{'))
        return malformed(c, "'{'", err);
    while (!accept(c, '}')) {
        hr_status st = read_pair(c, d, err);
        if (st != HR_OK || d->structured)
            return st;
        if (!accept(c, ',') && peek(c) != '}')
            return malformed(c, "',' or '}'", err);
    }
    if (!d->has_descr || !d->has_fortran || !d->has_shape)
        return malformed(c, "a dictionary with descr, fortran_order and shape", err);
    skip_space(c);
    if (c->at != c->end)
        return malformed(c, "nothing but spaces behind '}'", err);
    return HR_OK;
}

/* In which order the elements lie is the same for C and Fortran. */
static bool order_matters(const struct dictionary *d) {
    uint32_t longer_axes = 0;
    for (uint32_t i = 0; i < d->rank; i++) {
        if (d->shape[i] == 0)
            return false;
        longer_axes += d->shape[i] > 1;
    }
    return longer_axes > 1;
}

static hr_status check_array(const struct dictionary *d, hr_error *err) {
    if (d->structured)
        return hr__error_set(err, HR_ERR_UNSUPPORTED,
                             "the array is structured (several named values in each element); save "
                             "each of them as an array of its own (array['name'])");
    if (d->rank == 0)
        return hr__error_set(err, HR_ERR_UNSUPPORTED,
                             "the array has no dimensions, so there is no axis of samples; save it "
                             "with one (array.reshape(1))");
    return HR_OK;
}

static hr_status measure(const struct dictionary *d, struct hr__npy_header *out, hr_error *err) {
    out->num_samples = d->shape[0];
    out->rank = d->rank - 1;
    out->elements_per_sample = 1;
    bool fits = true;
    for (uint32_t i = 0; i < out->rank; i++) {
        out->shape[i] = d->shape[i + 1];
        fits =
            fits && hr__mul_u64(out->elements_per_sample, out->shape[i], &out->elements_per_sample);
    }
    fits = fits &&
           hr__mul_u64(out->elements_per_sample, out->element.width_bytes, &out->sample_bytes) &&
           hr__mul_u64(out->sample_bytes, out->num_samples, &out->data_bytes) &&
           out->data_bytes <= INT64_MAX - HR__NPY_MAX_HEADER_BYTES;
    if (!fits)
        return hr__error_set(err, HR_ERR_CORRUPT,
                             "the header is damaged: its shape stands for more than 2^63 bytes");
    return HR_OK;
}

hr_status hr__npy_header_parse(const uint8_t *bytes, size_t n_bytes, struct hr__npy_header *out,
                               hr_error *err) {
    hr_status st;
    struct cursor c = {.bytes = bytes};
    struct dictionary d = {0};
    *out = (struct hr__npy_header){0};
    HR_TRY(hr__npy_header_size(bytes, n_bytes, &c.end, err));
    if (c.end > n_bytes) {
        st = hr__error_at(err, HR_ERR_CORRUPT, n_bytes,
                          "the file is cut off inside its header: %zu bytes were found, %zu are "
                          "expected; copy or save it again",
                          n_bytes, c.end);
        goto done;
    }
    c.at = bytes[6] == 1 ? 10 : 12;
    HR_TRY(read_dictionary(&c, &d, err));
    HR_TRY(check_array(&d, err));
    HR_TRY(hr__numpy_dtype_parse(d.descr, &out->element, err));
    HR_TRY(measure(&d, out, err));
    out->data_off = c.end;
    out->fortran = d.fortran && order_matters(&d);
    memcpy(out->descr, d.descr, sizeof out->descr);
done:
    return st;
}

size_t hr__npy_header_print(const char *descr, uint64_t num_samples, const uint64_t *shape,
                            uint32_t rank, uint8_t *out, size_t room) {
    char text[128 + 24 * (HR_MAX_RANK + 1)];
    size_t n = (size_t)snprintf(text, sizeof text,
                                "{'descr': '%.48s', 'fortran_order': False, 'shape': (%llu,", descr,
                                (unsigned long long)num_samples);
    for (uint32_t i = 0; i < rank && i < HR_MAX_RANK; i++)
        n += (size_t)snprintf(text + n, sizeof text - n, " %llu%s", (unsigned long long)shape[i],
                              i + 1 < rank ? "," : "");
    n += (size_t)snprintf(text + n, sizeof text - n, "), }");
    size_t total = (size_t)hr__round_up(10 + n + 1, 64); /* at most 1 KiB: version 1.0 is enough */
    if (total > room)
        return total;
    memcpy(out, magic, sizeof magic);
    out[6] = 1;
    out[7] = 0;
    hr__put_u16(out + 8, (uint16_t)(total - 10));
    memcpy(out + 10, text, n);
    memset(out + 10 + n, ' ', total - 10 - n);
    out[total - 1] = '\n';
    return total;
}
