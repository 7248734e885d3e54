/*
 * What part of a data set the page cache holds.
 */
#ifndef HEADRACE_CACHED_SHARE_H
#define HEADRACE_CACHED_SHARE_H

#include "sketch.h"

/* Of chunks of the rank's visits, spread evenly over the epoch: 0 to 1; -1: the system cannot tell.
 */
hr_status hr__cached_share(const struct hr__sketch *s, double *out, hr_error *err);

#endif
