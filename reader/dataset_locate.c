/*
 * Where the chunks of a data set are, and what they must be. What the index says is untrusted.
 */
#include "dataset.h"

#include "bytes.h"
#include "error.h"

#include <stdlib.h>

/* The file that holds a chunk: the last one that begins at it or before. (One without chunks begins
 * where the next one does.) */
static uint32_t file_of(const hr_dataset *ds, uint64_t chunk) {
    uint32_t lo = 0, hi = ds->num_files - 1;
    while (lo < hi) {
        uint32_t mid = hi - (hi - lo) / 2;
        if (ds->parts[mid].first_chunk <= chunk)
            lo = mid;
        else
            hi = mid - 1;
    }
    return lo;
}

void hr__index_cache_free(struct hr__index_cache *cache) {
    free(cache->page);
    *cache = (struct hr__index_cache){0};
}

static hr_status cache_load(const hr_dataset *ds, uint32_t file, uint64_t p,
                            struct hr__index_cache *cache, hr_error *err) {
    if (cache->page != NULL && cache->number == p && cache->file == file)
        return HR_OK;
    if (cache->page == NULL) {
        cache->page = malloc(HR__INDEX_PAGE_BYTES);
        if (cache->page == NULL)
            return hr__error_no_memory(err, HR__INDEX_PAGE_BYTES, "an index page");
    }
    cache->number = UINT64_MAX; /* nothing whole is in it until the read has succeeded */
    hr_status st = hr__part_index_page_read(ds, file, p, cache->page, err);
    if (st == HR_OK) {
        cache->file = file;
        cache->number = p;
    }
    return st;
}

hr_status hr__dataset_locate(const hr_dataset *ds, uint64_t chunk, struct hr__index_cache *cache,
                             struct hr__chunk_at *out, hr_error *err) {
    out->file = file_of(ds, chunk);
    const struct hr__part *part = &ds->parts[out->file];
    out->number = chunk - part->first_chunk;
    uint64_t p = out->number / HR__INDEX_PAGE_ENTRIES;
    uint64_t bits;
    if (p < part->num_held) {
        bits = hr__get_u64((const uint8_t *)&part->index[out->number]);
    } else {
        hr_status st = cache_load(ds, out->file, p, cache, err);
        if (st != HR_OK)
            return hr__dataset_blame(ds, chunk, UINT32_MAX, st, err);
        bits = hr__get_u64(cache->page + out->number % HR__INDEX_PAGE_ENTRIES * sizeof(uint64_t));
    }
    hr_status st = hr__index_entry_decode(bits, part->superblock.file_bytes, part->max_chunk_pages,
                                          &out->entry, err);
    return hr__dataset_blame(ds, chunk, UINT32_MAX, st, err);
}

struct hr__chunk_expected hr__dataset_expect(const hr_dataset *ds, uint64_t chunk,
                                             const struct hr__chunk_at *at) {
    const struct hr__superblock *superblock = &ds->parts[at->file].superblock;
    uint64_t first_sample;
    uint32_t num_samples;
    hr__segment_chunk(ds->footer.segments, ds->footer.num_segments,
                      ds->footer.schema.samples_per_chunk, chunk, &first_sample, &num_samples);
    return (struct hr__chunk_expected){.schema = &ds->footer.schema,
                                       .uuid = superblock->uuid,
                                       .max_commit_seq = superblock->commit_seq,
                                       .chunk_number = at->number,
                                       .chunk_pages = at->entry.pages,
                                       .num_samples = num_samples};
}

hr_status hr__dataset_blame(const hr_dataset *ds, uint64_t chunk, uint32_t field, hr_status status,
                            hr_error *err) {
    if (status == HR_OK)
        return HR_OK;
    const uint32_t file = file_of(ds, chunk);
    const char *path = ds->files[file].path;
    const unsigned long long number = chunk - ds->parts[file].first_chunk;
    if (field != UINT32_MAX)
        hr__error_prefix(err, "%s: chunk %llu, field %s", path, number,
                         ds->footer.schema.fields[field].name);
    else
        hr__error_prefix(err, "%s: chunk %llu", path, number);
    return status;
}
