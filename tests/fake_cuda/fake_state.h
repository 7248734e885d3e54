/*
 * What the files of the stand-in share: the machine, its lock, and the parts of it. Everything here
 * is under fake__lock() unless it says otherwise. fake_cuda.h has the rules that it implements;
 * numbers and letters in comments are those there.
 */
#ifndef FAKE_STATE_H
#define FAKE_STATE_H

#include "fake_cuda.h"

#define FAKE_MAX_STREAMS       64
#define FAKE_MAX_EVENTS        1024
#define FAKE_MAX_RECENT        128
#define FAKE_MAX_SENTENCES     32
#define FAKE_MAX_SENTENCE      512
#define FAKE_MAX_CALLS         64
#define FAKE_MAX_REGISTRATIONS 256

/* ---- order: a clock says, for each stream, up to which of its operations ---- */

struct fake_clock {
    uint32_t at[FAKE_MAX_STREAMS];
};

/* ---- operations ---- */

enum fake_op_kind { FAKE_COPY, FAKE_FILL, FAKE_KERNEL, FAKE_RECORD };

struct fake_access {
    uintptr_t begin, end;
    bool writes;
    int stream;
    uint32_t number;
    uint64_t op;
    const char *name;
};

struct fake_op {
    struct fake_op *next;
    enum fake_op_kind kind;
    const char *name;
    uint64_t id; /* from 1, in the order of enqueueing */
    int stream;
    uint32_t number;         /* in its stream, from 1 */
    struct fake_clock after; /* what it is after, and itself */
    size_t num_accesses;
    struct fake_access *accesses;
    uintptr_t dst, src; /* of a copy or fill */
    size_t n_bytes;
    int value;
    unsigned char *staged; /* source of a copy from pageable memory */
    void (*fn)(void *);
    void *arg;
    size_t arg_bytes;
    struct fake_scratch *scratch; /* handed out for what was not declared */
    cudaError_t fault;
    cudaEvent_t event;
};

enum fake_stream_kind { FAKE_LEGACY, FAKE_PER_THREAD, FAKE_MADE };

struct fake_stream {
    enum fake_stream_kind kind;
    bool live;
    bool used; /* since begin */
    bool blocking;
    bool lost; /* that its work cannot be waited for was said */
    int device;
    uint64_t serial; /* of the handle; of the thread where it is a per-thread stream */
    uint32_t enqueued, done, last_work;
    uint64_t last_work_op;
    struct fake_clock last;    /* up to its latest operation */
    struct fake_clock next;    /* that, and what was waited for since */
    struct fake_clock barrier; /* of the legacy stream: up to its latest work (4) */
    struct fake_op *head, *tail;
    uint64_t rank; /* of the scheduler */
};

struct fake_event {
    bool live, recorded, timed;
    int device;
    uint64_t serial;
    int stream;
    uint32_t number;
    struct fake_clock captured;
    uint64_t time_us;
};

/* ---- memory ---- */

struct fake_interval {
    uintptr_t begin, end;
};

struct fake_allocation {
    uintptr_t begin;
    size_t n_bytes;
    int device;
    bool live;
    unsigned char *block; /* guard, bytes, guard; NULL when freed */
    struct fake_interval *written;
    size_t num_written, room_written;
};

struct fake_watch { /* the source of a copy that the host does not know to be done (b) */
    struct fake_access access;
    unsigned char *snapshot;
    bool over; /* compared for the last time */
};

/* ---- the machine ---- */

struct fake_device {
    bool has_context;
    cudaError_t sticky;
    size_t used_bytes, peak_bytes;
};

struct fake_fault_order {
    const char *call;
    uint64_t left;
    cudaError_t error;
    bool sticky;
    const char *hit;
};

struct fake_event_line { /* one of the latest events */
    const char *what, *name;
    uint64_t op;
    int stream;
};

struct fake_call_count {
    const char *name;
    uint64_t calls;
};

struct fake_machine {
    bool active, forked, hold, steady, pageable;
    struct fake_cuda_config config;
    const char *waiters; /* the name of threads that may wait */
    uint64_t epoch;      /* of begin(): a thread's own state is of one of them */
    uint64_t random;
    unsigned laziness; /* operations run inside calls: one in so many draws; 0: none, 1: all */
    bool ranked;       /* the scheduler prefers streams by rank */
    uint64_t now_us, num_ops, num_threads, waits, all_calls;
    struct fake_device devices[FAKE_CUDA_MAX_DEVICES];
    int num_streams, num_events; /* entries that were ever used since begin */
    struct fake_clock host;      /* what the host was told of (7) */
    struct fake_access *accesses;
    size_t num_accesses, room_accesses;
    struct fake_watch *watches;
    size_t num_watches, room_watches;
    struct fake_allocation *allocations;
    size_t num_allocations, room_allocations;
    uintptr_t next_address;
    struct fake_interval registrations[FAKE_MAX_REGISTRATIONS];
    size_t num_registrations;
    struct fake_fault_order fault;
    struct fake_call_count counts[FAKE_MAX_CALLS];
    uint64_t num_violations;
    uint64_t num_recent, trace_hash;
    /* Cleared at begin as far as they were used; all before them whole. */
    struct fake_stream streams[FAKE_MAX_STREAMS];
    struct fake_event events[FAKE_MAX_EVENTS];
    struct fake_event_line recent[FAKE_MAX_RECENT];
    char sentences[FAKE_MAX_SENTENCES][FAKE_MAX_SENTENCE];
};

