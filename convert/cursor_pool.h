/*
 * What the readers of one file share, whose samples lie in pieces that hold several sources: the
 * chunks of a data set, runs of lines. A cursor is what one thread needs to read a piece, and keeps
 * the piece that it read last. So a thread that reads the sources in turns, piece by piece, reads
 * each piece once: it gets the cursor that it had before, unless another one has the piece.
 *
 * Invariants, under the lock
 *   1. The file is open, and there is a cursor at least, while num_readers > 0.
 *   2. There are as many cursors as threads that read all sources: num_readers / num_sources,
 *      rounded up; only one that somebody reads with may be one more.
 * Threads: all functions; a reader belongs to one thread at a time.
 */
#ifndef HEADRACE_CURSOR_POOL_H
#define HEADRACE_CURSOR_POOL_H

#include "budget.h"
#include "thread.h"

#define HR__NO_PIECE UINT64_MAX

struct hr__cursor { /* the first member of each kind's own struct */
    struct hr__cursor *next;
    uint64_t piece; /* at hand, or HR__NO_PIECE */
    bool used;
    pthread_t user; /* the last thread that used it */
};

struct hr__cursor_ops { /* under the lock, but for `fill`'s use of the budget */
    /* The first reader comes; the last one has gone. NULL: cursors open the file for themselves. */
    hr_status (*open)(void *file, hr_error *err);
    void (*close)(void *file);
    size_t cursor_bytes;
    /* Of a zeroed one; it is freed also after a failure. */
    hr_status (*fill)(struct hr__cursor *cursor, void *file, struct hr__budget *budget,
                      hr_error *err);
    void (*free)(struct hr__cursor *cursor);
};

struct hr__cursor_pool {
    const struct hr__cursor_ops *ops;
    void *file;
    bool has_lock, has_freed;
    hr__mutex lock;
    hr__cond freed; /* a cursor */
    bool open;
    uint32_t num_sources;
    uint32_t num_readers, num_cursors;
    struct hr__cursor *idle;
};

/* Zeroed before. One source is counted, the caller itself. Close it also after a failure. */
hr_status hr__cursor_pool_init(struct hr__cursor_pool *pool, const struct hr__cursor_ops *ops,
                               void *file, hr_error *err);
void hr__cursor_pool_close(struct hr__cursor_pool *pool);

void hr__cursor_pool_hold(struct hr__cursor_pool *pool);    /* one source more */
bool hr__cursor_pool_release(struct hr__cursor_pool *pool); /* one less; true: that was the last */

/* One reader more or less. */
hr_status hr__cursor_pool_enter(struct hr__cursor_pool *pool, struct hr__budget *budget,
                                hr_error *err);
void hr__cursor_pool_leave(struct hr__cursor_pool *pool);

/* For a reader: the cursor that has the piece at hand (HR__NO_PIECE: pieces do not matter), else
 * the thread's own, else any; waits until there is one. */
struct hr__cursor *hr__cursor_pool_take(struct hr__cursor_pool *pool, uint64_t piece);
void hr__cursor_pool_give(struct hr__cursor_pool *pool, struct hr__cursor *cursor);

/* Whether all reading is done with one cursor. */
bool hr__cursor_pool_has_one(struct hr__cursor_pool *pool);

#endif
