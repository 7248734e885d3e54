/*
 * A data set opened for reading: one file, or several that are read as one. What the committed
 * footers say, and where the chunks are.
 *
 * Chunks and samples are numbered over all files, in the order in which they were given; a file's
 * own chunks are numbered from 0 (docs/format.md). Everything but the descriptors and the idle
 * scratch is immutable after open, so any number of threads may read, and a forked child may go on:
 * reads are positioned, and no lock is ever taken.
 */
#ifndef HEADRACE_DATASET_INTERNAL_H
#define HEADRACE_DATASET_INTERNAL_H

#include "budget.h"
#include "chunk_header.h"
#include "file.h"
#include "footer.h"
#include "headrace/dataset.h"

/* One file of a data set. */
struct hr__part {
    struct hr__superblock superblock;
    uint64_t first_chunk, num_chunks; /* the first: over all files */
    uint64_t first_sample, num_samples;
    uint64_t num_segments;
    uint64_t dead_bytes;
    uint32_t max_chunk_pages;
    struct hr__segment *segments; /* until they are joined with those of the other files */
    uint64_t num_index_pages;
    struct hr__index_page_ref *index_pages;
    uint64_t *index;     /* entries of the pages held in memory, from page 0 on */
    uint64_t num_held;   /* of these pages */
    uint64_t held_bytes; /* of these pages, as they are in the file */
};

#define HR__MAX_IDLE_CALLS 4u

struct hr__access_call;

struct hr_dataset {
    struct hr__budget budget;
    uint32_t num_files;
    struct hr__file *files;
    struct hr__part *parts; /* of each file */
    /* As if one file held it all: segments and sums over all files, fields and JSON of the first,
     * statistics of all; of several files uuid is what names them in this order, and commit_seq 0
     * (docs/order.md, 8). Its index_pages are those of parts. */
    struct hr__footer footer;
    uint64_t file_bytes;    /* of all files, as committed */
    char *name;             /* of several files, for messages; NULL for one */
    uint64_t opening_bytes; /* of the budget at most, while the footers were read */
    _Atomic(struct hr__access_call *) idle[HR__MAX_IDLE_CALLS]; /* NULL: none */
};

/* What messages call the data set. */
const char *hr__dataset_name(const hr_dataset *ds);
/* Puts that before a message, unless it begins with the name of one of the files. */
void hr__dataset_name_error(const hr_dataset *ds, hr_error *err);

/* Opens through any folder, for tests. */
hr_status hr__dataset_open_in(const struct hr__folder_ops *folder, const char *path,
                              const hr_open_options *opts, hr_dataset **out, hr_error *err);
hr_status hr__dataset_open_many_in(const struct hr__folder_ops *folder, const char *const *paths,
                                   size_t num_paths, const hr_open_options *opts, hr_dataset **out,
                                   hr_error *err);

/* One file without reading its index: its pages are read, and found damaged, when they are needed.
 */
hr_status hr__dataset_open_bare(const struct hr__folder_ops *folder, const char *path,
                                const hr_open_options *opts, hr_dataset **out, hr_error *err);

/* The budget from which on every one works for a data set opened with it and other_bytes more. */
uint64_t hr__dataset_smallest_budget(const hr_dataset *ds, uint64_t other_bytes);

/* dataset_part.c: opens file `number` of the data set and reads its footer, which is the caller's
 * then; *footer_bytes of the budget are charged for it. */
hr_status hr__part_open(hr_dataset *ds, uint32_t number, const struct hr__folder_ops *folder,
                        const char *path, struct hr__footer *footer, uint64_t *footer_bytes,
                        hr_error *err);
/* Holds the first `count` pages of its index in memory. */
hr_status hr__part_index_load(hr_dataset *ds, uint32_t number, uint64_t count, hr_error *err);
/* Bytes of index page p, in the file and in memory; reads and checks it. */
size_t hr__part_index_page_bytes(const struct hr__part *part, uint64_t p);
hr_status hr__part_index_page_read(const hr_dataset *ds, uint32_t number, uint64_t p, uint8_t *buf,
                                   hr_error *err);

/* dataset_join.c: what the footer of file `number` says goes into that of the data set, which must
 * have the same fields and samples per chunk (else HR_ERR_MISMATCH). What is kept of it is taken
 * out of it, and is what is charged from then on. */
hr_status hr__dataset_join(hr_dataset *ds, uint32_t number, struct hr__footer *footer,
                           uint64_t footer_bytes, hr_error *err);
/* After the last: the segments of all, and what names them all. */
hr_status hr__dataset_join_end(hr_dataset *ds, hr_error *err);

/* An index page that is not held in memory, kept by whoever looks up many chunks. */
struct hr__index_cache {
    uint8_t *page; /* HR__INDEX_PAGE_BYTES, or NULL: allocated at first need */
    uint32_t file;
    uint64_t number; /* valid if page is not NULL */
};
void hr__index_cache_free(struct hr__index_cache *cache);

/* Where a chunk is stored. */
struct hr__chunk_at {
    uint32_t file;
    uint64_t number; /* in the file */
    struct hr__index_entry entry;
};
hr_status hr__dataset_locate(const hr_dataset *ds, uint64_t chunk, struct hr__index_cache *cache,
                             struct hr__chunk_at *out, hr_error *err);

/* What the chunk must be. */
struct hr__chunk_expected hr__dataset_expect(const hr_dataset *ds, uint64_t chunk,
                                             const struct hr__chunk_at *at);
/* HR__FEATURE_* of the file that a chunk is in. */
static inline uint32_t hr__dataset_features(const hr_dataset *ds, const struct hr__chunk_at *at) {
    return ds->parts[at->file].superblock.required;
}

/* Puts the file's name, the chunk's number in it and the field (UINT32_MAX: none) before a message.
 * Returns status. */
hr_status hr__dataset_blame(const hr_dataset *ds, uint64_t chunk, uint32_t field, hr_status status,
                            hr_error *err);

#endif
