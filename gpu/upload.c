/*
 * The slots on a device; the invariants are in upload.h.
 */
#include "upload.h"

#include "checked.h"
#include "error.h"

#include <stdlib.h>

#define ALIGN_BYTES 256u

static uint32_t num_releases(const struct hr__upload_layout *l) {
    return l->num_fields + 1;
}

static uint64_t slot_bytes(const struct hr__upload_layout *l) {
    return l->out_bytes + (l->keeps_rows ? l->rows_bytes : 0);
}

uint64_t hr__upload_bytes(const struct hr__upload_layout *l) {
    return l->num_slots * slot_bytes(l) + (l->keeps_rows ? 0 : l->rows_bytes) +
           hr__round_up(l->table_bytes, ALIGN_BYTES);
}

uint64_t hr__upload_host_bytes(const struct hr__upload_layout *l) {
    return l->num_slots * (sizeof(struct hr__upload_slot) + num_releases(l) * sizeof(void *)) +
           l->num_fields * sizeof(struct hr__upload_field);
}

/* ---- open and close ---- */

static hr_status slot_make(struct hr__upload *u, struct hr__upload_slot *s, hr_error *err) {
    const uint32_t n = num_releases(&u->layout);
    hr_status st = HR_OK;
    s->released = calloc(n, sizeof(*s->released));
    if (s->released == NULL)
        return hr__error_no_memory(err, n * sizeof(*s->released), "the slots on the GPU");
    for (uint32_t i = 0; i < 2; i++) {
        HR_TRY(u->ops->event_make(u->gpu, true, &s->begun[i], err));
        HR_TRY(u->ops->event_make(u->gpu, true, &s->uploaded[i], err));
        HR_TRY(u->ops->event_make(u->gpu, true, &s->asked[i], err));
    }
    for (uint32_t i = 0; i < n; i++)
        HR_TRY(u->ops->event_make(u->gpu, false, &s->released[i], err));
done:
    return st;
}

static hr_status slots_make(struct hr__upload *u, hr_error *err) {
    const struct hr__upload_layout *l = &u->layout;
    uint8_t *at = u->memory + (l->keeps_rows ? 0 : l->rows_bytes);
    hr_status st = HR_OK;
    for (uint32_t i = 0; i < l->num_slots && st == HR_OK; i++) {
        struct hr__upload_slot *s = &u->slots[i];
        s->rows = l->keeps_rows ? at : u->memory;
        s->out = at + (l->keeps_rows ? l->rows_bytes : 0);
        at += slot_bytes(l);
        s->took_ns = -1;
        st = slot_make(u, s, err);
    }
    return st;
}

static hr_status table_copy(struct hr__upload *u, const float **table, uint32_t channels,
                            uint8_t **at, hr_error *err) {
    if (*table == NULL)
        return HR_OK;
    const size_t n_bytes = channels * sizeof(float);
    const hr_status st = u->ops->memory_write(u->gpu, *at, *table, n_bytes, err);
    *table = (const float *)(const void *)*at;
    *at += n_bytes;
    return st;
}

/* Scales and shifts lie behind the slots. */
static hr_status tables_copy(struct hr__upload *u, hr_error *err) {
    const struct hr__upload_layout *l = &u->layout;
    uint8_t *at = u->memory + l->num_slots * slot_bytes(l) + (l->keeps_rows ? 0 : l->rows_bytes);
    hr_status st = HR_OK;
    for (uint32_t i = 0; i < l->num_fields && st == HR_OK; i++) {
        struct hr__finish *plan = &u->layout.fields[i].plan;
        st = table_copy(u, &plan->scale, plan->channels, &at, err);
        if (st == HR_OK)
            st = table_copy(u, &plan->shift, plan->channels, &at, err);
    }
    return st;
}

hr_status hr__upload_open(struct hr__upload *u, const struct hr__gpu_ops *ops, void *gpu,
                          const struct hr__upload_layout *layout, hr_error *err) {
    hr_status st;
    void *memory;
    *u = (struct hr__upload){.ops = ops, .gpu = gpu, .layout = *layout};
    u->slots = calloc(layout->num_slots, sizeof(*u->slots));
    u->layout.fields = calloc(layout->num_fields, sizeof(*u->layout.fields));
    if (u->slots == NULL || u->layout.fields == NULL) {
        st =
            hr__error_no_memory(err, (size_t)hr__upload_host_bytes(layout), "the slots on the GPU");
        goto done;
    }
    for (uint32_t i = 0; i < layout->num_fields; i++)
        u->layout.fields[i] = layout->fields[i];
    HR_TRY(hr__mutex_init(&u->release, err));
    u->release_made = true;
    HR_TRY(ops->memory_alloc(gpu, (size_t)hr__upload_bytes(layout), &memory, err));
    u->memory = memory;
    HR_TRY(slots_make(u, err));
    HR_TRY(tables_copy(u, err));
done:
    if (st != HR_OK)
        hr__upload_close(u);
    return st;
}

static void slot_free(struct hr__upload *u, struct hr__upload_slot *s) {
    for (uint32_t i = 0; i < 2; i++) {
        u->ops->event_free(u->gpu, s->begun[i]);
        u->ops->event_free(u->gpu, s->uploaded[i]);
        u->ops->event_free(u->gpu, s->asked[i]);
    }
    for (uint32_t i = 0; s->released != NULL && i < num_releases(&u->layout); i++)
        u->ops->event_free(u->gpu, s->released[i]);
    free(s->released);
}

