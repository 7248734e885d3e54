/*
 * Loaders: a data set and an order become a stream of batches, in host memory or on a GPU.
 */
#ifndef HEADRACE_LOADER_H
#define HEADRACE_LOADER_H

#include "dataset.h"
#include "finish.h"
#include "pad.h"
#include "subset.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct hr_loader hr_loader;
typedef struct hr_batch hr_batch;

/** Bits of hr_loader_options.flags. Unknown bits are refused. */
#define HR_LOADER_SHUFFLE   1u /**< order interleaved/1; otherwise sequential/1 */
#define HR_LOADER_DROP_LAST 2u /**< leave out the last short batch of an epoch */
#define HR_LOADER_PAD_LAST  4u /**< fill it up with samples again, see hr_batch_num_padding() */
#define HR_LOADER_NUMA_OFF                                                                         \
    8u /**< threads and memory are placed by the system alone, also where                          \
        * the machine has several nodes (docs/architecture.md) */
#define HR_LOADER_PAGEABLE                                                                         \
    16u /**< where memory cannot be pinned, upload all the same, more slowly */

/** Values of hr_loader_options.device: ordinary memory, or the GPU that CUDA counts so. */
#define HR_DEVICE_HOST        0u
#define HR_DEVICE_CUDA(index) (0x100u + (uint32_t)(index))

/** Options of hr_loader_open(). Zero means default. */
typedef struct hr_loader_options {
    uint32_t struct_bytes;
    uint32_t flags;
    uint32_t batch_samples;    /**< global batch size; required, 1 or more */
    uint32_t window_visits;    /**< W; 0: the default of docs/order.md */
    uint64_t seed;             /**< of the shuffled order */
    uint64_t first_epoch;      /**< the epoch to begin with */
    uint64_t num_epochs;       /**< counted from the epoch that the loader begins with, that of
                                * resume_state included; 0: no end; nothing is read past the last */
    uint32_t num_streams;      /**< 0: world_size */
    uint32_t rank;             /**< 0 .. world_size - 1 */
    uint32_t world_size;       /**< 0: 1; must divide num_streams */
    uint32_t max_held_batches; /**< batches a consumer holds at the same time; 0: 2 */
    uint64_t budget_bytes;     /**< 0: see hr_default_budget() */
    uint32_t num_threads;      /**< decode workers, at most 1,024; 0: one per core */
    hr_io io;                  /**< how to read; HR_IO_AUTO by default */
    const char *const *fields; /**< names of the fields wanted, in this order; NULL, or num_fields
                                * 0: all */
    uint32_t num_fields;       /**< entries of fields */
    uint32_t io_depth;         /**< reads in flight at most, of all threads together, and reading
                                * threads (up to 64) where io comes to HR_IO_THREADS; 0: 64 direct,
                                * or 8 for each thread where that is more, 4 for each thread
                                * cached, 16 by threads; raised to 2 for each decode worker, lowered
                                * where the budget is small */
    const void *resume_state;  /**< from hr_loader_state(), or NULL; sets epoch and next batch */
    size_t resume_state_bytes;
    hr_subset *subset; /**< deliver these samples of the data set only (docs/order.md, 9); NULL:
                        * all. The loader holds it: hr_subset_free() may come at any time */
    const hr_finish *finish; /**< what is done to the values of fields; all of one struct_bytes */
    uint32_t num_finish;     /**< entries of finish, one for each field at most */
    uint32_t device;         /**< where batches end: HR_DEVICE_HOST, or HR_DEVICE_CUDA(...), for
                              * which there is one thread more, that uploads (gpu.h) */
    uint32_t device_slots;   /**< batches that the GPU has room for: max_held_batches + 1 or more;
                              * 0: 3, or that */
    uint64_t device_budget_bytes; /**< of the GPU's memory; 0: a tenth of it */
    uint64_t
        trace_events; /**< events that are kept of each thread (trace.h); 0: nothing is traced */
    uint64_t max_value_bytes; /**< of each field of variable length, that the values of a batch of
                               * this rank may have together; 0: batch samples x the longest value.
                               * A batch that needs more is an error */
    const hr_pad *pads;       /**< fields that are padded to one length; all of one struct_bytes */
    uint32_t num_pads;        /**< entries of pads, at most 4,096 */
    uint32_t reserved;        /**< 0 */
} hr_loader_options;
#define HR_LOADER_OPTIONS_INIT                                                                     \
    {                                                                                              \
        sizeof(hr_loader_options), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, HR_IO_AUTO, NULL, 0, 0,     \
            NULL, 0, NULL, NULL, 0, HR_DEVICE_HOST, 0, 0, 0, 0, NULL, 0, 0                         \
    }

