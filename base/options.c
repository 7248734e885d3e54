/*
 * Options and results of callers who may be older or newer than this library.
 */
#include "options.h"

#include "bytes.h"
#include "checked.h"
#include "error.h"

#include <string.h>

/* No version will add more than this: a larger struct_bytes was never set. */
#define MOST_UNKNOWN_BYTES ((size_t)4096)

static uint32_t struct_bytes_of(const void *s) {
    uint32_t n_bytes = 0;
    if (s != NULL)
        memcpy(&n_bytes, s, sizeof(n_bytes));
    return n_bytes;
}

static hr_status check_size(uint32_t given_bytes, size_t least_bytes, size_t known_bytes,
                            const char *name, hr_error *err) {
    if (given_bytes >= least_bytes && given_bytes <= known_bytes + MOST_UNKNOWN_BYTES)
        return HR_OK;
    return hr__error_set(err, HR_ERR_INVALID,
                         "%s is missing or not initialised: struct_bytes is %u, expected %zu", name,
                         given_bytes, known_bytes);
}

hr_status hr__options_copy(const void *opts, size_t least_bytes, void *out, size_t known_bytes,
                           const char *name, hr_error *err) {
    uint32_t given_bytes = struct_bytes_of(opts), known = (uint32_t)known_bytes;
    hr_status st = check_size(given_bytes, least_bytes, known_bytes, name, err);
    if (st != HR_OK)
        return st;
    if (given_bytes > known_bytes &&
        !hr__is_zero((const uint8_t *)opts + known_bytes, given_bytes - known_bytes))
        return hr__error_set(err, HR_ERR_INVALID,
                             "%s has %u bytes with options that this version does not know; it "
                             "knows %zu; leave them zero, or use a newer library",
                             name, given_bytes, known_bytes);
    memcpy(out, opts, hr__min_u64(given_bytes, known_bytes));
    memcpy(out, &known, sizeof(known));
    return HR_OK;
}

hr_status hr__options_copy_entry(const void *entries, uint32_t i, size_t least_bytes, void *out,
                                 size_t known_bytes, const char *name, hr_error *err) {
    const uint32_t stride_bytes = struct_bytes_of(entries);
    const uint8_t *entry = (const uint8_t *)entries + (size_t)i * stride_bytes;
    if (struct_bytes_of(entry) != stride_bytes)
        return hr__error_set(err, HR_ERR_INVALID,
                             "entry %u of the array of %s has another struct_bytes than the "
                             "first, which has %u; initialise all alike",
                             i, name, stride_bytes);
    return hr__options_copy(entry, least_bytes, out, known_bytes, name, err);
}

hr_status hr__result_check(const void *to, size_t least_bytes, size_t known_bytes, const char *name,
                           hr_error *err) {
    return check_size(struct_bytes_of(to), least_bytes, known_bytes, name, err);
}

void hr__result_copy(void *to, const void *from, size_t known_bytes) {
    uint32_t given_bytes = struct_bytes_of(to);
    memcpy(to, from, hr__min_u64(given_bytes, known_bytes));
    if (given_bytes > known_bytes)
        memset((uint8_t *)to + known_bytes, 0, given_bytes - known_bytes);
    memcpy(to, &given_bytes, sizeof(given_bytes));
}
