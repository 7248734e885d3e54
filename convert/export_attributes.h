/*
 * Attributes of a data set (JSON) as attributes of the file that it is exported to.
 */
#ifndef HEADRACE_EXPORT_ATTRIBUTES_H
#define HEADRACE_EXPORT_ATTRIBUTES_H

#include "container_writer.h"
#include "export_job.h"

#include <jansson.h>

/* attributes: a JSON object, or NULL. member: the array that was begun, or "": the file. Texts,
 * numbers, bools and lists of numbers or of bools are of these types; the rest becomes JSON text.
 * What is too large is left out with a note; so are our own, "headrace:...". */
hr_status hr__export_attributes(const struct hr__export_job *job, struct hr__container *container,
                                const char *member, const json_t *attributes, hr_error *err);

#endif
