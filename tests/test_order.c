/*
 * Properties of orders on thousands of seeded parameter sets, checked by brute force, and the rules
 * for parameters.
 */
#include "order_cases.h"
#include "order_internal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define NUM_CASES 4000u

/* One epoch of a case, laid out in full for one stream at a time. */
struct laid_out {
    struct hr__budget budget;
    struct hr__order *order;
    struct hr__order_epoch *epoch;
    uint64_t *visit_at; /* by position: the visit whose sample is there */
    uint64_t *chunk_at;
    uint32_t *place_at;
    uint64_t *chunk_of; /* of the samples by visit */
    uint32_t *place_of;
    uint64_t room;          /* positions that there is room for */
    uint32_t num_ascending; /* visits whose positions came in ascending order */
    uint64_t num_samples;
    uint64_t num_positions; /* with repeats */
};

static uint32_t stream_batch(const struct order_case *c) {
    return c->params.batch_samples / c->params.num_streams;
}

static bool lay_out_open(struct laid_out *l, const struct order_case *c) {
    memset(l, 0, sizeof *l);
    hr__budget_init(&l->budget, (uint64_t)1 << 40);
    hr_error err = {0};
    if (hr__order_make(&c->params, &l->budget, &l->order, &err) != HR_OK) {
        assert_non_null(strstr(err.message, "no batch would come"));
        assert_null(l->order);
        assert_int_equal(l->budget.reserved_bytes, 0);
        return false;
    }
    assert_int_equal(hr__order_epoch_make(l->order, c->epoch, 0, c->params.num_streams, &l->budget,
                                          &l->epoch, &err),
                     HR_OK);
    l->room = c->num_samples + hr__order_num_batches(l->order) * stream_batch(c);
    l->visit_at = malloc((size_t)l->room * sizeof(uint64_t));
    l->chunk_at = malloc((size_t)l->room * sizeof(uint64_t));
    l->place_at = malloc((size_t)l->room * sizeof(uint32_t));
    l->chunk_of = malloc((size_t)c->num_samples * sizeof(uint64_t));
    l->place_of = malloc((size_t)c->num_samples * sizeof(uint32_t));
    assert_true(l->visit_at != NULL && l->chunk_at != NULL && l->place_at != NULL);
    assert_true(l->chunk_of != NULL && l->place_of != NULL);
    return true;
}

static void lay_out_close(struct laid_out *l) {
    free(l->visit_at);
    free(l->chunk_at);
    free(l->place_at);
    free(l->chunk_of);
    free(l->place_of);
    hr__order_epoch_free(l->epoch);
    hr__order_free(l->order);
    assert_int_equal(l->budget.reserved_bytes, 0);
}

/* Where positions come in ascending order, they are those of visit_positions. */
static void check_ascending(struct laid_out *l, const struct order_case *c, uint32_t stream,
                            uint64_t visit, const uint64_t *positions, uint32_t n) {
    const uint32_t S = c->params.samples_per_chunk;
    uint16_t *samples = malloc(S * sizeof(*samples));
    uint32_t *scratch = malloc(S * sizeof(*scratch));
    const uint32_t *offsets;
    uint64_t base, before = 0;
    uint32_t count;
    if (hr__order_visit_ascending(l->epoch, stream, visit, samples, scratch, &base, &offsets,
                                  &count)) {
        l->num_ascending++;
        assert_int_equal(count, n);
        for (uint32_t k = 0; k < n; k++) {
            const uint64_t position = base + (offsets != NULL ? offsets[k] : k);
            assert_true(k == 0 || position > before);
            assert_true(samples[k] < n && position == positions[samples[k]]);
            before = position;
        }
    }
    free(samples);
    free(scratch);
}

/* A position taken twice fails; all that the last visit has beyond the epoch is not delivered. */
static void lay_out_visit(struct laid_out *l, const struct order_case *c, uint32_t stream,
                          uint64_t v, uint64_t *positions) {
    const uint64_t chunk = hr__order_visit_chunk(l->epoch, stream, v);
    const uint32_t n = hr__order_visit_positions(l->epoch, stream, v, positions);
    assert_true(chunk < c->num_chunks);
    assert_int_equal(n, case_chunk_samples(c, chunk));
    check_ascending(l, c, stream, v, positions, n);
    for (uint32_t r = 0; r < n; r++) {
        if (v >= hr__order_num_visits(l->order, stream) && positions[r] >= l->num_positions) {
            assert_int_equal(v + 1, hr__order_epoch_visits(l->epoch, stream));
            continue;
        }
        assert_true(positions[r] < l->room);
        assert_true(l->visit_at[positions[r]] == UINT64_MAX);
        l->visit_at[positions[r]] = v;
        l->chunk_at[positions[r]] = chunk;
        l->place_at[positions[r]] = r;
    }
}

