/*
 * Processors without code of their own here.
 */
#include "filter_vectors.h"

const struct hr__delta_steps *hr__delta_steps_best(void) {
    return &hr__delta_steps_base;
}

const struct hr__bit_planes *hr__bit_planes_best(void) {
    return &hr__bit_planes_base;
}
