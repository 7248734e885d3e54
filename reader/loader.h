/*
 * A loader at work.
 *
 *   admit (loader_admit.c, loader_turns.c) -> read (loader_io.c) -> decode (visit_decode.c)
 *   -> hand over (loader_handover.c), finish (loader_finish.c) or, with a GPU, upload
 *   (loader_upload.c) -> deliver (loader_deliver.c)
 *
 * All visits of all epochs are one sequence of *items*: item i of an epoch is visit i / num_streams
 * of the rank's stream i mod num_streams; `seq` counts them over the epochs, `number` counts
 * batches over the epochs. Workers take items in this order, and finish them in any. One of them
 * makes the order of the next epoch, which may take its time, while the others go on.
 *
 * Invariants (all under `lock`, but for 5 and 8):
 *  1. an item is admitted only when every batch that it or an item before it writes to has a slot;
 *  2. watermark: every item below it is complete; no item at or above next_seq is admitted;
 *  3. a batch is whole when its need_seq <= watermark; batches become whole, and ready, in order:
 *     next_deliver <= next_ready <= next_begin <= next_whole <= next_assign;
 *  4. a slot is free (no epoch), or has the rows of one batch: filling (numbers next_whole ..
 *     next_assign - 1), whole (next_begin .. next_whole - 1), or with an hr_batch;
 *  5. rows of a filling batch are written by the workers of admitted items only, each row once
 *     and without a lock; the lock taken by hr__item_exchange() publishes them;
 *  6. a failure is set once and ends everything but close;
 *  7. an hr_batch is free, being finished or ready (next_deliver .. next_begin - 1), or delivered
 *     and held: by the consumer, by tensors that were made of it, or because its upload was not
 *     seen yet; it has the slot of its rows for as long as anything is delivered or to be read from
 *     there. On the host and without finishing it is made when it is delivered: next_ready is
 *     next_whole, and next_begin is next_deliver;
 *  8. rows of a batch are finished by workers, each row once and without a lock, into memory of
 *     the hr_batch; the lock taken by hr__finish_part() publishes them;
 *  9. no more than hr__loader_max_epochs() epochs exist: a further one is made only when one has
 *     gone, which one always does without it, as held batches keep at most max_held_batches;
 * 10. with a GPU, hr_batch number i of `outs` has slot i there. Those that are free are used in the
 *     order in which they became so, by the upload thread, whose rules are in upload.h;
 * 11. holds, those of tensors too, may outlive the close of their loader (num_holds): what they
 *     hold then stays, and the last of them frees it;
 * 12. a worker that waits for something to do is woken when there is something: it wakes the next
 *     where there is more, and whoever wakes does so after giving up the lock.
 */
#ifndef HEADRACE_LOADER_INTERNAL_H
#define HEADRACE_LOADER_INTERNAL_H

#include "frame_codec.h"
#include "io_backend.h"
#include "loader_config.h"
#include "loader_counters.h"
#include "loader_trace.h"
#include "numa.h"
#include "ring.h"
#include "row_store.h"
#include "thread.h"
#include "upload.h"

#include <stdatomic.h>
#include <sys/types.h>

/* Items that may be admitted and not complete, or complete above the watermark: several times the
 * reads that can be in flight. */
#define HR__MAX_OUTSTANDING 16384u

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

/* Rows of one batch as they are decoded. */
struct hr__slot {
    uint8_t *base;
    struct hr__epoch *epoch; /* a reference; NULL: free, or the hr_batch has it */
    uint64_t batch;          /* in the epoch */
    uint64_t need_seq;
    uint32_t num_samples;
};

/* A batch as it is finished and held. */
struct hr_batch {
    struct hr_loader *loader;
    struct hr__slot *slot;   /* NULL: given back */
    uint8_t *out;            /* the fields that finishing writes */
    struct hr__epoch *epoch; /* a reference; NULL: free */
    uint64_t batch;          /* in the epoch */
    uint32_t num_samples;
    uint32_t rows_taken, rows_done; /* by the workers that finish them */
    bool finished, delivered;
    bool held;                  /* by the consumer, until hr_batch_release() */
    bool in_flight;             /* its upload has begun, and was not seen */
    uint32_t num_holds;         /* that keep it besides: tensors and */
    uint32_t num_handles;       /* hr_batch_hold(): who has one may do with it as the consumer */
    int64_t upload_began_ns;    /* where it is traced */
    bool bad_known;             /* `bad` is what the check has found */
    struct hr__finish_bad *bad; /* one for each field; NULL: there is no finishing */
};

