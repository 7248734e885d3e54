/*
 * Values of variable length through one helper. The helper and what it puts into the shared memory
 * are untrusted.
 *
 * Invariants:
 * 1. Where values end is checked in a copy (value_slot.h), values in the caller's: the helper
 * cannot change either any more.
 * 2. Everything that reading takes on both sides is charged before it exists: the slots, what HDF5
 *    makes of the values of one, the chunk cache, and the lists of ends.
 * 3. One window is asked for at a time, as its answer says where the next one begins.
 */
#include "helper_variable.h"

#include "bytes.h"
#include "checked.h"
#include "dtype.h"
#include "error.h"
#include "helper_session.h"
#include "utf8.h"
#include "value_slot.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define WANTED_SLOT_BYTES (UINT64_C(1) << 20)
#define LEAST_SLOT_BYTES  (UINT64_C(64) << 10)
#define MAX_VALUE_BYTES   (UINT64_C(1) << 40)
#define PAGE_BYTES        UINT64_C(4096)
#define HELD_SLOTS        5u  /* two; HDF5's values, one of them while it is made, its heap */
#define LIST_BYTES        32u /* of a value: its ends, twice here, and HDF5's reference */
#define ROUND_BYTES       (UINT64_C(2) << 20) /* more, so that the budget that is named does */
#define BUDGET_SHARES     4u                  /* of a conversion, of which one is for reading */

enum window_state { WINDOW_EMPTY, WINDOW_ASKED, WINDOW_FULL, WINDOW_FAILED };

struct window {
    enum window_state state;
    uint64_t first, n; /* while it is asked for: as many as may come */
    uint64_t *ends;
    hr_error error; /* WINDOW_FAILED */
};

struct hr__helper_variable {
    const struct hr__helper_target *target;
    struct hr__budget *budget;
    struct hr__helper_group *group;
    struct hr__helper_session session;
    uint64_t charged_bytes;
    struct window windows[HR__HELPER_NUM_SLOTS];
    uint64_t next_sample; /* where a reader that goes straight on would continue */
};

/* --- how much ------------------------------------------------------------------------------- */

static uint64_t most_values(uint64_t slot_bytes) {
    return hr__min_u64(slot_bytes / LIST_BYTES, HR__SLOT_MAX_VALUES);
}

/* With slots of so many bytes; UINT64_MAX: more than there can be. */
static uint64_t total_bytes(const struct hr__helper_field *f, uint64_t slot_bytes) {
    uint64_t total = slot_bytes * HELD_SLOTS + most_values(slot_bytes) * LIST_BYTES, chunks;
    const bool fits = hr__mul_u64(f->chunk_bytes, 2, &chunks) &&
                      hr__add_u64(chunks, f->chunk_row_bytes, &chunks) &&
                      hr__add_u64(total, chunks, &total);
    return fits ? total : UINT64_MAX;
}

uint64_t hr__helper_variable_least_bytes(const struct hr__helper_field *f) {
    return total_bytes(f, LEAST_SLOT_BYTES);
}

uint64_t hr__helper_variable_wanted_bytes(const struct hr__helper_field *f) {
    return total_bytes(f, WANTED_SLOT_BYTES);
}

static hr_status reserve(struct hr__helper_variable *r, uint64_t slot_bytes, hr_error *err) {
    const uint64_t total = total_bytes(&r->target->field, slot_bytes);
    hr_status st = hr__budget_reserve(r->budget, total, "reading through a helper", err);
    if (st != HR_OK)
        return st;
    r->charged_bytes = total;
    r->session.slot_bytes = slot_bytes;
    return HR_OK;
}

/* Halves the slots until the budget takes them. */
static hr_status choose_slots(struct hr__helper_variable *r, hr_error *err) {
    for (uint64_t slot = WANTED_SLOT_BYTES;; slot /= 2) {
        const bool last = slot <= LEAST_SLOT_BYTES;
        hr_status st = reserve(r, slot, last ? err : NULL);
        if (st == HR_OK || last) {
            if (st != HR_OK)
                hr__error_prefix(err, "%s", r->session.subject);
            return st;
        }
    }
}

