/*
 * Headers of IDX files from any bytes: an error, or figures that agree with each other.
 */
#include "idx_header.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct hr__npy_header *h, const uint8_t *data, size_t size) {
    uint64_t elements = 1;
    for (uint32_t i = 0; i < h->rank; i++)
        if (__builtin_mul_overflow(elements, h->shape[i], &elements))
            abort();
    if (h->rank > HR_MAX_RANK || h->data_off > size || elements != h->elements_per_sample ||
        h->sample_bytes != elements * h->element.width_bytes ||
        h->data_bytes != h->sample_bytes * h->num_samples || !hr__idx_is(data, size))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct hr__npy_header header;
    hr_error err = {0};
    hr_status st = hr__idx_header_parse(data, size, &header, &err);
    if (st == HR_OK)
        check(&header, data, size);
    else if (err.status != st || err.message[0] == '\0')
        abort();
    return 0;
}
