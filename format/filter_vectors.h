/*
 * Of the vector code of delta and bit shuffle, what this processor does best.
 */
#ifndef HEADRACE_FILTER_VECTORS_H
#define HEADRACE_FILTER_VECTORS_H

#include "bit_shuffle.h"
#include "delta.h"

const struct hr__delta_steps *hr__delta_steps_best(void);
const struct hr__bit_planes *hr__bit_planes_best(void);

#endif
