/*
 * The loops of finishing, compiled for AVX2.
 */
#define HR__FINISH_LOOPS      hr__finish_loops_avx2
#define HR__FINISH_LOOPS_NAME "avx2"
#include "host_finish_loops.h"
