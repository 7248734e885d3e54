/*
 * A loader's options resolved against a data set: fields, order, ranks, sizes, memory.
 */
#ifndef HEADRACE_LOADER_CONFIG_H
#define HEADRACE_LOADER_CONFIG_H

#include "dataset.h"
#include "finish_fields.h"
#include "headrace/loader.h"
#include "order.h"
#include "pad_fields.h"
#include "subset.h"
#include "upload.h"

/* Decoded frame and decoder of one worker. */
#define HR__WORKER_SCRATCH_BYTES ((uint64_t)HR__MAX_FRAME_BYTES + (256u << 10))
/* Tables of one worker, for each sample of a chunk: target, pick, sample, scratch, position.
 */
#define HR__WORKER_SAMPLE_BYTES (16u + 2u + 2u + 4u + 8u)
#define HR__WORKER_PLACE_BYTES  2u /* of a subset, besides */
/* Of values of variable length: where each ends, and where it goes. */
#define HR__WORKER_VALUE_BYTES 16u

struct hr__loader_config {
    hr_dataset *ds;
    hr_subset *subset; /* NULL: none; a reference of this configuration, not of its copies */
    struct hr__order_params order_params;
    uint64_t num_samples, num_chunks; /* of the order: those of the subset, where there is one */
    uint32_t num_fields;
    uint32_t *fields;            /* num_fields schema indices, in the consumer's order */
    uint64_t *field_offs;        /* where each begins in a slot; multiples of 256 */
    uint64_t *value_capacities;  /* bytes of a batch's values of variable length; 0: the field
                                  * is of fixed size (batch_values.h) */
    bool has_values;             /* one of them is not 0 */
    struct hr__pad_column *pads; /* one for each field; a mask is a field of its own */
    bool has_pads;
    uint64_t *row_bytes;  /* of each field in a slot; 0 where value_capacities is not */
    uint32_t num_columns; /* room for so many fields */
    uint32_t first_stream, num_streams; /* those of this rank */
    uint32_t stream_batch_samples;      /* B_s */
    uint64_t stream_batch_reciprocal;   /* 2^64 / B_s, rounded up; 0 where B_s is 1 */
    uint32_t local_batch_samples;
    uint32_t slot_samples; /* that fit a slot: fewer where there is only one batch, a short one */
    uint32_t max_held_batches;
    uint64_t seed, first_epoch, num_epochs;
    uint64_t slot_bytes;
    struct hr__finished_fields finish;
    bool host_finishes; /* there is something to finish, and the workers do */
    bool all_fields;    /* the last block is wanted: whole chunks are read */

    uint32_t device;              /* HR_DEVICE_HOST, or a GPU: then */
    uint64_t device_budget_bytes; /* 0: a tenth of its memory */
    bool pageable_allowed;
    struct hr__upload_layout upload; /* its fields are owned */
    uint64_t trace_events;

    hr_io io; /* never HR_IO_AUTO */

    /* Chosen so that all of it fits the budget. */
    uint64_t budget_bytes;
    uint32_t num_threads;
    uint32_t io_depth; /* of all threads together */
    uint64_t num_slots;
    uint32_t num_outs; /* batches that are held, and finished ones that are not yet; on a GPU, its
                        * slots */
    uint64_t io_buffer_bytes;

    /* The same before the budget had its say, and what that would take. */
    uint32_t wanted_threads, wanted_depth;
    uint64_t wanted_slots, ample_bytes;

    bool numa_off;
    bool untimed; /* see hr__loader_open() */
};

/* The caller's options as this version knows them, checked by themselves. HR_ERR_INVALID. */
hr_status hr__loader_options_resolve(const hr_loader_options *opts, hr_loader_options *out,
                                     hr_error *err);

/* Everything but the memory. opts is resolved, io is what the file's back end is. HR_ERR_INVALID,
 * HR_ERR_NOT_FOUND. */
hr_status hr__loader_config_make(hr_dataset *ds, const hr_loader_options *opts, hr_io io,
                                 struct hr__loader_config *out, hr_error *err);
void hr__loader_config_free(struct hr__loader_config *c); /* a zeroed one is fine */

/* loader_io.c: whether the data fit half of what memory is left: then they are read through the
 * page cache, so that a second epoch runs at memory speed; others past it, so that they do not
 * evict the user's own pages. */
bool hr__fits_page_cache(const hr_dataset *ds);

/* Bytes that data set and subset hold: part of a loader's budget, but they count them themselves.
 */
uint64_t hr__loader_shared_bytes(const struct hr__loader_config *c);

/* subset_pieces.c: samples of the chunks that are read for each sample of the subset; where it has
 * many virtual chunks, found from some of them. */
double hr__subset_reading(const struct hr__loader_config *c);

/* hr__order_outline() of the configuration. */
hr_status hr__loader_order_outline(const struct hr__loader_config *c, struct hr__budget *budget,
                                   struct hr__order **out, hr_error *err);

/* Threads, depth and slots for this order within budget_bytes. HR_ERR_BUDGET names the smallest
 * budget that works. */
hr_status hr__loader_config_fit(struct hr__loader_config *c, const struct hr__order *order,
                                hr_error *err);
/* The same, and then the order, whose tables are known to fit. */
hr_status hr__loader_order_fit(struct hr__loader_config *c, struct hr__budget *budget,
                               struct hr__order **out, hr_error *err);

/* Epochs whose order may be in memory at the same time: of each batch that is held, and three more:
 * delivered, admitted, and made ahead. */
uint64_t hr__loader_max_epochs(const struct hr__loader_config *c);

/* Scratch of each worker for a frame whose filter is undone from one place to another, and not by
 * the row stores; 0 where the file has no such frames. */
uint64_t hr__loader_filtered_bytes(const hr_dataset *ds);

/* The ring of slots: for a GPU, with what its checks are read back to, behind the slots. */
uint64_t hr__loader_ring_bytes(const struct hr__loader_config *c);

/* Bytes that a loader of this configuration reserves, and the least that one with this order can.
 */
uint64_t hr__loader_config_bytes(const struct hr__loader_config *c);
hr_status hr__loader_smallest_bytes(const struct hr__loader_config *c, uint32_t window_visits,
                                    uint64_t *out, hr_error *err);
/* For a data set opened with the budget too: from which on every one works, where this one needs
 * smallest_bytes. */
uint64_t hr__loader_smallest_reopen_bytes(const struct hr__loader_config *c,
                                          uint64_t smallest_bytes);
/* The largest window (a multiple of num_streams) whose smallest need fits budget_bytes; 0: none. */
uint32_t hr__loader_largest_window(const struct hr__loader_config *c);

#endif
