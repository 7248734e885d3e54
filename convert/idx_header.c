/*
 * Headers of IDX files.
 */
#include "idx_header.h"

#include "checked.h"
#include "error.h"
#include "name_ending.h"

#include <string.h>
#include <strings.h>

#define PREFIX_BYTES 4u

static const struct {
    uint8_t code;
    hr_dtype dtype;
} types[] = {{0x08, HR_UINT8}, {0x09, HR_INT8},    {0x0b, HR_INT16},
             {0x0c, HR_INT32}, {0x0d, HR_FLOAT32}, {0x0e, HR_FLOAT64}};

static bool find_type(uint8_t code, struct hr__element *out) {
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
        if (types[i].code == code) {
            const uint32_t width_bytes = hr_dtype_bytes(types[i].dtype);
            *out = (struct hr__element){.dtype = types[i].dtype,
                                        .width_bytes = width_bytes,
                                        .swap_bytes = width_bytes > 1 ? width_bytes : 0};
            return true;
        }
    return false;
}

bool hr__idx_is(const uint8_t *bytes, size_t n_bytes) {
    struct hr__element element;
    return n_bytes >= PREFIX_BYTES && bytes[0] == 0 && bytes[1] == 0 && bytes[3] >= 1 &&
           find_type(bytes[2], &element);
}

static uint32_t size_at(const uint8_t *bytes, uint32_t dimension) {
    uint32_t size;
    memcpy(&size, bytes + PREFIX_BYTES + 4 * (size_t)dimension, sizeof size);
    return __builtin_bswap32(size);
}

static hr_status check_prefix(const uint8_t *bytes, size_t n_bytes, struct hr__element *element,
                              hr_error *err) {
    if (n_bytes < PREFIX_BYTES || bytes[0] != 0 || bytes[1] != 0)
        return hr__error_at(err, HR_ERR_CORRUPT, 0,
                            "this is no IDX file: it does not begin with two zero bytes, a type "
                            "and the number of dimensions; copy or save it again");
    if (!find_type(bytes[2], element))
        return hr__error_at(err, HR_ERR_UNSUPPORTED, 2,
                            "the type 0x%02x of an IDX file is unknown; 0x08, 0x09, 0x0b, 0x0c, "
                            "0x0d and 0x0e are known",
                            bytes[2]);
    if (bytes[3] < 1 || bytes[3] > HR_MAX_RANK + 1)
        return hr__error_at(err, HR_ERR_UNSUPPORTED, 3,
                            "an IDX file of %u dimensions cannot be converted: the first is that "
                            "of samples, and a sample has at most %d",
                            bytes[3], HR_MAX_RANK);
    if (n_bytes < PREFIX_BYTES + 4 * (size_t)bytes[3])
        return hr__error_at(err, HR_ERR_CORRUPT, n_bytes,
                            "the file is cut off inside its header: %zu bytes were found, %zu are "
                            "expected; copy or save it again",
                            n_bytes, PREFIX_BYTES + 4 * (size_t)bytes[3]);
    return HR_OK;
}

hr_status hr__idx_header_parse(const uint8_t *bytes, size_t n_bytes, struct hr__npy_header *out,
                               hr_error *err) {
    *out = (struct hr__npy_header){0};
    const hr_status st = check_prefix(bytes, n_bytes, &out->element, err);
    if (st != HR_OK)
        return st;
    out->rank = bytes[3] - 1u;
    out->num_samples = size_at(bytes, 0);
    out->elements_per_sample = 1;
    bool fits = true;
    for (uint32_t i = 0; i < out->rank; i++) {
        out->shape[i] = size_at(bytes, i + 1);
        fits =
            fits && hr__mul_u64(out->elements_per_sample, out->shape[i], &out->elements_per_sample);
    }
    fits = fits &&
           hr__mul_u64(out->elements_per_sample, out->element.width_bytes, &out->sample_bytes) &&
           hr__mul_u64(out->sample_bytes, out->num_samples, &out->data_bytes) &&
           out->data_bytes <= INT64_MAX - HR__IDX_MAX_HEADER_BYTES;
    if (!fits)
        return hr__error_at(err, HR_ERR_CORRUPT, PREFIX_BYTES,
                            "the header is damaged: its sizes stand for more than 2^63 bytes");
    out->data_off = PREFIX_BYTES + 4 * (uint64_t)bytes[3];
    return HR_OK;
}

size_t hr__idx_name_base(const char *name) {
    static const char mark[] = "idx0-ubyte";
    const size_t n = strlen(name), k = sizeof mark - 1;
    if (hr__name_ends(name, ".idx"))
        return n - 4;
    if (n < k + 2 || !hr__name_ends(name, "-ubyte"))
        return n;
    const char *at = name + n - k;
    const bool marked = strncasecmp(at, "idx", 3) == 0 && at[3] >= '0' && at[3] <= '9' &&
                        (at[-1] == '-' || at[-1] == '.' || at[-1] == '_');
    return marked ? n - k - 1 : n;
}
