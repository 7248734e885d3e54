/*
 * Arrays of values of variable length in a new HDF5 file: strings, or sequences of one type. The
 * messages and what lies in the slots are untrusted; both may change while they are read, so ends
 * and texts are copied first.
 */
#include "hdf5_write.h"

#include "value_slot.h"

#include <stdlib.h>
#include <string.h>

hid_t h5_text_type(void) {
    hid_t t = H5Tcopy(H5T_C_S1);
    if (t >= 0 && H5Tset_size(t, H5T_VARIABLE) >= 0 && H5Tset_cset(t, H5T_CSET_UTF8) >= 0)
        return t;
    if (t >= 0)
        (void)H5Tclose(t);
    return -1;
}

static hid_t sequence_type(hr_dtype dtype) {
    hid_t element = h5_type_make(dtype, 0), t = -1;
    if (element >= 0) {
        t = H5Tvlen_create(element);
        (void)H5Tclose(element);
    }
    return t;
}

hr_status h5_writer_variable(struct h5_writer *w, const struct hr__helper_message *m,
                             hr_error *err) {
    const hsize_t dims[] = {m->field.num_samples};
    hr_status st = h5_writer_end_array(w, err);
    if (st != HR_OK)
        return st;
    w->text = (m->flags & HR__HELPER_TEXT) != 0;
    w->unit_bytes = hr_dtype_bytes(m->field.dtype);
    w->type = w->text ? h5_text_type() : sequence_type(m->field.dtype);
    hid_t plist = H5Pcreate(H5P_DATASET_CREATE), space = H5Screate_simple(1, dims, NULL);
    if (plist >= 0 && space >= 0 && w->type >= 0)
        w->dataset = h5_writer_make(w, m->field.member, space, plist);
    if (space >= 0)
        (void)H5Sclose(space);
    if (plist >= 0)
        (void)H5Pclose(plist);
    if (w->dataset < 0)
        return h5_writer_error(err, "the array cannot be made in the file");
    w->num_values = m->field.num_samples;
    return HR_OK;
}

/* --- values --------------------------------------------------------------------------------- */

/* Values as HDF5 takes them. */
struct values {
    const uint8_t *bytes;
    uint64_t ends[HR__SLOT_MAX_VALUES];
    union {
        hvl_t sequences[HR__SLOT_MAX_VALUES];
        char *texts[HR__SLOT_MAX_VALUES];
    };
    char *room; /* that texts are copied to */
};

static uint64_t start_of(const struct values *v, uint64_t i) {
    return i > 0 ? v->ends[i - 1] : 0;
}

static void point_sequences(struct values *v, uint64_t n, uint32_t unit_bytes) {
    for (uint64_t i = 0; i < n; i++) {
        v->sequences[i].len = (size_t)((v->ends[i] - start_of(v, i)) / unit_bytes);
        v->sequences[i].p = (void *)(uintptr_t)(v->bytes + start_of(v, i));
    }
}

/* HDF5's texts end with a zero, so none may be within. */
static hr_status copy_texts(struct values *v, uint64_t n, hr_error *err) {
    char *to = v->room = malloc((size_t)(v->ends[n - 1] + n));
    if (to == NULL)
        return hr__error_no_memory(err, (size_t)(v->ends[n - 1] + n), "texts");
    for (uint64_t i = 0; i < n; i++) {
        const size_t n_bytes = (size_t)(v->ends[i] - start_of(v, i));
        v->texts[i] = memcpy(to, v->bytes + start_of(v, i), n_bytes);
        to[n_bytes] = '\0';
        if (strlen(to) != n_bytes)
            return hr__error_set(err, HR_ERR_INVALID, "a text with a zero in it was sent");
        to += n_bytes + 1;
    }
    return HR_OK;
}

static hr_status write_values(struct h5_writer *w, hsize_t first, hsize_t n, const void *values,
                              hr_error *err) {
    struct h5_hyperslab slab;
    hr_status st = HR_OK;
    if (!h5_hyperslab_open(w->dataset, 1, &first, &n, &slab) ||
        H5Dwrite(w->dataset, w->type, slab.memory_space, slab.file_space, H5P_DEFAULT, values) < 0)
        st = h5_writer_error(err, "values cannot be written");
    h5_hyperslab_close(&slab);
    return st;
}

static hr_status take_values(struct h5_writer *w, uint64_t first, uint64_t n, const uint8_t *slot,
                             uint64_t room_bytes, struct values *v, hr_error *err) {
    hr_status st = hr__value_slot_take(slot, room_bytes, n, w->unit_bytes, v->ends, err);
    if (st != HR_OK)
        return st;
    v->bytes = hr__value_slot_values(slot, n);
    if (w->text)
        st = copy_texts(v, n, err);
    else
        point_sequences(v, n, w->unit_bytes);
    if (st != HR_OK)
        return st;
    const void *values = w->text ? (const void *)v->texts : v->sequences;
    return write_values(w, first, n, values, err);
}

hr_status h5_writer_values(struct h5_writer *w, uint64_t first, uint64_t n, const uint8_t *slot,
                           uint64_t room_bytes, hr_error *err) {
    if (w->dataset < 0 || first != w->next || w->num_values < first || n > w->num_values - first)
        return hr__error_set(err, HR_ERR_INVALID, "values that are not the next ones were sent");
    struct values *v = malloc(sizeof *v);
    if (v == NULL)
        return hr__error_no_memory(err, sizeof *v, "values");
    v->room = NULL;
    hr_status st = take_values(w, first, n, slot, room_bytes, v, err);
    free(v->room);
    free(v);
    if (st == HR_OK)
        w->next += n;
    return st;
}
