/*
 * The chunk index while it grows (docs/format.md, 7): a page of 8,192 entries is written as soon as
 * it is full, so that only the table of pages, 16 bytes for each, stays in memory.
 */
#ifndef HEADRACE_INDEX_BUILDER_H
#define HEADRACE_INDEX_BUILDER_H

#include "budget.h"
#include "file.h"
#include "footer.h"

/* The table of pages grows by pieces of this many bytes; the first is there from the start. */
#define HR__INDEX_TABLE_PIECE_BYTES 16384u
/* What a new builder takes from the budget. */
#define HR__INDEX_BUILDER_BYTES (HR__INDEX_PAGE_BYTES + HR__INDEX_TABLE_PIECE_BYTES)

struct hr__index_builder {
    struct hr__budget *budget;
    uint8_t *page;        /* HR__INDEX_PAGE_BYTES */
    uint32_t num_entries; /* in page */
    struct hr__index_page_ref *refs;
    uint64_t num_refs;
    size_t refs_bytes;
};

/* Page p of an index of num_chunks chunks, from a file. HR_ERR_CORRUPT if its hash is wrong. */
hr_status hr__index_page_load(const struct hr__file *file, const struct hr__index_page_ref *ref,
                              uint64_t num_chunks, uint64_t p, uint8_t *page, hr_error *err);

hr_status hr__index_builder_init(struct hr__index_builder *ib, struct hr__budget *budget,
                                 hr_error *err);
/* Makes an initialised builder go on behind num_refs pages that are in a file, and the first
 * num_entries entries of the page after them, which are in ib->page. */
hr_status hr__index_builder_continue(struct hr__index_builder *ib,
                                     const struct hr__index_page_ref *refs, uint64_t num_refs,
                                     uint32_t num_entries, hr_error *err);
void hr__index_builder_free(struct hr__index_builder *ib); /* a zeroed builder is fine */

/* Adds the next chunk's entry. A page that it fills is written at *end_off, which moves on. */
hr_status hr__index_builder_add(struct hr__index_builder *ib, struct hr__index_entry entry,
                                const struct hr__file *file, uint64_t *end_off, hr_error *err);
/* Writes the page begun, if there is one. */
hr_status hr__index_builder_flush(struct hr__index_builder *ib, const struct hr__file *file,
                                  uint64_t *end_off, hr_error *err);

#endif