/* Places every sample of a stream's visits, and the repeats after them; a position left out
 * fails. */
static void lay_out_stream(struct laid_out *l, const struct order_case *c, uint32_t stream,
                           uint8_t *chunk_seen) {
    const uint64_t num_visits = hr__order_num_visits(l->order, stream);
    uint64_t *positions = malloc(c->params.samples_per_chunk * sizeof(uint64_t));
    assert_non_null(positions);
    memset(l->visit_at, 0xff, (size_t)l->room * sizeof(uint64_t));
    l->num_samples = 0;
    l->num_positions = hr__order_epoch_samples(l->epoch, stream);
    for (uint64_t v = 0; v < num_visits; v++) {
        lay_out_visit(l, c, stream, v, positions);
        const uint64_t chunk = hr__order_visit_chunk(l->epoch, stream, v);
        assert_int_equal(chunk_seen[chunk]++, 0);
        for (uint32_t r = 0; r < case_chunk_samples(c, chunk); r++, l->num_samples++) {
            l->chunk_of[l->num_samples] = chunk;
            l->place_of[l->num_samples] = r;
        }
    }
    for (uint64_t p = 0; p < l->num_samples; p++)
        assert_true(l->visit_at[p] != UINT64_MAX);
    for (uint64_t v = num_visits; v < hr__order_epoch_visits(l->epoch, stream); v++)
        lay_out_visit(l, c, stream, v, positions);
    if (l->num_positions < l->num_samples)
        l->num_positions = l->num_samples;
    for (uint64_t p = l->num_samples; p < l->room; p++)
        assert_true((l->visit_at[p] != UINT64_MAX) == (p < l->num_positions));
    free(positions);
}

/* Repeats are the samples by visit, over and over, and the last rows of a slice. */
static void check_repeats(const struct laid_out *l, const struct order_case *c, uint32_t stream) {
    const uint64_t B = stream_batch(c), N = l->num_samples;
    for (uint64_t p = N; p < l->num_positions; p++) {
        assert_int_equal(l->chunk_at[p], l->chunk_of[(p - N) % N]);
        assert_int_equal(l->place_at[p], l->place_of[(p - N) % N]);
    }
    for (uint64_t b = 0; b < hr__order_num_batches(l->order); b++) {
        const uint64_t end = b * B + hr__order_epoch_batch_samples(l->epoch, stream, b);
        const uint64_t repeats = end <= N ? 0 : end - N > B ? B : end - N;
        assert_int_equal(hr__order_epoch_batch_repeats(l->epoch, stream, b), repeats);
    }
    if (!c->params.pad_last)
        assert_int_equal(hr__order_epoch_visits(l->epoch, stream),
                         hr__order_num_visits(l->order, stream));
}

static void check_counts(const struct laid_out *l, const struct order_case *c, uint32_t stream) {
    const uint64_t B = stream_batch(c), nb = hr__order_num_batches(l->order);
    const uint64_t delivered = hr__order_epoch_samples(l->epoch, stream);
    assert_true(nb > 0);
    if (c->params.pad_last) {
        assert_int_equal(delivered, nb * B);
        assert_true(delivered >= l->num_samples);
    } else if (c->params.num_streams == 1 && !c->params.drop_last) {
        assert_int_equal(delivered, c->num_samples);
        assert_int_equal(nb, (c->num_samples + B - 1) / B);
    } else {
        assert_int_equal(delivered, nb * B);
        assert_true(delivered <= l->num_samples);
    }
    uint64_t sum = 0;
    for (uint64_t b = 0; b < nb; b++)
        sum += hr__order_epoch_batch_samples(l->epoch, stream, b);
    assert_int_equal(sum, delivered);
}

static void check_inverse(const struct laid_out *l, uint32_t stream) {
    for (uint64_t p = 0; p < l->num_positions; p++) {
        uint64_t chunk;
        uint32_t place;
        hr__order_position_sample(l->epoch, stream, p, &chunk, &place);
        assert_int_equal(chunk, l->chunk_at[p]);
        assert_int_equal(place, l->place_at[p]);
    }
}

