/*
 * A loader at work.
 *
 *   admit (loader_admit.c) -> read (loader_io.c) -> decode (visit_decode.c) -> complete -> deliver
 *
 * All visits of all epochs are one sequence of *items*: item i of an epoch is visit i / num_streams
 * of the rank's stream i mod num_streams; `seq` counts them over the epochs, `number` counts
 * batches over the epochs. Workers take items in this order, and finish them in any. One of them
 * makes the order of the next epoch, which may take its time, while the others go on.
 *
 * Invariants (all under `lock`, but for 5):
 *  1. an item is admitted only when every batch that it or an item before it writes to has a slot;
 *  2. watermark: every item below it is complete; no item at or above next_seq is admitted;
 *  3. a batch is ready when its need_seq <= watermark; batches become ready in order;
 *  4. a slot is in one state: free, filling (numbers next_ready .. next_assign - 1), ready
 *     (next_deliver .. next_ready - 1), or held by the consumer;
 *  5. rows of a filling batch are written by the workers of admitted items only, each row once,
 * with no lock; the lock taken by complete() publishes them;
 *  6. a failure is set once and ends everything but close;
 *  7. no more than hr__loader_max_epochs() epochs exist: a further one is made only when one has
 *  gone, which one always does without it, as held batches keep at most max_held_batches of them.
 */
#ifndef HEADRACE_LOADER_INTERNAL_H
#define HEADRACE_LOADER_INTERNAL_H

#include "device.h"
#include "frame_codec.h"
#include "io_backend.h"
#include "loader_config.h"
#include "loader_counters.h"
#include "row_store.h"
#include "thread.h"

#include <stdatomic.h>
#include <sys/types.h>

/* Items that may be admitted and not complete, or complete above the watermark. */
#define HR__MAX_OUTSTANDING 4096u

struct hr__epoch { /* freed when nobody refers to it */
    struct hr_loader *loader;
    struct hr__order_epoch *order;
    uint64_t epoch;
    uint64_t num_items;
    uint64_t first_number; /* of batch 0 */
    uint64_t first_seq;    /* of item 0; known when it is admitted from */
    uint64_t first_batch;  /* batches before it were delivered before a resume */
    uint32_t refs;
};

enum hr__slot_state { HR__SLOT_FREE = 0, HR__SLOT_FILLING, HR__SLOT_HELD };

struct hr_batch {
    struct hr_loader *loader;
    uint8_t *base;
    struct hr__epoch *epoch; /* a reference, unless free */
    uint64_t batch;          /* in the epoch */
    uint64_t need_seq;
    uint32_t num_samples;
    enum hr__slot_state state;
};

struct hr__item {
    struct hr__epoch *epoch; /* a reference */
    uint64_t seq;
    uint64_t visit;
    uint64_t chunk;
    uint32_t stream; /* of the order, not of the rank */
};

/* One read in flight. */
struct hr__read {
    struct hr__item item;
    struct hr__index_entry entry;
    uint8_t *buf;
    uint64_t off;     /* of the first byte in buf, widened to the alignment */
    uint64_t skip;    /* from there to the chunk */
    uint64_t n_bytes; /* of the chunk that were asked for */
    int64_t submitted_ns;
};

struct hr__worker {
    struct hr_loader *loader;
    struct hr__thread thread;
    struct hr__io_queue queue;
    struct hr__index_cache index;
    struct hr__frame_decoder decoder;
    uint32_t depth, num_free; /* reads of this worker */
    struct hr__read *reads;
    uint32_t *free_reads;
    uint8_t *buffers;  /* depth x io_buffer_bytes */
    uint8_t *decoded;  /* HR__MAX_FRAME_BYTES, and the slack of row stores */
    uint8_t *filtered; /* hr__loader_filtered_bytes(); may be NULL */
    /* Of the visit that is decoded now; room for all samples of a chunk. */
    struct hr__row_target *targets; /* num_targets */
    uint32_t num_targets;
    uint16_t *picks; /* numbers of targets, by group of frames */
    uint16_t *samples;
    uint32_t *scratch;
    uint64_t *positions;
    bool timed;         /* the scatter of the visit being decoded is */
    int64_t scatter_ns; /* of all visits that were */
    struct hr__counters counters;
    uint8_t apart[64]; /* the next worker's fields lie in another cache line than the counters */
};

struct hr_loader {
    struct hr__loader_config config;
    struct hr__budget budget;       /* reserved whole at open */
    struct hr__budget order_budget; /* tables of order and epochs: part of what is reserved */
    struct hr__order *order;
    hr_dataset *ds;
    pid_t pid;
    struct hr__io_backend io;
    _Atomic uint64_t prefix_bytes; /* of a chunk that hold the fields wanted, as seen so far */

