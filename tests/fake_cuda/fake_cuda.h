/*
 * A stand-in for the CUDA runtime, for tests: the functions of cuda_runtime_api.h (the one
 * beside this file) without a GPU, stricter than the real ones, and replayable. Copies, memsets
 * and kernels are kept as operations; one scheduler, driven by a seed, picks which of those
 * that may run does so next. Device addresses cannot be dereferenced by the host. What a
 * program does that CUDA would not forbid but that a run on a GPU might punish is recorded as a
 * violation, a sentence.
 *
 * Life: fake_cuda_begin(), calls of the runtime, fake_cuda_end(), again with the next seed.
 * State is process-wide. The runtime's functions may be called from any thread; those of this
 * header too, but for begin and end, which want to be alone. In one thread, the same calls with
 * the same seed do the same: fake_cuda_trace_hash() is equal. In a forked child every call of
 * the runtime is a violation, which fake_cuda_violations() counts there.
 *
 * Order. "After" is the partial order of operations that these rules make, and no others; the
 * scheduler runs operations in any order that agrees with it.
 *
 *  1. An operation is after all earlier ones of its stream.
 *  2. cudaEventRecord captures what the stream holds at that time. A later record does not
 *     change what earlier waits wait for.
 *  3. What is enqueued in a stream after cudaStreamWaitEvent is after what the event's latest
 *     record then captured. A wait for an event that was never recorded waits for nothing (a
 *     violation).
 *  4. The legacy stream (0 or cudaStreamLegacy, one for each device): its copies, memsets,
 *     kernels and records are after all earlier work of the device's blocking streams, and
 *     later work of these is after its copies, memsets and kernels. A wait in it holds back
 *     only its own work.
 *  5. Blocking streams are those made without cudaStreamNonBlocking, and cudaStreamPerThread
 *     (one for each thread and device). Non-blocking streams know nothing of the legacy stream.
 *  6. Destroying a stream or an event lets what is enqueued go on; waits keep what they
 *     captured.
 *  7. The host is one more party, all its threads together: what a synchronisation returned
 *     from, or a query found complete, is before everything that is enqueued later. That an
 *     operation has run means nothing until the host was told.
 *  8. Operations run at any time from their enqueueing on: inside calls of the runtime (none,
 *     some or all that may), by fake_cuda_step(), or in a device thread. A synchronising call
 *     runs others until what it waits for is done. A query asked again and again becomes true.
 *     From the enqueueing of a copy to the host on, its destination holds garbage until the
 *     copy has run.
 *  9. Copies from memory that is not registered (a violation unless allowed) are staged: the
 *     call may first wait for the stream, by seed, and has read its source when it returns.
 *     Copies to such memory return when they are done.
 *
 * Violations, found at the call that makes them wrong, whatever the seed:
 *
 *  a. two operations that use the same byte, one of them writing, neither after the other; an
 *     operation that reads device bytes which nothing before it wrote;
 *  b. bytes of the source of a copy that the host changed before it knew that the copy was done
 *     (found when the copy runs, or when the host learns that it has);
 *  c. an asynchronous copy from or to host memory that is not registered;
 *  d. device memory freed, or host memory unregistered, while the host does not know that
 *     operations using it are done; ranges that are outside any allocation, in freed memory, or
 *     on another device than the stream;
 *  e. a kernel that touches what it did not declare, or writes past an allocation (found when
 *     it runs);
 *  f. handles destroyed, unknown, or of another device; waits for, queries and synchronisations
 *     of events that were never recorded; an event or stream destroyed with unfinished work
 *     that nothing can be made to wait for any more;
 *  g. in the steady phase: making and destroying of streams, events, allocations and
 *     registrations; synchronisation of a stream or device; cudaMemcpy; copies and memsets in
 *     the legacy stream; waiting for an event in a thread that may not wait;
 *  h. work enqueued by a thread that was already told of a sticky error; calls in a forked
 *     child; calls from inside a kernel;
 *  i. at the end: streams, events, allocations and registrations that are left.
 *
 * Not seen: what the host does to registered memory other than the source of a copy (a host that
 * reads a copy's destination too early sees garbage in many seeds); a thread that relies on
 * what only another one was told, without having been told by it (that is for a thread
 * sanitizer). Not there: stream capture and graphs, pools, peers, host functions, 2D copies.
 */
#ifndef FAKE_CUDA_H
#define FAKE_CUDA_H

#include "cuda_runtime_api.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

/* ---- life ---- */

struct fake_cuda_config {
    uint64_t seed;            /* chooses the order of operations and how lazily they run */
    int num_devices;          /* 0: cudaErrorNoDevice; at most FAKE_CUDA_MAX_DEVICES */
    size_t device_bytes;      /* memory of each device */
    size_t context_bytes;     /* what of it a context takes at the first use of a device */
    int driver_version;       /* as 13000; 0: there is no driver (cudaErrorInsufficientDriver) */
    int runtime_version;      /* of a higher major version than the driver: the same error */
    cudaError_t driver_error; /* not cudaSuccess: what everything but the versions returns */
    bool protect_sources;     /* whole pages of a copy's source are read-only until the host knows
                               * that it is done: SIGSEGV at the place that writes them */
};

