/*
 * A guard: one thread that looks at the memory of the process (guard_look.c), and what it keeps
 * (guard_record.c).
 *
 * Invariants
 *  1. `lock` guards everything below it but epoch, step and what only the thread has;
 *  2. no file is written, and no function of the caller's is called, with the lock held;
 *  3. a watched loader is touched only with the lock held: whoever has taken it out under the lock
 *     may close it. The loader's own lock is taken inside.
 */
#ifndef HEADRACE_GUARD_INTERNAL_H
#define HEADRACE_GUARD_INTERNAL_H

#include "hard_limit.h"
#include "record_folder.h"
#include "thread.h"

#include "headrace/guard.h"

#include <limits.h>
#include <stdatomic.h>
#include <sys/types.h>

struct hr__watched {
    hr_loader *loader;          /* NULL: a free place */
    uint64_t batches_delivered; /* when it was last looked at */
};

/* Use at its last crossing of the level. */
struct hr__low {
    int64_t at_ns;
    uint64_t resident_bytes, needed_bytes, limit_bytes, headrace_bytes;
};

struct hr_guard {
    hr_guard_options options;
    char root[128];     /* in the place of /, for tests */
    int64_t longest_ns; /* between two looks */
    pid_t pid;
    struct hr__thread thread;
    _Atomic uint64_t epoch, step; /* of hr_guard_step(); UINT64_MAX: never called */
    struct hr__memory_use opened;
    uint64_t opened_unix_ns;
    char folder[PATH_MAX]; /* of records; "": none is kept */

    /* Only of the thread, while it runs. */
    uint8_t page[HR__RECORD_BYTES];
    int record_fd;
    struct hr__limit_use seen; /* the limit that level_bytes is about, at the last look */
    int seen_fd;               /* says what is used of it; -1: another file does */

    hr__mutex lock;
    hr__cond stop;
    bool lock_made, stop_made;
    bool stopping;
    struct hr__memory_use now;
    uint64_t num_looks, num_written;
    int64_t looked_ns;
    uint64_t level_bytes;
    bool is_low, call_due; /* above the level; on_low is still to be called for it */
    uint64_t num_low;
    struct hr__low low;
    struct hr__hard_limit hard;
    char hard_note[128];   /* what HR_GUARD_HARD has set; "" */
    bool writing;          /* a record is written */
    char record_note[224]; /* why none is, where one is asked for; "" */
    char record_path[PATH_MAX];
    struct hr__watched watched[HR_GUARD_MAX_LOADERS];
    uint64_t delivered_before; /* by loaders that are watched no more */
    struct hr__record record;
};

/* What tests open guards with; zeroed: as hr_guard_open() does. */
struct hr__guard_setup {
    const char *root;   /* a folder in the place of / */
    int64_t longest_ns; /* between two looks, and writes of the record */
};
hr_status hr__guard_open(const hr_guard_options *opts, const struct hr__guard_setup *setup,
                         hr_guard **out, hr_error *err);

/* guard_look.c: the thread. Only it changes what a look sees, so it reads that without the lock. */
void *hr__guard_run(void *guard);

/* guard_record.c */
void hr__guard_note_progress(struct hr_guard *g); /* of the loaders; with the lock held */
void hr__guard_begin_record(struct hr_guard *g);
void hr__guard_write_record(struct hr_guard *g); /* what the last look has seen */
void hr__guard_end_record(struct hr_guard *g);

/* death.c: hr_why_died() with a folder in the place of /. */
hr_status hr__why_died(const char *root, const char *folder, uint32_t flags, hr_death_report *out,
                       hr_error *err);

#endif
