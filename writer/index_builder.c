/*
 * Index pages (docs/format.md, 7).
 */
#include "index_builder.h"

#include "bytes.h"
#include "checked.h"
#include "error.h"
#include "hash.h"
#include "superblock.h"

#include <string.h>

hr_status hr__index_page_load(const struct hr__file *file, const struct hr__index_page_ref *ref,
                              uint64_t num_chunks, uint64_t p, uint8_t *page, hr_error *err) {
    const size_t n_bytes = hr__index_page_bytes(num_chunks, p);
    const hr_status st = hr__file_read_exact(file, page, n_bytes, ref->off, err);
    if (st != HR_OK || hr__hash(page, n_bytes) == ref->hash)
        return st;
    return hr__error_at(err, HR_ERR_CORRUPT, ref->off,
                        "index page %llu at offset %llu is damaged; run headrace verify, and "
                        "convert anew",
                        (unsigned long long)p, (unsigned long long)ref->off);
}

hr_status hr__index_builder_init(struct hr__index_builder *ib, struct hr__budget *budget,
                                 hr_error *err) {
    *ib = (struct hr__index_builder){.budget = budget, .refs_bytes = HR__INDEX_TABLE_PIECE_BYTES};
    hr_status st = HR_OK;
    ib->page = hr__budget_take(budget, HR__INDEX_PAGE_BYTES, "an index page", &st, err);
    if (st == HR_OK)
        ib->refs = hr__budget_take(budget, ib->refs_bytes, "the table of index pages", &st, err);
    return st;
}

void hr__index_builder_free(struct hr__index_builder *ib) {
    if (ib->page != NULL)
        hr__budget_free(ib->budget, ib->page, HR__INDEX_PAGE_BYTES);
    if (ib->refs != NULL)
        hr__budget_free(ib->budget, ib->refs, ib->refs_bytes);
    *ib = (struct hr__index_builder){0};
}

/* Room for num_refs references. */
static hr_status grow_table(struct hr__index_builder *ib, uint64_t num_refs, hr_error *err) {
    if (num_refs * sizeof *ib->refs <= ib->refs_bytes)
        return HR_OK;
    const size_t larger_bytes =
        (size_t)hr__round_up(num_refs * sizeof *ib->refs, HR__INDEX_TABLE_PIECE_BYTES);
    hr_status st = HR_OK;
    struct hr__index_page_ref *larger =
        hr__budget_take(ib->budget, larger_bytes, "the table of index pages", &st, err);
    if (larger == NULL)
        return st;
    memcpy(larger, ib->refs, ib->refs_bytes);
    hr__budget_free(ib->budget, ib->refs, ib->refs_bytes);
    ib->refs = larger;
    ib->refs_bytes = larger_bytes;
    return HR_OK;
}

hr_status hr__index_builder_continue(struct hr__index_builder *ib,
                                     const struct hr__index_page_ref *refs, uint64_t num_refs,
                                     uint32_t num_entries, hr_error *err) {
    const hr_status st = grow_table(ib, num_refs + 1, err);
    if (st != HR_OK)
        return st;
    memcpy(ib->refs, refs, num_refs * sizeof *refs);
    ib->num_refs = num_refs;
    ib->num_entries = num_entries;
    return HR_OK;
}

hr_status hr__index_builder_flush(struct hr__index_builder *ib, const struct hr__file *file,
                                  uint64_t *end_off, hr_error *err) {
    if (ib->num_entries == 0)
        return HR_OK;
    const size_t used_bytes = ib->num_entries * sizeof(uint64_t);
    const size_t n_bytes = (size_t)hr__round_up(used_bytes, HR__PAGE_BYTES);
    memset(ib->page + used_bytes, 0, n_bytes - used_bytes);
    hr_status st = grow_table(ib, ib->num_refs + 1, err);
    if (st == HR_OK)
        st = hr__file_write_all(file, ib->page, n_bytes, *end_off, err);
    if (st != HR_OK)
        return st;
    ib->refs[ib->num_refs++] =
        (struct hr__index_page_ref){.off = *end_off, .hash = hr__hash(ib->page, n_bytes)};
    ib->num_entries = 0;
    *end_off += n_bytes;
    return HR_OK;
}

hr_status hr__index_builder_add(struct hr__index_builder *ib, struct hr__index_entry entry,
                                const struct hr__file *file, uint64_t *end_off, hr_error *err) {
    hr__put_u64(ib->page + ib->num_entries * sizeof(uint64_t), hr__index_entry_encode(entry));
    ib->num_entries++;
    if (ib->num_entries < HR__INDEX_PAGE_ENTRIES)
        return HR_OK;
    return hr__index_builder_flush(ib, file, end_off, err);
}
