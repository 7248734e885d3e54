/*
 * The chunks of a damaged file, in ascending order: by its index, or page by page (docs/format.md,
 * 5 and 6). All of it is untrusted.
 *
 * Page by page, chunks are met in the order in which they were written, which is that of their
 * numbers but for one case: an append writes the last chunk anew where that is short. So a short
 * chunk waits until the next one has been met; of two with the same number the one of the later
 * commit is meant, and the older one is taken where the later is damaged.
 */
#include "checked.h"
#include "error.h"
#include "salvage_internal.h"
#include "superblock.h"

#include <stdio.h>

#define SCAN_BYTES (UINT32_C(1) << 20)

/* ---- by the index ---- */

static uint32_t footer_samples(const struct hr__salvage *s, uint64_t chunk) {
    const struct hr__footer *f = &s->known.ds->footer;
    uint64_t first;
    uint32_t n;
    hr__segment_chunk(f->segments, f->num_segments, f->schema.samples_per_chunk, chunk, &first, &n);
    return n;
}

static hr_status take_entry(struct hr__salvage *s, struct hr__index_cache *cache, hr_error *err) {
    const uint64_t chunk = s->next_chunk;
    const uint32_t num_samples = footer_samples(s, chunk);
    struct hr__chunk_at at;
    bool whole = false;
    hr_error why = {.status = HR_OK};
    hr_status st = hr__dataset_locate(s->known.ds, chunk, cache, &at, &why);
    if (hr__salvage_is_damage(st)) {
        hr__salvage_lose(s, 1, num_samples, false, why.message);
        return HR_OK;
    }
    if (st != HR_OK) {
        if (err != NULL)
            *err = why;
        return st;
    }
    const struct hr__chunk_from from = hr__chunk_from(s->known.ds, chunk, &at);
    HR_TRY(hr__salvage_chunk(s, &from, true, &whole, err));
    if (!whole) {
        hr__salvage_lose(s, 1, num_samples, true, s->look.why.message);
        return HR_OK;
    }
    s->next_chunk++;
    s->next_sample += num_samples;
done:
    return st;
}

hr_status hr__salvage_by_index(struct hr__salvage *s, hr_error *err) {
    const uint64_t num_chunks = s->known.ds->footer.num_chunks;
    struct hr__index_cache cache = {0};
    hr_status st = HR_OK;
    while (s->next_chunk < num_chunks && st == HR_OK) {
        const double share = (double)s->next_chunk / (double)num_chunks;
        HR_TRY(take_entry(s, &cache, err));
        st = hr__salvage_tell(s, (uint64_t)(share * (double)s->known.end_off), false, err);
    }
done:
    hr__index_cache_free(&cache);
    return st;
}

/* ---- page by page ---- */

/* A chunk whose header is whole. */
struct found {
    uint64_t off, number, commit_seq;
    uint32_t num_samples;
};

struct scan {
    struct hr__salvage *s;
    uint8_t *bytes; /* SCAN_BYTES: those of the file from base on */
    uint64_t base;
    size_t n_bytes;
    bool waits; /* a short chunk, not yet taken */
    struct found waiting;
    uint32_t newer_samples; /* of its damaged later version; 0: none was met */
    char newer_reason[256];
};

static const char not_found[] = "no whole header of it was found";

static struct hr__chunk_from from_found(const struct scan *c, const struct found *f) {
    const struct hr__salvage_known *k = &c->s->known;
    return (struct hr__chunk_from){.file = &k->file,
                                   .off = f->off,
                                   .room_bytes = k->end_off - f->off,
                                   .expected = {.schema = &k->schema,
                                                .uuid = k->uuid,
                                                .max_commit_seq = k->max_commit_seq,
                                                .chunk_number = f->number}};
}

/* Samples that chunk `number` should have. */
static uint32_t expected_samples(const struct scan *c, uint64_t number) {
    return c->s->known.ds != NULL ? footer_samples(c->s, number)
                                  : c->s->known.schema.samples_per_chunk;
}

