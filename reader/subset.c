/*
 * Subsets: how they are kept, and what is found in them. Indices are checked before they get
 * here.
 */
#include "subset.h"

#include "bytes.h"
#include "checked.h"
#include "error.h"

#include <stdlib.h>
#include <string.h>

#define WORD_BITS 64u

static hr_status subset_make(const hr_dataset *ds, uint64_t num_samples, uint64_t limit_bytes,
                             hr_subset **out, hr_error *err) {
    const struct hr__footer *f = &ds->footer;
    const uint32_t S = f->schema.samples_per_chunk;
    hr_subset *s = calloc(1, sizeof(*s));
    if (s == NULL)
        return hr__error_no_memory(err, sizeof(*s), "a subset");
    atomic_init(&s->refs, 1);
    memcpy(s->uuid, f->uuid, sizeof(s->uuid));
    s->commit_seq = f->commit_seq;
    s->dataset_samples = f->num_samples;
    s->samples_per_chunk = S;
    s->num_samples = num_samples;
    s->num_segments = 1;
    s->num_chunks = hr__ceil_div(num_samples, S);
    s->segments[0] = (struct hr__segment){.num_chunks = s->num_chunks, .num_samples = num_samples};
    hr__budget_init(&s->budget, limit_bytes);
    *out = s;
    return HR_OK;
}

hr_subset *hr__subset_retain(hr_subset *s) {
    atomic_fetch_add(&s->refs, 1);
    return s;
}

void hr_subset_free(hr_subset *s) {
    if (s == NULL || atomic_fetch_sub(&s->refs, 1) > 1)
        return;
    free(s->list);
    free(s->bits);
    hr__budget_close(&s->budget);
    free(s);
}

/* ---- making ---- */

/* Three integers of the hash for each progression. */
static void progression_end(struct hr__subset_maker *m) {
    uint8_t bytes[24];
    hr__put_u64(bytes, m->first);
    hr__put_u64(bytes + 8, m->step);
    hr__put_u64(bytes + 16, m->run);
    hr__hash_stream_add(&m->hash, bytes, sizeof(bytes));
    m->num_progressions++;
}

static hr_status memory_make(hr_subset *s, hr_error *err) {
    const uint64_t words = hr__ceil_div(s->dataset_samples, WORD_BITS);
    const uint64_t ranks = hr__ceil_div(words, HR__RANK_WORDS) + 1;
    const bool list = s->num_samples < words;
    s->kind = list ? HR__SUBSET_LIST : HR__SUBSET_BITS;
    s->memory_bytes = 8 * (list ? s->num_samples : words + ranks); /* below 2^62 */
    hr_status st;
    uint64_t *memory = hr__budget_take(&s->budget, s->memory_bytes, "a subset", &st, err);
    if (memory == NULL)
        return st;
    if (list) {
        s->list = memory;
        return HR_OK;
    }
    s->bits = memory;
    s->ranks = memory + words;
    s->num_words = words;
    return HR_OK;
}

hr_status hr__subset_begin(const hr_dataset *ds, uint64_t num_samples, uint64_t limit_bytes,
                           struct hr__subset_maker *m, hr_error *err) {
    hr_status st;
    hr_error local = {0};
    err = err != NULL ? err : &local; /* the allocation's status is needed */
    *m = (struct hr__subset_maker){.ds = ds};
    HR_TRY(subset_make(ds, num_samples, limit_bytes, &m->subset, err));
    HR_TRY(memory_make(m->subset, err));
    HR_TRY(hr__hash_stream_open(&m->hash, err));
    return HR_OK;
done:
    hr__subset_abandon(m);
    return st;
}

void hr__subset_add(struct hr__subset_maker *m, uint64_t index) {
    hr_subset *s = m->subset;
    if (s->kind == HR__SUBSET_LIST)
        s->list[m->count] = index;
    else
        s->bits[index / WORD_BITS] |= UINT64_C(1) << index % WORD_BITS;
    m->count++;
    if (m->run == 1)
        m->step = index - m->first;
    if (m->run > 0 && index - m->first == m->run * m->step) {
        m->run++;
        return;
    }
    if (m->run > 0)
        progression_end(m);
    m->first = index;
    m->step = 0;
    m->run = 1;
}