/* --- a helper ------------------------------------------------------------------------------- */

static void stop(struct hr__helper_variable *r) {
    hr__helper_session_stop(&r->session);
    for (uint32_t i = 0; i < HR__HELPER_NUM_SLOTS; i++) {
        free(r->windows[i].ends);
        r->windows[i].ends = NULL;
        r->windows[i].state = WINDOW_EMPTY;
    }
    if (r->charged_bytes != 0)
        hr__budget_release(r->budget, r->charged_bytes);
    r->charged_bytes = 0;
}

static hr_status make_lists(struct hr__helper_variable *r, hr_error *err) {
    const uint64_t n = most_values(r->session.slot_bytes);
    for (uint32_t i = 0; i < HR__HELPER_NUM_SLOTS; i++) {
        r->windows[i].ends = malloc(n * sizeof *r->windows[i].ends);
        if (r->windows[i].ends == NULL)
            return hr__error_no_memory(err, n * sizeof *r->windows[i].ends, "lengths of values");
    }
    return HR_OK;
}

/* With the slots that were reserved. */
static hr_status start(struct hr__helper_variable *r, hr_error *err) {
    hr_status st = make_lists(r, err);
    r->session.cache_bytes = r->target->field.chunk_row_bytes;
    if (st == HR_OK)
        st = hr__helper_session_start(&r->session, r->group, r->charged_bytes, err);
    if (st != HR_OK)
        stop(r);
    return st;
}

/* The least address space of a helper with such slots. */
static uint64_t helper_bytes(const struct hr__helper_field *f, uint64_t slot_bytes) {
    const uint64_t held = total_bytes(f, slot_bytes) - most_values(slot_bytes) * LIST_BYTES;
    return held < UINT64_MAX - HR__HELPER_BASE_BYTES ? held + HR__HELPER_BASE_BYTES : UINT64_MAX;
}

/* Where its memory is limited otherwise than by what it is to hold. */
static bool helper_may_hold(const struct hr__helper_variable *r, uint64_t slot_bytes) {
    const uint64_t most = r->target->opts.memory_bytes;
    return most == 0 || helper_bytes(&r->target->field, slot_bytes) <= most;
}

/* A value of n_bytes, for which a helper would need slots of slot_bytes. */
static hr_status refuse_value(const struct hr__helper_variable *r, uint64_t sample,
                              uint64_t n_bytes, uint64_t slot_bytes, hr_error *err) {
    const uint64_t needed = total_bytes(&r->target->field, slot_bytes),
                   left = hr__budget_left(r->budget);
    const uint64_t missing = needed > left ? needed - left : 0;
    return hr__error_set(err, HR_ERR_BUDGET,
                         "%s: sample %" PRIu64 " has %" PRIu64
                         " bytes, and reading it through a helper takes %" PRIu64
                         ", of which %" PRIu64
                         " are left; give a budget that is larger by %.0f bytes, unless the "
                         "file is damaged",
                         r->session.subject, sample, n_bytes, needed, left,
                         ((double)missing + (double)n_bytes + (double)ROUND_BYTES) * BUDGET_SHARES);
}

static hr_status refuse_helper(const struct hr__helper_variable *r, uint64_t sample,
                               uint64_t n_bytes, uint64_t slot_bytes, hr_error *err) {
    return hr__error_set(err, HR_ERR_HELPER,
                         "%s: sample %" PRIu64 " has %" PRIu64
                         " bytes, for which a helper takes more than %" PRIu64
                         " bytes of memory, and it may use %" PRIu64
                         "; allow it more, or leave that limit out, unless the file is damaged",
                         r->session.subject, sample, n_bytes,
                         helper_bytes(&r->target->field, slot_bytes), r->target->opts.memory_bytes);
}

