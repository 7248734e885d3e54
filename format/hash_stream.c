/*
 * XXH3-64 of a stream. What is hashed need not be trusted.
 */
#include "hash_stream.h"

#include "error.h"

#include <xxhash.h>

hr_status hr__hash_stream_open(struct hr__hash_stream *h, hr_error *err) {
    h->state = XXH3_createState();
    if (h->state == NULL)
        return hr__error_no_memory(err, 576, "a hash");
    (void)XXH3_64bits_reset(h->state); /* fails for NULL only, as the others do */
    return HR_OK;
}

void hr__hash_stream_add(struct hr__hash_stream *h, const void *p, size_t n_bytes) {
    (void)XXH3_64bits_update(h->state, p, n_bytes);
}

uint64_t hr__hash_stream_value(const struct hr__hash_stream *h) {
    return XXH3_64bits_digest(h->state);
}

void hr__hash_stream_close(struct hr__hash_stream *h) {
    if (h->state != NULL)
        (void)XXH3_freeState(h->state);
    h->state = NULL;
}