static void count_ranks(hr_subset *s) {
    uint64_t sum = 0;
    for (uint64_t w = 0; w < s->num_words; w++) {
        if (w % HR__RANK_WORDS == 0)
            s->ranks[w / HR__RANK_WORDS] = sum;
        sum += (uint64_t)__builtin_popcountll(s->bits[w]);
    }
    s->ranks[hr__ceil_div(s->num_words, HR__RANK_WORDS)] = sum;
}

/* Consecutive indices: the first virtual chunk ends where the first chunk does. */
static void align_chunks(hr_subset *s, const hr_dataset *ds) {
    const struct hr__footer *f = &ds->footer;
    const uint32_t S = s->samples_per_chunk;
    uint64_t chunk, first_index;
    uint32_t place, num_samples;
    hr__segment_locate(f->segments, f->num_segments, S, s->first, &chunk, &place);
    hr__segment_chunk(f->segments, f->num_segments, S, chunk, &first_index, &num_samples);
    const uint64_t held = num_samples - place, rest = s->num_samples - held;
    if (held >= S || held >= s->num_samples)
        return;
    s->num_segments = 2;
    s->segments[0] = (struct hr__segment){.num_chunks = 1, .num_samples = held};
    s->segments[1] = (struct hr__segment){1, hr__ceil_div(rest, S), held, rest};
    s->num_chunks = 1 + s->segments[1].num_chunks;
}

/* What a single progression needs no memory for. */
static void become_range(struct hr__subset_maker *m) {
    hr_subset *s = m->subset;
    hr__budget_free(&s->budget, s->kind == HR__SUBSET_LIST ? s->list : s->bits,
                    (size_t)s->memory_bytes);
    s->list = s->bits = s->ranks = NULL;
    s->memory_bytes = s->num_words = 0;
    s->kind = HR__SUBSET_RANGE;
    s->first = m->first;
    s->step = m->step;
    if (s->step == 1)
        align_chunks(s, m->ds);
}

hr_subset *hr__subset_finish(struct hr__subset_maker *m) {
    hr_subset *s = m->subset;
    progression_end(m);
    s->hash = hr__hash_stream_value(&m->hash);
    if (m->num_progressions == 1)
        become_range(m);
    else if (s->kind == HR__SUBSET_BITS)
        count_ranks(s);
    m->subset = NULL;
    hr__subset_abandon(m);
    return s;
}

void hr__subset_abandon(struct hr__subset_maker *m) {
    hr_subset_free(m->subset);
    hr__hash_stream_close(&m->hash);
    m->subset = NULL;
}

hr_status hr__subset_range(const hr_dataset *ds, uint64_t first, uint64_t step,
                           uint64_t num_samples, hr_subset **out, hr_error *err) {
    struct hr__subset_maker m = {.ds = ds, .first = first, .step = num_samples > 1 ? step : 0};
    hr_status st;
    m.run = num_samples;
    HR_TRY(subset_make(ds, num_samples, 0, &m.subset, err));
    HR_TRY(hr__hash_stream_open(&m.hash, err));
    m.subset->kind = HR__SUBSET_RANGE;
    *out = hr__subset_finish(&m);
    return HR_OK;
done:
    hr__subset_abandon(&m);
    return st;
}

hr_status hr__subset_check(const hr_subset *s, const hr_dataset *ds, hr_error *err) {
    const struct hr__footer *f = &ds->footer;
    if (memcmp(s->uuid, f->uuid, sizeof(s->uuid)) != 0)
        return hr__error_set(err, HR_ERR_MISMATCH,
                             "the subset was made of another data set (another UUID); make it of "
                             "this one");
    if (s->commit_seq != f->commit_seq || s->dataset_samples != f->num_samples)
        return hr__error_set(err, HR_ERR_MISMATCH,
                             "the subset was made of commit %llu with %llu samples, this data set "
                             "is commit %llu with %llu; make it anew",
                             (unsigned long long)s->commit_seq,
                             (unsigned long long)s->dataset_samples,
                             (unsigned long long)f->commit_seq, (unsigned long long)f->num_samples);
    return HR_OK;
}

/* ---- finding ---- */

void hr__subset_chunk(const hr_subset *s, uint64_t chunk, uint64_t *first, uint32_t *num_samples) {
    hr__segment_chunk(s->segments, s->num_segments, s->samples_per_chunk, chunk, first,
                      num_samples);
}

/* The last block of words whose rank is at most number. */
static uint64_t block_of(const hr_subset *s, uint64_t number) {
    uint64_t low = 0, high = hr__ceil_div(s->num_words, HR__RANK_WORDS) - 1;
    while (low < high) {
        const uint64_t middle = high - (high - low) / 2;
        if (s->ranks[middle] <= number)
            low = middle;
        else
            high = middle - 1;
    }
    return low;
}

