/*
 * Rows of one member into shared memory. The archive is untrusted, and so is what is asked for.
 */
#define _GNU_SOURCE
#include "npz.h"

#include "checked.h"
#include "numpy_elements.h"
#include "slots.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The one entry that is called `member`. */
static hr_status find_entry(struct npz_reader *r, const char *member, hr_error *err) {
    char *name = NULL;
    if (asprintf(&name, "%s.npy", member) < 0)
        return hr__error_no_memory(err, strlen(member), "a name");
    zip_int64_t index = zip_name_locate(r->archive.zip, name, 0);
    free(name);
    if (index < 0)
        return hr__error_set(err, HR_ERR_NOT_FOUND, "it is no longer in the archive");
    return npz_archive_entry(&r->archive, (zip_uint64_t)index, &r->entry, err);
}

/* wanted: whole records. */
static hr_status check_records(const struct npz_reader *r, bool wanted, hr_error *err) {
    if ((r->header.members_at != 0) == wanted && !(wanted && r->elements))
        return HR_OK;
    return hr__error_set(err, HR_ERR_INVALID,
                         "records are read as wholes, and only where the array is structured");
}

hr_status npz_reader_open(struct npz_reader *r, const struct hr__helper_message *open, int fd,
                          hr_error *err) {
    hr_status st = slots_map(fd, open->slot_bytes, &r->shared, err);
    r->slot_bytes = open->slot_bytes;
    if (st == HR_OK)
        st = npz_archive_open(&r->archive, open->path, err);
    if (st == HR_OK)
        st = find_entry(r, open->member, err);
    if (st == HR_OK)
        st = npz_stream_open(&r->stream, &r->archive, &r->entry, err);
    r->header = r->stream.header;
    if (st == HR_OK)
        st = npz_describe(&r->header, &r->field, err);
    r->elements = (open->flags & HR__HELPER_ELEMENTS) != 0;
    if (st == HR_OK)
        st = check_records(r, (open->flags & HR__HELPER_RECORDS) != 0, err);
    if (st == HR_OK && r->header.members_at != 0)
        st = npz_members_load(&r->members, &r->stream, err);
    if (st == HR_OK && r->elements)
        r->field = hr__helper_field_of_elements(&r->field);
    else if (st == HR_OK && r->header.fortran)
        st = hr__error_set(err, HR_ERR_INVALID, "it is in Fortran order: it has no rows");
    return st;
}

void npz_reader_close(struct npz_reader *r) {
    npz_members_free(&r->members);
    npz_stream_close(&r->stream);
    npz_archive_close(&r->archive);
    slots_unmap(r->shared, r->slot_bytes);
    *r = (struct npz_reader){0};
}

/* The stream stands at byte `at` afterwards. The buffer is what bytes on the way there go through.
 */
static hr_status go_to(struct npz_reader *r, uint64_t at, uint8_t *buffer, hr_error *err) {
    hr_status st = HR_OK;
    if (r->stream.file == NULL || at < r->stream.at_bytes) {
        npz_stream_close(&r->stream);
        HR_TRY(npz_stream_open(&r->stream, &r->archive, &r->entry, err));
        if (r->stream.header.data_bytes != r->header.data_bytes) {
            st = hr__error_set(err, HR_ERR_DATA, "it changed while it was read");
            npz_stream_close(&r->stream);
            goto done;
        }
    }
    while (r->stream.at_bytes < at)
        HR_TRY(npz_stream_read(&r->stream, buffer,
                               hr__min_u64(r->slot_bytes, at - r->stream.at_bytes), err));
done:
    return st;
}

/* Which sample an element belongs to is known to who asks: he looks at bools. */
static hr_status elements_to_canonical(const struct npz_reader *r, uint8_t *dst, uint64_t n,
                                       hr_error *err) {
    const struct hr__element *e = &r->header.element;
    if (e->dtype == HR_BOOL || hr__elements_to_canonical(e, dst, n, 1, 0, NULL) == HR_OK)
        return HR_OK;
    return hr__error_set(err, HR_ERR_DATA,
                         "it holds a code point that is no character; repair it, or save the array "
                         "as bytes");
}

hr_status npz_reader_read(struct npz_reader *r, uint32_t slot, uint64_t first, uint64_t n,
                          hr_error *err) {
    uint64_t bytes, row = r->field.sample_bytes;
    if (r->shared == NULL || n == 0 || !hr__range_within(first, n, r->field.num_samples) ||
        !hr__mul_u64(n, row, &bytes) || bytes > r->slot_bytes)
        return hr__error_set(err, HR_ERR_INVALID, "rows that do not exist or fit were asked for");
    uint8_t *dst = r->shared + slot * r->slot_bytes;
    hr_status st;
    HR_TRY(go_to(r, first * row, dst, err));
    HR_TRY(npz_stream_read(&r->stream, dst, bytes, err));
    npz_members_to_canonical(&r->members, dst, n * r->header.elements_per_sample,
                             r->header.element.width_bytes);
    HR_TRY(r->elements ? elements_to_canonical(r, dst, n, err)
                       : hr__elements_to_canonical(&r->header.element, dst, n,
                                                   r->header.elements_per_sample, first, err));
done:
    return st;
}
