/*
 * The steps of the delta by vectors of 16 bytes: SSE2, NEON, or what the compiler makes of them.
 */
#define LANES_BYTES 16
#include "delta_steps.h"

const struct hr__delta_steps hr__delta_steps_base = {add_old, add_new, NULL};
