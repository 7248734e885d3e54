/*
 * Named sources become fields: those of the same name are put one after the other.
 */
#ifndef HEADRACE_INPUT_FIELDS_H
#define HEADRACE_INPUT_FIELDS_H

#include "inputs.h"

#include <stdbool.h>
#include <stddef.h>

struct hr__input_entry {
    char *name;
    struct hr__source *source; /* NULL once a field owns it */
    bool outright;             /* named by the caller, not by its file */
};

struct hr__input_entries {
    size_t n, room;
    struct hr__input_entry *list;
    struct hr__left_out left_out;
};

/* Fields in the order of their first entry, all of one length; the sources' ownership goes over to
 * them. HR_ERR_INVALID, HR_ERR_UNSUPPORTED: entries that do not fit together. On failure both lists
 * are still to be freed. */
hr_status hr__input_fields_make(const hr_convert_options *opts, struct hr__input_entries *e,
                                struct hr__inputs *in, hr_error *err);

#endif
