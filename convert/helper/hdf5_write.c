/*
 * A new HDF5 file of arrays that come as streams of chunks. The messages are untrusted; the file is
 * our own. It is made in the place of one that the library has made, locked and will give its name.
 */
#define _GNU_SOURCE
#include "hdf5_write.h"

#include "chunk_pack.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* A full disk shows as an error of HDF5's; errno is still that of the write. */
hr_status h5_writer_error(hr_error *err, const char *what) {
    int os_errno = errno;
    hr_status st = h5_error(err, HR_ERR_IO, "%s", what);
    if (st == HR_ERR_IO && (os_errno == ENOSPC || os_errno == EDQUOT))
        return hr__error_set(err, HR_ERR_NO_SPACE, "%s: the disk is full", what);
    if (st == HR_ERR_IO && os_errno == EFBIG)
        return hr__error_set(err, HR_ERR_IO, "%s: files may not be so large (ulimit -f)", what);
    return st;
}

hr_status h5_writer_open(struct h5_writer *w, const char *path, uint32_t level,
                         uint32_t num_threads, hr_error *err) {
    w->level = level;
    w->num_threads = num_threads;
    w->file = H5Fcreate(path, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    return w->file >= 0 && h5_bound_heaps(w->file) ? HR_OK : h5_writer_error(err, "cannot be made");
}

static hid_t creation_list(const struct h5_writer *w, const struct hr__helper_field *f) {
    const struct hr__chunks *c = &w->chunks;
    hid_t plist = H5Pcreate(H5P_DATASET_CREATE);
    hsize_t dims[HR_MAX_RANK + 1];
    bool ok = plist >= 0 && H5Pset_fill_time(plist, H5D_FILL_TIME_NEVER) >= 0;
    for (uint32_t i = 0; i < c->rank; i++)
        dims[i] = i < c->cut ? 1 : i == c->cut ? c->each : c->dims[i];
    if (ok && w->level > 0 && c->count > 0) {
        ok = H5Pset_chunk(plist, (int)c->rank, dims) >= 0;
        if (ok && w->shuffle_bytes > 1)
            ok = H5Pset_shuffle(plist) >= 0;
        ok = ok && H5Pset_deflate(plist, w->level) >= 0;
    } else if (ok && f->num_samples > 0 && f->sample_bytes == 0) {
        ok = H5Pset_fill_time(plist, H5D_FILL_TIME_IFSET) >= 0; /* nothing is written to it */
    }
    if (ok)
        return plist;
    if (plist >= 0)
        (void)H5Pclose(plist);
    return -1;
}

static hid_t array_space(const struct hr__chunks *c) {
    hsize_t dims[HR_MAX_RANK + 1];
    for (uint32_t i = 0; i < c->rank; i++)
        dims[i] = c->dims[i];
    return H5Screate_simple((int)c->rank, dims, NULL);
}

hid_t h5_writer_make(const struct h5_writer *w, const char *name, hid_t space, hid_t plist) {
    hid_t links = H5Pcreate(H5P_LINK_CREATE), dataset = -1;
    if (links >= 0 && H5Pset_create_intermediate_group(links, 1) >= 0 &&
        H5Pset_char_encoding(links, H5T_CSET_UTF8) >= 0)
        dataset = H5Dcreate2(w->file, name, w->type, space, links, plist, H5P_DEFAULT);
    if (links >= 0)
        (void)H5Pclose(links);
    return dataset;
}

static hid_t make_dataset(const struct h5_writer *w, const struct hr__helper_field *f) {
    hid_t plist = creation_list(w, f), space = array_space(&w->chunks), dataset = -1;
    if (plist >= 0 && space >= 0)
        dataset = h5_writer_make(w, f->member, space, plist);
    if (space >= 0)
        (void)H5Sclose(space);
    if (plist >= 0)
        (void)H5Pclose(plist);
    return dataset;
}

hr_status h5_writer_end_array(struct h5_writer *w, hr_error *err) {
    bool whole = w->next == w->chunks.count + w->num_values, ok = true;
    if (w->dataset >= 0)
        ok = H5Dclose(w->dataset) >= 0;
    if (w->type >= 0)
        (void)H5Tclose(w->type);
    w->dataset = w->type = -1;
    if (!ok)
        return h5_writer_error(err, "the array before could not be written");
    if (!whole)
        return hr__error_set(err, HR_ERR_INVALID, "an array is ended before it is complete");
    w->chunks.count = w->num_values = w->next = 0;
    return HR_OK;
}

hr_status h5_writer_array(struct h5_writer *w, const struct hr__helper_field *f, hr_error *err) {
    hr_status st = h5_writer_end_array(w, err);
    if (st != HR_OK)
        return st;
    bool text = f->dtype == HR_FIXED_BYTES || f->dtype == HR_FIXED_UTF8;
    w->shuffle_bytes = text ? 1 : hr_dtype_bytes(f->dtype);
    hr__chunks_make(f, &w->chunks);
    w->type = h5_type_make(f->dtype, f->width_bytes);
    w->dataset = w->type >= 0 ? make_dataset(w, f) : -1;
    if (w->dataset >= 0)
        return HR_OK;
    w->chunks.count = 0;
    return h5_writer_error(err, "the array cannot be made in the file");
}

/* --- chunks --------------------------------------------------------------------------------- */

static hr_status write_packed(struct h5_writer *w, uint64_t first, uint64_t n, const uint8_t *rows,
                              hr_error *err) {
    const struct pack pack = {.chunks = &w->chunks,
                              .chunk_bytes = w->chunks.chunk_bytes,
                              .shuffle_bytes = w->shuffle_bytes,
                              .level = w->level,
                              .num_threads = w->num_threads};
    struct packed_chunk *packed = calloc((size_t)n, sizeof *packed);
    if (packed == NULL)
        return hr__error_no_memory(err, (size_t)n * sizeof *packed, "compressed chunks");
    hr_status st = chunks_pack(&pack, first, n, rows, packed, err);
    for (uint64_t i = 0; st == HR_OK && i < n; i++) {
        struct hr__chunk_run run;
        hsize_t at[HR_MAX_RANK + 1];
        hr__chunks_run(&w->chunks, first + i, &run);
        for (uint32_t axis = 0; axis < w->chunks.rank; axis++)
            at[axis] = run.at[axis];
        if (H5Dwrite_chunk(w->dataset, H5P_DEFAULT, packed[i].filter_mask, at,
                           (size_t)packed[i].n_bytes, packed[i].bytes) < 0)
            st = h5_writer_error(err, "a chunk cannot be written");
    }
    chunks_pack_free(packed, n);
    free(packed);
    return st;
}

static hr_status write_run(struct h5_writer *w, const struct hr__chunk_run *run,
                           const uint8_t *rows, hr_error *err) {
    const struct hr__chunks *c = &w->chunks;
    hsize_t at[HR_MAX_RANK + 1], count[HR_MAX_RANK + 1];
    for (uint32_t i = 0; i < c->rank; i++) {
        at[i] = run->at[i];
        count[i] = i < c->cut ? 1 : i == c->cut ? run->entries : c->dims[i];
    }
    struct h5_hyperslab slab;
    hr_status st = HR_OK;
    if (!h5_hyperslab_open(w->dataset, (int)c->rank, at, count, &slab) ||
        H5Dwrite(w->dataset, w->type, slab.memory_space, slab.file_space, H5P_DEFAULT, rows) < 0)
        st = h5_writer_error(err, "rows cannot be written");
    h5_hyperslab_close(&slab);
    return st;
}

static hr_status write_plain(struct h5_writer *w, uint64_t first, uint64_t n, const uint8_t *rows,
                             hr_error *err) {
    hr_status st = HR_OK;
    for (uint64_t i = 0; st == HR_OK && i < n; i++) {
        struct hr__chunk_run run;
        hr__chunks_run(&w->chunks, first + i, &run);
        st = write_run(w, &run, rows, err);
        rows += run.n_bytes;
    }
    return st;
}

hr_status h5_writer_write(struct h5_writer *w, uint64_t first, uint64_t n, const uint8_t *rows,
                          uint64_t room_bytes, hr_error *err) {
    uint64_t n_bytes = hr__chunks_bytes(&w->chunks, first, n);
    if (w->dataset < 0 || first != w->next || n_bytes == 0 || n_bytes > room_bytes)
        return hr__error_set(err, HR_ERR_INVALID, "chunks that are not the next ones were sent");
    hr_status st =
        w->level > 0 ? write_packed(w, first, n, rows, err) : write_plain(w, first, n, rows, err);
    if (st == HR_OK)
        w->next += n;
    return st;
}

hr_status h5_writer_finish(struct h5_writer *w, hr_error *err) {
    hr_status st = h5_writer_end_array(w, err);
    if (st != HR_OK)
        return st;
    herr_t rc = H5Fclose(w->file);
    w->file = -1;
    return rc >= 0 ? HR_OK : h5_writer_error(err, "the file cannot be completed");
}

/* --- attributes ----------------------------------------------------------------------------- */

/* Texts are of variable length, as h5py makes them and gives them back as str. */
static hid_t attribute_type(const struct hr__helper_message *m) {
    return m->dtype == HR_FIXED_UTF8 ? h5_text_type() : h5_type_make(m->dtype, 0);
}

static hid_t attribute_space(const struct hr__helper_message *m) {
    hsize_t count = m->count;
    bool scalar = m->dtype == HR_FIXED_UTF8 || (m->flags & HR__HELPER_SCALAR) != 0;
    return scalar ? H5Screate(H5S_SCALAR) : H5Screate_simple(1, &count, NULL);
}

static herr_t write_value(hid_t attribute, hid_t type, const struct hr__helper_message *m,
                          const uint8_t *value) {
    if (m->dtype != HR_FIXED_UTF8)
        return H5Awrite(attribute, type, value);
    char *text = strndup((const char *)value, m->count);
    herr_t rc = text != NULL ? H5Awrite(attribute, type, &text) : -1;
    free(text);
    return rc;
}

static herr_t make_attribute(hid_t owner, const struct hr__helper_message *m,
                             const uint8_t *value) {
    hid_t plist = H5Pcreate(H5P_ATTRIBUTE_CREATE), type = attribute_type(m);
    hid_t space = attribute_space(m), attribute = -1;
    herr_t rc = -1;
    if (plist >= 0 && type >= 0 && space >= 0 && H5Pset_char_encoding(plist, H5T_CSET_UTF8) >= 0)
        attribute = H5Acreate2(owner, m->text, type, space, plist, H5P_DEFAULT);
    if (attribute >= 0) {
        rc = write_value(attribute, type, m, value);
        (void)H5Aclose(attribute);
    }
    if (space >= 0)
        (void)H5Sclose(space);
    if (type >= 0)
        (void)H5Tclose(type);
    if (plist >= 0)
        (void)H5Pclose(plist);
    return rc;
}

hr_status h5_writer_attribute(struct h5_writer *w, const struct hr__helper_message *m,
                              const uint8_t *value, uint64_t room_bytes, hr_error *err) {
    hid_t owner = m->member[0] == '\0' ? w->file : w->dataset;
    uint64_t width = m->dtype == HR_FIXED_UTF8 ? 1 : hr_dtype_bytes(m->dtype);
    bool empty = m->count == 0 && m->dtype != HR_FIXED_UTF8;
    if (owner < 0 || empty || m->count * width > room_bytes)
        return hr__error_set(err, HR_ERR_INVALID, "an attribute of nothing, or a too large one");
    return make_attribute(owner, m, value) >= 0
               ? HR_OK
               : h5_writer_error(err, "an attribute cannot be written");
}
