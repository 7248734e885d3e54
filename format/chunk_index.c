/*
 * Index entries, and where samples are (docs/format.md, 7). Input is untrusted.
 */
#include "chunk_index.h"

#include "checked.h"
#include "error.h"
#include "superblock.h"

#define PAGE_BITS 40

uint64_t hr__index_entry_encode(struct hr__index_entry e) {
    return e.page | (uint64_t)e.pages << PAGE_BITS;
}

hr_status hr__index_entry_decode(uint64_t bits, uint64_t file_bytes, uint32_t max_pages,
                                 struct hr__index_entry *out, hr_error *err) {
    out->page = bits & ((UINT64_C(1) << PAGE_BITS) - 1);
    out->pages = (uint32_t)(bits >> PAGE_BITS);
    if (out->pages == 0 || out->pages > max_pages || out->page < HR__DATA_OFF / HR__PAGE_BYTES ||
        !hr__range_within(out->page, out->pages, file_bytes / HR__PAGE_BYTES))
        return hr__error_at(err, HR_ERR_CORRUPT, out->page * HR__PAGE_BYTES,
                            "its index entry is out of range (page %llu, %u pages; at most %u "
                            "pages, in a file of %llu); copy the file again, or convert anew",
                            (unsigned long long)out->page, out->pages, max_pages,
                            (unsigned long long)(file_bytes / HR__PAGE_BYTES));
    return HR_OK;
}

size_t hr__index_page_bytes(uint64_t num_chunks, uint64_t p) {
    uint64_t entries = hr__min_u64(num_chunks - p * HR__INDEX_PAGE_ENTRIES, HR__INDEX_PAGE_ENTRIES);
    return (size_t)hr__round_up(entries * sizeof(uint64_t), HR__PAGE_BYTES);
}

/* The last segment for which `key` of it is not greater than wanted. */
static const struct hr__segment *find(const struct hr__segment *segments, uint64_t num_segments,
                                      uint64_t wanted, bool by_sample) {
    uint64_t lo = 0, hi = num_segments - 1;
    while (lo < hi) {
        uint64_t mid = hi - (hi - lo) / 2;
        uint64_t key = by_sample ? segments[mid].first_sample : segments[mid].first_chunk;
        if (key <= wanted)
            lo = mid;
        else
            hi = mid - 1;
    }
    return &segments[lo];
}

void hr__segment_locate(const struct hr__segment *segments, uint64_t num_segments,
                        uint32_t samples_per_chunk, uint64_t sample, uint64_t *chunk,
                        uint32_t *place) {
    const struct hr__segment *s = find(segments, num_segments, sample, true);
    uint64_t in_segment = sample - s->first_sample;
    *chunk = s->first_chunk + in_segment / samples_per_chunk;
    *place = (uint32_t)(in_segment % samples_per_chunk);
}

void hr__segment_chunk(const struct hr__segment *segments, uint64_t num_segments,
                       uint32_t samples_per_chunk, uint64_t chunk, uint64_t *first_sample,
                       uint32_t *num_samples) {
    const struct hr__segment *s = find(segments, num_segments, chunk, false);
    uint64_t before = (chunk - s->first_chunk) * samples_per_chunk;
    *first_sample = s->first_sample + before;
    *num_samples = (uint32_t)hr__min_u64(s->num_samples - before, samples_per_chunk);
}
