/*
 * Finishing on the host: workers take whole batches, in order, a few rows at a time, before they
 * admit further items. So the batch that comes next is finished by all workers that are at hand,
 * and what limits the work is the number of batches that are finished ahead of the consumer.
 */
#include "loader.h"

#include "batch_values.h"
#include "checked.h"
#include "clock.h"

#define PART_BYTES (512u << 10) /* read and written: what a worker takes at once */

uint32_t hr__finish_part_rows(const struct hr__loader_config *c) {
    uint64_t row_bytes = 1;
    for (uint32_t i = 0; c->host_finishes && i < c->num_fields; i++) {
        const struct hr__finished_field *f = &c->finish.fields[i];
        if (f->packs)
            row_bytes += 2 * c->value_capacities[i] / c->slot_samples;
        else if (f->writes || f->plan.check_finite)
            row_bytes += f->plan.sample_elements * f->plan.from_bytes;
        if (f->writes)
            row_bytes += f->sample_bytes;
    }
    return (uint32_t)hr__max_u64(1, PART_BYTES / row_bytes);
}

static bool may_begin(const struct hr_loader *l) {
    return l->next_begin < l->next_whole && l->num_free_outs > 0;
}

bool hr__finish_ready(const struct hr_loader *l) {
    return l->config.host_finishes && (l->taking != NULL || may_begin(l));
}

/* Takes the next batch into work. */
static void begin(struct hr_loader *l) {
    l->taking = hr__batch_begin(l);
    for (uint32_t i = 0; i < l->config.num_fields; i++)
        l->taking->bad[i] = (struct hr__finish_bad)HR__FINISH_BAD_NONE;
}

bool hr__finish_take(struct hr_loader *l, struct hr__finish_part *out) {
    if (!hr__finish_ready(l))
        return false;
    if (l->taking == NULL)
        begin(l);
    struct hr_batch *b = l->taking;
    const uint32_t left = b->num_samples - b->rows_taken;
    *out = (struct hr__finish_part){b, b->rows_taken, left < l->part_rows ? left : l->part_rows};
    b->rows_taken += out->num_rows;
    if (b->rows_taken == b->num_samples)
        l->taking = NULL;
    return true;
}

bool hr__finish_pending(const struct hr_loader *l) {
    return l->config.host_finishes && (l->taking != NULL || l->next_begin < l->next_assign);
}

/* One field of rows that belong to this worker. */
static void finish_field(const struct hr__worker *w, uint32_t field, struct hr__finish_bad *bad) {
    const struct hr__loader_config *c = &w->loader->config;
    const struct hr__finished_field *f = &c->finish.fields[field];
    const struct hr__finish_part *part = &w->part;
    if (f->packs) {
        hr__values_pack(part->batch->slot->base + c->field_offs[field], c->slot_samples,
                        part->first_row, part->num_rows, part->batch->out + f->out_off);
        return;
    }
    const uint64_t stored_bytes = f->plan.sample_elements * f->plan.from_bytes;
    const uint8_t *src =
        part->batch->slot->base + c->field_offs[field] + part->first_row * stored_bytes;
    uint8_t *dst =
        f->writes ? part->batch->out + f->out_off + part->first_row * f->sample_bytes : NULL;
    hr__finish_run(&f->plan, src, part->num_rows, dst, bad);
}

static void done(struct hr__worker *w) {
    struct hr_loader *l = w->loader;
    struct hr_batch *b = w->part.batch;
    pthread_mutex_lock(&l->lock);
    for (uint32_t i = 0; i < l->config.num_fields; i++)
        hr__finish_bad_add(&b->bad[i], &w->bad[i], w->part.first_row);
    b->rows_done += w->part.num_rows;
    if (b->rows_done == b->num_samples)
        hr__batch_finished(b);
    hr__loader_unlock(l);
}

void hr__finish_part(struct hr__worker *w) {
    const int64_t began_ns = hr__worker_clock(w);
    const uint64_t batch = hr__trace_batch(w->part.batch), num_rows = w->part.num_rows;
    hr__range_begin(&w->loader->ranges, HR__TRACE_FINISH, batch, num_rows);
    for (uint32_t i = 0; i < w->loader->config.num_fields; i++) {
        w->bad[i] = (struct hr__finish_bad)HR__FINISH_BAD_NONE;
        finish_field(w, i, &w->bad[i]);
    }
    hr__range_end(&w->loader->ranges);
    if (w->trace.entries != NULL) /* before the consumer can know of it */
        hr__trace_add(&w->trace, HR__TRACE_FINISH, began_ns, hr__now_ns(), batch, num_rows, 0);
    done(w);
    hr__count_ns(&w->counters.finish_ns, hr__worker_clock(w) - began_ns);
}
