/*
 * Chunk encoding (docs/format.md, 6).
 */
#include "chunk_encoder.h"

#include "block_source.h"
#include "checked.h"
#include "dtype.h"
#include "error.h"
#include "superblock.h"
#include "writer_memory.h"

#include <stdlib.h>
#include <string.h>

const struct hr__storage hr__ends_storage = {.codec = HR__CODEC_ZSTD,
                                             .filter = HR__FILTER_DELTA_BYTE_SHUFFLE,
                                             .element_bytes = sizeof(uint64_t),
                                             .level = 1,
                                             .distance_bytes = sizeof(uint64_t)};

/* A zstd context for frames of at most 1 MiB, measured at its largest. */
static uint64_t zstd_bytes(const struct hr__chunk_plan *plan, int32_t level) {
    const bool large = plan->max_frame_bytes > (UINT64_C(1) << 18);
    if (level <= 4)
        return large && level == 4 ? UINT64_C(4) << 20 : UINT64_C(3) << 20;
    return large ? UINT64_C(24) << 20 : UINT64_C(8) << 20;
}

static uint64_t other_bytes(const struct hr__chunk_plan *plan, int32_t level) {
    const struct hr__schema *s = plan->schema;
    uint64_t n = HR__MAX_FRAME_BYTES + zstd_bytes(plan, level);
    for (uint32_t f = 0; f < s->num_fields; f++)
        n += hr__statistics_bytes(s, f, s->samples_per_chunk);
    return n;
}

static size_t frames_bytes(const struct hr__chunk_plan *plan) {
    return (plan->max_frames + (size_t)1) * sizeof(struct hr__frame);
}

static size_t per_field_bytes(const struct hr__chunk_plan *plan, size_t one) {
    return plan->schema->num_fields * one;
}

static size_t blocks_bytes(const struct hr__chunk_plan *plan) {
    return (plan->schema->num_fields + (size_t)plan->schema->num_variable) * sizeof(uint32_t);
}

/* Only values of variable length are gathered. */
static size_t gathered_bytes(const struct hr__chunk_plan *plan) {
    return plan->schema->num_variable > 0 ? HR__MAX_FRAME_BYTES : 0;
}

uint64_t hr__chunk_encoder_bytes(const struct hr__chunk_plan *plan, int32_t level) {
    return plan->stored_bytes + frames_bytes(plan) + blocks_bytes(plan) +
           2 * per_field_bytes(plan, sizeof(void *)) + gathered_bytes(plan) +
           other_bytes(plan, level);
}

static hr_status make_buffers(struct hr__chunk_encoder *e, hr_error *err) {
    const struct hr__chunk_plan *plan = e->plan;
    struct hr__budget *b = e->budget;
    hr_status st = HR_OK;
    e->stored = hr__budget_take_raw(b, (size_t)plan->stored_bytes, "a stored chunk", &st, err);
    if (st == HR_OK)
        e->frames = hr__budget_take(b, frames_bytes(plan), "a table of frames", &st, err);
    if (st == HR_OK)
        e->frames_per_block = hr__budget_take(b, blocks_bytes(plan), "a table of blocks", &st, err);
    if (st == HR_OK)
        e->statistics = hr__budget_take(b, per_field_bytes(plan, sizeof(void *)),
                                        "a table of statistics", &st, err);
    if (st == HR_OK)
        e->columns = hr__budget_take(b, per_field_bytes(plan, sizeof(void *)), "a table of columns",
                                     &st, err);
    if (st == HR_OK && gathered_bytes(plan) > 0)
        e->gathered = hr__budget_take_raw(b, gathered_bytes(plan), "gathered values", &st, err);
    return st;
}

hr_status hr__chunk_encoder_init(struct hr__chunk_encoder *e, const struct hr__chunk_plan *plan,
                                 int32_t level, struct hr__budget *budget, hr_error *err) {
    hr_status st;
    *e = (struct hr__chunk_encoder){.plan = plan, .budget = budget};
    const uint64_t other = other_bytes(plan, level);
    HR_TRY(hr__budget_reserve(budget, other, "a compression context", err));
    e->other_bytes = other;
    HR_TRY(make_buffers(e, err));
    HR_TRY(hr__statistics_make_all(plan->schema, e->statistics, err));
    HR_TRY(hr__frame_encoder_init(&e->frame_encoder, err));
    return HR_OK;
done:
    hr__chunk_encoder_free(e);
    return st;
}

static void give_back(const struct hr__chunk_encoder *e, void *p, size_t n_bytes) {
    if (p != NULL)
        hr__budget_free(e->budget, p, n_bytes);
}

void hr__chunk_encoder_free(struct hr__chunk_encoder *e) {
    if (e->plan == NULL)
        return;
    const struct hr__chunk_plan *plan = e->plan;
    hr__frame_encoder_free(&e->frame_encoder);
    for (uint32_t f = 0; e->statistics != NULL && f < plan->schema->num_fields; f++)
        hr__statistics_free(e->statistics[f]);
    give_back(e, e->columns, per_field_bytes(plan, sizeof(void *)));
    give_back(e, e->gathered, gathered_bytes(plan));
    give_back(e, e->statistics, per_field_bytes(plan, sizeof(void *)));
    give_back(e, e->frames_per_block, blocks_bytes(plan));
    give_back(e, e->frames, frames_bytes(plan));
    give_back(e, e->stored, (size_t)plan->stored_bytes);
    hr__budget_release(e->budget, e->other_bytes);
    *e = (struct hr__chunk_encoder){0};
}