/* The budget has it, and the process-wide cap has not. */
static hr_status refuse_cap(const struct hr__helper_variable *r, uint64_t sample, uint64_t n_bytes,
                            const hr_error *why, hr_error *err) {
    if (err != NULL)
        *err = *why;
    hr__error_prefix(err, "%s: sample %" PRIu64 " has %" PRIu64 " bytes", r->session.subject,
                     sample, n_bytes);
    return HR_ERR_BUDGET;
}

/* Larger slots: it is opened anew. At least twice as large ones, where there is room, so that this
 * is rare where values become longer and longer. */
static hr_status enlarge(struct hr__helper_variable *r, uint64_t sample, uint64_t n_bytes,
                         hr_error *err) {
    const uint64_t slot = hr__round_up(n_bytes + HR__HELPER_VALUE_SLACK, PAGE_BYTES);
    const uint64_t twice = hr__max_u64(slot, r->session.slot_bytes * 2);
    hr_error why = {.status = HR_OK};
    hr_status st = HR_ERR_BUDGET;
    stop(r);
    if (!helper_may_hold(r, slot))
        return refuse_helper(r, sample, n_bytes, slot, err);
    if (helper_may_hold(r, twice))
        st = reserve(r, twice, NULL);
    if (st != HR_OK)
        st = reserve(r, slot, &why);
    if (st == HR_OK)
        return start(r, err);
    return total_bytes(&r->target->field, slot) <= hr__budget_left(r->budget)
               ? refuse_cap(r, sample, n_bytes, &why, err)
               : refuse_value(r, sample, n_bytes, slot, err);
}

/* After a value was refused. */
static hr_status start_again(struct hr__helper_variable *r, hr_error *err) {
    hr_status st = reserve(r, r->session.slot_bytes, err);
    return st == HR_OK ? start(r, err) : st;
}

/* --- windows -------------------------------------------------------------------------------- */

static hr_status ask(struct hr__helper_variable *r, struct window *w, uint64_t first,
                     hr_error *err) {
    const uint64_t n =
        hr__min_u64(r->target->field.num_samples - first, most_values(r->session.slot_bytes));
    w->state = WINDOW_EMPTY;
    hr_status st = hr__helper_session_ask(&r->session, (uint32_t)(w - r->windows), first, n, err);
    if (st != HR_OK)
        return st;
    w->first = first;
    w->n = n;
    w->state = WINDOW_ASKED;
    return HR_OK;
}

static const uint8_t *slot_of(const struct hr__helper_variable *r, const struct window *w) {
    return r->session.shared + (uint64_t)(w - r->windows) * r->session.slot_bytes;
}

/* The helper has no room for the first value. Only one that is wanted is worth opening it anew. */
static hr_status take_too_long(struct hr__helper_variable *r, struct window *w, uint64_t wanted,
                               hr_error *err) {
    const uint64_t n_bytes = hr__get_u64(slot_of(r, w)), first = w->first;
    if (n_bytes + HR__HELPER_VALUE_SLACK <= r->session.slot_bytes || n_bytes > MAX_VALUE_BYTES)
        return hr__helper_session_lied(&r->session, "a length that cannot be", err);
    w->state = WINDOW_EMPTY;
    if (first != wanted)
        return HR_OK;
    hr_status st = enlarge(r, first, n_bytes, err);
    return st == HR_OK ? ask(r, w, first, err) : st;
}

static hr_status take_answer(struct hr__helper_variable *r, struct window *w, uint64_t wanted,
                             hr_error *err) {
    struct hr__helper_answer a;
    hr_status st = hr__helper_session_receive(&r->session, &a, err);
    if (st != HR_OK)
        return st;
    if (a.error.status != HR_OK) {
        w->state = WINDOW_FAILED;
        w->error = a.error;
        return HR_OK;
    }
    if (a.slot != (uint32_t)(w - r->windows) || a.first != w->first || a.n > w->n)
        return hr__helper_session_lied(&r->session, "values that were not asked for", err);
    if (a.n == 0)
        return take_too_long(r, w, wanted, err);
    if (hr__value_slot_take(slot_of(r, w), r->session.slot_bytes, a.n,
                            hr__helper_unit_bytes(&r->target->field), w->ends, NULL) != HR_OK)
        return hr__helper_session_lied(&r->session, "values that lie in no slot", err);
    w->n = a.n;
    w->state = WINDOW_FULL;
    return HR_OK;
}