#define FAKE_CUDA_MAX_DEVICES 4
#define FAKE_CUDA_CONFIG_INIT                                                                      \
    {                                                                                              \
        .num_devices = 1, .device_bytes = (size_t)1 << 30, .context_bytes = (size_t)64 << 20,      \
        .driver_version = 13000, .runtime_version = 13000                                          \
    }

/* A new machine; the one before must have ended. NULL: the defaults. */
void fake_cuda_begin(const struct fake_cuda_config *config);

/* Runs what is left, checks for leaks (i), and forgets the machine. Returns all violations; the
 * sentences stay readable until the next begin. */
uint64_t fake_cuda_end(void);

/* ---- what was found ---- */

/* Violations so far. */
uint64_t fake_cuda_violations(void);
/* The sentence of a violation, from 0, or NULL; the first 32 are kept. */
const char *fake_cuda_violation(uint64_t number);
/* Some sentence has these words: for tests that expect a failure. */
bool fake_cuda_complained(const char *words);
/* A violation found by the test itself, also inside a kernel. */
void fake_cuda_report(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Seed, all sentences kept, and the latest events. */
void fake_cuda_print(FILE *to);
/* Of everything that was enqueued, run and returned. */
uint64_t fake_cuda_trace_hash(void);

/* ---- running operations ---- */

/* Operations (copies, memsets, kernels and records) that have not run yet. */
uint64_t fake_cuda_pending(void);
/* Runs one operation; false: none is left. */
bool fake_cuda_step(void);
/* Runs all that may run. The host knows no more than before (rule 7). */
void fake_cuda_run_all(void);
/* No operation runs but by fake_cuda_step(), run_all() and synchronising calls: a slow device. */
void fake_cuda_hold(bool hold);
/* A thread that runs operations at its own pace, until stopped or the end. */
void fake_cuda_device_thread_start(void);
void fake_cuda_device_thread_stop(void);

/* ---- kernels ---- */

struct fake_cuda_range {
    const void *at; /* device memory, or registered host memory */
    size_t n_bytes;
};

struct fake_cuda_kernel {
    const char *name;      /* a literal */
    void (*fn)(void *arg); /* run when scheduled, in any thread, under the stand-in's lock */
    const void *arg;
    size_t arg_bytes; /* copied at the launch, as CUDA does; 0: fn gets arg itself */
    const struct fake_cuda_range *reads;
    size_t num_reads;
    const struct fake_cuda_range *writes; /* may overlap the reads; may be read as well */
    size_t num_writes;
};

/* Ranges are copied. cudaErrorInvalidValue, cudaErrorInvalidResourceHandle. */
cudaError_t fake_cuda_launch(cudaStream_t stream, const struct fake_cuda_kernel *kernel);

/* Inside a kernel: where bytes of device memory are while it runs. They must lie in a declared
 * range (e); elsewhere scratch memory is handed out. Never NULL. */
const void *fake_cuda_read(const void *at, size_t n_bytes);
void *fake_cuda_write(void *at, size_t n_bytes);

/* Inside a kernel: it ends with a sticky error (rule of CUDA: every later call on its device
 * returns it, and nothing more runs there). */
void fake_cuda_fault(cudaError_t error);

/* ---- what is allowed ---- */

/* The steady phase begins or ends (g). */
void fake_cuda_steady(bool steady);
/* This thread may wait for events in the steady phase. */
void fake_cuda_may_wait(bool may);
/* And so may all threads of this name (pthread_setname_np), which a test cannot reach; NULL: none.
 * The name is borrowed until the end. */
void fake_cuda_may_wait_named(const char *name);
/* Calls by this thread are those of a user's program, not of the library under test: g does not
 * apply to them, they are not counted, and none of them is made to fail. */
void fake_cuda_as_user(bool user);
/* Copies from and to memory that is not registered are wanted. */
void fake_cuda_allow_pageable(bool allow);

/* ---- faults ---- */

/* The nth call from now (from 1) of a function of the runtime, or of any that can fail where call
 * is NULL, returns error. Functions that release or wait do their work all the same (they report
 * somebody else's failure); others do nothing. Replaces an earlier order; nth 0: none fails. */
void fake_cuda_fail(const char *call, uint64_t nth, cudaError_t error);
/* As before, and the error is sticky on the calling thread's device. */
void fake_cuda_fail_sticky(const char *call, uint64_t nth, cudaError_t error);
/* The call that was made to fail since, or NULL. */
const char *fake_cuda_failed(void);

/* Calls since begin of one function, or of all that can fail (NULL). */
uint64_t fake_cuda_calls(const char *call);
/* cudaEventSynchronize in the steady phase, by threads that may. */
uint64_t fake_cuda_waits(void);
/* Contexts that were made: 0 after a program that uses no GPU, and one for each device that a
 * program means to use; cudaSetDevice makes one, and so does whatever uses the current device. */
int fake_cuda_contexts(void);
/* Bytes allocated on a device, contexts aside, now and at most. */
size_t fake_cuda_device_bytes(int device);
size_t fake_cuda_device_peak_bytes(int device);
/* Bytes of host memory that are registered. */
size_t fake_cuda_registered_bytes(void);

#endif