/* Rows of one batch, for one worker to finish. */
struct hr__finish_part {
    struct hr_batch *batch;
    uint32_t first_row, num_rows;
};

struct hr__item {
    struct hr__epoch *epoch; /* a reference */
    uint64_t seq;
    uint64_t visit;
    uint64_t chunk;  /* of a subset: the virtual one, until its first piece is read */
    uint32_t stream; /* of the order, not of the rank */
};

/* Of a subset, a visit is read in pieces: the samples of its virtual chunk that lie in one chunk.
 */
struct hr__piece {
    uint64_t begin, end;             /* compact numbers of the virtual chunk */
    uint64_t number;                 /* compact: of its first sample */
    uint64_t index;                  /* of its first sample */
    uint64_t chunk_index, chunk_end; /* indices of the chunk's samples */
    uint32_t num_samples;            /* known when it is decoded */
};

/* One read in flight. */
struct hr__read {
    struct hr__item item;
    struct hr__piece piece; /* of a subset */
    struct hr__chunk_at at;
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
    uint16_t *places; /* of a subset: in the chunk */
    uint32_t *scratch;
    uint64_t *positions;
    uint64_t *ends;              /* of the values of the field at work; NULL: no field has any */
    uint8_t **value_rows;        /* and where each goes; NULL: nowhere */
    struct hr__finish_part part; /* being finished */
    struct hr__finish_bad *bad;  /* found in it, one for each field */
    bool timed;                  /* the scatter of the visit being decoded is */
    int64_t scatter_ns;          /* of all visits that were */
    struct hr__trace trace;
    struct hr__counters counters;
    uint8_t apart[64]; /* the next worker's fields lie in another cache line than the counters */
};

/* Who is to be woken, by the thread that has the lock, once it has given it up. */
struct hr__wakes {
    bool batch_ready, may_upload, all_workers;
    uint32_t num_workers;
};

/* loader_place.c: where workers and memory are. Fixed before the workers start, but for os_errno.
 */
struct hr__placement {
    struct hr__numa *numa; /* NULL: anywhere */
    uint32_t *node_of;     /* [worker]: index in numa */
    uint32_t num_nodes;    /* with workers; 1: anywhere */
    bool ring_interleaved;
    bool beside_gpu; /* what is uploaded from lies on gpu_node */
    uint32_t gpu_node;
    _Atomic int os_errno; /* what the system refused; 0: nothing */
};

/* Where the upload thread's time goes. Under the lock of the loader. */
enum hr__upload_wait { HR__UPLOAD_WORKS, HR__UPLOAD_BATCH, HR__UPLOAD_SLOT, HR__UPLOAD_DEVICE };
struct hr__upload_counters {
    enum hr__upload_wait waits_for; /* now, */
    int64_t since_ns;               /* since then */
    int64_t began_ns;               /* of the thread; 0: not yet */
    int64_t wait_batch_ns;          /* no batch was whole */
    int64_t wait_slot_ns;           /* a batch was whole, and no slot free */
    int64_t wait_device_ns; /* for uploads: while they ran, or waited for the consumer's work */
    int64_t upload_ns;      /* the device uploaded and finished */
    int64_t exposed_ns;     /* of uploads that a stream's wait is known of: it waited for them */
    int64_t known_ns;       /* what these took */
    int64_t stalled_ns;     /* streams waited for batches that they had */
    uint64_t uploads, uploaded_bytes;
};

