/*
 * A thread that acts before memory ends the process, and a record that outlives it.
 * docs/memory.md is the manual; what a process uses and what limits it is in memory.h.
 *
 *     hr_guard_options opts = HR_GUARD_OPTIONS_INIT;
 *     opts.on_low = free_caches;                      // called when nine tenths are used
 *     opts.record_folder = ".headrace";               // for hr_why_died() in the next process
 *     if (hr_guard_open(&opts, &guard, &err) == HR_OK) {
 *         ...                                         // hr_guard_watch(), hr_guard_step()
 *         hr_guard_close(guard);                      // a clean end: the record is removed
 *     }
 */
#ifndef HEADRACE_GUARD_H
#define HEADRACE_GUARD_H

#include "loader.h"
#include "memory.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct hr_guard hr_guard;

/** Bits of hr_guard_options.flags. Unknown bits are refused. */
#define HR_GUARD_HARD                                                                              \
    1u /**< lower the soft RLIMIT_DATA until close, so that an allocation fails (malloc: NULL,     \
        * Python: MemoryError) instead of the process being ended */

/** Options of hr_guard_open(). Zero means default. */
typedef struct hr_guard_options {
    uint32_t struct_bytes;
    uint32_t flags;       /**< HR_GUARD_... */
    uint64_t limit_bytes; /**< act when so much is in use (used - reclaimable) of the control
                           * group or machine, whichever has less headroom; 0: when less than a
                           * tenth of a limit is headroom, whichever limit it is */
    uint64_t hard_bytes;  /**< of HR_GUARD_HARD: allocations fail where use would pass this; 0: the
                           * limit of the control group or machine less a fiftieth */
    int64_t interval_ns;  /**< how often the guard glances at what is used, near the level; 0: 100
                           * ms. Far from it more rarely, up to once a second: as rarely as memory
                           * that grows by 8 GiB a second, or faster where that was seen, allows.
                           * All figures are looked at once a second, and when a glance says so */
    /** Called once each time that use crosses the level upward; again only after it has fallen
     * below the level by a twentieth of it. It may call hr_guard_state(), not hr_guard_close().
     * Looks wait for it. Its result is for `post` (0), and means nothing otherwise. NULL: nothing
     * is called. */
    int (*on_low)(void *user);
    void *user; /**< handed to on_low */
    /** Who runs on_low: called on the guard's thread as post(on_low, user), which is the shape of
     * CPython's Py_AddPendingCall. 0: on_low(user) will be called later, once, by somebody else;
     * otherwise it is asked again at the next look while use is above the level. What is posted is
     * the caller's own function and pointer and nothing of the guard's, so a call that comes after
     * hr_guard_close() touches nothing that is gone, as long as the caller keeps `user`. NULL:
     * on_low is called on the guard's thread. */
    int (*post)(int (*call)(void *), void *arg);
    const char *record_folder; /**< copied; made where it is missing (its parent is not); NULL: no
                                * record is kept */
} hr_guard_options;
#define HR_GUARD_OPTIONS_INIT                                                                      \
    { sizeof(hr_guard_options), 0, 0, 0, 0, NULL, NULL, NULL, NULL }

/**
 * Open a guard: starts its thread ("hr-guard"), which looks at the memory until close, and writes
 * the record about once a second. A record folder that cannot be written is no failure: the guard
 * goes on without, and hr_guard_state() says why. Records of processes that died more than a week
 * ago are removed, and the oldest beyond 16. Several guards may be open at the same time; of those
 * with HR_GUARD_HARD, close the last one first.
 *
 * @param opts  NULL for defaults
 * @param out   the guard on HR_OK, else NULL; release with hr_guard_close()
 * @return HR_OK, HR_ERR_INVALID (unknown flags; a negative interval; an empty record_folder;
 *         hard_bytes without HR_GUARD_HARD; HR_GUARD_HARD, and more is in use already than may be),
 *         HR_ERR_NO_MEMORY, HR_ERR_UNSUPPORTED (HR_GUARD_HARD, and no limit is known or the system
 *         refuses to set one)
 * Blocks on a few small reads and writes. Threads: any. Fork: works. @since 0.1
 */
HR_API HR_NODISCARD hr_status hr_guard_open(const hr_guard_options *opts, hr_guard **out,
                                            hr_error *err);

