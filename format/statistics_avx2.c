/*
 * The loops of statistics, compiled for AVX2: a register holds the four lanes.
 */
#define HR__BLOCK_LOOPS hr__block_loops_avx2
#include "statistics_loops.h"
