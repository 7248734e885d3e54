/*
 * Copies without dead bytes. What is read was written by others: it is checked as far as sizes and
 * places go; frames keep their hashes.
 */
#include "compact.h"

#include "bytes.h"
#include "checked.h"
#include "error.h"
#include "file_place.h"
#include "job_record.h"
#include "superblock.h"

#include <string.h>

struct copy {
    const struct hr__commit *old;
    struct hr__budget *budget;
    struct hr__partial_file partial;
    struct hr__index_builder index;
    uint8_t *page; /* of the old index */
    uint8_t *buf;
    size_t buf_bytes;
    uint64_t end_off;
    uint64_t left_bytes; /* no more than what is not dead is copied */
};

static bool is_due(const struct hr__commit *c) {
    return c->dead_bytes > c->end_off / 2;
}

static hr_status copy_bytes(struct copy *k, uint64_t from, uint64_t n_bytes, uint64_t to,
                            hr_error *err) {
    hr_status st = HR_OK;
    for (uint64_t done = 0; done < n_bytes && st == HR_OK;) {
        const size_t n = (size_t)hr__min_u64(n_bytes - done, k->buf_bytes);
        st = hr__file_read_exact(k->old->file, k->buf, n, from + done, err);
        if (st == HR_OK)
            st = hr__file_write_all(&k->partial.file, k->buf, n, to + done, err);
        done += n;
    }
    return st;
}

/* Pages from off on, to the end of the copy. */
static hr_status copy_pages(struct copy *k, uint64_t off, uint64_t n_bytes, hr_error *err) {
    const uint64_t whole = hr__round_up(n_bytes, HR__PAGE_BYTES);
    if (whole > k->left_bytes)
        return hr__error_set(err, HR_ERR_CORRUPT, "chunks overlap");
    k->left_bytes -= whole;
    const hr_status st = copy_bytes(k, off, whole, k->end_off, err);
    k->end_off += whole;
    return st;
}

/* ---- what is left of an earlier job under the name ---- */

/* A copy of this file that was cut short, or nothing at all: not a job that could be resumed. */
static hr_status check_leftover(struct copy *k, bool *ours, hr_error *err) {
    const struct hr__file *f = &k->partial.file;
    uint8_t header[HR__JOB_HEADER_BYTES] = {0};
    struct hr__job_record record;
    const int64_t n = f->ops->read(f->ctx, header, sizeof header, HR__JOB_OFF);
    if (n < 0)
        return hr__error_os(err, (int)-n, "cannot read %s", f->path);
    *ours = hr__is_zero(header, sizeof header) ||
            (hr__job_record_decode(header, HR__JOB_OFF, &record, NULL) == HR_OK &&
             memcmp(record.uuid, k->old->identity->uuid, sizeof record.uuid) == 0);
    return HR_OK;
}

static hr_status open_copy(struct copy *k, const struct hr__partial_file *target, hr_error *err) {
    bool ours = false;
    hr_status st;
    HR_TRY(hr__partial_file_open(target->folder, target->target, true, &k->partial, err));
    HR_TRY(check_leftover(k, &ours, err));
    if (!ours)
        HR_TRY(hr__error_set(err, HR_ERR_BUSY, "%s may still be resumed", k->partial.path));
    HR_TRY(hr__partial_file_empty(&k->partial, err));
    const int rc = hr__file_copy_owner(k->old->file, &k->partial.file);
    if (rc != 0)
        HR_TRY(hr__error_os(err, -rc, "%s cannot be replaced", target->target));
    if (hr__file_free_bytes(&k->partial.file) < k->left_bytes)
        st = hr__error_set(err, HR_ERR_NO_SPACE, "there is no room for a copy");
done:
    return st;
}

/* ---- contents ---- */

/* The first job's record, and its JSON text where that is behind slot 1. */
static hr_status copy_job(struct copy *k, hr_error *err) {
    uint8_t header[HR__JOB_HEADER_BYTES];
    struct hr__job_record record;
    hr_status st;
    HR_TRY(hr__file_read_exact(k->old->file, header, sizeof header, HR__JOB_OFF, err));
    HR_TRY(hr__job_record_decode(header, HR__JOB_OFF, &record, err));
    HR_TRY(copy_bytes(k, HR__JOB_OFF, HR__JOB_ROOM_BYTES, HR__JOB_OFF, err));
    if (record.json_off == HR__DATA_OFF)
        HR_TRY(copy_pages(k, record.json_off, record.json_bytes, err));
done:
    return st;
}

