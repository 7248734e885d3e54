/*
 * Finishing of one field (include/headrace/finish.h), as every device carries it out.
 *
 * Invariants:
 *  1. the host and the CUDA kernels give the same bits: both are built from finish_elements.h;
 *  2. source and destination do not overlap; each begins at a multiple of 16 bytes where the CUDA
 *     kernels work on it, at any place on the host;
 *  3. samples lie one after the other, source and destination alike, without gaps;
 *  4. a plan that only moves bits and does not transpose (hr__finish_writes() is false) has no
 *     destination: it counts at most.
 */
#ifndef HEADRACE_GPU_FINISH_H
#define HEADRACE_GPU_FINISH_H

#include "headrace/finish.h"

#include <stdbool.h>

#ifdef __cplusplus
extern "C" {
#endif

struct hr__finish {
    hr_dtype from, to;        /* a pair that hr__finish_converts(), or twice the same */
    uint64_t sample_elements; /* plane_elements * channels */
    uint64_t plane_elements;
    uint32_t channels; /* entries of scale and shift, and planes where to_chw; 1 or more */
    uint32_t from_bytes, to_bytes; /* of an element */
    bool to_chw;                   /* (plane, channel) becomes (channel, plane) */
    bool check_finite;             /* `to` is a floating-point type */
    const float *scale; /* channels entries, in memory that the device can read; or NULL */
    const float *shift; /* likewise */
};

/* What a check found. first_row counts samples from the beginning of what was given to it. */
struct hr__finish_bad {
    uint64_t num_nan, num_inf;
    uint64_t first_row; /* UINT64_MAX: none */
};
#define HR__FINISH_BAD_NONE                                                                        \
    { 0, 0, UINT64_MAX }

/* The closed set of casts. */
bool hr__finish_converts(hr_dtype from, hr_dtype to);
/* Bytes of elements that can be moved as they are: 1, 2, 4, 8. */
bool hr__finish_moves(uint32_t element_bytes);
/* What a plan does to values, to places, and whether it has a destination. */
static inline bool hr__finish_casts(const struct hr__finish *f) {
    return f->from != f->to || f->scale != NULL || f->shift != NULL;
}
static inline bool hr__finish_transposes(const struct hr__finish *f) {
    return f->to_chw && f->channels > 1;
}
static inline bool hr__finish_writes(const struct hr__finish *f) {
    return hr__finish_casts(f) || hr__finish_transposes(f);
}

/* Adds what was found in rows that begin at first_row. */
void hr__finish_bad_add(struct hr__finish_bad *sum, const struct hr__finish_bad *part,
                        uint64_t first_row);

/* On the host, by the calling thread, whose floating-point environment is the default one. bad:
 * added to; may be NULL where nothing is checked. */
void hr__finish_run(const struct hr__finish *f, const void *src, uint64_t num_samples, void *dst,
                    struct hr__finish_bad *bad);

/* In the CUDA module (cuda/finish_kernels.cu): the same on the device, in the order of a stream (a
 * cudaStream_t). All pointers, those in f too, are to memory that the device can reach; f itself is
 * read before the call returns. bad: added to, by atomic operations. Returns the cudaError_t of the
 * launch; does not wait. */
int hr__finish_launch(const struct hr__finish *f, const void *src, uint64_t num_samples, void *dst,
                      struct hr__finish_bad *bad, void *stream);

#ifdef __cplusplus
}
#endif
#endif
