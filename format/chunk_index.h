/*
 * The chunk index: entries, pages and segments (docs/format.md, 7). Input is untrusted.
 */
#ifndef HEADRACE_CHUNK_INDEX_H
#define HEADRACE_CHUNK_INDEX_H

#include "headrace/status.h"

#include <stdbool.h>
#include <stddef.h>

#define HR__INDEX_PAGE_ENTRIES 8192u
#define HR__INDEX_PAGE_BYTES   65536u

struct hr__index_entry {
    uint64_t page; /* offset / 4096 */
    uint32_t pages;
};

uint64_t hr__index_entry_encode(struct hr__index_entry e);
/* HR_ERR_CORRUPT unless the chunk lies in HR__DATA_OFF .. file_bytes and pages is 1..max_pages. */
hr_status hr__index_entry_decode(uint64_t bits, uint64_t file_bytes, uint32_t max_pages,
                                 struct hr__index_entry *out, hr_error *err);

/* Stored bytes of index page p of a file of num_chunks. */
size_t hr__index_page_bytes(uint64_t num_chunks, uint64_t p);

struct hr__segment {
    uint64_t first_chunk;
    uint64_t num_chunks;
    uint64_t first_sample;
    uint64_t num_samples;
};

/* Where a sample is: its chunk, and its place in it. sample < the last segment's end. */
void hr__segment_locate(const struct hr__segment *segments, uint64_t num_segments,
                        uint32_t samples_per_chunk, uint64_t sample, uint64_t *chunk,
                        uint32_t *place);
/* The samples of a chunk, and the index of its first. */
void hr__segment_chunk(const struct hr__segment *segments, uint64_t num_segments,
                       uint32_t samples_per_chunk, uint64_t chunk, uint64_t *first_sample,
                       uint32_t *num_samples);

#endif
