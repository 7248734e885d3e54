#include "visit_order.h"

#include "error.h"
#include "order.h"

#include <stdlib.h>

#define BUDGET_BYTES (UINT64_C(1) << 30)

/* SplitMix64. */
static uint64_t visit_random(uint64_t *state) {
    uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

uint32_t visit_random_below(uint64_t *state, uint32_t n) {
    return (uint32_t)((double)(visit_random(state) >> 11) * 0x1p-53 * n);
}

static void list_shuffle(uint32_t *list, uint32_t n, uint64_t *random) {
    for (uint32_t i = n; i > 1; i--) {
        const uint32_t j = visit_random_below(random, i), kept = list[i - 1];
        list[i - 1] = list[j];
        list[j] = kept;
    }
}

static void list_count(uint32_t *list, uint32_t n) {
    for (uint32_t i = 0; i < n; i++)
        list[i] = i;
}

/* Samples chunk by chunk, the chunks in random order. */
static hr_status chunks_shuffle(const struct visit_data *data, uint64_t *random, uint32_t *samples,
                                hr_error *err) {
    const uint32_t S = data->samples_per_chunk, C = (data->num_samples - 1) / S + 1;
    uint32_t *chunks = malloc(C * sizeof *chunks), place = 0;
    if (chunks == NULL)
        return hr__error_set(err, HR_ERR_NO_MEMORY, "no memory for %u chunks", C);
    list_count(chunks, C);
    list_shuffle(chunks, C, random);
    for (uint32_t c = 0; c < C; c++) {
        const uint32_t first = chunks[c] * S;
        for (uint32_t i = first; i - first < S && i < data->num_samples; i++)
            samples[place++] = i;
    }
    free(chunks);
    return HR_OK;
}

/* What comes in takes the place of what goes out; the list is used for both. */
static hr_status buffer_pass(uint32_t room, uint32_t n, uint64_t *random, uint32_t *samples,
                             hr_error *err) {
    room = room < n ? room : n;
    uint32_t *held = malloc(room * sizeof *held), out = 0;
    if (held == NULL)
        return hr__error_set(err, HR_ERR_NO_MEMORY, "no memory for a buffer of %u samples", room);
    for (uint32_t i = 0; i < room; i++)
        held[i] = samples[i];
    for (uint32_t in = room; in < n; in++) {
        const uint32_t j = visit_random_below(random, room), arrived = samples[in];
        samples[out++] = held[j];
        held[j] = arrived;
    }
    list_shuffle(held, room, random);
    for (uint32_t i = 0; i < room; i++)
        samples[out++] = held[i];
    free(held);
    return HR_OK;
}

static void windows_shuffle(uint32_t room, uint32_t n, uint64_t *random, uint32_t *samples) {
    for (uint32_t first = 0; first < n; first += room)
        list_shuffle(samples + first, room < n - first ? room : n - first, random);
}

static struct hr__order_params interleaved_params(const struct visit_data *data, uint32_t window,
                                                  uint64_t seed, const struct hr__segment *all) {
    return (struct hr__order_params){.kind = HR__ORDER_INTERLEAVED,
                                     .segments = all,
                                     .num_segments = 1,
                                     .samples_per_chunk = data->samples_per_chunk,
                                     .batch_samples = data->batch_samples,
                                     .num_streams = 1,
                                     .window_visits = window,
                                     .seed = seed};
}

static struct hr__segment one_segment(const struct visit_data *data) {
    return (struct hr__segment){.num_chunks = (data->num_samples - 1) / data->samples_per_chunk + 1,
                                .num_samples = data->num_samples};
}

static hr_status interleave(const struct visit_data *data, uint32_t window, uint64_t seed,
                            uint64_t epoch, uint32_t *samples, hr_error *err) {
    const struct hr__segment all = one_segment(data);
    const struct hr__order_params params = interleaved_params(data, window, seed, &all);
    struct hr__budget budget;
    struct hr__order *order = NULL;
    struct hr__order_epoch *visits = NULL;
    uint64_t *positions = malloc(data->samples_per_chunk * sizeof *positions);
    hr_status st = HR_OK;
    hr__budget_init(&budget, BUDGET_BYTES);
    if (positions == NULL)
        HR_TRY(hr__error_set(err, HR_ERR_NO_MEMORY, "no memory for the samples of a chunk"));
    HR_TRY(hr__order_make(&params, &budget, &order, err));
    HR_TRY(hr__order_epoch_make(order, epoch, 0, 1, &budget, &visits, err));
    for (uint64_t v = 0; v < all.num_chunks; v++) {
        const uint64_t first = hr__order_visit_chunk(visits, 0, v) * data->samples_per_chunk;
        const uint32_t n = hr__order_visit_positions(visits, 0, v, positions);
        for (uint32_t r = 0; r < n; r++)
            samples[positions[r]] = (uint32_t)first + r;
    }
done:
    hr__order_epoch_free(visits);
    hr__order_free(order);
    free(positions);
    return st;
}

/* The generator of one epoch: neighbouring seeds and epochs are not neighbouring streams. */
static uint64_t epoch_random(uint64_t seed, uint64_t epoch) {
    uint64_t state = seed;
    state = visit_random(&state) + epoch;
    return visit_random(&state);
}

hr_status visit_order_fill(const struct visit_order *order, const struct visit_data *data,
                           uint64_t seed, uint64_t epoch, uint32_t *samples, hr_error *err) {
    const uint32_t n = data->num_samples, S = data->samples_per_chunk;
    const uint64_t room = (uint64_t)order->memory_chunks * S;
    const enum visit_order_kind kind = order->kind;
    uint64_t random = epoch_random(seed, epoch);
    hr_status st = HR_OK;
    if (n == 0 || S == 0 || S > UINT32_MAX - n || room > UINT32_MAX - n)
        return hr__error_set(err, HR_ERR_INVALID, "%u samples, %u in a chunk, %u chunks in memory",
                             n, S, order->memory_chunks);
    if (kind == VISIT_INTERLEAVED)
        return interleave(data, order->memory_chunks, seed, epoch, samples, err);
    if (room == 0 && kind != VISIT_PERMUTATION && kind != VISIT_SEQUENTIAL)
        return hr__error_set(err, HR_ERR_INVALID, "a memory of no chunk");
    list_count(samples, n);
    if (kind == VISIT_PERMUTATION)
        list_shuffle(samples, n, &random);
    if (kind == VISIT_BUFFER || kind == VISIT_WINDOWS)
        HR_TRY(chunks_shuffle(data, &random, samples, err));
    if (kind == VISIT_WINDOWS)
        windows_shuffle((uint32_t)room, n, &random, samples);
    if (kind == VISIT_BUFFER || kind == VISIT_FILE_BUFFER)
        HR_TRY(buffer_pass((uint32_t)room, n, &random, samples, err));
done:
    return st;
}

hr_status visit_stated_inflation(const struct visit_data *data, uint32_t memory_chunks, double *out,
                                 hr_error *err) {
    const struct hr__segment all = one_segment(data);
    const struct hr__order_params params = interleaved_params(data, memory_chunks, 0, &all);
    struct hr__budget budget;
    struct hr__order *order = NULL;
    hr_status st = HR_OK;
    hr__budget_init(&budget, BUDGET_BYTES);
    HR_TRY(hr__order_make(&params, &budget, &order, err));
    *out = hr__order_inflation(order);
done:
    hr__order_free(order);
    return st;
}