struct fake_thread { /* each thread's own */
    uint64_t epoch, number;
    int device;
    cudaError_t last_error;
    unsigned told; /* of sticky errors, a bit for each device */
    bool may_wait, as_user;
};

extern struct fake_machine fake__m;

/* fake_state.c */
void fake__lock(void);
void fake__unlock(void);
struct fake_thread *fake__thread(void);
uint64_t fake__random(void);
/* What happened, for the hash and the latest events; names are literals. */
void fake__trace(const char *what, const char *name, uint64_t op, int stream);
void fake__trace_number(uint64_t number);
void fake__violation(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Room for one more in an array of the machine. */
void *fake__grown(void *array, size_t num, size_t *room, size_t each_bytes);

static inline void fake__clock_join(struct fake_clock *into, const struct fake_clock *from) {
    for (int i = 0; i < fake__m.num_streams; i++)
        if (from->at[i] > into->at[i])
            into->at[i] = from->at[i];
}

/* fake_calls.c: the frame of every function of the runtime that can fail. */
enum fake_trait {
    FAKE_NO_CONTEXT = 1, /* makes no context, and is not stopped by sticky errors */
    FAKE_ALWAYS = 2,     /* releases or waits: does its work even where it is to fail */
    FAKE_NOT_STEADY = 4, /* g */
    FAKE_WORK = 8,       /* enqueues work (h) */
    FAKE_NO_DEVICE = 16  /* works without a driver */
};

struct fake_call {
    const char *name;
    unsigned traits;
    bool locked;
    cudaError_t error;
    cudaError_t imposed;
};

/* Takes the lock. True: the function is to do its work, and put what comes of it into call->error.
 * fake__leave() follows in any case; it gives back the lock, and what the function returns. */
bool fake__enter(struct fake_call *call, const char *name, unsigned traits);
cudaError_t fake__leave(struct fake_call *call);
cudaError_t fake__make_context(int device);
void fake__forbid_in_steady(const char *call, const char *what);

/* fake_scheduler.c */
/* Gives the operation its place in the order, checks its accesses, and keeps it. */
void fake__enqueue(struct fake_op *op, int stream);
bool fake__run_one(const struct fake_clock *only);
/* Runs some, as the seed and the mode say. */
void fake__run_some(void);
void fake__run_until(const struct fake_clock *target);
bool fake__is_done(const struct fake_clock *clock);
/* The host was told that all of clock is done. */
void fake__host_learns(const struct fake_clock *clock);
void fake__device_fails(int device, cudaError_t error);
void fake__op_free(struct fake_op *op);

/* fake_streams.c */
/* The stream that a handle means, or -1 (and a violation). */
int fake__stream_of(cudaStream_t handle, const char *call);
/* All that is in a stream now. */
void fake__stream_contents(int stream, struct fake_clock *out);
/* cudaSuccess or cudaErrorNotReady, which the host then knows. Asked often enough, it is done (8).
 */
cudaError_t fake__ask(const struct fake_clock *contents);
/* Work of destroyed streams that nothing can be made to wait for any more (f). */
void fake__report_lost_work(const char *call);
void fake__stream_name(int stream, char out[64]);

/* fake_events.c */
void fake__event_recorded(const struct fake_op *op);
void fake__count_events(uint64_t *live);

/* fake_access.c */
void fake__access_check(const struct fake_op *op, struct fake_access *access);
/* What uses a range and is not known to the host to be done, or NULL. */
const struct fake_access *fake__access_pending(uintptr_t begin, uintptr_t end);
/* Drops what is before everything to come. */
void fake__access_forget_known(void);
void fake__access_forget_range(uintptr_t begin, uintptr_t end);

/* fake_memory.c */
void fake__memory_begin(void);
void fake__memory_end(void);
bool fake__is_device_address(uintptr_t at);
/* The allocation that has a range, or NULL. */
struct fake_allocation *fake__allocation_of(uintptr_t begin, size_t n_bytes);
/* What memory holds while nobody may know. */
#define FAKE_GARBAGE 0xcb
void fake__check_guards(const struct fake_allocation *a, const char *name, uint64_t op);
bool fake__is_registered(uintptr_t begin, size_t n_bytes);
/* False (and a violation) where an operation of a device must not use the range (c, d). */
bool fake__is_usable(uintptr_t at, size_t n_bytes, int device, const char *name);
/* Where a usable range really is. */
unsigned char *fake__bytes(uintptr_t at, size_t n_bytes);
/* "byte 12 of allocation 3 (0x...)" or "host address 0x..." */
void fake__address_name(uintptr_t at, char out[96]);

/* fake_written.c */
void fake__written_add(struct fake_allocation *a, uintptr_t begin, uintptr_t end);
/* The first byte of the range that nothing wrote, or end. */
uintptr_t fake__written_gap(const struct fake_allocation *a, uintptr_t begin, uintptr_t end);

/* fake_sources.c */
void fake__watch(const struct fake_op *op, uintptr_t begin, size_t n_bytes);
/* Compares the sources of an operation that is about to run. */
void fake__watch_check(const struct fake_op *op);
/* Compares, and ends, those that the host knows to be done, or that are in a range. */
void fake__watch_settle_known(void);
void fake__watch_settle_range(uintptr_t begin, uintptr_t end);
void fake__watch_drop(int stream);
/* An operation is about to write host memory. */
void fake__watch_overwritten(const struct fake_op *op, const struct fake_access *access);

#endif
