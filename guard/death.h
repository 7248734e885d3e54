/*
 * What a record says of how its process ended, and that in words.
 */
#ifndef HEADRACE_DEATH_H
#define HEADRACE_DEATH_H

#include "record.h"

#include "headrace/guard.h"

/* What the record itself says: not verdict, told, oom_kills_now, sentence, record_path. */
void hr__death_fill(const struct hr__record *r, hr_death_report *out);

/* Fills out->sentence from the record and what out has already. */
void hr__death_sentence(const struct hr__record *r, hr_death_report *out);

#endif
