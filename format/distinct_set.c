/*
 * Open addressing with linear probing, at most half full (and one value, before it overflows).
 */
#include "distinct_set.h"

#include "error.h"

#include <stdlib.h>
#include <string.h>

#define FIRST_CAPACITY 64u
#define LAST_CAPACITY  (2 * HR__MAX_DISTINCT)
#define FIRST_RANGES   4u

void hr__distinct_set_free(struct hr__distinct_set *s) {
    free(s->slots);
    free(s->ranges);
    *s = (struct hr__distinct_set){0};
}

void hr__distinct_set_clear(struct hr__distinct_set *s) {
    if (s->count > 0)
        memset(s->slots, 0, s->capacity * sizeof(*s->slots));
    s->count = s->num_ranges = s->in_ranges = 0;
    s->has_zero = s->overflow = false;
}

/* Every bit of the value reaches the low bits of the result (both factors are odd), so labels that
 * differ only in their upper bits spread like others. */
static uint32_t home(uint64_t value, uint32_t capacity) {
    uint64_t h = value;
    h = (h ^ h >> 32) * UINT64_C(0x9e3779b97f4a7c15);
    h = (h ^ h >> 29) * UINT64_C(0xbf58476d1ce4e5b9);
    return (uint32_t)(h >> 32) & (capacity - 1);
}

/* True if the value was new. */
static bool insert(uint64_t *slots, uint32_t capacity, uint64_t value) {
    uint32_t i = home(value, capacity);
    while (slots[i] != 0) {
        if (slots[i] == value)
            return false;
        i = (i + 1) & (capacity - 1);
    }
    slots[i] = value;
    return true;
}

static hr_status grow(struct hr__distinct_set *s, hr_error *err) {
    uint32_t capacity = s->capacity > 0 ? s->capacity * 2 : FIRST_CAPACITY;
    uint64_t *slots = calloc(capacity, sizeof(*slots));
    if (slots == NULL)
        return hr__error_no_memory(err, capacity * sizeof(*slots), "statistics");
    for (uint32_t i = 0; i < s->capacity; i++)
        if (s->slots[i] != 0)
            insert(slots, capacity, s->slots[i]);
    free(s->slots);
    s->slots = slots;
    s->capacity = capacity;
    return HR_OK;
}

uint32_t hr__distinct_set_count(const struct hr__distinct_set *s) {
    return s->overflow ? HR__MAX_DISTINCT : s->count + s->has_zero + s->in_ranges;
}

static hr_status add_one(struct hr__distinct_set *s, uint64_t value, hr_error *err) {
    if (s->overflow)
        return HR_OK;
    if (value == 0) {
        s->overflow = !s->has_zero && s->count == HR__MAX_DISTINCT;
        s->has_zero = true;
        return HR_OK;
    }
    if (s->count * 2 >= s->capacity && s->capacity < LAST_CAPACITY) {
        hr_status st = grow(s, err);
        if (st != HR_OK)
            return st;
    }
    s->count += insert(s->slots, s->capacity, value);
    s->overflow = s->count + s->has_zero > HR__MAX_DISTINCT;
    return HR_OK;
}

/* Adds the values of `from`'s ranges. */
static hr_status add_ranges(struct hr__distinct_set *s, const struct hr__distinct_set *from,
                            hr_error *err) {
    hr_status st = HR_OK;
    for (uint32_t r = 0; r < from->num_ranges; r++)
        for (uint64_t k = 0; k <= from->ranges[r].last - from->ranges[r].first; k++)
            HR_TRY(add_one(s, from->ranges[r].first + k, err));
done:
    return st;
}

/* From ranges to slots. */
static hr_status unpack(struct hr__distinct_set *s, hr_error *err) {
    if (s->num_ranges == 0)
        return HR_OK;
    hr_status st = add_ranges(s, s, err);
    if (st == HR_OK)
        s->num_ranges = s->in_ranges = 0;
    return st;
}

hr_status hr__distinct_set_add_range(struct hr__distinct_set *s, uint64_t first, uint64_t last,
                                     hr_error *err) {
    if (s->overflow || last - first >= HR__MAX_DISTINCT - s->in_ranges) {
        s->overflow = true;
        return HR_OK;
    }
    if (s->num_ranges == s->ranges_room) {
        uint32_t room = s->ranges_room > 0 ? s->ranges_room * 2 : FIRST_RANGES;
        struct hr__value_range *ranges = realloc(s->ranges, room * sizeof(*ranges));
        if (ranges == NULL)
            return hr__error_no_memory(err, room * sizeof(*ranges), "statistics");
        s->ranges = ranges;
        s->ranges_room = room;
    }
    s->ranges[s->num_ranges++] = (struct hr__value_range){first, last};
    s->in_ranges += (uint32_t)(last - first) + 1;
    return HR_OK;
}

hr_status hr__distinct_set_add(struct hr__distinct_set *s, uint64_t value, hr_error *err) {
    hr_status st = unpack(s, err);
    return st == HR_OK ? add_one(s, value, err) : st;
}

hr_status hr__distinct_set_merge(struct hr__distinct_set *a, const struct hr__distinct_set *b,
                                 hr_error *err) {
    hr_status st = unpack(a, err);
    if (st == HR_OK && b->has_zero)
        st = add_one(a, 0, err);
    for (uint32_t i = 0; i < b->capacity && st == HR_OK; i++)
        if (b->slots[i] != 0)
            st = add_one(a, b->slots[i], err);
    if (st == HR_OK)
        st = add_ranges(a, b, err);
    a->overflow = a->overflow || b->overflow;
    return st;
}

static int by_signed(const void *a, const void *b) {
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return x < y ? -1 : x > y;
}

static int by_unsigned(const void *a, const void *b) {
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

void hr__distinct_set_sorted(const struct hr__distinct_set *s, bool is_signed, uint64_t *out) {
    uint32_t n = 0;
    if (s->has_zero)
        out[n++] = 0;
    for (uint32_t i = 0; i < s->capacity; i++)
        if (s->slots[i] != 0)
            out[n++] = s->slots[i];
    for (uint32_t r = 0; r < s->num_ranges; r++)
        for (uint64_t k = 0; k <= s->ranges[r].last - s->ranges[r].first; k++)
            out[n++] = s->ranges[r].first + k;
    qsort(out, n, sizeof(*out), is_signed ? by_signed : by_unsigned);
}