/**
 * Open a loader. Blocks briefly; allocates all its memory, starts its threads, and begins to read.
 *
 * @param ds    must outlive the loader
 * @param opts  batch_samples is required; copied, with all that it points to (resume_state, names,
 *              finish and its factors, pads)
 * @param out   the loader on HR_OK, else NULL; release with hr_loader_close()
 * @return HR_OK, HR_ERR_INVALID (also where no batch would come), HR_ERR_BUDGET (the message names
 *         the smallest budget that works, and the largest window that this one allows),
 *         HR_ERR_NOT_FOUND (no such field), HR_ERR_CORRUPT (a damaged state), HR_ERR_MISMATCH (the
 *         state belongs to other data or another order, the subset to other data),
 *         HR_ERR_NO_MEMORY, HR_ERR_IO, HR_ERR_UNSUPPORTED; with a device: HR_ERR_NO_DEVICE_MODULE,
 *         HR_ERR_NO_DRIVER, HR_ERR_DRIVER_TOO_OLD, HR_ERR_NO_DEVICE, HR_ERR_DEVICE_MEMORY (the
 *         message says what would fit), HR_ERR_DEVICE
 * Threads: any. Fork: a loader belongs to the process that opened it.
 * @since 0.1
 */
HR_API HR_NODISCARD hr_status hr_loader_open(hr_dataset *ds, const hr_loader_options *opts,
                                             hr_loader **out, hr_error *err);

/**
 * The next batch, in order. Blocks up to timeout_ns.
 *
 * @param timeout_ns  -1: wait for ever; 0: only what is ready
 * @param out         the batch on HR_OK, else NULL; it is the caller's, and may be written to,
 *                    until hr_batch_release()
 * @return HR_OK; HR_TIMEOUT (nothing is lost, call again); HR_END_OF_EPOCH (once at each end, the
 *         next call begins the next epoch; after the last epoch, for ever); HR_ERR_BUSY (the caller
 *         holds max_held_batches already: release one); HR_ERR_FORKED; or the first failure of the
 *         loader, which every later call repeats: HR_ERR_IO, HR_ERR_CORRUPT, HR_ERR_UNSUPPORTED,
 *         HR_ERR_NO_MEMORY, HR_ERR_DEVICE, HR_ERR_BUDGET (values of variable length that exceed
 *         max_value_bytes: the message names field, batch, and what to do), HR_ERR_DATA (one that
 *         is longer than its field is padded to)
 * Threads: any, one call at a time is served. Fork: HR_ERR_FORKED in a child.
 * @since 0.1
 */
HR_API HR_NODISCARD hr_status hr_loader_next(hr_loader *loader, int64_t timeout_ns, hr_batch **out,
                                             hr_error *err);

/**
 * Close a loader at any time; NULL is fine. Waits until no I/O is in flight and its threads have
 * ended, with a GPU also for the work that is on it, then frees everything; batches not yet
 * released become invalid. Memory that a DLPack tensor holds stays until its deleter is called.
 * Threads: no other call on the loader or its batches may be in progress. Fork: does nothing in a
 * child. @since 0.1
 */
HR_API void hr_loader_close(hr_loader *loader);

/** Bytes of a state of this version. */
#define HR_LOADER_STATE_BYTES 256

/**
 * The loader's place: what comes after the batches that hr_loader_next() has returned. A loader
 * opened with it on the same data and order goes on with the very next batch, whatever its threads,
 * budget, rank and world size (num_streams must be the same).
 *
 * @param state           capacity_bytes of the caller's; HR_LOADER_STATE_BYTES are enough
 * @param state_bytes     set to the bytes that a state takes, also where capacity_bytes are too few
 * @return HR_OK, HR_ERR_INVALID (capacity_bytes are too few), HR_ERR_FORKED
 * Threads: any. Fork: HR_ERR_FORKED in a child. @since 0.1
 */
