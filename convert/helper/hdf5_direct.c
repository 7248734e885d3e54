/*
 * Chunks read as they are stored, and decoded here: by a faster inflater than HDF5's, and straight
 * into the rows that were asked for, where a chunk lies in them as a whole.
 *
 * Which data sets: chunked, of filters that chunk_pipeline.h undoes, whose type in the file is the
 * one in memory bit for bit. All of it is untrusted.
 *
 * Invariants:
 * 1. All sizes of the data set were checked by h5_describe(): those of a chunk, of a row of chunks
 *    and of a sample are sizes.
 * 2. Each read covers all axes but the first. So a row of chunks, those that share samples, is
 *    needed as a whole or not at all, and is kept as a whole.
 */
#include "hdf5_direct.h"

#include "checked.h"
#include "chunk_pipeline.h"
#include "strided_copy.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define NO_ROW UINT64_MAX

struct h5_direct {
    hid_t dataset;
    int rank;
    hsize_t dims[HR_MAX_RANK], chunk[HR_MAX_RANK];
    uint64_t element_bytes, sample_bytes;
    uint8_t *fill; /* one element; NULL: zeros */
    struct chunk_pipeline pipeline;
    struct chunk_unpacker unpacker;
    uint8_t *kept; /* a row of chunks; NULL: there may be none */
    uint64_t kept_row;
};

/* The samples of a read that lie in one row of chunks. */
struct strip {
    uint64_t first, n;
    uint8_t *dst; /* of the first */
};

/* --- which data sets ------------------------------------------------------------------------ */

static bool take_filters(struct h5_direct *d, hid_t plist) {
    const int n = H5Pget_nfilters(plist);
    for (unsigned i = 0; n > 0 && i < (unsigned)n; i++) {
        unsigned flags = 0, config = 0, values[8] = {0};
        size_t num_values = sizeof values / sizeof *values;
        H5Z_filter_t filter =
            H5Pget_filter2(plist, i, &flags, &num_values, values, 0, NULL, &config);
        if (!chunk_pipeline_add(&d->pipeline, filter, values, num_values))
            return false;
    }
    return n > 0;
}

static bool take_fill(struct h5_direct *d, hid_t plist, const struct h5_described *is) {
    if (is->leaves_holes)
        return true;
    d->fill = calloc(1, (size_t)d->element_bytes);
    if (d->fill == NULL || H5Pget_fill_value(plist, is->leaf.memory_type, d->fill) < 0)
        return false;
    for (uint64_t i = 0; i < d->element_bytes; i++)
        if (d->fill[i] != 0)
            return true;
    free(d->fill);
    d->fill = NULL;
    return true;
}

static bool take_shape(struct h5_direct *d, hid_t plist) {
    hid_t space = H5Dget_space(d->dataset);
    bool known = space >= 0 && H5Sget_simple_extent_ndims(space) == d->rank &&
                 H5Sget_simple_extent_dims(space, d->dims, NULL) == d->rank &&
                 H5Pget_chunk(plist, HR_MAX_RANK, d->chunk) == d->rank;
    if (space >= 0)
        (void)H5Sclose(space);
    return known;
}

/* Samples and chunks are as large as those of the file: of records all members are read. */
static bool sizes_agree(const struct h5_direct *d, const struct h5_described *is) {
    uint64_t sample_bytes = d->element_bytes, chunk_bytes = d->element_bytes * d->chunk[0];
    for (int i = 1; i < d->rank; i++) {
        sample_bytes *= d->dims[i];
        chunk_bytes *= d->chunk[i];
    }
    return d->dims[0] == is->field.num_samples && sample_bytes == is->field.sample_bytes &&
           chunk_bytes == is->field.chunk_bytes;
}

static bool same_type(const struct h5_described *is, hid_t type) {
    return type >= 0 && H5Tequal(type, is->leaf.memory_type) > 0;
}

/* Of chunks that stick out of the data set, HDF5 may be told to leave the filters out. */
static bool edges_are_filtered(hid_t plist) {
    unsigned opts = 0;
    return H5Pget_chunk_opts(plist, &opts) >= 0 && opts == 0;
}

static bool take_dataset(struct h5_direct *d, const struct h5_described *is, hid_t plist,
                         hid_t type) {
    if (H5Pget_layout(plist) != H5D_CHUNKED || !edges_are_filtered(plist) || !same_type(is, type))
        return false;
    d->element_bytes = H5Tget_size(type);
    return d->element_bytes > 0 && take_shape(d, plist) && sizes_agree(d, is) &&
           take_filters(d, plist) && take_fill(d, plist, is);
}