    const struct hr__row_store *row_store;
    struct hr__device device;
    uint8_t *ring;
    size_t ring_bytes;
    struct hr_batch *slots;
    uint32_t *free_slots; /* a stack */
    uint64_t num_free_slots;
    struct hr_batch **by_number; /* [number mod num_slots]: the slot of an undelivered batch */
    uint8_t **bases;             /* and its buffer */

    hr__mutex lock;
    hr__cond batch_ready, may_admit;
    bool lock_made, ready_made, admit_made;
    bool stopping;
    hr_error failure; /* status HR_OK: none */

    struct hr__epoch *admit_epoch; /* the one being admitted; NULL: all are */
    struct hr__epoch *next_epoch;  /* made ahead; NULL: not yet, or there is none */
    bool making_epoch;             /* next_epoch is being made, without the lock */
    uint64_t epochs_made;          /* since open */
    uint64_t epochs_alive;         /* of these, and of the one being made */
    uint64_t num_batches;          /* of an epoch */
    uint64_t num_samples;          /* of the first epoch, for this rank */
    uint64_t next_item;            /* in admit_epoch */
    uint64_t next_seq, watermark;
    uint64_t next_assign, next_ready, next_deliver; /* batch numbers */
    uint8_t *complete;                              /* [seq mod HR__MAX_OUTSTANDING] */
    bool epoch_end_told; /* HR_END_OF_EPOCH was returned for the batches before next_deliver */
    uint32_t num_held;

    int64_t opened_ns;
    int64_t first_batch_ns;
    int64_t wait_batch_ns, wait_first_ns; /* the second: of them, until the first batch */
    int64_t next_began_ns, next_ended_ns; /* of hr_loader_next(); began 0: nobody is in it */
    uint64_t batches_delivered, samples_delivered;

    uint32_t num_workers;
    struct hr__worker *workers;
};

/* hr_loader_open(); untimed: the hot path never looks at the clock, so that a benchmark can say
 * what that costs. */
hr_status hr__loader_open(hr_dataset *ds, const hr_loader_options *opts, bool untimed,
                          hr_loader **out, hr_error *err);

/* loader_admit.c: which item comes next, and what its completion makes ready. */
enum hr__admission { HR__ADMITTED, HR__ADMIT_LATER, HR__ADMIT_NO_MORE };
hr_status hr__admit_begin(struct hr_loader *l, uint64_t epoch, uint64_t first_batch, hr_error *err);
/* wait: block until an item can be admitted or there are no more. */
enum hr__admission hr__admit_next(struct hr_loader *l, bool wait, struct hr__item *out,
                                  struct hr__counters *counters);
void hr__item_complete(struct hr_loader *l, struct hr__item *item);
void hr__loader_fail(struct hr_loader *l, hr_status status, const hr_error *err);
void hr__epoch_release(struct hr__epoch *e);

/* loader_worker.c */
hr_status hr__worker_open(struct hr__worker *w, struct hr_loader *l, uint32_t depth, hr_error *err);
void hr__worker_close(struct hr__worker *w);
void *hr__worker_run(void *worker);
int64_t hr__worker_clock(const struct hr__worker *w); /* 0 where the loader takes no time */

/* loader_io.c: how bytes are read, and one visit's read. */
hr_status hr__loader_io_choose(const hr_dataset *ds, hr_io asked, struct hr__io_backend *out,
                               hr_error *err);
hr_status hr__read_submit(struct hr__worker *w, struct hr__read *r, uint32_t number, hr_error *err);
/* Whole bytes of the chunk from *chunk on, at least n_bytes; reads more where the first read did
 * not bring them. */
hr_status hr__read_check(const struct hr__worker *w, const struct hr__read *r, int64_t result,
                         hr_error *err);
hr_status hr__read_extend(struct hr__worker *w, struct hr__read *r, uint64_t n_bytes,
                          hr_error *err);

/* loader_info.c: decoded bytes of a sample, over the fields wanted. */
uint64_t hr__wanted_sample_bytes(const struct hr__loader_config *c);

/* visit_aim.c: w->targets, where the rows of a visit go. */
void hr__visit_aim(struct hr__worker *w, const struct hr__item *item);

/* visit_decode.c: one chunk in memory into the batches. */
hr_status hr__visit_decode(struct hr__worker *w, struct hr__read *r, hr_error *err);

/* loader_state.c */
void hr__state_encode(const struct hr_loader *l, uint64_t epoch, uint64_t batch,
                      uint8_t out[HR_LOADER_STATE_BYTES]);
hr_status hr__state_decode(const struct hr_loader *l, const void *state, size_t n_bytes,
                           uint64_t *epoch, uint64_t *batch, hr_error *err);

#endif
