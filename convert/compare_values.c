/*
 * Elements side by side. Equal stretches, which is nearly all of it as a rule, go by memcmp().
 */
#include "compare_values.h"

#include "checked.h"

#include <string.h>

#define STRETCH_BYTES 4096u

static void keep(struct hr__differences *d, uint64_t sample, uint64_t element, const uint8_t *a,
                 const uint8_t *b, uint32_t width_bytes) {
    d->num_different++;
    if (d->n == d->room)
        return;
    hr_difference *one = &d->list[d->n++];
    uint32_t from = 0;
    while (width_bytes > HR_DIFFERENCE_BYTES && a[from] == b[from])
        from++;
    *one = (hr_difference){.sample = sample, .element = element, .first_byte = from};
    one->a_bytes = one->b_bytes = (uint32_t)hr__min_u64(width_bytes - from, HR_DIFFERENCE_BYTES);
    memcpy(one->a, a + from, one->a_bytes);
    memcpy(one->b, b + from, one->b_bytes);
}

void hr__compare_elements(const uint8_t *a, const uint8_t *b, uint64_t num_elements,
                          uint32_t width_bytes, uint64_t elements_per_sample, uint64_t first,
                          struct hr__differences *out) {
    if (width_bytes == 0)
        return;
    uint64_t stretch = hr__max_u64(STRETCH_BYTES / width_bytes, 1);
    for (uint64_t at = 0; at < num_elements; at += stretch) {
        uint64_t end = at + hr__min_u64(stretch, num_elements - at);
        if (memcmp(a + at * width_bytes, b + at * width_bytes, (end - at) * width_bytes) == 0)
            continue;
        for (uint64_t i = at; i < end; i++)
            if (memcmp(a + i * width_bytes, b + i * width_bytes, width_bytes) != 0)
                keep(out, first + i / elements_per_sample, i % elements_per_sample,
                     a + i * width_bytes, b + i * width_bytes, width_bytes);
    }
}

static bool comes_before(const hr_difference *x, const hr_difference *y) {
    return x->sample != y->sample ? x->sample < y->sample : x->element < y->element;
}

void hr__differences_merge(struct hr__differences *to, const struct hr__differences *from) {
    to->num_different += from->num_different;
    for (uint32_t i = 0; i < from->n; i++) {
        uint32_t at = to->n;
        while (at > 0 && comes_before(&from->list[i], &to->list[at - 1]))
            at--;
        if (at == to->room)
            return;
        uint32_t last = to->n < to->room ? to->n++ : to->n - 1;
        memmove(&to->list[at + 1], &to->list[at], (last - at) * sizeof *to->list);
        to->list[at] = from->list[i];
    }
}
