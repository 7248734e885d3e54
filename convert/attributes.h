/*
 * Attributes that sources bring along: JSON objects as texts, untrusted.
 */
#ifndef HEADRACE_ATTRIBUTES_H
#define HEADRACE_ATTRIBUTES_H

#include "headrace/status.h"

#include <stddef.h>
#include <stdint.h>

/* All of them as one object, malloc'ed, NULL where none is left; what differs between two is in
 * neither, and its names are in differing, "" for none. Texts may be NULL. HR_ERR_CORRUPT: a text
 * is no object. */
hr_status hr__attributes_join(const char *const *texts, uint32_t n, char **out, char *differing,
                              size_t room, hr_error *err);
/* Of a text (or NULL) only what Headrace itself says: "headrace:...". As hr__attributes_join(). */
hr_status hr__attributes_own(const char *text, char **out, hr_error *err);

#endif
