/*
 * One file of several arrays, written by a helper process: HDF5, or .npz. What the helper says is
 * untrusted.
 *
 * Invariants
 *  1. The file is TARGET.partial, made and locked here, until the helper has said that it is
 *     complete; then it is synchronised and gets its name. Whatever fails leaves nothing of it.
 *  2. A slot of the shared memory is not written to while the helper has it.
 *  3. Slots and what the helper compresses in are charged to the budget before they exist.
 */
#ifndef HEADRACE_CONTAINER_WRITER_H
#define HEADRACE_CONTAINER_WRITER_H

#include "budget.h"
#include "helper_protocol.h"

struct hr__container_options {
    const char *target;
    bool replace;
    bool zip;       /* an archive of byte streams */
    uint32_t level; /* of compression; 0: none */
    uint32_t num_threads;
    int64_t timeout_ns;
    uint64_t memory_bytes;
    uint64_t largest_chunk_bytes; /* of all arrays to come: hr__chunks_make() */
    uint64_t largest_value_bytes; /* of all values of variable length to come */
    bool variable;                /* there are such */
    const char *program;          /* NULL: the helper that belongs to this library */
};

struct hr__container;

/* The target exists: HR_ERR_EXISTS; another writes it: HR_ERR_BUSY. budget must outlive it. */
hr_status hr__container_open(const struct hr__container_options *o, struct hr__budget *budget,
                             struct hr__container **out, hr_error *err);

/* Of an archive: each member, before the first is begun. */
hr_status hr__container_declare(struct hr__container *c, const struct hr__helper_field *field,
                                hr_error *err);

/* An array of this type and shape, named field->member. Its bytes follow, then its end. */
hr_status hr__container_begin(struct hr__container *c, const struct hr__helper_field *field,
                              hr_error *err);
hr_status hr__container_write(struct hr__container *c, const uint8_t *bytes, uint64_t n_bytes,
                              hr_error *err);
hr_status hr__container_end(struct hr__container *c, hr_error *err);

/* The same for values of variable length, field->num_samples of them: any number of field's
 * elements each, or UTF-8 without zeros. Value i of n is bytes[offsets[i] - offsets[0]] up to
 * offsets[i + 1]. */
hr_status hr__container_begin_values(struct hr__container *c, const struct hr__helper_field *field,
                                     bool text, hr_error *err);
hr_status hr__container_write_values(struct hr__container *c, const int64_t *offsets, uint64_t n,
                                     const uint8_t *bytes, hr_error *err);

/* An attribute of the array that was begun (before its bytes), or of the file (member ""). */
struct hr__attribute {
    const char *member;
    const char *name;
    hr_dtype dtype; /* int64, float64, bool; fixed_utf8: one text */
    bool scalar;
    uint32_t count; /* values; bytes of a text */
    const void *values;
};
#define HR__MAX_ATTRIBUTE_BYTES 60000u /* HDF5 holds 64 KiB with its head */
hr_status hr__container_attribute(struct hr__container *c, const struct hr__attribute *a,
                                  hr_error *err);

/* Complete, on the disk, and under its name. */
hr_status hr__container_finish(struct hr__container *c, hr_error *err);
void hr__container_close(struct hr__container *c); /* NULL is fine */

#endif