/* Chunks next_chunk to number - 1 are nowhere. */
static void lose_up_to(const struct scan *c, uint64_t number) {
    struct hr__salvage *s = c->s;
    const uint64_t n = number - s->next_chunk;
    uint64_t num_samples = 0;
    if (n == 0)
        return;
    if (s->known.ds != NULL) {
        const struct hr__footer *f = &s->known.ds->footer;
        uint64_t end = f->num_samples;
        uint32_t in_chunk;
        if (number < f->num_chunks)
            hr__segment_chunk(f->segments, f->num_segments, f->schema.samples_per_chunk, number,
                              &end, &in_chunk);
        num_samples = end - s->next_sample;
    } else if (!hr__mul_u64(n, s->known.schema.samples_per_chunk, &num_samples)) {
        num_samples = UINT64_MAX - s->next_sample;
    }
    hr__salvage_lose(s, n, num_samples, false, not_found);
}

static hr_status take_found(const struct scan *c, const struct found *f, bool *whole,
                            hr_error *err) {
    const struct hr__chunk_from from = from_found(c, f);
    return hr__salvage_chunk(c->s, &from, true, whole, err);
}

/* Samples that the chunk which waits has in its last version. An append that wrote a chunk behind
 * it had made it full before. */
static uint64_t waiting_samples(const struct scan *c, const struct found *next) {
    if (c->newer_samples > 0)
        return c->newer_samples;
    if (c->s->known.ds != NULL || (next != NULL && next->commit_seq > c->waiting.commit_seq))
        return expected_samples(c, c->waiting.number);
    return c->waiting.num_samples;
}

/* What the chunk that waited holds is saved or lost; its later version is not whole. next: the
 * chunk that was met behind it, or NULL. */
static hr_status end_waiting(struct scan *c, const struct found *next, hr_error *err) {
    struct hr__salvage *s = c->s;
    const struct found *f = &c->waiting;
    const uint64_t in_all = waiting_samples(c, next);
    bool whole = false;
    if (!c->waits)
        return HR_OK;
    c->waits = false;
    lose_up_to(c, f->number);
    const hr_status st = take_found(c, f, &whole, err);
    if (st != HR_OK)
        return st;
    if (!whole) {
        hr__salvage_lose(s, 1, hr__max_u64(in_all, f->num_samples), true, s->look.why.message);
        return HR_OK;
    }
    s->next_sample += f->num_samples;
    if (in_all > f->num_samples)
        hr__salvage_lose(s, 1, in_all - f->num_samples, false,
                         c->newer_samples > 0 ? c->newer_reason : not_found);
    else
        s->next_chunk++;
    return HR_OK;
}

/* A full chunk. *taken false: it is damaged. */
static hr_status take_full(struct scan *c, const struct found *f, bool *taken, hr_error *err) {
    lose_up_to(c, f->number);
    const hr_status st = take_found(c, f, taken, err);
    if (st == HR_OK && *taken) {
        c->s->next_chunk++;
        c->s->next_sample += f->num_samples;
    }
    return st;
}

/* A later version of the chunk that waits. */
static hr_status meet_newer(struct scan *c, const struct found *f, bool full, hr_error *err) {
    const struct hr__chunk_from from = from_found(c, f);
    bool whole = false;
    hr_status st;
    if (full)
        st = take_full(c, f, &whole, err);
    else
        st = hr__salvage_chunk(c->s, &from, false, &whole, err);
    if (st != HR_OK)
        return st;
    if (!whole) {
        c->newer_samples = f->num_samples;
        (void)snprintf(c->newer_reason, sizeof c->newer_reason, "%.255s", c->s->look.why.message);
    } else if (full) {
        c->waits = false;
    } else {
        c->waiting = *f;
        c->newer_samples = 0;
    }
    return HR_OK;
}

