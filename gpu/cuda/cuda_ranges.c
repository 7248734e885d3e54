/*
 * Ranges by NVTX, which is headers only.
 */
#include "cuda_ranges.h"

#include <nvtx3/nvToolsExt.h>

void hr__cuda_range_begin(const char *name) {
    (void)nvtxRangePushA(name);
}

void hr__cuda_range_end(void) {
    (void)nvtxRangePop();
}
