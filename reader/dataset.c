/*
 * Opening a data set (docs/format.md, 8). The file is untrusted.
 */
#include "dataset.h"

#include "bytes.h"
#include "checked.h"
#include "default_budget.h"
#include "error.h"
#include "frame_codec.h" /* hr__hash */
#include "options.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#define INDEX_SHARE 8u /* the index takes at most so much of the budget: an eighth */

static hr_status resolve_options(const hr_open_options *opts, hr_open_options *out, hr_error *err) {
    *out = (hr_open_options)HR_OPEN_OPTIONS_INIT;
    hr_status st = HR_OK;
    if (opts != NULL)
        st = hr__options_copy(opts, offsetof(hr_open_options, budget_bytes), out, sizeof(*out),
                              "hr_open_options", err);
    if (st != HR_OK)
        return st;
    if (out->flags != 0)
        return hr__error_set(err, HR_ERR_INVALID, "hr_open_options.flags is %#x, expected 0",
                             out->flags);
    if (out->budget_bytes == 0)
        out->budget_bytes = hr_default_budget();
    return HR_OK;
}

static hr_status superblock_load(hr_dataset *ds, hr_error *err) {
    hr_status st;
    uint8_t slots[2][HR__PAGE_BYTES];
    int chosen = 0;
    int64_t size = ds->file.ops->size(ds->file.ctx);
    if (size < 0)
        return hr__error_os(err, (int)-size, "cannot find the size of the file");
    if ((uint64_t)size < HR__DATA_OFF) {
        uint8_t magic[8] = {0};
        static const uint8_t expected[8] = {0x89, 'H', 'R', 'D', '\r', '\n', 0x1a, '\n'};
        int64_t n = ds->file.ops->read(ds->file.ctx, magic, sizeof(magic), 0);
        if (n < 0)
            return hr__error_os(err, (int)-n, "reading its first bytes failed");
        if (n < 8 || memcmp(magic, expected, sizeof(magic)) != 0)
            return hr__error_set(
                err, HR_ERR_CORRUPT,
                "not a Headrace file (%lld bytes, without its signature); make one "
                "with headrace convert",
                (long long)size);
        return hr__error_set(err, HR_ERR_CORRUPT,
                             "truncated: %lld bytes, the smallest data set has %u; copy the file "
                             "again or convert anew",
                             (long long)size, HR__DATA_OFF);
    }
    HR_TRY(hr__file_read_exact(&ds->file, slots[0], HR__PAGE_BYTES, 0, err));
    HR_TRY(hr__file_read_exact(&ds->file, slots[1], HR__PAGE_BYTES, HR__SLOT1_OFF, err));
    HR_TRY(hr__superblock_choose(slots[0], slots[1], &chosen, err));
    HR_TRY(hr__superblock_decode(slots[chosen], &ds->superblock, err));
    if (ds->superblock.file_bytes > (uint64_t)size)
        st = hr__error_set(err, HR_ERR_CORRUPT,
                           "truncated: %lld bytes, the superblock says %llu; copy the file again",
                           (long long)size, (unsigned long long)ds->superblock.file_bytes);
done:
    return st;
}

static hr_status check_variable(const hr_dataset *ds, hr_error *err) {
    if ((ds->superblock.required & HR__FEATURE_VARLEN) == 0)
        return HR_OK;
    return hr__error_set(
        err, HR_ERR_UNSUPPORTED,
        "it has fields of variable length (feature \"varlen\"), which this version "
        "(%s) does not read; use a newer Headrace",
        hr_version());
}

static hr_status footer_load(hr_dataset *ds, hr_error *err) {
    hr_status st;
    size_t n_bytes = (size_t)ds->superblock.footer_bytes;
    uint64_t parse_bytes = n_bytes;
    uint8_t *bytes = hr__budget_alloc(&ds->budget, n_bytes, "the footer", err);
    if (bytes == NULL)
        return hr__error_status(err, HR_ERR_NO_MEMORY);
    HR_TRY(hr__file_read_exact(&ds->file, bytes, n_bytes, ds->superblock.footer_off, err));
    /* Segments and page table stay; the JSON text too, and its tree is there while it is parsed. */
    parse_bytes = hr__footer_decode_bytes(bytes, n_bytes);
    st = hr__budget_reserve(&ds->budget, parse_bytes, "the schema", err);
    if (st != HR_OK)
        goto done;
    st = hr__footer_decode(bytes, n_bytes, &ds->superblock, &ds->footer, err);
    hr__budget_release(&ds->budget, parse_bytes - n_bytes);
    ds->opening_bytes = atomic_load(&ds->budget.peak_bytes);
done:
    hr__budget_free(&ds->budget, bytes, n_bytes);
    return st;
}

