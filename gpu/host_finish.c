/*
 * Finishing on the host: the twin of the CUDA kernels. Values are untrusted bits; the plan is ours.
 *
 * Work goes block by block: a block is cast into its place, or into a buffer that stays in the
 * cache and from there into the planes, and is checked while it is there.
 */
#include "finish.h"

#include "checked.h"
#include "finish_elements.h"
#include "host_finish_block.h"

#define BLOCK_ELEMENTS 1024u

/* Scales and shifts for a block that begins with channel 0, as long as whole pixels fit a block;
 * otherwise of the neutral ones only. */
struct tables {
    float scale[BLOCK_ELEMENTS], shift[BLOCK_ELEMENTS];
};

/* A pass over samples of one field. */
struct pass {
    const struct hr__finish *f;
    const struct hr__finish_loops *loops;
    struct tables tables;
    uint8_t block[BLOCK_ELEMENTS * sizeof(uint32_t)];
    uint32_t unit; /* elements after which scales and shifts repeat */
    bool casts;
};

bool hr__finish_converts(hr_dtype from, hr_dtype to) {
    bool source = from == HR_UINT8 || from == HR_INT16 || from == HR_FLOAT16 ||
                  from == HR_FLOAT32 || from == HR_FLOAT64;
    return source && (to == HR_FLOAT16 || to == HR_BFLOAT16 || to == HR_FLOAT32);
}

bool hr__finish_moves(uint32_t element_bytes) {
    return element_bytes == 1 || element_bytes == 2 || element_bytes == 4 || element_bytes == 8;
}

void hr__finish_bad_add(struct hr__finish_bad *sum, const struct hr__finish_bad *part,
                        uint64_t first_row) {
    sum->num_nan += part->num_nan;
    sum->num_inf += part->num_inf;
    if (part->first_row != UINT64_MAX)
        sum->first_row = hr__min_u64(sum->first_row, first_row + part->first_row);
}

static void tables_fill(struct pass *p, uint64_t num_elements) {
    const struct hr__finish *f = p->f;
    const bool repeats = f->channels <= BLOCK_ELEMENTS;
    const uint32_t n = (uint32_t)hr__min_u64(num_elements, BLOCK_ELEMENTS);
    for (uint32_t i = 0, c = 0; i < n; i++) {
        p->tables.scale[i] = repeats && f->scale != NULL ? f->scale[c] : HR__NO_SCALE;
        p->tables.shift[i] = repeats && f->shift != NULL ? f->shift[c] : HR__NO_SHIFT;
        c = c + 1 < f->channels ? c + 1 : 0;
    }
}

/* Values that begin with `element`, counted from the first sample on. */
static void check(const struct pass *p, const void *values, uint32_t n, uint64_t element,
                  struct hr__finish_bad *bad) {
    const struct hr__finish *f = p->f;
    if (!p->loops->any_bad(f->to, values, n))
        return;
    for (uint32_t i = 0; i < n; i++) {
        const uint64_t magnitude = hr__magnitude(f->to, values, i), inf = hr__infinity(f->to);
        if (magnitude < inf)
            continue;
        bad->num_nan += magnitude > inf;
        bad->num_inf += magnitude == inf;
        bad->first_row = hr__min_u64(bad->first_row, (element + i) / f->sample_elements);
    }
}

/* n values that begin with channel c, and do not reach beyond the last one where whole pixels do
 * not fit a block. */
static void cast_block(const struct pass *p, const uint8_t *src, uint32_t c, uint32_t n,
                       void *dst) {
    const struct hr__finish *f = p->f;
    const bool repeats = f->channels <= BLOCK_ELEMENTS;
    const float *scale = repeats || f->scale == NULL ? p->tables.scale : f->scale + c;
    const float *shift = repeats || f->shift == NULL ? p->tables.shift : f->shift + c;
    p->loops->cast(f->from, f->to, src, scale, shift, n, dst);
}

/* n values of a sample at dst that begin with its element `at`: whole pixels, or a part of one. */
static void to_planes(const struct pass *p, const void *values, uint64_t at, uint32_t n,
                      uint8_t *dst) {
    const struct hr__finish *f = p->f;
    const uint64_t pixel = at / f->channels, c = at % f->channels;
    const bool whole = n >= f->channels;
    dst += (c * f->plane_elements + pixel) * f->to_bytes;
    p->loops->planes(f->to_bytes, values, whole ? n / f->channels : 1, whole ? f->channels : n,
                     f->plane_elements, dst);
}

/* Elements `at` to `end` of what begins at src and goes to dst; `element` is the number of src's
 * first, from the first sample on. */
static void run(struct pass *p, const uint8_t *src, uint64_t element, uint64_t num_elements,
                uint8_t *dst, struct hr__finish_bad *bad) {
    const struct hr__finish *f = p->f;
    const bool planes = hr__finish_transposes(f);
    uint32_t n;
    for (uint64_t at = 0; at < num_elements; at += n) {
        const uint32_t into = (uint32_t)(at % p->unit);
        n = (uint32_t)hr__min_u64(hr__min_u64(p->unit - into, BLOCK_ELEMENTS), num_elements - at);
        const uint8_t *from = src + at * f->from_bytes;
        void *to = planes ? p->block : dst + at * f->to_bytes;
        if (p->casts)
            cast_block(p, from, into, n, to);
        const void *values = p->casts ? to : from;
        if (planes)
            to_planes(p, values, at, n, dst);
        if (f->check_finite)
            check(p, values, n, element + at, bad);
    }
}

static uint32_t unit_of(const struct hr__finish *f) {
    return f->channels <= BLOCK_ELEMENTS ? BLOCK_ELEMENTS / f->channels * f->channels : f->channels;
}

void hr__finish_run(const struct hr__finish *f, const void *src, uint64_t num_samples, void *dst,
                    struct hr__finish_bad *bad) {
    const uint64_t num_elements = num_samples * f->sample_elements;
    struct pass p;
    if (num_elements == 0 || !(hr__finish_writes(f) || f->check_finite))
        return;
    p.f = f;
    p.loops = hr__finish_loops();
    p.unit = unit_of(f);
    p.casts = hr__finish_casts(f);
    if (p.casts)
        tables_fill(&p, num_elements);
    if (!hr__finish_transposes(f)) {
        run(&p, src, 0, num_elements, dst, bad);
        return;
    }
    for (uint64_t s = 0; s < num_samples; s++) {
        const uint64_t element = s * f->sample_elements;
        run(&p, (const uint8_t *)src + element * f->from_bytes, element, f->sample_elements,
            (uint8_t *)dst + element * f->to_bytes, bad);
    }
}
