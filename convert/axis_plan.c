/*
 * Plans of panels.
 */
#include "axis_plan.h"

#include "checked.h"

#include <math.h>

#define MAX_STAGE_BYTES (UINT64_C(1) << 20)
#define STAGE_SHARE     16u /* of the memory */

uint64_t hr__axis_plan_samples(const struct hr__axis_plan *p, const struct hr__axis_layout *l,
                               uint64_t panel) {
    return hr__min_u64(p->panel_samples, l->num_samples - panel * p->panel_samples);
}

static void set_panels(const struct hr__axis_layout *l, uint64_t room_bytes, uint64_t least_samples,
                       struct hr__axis_plan *p) {
    p->panel_samples =
        hr__min_u64(l->num_samples, hr__max_u64(room_bytes / l->sample_bytes, least_samples));
    p->num_panels = hr__ceil_div(l->num_samples, p->panel_samples);
    p->buffer_bytes = p->panel_samples * l->sample_bytes;
}

/* With fewer in a panel, the table of panels would take more than the panel saves. */
static uint64_t least_spilled_samples(const struct hr__axis_layout *l) {
    const double tables = (double)l->num_samples * sizeof(uint64_t) / (double)l->sample_bytes;
    return hr__max_u64((uint64_t)sqrt(tables), 1);
}

/* Whole lines where one fits: then a block's pieces of a panel lie one after the other in the file.
 */
static void set_blocks(const struct hr__axis_layout *l, uint64_t unit_bytes,
                       struct hr__axis_plan *p) {
    uint64_t line_bytes = l->num_samples * l->inner_bytes;
    uint64_t unit_lines = hr__max_u64(unit_bytes / line_bytes, 1);
    p->block_lines = p->buffer_bytes / line_bytes / unit_lines * unit_lines;
    p->block_panels = p->num_panels;
    if (p->block_lines == 0) {
        p->block_lines = 1;
        p->block_panels = p->buffer_bytes / (p->panel_samples * l->inner_bytes);
    }
}

static bool is_read_where_it_lies(const struct hr__axis_layout *l, uint64_t unit_bytes,
                                  enum hr__axis_access access, const struct hr__axis_plan *p) {
    if (p->num_panels == 1 || (l->outer == 1 && l->inner_bytes % unit_bytes == 0))
        return true;
    return access == HR__AXIS_ANYWHERE ||
           (access == HR__AXIS_LONG_RUNS &&
            p->panel_samples * l->inner_bytes >= HR__AXIS_MIN_RUN_BYTES);
}

void hr__axis_plan_make(const struct hr__axis_layout *l, uint64_t unit_bytes,
                        enum hr__axis_access access, uint64_t room_bytes,
                        struct hr__axis_plan *out) {
    *out = (struct hr__axis_plan){.panel_samples = 1};
    if (l->total_bytes == 0)
        return;
    set_panels(l, room_bytes, 1, out);
    out->spilled = !is_read_where_it_lies(l, unit_bytes, access, out);
    if (out->spilled) {
        out->stage_bytes =
            hr__min_u64(MAX_STAGE_BYTES, hr__max_u64(room_bytes / STAGE_SHARE, l->inner_bytes));
        set_panels(l, room_bytes - hr__min_u64(room_bytes, out->stage_bytes),
                   least_spilled_samples(l), out);
        out->buffer_bytes = hr__max_u64(out->buffer_bytes, unit_bytes);
        set_blocks(l, unit_bytes, out);
    }
    out->own_bytes = out->buffer_bytes + out->stage_bytes;
    if (out->spilled)
        out->own_bytes += out->num_panels * sizeof(uint64_t);
}
