/*
 * Loading a sample of chunks (docs/format.md, 6). The file is untrusted: headers are checked here,
 * frames by whoever decodes them.
 */
#include "chunk_sample.h"

#include "checked.h"
#include "error.h"

/* Chunk i of n, spread evenly. */
static uint64_t chunk_of(const hr_dataset *ds, uint64_t i, uint64_t n) {
    uint64_t num_chunks = ds->footer.num_chunks;
    return num_chunks / n * i + num_chunks % n * i / n;
}

static hr_status bytes_of(const hr_dataset *ds, uint64_t n, uint64_t *out, hr_error *err) {
    struct hr__index_cache cache = {0};
    hr_status st = HR_OK;
    *out = 0;
    for (uint64_t i = 0; i < n && st == HR_OK; i++) {
        struct hr__chunk_at at = {0};
        st = hr__dataset_locate(ds, chunk_of(ds, i, n), &cache, &at, err);
        *out += (uint64_t)at.entry.pages * HR__PAGE_BYTES;
    }
    hr__index_cache_free(&cache);
    return st;
}

/* As many chunks as max_bytes hold: an estimate by their mean, corrected by what they really take.
 */
static hr_status chunks_that_fit(const hr_dataset *ds, uint64_t max_bytes, uint64_t *num_chunks,
                                 uint64_t *num_bytes, hr_error *err) {
    uint64_t all = hr__max_u64(1, ds->footer.num_chunks);
    uint64_t mean = hr__max_u64(HR__PAGE_BYTES, ds->file_bytes / all);
    uint64_t n = hr__max_u64(1, hr__min_u64(all, max_bytes / mean));
    for (;;) {
        hr_status st = bytes_of(ds, n, num_bytes, err);
        *num_chunks = n;
        if (st != HR_OK || n == 1 || *num_bytes <= max_bytes)
            return st;
        n = hr__max_u64(
            1, hr__min_u64(n - 1, (uint64_t)((double)n * (double)max_bytes / (double)*num_bytes)));
    }
}

static hr_status chunk_read(struct hr__chunk_sample *s, uint64_t chunk, struct hr__chunk_at *at,
                            uint8_t *to, struct hr__index_cache *cache, hr_error *err) {
    hr_status st = hr__dataset_locate(s->ds, chunk, cache, at, err);
    if (st != HR_OK)
        return st;
    st = hr__file_read_exact(&s->ds->files[at->file], to, (size_t)at->entry.pages * HR__PAGE_BYTES,
                             at->entry.page * HR__PAGE_BYTES, err);
    return hr__dataset_blame(s->ds, chunk, UINT32_MAX, st, err);
}

static hr_status header_of(const struct hr__chunk_sample *s, uint64_t chunk,
                           const struct hr__chunk_at *at, const uint8_t *bytes,
                           struct hr__chunk_view *view, hr_error *err) {
    struct hr__chunk_expected expected = hr__dataset_expect(s->ds, chunk, at);
    hr_status st = hr__chunk_header_decode(bytes, (size_t)at->entry.pages * HR__PAGE_BYTES,
                                           &expected, view, err);
    return hr__dataset_blame(s->ds, chunk, UINT32_MAX, st, err);
}

static void frames_add(struct hr__chunk_sample *s, const struct hr__chunk_at *at,
                       const struct hr__chunk_view *view) {
    const struct hr__schema *schema = &s->ds->footer.schema;
    for (uint32_t field = 0; field < schema->num_fields; field++) {
        uint32_t first, count;
        uint64_t off;
        hr__chunk_view_block(view, field, &first, &count, &off);
        for (uint32_t i = 0; i < count; i++) {
            struct hr__sample_frame *f = &s->frames[s->num_frames++];
            *f = (struct hr__sample_frame){.field = field,
                                           .features = hr__dataset_features(s->ds, at),
                                           .stored = view->bytes + off};
            hr__chunk_view_frame(view, first + i, off, &f->frame);
            off += f->frame.stored_bytes;
            s->stored_bytes += f->frame.stored_bytes;
            s->decoded_bytes += f->frame.decoded_bytes;
        }
    }
}

