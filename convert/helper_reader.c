/*
 * Rows of one HDF5 data set, or of one member of a .npz archive, through one helper. The helper and
 * what it puts into the shared memory are untrusted.
 *
 * Invariants:
 * 1. What is copied out of a slot is decided by what was asked for, never by what the helper says;
 *    values are checked in the copy, where the helper cannot change them any more.
 * 2. Slots and the helper's chunk cache are charged to the budget before they exist.
 * 3. Of a stream, every window is asked for in turn, also those that nobody wants: each answer
 * comes in little time, so that silence still means that something is wrong.
 */
#include "helper_reader.h"

#include "checked.h"
#include "error.h"
#include "helper_session.h"
#include "helper_values.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define TARGET_SLOT_BYTES (UINT64_C(1) << 20)
#define LARGE_SLOT_BYTES  (UINT64_C(16) << 20) /* for one row of chunks */
#define PAGE_BYTES        4096u

enum slot_state { SLOT_EMPTY, SLOT_ASKED, SLOT_FULL, SLOT_FAILED };

struct slot {
    enum slot_state state;
    uint64_t first, n;
    hr_error error; /* SLOT_FAILED */
};

struct hr__helper_reader {
    const struct hr__helper_target *target;
    struct hr__budget *budget;
    struct hr__helper_session session;
    uint64_t charged_bytes;
    uint64_t window_samples; /* what one slot holds */
    struct slot slots[HR__HELPER_NUM_SLOTS];
    uint32_t last_asked;
    uint64_t next_sample; /* where a reader that goes straight on would continue */
    uint64_t stream_next; /* of a stream: first sample behind what was asked for */
};

/* --- how much ------------------------------------------------------------------------------- */

struct window {
    uint64_t rows;
    uint64_t slot_bytes, cache_bytes;
    uint64_t total_bytes; /* of the slots, the cache, and chunks that are being decoded */
};

/* False: there is no such amount. Figures of the field were checked when it was decoded. */
static bool make_window(const struct hr__helper_field *f, uint64_t rows, struct window *out) {
    uint64_t bytes, both, scratch;
    if (!hr__mul_u64(rows, f->sample_bytes, &bytes) || bytes > INT64_MAX / 4)
        return false;
    *out = (struct window){.rows = rows, .slot_bytes = hr__round_up(bytes, PAGE_BYTES)};
    /* Windows of whole rows of chunks decode each chunk once without a cache. */
    const bool whole = rows % f->granule_samples == 0 || rows >= f->num_samples;
    if (f->chunk_bytes != 0 && (!whole || (f->flags & HR__HELPER_SPARSE) != 0))
        out->cache_bytes = f->chunk_row_bytes;
    return hr__mul_u64(f->chunk_bytes, 2, &scratch) &&
           hr__add_u64(scratch, out->cache_bytes, &scratch) &&
           hr__mul_u64(out->slot_bytes, HR__HELPER_NUM_SLOTS, &both) &&
           hr__add_u64(both, scratch, &out->total_bytes) && out->total_bytes <= INT64_MAX;
}

uint64_t hr__helper_reader_least_bytes(const struct hr__helper_field *f) {
    struct window row, chunks;
    uint64_t least = UINT64_MAX;
    if (f->sample_bytes == 0)
        return 0;
    if (make_window(f, 1, &row))
        least = row.total_bytes;
    if (make_window(f, hr__min_u64(f->granule_samples, hr__max_u64(f->num_samples, 1)), &chunks))
        least = hr__min_u64(least, chunks.total_bytes);
    return least;
}

static uint64_t wanted_rows(const struct hr__helper_field *f) {
    uint64_t granule = hr__min_u64(f->granule_samples, hr__max_u64(f->num_samples, 1));
    uint64_t target = TARGET_SLOT_BYTES / f->sample_bytes;
    uint64_t rows = target / granule * granule;
    if (rows == 0 && granule <= LARGE_SLOT_BYTES / f->sample_bytes)
        rows = granule;
    if (rows == 0)
        rows = target;
    return hr__min_u64(hr__max_u64(rows, 1), hr__max_u64(f->num_samples, 1));
}

uint64_t hr__helper_reader_wanted_bytes(const struct hr__helper_field *f) {
    struct window w;
    return f->sample_bytes > 0 && make_window(f, wanted_rows(f), &w) ? w.total_bytes : 0;
}

/* The next smaller window: of whole rows of chunks as long as there is one. */
static uint64_t fewer_rows(const struct hr__helper_field *f, uint64_t rows) {
    const uint64_t granule = f->granule_samples, half = rows / 2;
    return rows > granule ? hr__max_u64(half / granule * granule, granule) : half;
}

uint64_t hr__helper_reader_window(const struct hr__helper_field *f, uint64_t n_bytes) {
    struct window w;
    uint64_t rows = wanted_rows(f);
    while (rows > 1 && make_window(f, rows, &w) && w.total_bytes > n_bytes)
        rows = fewer_rows(f, rows);
    return rows;
}

