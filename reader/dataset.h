/*
 * A data set opened for reading: what the committed footer says, and where its chunks are.
 *
 * Everything but the descriptors is immutable after open, so any number of threads may read, and a
 * forked child may go on: reads are positioned, and no lock is ever taken.
 */
#ifndef HEADRACE_DATASET_INTERNAL_H
#define HEADRACE_DATASET_INTERNAL_H

#include "budget.h"
#include "chunk_header.h"
#include "file.h"
#include "footer.h"
#include "headrace/dataset.h"

struct hr_dataset {
    struct hr__budget budget;
    struct hr__file file;
    struct hr__superblock superblock;
    struct hr__footer footer;
    uint64_t *index;          /* entries of the index pages held in memory, from page 0 on */
    uint64_t num_index_pages; /* held in memory */
    uint64_t opening_bytes;   /* of the budget at most, while the footer was read */
};

/* Opens through any folder, for tests. */
hr_status hr__dataset_open_in(const struct hr__folder_ops *folder, const char *path,
                              const hr_open_options *opts, hr_dataset **out, hr_error *err);

/* The same without reading the index: its pages are read, and found damaged, when they are needed.
 */
hr_status hr__dataset_open_bare(const struct hr__folder_ops *folder, const char *path,
                                const hr_open_options *opts, hr_dataset **out, hr_error *err);

/* The budget from which on every one works for a data set opened with it and other_bytes more. */
uint64_t hr__dataset_smallest_budget(const hr_dataset *ds, uint64_t other_bytes);

/* An index page that is not held in memory, kept by whoever looks up many chunks. */
struct hr__index_cache {
    uint8_t *page;   /* HR__INDEX_PAGE_BYTES, or NULL: allocated at first need */
    uint64_t number; /* valid if page is not NULL */
};
void hr__index_cache_free(struct hr__index_cache *cache);

/* Where a chunk is stored. */
hr_status hr__dataset_locate(const hr_dataset *ds, uint64_t chunk, struct hr__index_cache *cache,
                             struct hr__index_entry *out, hr_error *err);

/* What the chunk must be. */
struct hr__chunk_expected hr__dataset_expect(const hr_dataset *ds, uint64_t chunk,
                                             struct hr__index_entry entry);

/* Puts the file's name, chunk and field (UINT32_MAX: none) before a message. Returns status. */
hr_status hr__dataset_blame(const hr_dataset *ds, uint64_t chunk, uint32_t field, hr_status status,
                            hr_error *err);

#endif