void hr__upload_close(struct hr__upload *u) {
    for (uint32_t i = 0; u->slots != NULL && i < u->layout.num_slots; i++)
        slot_free(u, &u->slots[i]);
    if (u->memory != NULL)
        u->ops->memory_free(u->gpu, u->memory);
    if (u->release_made)
        pthread_mutex_destroy(&u->release);
    free(u->slots);
    free(u->layout.fields);
    *u = (struct hr__upload){0};
}

/* ---- the upload thread ---- */

static hr_status await_releases(struct hr__upload *u, struct hr__upload_slot *s, hr_error *err) {
    hr_status st = HR_OK;
    for (uint32_t i = 0; i < s->num_released; i++)
        HR_TRY(u->ops->upload_await(u->gpu, s->released[i], err));
    if (s->unordered)
        HR_TRY(u->ops->drain(u->gpu, err));
    s->num_released = 0;
    s->unordered = false;
done:
    return st;
}

/* Not beyond the last row that there is. */
static size_t copied_bytes(const struct hr__upload_layout *l, uint64_t num_samples) {
    const struct hr__upload_field *last = &l->fields[l->num_fields - 1];
    return (size_t)(last->row_off + num_samples * last->row_bytes);
}

static hr_status finish(struct hr__upload *u, const struct hr__upload_slot *s, uint64_t num_samples,
                        hr_error *err) {
    struct hr__finish_bad *bad = (struct hr__finish_bad *)(void *)s->rows;
    hr_status st = HR_OK;
    for (uint32_t i = 0; i < u->layout.num_fields && st == HR_OK; i++) {
        const struct hr__upload_field *f = &u->layout.fields[i];
        if (f->works)
            st = u->ops->upload_finish(u->gpu, &f->plan, s->rows + f->row_off, num_samples,
                                       s->out + f->out_off,
                                       u->layout.bad_bytes > 0 ? bad + i : NULL, err);
    }
    return st;
}

hr_status hr__upload_begin(struct hr__upload *u, uint32_t slot, const void *rows,
                           uint64_t num_samples, struct hr__finish_bad *bad, hr_error *err) {
    const struct hr__upload_layout *l = &u->layout;
    struct hr__upload_slot *s = &u->slots[slot];
    const uint32_t turn = 1 - s->turn;
    const size_t n_bytes = copied_bytes(l, num_samples);
    hr_status st;
    HR_TRY(await_releases(u, s, err));
    HR_TRY(u->ops->upload_record(u->gpu, s->begun[turn], err));
    if (n_bytes > 0)
        HR_TRY(u->ops->upload_copy(u->gpu, s->rows, rows, n_bytes, err));
    HR_TRY(finish(u, s, num_samples, err));
    if (l->bad_bytes > 0)
        HR_TRY(u->ops->upload_read_back(u->gpu, bad, s->rows, l->num_fields * sizeof(*bad), err));
    HR_TRY(u->ops->upload_record(u->gpu, s->uploaded[turn], err));
    s->turn = turn;
    s->was_asked[turn] = false;
done:
    return st;
}

hr_status hr__upload_see(struct hr__upload *u, uint32_t slot, struct hr__upload_times *times,
                         hr_error *err) {
    struct hr__upload_slot *s = &u->slots[slot];
    const uint32_t turn = s->turn, before = 1 - turn;
    *times = (struct hr__upload_times){-1, -1, s->took_ns};
    const hr_status st = u->ops->event_wait(u->gpu, s->uploaded[turn], err);
    if (st != HR_OK)
        return st;
    if (!u->ops->event_elapsed(u->gpu, s->begun[turn], s->uploaded[turn], &times->upload_ns))
        times->upload_ns = -1;
    s->took_ns = times->upload_ns;
    if (!s->was_asked[before] ||
        !u->ops->event_elapsed(u->gpu, s->asked[before], s->uploaded[before], &times->stalled_ns))
        times->stalled_ns = -1;
    else if (times->stalled_ns < 0)
        times->stalled_ns = 0;
    return HR_OK;
}

/* ---- consumers ---- */

hr_status hr__upload_await_on(struct hr__upload *u, uint32_t slot, void *stream, hr_error *err) {
    struct hr__upload_slot *s = &u->slots[slot];
    const uint32_t turn = s->turn;
    hr_status st = HR_OK;
    pthread_mutex_lock(&u->release);
    if (!s->was_asked[turn]) {
        st = u->ops->stream_record(u->gpu, stream, s->asked[turn], err);
        s->was_asked[turn] = st == HR_OK;
    }
    pthread_mutex_unlock(&u->release);
    return st != HR_OK ? st : u->ops->stream_await(u->gpu, stream, s->uploaded[turn], err);
}

/* More releases than there are events: the stream waits for the last one, and takes over its event.
 */
static hr_status release_again(struct hr__upload *u, struct hr__upload_slot *s, void *stream,
                               hr_error *err) {
    void *last = s->released[s->num_released - 1];
    hr_status st = u->ops->stream_await(u->gpu, stream, last, err);
    if (st == HR_OK)
        st = u->ops->stream_record(u->gpu, stream, last, err);
    return st;
}

hr_status hr__upload_release_on(struct hr__upload *u, uint32_t slot, void *stream, hr_error *err) {
    struct hr__upload_slot *s = &u->slots[slot];
    hr_status st;
    pthread_mutex_lock(&u->release);
    if (s->num_released < num_releases(&u->layout)) {
        st = u->ops->stream_record(u->gpu, stream, s->released[s->num_released], err);
        s->num_released += st == HR_OK;
    } else {
        st = release_again(u, s, stream, err);
    }
    pthread_mutex_unlock(&u->release);
    return st;
}

void hr__upload_release_unordered(struct hr__upload *u, uint32_t slot) {
    pthread_mutex_lock(&u->release);
    u->slots[slot].unordered = true;
    pthread_mutex_unlock(&u->release);
}
