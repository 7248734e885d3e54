/*
 * Samples from panels.
 *
 * Invariants
 *   1. A panel is loaded before samples of it are handed out; one is in memory at a time.
 *   2. The file is filled at the first read, so that a conversion can be stopped meanwhile.
 */
#include "axis_source.h"

#include "axis_spill.h"
#include "checked.h"
#include "error.h"
#include "numpy_elements.h"
#include "spill_file.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define SLICE_BYTES  (UINT64_C(8) << 20) /* of the input at once: a stop is seen between two */
#define DEFAULT_ROOM (UINT64_C(16) << 20)
#define NO_PANEL     UINT64_MAX

struct axis_source {
    struct hr__source base;
    struct hr__source *inner;
    struct hr__axis_input_array input;
    struct hr__axis_options opts;
    struct hr__axis_layout layout;
    struct hr__axis_plan plan;
    atomic_bool stopped;
};

struct axis_reader {
    struct axis_source *src;
    struct hr__budget *budget;
    struct hr__source_reader *inner;
    struct hr__axis_plan plan; /* with which it was opened */
    struct hr__axis_spill spill;
    uint8_t *panel;
    uint64_t loaded; /* the panel in memory, or NO_PANEL */
};

static const struct hr__spill_use spill_use = {.suffix = ".axis",
                                               .purpose = "putting samples together"};

/* ---- reading the input ---- */

static hr_status read_input(void *ctx, uint64_t off, uint64_t n_bytes, void *dst, hr_error *err) {
    struct axis_reader *r = ctx;
    struct hr__source *inner = r->src->inner;
    const uint64_t unit = inner->info.sample_bytes;
    const uint64_t slice = hr__max_u64(SLICE_BYTES / unit, 1);
    uint8_t *to = dst;
    for (uint64_t at = off / unit, end = (off + n_bytes) / unit; at < end; at += slice) {
        const uint64_t n = hr__min_u64(slice, end - at);
        if (atomic_load(&r->src->stopped))
            return hr__error_set(err, HR_ERR_CANCELLED, "%s: reading was stopped",
                                 inner->info.path);
        hr_status st = inner->ops->read(r->inner, at, n, to, err);
        if (st != HR_OK)
            return st;
        to += n * unit;
    }
    return HR_OK;
}

static hr_status load_where_it_lies(struct axis_reader *r, uint64_t panel, hr_error *err) {
    const struct hr__axis_layout *l = &r->src->layout;
    const uint64_t first = panel * r->plan.panel_samples;
    const uint64_t n = hr__axis_plan_samples(&r->plan, l, panel);
    const uint64_t piece = n * l->inner_bytes;
    if (n == l->num_samples)
        return read_input(r, 0, l->total_bytes, r->panel, err);
    hr_status st = HR_OK;
    for (uint64_t line = 0; st == HR_OK && line < l->outer; line++)
        st = read_input(r, (line * l->num_samples + first) * l->inner_bytes, piece,
                        r->panel + line * piece, err);
    return st;
}

static hr_status fill_file(struct axis_reader *r, hr_error *err) {
    const struct axis_source *src = r->src;
    const struct hr__axis_input input = {.read = read_input, .ctx = r};
    hr_status st = hr__spill_file_open(&hr__posix_folder, src->opts.output, &spill_use,
                                       src->opts.check_space ? src->layout.total_bytes : 0,
                                       &r->spill.file, err);
    return st == HR_OK ? hr__axis_spill_fill(&r->spill, &input, r->panel, err) : st;
}

static hr_status load(struct axis_reader *r, uint64_t panel, hr_error *err) {
    hr_status st = HR_OK;
    if (r->loaded == panel)
        return HR_OK;
    r->loaded = NO_PANEL;
    if (r->plan.spilled && r->spill.file.ops == NULL)
        st = fill_file(r, err);
    if (st == HR_OK)
        st = r->plan.spilled ? hr__axis_spill_read(&r->spill, panel, r->panel, err)
                             : load_where_it_lies(r, panel, err);
    if (st == HR_OK)
        r->loaded = panel;
    return st;
}

/* ---- the reader ---- */

static hr_status read_samples(struct hr__source_reader *reader, uint64_t first, uint64_t n,
                              void *dst, hr_error *err) {
    struct axis_reader *r = (struct axis_reader *)reader;
    const struct hr__axis_layout *l = &r->src->layout;
    uint8_t *to = dst;
    hr_status st = hr__source_check_range(&r->src->base, r->src->base.info.path, first, n, err);
    if (st != HR_OK || l->sample_bytes == 0)
        return st;
    for (uint64_t at = first; at < first + n;) {
        const uint64_t panel = at / r->plan.panel_samples;
        const uint64_t in_panel = hr__axis_plan_samples(&r->plan, l, panel);
        const uint64_t skip = at - panel * r->plan.panel_samples;
        const uint64_t here = hr__min_u64(first + n - at, in_panel - skip);
        st = load(r, panel, err);
        if (st != HR_OK)
            return st;
        hr__axis_layout_gather(l, r->panel, in_panel, skip, here, to);
        at += here;
        to += here * l->sample_bytes;
    }
    st = hr__elements_to_canonical(&r->src->input.element, dst, n, l->sample_bytes / l->width_bytes,
                                   first, err);
    if (st != HR_OK)
        hr__error_prefix(err, "%s", r->src->base.info.path);
    return st;
}

