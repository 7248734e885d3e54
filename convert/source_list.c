/*
 * Lists of sources that grow.
 */
#include "source_list.h"

#include "error.h"
#include "source_open.h"

#include <stdlib.h>

hr_status hr__source_list_add(struct hr__source_list *l, struct hr__source *source, hr_error *err) {
    if (l->n == l->room) {
        const uint32_t room = l->room == 0 ? 16 : l->room * 2;
        struct hr__source **grown = realloc(l->sources, room * sizeof(*grown));
        if (grown == NULL)
            return hr__error_no_memory(err, room * sizeof(*grown), "a list of sources");
        l->sources = grown;
        l->room = room;
    }
    l->sources[l->n++] = source;
    return HR_OK;
}

void hr__source_list_give(struct hr__source_list *l, struct hr__source ***out, uint32_t *num_out) {
    *out = l->sources;
    *num_out = l->n;
    *l = (struct hr__source_list){0};
}

void hr__source_list_close(struct hr__source_list *l) {
    hr__sources_close(l->sources, l->n);
    *l = (struct hr__source_list){0};
}