/* wanted: the sample that is waited for; what is read ahead of it may stay away. */
static hr_status settle(struct hr__helper_variable *r, struct window *w, uint64_t wanted,
                        hr_error *err) {
    hr_status st = HR_OK;
    while (st == HR_OK && w->state == WINDOW_ASKED) {
        if (r->target->stopped != NULL && atomic_load(r->target->stopped))
            return hr__error_set(err, HR_ERR_CANCELLED, "%s: reading was stopped",
                                 r->session.subject);
        st = take_answer(r, w, wanted, err);
    }
    return st;
}

static bool holds(const struct window *w, uint64_t sample) {
    return w->state != WINDOW_EMPTY && sample >= w->first && sample - w->first < w->n;
}

static struct window *find(struct hr__helper_variable *r, uint64_t sample,
                           enum window_state state) {
    for (uint32_t i = 0; i < HR__HELPER_NUM_SLOTS; i++)
        if (r->windows[i].state == state && holds(&r->windows[i], sample))
            return &r->windows[i];
    return NULL;
}

static hr_status settle_all(struct hr__helper_variable *r, uint64_t wanted, hr_error *err) {
    hr_status st = HR_OK;
    for (uint32_t i = 0; st == HR_OK && i < HR__HELPER_NUM_SLOTS; i++)
        st = settle(r, &r->windows[i], wanted, err);
    return st;
}

static hr_status failed(struct window *w, hr_error *err) {
    w->state = WINDOW_EMPTY;
    if (err != NULL)
        *err = w->error;
    return w->error.status;
}

/* The full window that has the sample, which exists. */
static hr_status window_of(struct hr__helper_variable *r, uint64_t sample, struct window **out,
                           hr_error *err) {
    hr_status st = HR_OK;
    *out = find(r, sample, WINDOW_FULL);
    if (*out != NULL)
        return HR_OK;
    if (r->session.channel == NULL)
        HR_TRY(start_again(r, err));
    HR_TRY(settle_all(r, sample, err));
    if (find(r, sample, WINDOW_FULL) == NULL && find(r, sample, WINDOW_FAILED) == NULL) {
        HR_TRY(ask(r, &r->windows[0], sample, err));
        HR_TRY(settle_all(r, sample, err));
    }
    *out = find(r, sample, WINDOW_FULL);
    if (*out == NULL)
        st = failed(&r->windows[find(r, sample, WINDOW_FAILED) == &r->windows[1]], err);
done:
    return st;
}

/* The next window is read by the helper while the values of this one are compressed. */
static hr_status ask_ahead(struct hr__helper_variable *r, const struct window *w, hr_error *err) {
    struct window *other = &r->windows[w == &r->windows[0] ? 1 : 0];
    const uint64_t next = w->first + w->n;
    if (next >= r->target->field.num_samples || holds(other, next))
        return HR_OK;
    hr_status st = settle(r, other, w->first, err);
    return st == HR_OK ? ask(r, other, next, err) : st;
}

/* --- values --------------------------------------------------------------------------------- */

static hr_status check_range(const struct hr__helper_variable *r, uint64_t first, uint64_t n,
                             hr_error *err) {
    if (hr__range_within(first, n, r->target->field.num_samples))
        return HR_OK;
    return hr__error_set(err, HR_ERR_INVALID,
                         "%s: samples %" PRIu64 " and %" PRIu64 " more of %" PRIu64,
                         r->session.subject, first, n, r->target->field.num_samples);
}

