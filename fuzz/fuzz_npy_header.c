/*
 * Headers of .npy files from any bytes: an error, or figures that agree with each other.
 */
#include "npy_header.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct hr__npy_header *h, size_t size) {
    uint64_t elements = 1;
    for (uint32_t i = 0; i < h->rank; i++)
        if (__builtin_mul_overflow(elements, h->shape[i], &elements))
            abort();
    if (h->rank > HR_MAX_RANK || h->data_off > size || elements != h->elements_per_sample ||
        h->sample_bytes != elements * h->element.width_bytes ||
        h->data_bytes != h->sample_bytes * h->num_samples)
        abort();
}

/* It lies in a record, whose bytes arg points to. */
static hr_status check_member(void *arg, const struct hr__npy_member *m, hr_error *err) {
    const uint32_t record_bytes = *(const uint32_t *)arg;
    uint64_t end = m->at + m->element.width_bytes;
    (void)err;
    for (uint32_t i = 0; i < m->rank; i++) {
        if (m->shape[i] == 0)
            return HR_OK;
        end += (m->shape[i] - 1) * m->steps[i];
    }
    if (m->rank > HR_MAX_RANK || m->name[0] == '\0' || end > record_bytes ||
        (m->refused != NULL && m->refused->message[0] == '\0'))
        abort();
    return HR_OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct hr__npy_header header;
    hr_error err = {0};
    hr_status st = hr__npy_header_parse(data, size, &header, &err);
    if (st == HR_OK) {
        check(&header, size);
        st = header.members_at == 0 ? HR_OK
                                    : hr__npy_header_members(data, &header, check_member,
                                                             &header.element.width_bytes, &err);
        if (st != HR_OK && st != HR_ERR_UNSUPPORTED)
            abort();
    } else if (err.status != st || err.message[0] == '\0')
        abort();
    return 0;
}
