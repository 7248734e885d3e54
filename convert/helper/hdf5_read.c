/*
 * Rows of one data set, or of one sparse matrix, into shared memory. The file is untrusted, and so
 * is what is asked for.
 */
#include "checked.h"
#include "hdf5_direct.h"
#include "hdf5_sparse.h"
#include "hdf5_values_read.h"
#include "slots.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static hr_status check_memory(struct h5_reader *r, const struct hr__helper_message *open,
                              uint64_t others_bytes, hr_error *err) {
    /* Values of variable length are in memory once more, where HDF5 makes them, and in its heap. */
    const uint64_t num_slots =
        HR__HELPER_NUM_SLOTS + ((r->is.field.flags & HR__HELPER_VARIABLE) != 0 ? 3 : 0);
    const uint64_t limit_bytes = open->memory_bytes;
    uint64_t all = 0, chunk;
    bool fits = hr__mul_u64(r->is.field.chunk_bytes, 2, &chunk) &&
                hr__add_u64(chunk, open->cache_bytes, &chunk) &&
                hr__add_u64(chunk, r->slot_bytes * num_slots, &r->needed_bytes) &&
                hr__add_u64(r->needed_bytes, others_bytes, &all) &&
                hr__add_u64(all, HR__HELPER_BASE_BYTES, &all);
    if (limit_bytes == 0 || (fits && all <= limit_bytes))
        return HR_OK;
    return hr__error_set(
        err, HR_ERR_HELPER,
        "reading it needs %" PRIu64 " MiB in a helper, which may use %" PRIu64
        " MiB; allow a helper more memory%s",
        hr__ceil_div(fits ? all : UINT64_MAX, UINT64_C(1) << 20), limit_bytes >> 20,
        r->is.field.chunk_bytes == 0 ? "" : ", or write it anew with smaller chunks (h5repack -l)");
}

static hr_status open_sparse(struct h5_reader *r, const char *rest, hr_error *err) {
    if (rest[0] != '\0' || h5_sparse_find(r->dataset) == H5_SPARSE_NONE)
        return hr__error_set(err, HR_ERR_NOT_FOUND, "it is no data set");
    r->sparse = calloc(1, sizeof *r->sparse);
    if (r->sparse == NULL)
        return hr__error_no_memory(err, sizeof *r->sparse, "a sparse matrix");
    hr_status st = h5_sparse_open(&r->file, r->dataset, r->sparse, err);
    r->is.field = r->sparse->field;
    return st;
}

/* One of the two fields of what the rows of a matrix hold. */
static hr_status open_row_values(struct h5_reader *r, const char *member, hr_error *err) {
    const char *slash = strrchr(member, '/'), *name = slash != NULL ? slash + 1 : member;
    const char *rest = "";
    char group[HR__HELPER_PATH_BYTES + 1] = "";
    if (slash != NULL)
        (void)snprintf(group, sizeof group, "%.*s", (int)(slash - member), member);
    hr_status st = h5_walk(&r->file, r->file.file, group, &r->dataset, &rest, err);
    if (st == HR_OK)
        st = open_sparse(r, rest, err);
    if (st != HR_OK)
        return st;
    r->sparse->read_columns = strcmp(name, "indices") == 0;
    r->is.field = h5_sparse_values_field(r->sparse, r->sparse->read_columns ? &r->sparse->columns
                                                                            : &r->sparse->values);
    return HR_OK;
}

static hr_status open_member(struct h5_reader *r, const struct hr__helper_message *open,
                             hr_error *err) {
    const bool records = (open->flags & HR__HELPER_RECORDS) != 0;
    const char *rest = "";
    hr_status st = h5_walk(&r->file, r->file.file, open->member, &r->dataset, &rest, err);
    if (st != HR_OK)
        return st;
    return H5Iget_type(r->dataset) != H5I_DATASET ? open_sparse(r, rest, err)
           : records ? h5_describe_records(&r->file, r->dataset, rest, &r->is, err)
                     : h5_describe(&r->file, r->dataset, rest, &r->is, err);
}

