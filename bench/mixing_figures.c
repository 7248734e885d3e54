#include "mixing_figures.h"

#include "error.h"

#include <stdlib.h>
#include <string.h>

hr_status mixing_desk_init(struct mixing_desk *desk, const struct visit_data *data, hr_error *err) {
    const uint32_t n = data->num_samples, num_batches = n / data->batch_samples;
    *desk = (struct mixing_desk){.data = *data, .num_batches = num_batches};
    desk->epochs[0] = malloc(n * sizeof(uint32_t));
    desk->epochs[1] = malloc(n * sizeof(uint32_t));
    desk->batch_of = malloc(n * sizeof(uint32_t));
    desk->counts = malloc((size_t)num_batches * MIXING_MANY_CLASSES * sizeof(uint32_t));
    desk->seen = calloc(num_batches + 1, sizeof(uint32_t));
    if (desk->epochs[0] == NULL || desk->epochs[1] == NULL || desk->batch_of == NULL ||
        desk->counts == NULL || desk->seen == NULL)
        return hr__error_set(err, HR_ERR_NO_MEMORY, "no memory for the lists of %u samples", n);
    return HR_OK;
}

void mixing_desk_free(struct mixing_desk *desk) {
    free(desk->epochs[0]);
    free(desk->epochs[1]);
    free(desk->batch_of);
    free(desk->counts);
    free(desk->seen);
}

static void count_classes(struct mixing_desk *desk, uint32_t num_classes) {
    const uint32_t B = desk->data.batch_samples;
    memset(desk->counts, 0, (size_t)desk->num_batches * num_classes * sizeof(uint32_t));
    for (uint32_t b = 0; b < desk->num_batches; b++) {
        uint32_t *counts = desk->counts + (size_t)b * num_classes;
        for (uint32_t i = 0; i < B; i++) {
            const uint64_t sample = desk->epochs[0][b * B + i];
            counts[sample * num_classes / desk->data.num_samples]++;
        }
    }
}

/* Share of the samples that are of a class. */
static double class_share(const struct mixing_desk *desk, uint32_t num_classes, uint32_t class) {
    const uint64_t n = desk->data.num_samples;
    const uint64_t first = (class * n + num_classes - 1) / num_classes;
    const uint64_t end = ((class + 1) * n + num_classes - 1) / num_classes;
    return (double)(end - first) / (double)n;
}

/* Inflation of batches first .. end - 1, each `together` taken as one. */
static double inflation(const struct mixing_desk *desk, uint32_t num_classes, uint32_t first,
                        uint32_t end, uint32_t together) {
    const double n = desk->data.num_samples, taken = (double)desk->data.batch_samples * together;
    double sum = 0;
    uint32_t terms = 0;
    for (uint32_t k = 0; k < num_classes; k++) {
        const double share = class_share(desk, num_classes, k), expected = taken * share;
        const double variance = expected * (1 - share) * (n - taken) / (n - 1);
        for (uint32_t b = first; b + together <= end; b += together, terms++) {
            uint32_t count = 0;
            for (uint32_t i = b; i < b + together; i++)
                count += desk->counts[(size_t)i * num_classes + k];
            sum += (count - expected) * (count - expected) / variance;
        }
    }
    return sum / terms;
}

static double correlation(const struct mixing_desk *desk, uint32_t first, uint32_t end,
                          uint32_t lag) {
    double product = 0, square = 0;
    uint32_t products = 0, squares = 0;
    for (uint32_t k = 0; k < MIXING_FEW_CLASSES; k++) {
        const double expected = desk->data.batch_samples * class_share(desk, MIXING_FEW_CLASSES, k);
        const uint32_t *counts = desk->counts + k;
        for (uint32_t b = first; b < end; b++, squares++) {
            const double here = counts[(size_t)b * MIXING_FEW_CLASSES] - expected;
            square += here * here;
            if (b + lag >= end)
                continue;
            product += here * (counts[(size_t)(b + lag) * MIXING_FEW_CLASSES] - expected);
            products++;
        }
    }
    return product / products / (square / squares);
}

static double pairs_kept(struct mixing_desk *desk) {
    const uint32_t n = desk->data.num_samples, B = desk->data.batch_samples;
    for (uint32_t p = 0; p < n; p++)
        desk->batch_of[desk->epochs[0][p]] = p / B;
    uint64_t kept = 0;
    for (uint32_t b = 0; b < desk->num_batches; b++) {
        const uint32_t *samples = desk->epochs[1] + (size_t)b * B;
        for (uint32_t i = 0; i < B; i++)
            kept += desk->seen[desk->batch_of[samples[i]]]++;
        for (uint32_t i = 0; i < B; i++)
            desk->seen[desk->batch_of[samples[i]]] = 0;
    }
    const double pairs = 0.5 * desk->num_batches * B * (B - 1.0);
    return (double)kept / (pairs * (B - 1.0) / (n - 1.0));
}

hr_status mixing_measure(struct mixing_desk *desk, const struct visit_order *order,
                         uint32_t edge_batches, uint64_t seed, struct mixing_figures *out,
                         hr_error *err) {
    const uint32_t first = edge_batches, end = desk->num_batches - edge_batches;
    hr_status st = HR_OK;
    if (edge_batches > desk->num_batches / 2 || end - first < MIXING_LEAST_BATCHES)
        return hr__error_set(err, HR_ERR_INVALID, "%u batches less two times %u: fewer than %u",
                             desk->num_batches, edge_batches, MIXING_LEAST_BATCHES);
    HR_TRY(visit_order_fill(order, &desk->data, seed, 0, desk->epochs[0], err));
    HR_TRY(visit_order_fill(order, &desk->data, seed, 1, desk->epochs[1], err));
    out->pairs_kept = pairs_kept(desk);
    count_classes(desk, MIXING_MANY_CLASSES);
    out->many_classes = inflation(desk, MIXING_MANY_CLASSES, first, end, 1);
    count_classes(desk, MIXING_FEW_CLASSES);
    for (uint32_t i = 0; i < MIXING_NUM_SUMS; i++)
        out->sums[i] = inflation(desk, MIXING_FEW_CLASSES, first, end, 1u << 2 * i);
    for (uint32_t i = 0; i < MIXING_NUM_LAGS; i++)
        out->correlation[i] = correlation(desk, first, end, 1u << i);
    for (uint32_t i = 0; i < MIXING_NUM_ENDS; i++) {
        const uint32_t near = i == 0 ? 0 : 1u << (i - 1), far = 1u << i, last = desk->num_batches;
        out->begin[i] = inflation(desk, MIXING_FEW_CLASSES, near, far, 1);
        out->end[i] = inflation(desk, MIXING_FEW_CLASSES, last - far, last - near, 1);
    }
done:
    return st;
}