/* The GPU, where there is one (loader_gpu.c). */
struct hr__loader_gpu {
    const struct hr__gpu_ops *ops; /* NULL: batches end on the host */
    void *gpu;
    struct hr__gpu_info info;
    struct hr__upload upload;
    bool pinned;
    struct hr__thread thread; /* of uploads */
    hr__cond may_upload;
    bool may_upload_made;
    struct hr_batch *flying[HR__MOST_FLYING]; /* begun and not seen, the oldest first */
    uint32_t num_flying;
    uint64_t next_seen; /* batches below this number have arrived */
    struct hr__upload_counters counters;
    struct hr__trace trace; /* of that thread */
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
    uint8_t *ring;
    size_t ring_bytes;
    struct hr__placement placement;
    struct hr__slot *slots;
    uint32_t *free_slots; /* a stack */
    struct hr__slot *
        *by_number;  /* [number mod num_slots]: the slot of a batch that has not begun */
    uint8_t **bases; /* and its buffer */

    uint8_t *out_memory; /* num_outs times out_bytes; NULL: nothing is written by finishing */
    size_t out_memory_bytes;
    struct hr_batch *outs;
    struct hr__finish_bad *bad; /* of all outs */
    uint32_t *free_outs;        /* a queue */
    uint32_t first_free_out, num_free_outs;
    struct hr_batch **begun;  /* [number mod num_outs]: a batch begun and not delivered */
    struct hr_batch *taking;  /* not all of its rows are taken; NULL: none */
    uint32_t part_rows;       /* that a worker takes at once */
    hr_bad_values *bad_found; /* in batches delivered, one for each field */
    uint64_t last_bad_epoch, last_bad_batch; /* the last of them with any; UINT64_MAX: none */

    uint64_t num_batches; /* of an epoch */
    uint64_t num_samples; /* of the first epoch, for this rank */
    uint32_t num_workers;
    struct hr__worker *workers;
    struct hr__ranges ranges;
    uint8_t apart[64]; /* what every visit reads lies in other cache lines than what it changes */

    hr__mutex lock;
    hr__cond batch_ready, may_admit;
    bool lock_made, ready_made, admit_made;
    bool stopping;
    hr_error failure; /* status HR_OK: none */
    struct hr__wakes wakes;
    uint32_t num_waiting, num_woken; /* workers in may_admit; of these, on their way out of it */

    struct hr__epoch *admit_epoch; /* the one being admitted; NULL: all are */
    struct hr__epoch *next_epoch;  /* made ahead; NULL: not yet, or there is none */
    bool making_epoch;             /* next_epoch is being made, without the lock */
    uint64_t epochs_made;          /* since open */
    uint64_t epochs_alive;         /* of these, and of the one being made */
    uint64_t next_item;            /* in admit_epoch */
    uint64_t next_seq, watermark;
    uint64_t num_unfinished; /* items that are admitted and not complete */
    uint64_t num_free_slots;
    uint64_t next_assign, next_whole, next_begin, next_ready, next_deliver; /* batch numbers */
    uint8_t *complete;   /* [seq mod HR__MAX_OUTSTANDING] */
    bool epoch_end_told; /* HR_END_OF_EPOCH was returned for the batches before next_deliver */
    uint32_t num_held;   /* batches, by the consumer or by holds */
    uint64_t num_holds;  /* of all batches */
    bool closed;

    struct hr__loader_gpu gpu;

    int64_t opened_ns;
    int64_t first_batch_ns;
    int64_t wait_batch_ns, wait_first_ns; /* the second: of them, until the first batch */
    int64_t next_began_ns, next_ended_ns; /* of hr_loader_next(); began 0: nobody is in it */
    uint64_t batches_delivered, samples_delivered;
    uint64_t values_delivered_bytes; /* of variable length */
    struct hr__trace next_trace;     /* of hr_loader_next() */
};

/* What benchmarks and tests open loaders with; zeroed: as hr_loader_open() does. */
struct hr__loader_setup {
    bool untimed;      /* the hot path never looks at the clock, to see what that costs */
    const char *sysfs; /* in the place of /sys: for machines that are not there */
    const struct hr__gpu_ops *gpu; /* in the place of the CUDA module */
};
hr_status hr__loader_open(hr_dataset *ds, const hr_loader_options *opts,
                          const struct hr__loader_setup *setup, hr_loader **out, hr_error *err);

/* loader_deliver.c: this process was forked from the loader's. */
bool hr__loader_forked(const struct hr_loader *l);
hr_status hr__loader_check_fork(const struct hr_loader *l, hr_error *err); /* HR_ERR_FORKED */