hr_status hr__chunk_encoder_measure(struct hr__chunk_encoder *e, const struct hr__chunk_rows *rows,
                                    hr_error *err) {
    const struct hr__schema *s = e->plan->schema;
    const uint64_t skip = rows->num_counted;
    hr_status st = HR_OK;
    for (uint32_t f = 0; f < s->num_fields && st == HR_OK; f++) {
        const struct hr__schema_field *field = &s->fields[f];
        if (e->statistics[f] == NULL)
            continue;
        hr__statistics_reset(e->statistics[f]);
        if (hr__dtype_is_variable(field->dtype)) {
            const uint64_t *ends = hr__rows_ends(e->plan, rows, f);
            hr__lengths_add(e->statistics[f], ends + skip, rows->num_samples - skip,
                            hr__value_start(ends, (uint32_t)skip));
            continue;
        }
        st = hr__statistics_add(
            e->statistics[f], rows->bytes + e->plan->column_off[f] + skip * field->sample_bytes,
            rows->first_sample + skip, rows->num_samples - skip, field->num_elements, err);
    }
    return st;
}

/* Ends are tiny numbers once their differences are taken, whatever the values are. */
static struct hr__storage storage_of(const struct hr__schema_field *f, uint32_t part) {
    if (part == HR__PART_VALUES)
        return f->storage;
    return f->storage.codec == HR__CODEC_RAW ? (struct hr__storage){.codec = HR__CODEC_RAW}
                                             : hr__ends_storage;
}

/* One block at *at of e->stored; its frames behind the *num_frames that are there. */
static hr_status encode_block(struct hr__chunk_encoder *e, const struct hr__chunk_rows *rows,
                              uint32_t field, uint32_t part, uint64_t *at, uint32_t *num_frames,
                              hr_error *err) {
    const struct hr__storage storage = storage_of(&e->plan->schema->fields[field], part);
    struct hr__block_source block = hr__block_source_of(e->plan, rows, field, part);
    const uint8_t *src = NULL;
    for (uint32_t n; (n = hr__block_source_next(&block, e->gathered, &src)) > 0;) {
        struct hr__frame *frame = &e->frames[*num_frames];
        const hr_status st = hr__frame_encode(&e->frame_encoder, &storage, src, n, e->stored + *at,
                                              (size_t)(e->plan->stored_bytes - *at), frame, err);
        if (st != HR_OK)
            return st;
        frame->off = *at;
        *at += frame->stored_bytes;
        *num_frames += 1;
    }
    return HR_OK;
}

static hr_status encode_blocks(struct hr__chunk_encoder *e, const struct hr__chunk_rows *rows,
                               uint64_t *at, uint32_t *num_frames, hr_error *err) {
    const struct hr__schema *s = e->plan->schema;
    uint32_t *frames = e->frames_per_block;
    for (uint32_t i = 0; i < s->num_fields; i++) {
        const uint32_t field = s->block_order[i];
        for (uint32_t part = hr__last_part(&s->fields[field]);; part--) {
            const uint32_t before = *num_frames;
            const hr_status st = encode_block(e, rows, field, part, at, num_frames, err);
            if (st != HR_OK)
                return st;
            *frames++ = *num_frames - before;
            if (part == 0)
                break;
        }
    }
    return HR_OK;
}

/* Without its hash and the frames. */
static struct hr__chunk_header header_of(const struct hr__chunk_encoder *e,
                                         const struct hr__chunk_identity *identity,
                                         const struct hr__chunk_rows *rows) {
    const struct hr__schema *s = e->plan->schema;
    struct hr__chunk_header header = {
        .num_samples = rows->num_samples,
        .commit_seq = identity->commit_seq,
        .layout_hash = s->layout_hash,
        .chunk_number = rows->number,
        .num_blocks = s->num_fields + s->num_variable,
    };
    header.header_bytes =
        (uint32_t)(HR__CHUNK_FIXED_BYTES + (uint64_t)HR__BLOCK_ENTRY_BYTES * header.num_blocks +
                   HR__FRAME_ENTRY_BYTES * hr__rows_frames(e->plan, rows));
    memcpy(header.uuid, identity->uuid, sizeof header.uuid);
    memcpy(header.job_id, identity->job_id, sizeof header.job_id);
    return header;
}

hr_status hr__chunk_encode(struct hr__chunk_encoder *e, const struct hr__chunk_identity *identity,
                           const struct hr__chunk_rows *rows, uint32_t *pages, hr_error *err) {
    struct hr__chunk_header header = header_of(e, identity, rows);
    hr_status st = hr__chunk_encoder_measure(e, rows, err);
    uint64_t at = header.header_bytes;
    if (st == HR_OK)
        st = encode_blocks(e, rows, &at, &header.num_frames, err);
    if (st != HR_OK)
        return st;
    header.chunk_bytes = at;
    hr__chunk_header_encode(&header, e->plan->schema, e->frames_per_block, e->frames, e->stored);
    const uint64_t end = hr__round_up(at, HR__PAGE_BYTES);
    memset(e->stored + at, 0, (size_t)(end - at));
    *pages = (uint32_t)(end / HR__PAGE_BYTES);
    return HR_OK;
}
