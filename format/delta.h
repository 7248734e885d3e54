/*
 * The delta filter (docs/format.md, 6.3), and the steps that undoing it is made of.
 *
 * Elements of 1, 2, 4 or 8 bytes at any address; n_bytes and the distance, which is above 0, are
 * multiples of their size.
 */
#ifndef HEADRACE_DELTA_H
#define HEADRACE_DELTA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* in and out do not overlap. */
void hr__delta(const uint8_t *in, size_t n_bytes, uint32_t element_bytes, size_t distance_bytes,
               uint8_t *out);
void hr__undelta(uint8_t *bytes, size_t n_bytes, uint32_t element_bytes, size_t distance_bytes);

/* Ways to go through bytes; the same bytes, whatever the table. */
struct hr__delta_steps {
    /* Adds to every element the one at the distance before it, as it was before the step. */
    void (*add_old)(uint8_t *bytes, size_t n_bytes, uint32_t element_bytes, size_t distance_bytes);
    /* Adds to every element the sum that is there by then. HR__DELTA_FAR_BYTES or farther. */
    void (*add_new)(uint8_t *bytes, size_t n_bytes, uint32_t element_bytes, size_t distance_bytes);
    /* Undoes the delta at once; false: nothing is done, as it is no distance for that. May be NULL.
     */
    bool (*sum_near)(uint8_t *bytes, size_t n_bytes, uint32_t element_bytes, size_t distance_bytes);
};

#define HR__DELTA_FAR_BYTES 128u

extern const struct hr__delta_steps hr__delta_steps_base; /* vectors of 16 bytes, anywhere */
extern const struct hr__delta_steps hr__delta_steps_avx2; /* x86-64, where hr__cpu_has_avx2() */

void hr__undelta_by(const struct hr__delta_steps *steps, uint8_t *bytes, size_t n_bytes,
                    uint32_t element_bytes, size_t distance_bytes);

#endif