hr_status hr__helper_variable_fetch(struct hr__helper_variable *r, uint64_t first, uint64_t n,
                                    uint64_t *out, hr_error *err) {
    struct window *w = NULL;
    const bool ahead = first == r->next_sample && first != 0;
    hr_status st;
    HR_TRY(check_range(r, first, n, err));
    HR_TRY(window_of(r, first, &w, err));
    *out = hr__min_u64(n, w->first + w->n - first);
    r->next_sample = first + *out;
    if (ahead || first == 0)
        HR_TRY(ask_ahead(r, w, err));
done:
    return st;
}

static hr_status check_texts(const struct hr__helper_variable *r, uint64_t first, uint64_t n,
                             const int64_t *offsets, const uint8_t *values, hr_error *err) {
    for (uint64_t i = 0; i < n; i++)
        if (!hr__utf8_valid(values + offsets[i], (size_t)(offsets[i + 1] - offsets[i])))
            return hr__error_set(err, HR_ERR_DATA,
                                 "%s: sample %" PRIu64 " holds text that is not UTF-8; write the "
                                 "data set anew with ASCII strings to keep its bytes",
                                 r->session.subject, first + i);
    return HR_OK;
}

/* Of one window; offsets[0] says where its values go. */
static hr_status copy(const struct hr__helper_variable *r, const struct window *w, uint64_t first,
                      uint64_t n, int64_t *offsets, uint8_t *values, uint64_t room_bytes,
                      hr_error *err) {
    const uint64_t at = first - w->first, base = (uint64_t)offsets[0];
    const uint64_t begin = at > 0 ? w->ends[at - 1] : 0;
    const uint64_t n_bytes = w->ends[at + n - 1] - begin;
    for (uint64_t i = 0; i < n; i++)
        offsets[i + 1] = (int64_t)(base + w->ends[at + i] - begin);
    if (values == NULL)
        return HR_OK;
    if (base > room_bytes || n_bytes > room_bytes - base)
        return hr__error_set(err, HR_ERR_DATA,
                             "%s: its values have other lengths than before; convert it when "
                             "nothing writes to it",
                             r->session.subject);
    if (n_bytes > 0)
        memcpy(values + base, hr__value_slot_values(slot_of(r, w), w->n) + begin, (size_t)n_bytes);
    return r->target->field.dtype == HR_VAR_UTF8 ? check_texts(r, first, n, offsets, values, err)
                                                 : HR_OK;
}

hr_status hr__helper_variable_read(struct hr__helper_variable *r, uint64_t first, uint64_t n,
                                   int64_t *offsets, uint8_t *values, uint64_t room_bytes,
                                   hr_error *err) {
    hr_status st = check_range(r, first, n, err);
    offsets[0] = 0;
    while (st == HR_OK && n > 0) {
        struct window *w = NULL;
        st = window_of(r, first, &w, err);
        if (st != HR_OK)
            break;
        const uint64_t here = hr__min_u64(n, w->first + w->n - first);
        st = copy(r, w, first, here, offsets, values, room_bytes, err);
        offsets += here;
        first += here;
        n -= here;
    }
    return st;
}

/* --- the reader ----------------------------------------------------------------------------- */

hr_status hr__helper_variable_open(const struct hr__helper_target *target,
                                   struct hr__budget *budget, struct hr__helper_group *group,
                                   struct hr__helper_variable **out, hr_error *err) {
    hr_status st;
    *out = NULL;
    struct hr__helper_variable *r = calloc(1, sizeof *r);
    if (r == NULL)
        return hr__error_no_memory(err, sizeof *r, "a reader of a source");
    r->target = target;
    r->budget = budget;
    r->group = group;
    HR_TRY(hr__helper_session_init(&r->session, target, err));
    if (target->field.num_samples > 0) {
        HR_TRY(choose_slots(r, err));
        HR_TRY(start(r, err));
    }
    *out = r;
    r = NULL;
done:
    hr__helper_variable_close(r);
    return st;
}

void hr__helper_variable_close(struct hr__helper_variable *r) {
    if (r == NULL)
        return;
    stop(r);
    hr__helper_session_close(&r->session);
    free(r);
}
