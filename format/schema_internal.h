/*
 * What schema.c and schema_json.c share.
 */
#ifndef HEADRACE_SCHEMA_INTERNAL_H
#define HEADRACE_SCHEMA_INTERNAL_H

#include "schema.h"

hr_status hr__schema_allocate(struct hr__schema *s, uint32_t num_fields, hr_error *err);

/* Checks every rule once name, dtype, width, rank and shape are set, and fills what follows from
 * them. HR_ERR_INVALID. */
hr_status hr__schema_finish(struct hr__schema *s, hr_error *err);

/* text is a JSON object; `whose` is named if not. HR_ERR_INVALID. */
hr_status hr__schema_check_object(const char *text, const char *whose, hr_error *err);

#endif
