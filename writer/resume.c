/*
 * Resuming (docs/format.md, 5): every chunk that is kept was decoded once more, which verifies it
 * and rebuilds the statistics. The file is untrusted.
 */
#include "resume.h"

#include "bytes.h"
#include "checked.h"
#include "dtype.h"
#include "error.h"
#include "frame_filter.h"
#include "superblock.h"

#include <stdlib.h>
#include <string.h>

#define MAX_HEADER_BYTES (1u << 20) /* of one that is looked at for its mean */

struct resume {
    const struct hr__job *job;
    struct hr__chunk_sink *sink;
    struct hr__chunk_encoder *encoder;
    struct hr__chunk_rows *rows;
    struct hr__frame_decoder decoder;
    uint8_t *scratch; /* plan->max_frame_bytes */
    struct hr__chunk_view view;
    uint32_t pages;
    bool no_room; /* for a chunk whose header is whole */
    const struct hr__resume_watch *watch;
};

hr_status hr__resume_mean(const struct hr__file *file, const struct hr__schema *schema,
                          const struct hr__job_peeked *job, uint64_t *mean_bytes, hr_error *err) {
    const struct hr__chunk_expected expected = {
        .schema = schema, .uuid = job->uuid, .max_commit_seq = 1, .chunk_number = 0};
    struct hr__chunk_view view;
    uint64_t n_bytes = 0;
    *mean_bytes = 0;
    uint8_t *header = malloc(MAX_HEADER_BYTES);
    if (header == NULL)
        return hr__error_no_memory(err, MAX_HEADER_BYTES, "a chunk's header");
    const int64_t got = file->ops->read(file->ctx, header, MAX_HEADER_BYTES, job->first_chunk_off);
    const uint32_t there =
        got >= (int64_t)HR__PAGE_BYTES ? hr__chunk_header_peek(header, (size_t)got) : 0;
    if (there > 0 && there <= got &&
        hr__chunk_header_decode(header, there, &expected, &view, NULL) == HR_OK) {
        for (uint32_t f = 0; f < view.header.num_frames; f++) {
            struct hr__frame frame;
            hr__chunk_view_frame(&view, f, 0, &frame);
            n_bytes += frame.decoded_bytes;
        }
        *mean_bytes = hr__ceil_div(n_bytes, view.header.num_samples);
    }
    free(header);
    return got >= 0 ? HR_OK
                    : hr__error_os(err, (int)-got, "%s: cannot read at %llu", file->path,
                                   (unsigned long long)job->first_chunk_off);
}

/* Bytes n_bytes at off into the encoder's buffer; false where the file or the buffer is shorter. */
static hr_status read_at(struct resume *r, uint64_t n_bytes, uint64_t off, bool *there,
                         hr_error *err) {
    const struct hr__file *file = r->sink->file;
    *there = false;
    if (n_bytes > r->encoder->plan->stored_bytes)
        return HR_OK;
    const int64_t got = file->ops->read(file->ctx, r->encoder->stored, (size_t)n_bytes, off);
    if (got < 0)
        return hr__error_os(err, (int)-got, "%s: cannot read at %llu", file->path,
                            (unsigned long long)off);
    *there = (uint64_t)got == n_bytes;
    return HR_OK;
}

static bool is_ours(const struct resume *r, const struct hr__chunk_header *h) {
    const struct hr__chunk_identity *id = &r->job->identity;
    return memcmp(h->job_id, id->job_id, sizeof id->job_id) == 0 &&
           h->commit_seq == id->commit_seq && h->num_samples == r->sink->schema->samples_per_chunk;
}

/* The chunk after those of the sink, at off, into the encoder's buffer, its header decoded. */
static hr_status load_chunk(struct resume *r, uint64_t off, bool *whole, hr_error *err) {
    const uint8_t *stored = r->encoder->stored;
    const struct hr__chunk_expected expected = {.schema = r->sink->schema,
                                                .uuid = r->job->identity.uuid,
                                                .max_commit_seq = r->job->identity.commit_seq,
                                                .chunk_number = r->sink->num_chunks};
    hr_status st = read_at(r, HR__PAGE_BYTES, off, whole, err);
    r->no_room = false;
    if (st != HR_OK || !*whole)
        return st;
    const uint32_t header_bytes = hr__chunk_header_peek(stored, HR__PAGE_BYTES);
    *whole = false;
    if (header_bytes == 0)
        return HR_OK;
    st = read_at(r, header_bytes, off, whole, err);
    if (st != HR_OK || !*whole)
        return st;
    *whole = hr__chunk_header_decode(stored, header_bytes, &expected, &r->view, NULL) == HR_OK;
    if (!*whole)
        return HR_OK;
    const uint64_t n_bytes = hr__round_up(r->view.header.chunk_bytes, HR__PAGE_BYTES);
    r->pages = (uint32_t)(n_bytes / HR__PAGE_BYTES);
    r->no_room = n_bytes > r->encoder->plan->stored_bytes;
    return read_at(r, n_bytes, off, whole, err);
}

