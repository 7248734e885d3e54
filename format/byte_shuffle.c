/*
 * The byte shuffle (docs/format.md, 6.3): byte j of element i lies at j x n + i. The fixed counts
 * of planes let compilers vectorise.
 */
#include "frame_codec.h"

static void gather(const uint8_t *in, size_t n, size_t planes, uint8_t *out) {
    for (size_t j = 0; j < planes; j++)
        for (size_t i = 0; i < n; i++)
            out[j * n + i] = in[i * planes + j];
}

void hr__byte_shuffle(const uint8_t *in, size_t n_bytes, uint32_t element_bytes, uint8_t *out) {
    switch (element_bytes) {
    case 2:
        gather(in, n_bytes / 2, 2, out);
        break;
    case 4:
        gather(in, n_bytes / 4, 4, out);
        break;
    case 8:
        gather(in, n_bytes / 8, 8, out);
        break;
    case 16:
        gather(in, n_bytes / 16, 16, out);
        break;
    default:
        gather(in, n_bytes / element_bytes, element_bytes, out);
    }
}

static void spread(const uint8_t *in, size_t n, size_t planes, uint8_t *out) {
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < planes; j++)
            out[i * planes + j] = in[j * n + i];
}

void hr__byte_unshuffle(const uint8_t *in, size_t n_bytes, uint32_t element_bytes, uint8_t *out) {
    switch (element_bytes) {
    case 2:
        spread(in, n_bytes / 2, 2, out);
        break;
    case 4:
        spread(in, n_bytes / 4, 4, out);
        break;
    case 8:
        spread(in, n_bytes / 8, 8, out);
        break;
    case 16:
        spread(in, n_bytes / 16, 16, out);
        break;
    default:
        spread(in, n_bytes / element_bytes, element_bytes, out);
    }
}
