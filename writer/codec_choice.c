/*
 * The rules of codec_choice.h.
 */
#include "codec_choice.h"

#include "schema.h"

#include <float.h>

#define CORES             4.0
#define FLOOR_NS          0.25
#define MARGIN            0.95
#define SIZE_MARGIN       0.99
#define SPEED_SIZE_MARGIN 0.97
#define DECODE_MARGIN     0.80

static double larger(double a, double b) {
    return a > b ? a : b;
}

static double stored_part(const struct hr__candidate *c) {
    return (double)c->stored_bytes / (double)c->decoded_bytes;
}

double hr__candidate_deliver_ns(const struct hr__candidate *c, uint64_t disk_bytes_per_s) {
    const double decode_ns = (double)c->decode_ns / (double)c->decoded_bytes / CORES;
    const double read_ns = stored_part(c) * 1e9 / (double)disk_bytes_per_s;
    return larger(larger(decode_ns, read_ns), FLOOR_NS);
}

double hr__candidate_figure(const struct hr__candidate *c, hr_optimize goal,
                            uint64_t disk_bytes_per_s) {
    const double deliver_ns = hr__candidate_deliver_ns(c, disk_bytes_per_s);
    return goal == HR_OPTIMIZE_SPEED      ? deliver_ns
           : goal == HR_OPTIMIZE_BALANCED ? deliver_ns * stored_part(c)
                                          : stored_part(c);
}

/* Of the candidates of *alive, a bit for each, those near the least of the figures stay. */
static void keep_least(const double *figures, uint32_t n, double margin, uint64_t *alive) {
    double least = DBL_MAX;
    for (uint32_t i = 0; i < n; i++)
        if ((*alive >> i & 1) != 0 && figures[i] < least)
            least = figures[i];
    for (uint32_t i = 0; i < n; i++)
        if (figures[i] * margin > least)
            *alive &= ~(UINT64_C(1) << i);
}

/* All its frames are stored raw. */
static bool saves_nothing(const struct hr__candidate *c) {
    return c->codec != HR__CODEC_RAW && c->stored_bytes >= c->decoded_bytes;
}

static bool is_simpler(const struct hr__candidate *a, const struct hr__candidate *b) {
    if (a->codec != b->codec)
        return a->codec == HR__CODEC_RAW;
    if (a->filter != b->filter)
        return a->filter < b->filter;
    if (a->distance_bytes != b->distance_bytes)
        return a->distance_bytes < b->distance_bytes;
    return a->level < b->level;
}

static const struct hr__candidate *simplest(const struct hr__candidate *c, uint32_t n,
                                            uint64_t alive) {
    const struct hr__candidate *best = NULL;
    for (uint32_t i = 0; i < n; i++)
        if ((alive >> i & 1) != 0 && (best == NULL || is_simpler(&c[i], best)))
            best = &c[i];
    return best;
}

const struct hr__candidate *hr__candidate_choose(const struct hr__candidate *c, uint32_t n,
                                                 hr_optimize goal, uint64_t disk_bytes_per_s) {
    double deliver[HR__MAX_CANDIDATES] = {0};
    double stored[HR__MAX_CANDIDATES] = {0};
    double decode[HR__MAX_CANDIDATES] = {0};
    double product[HR__MAX_CANDIDATES] = {0};
    uint64_t alive = 0;
    for (uint32_t i = 0; i < n; i++) {
        if (c[i].decoded_bytes == 0 || saves_nothing(&c[i]))
            continue;
        alive |= UINT64_C(1) << i;
        deliver[i] = hr__candidate_deliver_ns(&c[i], disk_bytes_per_s);
        stored[i] = stored_part(&c[i]);
        decode[i] = larger((double)c[i].decode_ns / (double)c[i].decoded_bytes, FLOOR_NS);
        product[i] = deliver[i] * stored[i];
    }
    if (alive == 0)
        return simplest(c, n, UINT64_MAX);
    switch (goal) {
    case HR_OPTIMIZE_BALANCED:
        keep_least(product, n, MARGIN, &alive);
        keep_least(deliver, n, MARGIN, &alive);
        break;
    case HR_OPTIMIZE_SIZE:
        keep_least(stored, n, SIZE_MARGIN, &alive);
        keep_least(deliver, n, MARGIN, &alive);
        break;
    default:
        keep_least(deliver, n, MARGIN, &alive);
        keep_least(stored, n, SPEED_SIZE_MARGIN, &alive);
        break;
    }
    keep_least(decode, n, DECODE_MARGIN, &alive);
    return simplest(c, n, alive);
}
