/*
 * What limits a loader, and what to change: figures that it counts on the way, one sentence, and a
 * table.
 */
#ifndef HEADRACE_REPORT_API_H
#define HEADRACE_REPORT_API_H

#include "loader.h"

#ifdef __cplusplus
extern "C" {
#endif

/** What an epoch waits for. */
typedef enum hr_limit {
    HR_LIMIT_UNKNOWN = 0,  /**< too early to say */
    HR_LIMIT_DISK = 1,     /**< threads are idle because reads have not come */
    HR_LIMIT_DECODING = 2, /**< all cores decode without a pause */
    HR_LIMIT_THREADS = 3,  /**< so do all threads, but there are more cores */
    HR_LIMIT_BUDGET = 4,   /**< threads, reads or batches were given up to fit the budget */
    HR_LIMIT_CONSUMER = 5, /**< batches wait to be taken, or, on a GPU, to be given back */
    HR_LIMIT_UPLOAD = 6,   /**< copies to the GPU run without a pause */
    HR_LIMIT_COMPUTE = 7   /**< uploads wait for the consumer's work on the GPU */
} hr_limit;

/** Latencies are counted by powers of two: entry b counts those of 2^b ns up to 2^(b+1) ns; the
 * last entry also those above. */
#define HR_LATENCY_BUCKETS 40

/** What hr_loader_report() tells. Times of threads are sums over the decode threads since open. */
typedef struct hr_loader_report_info {
    uint32_t struct_bytes;    /**< set by the caller */
    hr_limit limit;           /**< what limits */
    uint32_t num_threads;     /**< decode threads */
    uint32_t num_cores;       /**< that this process may use */
    uint32_t io_depth;        /**< reads in flight at most */
    uint32_t wanted_threads;  /**< before the budget had its say */
    uint32_t wanted_io_depth; /**< before the budget had its say */
    uint32_t window_visits;   /**< W in use */
    uint64_t num_slots;       /**< batches that the ring holds */
    uint64_t wanted_slots;    /**< before the budget had its say */
    uint64_t budget_bytes;    /**< the contract */
    uint64_t ample_bytes;     /**< the budget with which nothing is given up */
    uint64_t batches_delivered;
    uint64_t delivered_bytes; /**< decoded */
    uint64_t read_bytes;      /**< read from the file, whole pages */
    uint64_t wanted_bytes;    /**< of these, stored bytes of the fields and samples delivered: of a
                               * chunk, by the share of its samples */
    uint64_t visits;          /**< chunks read and decoded; of a subset, virtual chunks, each of
                               * several (docs/order.md, 9) */
    int64_t elapsed_ns;       /**< from open until now; once all is read, until the last batch */
    int64_t first_batch_ns;   /**< from open until the first batch was ready; -1: not yet */
    int64_t wait_batch_ns;    /**< of elapsed_ns: the consumer in hr_loader_next() */
    int64_t thread_ns;        /**< lifetime of the threads: the seven that follow, and
                               * finish_ns */
    int64_t wait_io_ns;       /**< waiting for reads */
    int64_t copy_ns;          /**< copying what the page cache had */
    int64_t decode_ns;        /**< checking and decoding */
    int64_t scatter_ns;       /**< placing rows in batches, as far as that is a step of its own;
                               * extrapolated from every 16th visit */
    int64_t wait_ring_ns;     /**< the ring was full, and no batch was ready to be taken */
    int64_t wait_consumer_ns; /**< the ring was full, and batches were ready to be taken */
    int64_t other_ns;         /**< the rest: locks, submitting reads */
    double busy_share;        /**< copying, decoding and placing rows, of the threads' time without
                               * that for wait_consumer_ns; 0 to 1 */
    double waiting_share;     /**< wait_batch_ns / elapsed_ns; 0 to 1 */
    double faster;            /**< another way to store the data, tried when they were converted,
                               * would be so many times as fast; 0: none is known */
    double larger;            /**< and so many times as large */
    char other_storage[96];   /**< which: "level -3"; "": none */
    char sentence[320];       /**< what limits, by how much, what to change; no full stop */
    uint64_t latency_counts[HR_LATENCY_BUCKETS]; /**< reads, by the time from submission until a
                                                  * thread took them: one that is busy takes them
                                                  * late */
    uint32_t num_nodes; /**< memory nodes that the threads are spread over; 1: they run where the
                         * system puts them */
    uint32_t reserved;  /**< 0 */
    uint64_t order_samples; /**< of all ranks: those of the subset, or of the data set */
    uint64_t dataset_samples;
    int64_t finish_ns; /**< of thread_ns: finishing batches (finish.h) */
    uint32_t device;   /**< HR_DEVICE_HOST, where all that follows is 0, or a GPU */
    uint32_t pinned;   /**< 1: what is uploaded from is pinned */
    uint64_t uploads;  /**< that have arrived */
    uint64_t uploaded_bytes;
    int64_t upload_ns;            /**< the GPU uploaded and finished, as it measured that itself */
    int64_t upload_thread_ns;     /**< lifetime of the upload thread; of it: */
    int64_t upload_wait_batch_ns; /**< no batch was whole */
    int64_t upload_wait_slot_ns;  /**< a batch was whole, and the consumer held all slots */
    int64_t
        upload_wait_device_ns; /**< for uploads, while they ran or waited for the consumer's work
                                */
    int64_t
        stalled_ns; /**< streams waited for batches that they had been given (hr_batch_wait_on) */
    double overlap_share; /**< of upload_ns: while no stream waited for it, hidden behind compute; 0
                           * to 1, where it is known */
    uint32_t overlap_known; /**< 1: some stream has waited for a batch, and it was measured */
    uint32_t reserved2;     /**< 0 */
} hr_loader_report_info;

/**
 * Say what limits a loader so far. Waits for nothing but the loader's lock; reads a few figures of
 * the file's footer again, which takes some memory for as long as the call.
 *
 * @param out  struct_bytes set by the caller; the rest filled on HR_OK
 * @return HR_OK, HR_ERR_INVALID, HR_ERR_FORKED
 * Threads: any, also while another is in hr_loader_next(). Fork: HR_ERR_FORKED in a child.
 * @since 0.1
 */
HR_API HR_NODISCARD hr_status hr_loader_report(hr_loader *loader, hr_loader_report_info *out,
                                               hr_error *err);

/**
 * A report as a person reads it: the sentence, then a small table, lines of at most 100 columns.
 *
 * @param report          filled by hr_loader_report(), struct_bytes as it was there
 * @param out             capacity_bytes of the caller's: cut to fit, ends with a zero; may be NULL
 *                        where capacity_bytes is 0
 * @return bytes that the whole text takes, its zero not counted (2,048 bytes are always enough); 0
 *         for a report whose struct_bytes is smaller than this version's
 * Threads: any. Fork: works. @since 0.1
 */
HR_API size_t hr_loader_report_text(const hr_loader_report_info *report, char *out,
                                    size_t capacity_bytes);

/**
 * "disk", "decoding", "threads", "budget", "consumer", "upload", "compute", or "unknown".
 * Threads: any. Fork: works. @since 0.1
 */
HR_API const char *hr_limit_name(hr_limit limit);

#ifdef __cplusplus
}
#endif
#endif
