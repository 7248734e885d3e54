/*
 * Random access: chosen samples of one field, in any order, with repeats.
 */
#include <headrace/headrace.h>

#include <stdio.h>
#include <stdlib.h>

enum { PICKED = 8 };

int main(int argc, char **argv) {
    hr_dataset *data = NULL;
    hr_error err = {0};
    hr_field field = {0};
    uint64_t indices[PICKED];
    unsigned char *rows = NULL;

    hr_status st = hr_dataset_open(argc > 1 ? argv[1] : "train.hrd", NULL, &data, &err);
    if (st == HR_OK)
        st = hr_dataset_field(data, 0, &field, &err);
    if (st == HR_OK && hr_dataset_num_samples(data) > 0) {
        const uint64_t samples = hr_dataset_num_samples(data);
        const size_t row_bytes = (size_t)hr_dataset_sample_bytes(data, 0);
        for (uint64_t i = 0; i < PICKED; i++)
            indices[i] = (samples - 1) / (i + 1); /* from the last one towards the first */
        rows = malloc(PICKED * row_bytes + 1);
        if (rows == NULL) {
            fprintf(stderr, "not enough memory for %d samples\n", PICKED);
            hr_dataset_close(data);
            return 1;
        }
        /* Chunks are read once each, however the indices are ordered. */
        st = hr_dataset_gather(data, 0, indices, PICKED, rows, PICKED * row_bytes, &err);
        for (int i = 0; st == HR_OK && i < PICKED; i++)
            printf("%s[%llu]: %zu bytes of %s, the first is 0x%02x\n", field.name,
                   (unsigned long long)indices[i], row_bytes, hr_dtype_name(field.dtype),
                   rows[(size_t)i * row_bytes]);
    }
    free(rows);
    hr_dataset_close(data);

    if (st != HR_OK)
        fprintf(stderr, "%s\n", err.message);
    return st == HR_OK ? 0 : 1;
}
