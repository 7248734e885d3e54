/*
 * Memory of one size that HDF5 gets for the values of a read, and no more.
 */
#ifndef HEADRACE_VALUE_ARENA_H
#define HEADRACE_VALUE_ARENA_H

#include <stddef.h>
#include <stdint.h>

struct value_arena {
    uint8_t *bytes;
    size_t size_bytes, used_bytes;
    uint64_t num_given;
    size_t refused_bytes; /* of what did not fit; 0: all did */
};

void value_arena_empty(struct value_arena *a);
/* For H5Pset_vlen_mem_manager(); arena: a struct value_arena. NULL: it is full. */
void *value_arena_take(size_t n_bytes, void *arena);
void value_arena_free(void *p, void *arena); /* only emptying frees */

#endif