/**
 * Close a guard; NULL is fine. Waits until its thread has ended, on_low included: after that no
 * call comes from the guard any more. Puts RLIMIT_DATA back, unless somebody else has changed it
 * meanwhile. Marks the record as ended, and removes it.
 * Threads: no other call on the guard may be in progress; not from on_low on the guard's own
 * thread. Fork: does nothing in a child. @since 0.1
 */
HR_API void hr_guard_close(hr_guard *guard);

/** What a guard has seen. Figures that are not known are UINT64_MAX. */
typedef struct hr_guard_info {
    uint32_t struct_bytes;           /**< set by the caller */
    hr_memory_limit_kind limit_kind; /**< as in hr_process_memory, at the last look */
    uint64_t num_looks;              /**< at all figures; glances are not counted */
    int64_t last_look_ns;            /**< before now */
    uint64_t resident_bytes;
    uint64_t anonymous_bytes;
    uint64_t headrace_bytes;
    uint64_t limit_bytes;
    uint64_t used_bytes;
    uint64_t reclaimable_bytes;
    uint64_t headroom_bytes;
    uint64_t oom_kills;
    uint64_t level_bytes;          /**< use (used - reclaimable) at which on_low is called */
    int64_t resident_growth_bytes; /**< since the guard was opened; may be negative */
    int64_t used_growth_bytes;     /**< of used - reclaimable, while the limit was the same one;
                                    * since the guard was opened */
    uint64_t num_low;              /**< crossings of the level */
    uint64_t low_resident_bytes;   /**< at the last crossing; 0 where num_low is 0, as the */
    uint64_t low_used_bytes;       /**< four that follow: used - reclaimable */
    uint64_t low_limit_bytes;
    uint64_t low_headrace_bytes;
    int64_t low_ns;             /**< before now */
    uint64_t hard_rlimit_bytes; /**< RLIMIT_DATA as the guard has set it; 0: it has not */
    uint32_t low_now;           /**< 1: use is above the level, and has not fallen since */
    uint32_t record_kept;       /**< 1: a record is written */
    uint64_t num_records_written;
    char limit_name[HR_MEMORY_NAME_BYTES];
    char record_path[HR_MEMORY_NAME_BYTES]; /**< "": none; of one too long the end */
    char note[384]; /**< why no record is kept; what HR_GUARD_HARD has set; "" */
} hr_guard_info;

/**
 * The figures of a guard's last look, without looking again. Waits for nothing but the guard's
 * lock, which a look holds for some 100 microseconds.
 *
 * @param out  struct_bytes set by the caller; the rest filled on HR_OK
 * @return HR_OK, HR_ERR_INVALID, HR_ERR_FORKED
 * Threads: any, on_low included. Fork: HR_ERR_FORKED in a child. @since 0.1
 */
HR_API HR_NODISCARD hr_status hr_guard_state(hr_guard *guard, hr_guard_info *out, hr_error *err);

/** Loaders that a guard watches at most. */
#define HR_GUARD_MAX_LOADERS 16

/**
 * Let the record tell how far a loader is: epoch, batches delivered, rank, the last batch with
 * values that are no finite numbers (HR_FINISH_CHECK_FINITE). Each look takes the
 * loader's lock for some nanoseconds. A loader that is watched already is fine.
 *
 * @param loader  call hr_guard_unwatch() before hr_loader_close()
 * @return HR_OK, HR_ERR_INVALID (16 are watched already), HR_ERR_FORKED
 * Threads: any. Fork: HR_ERR_FORKED in a child. @since 0.1
 */
HR_API HR_NODISCARD hr_status hr_guard_watch(hr_guard *guard, hr_loader *loader, hr_error *err);

/**
 * Watch a loader no more; its last figures stay in the record. When this returns, the guard does
 * not touch the loader again. A loader that is not watched is fine, and so is a NULL guard.
 * Threads: any. Fork: does nothing in a child. @since 0.1
 */
HR_API void hr_guard_unwatch(hr_guard *guard, hr_loader *loader);

/**
 * Say how far a loop is that has no loader, or that counts steps of its own: goes before what
 * watched loaders say. Cheap enough for every step: two stores. NULL is fine.
 * Threads: any. Does not block. Fork: does nothing in a child. @since 0.1
 */
HR_API void hr_guard_step(hr_guard *guard, uint64_t epoch, uint64_t step);

