/*
 * Measuring: how fast this machine can decode and read a data set at all, and how fast a loader
 * delivers it, in one run and in turns, so that each figure can be told as a share of its limit; or
 * in less than two seconds, to predict an epoch.
 */
#ifndef HEADRACE_BENCH_H
#define HEADRACE_BENCH_H

#include "report.h"

#ifdef __cplusplus
extern "C" {
#endif

/** What can be measured. The numbers are frozen. The first three are limits, the others epochs. */
typedef enum hr_bench_kind {
    HR_BENCH_DECODE = 0, /**< L: all threads decode the file's own frames (checksum and codec, the
                          * filter left undone) from memory into cached scratch */
    HR_BENCH_READ_SEQUENTIAL = 1,   /**< the file's chunks read past the page cache, at the loader's
                                     * depth, in the order of the file; stored bytes */
    HR_BENCH_READ_SHUFFLED = 2,     /**< the same in the order of a shuffled epoch */
    HR_BENCH_MEMORY_SEQUENTIAL = 3, /**< epochs of a loader, the file in the page cache */
    HR_BENCH_MEMORY_SHUFFLED = 4,
    HR_BENCH_DISK_SEQUENTIAL = 5, /**< epochs of a loader that reads past the page cache */
    HR_BENCH_DISK_SHUFFLED = 6
} hr_bench_kind;
#define HR_BENCH_NUM_KINDS 7

/** Entries of hr_bench_result.measures; more kinds than these there will not be. */
#define HR_BENCH_MAX_KINDS 16

/** What a progress callback is told. */
typedef struct hr_bench_progress {
    hr_bench_kind kind;                   /**< that is being measured */
    uint32_t round, num_rounds;           /**< round: from 1; 0 before the first */
    uint32_t done_measures, all_measures; /**< over all rounds */
} hr_bench_progress;

/** Options of hr_bench(). Zero means default. */
typedef struct hr_bench_options {
    uint32_t struct_bytes;
    uint32_t measures;      /**< bits 1u << hr_bench_kind; 0: all. The limits that an epoch is a
                             * share of are measured with it */
    uint32_t batch_samples; /**< 0: 256 */
    uint32_t window_visits; /**< of the shuffled epochs; 0: the default of docs/order.md */
    uint32_t num_threads;   /**< that decode and read, at most 1,024; 0: one per core */
    uint32_t num_rounds;    /**< each measure is taken once in each; 0: 7; at most 1,000 */
    uint64_t seed;          /**< of the shuffled order; round r is epoch r - 1 of it */
    uint64_t budget_bytes;  /**< for the chunks held in memory and for the loaders; 0: default */
    int64_t run_ns;         /**< about so long is each measure; 0: one second */
    void *user;             /**< handed to the callback */
    /** Called about ten times a second on the calling thread; non-zero stops with
     * HR_ERR_CANCELLED. May be NULL. */
    int (*on_progress)(void *user, const hr_bench_progress *progress);
} hr_bench_options;
#define HR_BENCH_OPTIONS_INIT                                                                      \
    { sizeof(hr_bench_options), 0, 0, 0, 0, 0, 0, 0, 0, NULL, NULL }

/** Over the rounds. */
typedef struct hr_bench_spread {
    double median, lowest, highest;
} hr_bench_spread;

#define HR_BENCH_REASON_BYTES 192

/** One kind of measure. */
typedef struct hr_bench_measure {
    uint32_t kind;       /**< an hr_bench_kind */
    uint32_t num_runs;   /**< 0: not measured */
    uint32_t num_epochs; /**< of an epoch's run: whole ones, counted from hr_loader_open() to the
                          * last batch; 0: a part of one, counted from its first batch on */
    uint32_t reserved;
    hr_bench_spread bytes_per_s;       /**< decoded, but for the two reads: stored */
    hr_bench_spread limit_bytes_per_s; /**< of an epoch: L from memory, min(L, ratio x read) from
                                        * disk, decoded bytes; else 0 */
    hr_bench_spread share; /**< of the limit that was measured in the same round; else 0 */
    /** Of an epoch: medians of what part of the workers' time went into waiting for reads (copies
     * out of the page cache included), decoding and placing rows, waiting for the consumer. */
    double io_part, decode_part, consumer_part;
    int64_t first_batch_ns;             /**< of an epoch: median; else 0 */
    char reason[HR_BENCH_REASON_BYTES]; /**< why it was not measured although asked for; else "" */
} hr_bench_measure;

/** What hr_bench() found. */
typedef struct hr_bench_result {
    uint32_t struct_bytes; /**< set by the caller */
    uint32_t num_rounds;
    uint32_t num_threads;
    uint32_t batch_samples;
    uint32_t window_visits; /**< of the shuffled epochs, as resolved */
    uint32_t read_depth;    /**< reads in flight, of all threads together */
    double ratio; /**< decoded bytes / bytes read for them, of the chunks held in memory */
    uint64_t decoded_bytes; /**< of the data set */
    uint64_t file_bytes;
    uint64_t num_chunks;
    uint64_t held_chunks; /**< of these, held in memory for HR_BENCH_DECODE, evenly spread */
    uint64_t held_bytes;
    uint64_t budget_bytes;                         /**< as resolved */
    hr_bench_measure measures[HR_BENCH_MAX_KINDS]; /**< [hr_bench_kind] */
} hr_bench_result;

/**
 * Measure. Every measure asked for is taken once in each round, each round beginning with another
 * one, so that whatever drifts meets all of them alike. Blocks for about num_rounds x measures x
 * run_ns, and longer where an epoch is longer; starts and joins its own threads. The consumer of
 * the epochs gives batches back at once. Reads the whole file into the page cache before an epoch
 * from memory; leaves that out, and says so in `reason`, where the file does not fit half of the
 * memory left, and what reads past the page cache where the file system refuses it.
 *
 * @param ds    an open data set; may be in use elsewhere
 * @param opts  NULL for defaults
 * @param out   struct_bytes set by the caller; the rest filled on HR_OK
 * @return HR_OK, HR_ERR_INVALID (also a data set without a byte to decode), HR_ERR_CANCELLED,
 *         HR_ERR_BUDGET, or as hr_loader_open() and hr_loader_next()
 * Threads: any; figures of two at the same time are worth nothing. Fork: works in a child.
 * @since 0.1
 */
HR_API HR_NODISCARD hr_status hr_bench(hr_dataset *ds, const hr_bench_options *opts,
                                       hr_bench_result *out, hr_error *err);

/**
 * Name of a measure, such as "memory-shuffled"; NULL for no kind. Valid for ever. Threads: any.
 * Fork: works. @since 0.1
 */
HR_API const char *hr_bench_kind_name(uint32_t kind);

/** Options of hr_probe(). Zero means default. */
typedef struct hr_probe_options {
    uint32_t struct_bytes;
    uint32_t flags;   /**< none defined: 0 */
    int64_t limit_ns; /**< about so long at most; 0: 1.6 s; 20 ms to a minute */
    void *user;       /**< handed to the callback */
    /** Called about ten times a second on the calling thread; non-zero stops with
     * HR_ERR_CANCELLED. May be NULL. */
    int (*on_progress)(void *user);
} hr_probe_options;
#define HR_PROBE_OPTIONS_INIT                                                                      \
    { sizeof(hr_probe_options), 0, 0, NULL, NULL }

/** What hr_probe() measured, and what it expects of this rank's epochs, alone on the machine and
 * with a consumer who takes every batch as it comes. Rates are of decoded bytes, but for
 * read_bytes_per_s. */
typedef struct hr_probe_result {
    uint32_t struct_bytes;    /**< set by the caller */
    hr_limit limit;           /**< what limits */
    char sentence[320];       /**< the same in words, as hr_loader_report() says it */
    int64_t first_batch_ns;   /**< expected: from hr_loader_open() until the first batch is ready */
    int64_t epoch_ns;         /**< expected: from there until the last one of the epoch is */
    int64_t later_epoch_ns;   /**< expected: of each further epoch */
    double bytes_per_s;       /**< expected: of the epoch, once it is running */
    double samples_per_s;     /**< the same in samples */
    double later_bytes_per_s; /**< expected: of further epochs; more than bytes_per_s where the
                               * page cache will have what the first one brings */
    double decode_bytes_per_s; /**< all threads decode the file's own frames from memory, as
                                * HR_BENCH_DECODE */
    double read_bytes_per_s;   /**< stored bytes, read as the loader reads them, in its order */
    double ratio;              /**< decoded bytes that a byte read brings */
    double cached_share; /**< part of the file in the page cache as it began, 0 to 1; negative: it
                          * is read past the page cache, or the system does not tell */
    uint64_t visits;     /**< chunks that a loader read and decoded meanwhile */
    int64_t took_ns;     /**< the whole probe */
} hr_probe_result;

/**
 * Predict an epoch, by trying. A loader with these options runs for about a second from the begin
 * of its first epoch, of which the rest is extrapolated; where the page cache does not have the
 * file, a second one over what it then has; decoding and reading are measured by themselves. Blocks
 * for limit_ns, and longer only where a read or the open itself takes longer; starts and joins its
 * own threads, and takes no more memory than the loader would. What is read through the page cache
 * stays there, so that a loader that is opened afterwards finds the first part of its epoch in it:
 * what is expected is for the file as it was found.
 *
 * @param ds      an open data set; may be in use elsewhere, which the figures then tell of
 * @param loader  as for hr_loader_open(); num_epochs and resume_state are not looked at
 * @param opts    NULL for defaults
 * @param out     struct_bytes set by the caller; the rest filled on HR_OK
 * @return HR_OK, HR_ERR_INVALID (also a data set without a byte to decode), HR_ERR_CANCELLED, or as
 *         hr_loader_open() and hr_loader_next()
 * Threads: any; figures of two at the same time are worth nothing. Fork: works in a child.
 * @since 0.1
 */
HR_API HR_NODISCARD hr_status hr_probe(hr_dataset *ds, const hr_loader_options *loader,
                                       const hr_probe_options *opts, hr_probe_result *out,
                                       hr_error *err);

#ifdef __cplusplus
}
#endif
#endif
