/*
 * The temporary file between the two passes.
 */
#include "axis_spill.h"

#include "checked.h"
#include "error.h"
#include "piece_pool.h"
#include "spill_file.h"

#include <string.h>

/* A part of the input that is in memory: some lines, of each the samples from `first` on. */
struct block {
    uint64_t line, num_lines;
    uint64_t first, num_samples;
    const uint8_t *bytes;
};

static uint64_t piece_bytes(const struct hr__axis_spill *s, uint64_t panel) {
    return hr__axis_plan_samples(s->plan, s->layout, panel) * s->layout->inner_bytes;
}

/* Where the piece of a line lies in the file. */
static uint64_t piece_off(const struct hr__axis_spill *s, uint64_t panel, uint64_t line) {
    return panel * s->plan->panel_samples * s->layout->sample_bytes + line * piece_bytes(s, panel);
}

/* All of a block's pieces of one panel: one write, or as many as the stage makes of it. */
static hr_status write_pieces(struct hr__axis_spill *s, const struct block *b, uint64_t panel,
                              hr_error *err) {
    const uint64_t piece = piece_bytes(s, panel);
    const uint64_t line_bytes = b->num_samples * s->layout->inner_bytes;
    const uint8_t *from =
        b->bytes + (panel * s->plan->panel_samples - b->first) * s->layout->inner_bytes;
    const uint64_t at_once = b->num_lines == 1 ? 1 : hr__max_u64(s->plan->stage_bytes / piece, 1);
    hr_status st = HR_OK;
    for (uint64_t i = 0; st == HR_OK && i < b->num_lines; i += at_once) {
        const uint64_t n = hr__min_u64(at_once, b->num_lines - i);
        const uint8_t *bytes = from + i * line_bytes;
        for (uint64_t k = 0; k < n; k++) {
            const uint8_t *p = from + (i + k) * line_bytes;
            s->hashes[panel] = hr__piece_hash(p, (size_t)piece, s->hashes[panel]);
            if (n > 1)
                memcpy(s->stage + k * piece, p, (size_t)piece);
        }
        st = hr__file_write_all(&s->file, n > 1 ? s->stage : bytes, (size_t)(n * piece),
                                piece_off(s, panel, b->line + i), err);
    }
    return st;
}

static hr_status write_block(struct hr__axis_spill *s, const struct block *b, hr_error *err) {
    const uint64_t panel_samples = s->plan->panel_samples;
    hr_status st = HR_OK;
    for (uint64_t at = b->first; st == HR_OK && at < b->first + b->num_samples; at += panel_samples)
        st = write_pieces(s, b, at / panel_samples, err);
    return st;
}

hr_status hr__axis_spill_fill(struct hr__axis_spill *s, const struct hr__axis_input *input,
                              uint8_t *block, hr_error *err) {
    const struct hr__axis_layout *l = s->layout;
    const struct hr__axis_plan *p = s->plan;
    const uint64_t block_samples = p->block_panels * p->panel_samples;
    hr_status st = HR_OK;
    for (uint64_t line = 0; line < l->outer; line += p->block_lines) {
        for (uint64_t first = 0; first < l->num_samples; first += block_samples) {
            struct block b = {.line = line,
                              .num_lines = hr__min_u64(p->block_lines, l->outer - line),
                              .first = first,
                              .num_samples = hr__min_u64(block_samples, l->num_samples - first),
                              .bytes = block};
            HR_TRY(input->read(input->ctx, (line * l->num_samples + first) * l->inner_bytes,
                               b.num_lines * b.num_samples * l->inner_bytes, block, err));
            HR_TRY(write_block(s, &b, err));
        }
    }
done:
    return st;
}

hr_status hr__axis_spill_read(const struct hr__axis_spill *s, uint64_t panel, uint8_t *dst,
                              hr_error *err) {
    const uint64_t piece = piece_bytes(s, panel);
    const uint64_t off = piece_off(s, panel, 0);
    uint64_t hash = 0;
    hr_status st = hr__spill_file_read(&s->file, dst, (size_t)(piece * s->layout->outer), off, err);
    if (st != HR_OK)
        return st;
    for (uint64_t i = 0; i < s->layout->outer; i++)
        hash = hr__piece_hash(dst + i * piece, (size_t)piece, hash);
    return hash == s->hashes[panel] ? HR_OK : hr__spill_file_damaged(&s->file, off, err);
}
