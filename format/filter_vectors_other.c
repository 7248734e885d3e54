/*
 * Processors without code of their own here.
 */
#include "filter_vectors.h"

const struct hr__delta_steps *hr__delta_steps_best(void) {
    return &hr__delta_steps_base;
}

hr__bit_transpose_fn *hr__bit_transpose_best(void) {
    return hr__bit_transpose_base;
}
