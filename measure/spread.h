/*
 * Median and range of a few figures.
 */
#ifndef HEADRACE_SPREAD_H
#define HEADRACE_SPREAD_H

#include "headrace/bench.h"

/* Sorts the values. The median of an even number is the mean of the middle two; of none, all is 0.
 */
hr_bench_spread hr__spread_of(double *values, size_t count);

#endif
