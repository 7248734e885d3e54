/*
 * Headers of .npy files. Input is untrusted: the text is read by a strict parser for just the
 * Python dictionary that NumPy writes.
 */
#include "npy_header.h"

#include "bytes.h"
#include "checked.h"
#include "error.h"

#include <stdio.h>
#include <string.h>

static const uint8_t magic[6] = {0x93, 'N', 'U', 'M', 'P', 'Y'};

/* What the dictionary said, before it is judged. */
struct dictionary {
    bool has_descr, has_fortran, has_shape;
    size_t members_at;     /* of a list instead of descr; 0: there is none */
    uint32_t record_bytes; /* of its members */
    char descr[sizeof((struct hr__npy_header *)0)->descr];
    bool fortran;
    uint32_t rank; /* of the array */
    uint64_t shape[HR_MAX_RANK + 1];
};

static bool is_latin1(const uint8_t *bytes) {
    return bytes[6] < 3;
}

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

static hr_status read_descr(struct hr__npy_text *t, struct dictionary *d, hr_error *err) {
    if (hr__npy_text_peek(t) != '[')
        return hr__npy_text_string(t, d->descr, sizeof d->descr, err);
    d->members_at = t->at;
    return hr__npy_members_read(t, NULL, NULL, &d->record_bytes, err);
}

static hr_status read_fortran(struct hr__npy_text *t, struct dictionary *d, hr_error *err) {
    if (hr__npy_text_accept_word(t, "True"))
        d->fortran = true;
    else if (hr__npy_text_accept_word(t, "False"))
        d->fortran = false;
    else
        return hr__npy_text_malformed(t, "True or False", err);
    return HR_OK;
}

static hr_status read_shape(struct hr__npy_text *t, struct dictionary *d, hr_error *err) {
    return hr__npy_text_shape(t, d->shape, HR_MAX_RANK + 1, &d->rank, err);
}

static hr_status read_pair(struct hr__npy_text *t, struct dictionary *d, hr_error *err) {
    size_t key_at = (hr__npy_text_peek(t), t->at);
    char key[16];
    hr_status st = hr__npy_text_string(t, key, sizeof key, err);
    if (st != HR_OK)
        return st;
    bool *seen = NULL;
    hr_status (*read)(struct hr__npy_text *, struct dictionary *, hr_error *) = NULL;
    if (strcmp(key, "descr") == 0)
        seen = &d->has_descr, read = read_descr;
    else if (strcmp(key, "fortran_order") == 0)
        seen = &d->has_fortran, read = read_fortran;
    else if (strcmp(key, "shape") == 0)
        seen = &d->has_shape, read = read_shape;
    if (seen == NULL || *seen) {
        t->at = key_at;
        return hr__npy_text_malformed(t, "each of the keys descr, fortran_order and shape once",
                                      err);
    }
    *seen = true;
    if (!hr__npy_text_accept(t, ':'))
        return hr__npy_text_malformed(t, "':' behind a key", err);
    return read(t, d, err);
}

static hr_status read_dictionary(struct hr__npy_text *t, struct dictionary *d, hr_error *err) {
    if (!hr__npy_text_accept(t, '{'))
        return hr__npy_text_malformed(t, "'{'", err);
    while (!hr__npy_text_accept(t, '}')) {
        hr_status st = read_pair(t, d, err);
        if (st != HR_OK)
            return st;
        if (!hr__npy_text_accept(t, ',') && hr__npy_text_peek(t) != '}')
            return hr__npy_text_malformed(t, "',' or '}'", err);
    }
    if (!d->has_descr || !d->has_fortran || !d->has_shape)
        return hr__npy_text_malformed(t, "a dictionary with descr, fortran_order and shape", err);
    (void)hr__npy_text_peek(t);
    if (t->at != t->end)
        return hr__npy_text_malformed(t, "nothing but spaces behind '}'", err);
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
    if (d->members_at != 0 && d->record_bytes == 0)
        return hr__error_set(err, HR_ERR_UNSUPPORTED,
                             "the array is structured, and its records have no bytes; save one "
                             "with members that hold something");
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
    struct hr__npy_text t = {.bytes = bytes};
    struct dictionary d = {0};
    *out = (struct hr__npy_header){0};
    HR_TRY(hr__npy_header_size(bytes, n_bytes, &t.end, err));
    if (t.end > n_bytes) {
        st = hr__error_at(err, HR_ERR_CORRUPT, n_bytes,
                          "the file is cut off inside its header: %zu bytes were found, %zu are "
                          "expected; copy or save it again",
                          n_bytes, t.end);
        goto done;
    }
    t.at = bytes[6] == 1 ? 10 : 12;
    t.latin1 = is_latin1(bytes);
    HR_TRY(read_dictionary(&t, &d, err));
    HR_TRY(check_array(&d, err));
    out->element = (struct hr__element){.dtype = HR_FIXED_BYTES, .width_bytes = d.record_bytes};
    if (d.members_at == 0)
        HR_TRY(hr__numpy_dtype_parse(d.descr, &out->element, err));
    HR_TRY(measure(&d, out, err));
    out->members_at = d.members_at;
    out->data_off = t.end;
    out->fortran = d.fortran && order_matters(&d);
    memcpy(out->descr, d.descr, sizeof out->descr);
done:
    return st;
}

hr_status hr__npy_header_members(const uint8_t *bytes, const struct hr__npy_header *header,
                                 hr__npy_member_found found, void *arg, hr_error *err) {
    struct hr__npy_text t = {.bytes = bytes,
                             .at = header->members_at,
                             .end = (size_t)header->data_off,
                             .latin1 = is_latin1(bytes)};
    uint32_t record_bytes;
    return hr__npy_members_read(&t, found, arg, &record_bytes, err);
}

hr_status hr__npy_refuse_order(hr_error *err) {
    return hr__error_set(err, HR_ERR_UNSUPPORTED,
                         "a structured array is read in C order along its first axis only; save it "
                         "so (numpy.ascontiguousarray), or each member as an array of its own");
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
