/*
 * Rows for tests of the writer.
 */
#include "writer_rows.h"

#include <stdlib.h>
#include <string.h>

static const uint64_t image_shape[] = {8, 4};
static const uint64_t flags_shape[] = {3};
const hr_field rows_fields[3] = {
    {.name = "image", .dtype = HR_FLOAT32, .rank = 2, .shape = image_shape},
    {.name = "label", .dtype = HR_INT32},
    {.name = "flags", .dtype = HR_UINT8, .rank = 1, .shape = flags_shape},
};

static uint64_t element_bytes(const hr_field *f) {
    const uint32_t n = hr_dtype_bytes(f->dtype);
    return n > 0 ? n : f->width_bytes;
}

uint64_t rows_sample_bytes(const hr_field *field) {
    uint64_t n = element_bytes(field);
    for (uint32_t d = 0; d < field->rank; d++)
        n *= field->shape[d];
    return n;
}

static uint64_t mix(uint64_t x) {
    x ^= x >> 31;
    x *= UINT64_C(0x7fb5d329728ea185);
    x ^= x >> 27;
    return x * UINT64_C(0x81dadef4bc2dd44d);
}

void rows_fill(const hr_field *field, uint32_t number, uint64_t first, uint64_t n, uint8_t *dst) {
    const uint64_t b = rows_sample_bytes(field);
    const uint64_t e = element_bytes(field);
    for (uint64_t i = 0; i < n; i++) {
        for (uint64_t k = 0; k < b; k++) {
            const uint64_t r = mix((first + i) * 1000003 + k / 7 + number) >> 40;
            uint8_t v = (uint8_t)(k % e == 0 ? r : r & 3);
            if (field->dtype == HR_BOOL)
                v = (uint8_t)(r & 1);
            else if (field->dtype == HR_FIXED_UTF8)
                v = (uint8_t)(k % e + 1 == e ? 0 : 'a' + r % 26);
            dst[i * b + k] = v;
        }
    }
}

hr_status rows_append(hr_writer *w, const hr_field *fields, uint32_t num_fields, uint64_t first,
                      uint64_t n, uint64_t step, hr_error *err) {
    void *columns[ROWS_MAX_FIELDS] = {0};
    hr_status st = HR_OK;
    for (uint32_t f = 0; f < num_fields; f++)
        columns[f] = malloc(step * rows_sample_bytes(&fields[f]) + 1);
    for (uint64_t done = 0; done < n && st == HR_OK;) {
        const uint64_t take = n - done < step ? n - done : step;
        for (uint32_t f = 0; f < num_fields; f++)
            rows_fill(&fields[f], f, first + done, take, columns[f]);
        st = hr_writer_append(w, take, (const void *const *)columns, err);
        done += take;
    }
    for (uint32_t f = 0; f < num_fields; f++)
        free(columns[f]);
    return st;
}

int rows_equal(const hr_field *fields, uint32_t num_fields, uint64_t n, uint8_t *const *columns) {
    int equal = 1;
    for (uint32_t f = 0; f < num_fields && equal; f++) {
        const uint64_t bytes = n * rows_sample_bytes(&fields[f]);
        uint8_t *wanted = malloc(bytes + 1);
        rows_fill(&fields[f], f, 0, n, wanted);
        equal = bytes == 0 || memcmp(wanted, columns[f], bytes) == 0;
        free(wanted);
    }
    return equal;
}
