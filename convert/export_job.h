/*
 * An export: fields of a data set, one after the other, as streams of bytes into a sink.
 */
#ifndef HEADRACE_EXPORT_JOB_H
#define HEADRACE_EXPORT_JOB_H

#include "budget.h"
#include "export_values.h"
#include "headrace/convert.h"

struct hr__export_item { /* one field that is exported */
    uint32_t field;
    hr_field info;
    struct hr__export_type type;
    char *path;                          /* the file it becomes: .npy */
    uint64_t total_bytes, longest_bytes; /* of values of variable length */
};

struct hr__export_sink_ops;

struct hr__export_job {
    hr_dataset *ds;
    const struct hr__export_sink_ops *ops;
    hr_export_options opts; /* resolved: path and kind are set */
    uint64_t first, num_samples;
    uint32_t num_items;
    struct hr__export_item *items;
    uint32_t samples_per_chunk;
    uint32_t num_threads;
    struct hr__budget budget;
    hr_progress progress;
    int64_t told_ns;
};

struct hr__export_sink;

struct hr__export_sink_ops {
    bool ucs4; /* texts become NumPy's code points of four bytes */
    /* All items are known, nothing is written. */
    hr_status (*open)(struct hr__export_job *job, struct hr__export_sink **out, hr_error *err);
    /* Then the item's bytes in their order, in pieces of any size. */
    hr_status (*begin)(struct hr__export_sink *sink, const struct hr__export_item *item,
                       hr_error *err);
    hr_status (*write)(struct hr__export_sink *sink, const uint8_t *bytes, uint64_t n_bytes,
                       hr_error *err);
    hr_status (*end)(struct hr__export_sink *sink, hr_error *err);
    /* An item of variable length, all of it, by hr__export_values(). NULL: it cannot be held. */
    hr_status (*variable)(struct hr__export_sink *sink, const struct hr__export_item *item,
                          hr_error *err);
    hr_status (*finish)(struct hr__export_sink *sink, hr_error *err);
    /* What is not complete is removed. NULL is fine. */
    void (*close)(struct hr__export_sink *sink);
};

extern const struct hr__export_sink_ops hr__export_to_npy;  /* export_npy.c */
extern const struct hr__export_sink_ops hr__export_to_npz;  /* export_npz.c */
extern const struct hr__export_sink_ops hr__export_to_hdf5; /* export_hdf5.c */

/* Tells of the progress, now and then, or now. HR_ERR_CANCELLED. */
hr_status hr__export_tell(struct hr__export_job *job, bool now, hr_error *err);

void hr__export_note(const struct hr__export_job *job, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