/* Makes the window smaller until the budget takes it. */
static hr_status choose_window(struct hr__helper_reader *r, hr_error *err) {
    const struct hr__helper_field *f = &r->target->field;
    for (uint64_t rows = wanted_rows(f);; rows = fewer_rows(f, rows)) {
        struct window w;
        if (!make_window(f, rows, &w))
            return hr__error_set(err, HR_ERR_UNSUPPORTED, "%s: its chunks are too large",
                                 r->session.subject);
        hr_status st = hr__budget_reserve(r->budget, w.total_bytes, "reading through a helper",
                                          rows > 1 ? NULL : err);
        if (st == HR_OK) {
            r->charged_bytes = w.total_bytes;
            r->session.slot_bytes = w.slot_bytes;
            r->session.cache_bytes = w.cache_bytes;
            r->window_samples = w.rows;
            return HR_OK;
        }
        if (rows <= 1) {
            hr__error_prefix(err, "%s", r->session.subject);
            return st;
        }
    }
}

/* --- the conversation ----------------------------------------------------------------------- */

static hr_status ask(struct hr__helper_reader *r, uint32_t slot, uint64_t first, uint64_t most,
                     hr_error *err) {
    struct slot *s = &r->slots[slot];
    s->first = first;
    s->n = hr__min_u64(most, r->target->field.num_samples - first);
    s->state = SLOT_EMPTY;
    hr_status st = hr__helper_session_ask(&r->session, slot, s->first, s->n, err);
    if (st == HR_OK) {
        s->state = SLOT_ASKED;
        r->last_asked = slot;
        r->stream_next = s->first + s->n;
    }
    return st;
}

/* The slot whose answer comes next: answers come in the order of asking. */
static uint32_t oldest_asked(const struct hr__helper_reader *r) {
    uint32_t other = 1 - r->last_asked;
    return r->slots[other].state == SLOT_ASKED ? other : r->last_asked;
}

static hr_status take_answer(struct hr__helper_reader *r, hr_error *err) {
    struct slot *s = &r->slots[oldest_asked(r)];
    struct hr__helper_answer a;
    hr_status st = hr__helper_session_receive(&r->session, &a, err);
    if (st != HR_OK)
        return st;
    if (a.error.status != HR_OK) {
        s->state = SLOT_FAILED;
        s->error = a.error;
        return HR_OK;
    }
    if (a.slot != (uint32_t)(s - r->slots) || a.first != s->first || a.n != s->n)
        return hr__helper_session_lied(&r->session, "rows that were not asked for", err);
    s->state = SLOT_FULL;
    return HR_OK;
}

static bool holds(const struct slot *s, uint64_t sample) {
    return s->state != SLOT_EMPTY && sample >= s->first && sample - s->first < s->n;
}

static hr_status wait_for_slot(struct hr__helper_reader *r, uint32_t slot, hr_error *err) {
    hr_status st = HR_OK;
    while (st == HR_OK && r->slots[slot].state == SLOT_ASKED)
        st = take_answer(r, err);
    return st;
}

static hr_status slot_failed(const struct slot *s, hr_error *err) {
    if (err != NULL)
        *err = s->error;
    return s->error.status;
}

/* Of a stream: asks for all windows before `first`, from the beginning where that lies behind. */
static hr_status skip_to(struct hr__helper_reader *r, uint32_t slot, uint64_t first,
                         hr_error *err) {
    hr_status st = HR_OK;
    if (first < r->stream_next)
        r->stream_next = 0;
    while (r->stream_next < first) {
        if (r->target->stopped != NULL && atomic_load(r->target->stopped))
            return hr__error_set(err, HR_ERR_CANCELLED, "%s: reading was stopped",
                                 r->session.subject);
        HR_TRY(ask(r, slot, r->stream_next, r->window_samples, err));
        HR_TRY(wait_for_slot(r, slot, err));
        if (r->slots[slot].state == SLOT_FAILED)
            return slot_failed(&r->slots[slot], err);
    }
done:
    return st;
}

/* Of other sources: not before the chunk of `sample` nor beyond that of the last one before `end`,
 * which other readers may be decoding. */
static hr_status ask_near(struct hr__helper_reader *r, uint32_t slot, uint64_t sample, uint64_t end,
                          hr_error *err) {
    const uint64_t granule = r->target->field.granule_samples;
    const uint64_t window = sample / r->window_samples * r->window_samples;
    const uint64_t first = hr__max_u64(window, sample / granule * granule);
    const uint64_t most = r->window_samples - (first - window);
    uint64_t past = end;
    if (!hr__add_u64(end, (granule - end % granule) % granule, &past))
        past = UINT64_MAX;
    return ask(r, slot, first, hr__min_u64(most, past - first), err);
}

