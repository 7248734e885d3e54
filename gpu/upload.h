/*
 * Batches on their way to a GPU: the slots on the device, and the events that order the work on
 * them. Who may use a slot when is the business of its owner, the loader:
 *
 *             begin                 deliver              give back
 *      FREE ---------> IN FLIGHT ------------> HELD ------------------> FREE
 *        upload thread  |  consumer's thread    any threads: the consumer and each tensor
 *                       |
 *                       +-- seen: the upload thread knows that the copy is done
 *
 * A slot has the events `begun` and `uploaded`, recorded around an upload on the stream of uploads;
 * `asked`, recorded on the first stream that waits for it; and `released`, each recorded on a
 * consumer's stream behind its work on the slot. The first three exist twice, for one use of the
 * slot and the next, so that times are read when nothing has to be waited for.
 *
 * Invariants
 *  1. The stream of uploads waits for every `released` of a slot before the next copy into it: what
 *     the consumer still reads is not overwritten. Where one could not be recorded, the upload
 *     thread waits for the whole device instead.
 *  2. `uploaded` is recorded before the batch is delivered, and a stream that reads the slot waits
 *     for it first (hr_batch_wait_on).
 *  3. Host memory that is copied from is written again only after the upload thread has seen
 *     `uploaded` of that copy; a slot is free again only after that, and when nobody holds it.
 *  4. Uploads begin and are seen in the order of the batches, by one thread; at most
 *     HR__MOST_FLYING are begun and not seen. So what the check of a batch has found is known when
 *     the second batch after it is delivered.
 *  5. Between open and close nothing is allocated, and nothing waits for the device but the
 *     upload thread, for `uploaded`, and in that rare case of 1.
 *  6. Everything on the device is waited for (drain) before its memory is freed, or host memory
 *     unpinned: also where an event could not be recorded behind a copy or a consumer's work.
 *
 * docs/gpu.md draws it over time.
 */
#ifndef HEADRACE_UPLOAD_H
#define HEADRACE_UPLOAD_H

#include "gpu_module.h"
#include "thread.h"

#define HR__MOST_FLYING 2u

struct hr__upload_field {
    uint64_t row_off, row_bytes; /* of the rows as decoded; the offset is in the slot's rows */
    uint64_t out_off;            /* of what finishing writes, in the slot's output */
    struct hr__finish plan;      /* its tables are in host memory, and copied by open */
    bool works;                  /* the plan writes or checks */
};

/* What a slot has. */
struct hr__upload_layout {
    uint32_t num_slots;
    uint32_t num_fields;
    uint64_t bad_bytes; /* at the front of the rows, num_fields times hr__finish_bad; 0: no check */
    uint64_t rows_bytes, out_bytes; /* multiples of 256 */
    bool keeps_rows; /* a field is delivered from its rows; otherwise all slots share room for them
                      */
    uint64_t table_bytes;            /* of all plans */
    struct hr__upload_field *fields; /* num_fields */
};

struct hr__upload_slot {
    uint8_t *rows, *out; /* on the device */
    void *begun[2], *uploaded[2], *asked[2];
    bool was_asked[2];
    uint32_t turn;   /* which of the two is in use */
    void **released; /* one for each field, one for the batch */
    uint32_t num_released;
    bool unordered;  /* somebody let go of it, and could not record that */
    int64_t took_ns; /* the latest upload; -1: not known */
};

/* What one upload took, as the device saw it. */
struct hr__upload_times {
    int64_t upload_ns;  /* of this one; -1: not known */
    int64_t stalled_ns; /* a stream waited for the one before in this slot; -1: not known */
    int64_t before_ns;  /* what the one before took */
};

struct hr__upload {
    const struct hr__gpu_ops *ops;
    void *gpu;
    struct hr__upload_layout layout; /* with fields of its own, whose tables are on the device */
    uint8_t *memory;                 /* on the device */
    struct hr__upload_slot *slots;
    hr__mutex release; /* consumers record on a slot one after the other */
    bool release_made;
};

/* Memory on the device that this takes. */
uint64_t hr__upload_bytes(const struct hr__upload_layout *l);
/* Memory on the host, but for the caller's ring. */
uint64_t hr__upload_host_bytes(const struct hr__upload_layout *l);

/* By a thread that has entered the GPU; gpu: borrowed until close. HR_ERR_DEVICE_MEMORY,
 * HR_ERR_DEVICE, HR_ERR_NO_MEMORY. */
hr_status hr__upload_open(struct hr__upload *u, const struct hr__gpu_ops *ops, void *gpu,
                          const struct hr__upload_layout *layout, hr_error *err);
/* The same; after a drain. A zeroed one is fine. */
void hr__upload_close(struct hr__upload *u);

/* By the upload thread, of a free slot: puts an upload of num_samples rows on its way. bad: room
 * for num_fields in pinned memory, valid when it was seen; NULL where nothing is checked. */
hr_status hr__upload_begin(struct hr__upload *u, uint32_t slot, const void *rows,
                           uint64_t num_samples, struct hr__finish_bad *bad, hr_error *err);
/* Waits until it is done. */
hr_status hr__upload_see(struct hr__upload *u, uint32_t slot, struct hr__upload_times *times,
                         hr_error *err);

/* By a consumer, of a slot that it holds. */
hr_status hr__upload_await_on(struct hr__upload *u, uint32_t slot, void *stream, hr_error *err);
hr_status hr__upload_release_on(struct hr__upload *u, uint32_t slot, void *stream, hr_error *err);
/* Instead, where that failed and there is nobody to tell. */
void hr__upload_release_unordered(struct hr__upload *u, uint32_t slot);

#endif
