/*
 * Growth from epoch to epoch. The epochs may come from a record, which is not trusted: sums are of
 * doubles, and nothing is assumed of their order.
 */
#include "epoch_growth.h"

#include <string.h>

#define MEAN_OF    3u              /* last epochs that say how fast it grows */
#define LEAST_RATE (1024.0 * 1024) /* an epoch: less is noise */
#define LEAST_PART 0.002           /* of what is there */

void hr__epochs_note(struct hr__epochs *e, const struct hr__epoch_memory *now) {
    if (e->count > 0 && now->epoch < e->at[e->count - 1].epoch)
        return;
    if (e->count == 0 || now->epoch > e->at[e->count - 1].epoch) {
        if (e->count == HR__MOST_EPOCHS)
            memmove(e->at, e->at + 1, --e->count * sizeof(e->at[0]));
        e->count++;
    }
    e->at[e->count - 1] = *now;
}

static double rest(const struct hr__epoch_memory *m) {
    const double held = (double)m->headrace_bytes, resident = (double)m->resident_bytes;
    return resident > held ? resident - held : 0;
}

/* From the end of one to the end of another, by epochs between. */
static double rate(const struct hr__epochs *e, uint32_t from, uint32_t to) {
    const double epochs = (double)e->at[to].epoch - (double)e->at[from].epoch;
    return epochs > 0 ? (rest(&e->at[to]) - rest(&e->at[from])) / epochs : 0;
}

bool hr__epochs_growth(const struct hr__epochs *e, struct hr__growth *out) {
    if (e->count < 3)
        return false;
    const uint32_t last = e->count - 2; /* that has ended */
    uint32_t first = last > MEAN_OF ? last - MEAN_OF : 0;
    const double mean = rate(e, first, last);
    if (mean < LEAST_RATE || mean < LEAST_PART * rest(&e->at[last]))
        return false;
    while (first > 0 && rate(e, first - 1, first) >= mean / 2)
        first--;
    while (first + 1 < last && rate(e, first, first + 1) < mean / 2)
        first++;
    out->bytes_per_epoch = rate(e, first, last);
    out->first_epoch = e->at[first].epoch + 1;
    return true;
}