static hr_status decode_frame(struct resume *r, const struct hr__frame *frame, uint8_t *dst) {
    const uint32_t features = HR__FEATURE_ZSTD | HR__FEATURES_FILTERS;
    const uint8_t *stored = r->encoder->stored + frame->off;
    const bool in_place = hr__filter_is_in_place(frame->filter);
    if (!in_place && frame->decoded_bytes > r->encoder->plan->max_frame_bytes)
        return HR_ERR_CORRUPT;
    uint8_t *filtered = in_place ? dst : r->scratch;
    const hr_status st = hr__frame_decode(&r->decoder, frame, stored, features, filtered, NULL);
    if (st == HR_OK)
        hr__filter_undo(frame, filtered, dst);
    return st;
}

static bool decode_block(struct resume *r, uint32_t field, uint32_t part, uint8_t *dst) {
    uint32_t first = 0;
    uint32_t n = 0;
    uint64_t off = 0;
    hr__chunk_view_part(&r->view, field, part, &first, &n, &off);
    for (uint32_t f = first; f < first + n; f++) {
        struct hr__frame frame;
        hr__chunk_view_frame(&r->view, f, off, &frame);
        if (decode_frame(r, &frame, dst) != HR_OK)
            return false;
        dst += frame.decoded_bytes;
        off += frame.stored_bytes;
    }
    return true;
}

/* Ends, and then the values behind those of the fields before. */
static bool decode_variable(struct resume *r, uint32_t field) {
    const struct hr__chunk_plan *plan = r->encoder->plan;
    struct hr__chunk_rows *rows = r->rows;
    uint64_t *ends = hr__rows_ends(plan, rows, field);
    uint64_t *places = hr__rows_places(plan, rows, field);
    if (!decode_block(r, field, HR__PART_ENDS, (uint8_t *)ends) ||
        hr__value_ends_check(&r->view, field, ends,
                             hr__value_unit_bytes(&plan->schema->fields[field]), NULL) != HR_OK)
        return false;
    r->no_room = ends[rows->num_samples - 1] > plan->values_bytes - rows->values_bytes;
    if (r->no_room)
        return false;
    for (uint32_t i = 0; i < rows->num_samples; i++)
        places[i] = rows->values_bytes + hr__value_start(ends, i);
    uint8_t *dst = rows->bytes + plan->values_off + rows->values_bytes;
    rows->values_bytes += ends[rows->num_samples - 1];
    return decode_block(r, field, HR__PART_VALUES, dst);
}

/* Every frame of the loaded chunk into the row buffer. */
static bool decode_chunk(struct resume *r) {
    const struct hr__schema *s = r->sink->schema;
    r->rows->num_samples = r->view.header.num_samples;
    r->rows->first_sample = r->sink->num_samples;
    r->rows->values_bytes = 0;
    for (uint32_t field = 0; field < s->num_fields; field++) {
        uint8_t *dst = r->rows->bytes + r->encoder->plan->column_off[field];
        if (!(hr__dtype_is_variable(s->fields[field].dtype)
                  ? decode_variable(r, field)
                  : decode_block(r, field, HR__PART_VALUES, dst)))
            return false;
    }
    const uint64_t end = r->view.header.chunk_bytes;
    return hr__is_zero(r->encoder->stored + end,
                       (size_t)(r->pages * (uint64_t)HR__PAGE_BYTES - end));
}

static hr_status tell(const struct resume *r, hr_error *err) {
    const struct hr__resume_watch *w = r->watch;
    if (w->on_resume == NULL || w->on_resume(w->user, r->sink->num_samples) == 0)
        return HR_OK;
    return hr__error_set(err, HR_ERR_CANCELLED,
                         "stopped while %s was read again; it is kept and can be resumed",
                         r->sink->file->path);
}

static hr_status chunk_too_large(const struct resume *r, hr_error *err) {
    return hr__error_set(err, HR_ERR_BUDGET,
                         "%s: chunk %llu that is there is larger than the %llu bytes that the "
                         "budget has for one: give the budget that it was begun with, or a larger "
                         "one",
                         r->sink->file->path, (unsigned long long)r->sink->num_chunks,
                         (unsigned long long)r->encoder->plan->stored_bytes);
}

