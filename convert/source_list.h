/*
 * The sources of one file, as they are found.
 */
#ifndef HEADRACE_SOURCE_LIST_H
#define HEADRACE_SOURCE_LIST_H

#include "source.h"

struct hr__source_list { /* zeroed: empty */
    struct hr__source **sources;
    uint32_t n, room;
};

/* At its end. After a failure the source is still the caller's. */
hr_status hr__source_list_add(struct hr__source_list *l, struct hr__source *source, hr_error *err);

/* Hands all over, as a malloc'ed array; NULL where there are none. */
void hr__source_list_give(struct hr__source_list *l, struct hr__source ***out, uint32_t *num_out);

void hr__source_list_close(struct hr__source_list *l); /* with its sources */

#endif
