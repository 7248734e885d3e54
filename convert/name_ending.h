/*
 * How names end: ".npy", in small letters or capitals.
 */
#ifndef HEADRACE_NAME_ENDING_H
#define HEADRACE_NAME_ENDING_H

#include <stdbool.h>

/* More than the ending, which is in small letters. */
bool hr__name_ends(const char *name, const char *ending);

#endif