static bool make_room(struct h5_direct *d, const struct h5_described *is, uint64_t cache_bytes) {
    const uint64_t row_bytes = is->field.chunk_row_bytes;
    if (!chunk_unpacker_open(&d->unpacker, is->field.chunk_bytes))
        return false;
    if (cache_bytes == 0)
        return true;
    d->kept = cache_bytes >= row_bytes ? malloc((size_t)row_bytes) : NULL;
    return d->kept != NULL;
}

struct h5_direct *h5_direct_open(hid_t dataset, const struct h5_described *is,
                                 uint64_t cache_bytes) {
    struct h5_direct *d = calloc(1, sizeof *d);
    if (d == NULL)
        return NULL;
    d->dataset = dataset;
    d->rank = is->rank;
    d->sample_bytes = is->field.sample_bytes;
    d->kept_row = NO_ROW;
    hid_t plist = H5Dget_create_plist(dataset), type = H5Dget_type(dataset);
    const bool growing = (is->field.flags & HR__HELPER_GROWING) != 0;
    bool usable = plist >= 0 && !growing && d->sample_bytes > 0 &&
                  take_dataset(d, is, plist, type) && make_room(d, is, cache_bytes);
    if (plist >= 0)
        (void)H5Pclose(plist);
    if (type >= 0)
        (void)H5Tclose(type);
    (void)H5Eclear2(H5E_DEFAULT);
    if (!usable) {
        h5_direct_close(d);
        return NULL;
    }
    return d;
}

void h5_direct_close(struct h5_direct *d) {
    if (d == NULL)
        return;
    chunk_unpacker_close(&d->unpacker);
    free(d->fill);
    free(d->kept);
    free(d);
}

/* --- chunks --------------------------------------------------------------------------------- */

static const uint8_t *fill_chunk(const struct h5_direct *d, uint8_t *out) {
    const uint64_t n_bytes = d->unpacker.chunk_bytes;
    if (d->fill == NULL) {
        memset(out, 0, (size_t)n_bytes);
        return out;
    }
    memcpy(out, d->fill, (size_t)d->element_bytes);
    for (uint64_t done = d->element_bytes; done < n_bytes;) {
        const uint64_t more = hr__min_u64(done, n_bytes - done);
        memcpy(out + done, out, (size_t)more);
        done += more;
    }
    return out;
}

/* *stored_bytes: 0 where it was never written, which HDF5 1.10 takes for an error that differs from
 * others by its words alone: where they are other ones, H5Dread() reads the rows.
 * H5Dget_chunk_info_by_coord() takes it for none, but goes through all chunks for each one. */
static bool find_chunk(const struct h5_direct *d, const hsize_t *at, hsize_t *stored_bytes) {
    *stored_bytes = 0;
    bool found = H5Dget_chunk_storage_size(d->dataset, at, stored_bytes) >= 0 ||
                 h5_error_is("chunk storage is not allocated");
    (void)H5Eclear2(H5E_DEFAULT);
    return found;
}

/* The chunk whose first element is at `at`, decoded. out: where to, or NULL. *where: the bytes,
 * until the next call. */
static hr_status decode(struct h5_direct *d, const hsize_t *at, uint8_t *out, const uint8_t **where,
                        hr_error *err) {
    hsize_t stored_bytes = 0;
    uint32_t mask = 0;
    if (!find_chunk(d, at, &stored_bytes))
        return hr__error_set(err, HR_ERR_UNSUPPORTED, "a chunk cannot be found");
    if (stored_bytes == 0) {
        *where = fill_chunk(d, out != NULL ? out : d->unpacker.buffers[0]);
        return HR_OK;
    }
    if (stored_bytes > d->unpacker.room_bytes)
        return hr__error_set(err, HR_ERR_UNSUPPORTED, "a chunk is stored in %" PRIu64 " bytes",
                             (uint64_t)stored_bytes);
    if (H5Dread_chunk(d->dataset, H5P_DEFAULT, at, &mask, d->unpacker.buffers[0]) < 0)
        return h5_error(err, HR_ERR_CORRUPT, "a chunk of sample %" PRIu64 " cannot be read",
                        (uint64_t)at[0]);
    *where = chunk_unpack(&d->unpacker, &d->pipeline, mask, stored_bytes, out);
    if (*where == NULL)
        return hr__error_set(err, HR_ERR_CORRUPT,
                             "a chunk of sample %" PRIu64 " is damaged: its %" PRIu64
                             " bytes do not inflate to %" PRIu64
                             ", or have another checksum; copy the file again",
                             (uint64_t)at[0], (uint64_t)stored_bytes, d->unpacker.chunk_bytes);
    return HR_OK;
}