/* loader.c: what is left of a closed loader, when its last tensor has gone. */
void hr__loader_free(struct hr_loader *l);

/* loader_admit.c: which item comes next, and what its completion makes ready. With the lock held,
 * but for the first. */
enum hr__admission { HR__ADMITTED, HR__ADMIT_FINISH, HR__ADMIT_LATER, HR__ADMIT_NO_MORE };
hr_status hr__admit_begin(struct hr_loader *l, uint64_t epoch, uint64_t first_batch, hr_error *err);
/* Goes on to an item that can be taken now, and gives its batches slots. */
enum hr__admission hr__item_find(struct hr_loader *l);
/* The item that was found, but for its chunk, which is looked up without the lock. */
struct hr__item hr__item_take(struct hr_loader *l);
void hr__item_complete(struct hr_loader *l, struct hr__item *item);
bool hr__more_epochs(const struct hr_loader *l); /* to be made */
bool hr__next_epoch_due(const struct hr_loader *l);
/* Gives up the lock meanwhile: where there are many short chunks, an epoch takes milliseconds. */
void hr__next_epoch_make(struct hr_loader *l);
void hr__epoch_release(struct hr__epoch *e);

/* loader_turns.c: whose turn it is. The first two take the lock, the others are called with it.
 *
 * Something to do for a worker that has num_mine items. HR__ADMIT_FINISH: rows to finish first, in
 * w->part; HR__ADMITTED: an item in *out. HR__ADMIT_LATER: there is nothing yet, or the others are
 * to take it; a worker that has no items waits instead. */
enum hr__admission hr__admit_next(struct hr__worker *w, uint32_t num_mine, struct hr__item *out);
/* Completes *item, and puts the next for its worker, which has num_mine besides, in its place. Does
 * not wait. */
enum hr__admission hr__item_exchange(struct hr__worker *w, uint32_t num_mine,
                                     struct hr__item *item);
void hr__wake_one(struct hr_loader *l);      /* a worker, if one waits */
void hr__admit_others(struct hr_loader *l);  /* the same, if there is something to do */
void hr__loader_unlock(struct hr_loader *l); /* gives up the lock, then wakes */
void hr__loader_wake(struct hr_loader *l);   /* with the lock: before it waits for something */
void hr__loader_fail(struct hr_loader *l, hr_status status, const hr_error *err);

/* loader_place.c */
void hr__loader_place(struct hr_loader *l, const char *sysfs);
void hr__loader_unplace(struct hr_loader *l);
/* Memory of batches, just made: the ring, and where finishing writes. */
void hr__batches_place(struct hr_loader *l, void *memory, size_t n_bytes);
hr_status hr__workers_open(struct hr_loader *l, hr_error *err); /* hr__worker_open() of each */
void hr__worker_place(struct hr__worker *w);                    /* by its own thread, first */

/* loader_handover.c: from a whole batch in its slot to one that is held. With the lock held. */
hr_status hr__outs_make(struct hr_loader *l, hr_error *err); /* makes and frees without it */
void hr__outs_free(struct hr_loader *l);
/* The next whole batch becomes an hr_batch; there is a free one. */
struct hr_batch *hr__batch_begin(struct hr_loader *l);
/* next_whole has risen. */
void hr__batches_whole(struct hr_loader *l);
/* b is finished; batches become ready as far as they follow each other. */
void hr__batch_finished(struct hr_batch *b);
/* Its rows are read no more: their slot goes back to the ring. */
void hr__batch_drop_rows(struct hr_batch *b);
/* Free, if nobody holds it any more. */
void hr__batch_settle(struct hr_batch *b);
/* The consumer itself holds the batch no more; nothing where that is so already. */
void hr__batch_give_back(struct hr_batch *b);

/* loader_hold.c: a tensor more keeps the batch; HR_ERR_INVALID: it was released. And one less. */
hr_status hr__tensor_hold(struct hr_batch *b, hr_error *err);
void hr__tensor_let_go(struct hr_batch *b);
/* The loader is closed, and something of it is held. Gives back the memory of the
 * batches that are not. */
