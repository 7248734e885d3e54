/*
 * Median and range of a few figures.
 */
#include "spread.h"

#include <stdlib.h>

static int compare(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

hr_bench_spread hr__spread_of(double *values, size_t count) {
    if (count == 0)
        return (hr_bench_spread){0, 0, 0};
    qsort(values, count, sizeof(*values), compare);
    double median =
        count % 2 == 1 ? values[count / 2] : (values[count / 2 - 1] + values[count / 2]) / 2;
    return (hr_bench_spread){median, values[0], values[count - 1]};
}