static void check_batch_visits(const struct laid_out *l, const struct order_case *c,
                               uint32_t stream) {
    const uint64_t B = stream_batch(c);
    uint64_t first_before = 0, last_before = 0;
    for (uint64_t b = 0; b < hr__order_num_batches(l->order); b++) {
        uint64_t first, last;
        hr__order_batch_visits(l->epoch, stream, b, &first, &last);
        assert_true(first >= first_before && last >= last_before && first <= last);
        assert_true(last < hr__order_epoch_visits(l->epoch, stream));
        const uint64_t n = hr__order_epoch_batch_samples(l->epoch, stream, b);
        for (uint64_t p = b * B; p < b * B + n; p++)
            assert_true(l->visit_at[p] >= first && l->visit_at[p] <= last);
        first_before = first;
        last_before = last;
    }
}

/* For repeats, and where no chunk is short and the visit reaches neither end,
 * hr__order_visit_last_batch() is exact. */
static bool is_bound_exact(const struct laid_out *l, const struct order_case *c, uint32_t stream,
                           uint64_t visit) {
    const struct hr__order *o = l->order;
    const struct hr__order_stream *s = hr__order_stream_of(l->epoch, stream);
    if (visit >= s->num_visits)
        return true;
    if (c->num_samples != c->num_chunks * c->params.samples_per_chunk)
        return false;
    if (c->params.kind == HR__ORDER_SEQUENTIAL)
        return true;
    const uint64_t tick = visit + o->max_delay;
    return !s->whole && tick < s->tail_tick && tick >= o->shape.window / 2;
}

/* The bound of every visit, and the rows between it and the first batch that is incomplete then. */
static void check_last_batch(const struct laid_out *l, const struct order_case *c,
                             uint32_t stream) {
    const uint64_t B = stream_batch(c), num_visits = hr__order_epoch_visits(l->epoch, stream);
    const uint64_t nb = hr__order_num_batches(l->order);
    uint64_t *highest = calloc((size_t)num_visits, sizeof(uint64_t));
    assert_non_null(highest);
    for (uint64_t p = 0; p < hr__order_epoch_samples(l->epoch, stream); p++)
        highest[l->visit_at[p]] = p / B; /* positions ascend */
    uint64_t so_far = 0, before = 0, incomplete = 0;
    for (uint64_t v = 0; v < num_visits; v++) {
        so_far = highest[v] > so_far ? highest[v] : so_far;
        const uint64_t bound = hr__order_visit_last_batch(l->epoch, stream, v);
        assert_true(bound >= so_far && bound >= before && bound < nb);
        if (is_bound_exact(l, c, stream, v))
            assert_int_equal(bound, so_far);
        for (uint64_t first, last; incomplete < nb; incomplete++) {
            hr__order_batch_visits(l->epoch, stream, incomplete, &first, &last);
            if (last >= v)
                break;
        }
        const uint64_t live = bound + 1 > incomplete ? (bound + 1 - incomplete) * B : 0;
        assert_true(live <= hr__order_live_rows(l->order, stream, 1) + 2 * B);
        before = bound;
    }
    free(highest);
}

static void each_case(void (*check)(struct laid_out *l, const struct order_case *c)) {
    uint32_t made = 0, ascending = 0;
    for (uint64_t k = 0; k < NUM_CASES; k++) {
        struct order_case c;
        struct laid_out l;
        case_make(&c, k);
        if (!lay_out_open(&l, &c))
            continue;
        check(&l, &c);
        ascending += c.params.kind == HR__ORDER_INTERLEAVED ? l.num_ascending : 0;
        lay_out_close(&l);
        made++;
    }
    assert_true(made > NUM_CASES / 2);
    assert_true(ascending > 100); /* the short way is not left out */
}

static void check_case(struct laid_out *l, const struct order_case *c) {
    uint8_t *chunk_seen = calloc((size_t)c->num_chunks, 1);
    assert_non_null(chunk_seen);
    uint64_t sum = 0;
    for (uint32_t s = 0; s < c->params.num_streams; s++) {
        lay_out_stream(l, c, s, chunk_seen);
        check_counts(l, c, s);
        check_repeats(l, c, s);
        check_inverse(l, s);
        check_batch_visits(l, c, s);
        check_last_batch(l, c, s);
        sum += l->num_samples;
    }
    assert_int_equal(sum, c->num_samples);
    free(chunk_seen);
}

static void order__any_parameters__every_sample_once_and_formulas_hold(void **state) {
    (void)state;
    each_case(check_case);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(order__any_parameters__every_sample_once_and_formulas_hold),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
