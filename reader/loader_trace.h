/*
 * What the threads of a loader did when. Each has a ring of its latest events, which others read
 * while it goes on; and, for a tool that looks on at a GPU, ranges of the same kinds.
 *
 * Invariants
 *  1. a ring is written by one thread at a time: a worker, the upload thread, or the one that holds
 *     the loader's lock in hr_loader_next(); it waits for nobody;
 *  2. `mark` says which event an entry has, and is 0 while it is written: who finds the same mark
 *     before and after reading has read a whole event. What lies between is stored by releases and
 *     loaded by acquires, so that it stays between.
 */
#ifndef HEADRACE_LOADER_TRACE_H
#define HEADRACE_LOADER_TRACE_H

#include "gpu_module.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct hr_loader;
struct hr_batch;
struct hr__item;

enum hr__trace_kind {
    HR__TRACE_READ,
    HR__TRACE_DECODE,
    HR__TRACE_FINISH,
    HR__TRACE_UPLOAD,
    HR__TRACE_WAIT_READS,
    HR__TRACE_COPY_READS,
    HR__TRACE_WAIT_ROOM,
    HR__TRACE_WAIT_CONSUMER,
    HR__TRACE_WAIT_BATCH,
    HR__TRACE_WAIT_SLOT,
    HR__TRACE_WAIT_UPLOAD,
    HR__TRACE_KINDS
};

/* What a kind is called, and what its numbers are. */
struct hr__trace_words {
    const char *name;
    const char *numbers[2];
    const char *range; /* its name as a range, printed with both numbers */
    bool overlaps;     /* with others of its thread */
};
extern const struct hr__trace_words hr__trace_words[HR__TRACE_KINDS];

struct hr__trace_event {
    enum hr__trace_kind kind;
    int64_t begin_ns, end_ns;
    uint64_t numbers[3]; /* the third: READ: which of the worker's reads; UPLOAD: what it took on
                          * the device, in ns, 0: not known */
};

struct hr__trace_entry {
    _Atomic uint64_t mark; /* (number + 1) << 8 | kind */
    _Atomic int64_t begin_ns, end_ns;
    _Atomic uint64_t numbers[3];
};

struct hr__trace {
    struct hr__trace_entry *entries; /* NULL: nothing is traced */
    uint64_t num_entries;
    uint64_t at;           /* where the next goes: its number mod num_entries */
    _Atomic uint64_t next; /* its number */
};

hr_status hr__traces_make(struct hr_loader *l, hr_error *err);
void hr__traces_free(struct hr_loader *l);

void hr__trace_put(struct hr__trace *t, const struct hr__trace_event *e);

static inline void hr__trace_add(struct hr__trace *t, enum hr__trace_kind kind, int64_t begin_ns,
                                 int64_t end_ns, uint64_t a, uint64_t b, uint64_t c) {
    if (t->entries != NULL)
        hr__trace_put(t, &(struct hr__trace_event){kind, begin_ns, end_ns, {a, b, c}});
}

/* Events that may still be there: from *first on, without the one returned. */
uint64_t hr__trace_numbers(const struct hr__trace *t, uint64_t *first);
/* False: it was overwritten. */
bool hr__trace_get(const struct hr__trace *t, uint64_t number, struct hr__trace_event *out);

/* Counted over the epochs. */
uint64_t hr__trace_batch(const struct hr_batch *b);
/* Counted over the streams, in its epoch. */
uint64_t hr__trace_visit(const struct hr_loader *l, const struct hr__item *item);

/* ---- ranges ---- */

struct hr__ranges {
    const struct hr__gpu_ops *ops; /* NULL: nobody looks on */
    void *gpu;
};

void hr__range_name(const struct hr__ranges *r, enum hr__trace_kind kind, uint64_t a, uint64_t b);

static inline void hr__range_begin(const struct hr__ranges *r, enum hr__trace_kind kind, uint64_t a,
                                   uint64_t b) {
    if (r->ops != NULL)
        hr__range_name(r, kind, a, b);
}

static inline void hr__range_end(const struct hr__ranges *r) {
    if (r->ops != NULL)
        r->ops->range_end(r->gpu);
}

#endif
