/*
 * One file of a data set: its superblock, footer and index (docs/format.md, 8). The file is
 * untrusted.
 */
#include "dataset.h"

#include "bytes.h"
#include "error.h"
#include "hash.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

static hr_status superblock_load(const struct hr__file *f, struct hr__superblock *out,
                                 hr_error *err) {
    hr_status st;
    uint8_t slots[2][HR__PAGE_BYTES];
    int chosen = 0;
    int64_t size = f->ops->size(f->ctx);
    if (size < 0)
        return hr__error_os(err, (int)-size, "cannot find the size of the file");
    if ((uint64_t)size < HR__DATA_OFF) {
        uint8_t magic[8] = {0};
        static const uint8_t expected[8] = {0x89, 'H', 'R', 'D', '\r', '\n', 0x1a, '\n'};
        int64_t n = f->ops->read(f->ctx, magic, sizeof(magic), 0);
        if (n < 0)
            return hr__error_os(err, (int)-n, "reading its first bytes failed");
        if (n < 8 || memcmp(magic, expected, sizeof(magic)) != 0)
            return hr__error_set(
                err, memcmp(magic, expected, (size_t)n) == 0 ? HR_ERR_CORRUPT : HR_ERR_NOT_DATASET,
                "not a Headrace file (%lld bytes, without its signature); make one "
                "with headrace convert",
                (long long)size);
        return hr__error_set(err, HR_ERR_CORRUPT,
                             "truncated: %lld bytes, the smallest data set has %u; copy the file "
                             "again or convert anew",
                             (long long)size, HR__DATA_OFF);
    }
    HR_TRY(hr__file_read_exact(f, slots[0], HR__PAGE_BYTES, 0, err));
    HR_TRY(hr__file_read_exact(f, slots[1], HR__PAGE_BYTES, HR__SLOT1_OFF, err));
    HR_TRY(hr__superblock_choose(slots[0], slots[1], &chosen, err));
    HR_TRY(hr__superblock_decode(slots[chosen], out, err));
    if (out->file_bytes > (uint64_t)size) /* or it has grown by an append since it was looked at */
        size = f->ops->size(f->ctx);
    if (size < 0)
        return hr__error_os(err, (int)-size, "cannot find the size of the file");
    if (out->file_bytes > (uint64_t)size)
        st = hr__error_set(err, HR_ERR_CORRUPT,
                           "truncated: %lld bytes, the superblock says %llu; copy the file again, "
                           "or save what is whole (headrace verify --salvage)",
                           (long long)size, (unsigned long long)out->file_bytes);
done:
    return st;
}

static hr_status footer_load(hr_dataset *ds, uint32_t number, struct hr__footer *footer,
                             uint64_t *footer_bytes, hr_error *err) {
    hr_status st;
    const struct hr__superblock *superblock = &ds->parts[number].superblock;
    size_t n_bytes = (size_t)superblock->footer_bytes;
    uint64_t parse_bytes = n_bytes;
    uint8_t *bytes = hr__budget_take(&ds->budget, n_bytes, "the footer", &st, err);
    if (bytes == NULL)
        return st;
    HR_TRY(hr__file_read_exact(&ds->files[number], bytes, n_bytes, superblock->footer_off, err));
    /* Segments and page table stay; the JSON text too, and its tree is there while it is parsed. */
    parse_bytes = hr__footer_decode_bytes(bytes, n_bytes);
    st = hr__budget_reserve(&ds->budget, parse_bytes, "the schema", err);
    if (st != HR_OK)
        goto done;
    st = hr__footer_decode(bytes, n_bytes, superblock, footer, err);
    hr__budget_release(&ds->budget, parse_bytes - n_bytes);
    *footer_bytes = n_bytes;
done:
    hr__budget_free(&ds->budget, bytes, n_bytes);
    return st;
}

static hr_status open_failed(const hr_dataset *ds, uint32_t number, int os_errno, hr_error *err) {
    if ((os_errno == EMFILE || os_errno == ENFILE) && ds->num_files > 1)
        return hr__error_os(err, os_errno,
                            "cannot open file %u of the %u of the data set, each of which takes a "
                            "descriptor, and a second one for direct reads; allow more open files "
                            "(ulimit -n), or convert the sources into fewer files",
                            number + 1, ds->num_files);
    if (os_errno == EINVAL) /* of this way of opening, nothing else */
        return hr__error_set(err, HR_ERR_INVALID,
                             "it is no regular file, and samples are read at many places of one; "
                             "copy what it holds into a file");
    return hr__error_os(err, os_errno, "cannot open the data set");
}

hr_status hr__part_open(hr_dataset *ds, uint32_t number, const struct hr__folder_ops *folder,
                        const char *path, struct hr__footer *footer, uint64_t *footer_bytes,
                        hr_error *err) {
    hr_status st;
    struct hr__superblock *superblock = &ds->parts[number].superblock;
    int rc = folder->open(folder->ctx, path, O_RDONLY, &ds->files[number]);
    if (rc < 0) {
        st = open_failed(ds, number, -rc, err);
        goto done;
    }
    HR_TRY(superblock_load(&ds->files[number], superblock, err));
    HR_TRY(footer_load(ds, number, footer, footer_bytes, err));
done:
    if (st != HR_OK)
        hr__error_name_file(err, path);
    return st;
}

size_t hr__part_index_page_bytes(const struct hr__part *part, uint64_t p) {
    return hr__index_page_bytes(part->num_chunks, p);
}

hr_status hr__part_index_page_read(const hr_dataset *ds, uint32_t number, uint64_t p, uint8_t *buf,
                                   hr_error *err) {
    const struct hr__part *part = &ds->parts[number];
    const struct hr__index_page_ref *ref = &part->index_pages[p];
    size_t n_bytes = hr__part_index_page_bytes(part, p);
    hr_status st = hr__file_read_exact(&ds->files[number], buf, n_bytes, ref->off, err);
    if (st != HR_OK)
        return st;
    uint64_t hash = hr__hash(buf, n_bytes);
    if (hash != ref->hash)
        return hr__error_at(err, HR_ERR_CORRUPT, ref->off,
                            "index page %llu at offset %llu is damaged (hash %016llx, expected "
                            "%016llx); run headrace verify, and convert anew",
                            (unsigned long long)p, (unsigned long long)ref->off,
                            (unsigned long long)hash, (unsigned long long)ref->hash);
    return HR_OK;
}

hr_status hr__part_index_load(hr_dataset *ds, uint32_t number, uint64_t count, hr_error *err) {
    struct hr__part *part = &ds->parts[number];
    size_t n_bytes = 0;
    for (uint64_t p = 0; p < count; p++)
        n_bytes += hr__part_index_page_bytes(part, p);
    hr_status st;
    uint8_t *pages = hr__budget_take(&ds->budget, n_bytes, "the chunk index", &st, err);
    if (pages == NULL)
        return st;
    part->index = (uint64_t *)(void *)pages;
    part->num_held = count;
    part->held_bytes = n_bytes;
    for (uint64_t p = 0; p < count; p++) { /* all but the last are full */
        st = hr__part_index_page_read(ds, number, p, pages + p * HR__INDEX_PAGE_BYTES, err);
        if (st != HR_OK) {
            hr__error_name_file(err, ds->files[number].path);
            return st;
        }
    }
    return HR_OK;
}
