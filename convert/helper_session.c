/*
 * Opening an array in a helper. The helper is untrusted.
 *
 * Invariant: the shared memory is made, allocated and sealed here, and mapped for reading only: no
 * helper can shrink it under us, and the pages exist before it is handed over.
 */
#define _GNU_SOURCE
#include "helper_session.h"

#include "error.h"
#include "shared_memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* What is open now, and what was listed. */
static bool same_field(const struct hr__helper_field *a, const struct hr__helper_field *b) {
    const bool grown = (b->flags & HR__HELPER_GROWING) != 0 && a->num_samples > b->num_samples;
    const bool same_kind = ((a->flags ^ b->flags) & HR__HELPER_VARIABLE) == 0;
    return a->dtype == b->dtype && a->width_bytes == b->width_bytes && a->rank == b->rank &&
           (grown || a->num_samples == b->num_samples) && a->sample_bytes == b->sample_bytes &&
           same_kind && memcmp(a->shape, b->shape, sizeof a->shape) == 0;
}

static uint32_t open_flags(const struct hr__helper_target *t) {
    const uint32_t values = HR__HELPER_SPARSE | HR__HELPER_VARIABLE;
    return (t->opts.follow_external ? HR__HELPER_FOLLOW_EXTERNAL : 0) |
           (t->elements ? HR__HELPER_ELEMENTS : 0) | (t->records ? HR__HELPER_RECORDS : 0) |
           ((t->field.flags & values) == values ? HR__HELPER_ROW_VALUES : 0);
}

/* --- what comes ----------------------------------------------------------------------------- */

static void take_opened(struct hr__helper_session *s, const struct hr__helper_message *m) {
    if (m->type == HR__HELPER_ERROR)
        (void)hr__helper_said(s->subject, m, &s->refused);
    else if (m->type != HR__HELPER_OPENED)
        (void)hr__helper_session_lied(s, "an unasked answer", &s->refused);
    else if (!same_field(&m->field, &s->target->field))
        (void)hr__error_set(&s->refused, HR_ERR_DATA,
                            "%s: its shape or type changed since it was listed; convert it when "
                            "nothing writes to it",
                            s->subject);
    else
        s->opened = true;
}

static hr_status answered(struct hr__helper_listener *l, const struct hr__helper_message *m,
                          hr_error *err) {
    struct hr__helper_session *s = (struct hr__helper_session *)l;
    if (!s->opened && s->refused.status == HR_OK) {
        take_opened(s, m);
        return HR_OK;
    }
    struct hr__helper_answer *a = &s->answers[s->num_answers++]; /* of each slot one at most */
    *a = (struct hr__helper_answer){.slot = m->slot, .first = m->first, .n = m->n};
    if (m->type == HR__HELPER_ERROR)
        (void)hr__helper_said(s->subject, m, &a->error);
    else if (m->type != HR__HELPER_ROWS || m->array != l->array)
        return hr__helper_session_lied(s, "an unasked answer", err);
    return HR_OK;
}

hr_status hr__helper_session_receive(struct hr__helper_session *s, struct hr__helper_answer *out,
                                     hr_error *err) {
    hr_status st = HR_OK;
    while (st == HR_OK && s->refused.status == HR_OK && s->num_answers == 0)
        st = hr__helper_channel_listen(s->channel, err);
    if (st != HR_OK)
        return st;
    if (s->refused.status != HR_OK) {
        if (err != NULL)
            *err = s->refused;
        return s->refused.status;
    }
    *out = s->answers[0];
    s->num_answers--;
    memmove(s->answers, s->answers + 1, s->num_answers * sizeof *s->answers);
    return HR_OK;
}

hr_status hr__helper_session_lied(struct hr__helper_session *s, const char *what, hr_error *err) {
    return hr__helper_channel_lied(s->channel, &s->listener, what, err);
}

/* --- what is asked -------------------------------------------------------------------------- */

static hr_status ask_to_open(struct hr__helper_session *s, int fd, hr_error *err) {
    const struct hr__helper_target *t = s->target;
    const struct hr__helper_message m = {.type = HR__HELPER_OPEN,
                                         .flags = open_flags(t),
                                         .array = s->listener.array,
                                         .memory_bytes = hr__helper_channel_memory(s->channel),
                                         .slot_bytes = s->slot_bytes,
                                         .cache_bytes = s->cache_bytes,
                                         .path = t->path,
                                         .member = t->field.member};
    return hr__helper_channel_ask(s->channel, &s->listener, &m, fd, err);
}

hr_status hr__helper_session_ask(struct hr__helper_session *s, uint32_t slot, uint64_t first,
                                 uint64_t n, hr_error *err) {
    const struct hr__helper_message m = {
        .type = HR__HELPER_READ, .array = s->listener.array, .slot = slot, .first = first, .n = n};
    return hr__helper_channel_ask(s->channel, &s->listener, &m, -1, err);
}

/* --- beginning and end ---------------------------------------------------------------------- */

hr_status hr__helper_session_init(struct hr__helper_session *s,
                                  const struct hr__helper_target *target, hr_error *err) {
    s->target = target;
    if (asprintf(&s->subject, "%s:/%s", target->path, target->field.member) >= 0) {
        s->listener = (struct hr__helper_listener){.subject = s->subject, .answered = answered};
        return HR_OK;
    }
    s->subject = NULL;
    return hr__error_no_memory(err, strlen(target->path), "a reader of a source");
}

hr_status hr__helper_session_start(struct hr__helper_session *s, struct hr__helper_group *group,
                                   uint64_t held_bytes, hr_error *err) {
    uint8_t *shared = NULL;
    int fd = -1;
    hr_status st;
    s->listener.held_bytes = held_bytes;
    s->shared_bytes = s->slot_bytes * HR__HELPER_NUM_SLOTS;
    st = hr__shared_memory_make(s->shared_bytes, false, &shared, &fd, err);
    if (st != HR_OK) {
        hr__error_prefix(err, "%s", s->subject);
        goto done;
    }
    s->shared = shared;
    HR_TRY(hr__helper_channel_join(group, s->target, &s->listener, &s->channel, err));
    HR_TRY(ask_to_open(s, fd, err));
done:
    if (fd >= 0)
        (void)close(fd);
    return st;
}

void hr__helper_session_stop(struct hr__helper_session *s) {
    hr__helper_channel_leave(s->channel, &s->listener);
    s->channel = NULL;
    s->opened = false;
    s->refused.status = HR_OK;
    s->num_answers = 0;
    if (s->shared != NULL)
        (void)munmap((void *)(uintptr_t)s->shared, (size_t)s->shared_bytes);
    s->shared = NULL;
}

void hr__helper_session_close(struct hr__helper_session *s) {
    hr__helper_session_stop(s);
    free(s->subject);
    s->subject = NULL;
}