HR_API HR_NODISCARD hr_status hr_loader_state(hr_loader *loader, void *state, size_t capacity_bytes,
                                              size_t *state_bytes, hr_error *err);

/**
 * The place before batch `number` of an epoch, as a state that hr_loader_state() would have given
 * there: for loops that know how many batches they have done, where others are on their way.
 *
 * @param number  at most batches_per_epoch: that is the place where the end of the epoch is still
 *                to be told
 * @param state, capacity_bytes, state_bytes  as for hr_loader_state()
 * @return HR_OK, HR_ERR_INVALID, HR_ERR_FORKED
 * Threads: any. Does not block. Fork: HR_ERR_FORKED in a child. @since 0.1
 */
HR_API HR_NODISCARD hr_status hr_loader_state_at(hr_loader *loader, uint64_t epoch, uint64_t number,
                                                 void *state, size_t capacity_bytes,
                                                 size_t *state_bytes, hr_error *err);

/** What a loader does, needs and has done. */
typedef struct hr_loader_info {
    uint32_t struct_bytes;  /**< set by the caller */
    uint32_t window_visits; /**< W in use */
    uint32_t num_streams;
    uint32_t num_threads;
    uint32_t batch_samples;       /**< global */
    uint32_t local_batch_samples; /**< this rank's share */
    hr_io io;                     /**< as chosen, never HR_IO_AUTO */
    uint32_t io_depth;            /**< reads in flight at most */
    char io_backend[32];          /**< "io_uring", "libaio", "page cache" or "threads" */
    uint64_t batches_per_epoch;
    uint64_t samples_per_epoch; /**< delivered to this rank, padding included */
    uint64_t dropped_samples;   /**< of all ranks, in each epoch */
    uint64_t budget_bytes;      /**< the contract */
    uint64_t reserved_bytes;    /**< of it, in use from open to close */
    uint64_t ring_bytes;        /**< of these, batch buffers, those of finished fields too */
    double inflation;           /**< expected mixing, see docs/order.md; 1 is a true shuffle */
    uint64_t batches_delivered;
    uint64_t samples_delivered;
    uint64_t delivered_bytes; /**< decoded */
    uint64_t read_bytes;      /**< stored bytes read */
    int64_t wait_io_ns;       /**< summed over workers: waiting for reads */
    int64_t decode_ns;        /**< summed over workers: decoding and placing rows */
    int64_t
        wait_consumer_ns;   /**< summed over workers: no free batch, so waiting for the consumer */
    int64_t wait_batch_ns;  /**< in hr_loader_next(), waiting for a batch */
    int64_t first_batch_ns; /**< from open until the first batch was ready; -1: not yet */
    uint32_t num_read_threads; /**< that only read; 0 but for HR_IO_THREADS */
    uint32_t reserved;         /**< 0 */
    uint64_t padded_samples;   /**< of all ranks, in each epoch: delivered once more */
    uint32_t num_nodes;        /**< NUMA nodes that the decode workers are spread over; 1: they run
                                * where the system puts them */
    uint32_t ring_interleaved; /**< 1: the batches lie on these nodes in turn */
    int32_t numa_os_errno;     /**< what the system answered when it refused to place threads or
                                * batches (EPERM in many containers; EBUSY: the process has a memory
                                * policy of its own), which costs speed only; 0: nothing */
    uint32_t reserved2;        /**< 0 */
    uint64_t order_samples;    /**< of all ranks: those of the subset, or of the data set */
    uint64_t dataset_samples;
    int64_t finish_ns;     /**< summed over workers: finishing batches (finish.h) */
    uint32_t device;       /**< HR_DEVICE_HOST or HR_DEVICE_CUDA(...) */
    uint32_t device_slots; /**< batches that the GPU has room for */
    uint64_t device_bytes; /**< of the GPU's memory, in use from open to close */
    char device_name[64];  /**< of the GPU; "": none */
    uint32_t pinned;       /**< 1: what is uploaded from is pinned */
    uint32_t reserved3;    /**< 0 */
} hr_loader_info;

/**
 * Describe a loader. Does not block.
 * @param out  struct_bytes set by the caller; the rest filled on HR_OK
 * @return HR_OK, HR_ERR_INVALID, HR_ERR_FORKED
 * Threads: any. Fork: HR_ERR_FORKED in a child. @since 0.1
 */
