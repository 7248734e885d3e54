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

#define DEFAULT_AS_BYTES (UINT64_C(512) << 20)

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

static hr_status ask_to_open(struct hr__helper_session *s, int fd, hr_error *err) {
    const struct hr__helper_target *t = s->target;
    const struct hr__helper_message m = {.type = HR__HELPER_OPEN,
                                         .flags = open_flags(t),
                                         .slot_bytes = s->slot_bytes,
                                         .cache_bytes = s->cache_bytes,
                                         .path = t->path,
                                         .member = t->field.member};
    return hr__helper_send(s->helper, &m, fd, err);
}

static hr_status take_opened(const struct hr__helper_session *s, hr_error *err) {
    struct hr__helper_message m;
    const hr_status st = hr__helper_answer(s->helper, HR__HELPER_OPENED, &m, err);
    if (st != HR_OK)
        return st;
    if (!same_field(&m.field, &s->target->field))
        return hr__error_set(err, HR_ERR_DATA,
                             "%s: its shape or type changed since it was listed; convert it when "
                             "nothing writes to it",
                             s->subject);
    return HR_OK;
}

hr_status hr__helper_session_receive(struct hr__helper_session *s, struct hr__helper_message *out,
                                     hr_error *err) {
    if (!s->opened && s->refused.status == HR_OK)
        s->opened = take_opened(s, &s->refused) == HR_OK;
    if (s->opened)
        return hr__helper_receive(s->helper, out, err);
    if (err != NULL)
        *err = s->refused;
    return s->refused.status;
}

hr_status hr__helper_session_init(struct hr__helper_session *s,
                                  const struct hr__helper_target *target, hr_error *err) {
    s->target = target;
    if (asprintf(&s->subject, "%s:/%s", target->path, target->field.member) >= 0)
        return HR_OK;
    s->subject = NULL;
    return hr__error_no_memory(err, strlen(target->path), "a reader of a source");
}

hr_status hr__helper_session_start(struct hr__helper_session *s, uint64_t held_bytes,
                                   hr_error *err) {
    const struct hr__helper_options *o = &s->target->opts;
    struct hr__helper_limits limits = {
        .timeout_ns = o->timeout_ns, .memory_bytes = o->memory_bytes, .zip = o->zip};
    uint8_t *shared = NULL;
    int fd = -1;
    hr_status st;
    if (limits.memory_bytes == 0)
        limits.memory_bytes = DEFAULT_AS_BYTES + held_bytes;
    s->shared_bytes = s->slot_bytes * HR__HELPER_NUM_SLOTS;
    st = hr__shared_memory_make(s->shared_bytes, false, &shared, &fd, err);
    if (st != HR_OK) {
        hr__error_prefix(err, "%s", s->subject);
        goto done;
    }
    s->shared = shared;
    HR_TRY(hr__helper_start(s->target->program, s->subject, &limits, &s->helper, err));
    HR_TRY(ask_to_open(s, fd, err));
done:
    if (fd >= 0)
        (void)close(fd);
    return st;
}

void hr__helper_session_stop(struct hr__helper_session *s) {
    hr__helper_close(s->helper);
    s->helper = NULL;
    s->opened = false;
    s->refused.status = HR_OK;
    if (s->shared != NULL)
        (void)munmap((void *)(uintptr_t)s->shared, (size_t)s->shared_bytes);
    s->shared = NULL;
}

void hr__helper_session_close(struct hr__helper_session *s) {
    hr__helper_session_stop(s);
    free(s->subject);
    s->subject = NULL;
}
