/*
 * Raw binary files as sources: the caller says what one sample is, the file's size how many there
 * are.
 */
#include "checked.h"
#include "error.h"
#include "flat_source.h"

#include <string.h>

/* Sizes of one sample of the dtype and shape. */
static hr_status describe_sample(const char *dtype, const uint64_t *shape, uint32_t rank,
                                 struct hr__npy_header *out, hr_error *err) {
    if (dtype == NULL)
        return hr__error_set(err, HR_ERR_INVALID,
                             "the dtype of raw binary input must be given (such as \"float32\")");
    if (rank > HR_MAX_RANK)
        return hr__error_set(err, HR_ERR_INVALID,
                             "the shape of a sample has %u dimensions, at most %d are possible",
                             rank, HR_MAX_RANK);
    hr_status st = hr__numpy_dtype_parse(dtype, &out->element, err);
    if (st != HR_OK)
        return st;
    out->rank = rank;
    out->elements_per_sample = 1;
    bool fits = true;
    for (uint32_t i = 0; i < rank; i++) {
        out->shape[i] = shape[i];
        fits = fits && hr__mul_u64(out->elements_per_sample, shape[i], &out->elements_per_sample);
    }
    fits =
        fits && hr__mul_u64(out->elements_per_sample, out->element.width_bytes, &out->sample_bytes);
    if (!fits || out->sample_bytes == 0)
        return hr__error_set(err, HR_ERR_INVALID,
                             "one sample of raw binary input must have between 1 and 2^64 - 1 "
                             "bytes; with this dtype and shape it has %s",
                             fits ? "none" : "more");
    return HR_OK;
}

static hr_status count_samples(const char *path, const struct hr__input_file *file,
                               struct hr__npy_header *array, hr_error *err) {
    if (array->data_off > file->size_bytes)
        return hr__error_set(
            err, HR_ERR_CORRUPT, "%s has %llu bytes, fewer than the %llu that are to be skipped",
            path, (unsigned long long)file->size_bytes, (unsigned long long)array->data_off);
    array->data_bytes = file->size_bytes - array->data_off;
    array->num_samples = array->data_bytes / array->sample_bytes;
    uint64_t rest = array->data_bytes % array->sample_bytes;
    if (rest != 0)
        return hr__error_set(err, HR_ERR_CORRUPT,
                             "%s: its %llu bytes are %llu samples of %llu bytes and %llu bytes "
                             "more; check dtype, shape and bytes to skip, or whether it is cut off",
                             path, (unsigned long long)array->data_bytes,
                             (unsigned long long)array->num_samples,
                             (unsigned long long)array->sample_bytes, (unsigned long long)rest);
    return HR_OK;
}

hr_status hr__raw_source_open(const char *path, const char *dtype, const uint64_t *shape,
                              uint32_t rank, uint64_t skip_bytes, struct hr__source **out,
                              hr_error *err) {
    hr_status st;
    struct hr__input_file file = {0};
    struct hr__npy_header array = {.data_off = skip_bytes};
    char text_dtype[HR__NUMPY_DTYPE_BYTES];
    *out = NULL;
    HR_TRY(describe_sample(dtype, shape, rank, &array, err));
    HR_TRY(hr__input_file_open(path, &file, err));
    HR_TRY(count_samples(path, &file, &array, err));
    hr__numpy_dtype_print(HR_FIXED_UTF8, 0, array.element.width_bytes / 4, text_dtype);
    HR_TRY(hr__flat_source_make(path, &file, &array, array.element.ucs4 ? text_dtype : NULL, out,
                                err));
    (*out)->info.variant =
        skip_bytes << 5 | array.element.swap_bytes | (array.element.ucs4 ? 16u : 0u);
done:
    hr__input_file_close(&file);
    return st;
}
