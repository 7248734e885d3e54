/*
 * A .npy file read whole into memory. Understands what numpy.save() writes on this kind of machine,
 * no more: the converter has the reader that trusts nothing.
 */
#include "whole_array.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_HEADER_BYTES 4096u

static int complain(const char *path, const char *what) {
    fprintf(stderr, "%s: %s\n", path, what);
    return -1;
}

/* "(6000, 28, 28)" behind 'shape': the first is the samples, the product of the others a sample. */
static int shape_parse(const char *text, struct whole_array *out) {
    char *end = NULL;
    out->sample_elements = 1;
    unsigned rank = 0;
    for (text++; *text != ')'; rank++) {
        const unsigned long long n = strtoull(text, &end, 10);
        if (end == text || n == 0 || n > UINT32_MAX || out->sample_elements > UINT32_MAX)
            return -1;
        if (rank == 0)
            out->num_samples = n;
        else
            out->sample_elements *= n;
        text = end + strspn(end, ", ");
    }
    return rank == 0 || out->sample_elements > SIZE_MAX / 8 / out->num_samples ? -1 : 0;
}

static int header_parse(const char *header, struct whole_array *out) {
    const char *dtype = strstr(header, "'descr': '");
    const char *order = strstr(header, "'fortran_order': False");
    const char *shape = strstr(header, "'shape': (");
    if (dtype == NULL || order == NULL || shape == NULL)
        return -1;
    dtype += strlen("'descr': '");
    if (strchr("<|", dtype[0]) == NULL || strchr("fiu", dtype[1]) == NULL || dtype[3] != '\'')
        return -1;
    memcpy(out->dtype, dtype + 1, 2);
    out->element_bytes = (uint32_t)(dtype[2] - '0');
    if (out->element_bytes == 0 || out->element_bytes > 8)
        return -1;
    return shape_parse(strchr(shape, '('), out);
}

static int file_read(FILE *file, const char *path, struct whole_array *out) {
    unsigned char start[12];
    char header[MAX_HEADER_BYTES + 1] = {0};
    if (fread(start, 1, 10, file) != 10 || memcmp(start, "\x93NUMPY\x01", 7) != 0)
        return complain(path, "not a .npy file of version 1");
    const size_t header_bytes = start[8] | (size_t)start[9] << 8;
    if (header_bytes > MAX_HEADER_BYTES || fread(header, 1, header_bytes, file) != header_bytes ||
        header_parse(header, out) != 0)
        return complain(path, "not a plain little-endian array in C order");

    const size_t n_bytes =
        (size_t)out->num_samples * (size_t)out->sample_elements * out->element_bytes;
    out->data = malloc(n_bytes);
    if (out->data == NULL) {
        fprintf(stderr, "%s: the system refuses %zu bytes of memory at once\n", path, n_bytes);
        return -1;
    }
    if (fread(out->data, 1, n_bytes, file) != n_bytes)
        return complain(path, "ends early");
    return 0;
}

int whole_array_load(const char *path, struct whole_array *out) {
    memset(out, 0, sizeof *out);
    FILE *file = fopen(path, "rb");
    if (file == NULL)
        return complain(path, "cannot be opened");
    const int result = file_read(file, path, out);
    fclose(file);
    if (result != 0)
        whole_array_free(out);
    return result;
}

void whole_array_free(struct whole_array *a) {
    free(a->data);
    memset(a, 0, sizeof *a);
}
