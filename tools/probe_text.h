/*
 * What hr_probe() predicts, as text and as JSON.
 */
#ifndef HEADRACE_PROBE_TEXT_H
#define HEADRACE_PROBE_TEXT_H

#include "headrace/bench.h"

#include <jansson.h>

/** A few lines on stdout, as those of `headrace plan`. */
void probe_text_print(const hr_probe_result *r);

/** The layout of docs/cli.md; NULL where there is no memory. */
json_t *probe_json(const hr_probe_result *r);

#endif
