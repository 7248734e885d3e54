/*
 * headrace info --why: what was tried for each field when it was converted.
 */
#ifndef HEADRACE_INFO_WHY_H
#define HEADRACE_INFO_WHY_H

#include "headrace/dataset.h"

#include <jansson.h>

/** A table and a sentence for each field. footer: the parsed JSON of ds, or NULL. */
void info_why_print(hr_dataset *ds, const json_t *footer);

#endif
