/*
 * The way of loading that Headrace replaces: a .npy file read whole into memory. For contrast only.
 */
#ifndef WHOLE_ARRAY_H
#define WHOLE_ARRAY_H

#include <stddef.h>
#include <stdint.h>

struct whole_array {
    char dtype[4]; /* as NumPy writes it, without byte order: "f4", "u1", "i8" */
    uint64_t num_samples;
    uint64_t sample_elements; /* 1: a scalar per sample */
    uint32_t element_bytes;
    void *data;
};

/* Little-endian .npy files in C order. 0: done; -1: a message was printed. */
int whole_array_load(const char *path, struct whole_array *out);
void whole_array_free(struct whole_array *a);

#endif