/**
 * Where records are kept unless the program says otherwise: $HEADRACE_STATE_DIR if set and not
 * empty, else "./.headrace". Nothing is made.
 *
 * @param out  capacity_bytes of the caller's: cut to fit, ends with a zero; may be NULL where
 *             capacity_bytes is 0
 * @return bytes that the whole path takes, its zero not counted
 * Threads: any that may read the environment. Fork: works. @since 0.1
 */
HR_API size_t hr_default_record_folder(char *out, size_t capacity_bytes);

/** How a process that left a record has ended. The values are frozen. */
typedef enum hr_death {
    HR_DEATH_NO_SIGN = 0,  /**< no sign that memory was the reason */
    HR_DEATH_LIKELY = 1,   /**< memory is the likely reason, and there is no proof */
    HR_DEATH_KILLED = 2,   /**< the kernel ended a process of its control group for want of memory
                            * after its last sign of life, and it was at the limit */
    HR_DEATH_RESTARTED = 3 /**< the machine was restarted, or the record is another machine's */
} hr_death;

/** What a record tells of a process that is gone. Figures that are not known are UINT64_MAX. */
typedef struct hr_death_report {
    uint32_t struct_bytes; /**< set by the caller */
    hr_death verdict;
    uint32_t told; /**< 1: an earlier call has marked it as told */
    hr_memory_limit_kind
        limit_kind; /**< the limit that ends processes: a control group or the
                     * machine; figures as in hr_process_memory, at the last look */
    int64_t pid;
    int64_t opened_unix_ns;    /**< when the guard was opened, since 1970 */
    int64_t last_seen_unix_ns; /**< when the record was last written */
    uint64_t limit_bytes;
    uint64_t used_bytes;
    uint64_t reclaimable_bytes;
    uint64_t headroom_bytes;
    uint64_t resident_bytes;
    uint64_t opened_resident_bytes; /**< when the guard was opened */
    uint64_t peak_resident_bytes;
    uint64_t headrace_bytes;        /**< what Headrace held */
    uint64_t oom_kills_opened;      /**< of its control group, when the guard was opened */
    uint64_t oom_kills_last;        /**< at the last look */
    uint64_t oom_kills_now;         /**< now, where the group is still there */
    uint64_t epoch;                 /**< the last one seen */
    uint64_t step;                  /**< in it: hr_guard_step(), else batches delivered */
    uint64_t batches_delivered;     /**< by the loaders that were watched, since their open */
    int64_t growth_bytes_per_epoch; /**< of the process without what Headrace held; 0: none, or
                                     * too few epochs */
    uint64_t growth_since_epoch;    /**< the first that grew so; UINT64_MAX: none */
    uint64_t nan_epoch;             /**< the last batch with NaN or infinities */
    uint64_t nan_batch;             /**< its number in that epoch */
    uint32_t rank;                  /**< of the loader that delivered last; 0: none, or rank 0 */
    uint32_t world_size;            /**< 0: no loader was watched */
    char sentence[512];             /**< all of this as a person says it; no full stop */
    char host[64];                  /**< name of the machine */
    char command[208];              /**< the first 200 bytes of its command line */
    char limit_name[HR_MEMORY_NAME_BYTES];
    char record_path[HR_MEMORY_NAME_BYTES];
} hr_death_report;

/** Bits of hr_why_died()'s flags. Unknown bits are refused. */
#define HR_WHY_MARK_TOLD 1u /**< a later call finds `told` set; where that cannot be, it is not */

/**
 * Say how the latest process has ended that left a record in a folder and did not close its guard:
 * of those that are gone, the one last written. Records are not trusted: what is damaged, too
 * large or no plain file is passed over. Blocks on small reads.
 *
 * @param folder  NULL: hr_default_record_folder()
 * @param flags   0 or HR_WHY_MARK_TOLD
 * @param out     struct_bytes set by the caller; the rest filled on HR_OK
 * @return HR_OK, HR_ERR_NOT_FOUND (no such folder, or no such record in it), HR_ERR_INVALID,
 *         HR_ERR_IO (the folder cannot be read)
 * Threads: any that may read the environment. Fork: works. @since 0.1
 */
HR_API HR_NODISCARD hr_status hr_why_died(const char *folder, uint32_t flags, hr_death_report *out,
                                          hr_error *err);

/** "killed", "likely", "no sign", or "restarted". Never NULL; valid for ever. Threads: any. Fork:
 * works. @since 0.1 */
HR_API const char *hr_death_name(hr_death verdict);

#ifdef __cplusplus
}
#endif
#endif
