#include "mixing_places.h"

#include "error.h"

#include <math.h>
#include <stdlib.h>

#define CELL_ROOT 8u

struct places {
    uint32_t *samples;   /* of an epoch */
    uint32_t *places[2]; /* the inverse, of epochs 0 and 1 */
    uint32_t (*tables)[MIXING_PROBES][MIXING_CELLS];
};

static hr_status places_init(struct places *p, uint32_t n, hr_error *err) {
    p->samples = malloc(n * sizeof(uint32_t));
    p->places[0] = malloc(n * sizeof(uint32_t));
    p->places[1] = malloc(n * sizeof(uint32_t));
    p->tables = calloc(MIXING_NUM_TESTS, sizeof *p->tables);
    if (p->samples == NULL || p->places[0] == NULL || p->places[1] == NULL || p->tables == NULL)
        return hr__error_set(err, HR_ERR_NO_MEMORY, "no memory for the places of %u samples", n);
    return HR_OK;
}

static void places_free(struct places *p) {
    free(p->samples);
    free(p->places[0]);
    free(p->places[1]);
    free(p->tables);
}

static hr_status epoch_places(struct places *p, const struct visit_order *order,
                              const struct visit_data *data, uint64_t seed, uint32_t epoch,
                              hr_error *err) {
    const hr_status st = visit_order_fill(order, data, seed, epoch, p->samples, err);
    for (uint32_t i = 0; st == HR_OK && i < data->num_samples; i++)
        p->places[epoch][p->samples[i]] = i;
    return st;
}

static uint32_t part(uint32_t place, uint32_t parts, uint32_t n) {
    return (uint32_t)((uint64_t)place * parts / n);
}

static void probe_count(struct places *p, const struct visit_data *data, uint32_t probe) {
    const uint32_t n = data->num_samples, B = data->batch_samples, S = data->samples_per_chunk;
    const uint32_t sample = (uint32_t)((uint64_t)n * probe / MIXING_PROBES) + probe * 37 % S;
    const uint32_t next_chunk = (sample + S) % n;
    const uint32_t here = p->places[0][sample];
    const uint32_t coarse = part(here, CELL_ROOT, n) * CELL_ROOT;
    p->tables[MIXING_PLACE][probe][part(here, MIXING_CELLS, n)]++;
    p->tables[MIXING_ROW][probe][part(here % B, MIXING_CELLS, B)]++;
    p->tables[MIXING_NEXT_EPOCH][probe][coarse + part(p->places[1][sample], CELL_ROOT, n)]++;
    p->tables[MIXING_NEIGHBOUR][probe][coarse + part(p->places[0][next_chunk], CELL_ROOT, n)]++;
}

static struct mixing_chi_square chi_square(uint32_t tables[MIXING_PROBES][MIXING_CELLS],
                                           uint32_t num_seeds) {
    const double expected = (double)num_seeds / MIXING_CELLS;
    const double degrees = MIXING_PROBES * (MIXING_CELLS - 1.0);
    double sum = 0;
    for (uint32_t i = 0; i < MIXING_PROBES; i++)
        for (uint32_t k = 0; k < MIXING_CELLS; k++)
            sum += (tables[i][k] - expected) * (tables[i][k] - expected) / expected;
    return (struct mixing_chi_square){sum / degrees, (sum - degrees) / sqrt(2 * degrees)};
}

hr_status mixing_places_test(const struct visit_order *order, const struct visit_data *data,
                             uint32_t num_seeds, struct mixing_chi_square out[MIXING_NUM_TESTS],
                             hr_error *err) {
    const uint32_t n = data->num_samples;
    struct places p = {0};
    hr_status st = HR_OK;
    if (n % MIXING_CELLS != 0 || data->batch_samples % MIXING_CELLS != 0 ||
        n / MIXING_PROBES < data->samples_per_chunk)
        return hr__error_set(err, HR_ERR_INVALID, "%u samples in batches of %u: cells of %u", n,
                             data->batch_samples, MIXING_CELLS);
    HR_TRY(places_init(&p, n, err));
    for (uint32_t seed = 1; seed <= num_seeds; seed++) {
        HR_TRY(epoch_places(&p, order, data, seed, 0, err));
        HR_TRY(epoch_places(&p, order, data, seed, 1, err));
        for (uint32_t probe = 0; probe < MIXING_PROBES; probe++)
            probe_count(&p, data, probe);
    }
    for (uint32_t t = 0; t < MIXING_NUM_TESTS; t++)
        out[t] = chi_square(p.tables[t], num_seeds);
done:
    places_free(&p);
    return st;
}