void hr__loader_shrink(struct hr_loader *l);

/* loader_finish.c: workers finish whole batches; take and pending with the lock held. */
uint32_t hr__finish_part_rows(const struct hr__loader_config *c);
bool hr__finish_take(struct hr_loader *l, struct hr__finish_part *out); /* false: nothing can be */
bool hr__finish_ready(const struct hr_loader *l);                       /* something can be taken */
bool hr__finish_pending(const struct hr_loader *l); /* there will be something to finish */
void hr__finish_part(struct hr__worker *w);         /* w->part, which it has taken */

/* batch_bad.c: what the check of a batch found, added to what the loader knows. With the lock. */
hr_status hr__bad_make(struct hr_loader *l, hr_error *err);
/* Of a batch that is delivered, and whose check is known: once. */
void hr__bad_count(struct hr_loader *l, const struct hr_batch *b);
uint64_t hr__batch_sample(const struct hr_batch *b, uint64_t row); /* its index in the data set */

/* loader_progress.c: how far the consumer is. Takes the lock for a few assignments. */
struct hr__loader_progress {
    uint64_t epoch, batch;         /* the epoch, and batches of it that were delivered */
    uint64_t batches_delivered;    /* since open */
    uint64_t bad_epoch, bad_batch; /* the last with values that are not finite */
    uint32_t rank, world_size;
};
void hr__loader_progress(struct hr_loader *l, struct hr__loader_progress *out);

/* loader_gpu.c: the GPU of a loader, from open to close. */
hr_status hr__gpu_open(struct hr_loader *l, const struct hr__gpu_ops *ops, hr_error *err);
hr_status hr__gpu_prepare(struct hr_loader *l, hr_error *err); /* when the ring is there */
hr_status hr__gpu_start(struct hr_loader *l, hr_error *err);   /* its thread */
/* Runs a function in a thread that has the GPU as its current device, and waits for it. */
hr_status hr__gpu_apart(struct hr_loader *l, hr_status (*run)(void *arg, hr_error *err), void *arg,
                        hr_error *err);
/* Its thread has ended. Waits for all that is on the device, and unpins the ring. */
void hr__gpu_stop(struct hr_loader *l);
void hr__gpu_close(struct hr_loader *l);

/* loader_upload.c */
void *hr__upload_run(void *loader); /* the thread */
/* Adds the wait that it is in, up to now. */
void hr__upload_count_wait(struct hr__upload_counters *c, int64_t now_ns);

/* loader_worker.c */
hr_status hr__worker_open(struct hr__worker *w, struct hr_loader *l, uint32_t depth, hr_error *err);
hr_status hr__worker_queue_open(struct hr__worker *w, hr_error *err);
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

/* loader_info.c: decoded bytes of a sample, over the fields wanted of fixed size; and of all that
 * was delivered. */
uint64_t hr__wanted_sample_bytes(const struct hr__loader_config *c);
uint64_t hr__delivered_bytes(const struct hr_loader *l);

/* subset_pieces.c: the first piece of a visit, whose r->item.chunk is the virtual chunk; and the
 * next, false: that was the last. r->item.chunk becomes the chunk to read. */
void hr__piece_first(const struct hr_loader *l, struct hr__read *r);
bool hr__piece_next(const struct hr_loader *l, struct hr__read *r);
/* The places in the chunk of the piece's samples, at least 1; returns how many. */
uint32_t hr__piece_samples(const struct hr_loader *l, struct hr__read *r, uint16_t *samples);

/* visit_aim.c: w->targets, where the rows of a visit go; of a subset, those of the piece. */
void hr__visit_aim(struct hr__worker *w, struct hr__read *r);

/* visit_decode.c: one chunk in memory into the batches. */
hr_status hr__visit_decode(struct hr__worker *w, struct hr__read *r, hr_error *err);

/* loader_state.c */
void hr__state_encode(const struct hr_loader *l, uint64_t epoch, uint64_t batch,
                      uint8_t out[HR_LOADER_STATE_BYTES]);
hr_status hr__state_decode(const struct hr_loader *l, const void *state, size_t n_bytes,
                           uint64_t *epoch, uint64_t *batch, hr_error *err);

#endif
