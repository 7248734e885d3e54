/*
 * Checking the chunks of a file: headers, ends of values, every frame, padding. The file is
 * untrusted.
 */
#include "verify_run.h"

#include "bytes.h"
#include "checked.h"
#include "chunk_fetch.h"
#include "dtype.h"
#include "error.h"

#include <stdio.h>

struct place { /* a chunk, for reports */
    uint64_t chunk, first_sample;
    uint32_t num_samples;
};

static void report_chunk(struct hr__verify_run *v, const struct hr__chunk_fetch *f,
                         const struct place *at, uint32_t field, uint64_t first, uint64_t count,
                         const hr_error *err) {
    char what[320];
    if (field == UINT32_MAX)
        snprintf(what, sizeof(what), "chunk %llu", (unsigned long long)at->chunk);
    else
        snprintf(what, sizeof(what), "chunk %llu, field %s", (unsigned long long)at->chunk,
                 v->ds->footer.schema.fields[field].name);
    hr__verify_report(v, what, err, f->chunk_off, at->chunk, field, at->first_sample + first,
                      count);
}

/* What one thread works in. */
struct workplace {
    uint8_t *frame; /* HR__MAX_FRAME_BYTES */
    uint64_t *ends; /* one for each of S samples; NULL without fields of variable length */
    uint32_t num_ends;
};

static hr_status workplace_make(struct hr__verify_run *v, struct workplace *w, hr_error *err) {
    const struct hr__schema *s = &v->ds->footer.schema;
    *w = (struct workplace){.num_ends = s->num_variable > 0 ? s->samples_per_chunk : 0};
    hr_status st = HR_OK;
    w->frame = hr__budget_take_raw(&v->budget, HR__MAX_FRAME_BYTES, "a decoded frame", &st, err);
    if (w->frame != NULL && w->num_ends > 0)
        w->ends = hr__budget_take_raw(&v->budget, w->num_ends * sizeof(*w->ends),
                                      "the ends of values", &st, err);
    return st;
}

static void workplace_free(struct hr__verify_run *v, struct workplace *w) {
    hr__budget_free(&v->budget, w->ends, w->num_ends * sizeof(*w->ends));
    hr__budget_free(&v->budget, w->frame, HR__MAX_FRAME_BYTES);
}

/* False: the ends are damaged, so nothing is known of the values. */
static bool check_ends(struct hr__verify_run *v, struct hr__chunk_fetch *f, const struct place *at,
                       uint32_t field, uint64_t *ends) {
    hr_error err = {0};
    const hr_status st = hr__chunk_fetch_ends(f, field, ends, &err);
    if (st != HR_OK && hr__verify_is_damage(st))
        report_chunk(v, f, at, field, 0, at->num_samples, &err);
    else if (st != HR_OK)
        hr__verify_fail(v, st, &err);
    return st == HR_OK;
}

/* The sample whose value has the byte at `byte` of the block. */
static uint64_t sample_at(const struct hr__verify_run *v, uint32_t field, const uint64_t *ends,
                          uint64_t byte) {
    const struct hr__schema_field *f = &v->ds->footer.schema.fields[field];
    uint64_t i = 0;
    if (!hr__dtype_is_variable(f->dtype))
        return byte / f->sample_bytes;
    while (ends[i] <= byte)
        i++;
    return i;
}

static void check_field(struct hr__verify_run *v, struct hr__chunk_fetch *f, const struct place *at,
                        uint32_t field, const struct workplace *w) {
    uint32_t first_frame, num_frames;
    uint64_t off, done = 0;
    if (hr__dtype_is_variable(v->ds->footer.schema.fields[field].dtype) &&
        !check_ends(v, f, at, field, w->ends))
        return;
    hr__chunk_view_block(&f->view, field, &first_frame, &num_frames, &off);
    for (uint32_t i = 0; i < num_frames; i++) {
        struct hr__frame frame;
        hr_error err = {0};
        hr__chunk_view_frame(&f->view, first_frame + i, off, &frame);
        hr_status st = hr__chunk_fetch_frame(f, field, &frame, w->frame, &err);
        if (st != HR_OK && hr__verify_is_damage(st)) {
            const uint64_t first = sample_at(v, field, w->ends, done);
            const uint64_t last = sample_at(v, field, w->ends, done + frame.decoded_bytes - 1);
            report_chunk(v, f, at, field, first, last - first + 1, &err);
        } else if (st != HR_OK) {
            hr__verify_fail(v, st, &err);
        }
        off += frame.stored_bytes;
        done += frame.decoded_bytes;
    }
}

static hr_status check_padding(const struct hr__verify_run *v, const struct hr__chunk_fetch *f,
                               hr_error *err) {
    uint8_t page[HR__PAGE_BYTES];
    uint64_t end = f->view.header.chunk_bytes;
    size_t n = (size_t)(hr__round_up(end, HR__PAGE_BYTES) - end);
    hr_status st = hr__file_read_exact(&v->ds->files[0], page, n, f->chunk_off + end, err);
    if (st == HR_OK && !hr__is_zero(page, n))
        st = hr__error_at(err, HR_ERR_CORRUPT, f->chunk_off + end, "its padding is not zero");
    return st;
}

/* False: stop. */
static bool check_chunk(struct hr__verify_run *v, struct hr__chunk_fetch *f, uint64_t chunk,
                        const struct workplace *w) {
    const struct hr__footer *footer = &v->ds->footer;
    struct place at = {.chunk = chunk};
    hr_error err = {0};
    hr__segment_chunk(footer->segments, footer->num_segments, footer->schema.samples_per_chunk,
                      chunk, &at.first_sample, &at.num_samples);
    hr_status st = hr__chunk_fetch_open(f, chunk, &err);
    if (st != HR_OK && hr__verify_is_damage(st)) {
        report_chunk(v, f, &at, UINT32_MAX, 0, at.num_samples, &err);
        return hr__verify_advance(v, 0);
    }
    if (st != HR_OK) {
        hr__verify_fail(v, st, &err);
        return false;
    }
    hr__verify_pages_mark(v, f->chunk_off, f->view.header.chunk_bytes, "chunk");
    for (uint32_t i = 0; i < footer->schema.num_fields; i++)
        check_field(v, f, &at, i, w);
    if (check_padding(v, f, &err) != HR_OK)
        report_chunk(v, f, &at, UINT32_MAX, 0, 0, &err);
    return hr__verify_advance(v, hr__round_up(f->view.header.chunk_bytes, HR__PAGE_BYTES));
}

void *hr__verify_chunks(void *arg) {
    struct hr__verify_run *v = arg;
    struct hr__chunk_fetch f = {0};
    hr_error err = {0};
    hr_status st = hr__chunk_fetch_init(&f, v->ds, &v->budget, &err);
    struct workplace w = {0};
    if (st == HR_OK)
        st = workplace_make(v, &w, &err);
    if (st != HR_OK)
        hr__verify_fail(v, st, &err);
    while (st == HR_OK) {
        uint64_t chunk = atomic_fetch_add(&v->next_chunk, 1);
        if (chunk >= v->ds->footer.num_chunks || !check_chunk(v, &f, chunk, &w))
            break;
    }
    workplace_free(v, &w);
    hr__chunk_fetch_free(&f);
    return NULL;
}
