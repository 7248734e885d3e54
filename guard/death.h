/*
 * What a record says of how its process ended, and that in words.
 */
#ifndef HEADRACE_DEATH_H
#define HEADRACE_DEATH_H

#include "record.h"

#include "headrace/guard.h"

/* Fills out->sentence from the record and what out has already. */
void hr__death_sentence(const struct hr__record *r, hr_death_report *out);

#endif