HR_API HR_NODISCARD hr_status hr_loader_describe(hr_loader *loader, hr_loader_info *out,
                                                 hr_error *err);

/**
 * Values that are no finite numbers, of a field in all batches that hr_loader_next() has returned,
 * and where the first of them is. Waits for nothing but the loader's lock.
 * @param field  index into the fields the loader delivers
 * @param out    struct_bytes set by the caller; the rest filled on HR_OK. checked is 0 where that
 *               was not asked for (HR_FINISH_CHECK_FINITE)
 * @return HR_OK, HR_ERR_INVALID, HR_ERR_FORKED
 * Threads: any. Fork: HR_ERR_FORKED in a child. @since 0.1
 */
HR_API HR_NODISCARD hr_status hr_loader_bad_values(hr_loader *loader, uint32_t field,
                                                   hr_bad_values *out, hr_error *err);

/** What a loader with these options would need; made without starting one. */
typedef struct hr_loader_plan {
    uint32_t struct_bytes;          /**< set by the caller */
    uint32_t window_visits;         /**< W that would be used */
    uint64_t batches_per_epoch;     /**< of each rank */
    uint64_t samples_per_epoch;     /**< of this rank, and of every other, padding included */
    uint64_t dropped_samples;       /**< of all ranks, in each epoch */
    uint64_t peak_bytes;            /**< what the loader would reserve at most under this budget */
    uint64_t budget_bytes;          /**< that would be used */
    uint64_t smallest_budget_bytes; /**< that works with this window and this open data set */
    uint32_t largest_window_visits; /**< that the given budget allows */
    uint32_t fits;                  /**< 1: the budget suffices */
    double read_amplification;      /**< stored bytes read / stored bytes of the fields wanted, of
                                     * the samples of the subset where there is one */
    double inflation;               /**< expected mixing; 1 is a true shuffle */
    uint32_t labels_sorted;         /**< 1: a field looks like sorted labels */
    uint32_t labels_field;          /**< which one */
    uint64_t padded_samples;        /**< of all ranks, in each epoch: delivered once more */
    hr_io io;                       /**< that would be used, never HR_IO_AUTO */
    uint32_t io_depth;              /**< reads in flight at most */
    char io_backend[32];            /**< "io_uring", "libaio", "page cache" or "threads" */
    /** From which on every budget works with this window, for a data set opened with it too: what
     * that holds of its index goes by the budget. */
    uint64_t smallest_reopen_bytes;
    uint32_t num_streams;         /**< of all ranks */
    uint32_t local_batch_samples; /**< this rank's share of each batch */
    uint64_t order_samples;       /**< of all ranks: those of the subset, or of the data set */
    uint64_t dataset_samples;
    uint64_t device_bytes; /**< of a GPU's memory, where one is asked for */
} hr_loader_plan;

/**
 * Plan a loader. Blocks on a few small reads; starts no thread.
 * @param opts  as for hr_loader_open()
 * @param out   struct_bytes set by the caller; the rest filled on HR_OK
 * @return HR_OK (also where it does not fit: see fits), HR_ERR_INVALID, HR_ERR_NOT_FOUND,
 *         HR_ERR_UNSUPPORTED, HR_ERR_MISMATCH (the subset belongs to other data), HR_ERR_BUDGET,
 *         HR_ERR_NO_MEMORY, HR_ERR_IO, HR_ERR_CORRUPT
 * Threads: any. Fork: works. @since 0.1
 */
HR_API HR_NODISCARD hr_status hr_loader_plan_make(hr_dataset *ds, const hr_loader_options *opts,
                                                  hr_loader_plan *out, hr_error *err);

/**
 * Give a batch back; its memory is reused. NULL is fine. Batches may be released in any order. For
 * a batch on a GPU: the caller has waited for all work that uses it, or there is none; otherwise
 * hr_batch_release_on().
 * Threads: any. Fork: does nothing in a child. @since 0.1
 */
HR_API void hr_batch_release(hr_batch *batch);

/**
 * Samples in the batch: all its arrays have this length.
 * Threads: any. Fork: works. @since 0.1
 */
HR_API uint32_t hr_batch_num_samples(const hr_batch *batch);

