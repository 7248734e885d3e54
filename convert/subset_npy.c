/*
 * A subset by a .npy file of indices, which is untrusted: it is read in blocks, and never held.
 */
#include "source.h"
#include "subset.h"

#include "checked.h"
#include "error.h"

#define BLOCK_INDICES 4096u

static hr_status check_array(const struct hr__source_info *info, hr_error *err) {
    if (info->rank == 0 && (info->dtype == HR_INT64 || info->dtype == HR_UINT64))
        return HR_OK;
    return hr__error_set(err, HR_ERR_UNSUPPORTED,
                         "%s has %u dimension%s of %s, expected one of int64; save the indices of "
                         "samples by numpy.save(FILE, indices.astype('int64'))",
                         info->path, info->rank + 1, info->rank > 0 ? "s" : "",
                         hr_dtype_name(info->dtype));
}

static hr_status add_blocks(struct hr__subset_maker *m, const struct hr__source *src,
                            struct hr__source_reader *reader, hr_error *err) {
    uint64_t block[BLOCK_INDICES];
    const uint64_t n = src->info.num_samples;
    for (uint64_t at = 0; at < n; at += BLOCK_INDICES) {
        const uint64_t count = hr__min_u64(BLOCK_INDICES, n - at);
        hr_status st = src->ops->read(reader, at, count, block, err);
        if (st != HR_OK)
            return st;
        st = hr__subset_add_list(m, block, count, err);
        if (st != HR_OK) {
            hr__error_prefix(err, "%s", src->info.path);
            return st;
        }
    }
    return HR_OK;
}

hr_status hr_subset_from_npy(const hr_dataset *ds, const char *path, hr_subset **out,
                             hr_error *err) {
    struct hr__source *src = NULL;
    struct hr__source_reader *reader = NULL;
    struct hr__subset_maker m = {0};
    hr_status st;
    if (out != NULL)
        *out = NULL;
    if (ds == NULL || path == NULL || out == NULL)
        return hr__error_set(err, HR_ERR_INVALID,
                             "hr_subset_from_npy: ds, path and out must not be NULL");
    HR_TRY(hr__npy_plain_source_open(path, &src, err));
    HR_TRY(check_array(&src->info, err));
    if (src->info.num_samples == 0) {
        st = hr__subset_empty(ds, err);
        hr__error_prefix(err, "%s", path);
        goto done;
    }
    HR_TRY(src->ops->open_reader(src, NULL, NULL, &reader, err));
    HR_TRY(hr__subset_begin(ds, src->info.num_samples, UINT64_MAX, &m, err));
    HR_TRY(add_blocks(&m, src, reader, err));
    *out = hr__subset_finish(&m);
done:
    hr__subset_abandon(&m);
    if (src != NULL) {
        src->ops->close_reader(reader);
        src->ops->close(src);
    }
    return st;
}
