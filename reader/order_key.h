/*
 * Keys of permutations (docs/order.md, 3).
 */
#ifndef HEADRACE_ORDER_KEY_H
#define HEADRACE_ORDER_KEY_H

#include <stdint.h>

/* What a permutation is for. */
enum hr__order_purpose {
    HR__KEY_CHUNKS = 1,
    HR__KEY_SAMPLES = 2,
    HR__KEY_WHOLE = 3,
    HR__KEY_HEAD = 4,
    HR__KEY_TAIL = 5,
    HR__KEY_DATASET = 6, /* all samples, once, as they are converted */
    HR__KEY_SPLIT = 7
};

uint64_t hr__order_key(uint64_t seed, uint64_t epoch, enum hr__order_purpose purpose,
                       uint64_t stream, uint64_t index);

#endif