/**
 * The epoch the batch belongs to, from 0.
 * Threads: any. Fork: works. @since 0.1
 */
HR_API uint64_t hr_batch_epoch(const hr_batch *batch);

/**
 * The batch's number in its epoch, from 0.
 * Threads: any. Fork: works. @since 0.1
 */
HR_API uint64_t hr_batch_number(const hr_batch *batch);

/**
 * A field's data: C order, shape (num_samples, *field.shape), aligned to 256 bytes; of a field of
 * variable length its values (see hr_batch_offsets()). Valid until the
 * batch is released. A pointer to the GPU's memory where the batch is there. NULL for no such
 * field, and in a forked child.
 * @param field  index into the fields the loader delivers
 * Threads: any. Fork: NULL in a child. @since 0.1
 */
HR_API void *hr_batch_data(const hr_batch *batch, uint32_t field);

/**
 * Where the values of a field of variable length are: value i of the batch is
 * data[offsets[i]] .. data[offsets[i + 1] - 1] of hr_batch_data(), in the order of the rows without
 * gaps; offsets[0] is 0. num_samples + 1 entries, valid as long as the data. NULL for other fields,
 * for no such field, and in a forked child.
 * @param field  index into the fields the loader delivers
 * Threads: any. Fork: NULL in a child. @since 0.1
 */
HR_API const int64_t *hr_batch_offsets(const hr_batch *batch, uint32_t field);

/**
 * hr_batch_data() by name. NULL for no such field.
 * Threads: any. Fork: NULL in a child. @since 0.1
 */
HR_API void *hr_batch_data_by_name(const hr_batch *batch, const char *name);

/**
 * Describe a field of the batch as it is delivered, after finishing (one sample's shape; the batch
 * adds num_samples in front).
 * @param out  its pointers belong to the data set, that of a shape that finishing has made to the
 *             loader
 * @return HR_OK, HR_ERR_INVALID
 * Threads: any. Fork: works. @since 0.1
 */
HR_API HR_NODISCARD hr_status hr_batch_field(const hr_batch *batch, uint32_t field, hr_field *out,
                                             hr_error *err);

/**
 * Values of a field of the batch that are no finite numbers. Does not block.
 * @param out  struct_bytes set by the caller; the rest filled on HR_OK. checked is 0 where that was
 *             not asked for (HR_FINISH_CHECK_FINITE), and of a batch on a GPU until the upload
 *             thread knows, at the latest when the second batch after it is delivered
 * @return HR_OK, HR_ERR_INVALID, HR_ERR_FORKED
 * Threads: any. Fork: HR_ERR_FORKED in a child. @since 0.1
 */
HR_API HR_NODISCARD hr_status hr_batch_bad_values(const hr_batch *batch, uint32_t field,
                                                  hr_bad_values *out, hr_error *err);

/**
 * Fields in the batch.
 * Threads: any. Fork: works. @since 0.1
 */
HR_API uint32_t hr_batch_num_fields(const hr_batch *batch);

/**
 * Rows of the batch that are padding (HR_LOADER_PAD_LAST): samples that this epoch delivers
 * besides, and that only fill the batch up, so leave them out of sums and scores. Where a rank has
 * several streams they are not the last rows: see hr_batch_padding().
 * Threads: any. Fork: works. @since 0.1
 */
HR_API uint32_t hr_batch_num_padding(const hr_batch *batch);

/**
 * Which rows are padding. Does not block.
 * @param out  num_samples entries of the caller's: 1 for padding, 0 for the others
 * @return HR_OK, HR_ERR_FORKED
 * Threads: any. Fork: HR_ERR_FORKED in a child. @since 0.1
 */
HR_API HR_NODISCARD hr_status hr_batch_padding(const hr_batch *batch, uint8_t *out, hr_error *err);

/**
 * The sample index of each row, of padding too. Computed at the call; does not block.
 * @param out  num_samples entries of the caller's
 * @return HR_OK, HR_ERR_FORKED
 * Threads: any. Fork: HR_ERR_FORKED in a child. @since 0.1
 */
HR_API HR_NODISCARD hr_status hr_batch_indices(const hr_batch *batch, uint64_t *out, hr_error *err);

#ifdef __cplusplus
}
#endif
#endif