/* The next chunk of the same row; false: there is none. */
static bool step(const struct h5_direct *d, hsize_t *at) {
    for (int i = d->rank - 1; i > 0; i--) {
        at[i] += d->chunk[i];
        if (at[i] < d->dims[i])
            return true;
        at[i] = 0;
    }
    return false;
}

/* One chunk holds all of its samples, as they lie in memory. */
static bool holds_samples(const struct h5_direct *d) {
    for (int i = 1; i < d->rank; i++)
        if (d->chunk[i] != d->dims[i])
            return false;
    return true;
}

/* What a decoded chunk has of the strip. */
static void place(const struct h5_direct *d, const hsize_t *at, const uint8_t *chunk,
                  const struct strip *s) {
    struct hr__strided_axis axes[HR_MAX_RANK];
    uint64_t from = d->element_bytes, to = d->element_bytes, off = 0;
    for (int i = d->rank - 1; i > 0; i--) {
        axes[i] = (struct hr__strided_axis){
            .n = hr__min_u64(d->chunk[i], d->dims[i] - at[i]), .from = from, .to = to};
        off += at[i] * to;
        from *= d->chunk[i];
        to *= d->dims[i];
    }
    axes[0] = (struct hr__strided_axis){.n = s->n, .from = from, .to = to};
    hr__strided_copy(axes, (uint32_t)d->rank, (size_t)d->element_bytes,
                     chunk + (s->first - at[0]) * from, s->dst + off);
}

/* --- rows of chunks ------------------------------------------------------------------------- */

static hr_status keep_row(struct h5_direct *d, uint64_t row, hr_error *err) {
    hsize_t at[HR_MAX_RANK] = {row * d->chunk[0]};
    const uint8_t *where;
    uint8_t *out = d->kept;
    hr_status st;
    if (d->kept_row == row)
        return HR_OK;
    d->kept_row = NO_ROW;
    do {
        st = decode(d, at, out, &where, err);
        out += d->unpacker.chunk_bytes;
    } while (st == HR_OK && step(d, at));
    if (st == HR_OK)
        d->kept_row = row;
    return st;
}

static void place_kept(const struct h5_direct *d, uint64_t row, const struct strip *s) {
    hsize_t at[HR_MAX_RANK] = {row * d->chunk[0]};
    const uint8_t *chunk = d->kept;
    do {
        place(d, at, chunk, s);
        chunk += d->unpacker.chunk_bytes;
    } while (step(d, at));
}

static hr_status decode_row(struct h5_direct *d, uint64_t row, const struct strip *s,
                            hr_error *err) {
    hsize_t at[HR_MAX_RANK] = {row * d->chunk[0]};
    const uint8_t *chunk;
    hr_status st;
    if (s->n == d->chunk[0] && holds_samples(d))
        return decode(d, at, s->dst, &chunk, err);
    do {
        st = decode(d, at, NULL, &chunk, err);
        if (st == HR_OK)
            place(d, at, chunk, s);
    } while (st == HR_OK && step(d, at));
    return st;
}

/* Of a row that the read has as a whole nothing is kept, nor is of one that ends the data set. */
static hr_status read_strip(struct h5_direct *d, const struct strip *s, hr_error *err) {
    const uint64_t row = s->first / d->chunk[0];
    const uint64_t whole = hr__min_u64(d->chunk[0], d->dims[0] - row * d->chunk[0]);
    if (d->kept == NULL || (s->n == whole && d->kept_row != row))
        return decode_row(d, row, s, err);
    hr_status st = keep_row(d, row, err);
    if (st == HR_OK)
        place_kept(d, row, s);
    return st;
}

hr_status h5_direct_read(struct h5_direct *d, uint64_t first, uint64_t n, uint8_t *dst,
                         hr_error *err) {
    hr_status st = HR_OK;
    for (const uint64_t end = first + n; st == HR_OK && first < end;) {
        const uint64_t left = d->chunk[0] - first % d->chunk[0];
        const struct strip s = {.first = first, .n = hr__min_u64(left, end - first), .dst = dst};
        st = read_strip(d, &s, err);
        first += s.n;
        dst += s.n * d->sample_bytes;
    }
    return st;
}
