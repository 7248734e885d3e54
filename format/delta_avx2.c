/*
 * The steps of the delta by vectors of 32 bytes.
 */
#define LANES_BYTES 32
#include "delta_steps.h"

const struct hr__delta_steps hr__delta_steps_avx2 = {add_old, add_new};