/* The slot that holds or will hold `sample`; asks for a window, where there is none. end: no sample
 * from there on is wanted yet. */
static hr_status slot_for(struct hr__helper_reader *r, uint64_t sample, uint64_t end, uint32_t keep,
                          uint32_t *out, hr_error *err) {
    for (uint32_t i = 0; i < HR__HELPER_NUM_SLOTS; i++) {
        if (holds(&r->slots[i], sample)) {
            *out = i;
            return HR_OK;
        }
    }
    *out = keep < HR__HELPER_NUM_SLOTS ? 1 - keep : 1 - r->last_asked;
    hr_status st = wait_for_slot(r, *out, err);
    if (st != HR_OK)
        return st;
    if ((r->target->field.flags & HR__HELPER_STREAM) == 0)
        return ask_near(r, *out, sample, end, err);
    uint64_t window = sample / r->window_samples * r->window_samples;
    st = skip_to(r, *out, window, err);
    return st == HR_OK ? ask(r, *out, window, r->window_samples, err) : st;
}

/* --- the reader ----------------------------------------------------------------------------- */

bool hr__helper_reader_goes_on(struct hr__helper_reader *r, uint64_t first, uint64_t n) {
    const bool goes_on = first == r->next_sample && first != 0;
    r->next_sample = first + n;
    return goes_on;
}

hr_status hr__helper_reader_view(struct hr__helper_reader *r, uint64_t first, uint64_t n,
                                 bool ahead, const uint8_t **rows, uint64_t *done, hr_error *err) {
    uint32_t slot = 0;
    const uint64_t end = ahead ? UINT64_MAX : first + n;
    hr_status st = slot_for(r, first, end, HR__HELPER_NUM_SLOTS, &slot, err);
    if (st != HR_OK)
        return st;
    struct slot *s = &r->slots[slot];
    uint64_t next = s->first + s->n;
    if (next < r->target->field.num_samples && (ahead || next < first + n)) {
        uint32_t other;
        HR_TRY(slot_for(r, next, end, slot, &other, err));
    }
    while (s->state == SLOT_ASKED)
        HR_TRY(take_answer(r, err));
    if (s->state == SLOT_FAILED)
        return slot_failed(s, err);
    *rows = r->session.shared + slot * r->session.slot_bytes +
            (first - s->first) * r->target->field.sample_bytes;
    *done = hr__min_u64(n, next - first);
done:
    return st;
}

hr_status hr__helper_reader_read(struct hr__helper_reader *r, uint64_t first, uint64_t n, void *dst,
                                 hr_error *err) {
    const struct hr__helper_field *f = &r->target->field;
    if (!hr__range_within(first, n, f->num_samples))
        return hr__error_set(err, HR_ERR_INVALID,
                             "%s: samples %" PRIu64 " and %" PRIu64 " more of %" PRIu64,
                             r->session.subject, first, n, f->num_samples);
    if (f->sample_bytes == 0)
        return HR_OK;
    /* Only who reads straight on gets a window ahead: another range would not use it. */
    const bool ahead = hr__helper_reader_goes_on(r, first, n);
    uint8_t *p = dst;
    while (n > 0) {
        const uint8_t *rows;
        uint64_t done = 0;
        hr_status st = hr__helper_reader_view(r, first, n, ahead, &rows, &done, err);
        if (st != HR_OK)
            return st;
        memcpy(p, rows, done * f->sample_bytes);
        st = hr__helper_values_check(r->target, first, done, p, err);
        if (st != HR_OK)
            return st;
        first += done;
        n -= done;
        p += done * f->sample_bytes;
    }
    return HR_OK;
}

static hr_status start(struct hr__helper_reader *r, struct hr__helper_group *group, hr_error *err) {
    hr_status st = choose_window(r, err);
    return st == HR_OK ? hr__helper_session_start(&r->session, group, r->charged_bytes, err) : st;
}

hr_status hr__helper_reader_open(const struct hr__helper_target *target, struct hr__budget *budget,
                                 struct hr__helper_group *group, struct hr__helper_reader **out,
                                 hr_error *err) {
    *out = NULL;
    struct hr__helper_reader *r = calloc(1, sizeof *r);
    if (r == NULL)
        return hr__error_no_memory(err, sizeof *r, "a reader of a source");
    r->target = target;
    r->budget = budget;
    hr_status st = hr__helper_session_init(&r->session, target, err);
    if (st == HR_OK && target->field.sample_bytes != 0)
        st = start(r, group, err);
    if (st != HR_OK)
        hr__helper_reader_close(r);
    else
        *out = r;
    return st;
}

void hr__helper_reader_close(struct hr__helper_reader *r) {
    if (r == NULL)
        return;
    hr__helper_session_close(&r->session);
    if (r->charged_bytes != 0)
        hr__budget_release(r->budget, r->charged_bytes);
    free(r);
}