static hr_status copy_chunk(struct copy *k, uint64_t chunk, hr_error *err) {
    const uint64_t page = chunk / HR__INDEX_PAGE_ENTRIES, place = chunk % HR__INDEX_PAGE_ENTRIES;
    struct hr__index_entry entry;
    hr_status st;
    if (place == 0)
        HR_TRY(hr__index_page_load(k->old->file, &k->old->index->refs[page], k->old->num_chunks,
                                   page, k->page, err));
    HR_TRY(hr__index_entry_decode(hr__get_u64(k->page + place * sizeof(uint64_t)), k->old->end_off,
                                  k->old->max_chunk_pages, &entry, err));
    const uint64_t from = entry.page * HR__PAGE_BYTES;
    entry.page = k->end_off / HR__PAGE_BYTES;
    HR_TRY(copy_pages(k, from, (uint64_t)entry.pages * HR__PAGE_BYTES, err));
    HR_TRY(hr__index_builder_add(&k->index, entry, &k->partial.file, &k->end_off, err));
done:
    return st;
}

static hr_status write_copy(struct copy *k, struct hr__commit *copied, hr_error *err) {
    hr_status st;
    HR_TRY(copy_job(k, err));
    for (uint64_t c = 0; c < k->old->num_chunks; c++)
        HR_TRY(copy_chunk(k, c, err));
    *copied = *k->old;
    copied->file = &k->partial.file;
    copied->index = &k->index;
    copied->dead_bytes = 0;
    copied->end_off = k->end_off;
    HR_TRY(hr__commit_write(copied, err));
done:
    return st;
}

/* ---- the name ---- */

/* The copy becomes the target's file; the old one, and its lock, are let go. */
static hr_status take_place(struct copy *k, struct hr__partial_file *target, hr_error *err) {
    if (!hr__partial_file_has_name(target))
        return hr__error_set(err, HR_ERR_BUSY, "%s was replaced", target->target);
    const hr_status st =
        hr__commit_name(target->folder, k->partial.path, target->target, true, err);
    /* Where only the folder could not be synchronised, either file may have the name after a power
     * cut, and each is whole. */
    if (st != HR_OK && st != HR_ERR_UNCERTAIN)
        return st;
    char *path = target->file.path;
    target->file.path = NULL;
    hr__file_close(&target->file);
    target->file = k->partial.file;
    k->partial.file = (struct hr__file){.path = target->file.path};
    target->file.path = path;
    k->partial.locked = false; /* there is nothing of this name to remove */
    return HR_OK;
}

static hr_status prepare(struct copy *k, hr_error *err) {
    hr_status st = hr__index_builder_init(&k->index, k->budget, err);
    if (st == HR_OK)
        k->page = hr__budget_take(k->budget, HR__INDEX_PAGE_BYTES, "an index page", &st, err);
    return st;
}

bool hr__compact(struct hr__commit *c, struct hr__partial_file *target, struct hr__budget *budget,
                 uint8_t *buf, size_t buf_bytes) {
    struct copy k = {
        .old = c, .budget = budget, .buf = buf, .buf_bytes = buf_bytes, .end_off = HR__DATA_OFF};
    struct hr__commit copied = {0};
    hr_error err = {.status = HR_OK};
    hr_status st;
    if (!is_due(c))
        return false;
    k.left_bytes = c->end_off - c->dead_bytes;
    HR_TRY(prepare(&k, &err));
    HR_TRY(open_copy(&k, target, &err));
    HR_TRY(write_copy(&k, &copied, &err));
    HR_TRY(take_place(&k, target, &err));
    c->end_off = copied.end_off;
    c->dead_bytes = 0;
done:
    if (k.page != NULL)
        hr__budget_free(budget, k.page, HR__INDEX_PAGE_BYTES);
    hr__index_builder_free(&k.index);
    hr__partial_file_close(&k.partial);
    return st == HR_OK;
}
