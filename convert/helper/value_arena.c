/*
 * Memory given out from the front of an arena. How much is asked for is untrusted.
 */
#include "value_arena.h"

#define ALIGN_BYTES 16u

void value_arena_empty(struct value_arena *a) {
    a->used_bytes = a->refused_bytes = 0;
    a->num_given = 0;
}

void *value_arena_take(size_t n_bytes, void *arena) {
    struct value_arena *a = arena;
    const size_t left = a->size_bytes - a->used_bytes;
    const size_t padded = n_bytes + (ALIGN_BYTES - n_bytes % ALIGN_BYTES) % ALIGN_BYTES;
    if (n_bytes > left || padded > left) {
        a->refused_bytes = n_bytes > 0 ? n_bytes : 1;
        return NULL;
    }
    uint8_t *p = a->bytes + a->used_bytes;
    a->used_bytes += padded;
    a->num_given++;
    return p;
}

void value_arena_free(void *p, void *arena) {
    (void)p;
    (void)arena;
}
