/*
 * A loader's configuration and order, made as it makes them.
 */
#include "sketch.h"

#include "checked.h"
#include "error.h"

hr_status hr__sketch_make(hr_dataset *ds, const hr_loader_options *opts, hr_io io,
                          struct hr__sketch *out, hr_error *err) {
    hr_status st;
    struct hr__loader_config *c = &out->config;
    *out = (struct hr__sketch){0};
    hr__budget_init_uncounted(&out->tables);
    HR_TRY(hr__loader_config_make(ds, opts, io, c, err));
    HR_TRY(hr__loader_order_fit(c, &out->tables, &out->order, err));
    HR_TRY(hr__order_epoch_make(out->order, c->first_epoch, c->first_stream, c->num_streams,
                                &out->tables, &out->epoch, err));
done:
    if (st != HR_OK)
        hr__sketch_free(out);
    return st;
}

void hr__sketch_free(struct hr__sketch *s) {
    hr__order_epoch_free(s->epoch);
    hr__order_free(s->order);
    hr__loader_config_free(&s->config);
    s->epoch = NULL;
    s->order = NULL;
}

uint32_t hr__sketch_depth(const struct hr__sketch *s) {
    return (uint32_t)hr__max_u64(1, s->config.io_depth / s->config.num_threads);
}

uint64_t hr__sketch_chunk(const struct hr__sketch *s, uint64_t i) {
    const struct hr__loader_config *c = &s->config;
    uint32_t stream = c->first_stream + (uint32_t)(i % c->num_streams);
    uint64_t visit = i / c->num_streams % hr__order_num_visits(s->order, stream);
    return hr__order_visit_chunk(s->epoch, stream, visit);
}
