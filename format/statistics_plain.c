/*
 * The loops of statistics for any processor of the kind that the library is built for.
 */
#define HR__BLOCK_LOOPS hr__block_loops_plain
#include "statistics_loops.h"