static hr_status index_page_read(const hr_dataset *ds, uint64_t p, uint8_t *buf, hr_error *err) {
    const struct hr__index_page_ref *ref = &ds->footer.index_pages[p];
    size_t n_bytes = hr__index_page_bytes(ds->footer.num_chunks, p);
    hr_status st = hr__file_read_exact(&ds->file, buf, n_bytes, ref->off, err);
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

/* Pages from the first on, as many as fit their share of the budget. */
static hr_status index_load(hr_dataset *ds, hr_error *err) {
    hr_status st = HR_OK;
    uint64_t room = ds->budget.limit_bytes / INDEX_SHARE / HR__INDEX_PAGE_BYTES;
    uint64_t count = hr__min_u64(room, ds->footer.num_index_pages);
    size_t n_bytes = (size_t)count * HR__INDEX_PAGE_BYTES;
    if (count == 0)
        return HR_OK;
    uint8_t *pages = hr__budget_alloc(&ds->budget, n_bytes, "the chunk index", err);
    if (pages == NULL)
        return hr__error_status(err, HR_ERR_NO_MEMORY);
    ds->index = (uint64_t *)(void *)pages;
    ds->num_index_pages = count;
    for (uint64_t p = 0; p < count && st == HR_OK; p++)
        st = index_page_read(ds, p, pages + p * HR__INDEX_PAGE_BYTES, err);
    return st;
}

hr_status hr__dataset_open_bare(const struct hr__folder_ops *folder, const char *path,
                                const hr_open_options *opts, hr_dataset **out, hr_error *err) {
    hr_status st;
    hr_error local = {0};
    hr_error *e = err != NULL ? err : &local; /* the prefix below needs one */
    hr_dataset *ds = NULL;
    hr_open_options o;
    if (out == NULL || path == NULL)
        return hr__error_set(err, HR_ERR_INVALID, "hr_dataset_open: path and out must not be NULL");
    *out = NULL;
    HR_TRY(resolve_options(opts, &o, e));
    ds = calloc(1, sizeof(*ds));
    if (ds == NULL)
        return hr__error_no_memory(e, sizeof(*ds), "a data set");
    hr__budget_init(&ds->budget, o.budget_bytes);
    int rc = folder->open(folder->ctx, path, O_RDONLY, &ds->file);
    if (rc < 0) {
        st = hr__error_os(e, -rc, "cannot open the data set");
        goto done;
    }
    HR_TRY(superblock_load(ds, e));
    HR_TRY(check_variable(ds, e));
    HR_TRY(footer_load(ds, e));
    *out = ds;
    ds = NULL;
done:
    if (st != HR_OK)
        hr__error_name_file(e, path);
    hr_dataset_close(ds);
    return st;
}

hr_status hr__dataset_open_in(const struct hr__folder_ops *folder, const char *path,
                              const hr_open_options *opts, hr_dataset **out, hr_error *err) {
    hr_error local = {0};
    hr_error *e = err != NULL ? err : &local;
    hr_status st = hr__dataset_open_bare(folder, path, opts, out, e);
    if (st != HR_OK)
        return st;
    st = index_load(*out, e);
    if (st != HR_OK) {
        hr__error_name_file(e, path);
        hr_dataset_close(*out);
        *out = NULL;
    }
    return st;
}

hr_status hr_dataset_open(const char *path, const hr_open_options *opts, hr_dataset **out,
                          hr_error *err) {
    return hr__dataset_open_in(&hr__posix_folder, path, opts, out, err);
}

/* A budget that has just room for one index page more takes it, so what is left for the rest falls
 * by a page there: to INDEX_SHARE - 1 pages for each one held. The first budget that works may be
 * followed by some that do not; counted are the pages up to the last place where the rest does not
 * fit. */
uint64_t hr__dataset_smallest_budget(const hr_dataset *ds, uint64_t other_bytes) {
    uint64_t held_bytes = ds->num_index_pages * HR__INDEX_PAGE_BYTES;
    uint64_t rest_bytes = other_bytes + atomic_load(&ds->budget.reserved_bytes) - held_bytes;
    uint64_t pages = hr__max_u64(rest_bytes, 1) - 1;
    pages /= (uint64_t)(INDEX_SHARE - 1) * HR__INDEX_PAGE_BYTES;
    pages = hr__min_u64(pages, ds->footer.num_index_pages);
    return hr__max_u64(ds->opening_bytes, rest_bytes + pages * HR__INDEX_PAGE_BYTES);
}

void hr_dataset_close(hr_dataset *ds) {
    if (ds == NULL)
        return;
    hr__budget_free(&ds->budget, ds->index, (size_t)ds->num_index_pages * HR__INDEX_PAGE_BYTES);
    hr__footer_free(&ds->footer);
    hr__file_close(&ds->file);
    hr__budget_close(&ds->budget);
    free(ds);
}

void hr__index_cache_free(struct hr__index_cache *cache) {
    free(cache->page);
    *cache = (struct hr__index_cache){0};
}

static hr_status cache_load(const hr_dataset *ds, uint64_t p, struct hr__index_cache *cache,
                            hr_error *err) {
    if (cache->page != NULL && cache->number == p)
        return HR_OK;
    if (cache->page == NULL) {
        cache->page = malloc(HR__INDEX_PAGE_BYTES);
        if (cache->page == NULL)
            return hr__error_no_memory(err, HR__INDEX_PAGE_BYTES, "an index page");
    }
    cache->number = UINT64_MAX; /* nothing whole is in it until the read has succeeded */
    hr_status st = index_page_read(ds, p, cache->page, err);
    if (st == HR_OK)
        cache->number = p;
    return st;
}

hr_status hr__dataset_locate(const hr_dataset *ds, uint64_t chunk, struct hr__index_cache *cache,
                             struct hr__index_entry *out, hr_error *err) {
    uint64_t p = chunk / HR__INDEX_PAGE_ENTRIES;
    uint64_t bits;
    if (p < ds->num_index_pages) {
        bits = hr__get_u64((const uint8_t *)&ds->index[chunk]);
    } else {
        hr_status st = cache_load(ds, p, cache, err);
        if (st != HR_OK)
            return hr__dataset_blame(ds, chunk, UINT32_MAX, st, err);
        bits = hr__get_u64(cache->page + chunk % HR__INDEX_PAGE_ENTRIES * sizeof(uint64_t));
    }
    hr_status st = hr__index_entry_decode(bits, ds->superblock.file_bytes,
                                          ds->footer.max_chunk_pages, out, err);
    return hr__dataset_blame(ds, chunk, UINT32_MAX, st, err);
}

struct hr__chunk_expected hr__dataset_expect(const hr_dataset *ds, uint64_t chunk,
                                             struct hr__index_entry entry) {
    uint64_t first_sample;
    uint32_t num_samples;
    hr__segment_chunk(ds->footer.segments, ds->footer.num_segments,
                      ds->footer.schema.samples_per_chunk, chunk, &first_sample, &num_samples);
    return (struct hr__chunk_expected){.schema = &ds->footer.schema,
                                       .uuid = ds->footer.uuid,
                                       .max_commit_seq = ds->footer.commit_seq,
                                       .chunk_number = chunk,
                                       .chunk_pages = entry.pages,
                                       .num_samples = num_samples};
}

hr_status hr__dataset_blame(const hr_dataset *ds, uint64_t chunk, uint32_t field, hr_status status,
                            hr_error *err) {
    if (status == HR_OK)
        return HR_OK;
    if (field != UINT32_MAX)
        hr__error_prefix(err, "%s: chunk %llu, field %s", ds->file.path, (unsigned long long)chunk,
                         ds->footer.schema.fields[field].name);
    else
        hr__error_prefix(err, "%s: chunk %llu", ds->file.path, (unsigned long long)chunk);
    return status;
}