static hr_status take_chunks(struct resume *r, hr_error *err) {
    for (;;) {
        bool whole = false;
        uint64_t off;
        hr_status st = load_chunk(r, r->sink->end_off, &whole, err);
        if (st != HR_OK || !(whole || r->no_room) || !is_ours(r, &r->view.header))
            return st;
        if (r->no_room || !decode_chunk(r))
            return r->no_room ? chunk_too_large(r, err) : HR_OK;
        st = hr__chunk_encoder_measure(r->encoder, r->rows, err);
        if (st == HR_OK)
            st = hr__chunk_sink_take(r->sink, r->pages, r->rows->num_samples,
                                     r->encoder->statistics, &off, err);
        if (st == HR_OK)
            st = tell(r, err);
        if (st != HR_OK)
            return st;
    }
}

hr_status hr__superblocks_clear(const struct hr__file *file, hr_error *err) {
    const uint8_t zeros[HR__PAGE_BYTES] = {0};
    hr_status st;
    HR_TRY(hr__file_write_all(file, zeros, sizeof zeros, 0, err));
    HR_TRY(hr__file_write_all(file, zeros, sizeof zeros, HR__SLOT1_OFF, err));
    HR_TRY(hr__file_sync(file, err));
done:
    return st;
}

static hr_status decoder_open(struct resume *r, hr_error *err) {
    hr_status st = HR_OK;
    r->scratch = hr__budget_take(r->encoder->budget, (size_t)r->encoder->plan->max_frame_bytes,
                                 "a decoded frame", &st, err);
    return st == HR_OK ? hr__frame_decoder_init(&r->decoder, err) : st;
}

static void decoder_close(struct resume *r) {
    hr__frame_decoder_free(&r->decoder);
    if (r->scratch != NULL)
        hr__budget_free(r->encoder->budget, r->scratch, (size_t)r->encoder->plan->max_frame_bytes);
}

hr_status hr__resume_chunks(const struct hr__job *job, struct hr__chunk_sink *sink,
                            struct hr__chunk_encoder *encoder, struct hr__chunk_rows *rows,
                            const struct hr__resume_watch *watch, hr_error *err) {
    struct resume r = {.job = job, .sink = sink, .encoder = encoder, .rows = rows, .watch = watch};
    hr_status st;
    sink->end_off = job->first_chunk_off;
    HR_TRY(decoder_open(&r, err));
    HR_TRY(take_chunks(&r, err));
    /* Only now: what is complete, but has not got its name, stays so where reading it is stopped.
     */
    HR_TRY(hr__superblocks_clear(sink->file, err));
    HR_TRY(hr__chunk_sink_cut(sink, err));
done:
    decoder_close(&r);
    return st;
}

static hr_status last_chunk_too_large(const struct resume *r, hr_error *err) {
    return hr__error_set(err, HR_ERR_BUDGET,
                         "%s: its last chunk, which has to be written anew with what is appended, "
                         "is larger than the %llu bytes that the budget has for one: give a larger "
                         "budget",
                         r->sink->file->path, (unsigned long long)r->encoder->plan->stored_bytes);
}

hr_status hr__resume_last_chunk(const struct hr__job *job, struct hr__chunk_sink *sink,
                                struct hr__chunk_encoder *encoder,
                                const struct hr__index_entry *entry, uint32_t num_samples,
                                struct hr__chunk_rows *rows, hr_error *err) {
    struct resume r = {.job = job, .sink = sink, .encoder = encoder, .rows = rows};
    const uint64_t off = entry->page * HR__PAGE_BYTES;
    bool whole = false;
    hr_status st;
    HR_TRY(decoder_open(&r, err));
    r.no_room = entry->pages > encoder->plan->stored_bytes / HR__PAGE_BYTES;
    if (!r.no_room)
        HR_TRY(load_chunk(&r, off, &whole, err));
    if (!whole || r.pages != entry->pages || r.view.header.num_samples != num_samples ||
        !decode_chunk(&r))
        st = r.no_room
                 ? last_chunk_too_large(&r, err)
                 : hr__error_at(
                       err, HR_ERR_CORRUPT, off,
                       "%s: its last chunk, at offset %llu, is damaged, and has to be written "
                       "anew with what is appended; run headrace verify, and copy the file "
                       "again or convert anew",
                       sink->file->path, (unsigned long long)off);
done:
    decoder_close(&r);
    return st;
}