static void close_reader(struct hr__source_reader *reader) {
    struct axis_reader *r = (struct axis_reader *)reader;
    if (r == NULL)
        return;
    if (r->inner != NULL)
        r->src->inner->ops->close_reader(r->inner);
    hr__file_close(&r->spill.file);
    hr__budget_free(r->budget, r->panel, (size_t)r->plan.buffer_bytes);
    hr__budget_free(r->budget, r->spill.stage, (size_t)r->plan.stage_bytes);
    hr__budget_free(r->budget, r->spill.hashes,
                    (size_t)(r->plan.num_panels * sizeof *r->spill.hashes));
    free(r);
}

static hr_status allocate(struct axis_reader *r, hr_error *err) {
    hr_status st = HR_OK;
    r->panel = hr__budget_take_raw(r->budget, (size_t)r->plan.buffer_bytes, "a panel of samples",
                                   &st, err);
    if (r->panel == NULL || !r->plan.spilled)
        return st;
    r->spill.stage =
        hr__budget_take_raw(r->budget, (size_t)r->plan.stage_bytes, "a panel of samples", &st, err);
    if (r->spill.stage != NULL)
        r->spill.hashes =
            hr__budget_take(r->budget, (size_t)(r->plan.num_panels * sizeof *r->spill.hashes),
                            "checksums of a temporary file", &st, err);
    return st;
}

static hr_status open_reader(struct hr__source *source, struct hr__budget *budget,
                             struct hr__helper_group *helpers, struct hr__source_reader **out,
                             hr_error *err) {
    struct axis_source *src = (struct axis_source *)source;
    *out = NULL;
    struct axis_reader *r = calloc(1, sizeof *r);
    if (r == NULL)
        return hr__error_no_memory(err, sizeof *r, "a reader of a source");
    r->src = src;
    r->budget = budget;
    r->plan = src->plan;
    r->loaded = NO_PANEL;
    r->spill.layout = &src->layout;
    r->spill.plan = &r->plan;
    hr_status st = HR_OK;
    if (r->plan.spilled && src->opts.output == NULL)
        st = hr__error_set(err, HR_ERR_UNSUPPORTED,
                           "%s: its samples are not one after the other, and it is larger than the "
                           "memory for that; convert it first",
                           src->base.info.path);
    if (st == HR_OK && src->layout.total_bytes > 0)
        st = allocate(r, err);
    if (st == HR_OK && src->layout.total_bytes > 0)
        st = src->inner->ops->open_reader(src->inner, budget, helpers, &r->inner, err);
    if (st != HR_OK) {
        close_reader((struct hr__source_reader *)r);
        return st;
    }
    *out = (struct hr__source_reader *)r;
    return HR_OK;
}

/* ---- the source ---- */

/* What the input's own reader takes comes out of the same room. */
static void set_room(struct hr__source *source, uint64_t n_bytes) {
    struct axis_source *src = (struct axis_source *)source;
    const struct hr__source_info *inner = &src->inner->info;
    enum hr__axis_access access = !src->input.anywhere       ? HR__AXIS_IN_ORDER
                                  : src->opts.output != NULL ? HR__AXIS_LONG_RUNS
                                                             : HR__AXIS_ANYWHERE;
    uint64_t inner_bytes =
        hr__max_u64(inner->reader_bytes, hr__min_u64(inner->reader_wanted_bytes, n_bytes / 4));
    uint64_t *all = &source->info.reader_bytes;
    hr__axis_plan_make(&src->layout, hr__max_u64(inner->sample_bytes, 1), access,
                       n_bytes - hr__min_u64(n_bytes, inner_bytes), &src->plan);
    if (!hr__add_u64(src->plan.own_bytes, inner_bytes, all))
        *all = UINT64_MAX;
    source->info.reader_wanted_bytes = *all;
}

static void stop(struct hr__source *source) {
    struct axis_source *src = (struct axis_source *)source;
    atomic_store(&src->stopped, true);
    if (src->inner->ops->stop != NULL)
        src->inner->ops->stop(src->inner);
}

static void close_source(struct hr__source *source) {
    struct axis_source *src = (struct axis_source *)source;
    if (src == NULL)
        return;
    src->inner->ops->close(src->inner);
    free(src);
}

static const struct hr__source_ops axis_ops = {
    .name = "samples along an axis",
    .open_reader = open_reader,
    .read = read_samples,
    .close_reader = close_reader,
    .set_room = set_room,
    .stop = stop,
    .close = close_source,
};

static void describe(struct axis_source *src) {
    struct hr__source_info *info = &src->base.info;
    *info = src->inner->info;
    info->dtype = src->input.element.dtype;
    info->width_bytes = src->input.element.width_bytes;
    info->rank = src->layout.rank;
    memcpy(info->shape, src->layout.shape, sizeof info->shape);
    info->num_samples = src->layout.num_samples;
    info->sample_bytes = src->layout.sample_bytes;
    info->granule_samples = 1;
    info->max_readers = 1;
    info->is_stream = true;
    info->any_pieces = false;
}

hr_status hr__axis_source_make(struct hr__source *inner, const struct hr__axis_input_array *array,
                               const struct hr__axis_options *opts, struct hr__source **out,
                               hr_error *err) {
    struct axis_source *src = calloc(1, sizeof *src);
    if (src == NULL)
        return hr__error_no_memory(err, sizeof *src, "a source");
    hr_status st = hr__axis_layout_make(&array->array, opts->axis, &src->layout, err);
    if (st != HR_OK) {
        hr__error_prefix(err, "%s", inner->info.path);
        free(src);
        return st;
    }
    src->base.ops = &axis_ops;
    src->inner = inner;
    src->input = *array;
    src->opts = *opts;
    describe(src);
    set_room(&src->base, DEFAULT_ROOM);
    *out = &src->base;
    return HR_OK;
}
