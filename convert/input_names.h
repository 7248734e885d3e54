/*
 * The field's name that a numbered file stands for.
 */
#ifndef HEADRACE_INPUT_NAMES_H
#define HEADRACE_INPUT_NAMES_H

#include <stdbool.h>
#include <stddef.h>

/* Bytes of the common part of a numbered name: "X" of "X_12", "X-00012" and "X-00001-of-00010"; 0
 * of "12". (size_t)-1: the name is not numbered. A number counts only behind '_', '-', '.' or a
 * space, or by itself: "X1" and "X2" are names of their own. */
size_t hr__numbered_name_base(const char *name);

#define HR__NOT_NUMBERED ((size_t)-1)

/* Whether two numbered names have the same number: "X_7" and "y-00007-of-00010". */
bool hr__numbered_names_agree(const char *a, const char *b);

#endif