static uint64_t bits_index(const hr_subset *s, uint64_t number) {
    const uint64_t block = block_of(s, number);
    uint64_t w = block * HR__RANK_WORDS, left = number - s->ranks[block];
    for (uint64_t n; (n = (uint64_t)__builtin_popcountll(s->bits[w])) <= left; w++)
        left -= n;
    uint64_t word = s->bits[w];
    for (; left > 0; left--)
        word &= word - 1;
    return w * WORD_BITS + (uint64_t)__builtin_ctzll(word);
}

uint64_t hr__subset_index(const hr_subset *s, uint64_t number) {
    if (s->kind == HR__SUBSET_RANGE)
        return s->first + number * s->step;
    return s->kind == HR__SUBSET_LIST ? s->list[number] : bits_index(s, number);
}

static uint64_t bits_rank(const hr_subset *s, uint64_t index) {
    const uint64_t end = index / WORD_BITS, rest = index % WORD_BITS;
    uint64_t w = end / HR__RANK_WORDS * HR__RANK_WORDS, n = s->ranks[end / HR__RANK_WORDS];
    for (; w < end; w++)
        n += (uint64_t)__builtin_popcountll(s->bits[w]);
    if (rest > 0)
        n += (uint64_t)__builtin_popcountll(s->bits[end] << (WORD_BITS - rest));
    return n;
}

static uint64_t list_rank(const hr_subset *s, uint64_t index) {
    uint64_t low = 0, high = s->num_samples;
    while (low < high) {
        const uint64_t middle = low + (high - low) / 2;
        if (s->list[middle] < index)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

uint64_t hr__subset_rank(const hr_subset *s, uint64_t index) {
    if (index >= s->dataset_samples)
        return s->num_samples;
    if (s->kind == HR__SUBSET_LIST)
        return list_rank(s, index);
    if (s->kind == HR__SUBSET_BITS)
        return bits_rank(s, index);
    if (index <= s->first || s->step == 0)
        return index > s->first;
    return hr__min_u64(s->num_samples, hr__ceil_div(index - s->first, s->step));
}

/* Bits from `index` on, itself the first. */
static uint32_t bits_run(const hr_subset *s, uint64_t index, uint64_t end_index, uint32_t most,
                         uint64_t base, uint16_t *out) {
    uint64_t w = index / WORD_BITS;
    uint64_t word = s->bits[w] & ~UINT64_C(0) << index % WORD_BITS;
    for (uint32_t n = 0;;) {
        for (; word != 0; word &= word - 1) {
            const uint64_t found = w * WORD_BITS + (uint64_t)__builtin_ctzll(word);
            if (found >= end_index || n == most)
                return n;
            out[n++] = (uint16_t)(found - base);
        }
        if (++w == s->num_words || n == most || w * WORD_BITS >= end_index)
            return n;
        word = s->bits[w];
    }
}

uint32_t hr__subset_run(const hr_subset *s, uint64_t number, uint64_t index, uint64_t end_index,
                        uint32_t most, uint64_t base, uint16_t *out) {
    uint32_t n = 0;
    if (s->kind == HR__SUBSET_BITS)
        return bits_run(s, index, end_index, most, base, out);
    if (s->kind == HR__SUBSET_LIST) {
        for (; n < most && s->list[number + n] < end_index; n++)
            out[n] = (uint16_t)(s->list[number + n] - base);
        return n;
    }
    for (; n < most && index < end_index; n++, index += s->step)
        out[n] = (uint16_t)(index - base);
    return n;
}

void hr__subset_list(const hr_subset *s, uint64_t first, uint64_t count, uint64_t *out) {
    if (s->kind != HR__SUBSET_BITS) {
        for (uint64_t n = 0; n < count; n++)
            out[n] = hr__subset_index(s, first + n);
        return;
    }
    uint64_t index = count > 0 ? bits_index(s, first) : 0, w = index / WORD_BITS;
    uint64_t word = s->bits[w] & ~UINT64_C(0) << index % WORD_BITS;
    for (uint64_t n = 0; n < count; word &= word - 1) {
        while (word == 0)
            word = s->bits[++w];
        out[n++] = w * WORD_BITS + (uint64_t)__builtin_ctzll(word);
    }
}