static hr_status meet(struct scan *c, const struct found *f, hr_error *err) {
    struct hr__salvage *s = c->s;
    const bool known = s->known.ds != NULL;
    bool taken = false;
    if (known && f->number >= s->known.ds->footer.num_chunks)
        return HR_OK;
    const uint32_t expected = expected_samples(c, f->number);
    if (f->num_samples > expected || f->number < s->next_chunk)
        return HR_OK;
    const bool full = f->num_samples == expected;
    if (c->waits && f->number == c->waiting.number)
        return f->commit_seq > c->waiting.commit_seq ? meet_newer(c, f, full, err) : HR_OK;
    if (c->waits && f->number < c->waiting.number)
        return HR_OK;
    hr_status st = end_waiting(c, f, err);
    if (st != HR_OK)
        return st;
    if (!full) {
        c->waits = true;
        c->waiting = *f;
        c->newer_samples = 0;
        return HR_OK;
    }
    st = take_full(c, f, &taken, err);
    if (st == HR_OK && !taken)
        hr__salvage_lose(s, 1, f->num_samples, true, s->look.why.message);
    return st;
}

/* The file from off on; a stretch that cannot be read is passed over by the page. False: there is
 * nothing at off. */
static bool load(struct scan *c, uint64_t off) {
    const struct hr__salvage_known *k = &c->s->known;
    if (off >= c->base && off - c->base < c->n_bytes)
        return true;
    c->base = off;
    c->n_bytes = (size_t)hr__min_u64(SCAN_BYTES, k->end_off - off);
    if (hr__file_read_exact(&k->file, c->bytes, c->n_bytes, off, NULL) == HR_OK)
        return true;
    c->n_bytes = HR__PAGE_BYTES;
    if (hr__file_read_exact(&k->file, c->bytes, c->n_bytes, off, NULL) == HR_OK)
        return true;
    c->n_bytes = 0;
    return false;
}

/* Whether a chunk of this file begins at off. */
static hr_status look_at(struct scan *c, uint64_t off, bool *there, struct found *f,
                         uint64_t *n_bytes, hr_error *err) {
    const uint8_t *page = c->bytes + (off - c->base);
    struct hr__chunk_stream *stream = &c->s->look.stream;
    *there = false;
    if (hr__chunk_header_peek(page, HR__PAGE_BYTES) == 0)
        return HR_OK;
    *f = (struct found){.off = off, .number = hr__chunk_header_number(page)};
    const struct hr__chunk_from from = from_found(c, f);
    const hr_status st = hr__chunk_stream_head(stream, &from, err);
    if (st != HR_OK)
        return hr__salvage_is_damage(st) ? HR_OK : st;
    f->num_samples = stream->view.header.num_samples;
    f->commit_seq = stream->view.header.commit_seq;
    *n_bytes = hr__round_up(stream->view.header.chunk_bytes, HR__PAGE_BYTES);
    *there = true;
    return HR_OK;
}

static hr_status scan_pages(struct scan *c, hr_error *err) {
    const uint64_t end = c->s->known.end_off;
    hr_status st = HR_OK;
    for (uint64_t off = HR__DATA_OFF; off < end;) {
        struct found f;
        uint64_t n_bytes = 0;
        bool there = false;
        if (load(c, off))
            HR_TRY(look_at(c, off, &there, &f, &n_bytes, err));
        if (there)
            HR_TRY(meet(c, &f, err));
        off += there ? n_bytes : HR__PAGE_BYTES;
        HR_TRY(hr__salvage_tell(c->s, off, false, err));
    }
    HR_TRY(end_waiting(c, NULL, err));
done:
    return st;
}

hr_status hr__salvage_by_pages(struct hr__salvage *s, hr_error *err) {
    struct scan c = {.s = s};
    hr_status st = HR_OK;
    c.bytes = hr__budget_take(&s->budget, SCAN_BYTES, "looking for chunks", &st, err);
    if (c.bytes == NULL)
        return st;
    st = scan_pages(&c, err);
    if (st == HR_OK && s->known.ds != NULL)
        lose_up_to(&c, s->known.ds->footer.num_chunks);
    hr__budget_free(&s->budget, c.bytes, SCAN_BYTES);
    return st;
}