hr_status h5_reader_open(struct h5_reader *r, const struct hr__helper_message *open, int fd,
                         uint64_t others_bytes, hr_error *err) {
    bool follow = (open->flags & HR__HELPER_FOLLOW_EXTERNAL) != 0;
    uint64_t cache_chunks = open->cache_bytes >> 12; /* few chunks are smaller than 4 KiB */
    hr_status st = slots_map(fd, open->slot_bytes, &r->shared, err);
    r->slot_bytes = open->slot_bytes;
    if (st == HR_OK)
        st = h5_file_open(&r->file, open->path, follow, open->cache_bytes, cache_chunks, err);
    if (st == HR_OK)
        st = (open->flags & HR__HELPER_ROW_VALUES) != 0 ? open_row_values(r, open->member, err)
                                                        : open_member(r, open, err);
    if (st == HR_OK)
        st = check_memory(r, open, others_bytes, err);
    if (st == HR_OK && r->is.leaf.variable)
        return h5_values_open(r, err);
    if (st == HR_OK && r->sparse == NULL)
        r->direct = h5_direct_open(r->dataset, &r->is, open->cache_bytes);
    return st;
}

void h5_reader_close(struct h5_reader *r) {
    h5_values_close(r->values);
    h5_direct_close(r->direct);
    if (r->sparse != NULL)
        h5_sparse_close(r->sparse);
    else
        h5_leaf_close(&r->is.leaf);
    free(r->sparse);
    (void)H5Oclose(r->dataset);
    h5_file_close(&r->file);
    slots_unmap(r->shared, r->slot_bytes);
}

/* False: HDF5 is to read them, and all others. */
static bool read_direct(struct h5_reader *r, uint64_t first, uint64_t n, uint8_t *dst,
                        hr_status *st, hr_error *err) {
    if (r->direct == NULL)
        return false;
    *st = h5_direct_read(r->direct, first, n, dst, err);
    if (*st == HR_ERR_UNSUPPORTED) {
        h5_direct_close(r->direct);
        r->direct = NULL;
    } else if (*st != HR_OK) {
        hr__error_prefix(err, "samples %" PRIu64 " to %" PRIu64 " cannot be read", first,
                         first + n - 1);
    }
    return r->direct != NULL;
}

static hr_status read_rows(struct h5_reader *r, uint64_t first, uint64_t n, void *dst,
                           hr_error *err) {
    hsize_t start[HR_MAX_RANK + 1] = {first}, count[HR_MAX_RANK + 1] = {n};
    for (int i = 1; i < r->is.rank; i++)
        count[i] = r->is.field.shape[i - 1];
    struct h5_hyperslab slab;
    hr_status st = HR_OK;
    if (!h5_hyperslab_open(r->dataset, r->is.rank, start, count, &slab) ||
        H5Dread(r->dataset, r->is.leaf.memory_type, slab.memory_space, slab.file_space, H5P_DEFAULT,
                dst) < 0)
        st = h5_error(err, HR_ERR_CORRUPT, "samples %" PRIu64 " to %" PRIu64 " cannot be read",
                      first, first + n - 1);
    h5_hyperslab_close(&slab);
    return st;
}

static hr_status read_fixed(struct h5_reader *r, uint32_t slot, uint64_t first, uint64_t n,
                            hr_error *err) {
    uint64_t bytes;
    hr_status st = HR_OK;
    if (!hr__mul_u64(n, r->is.field.sample_bytes, &bytes) || bytes > r->slot_bytes)
        return hr__error_set(err, HR_ERR_INVALID, "rows that do not fit were asked for");
    uint8_t *dst = r->shared + slot * r->slot_bytes;
    if (r->sparse != NULL)
        return h5_sparse_read(r->sparse, first, n, dst, err);
    if (read_direct(r, first, n, dst, &st, err))
        return st;
    if (r->is.leaves_holes) /* else the rows before would show through */
        memset(dst, 0, (size_t)bytes);
    return read_rows(r, first, n, dst, err);
}

hr_status h5_reader_read(struct h5_reader *r, uint32_t slot, uint64_t first, uint64_t *n,
                         hr_error *err) {
    if (r->shared == NULL || *n == 0 || !hr__range_within(first, *n, r->is.field.num_samples))
        return hr__error_set(err, HR_ERR_INVALID, "rows that do not exist were asked for");
    if (r->values != NULL)
        return h5_values_read(r, slot, first, n, err);
    if ((r->is.field.flags & HR__HELPER_VARIABLE) != 0)
        return h5_sparse_values_read(r->sparse, first, n, r->shared + slot * r->slot_bytes,
                                     r->slot_bytes, err);
    return read_fixed(r, slot, first, *n, err);
}
