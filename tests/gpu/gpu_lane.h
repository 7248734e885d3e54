/*
 * A consumer: a stream on which each batch is copied back, late, and released behind that, without
 * waiting; and checked byte by byte when the stream has been waited for. What overwrote a batch too
 * early, or delivered it too early, is seen then.
 */
#ifndef HEADRACE_GPU_LANE_H
#define HEADRACE_GPU_LANE_H

#include "gpu_case.h"
#include "made_dataset.h"

#define LANE_DEPTH 8u /* more than there are slots */

struct lane_batch {
    uint32_t num_samples;
    uint8_t *y, *x, *w; /* in `memory` */
    uint8_t *memory;    /* registered */
    uint64_t *indices;
};

struct lane {
    const struct made *made;
    cudaStream_t stream;
    bool own_stream;
    uint32_t most_us; /* that work on the stream is late */
    uint64_t random;
    struct lane_batch batches[LANE_DEPTH];
    uint32_t num_queued;
    uint64_t num_samples; /* checked */
};

/* stream: the lane makes its own where it is NULL and own_stream is set. */
void lane_open(struct lane *l, const struct made *m, uint32_t batch_samples, cudaStream_t stream,
               bool own_stream, uint64_t seed);
void lane_close(struct lane *l);

/* Takes the next batch of a loader, and queues its check. */
hr_status lane_take(struct lane *l, hr_loader *loader, hr_error *err);
/* Queues the check of a batch, and releases it. */
void lane_use(struct lane *l, hr_batch *b);
/* Waits for the stream, and checks all that is queued. */
void lane_settle(struct lane *l);
/* Takes batches until the epoch ends; how many samples came. */
uint64_t lane_epoch(struct lane *l, hr_loader *loader);

/* A loader on the first GPU, which must open. */
hr_loader *lane_loader(hr_dataset *ds, const hr_loader_options *o);

#endif
