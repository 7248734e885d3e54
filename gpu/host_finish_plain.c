/*
 * The loops of finishing for any processor of the kind that the library is built for.
 */
#include "host_finish_loops.h"

const struct hr__finish_loops hr__finish_loops_plain = {"plain", cast, planes, any_bad};
