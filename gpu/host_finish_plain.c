/*
 * The loops of finishing for any processor of the kind that the library is built for.
 */
#define HR__FINISH_LOOPS      hr__finish_loops_plain
#define HR__FINISH_LOOPS_NAME "plain"
#include "host_finish_loops.h"