/* Walks the chunks: the first time reads them and counts their frames, the second fills the table.
 */
static hr_status walk(struct hr__chunk_sample *s, bool fill, size_t *num_frames, hr_error *err) {
    struct hr__index_cache cache = {0};
    hr_status st = HR_OK;
    uint8_t *to = s->bytes;
    *num_frames = 0;
    for (size_t i = 0; i < s->num_chunks && st == HR_OK; i++) {
        uint64_t chunk = chunk_of(s->ds, i, s->num_chunks);
        struct hr__chunk_at at = {0};
        struct hr__chunk_view view;
        if (fill)
            st = hr__dataset_locate(s->ds, chunk, &cache, &at, err);
        else
            st = chunk_read(s, chunk, &at, to, &cache, err);
        if (st == HR_OK)
            st = header_of(s, chunk, &at, to, &view, err);
        if (st == HR_OK)
            *num_frames += view.header.num_frames;
        if (st == HR_OK && fill) {
            frames_add(s, &at, &view);
            s->first_frame[i + 1] = s->num_frames;
        }
        to += (size_t)at.entry.pages * HR__PAGE_BYTES;
    }
    hr__index_cache_free(&cache);
    return st;
}

static hr_status load(struct hr__chunk_sample *s, uint64_t max_bytes, hr_error *err) {
    hr_status st;
    uint64_t num_chunks = 0, num_bytes = 0;
    size_t num_frames = 0;
    HR_TRY(chunks_that_fit(s->ds, max_bytes, &num_chunks, &num_bytes, err));
    s->bytes = hr__budget_take_raw(s->budget, (size_t)num_bytes, "chunks held in memory", &st, err);
    if (s->bytes == NULL)
        return st;
    s->num_bytes = (size_t)num_bytes;
    s->num_chunks = (size_t)num_chunks;
    HR_TRY(walk(s, false, &num_frames, err));
    s->table_bytes =
        (s->num_chunks + 1) * sizeof(*s->first_frame) + num_frames * sizeof(*s->frames);
    s->frames = hr__budget_take(s->budget, s->table_bytes, "tables of frames", &st, err);
    if (s->frames == NULL)
        return st;
    s->first_frame = (size_t *)(void *)(s->frames + num_frames);
    HR_TRY(walk(s, true, &num_frames, err));
done:
    return st;
}

hr_status hr__chunk_sample_load(const hr_dataset *ds, uint64_t max_bytes, struct hr__budget *budget,
                                struct hr__chunk_sample *out, hr_error *err) {
    *out = (struct hr__chunk_sample){.ds = ds, .budget = budget};
    hr_status st = HR_OK;
    if (ds->footer.num_chunks > 0 && ds->footer.schema.sample_bytes > 0)
        st = load(out, max_bytes, err);
    if (st == HR_OK && out->decoded_bytes == 0)
        st = hr__error_set(err, HR_ERR_INVALID,
                           "%s: its %llu samples hold no byte to decode; measure a file that has "
                           "some",
                           hr__dataset_name(ds), (unsigned long long)ds->footer.num_samples);
    if (st != HR_OK)
        hr__chunk_sample_free(out);
    return st;
}

uint64_t hr__chunk_sample_number(const struct hr__chunk_sample *s, size_t i) {
    return chunk_of(s->ds, i, s->num_chunks);
}

void hr__chunk_sample_free(struct hr__chunk_sample *s) {
    if (s->frames != NULL)
        hr__budget_free(s->budget, s->frames, s->table_bytes);
    if (s->bytes != NULL)
        hr__budget_free(s->budget, s->bytes, s->num_bytes);
    *s = (struct hr__chunk_sample){0};
}
