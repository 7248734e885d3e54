/*
 * Events: what was captured by their latest record, and who asks for it.
 */
#define _GNU_SOURCE
#include "fake_state.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

void fake__count_events(uint64_t *live) {
    for (int i = 0; i < fake__m.num_events; i++)
        *live += fake__m.events[i].live;
}

/* ---- handles ---- */

static struct fake_event *event_of(cudaEvent_t handle, const char *call) {
    const uintptr_t i = (uintptr_t)handle & 0xffff;
    if (i < (uintptr_t)fake__m.num_events && fake__m.events[i].live &&
        fake__m.events[i].serial == (uintptr_t)handle)
        return &fake__m.events[i];
    fake__violation("%s of an event that is unknown or destroyed (0x%llx)", call,
                    (unsigned long long)(uintptr_t)handle);
    return NULL;
}

/* As event_of(), and whether there is something to wait for. */
static struct fake_event *recorded_event(cudaEvent_t handle, const char *call) {
    struct fake_event *e = event_of(handle, call);
    if (e != NULL && !e->recorded)
        fake__violation("%s of event %d, which was never recorded: there is nothing to wait for",
                        call, (int)(e - fake__m.events));
    return e;
}

static cudaError_t create(cudaEvent_t *out, unsigned flags) {
    static uint64_t serial;
    const unsigned known = cudaEventBlockingSync | cudaEventDisableTiming;
    if (out == NULL || (flags & ~known) != 0)
        return cudaErrorInvalidValue;
    int i = 0;
    while (i < fake__m.num_events && fake__m.events[i].live)
        i++;
    if (i == FAKE_MAX_EVENTS)
        return cudaErrorMemoryAllocation;
    if (i == fake__m.num_events)
        fake__m.num_events++;
    fake__m.events[i] =
        (struct fake_event){.live = true,
                            .timed = (flags & cudaEventDisableTiming) == 0,
                            .device = fake__thread()->device,
                            .serial = (uint64_t)0xe << 44 | ++serial << 16 | (unsigned)i};
    *out = (cudaEvent_t)(uintptr_t)fake__m.events[i].serial;
    return cudaSuccess;
}

cudaError_t cudaEventCreateWithFlags(cudaEvent_t *event, unsigned int flags) {
    struct fake_call call;
    if (fake__enter(&call, "cudaEventCreateWithFlags", FAKE_NOT_STEADY))
        call.error = create(event, flags);
    return fake__leave(&call);
}

cudaError_t cudaEventCreate(cudaEvent_t *event) {
    struct fake_call call;
    if (fake__enter(&call, "cudaEventCreate", FAKE_NOT_STEADY))
        call.error = create(event, cudaEventDefault);
    return fake__leave(&call);
}

cudaError_t cudaEventDestroy(cudaEvent_t event) {
    struct fake_call call;
    if (!fake__enter(&call, "cudaEventDestroy", FAKE_NOT_STEADY | FAKE_ALWAYS))
        return fake__leave(&call);
    struct fake_event *e = event_of(event, "cudaEventDestroy");
    if (e == NULL) {
        call.error = cudaErrorInvalidResourceHandle;
    } else {
        e->live = false;
        fake__report_lost_work("cudaEventDestroy");
    }
    return fake__leave(&call);
}

/* ---- records and waits ---- */

static cudaError_t record(cudaEvent_t handle, cudaStream_t stream) {
    struct fake_event *e = event_of(handle, "cudaEventRecord");
    const int i = fake__stream_of(stream, "cudaEventRecord");
    if (e == NULL || i < 0)
        return cudaErrorInvalidResourceHandle;
    if (e->device != fake__m.streams[i].device) {
        fake__violation("cudaEventRecord of an event of device %d in a stream of device %d",
                        e->device, fake__m.streams[i].device);
        return cudaErrorInvalidResourceHandle;
    }
    struct fake_op *op = calloc(1, sizeof *op);
    if (op == NULL)
        return cudaErrorMemoryAllocation;
    op->kind = FAKE_RECORD;
    op->name = "cudaEventRecord";
    op->event = handle;
    fake__enqueue(op, i);
    e->recorded = true;
    e->stream = i;
    e->number = op->number;
    e->captured = op->after;
    return cudaSuccess;
}

cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream) {
    struct fake_call call;
    if (fake__enter(&call, "cudaEventRecord", 0))
        call.error = record(event, stream);
    return fake__leave(&call);
}

/* Unless it was recorded again, or destroyed, since. */
void fake__event_recorded(const struct fake_op *op) {
    struct fake_event *e = &fake__m.events[(uintptr_t)op->event & 0xffff];
    if (e->serial == (uintptr_t)op->event && e->stream == op->stream && e->number == op->number)
        e->time_us = fake__m.now_us;
}

cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t event, unsigned int flags) {
    struct fake_call call;
    if (!fake__enter(&call, "cudaStreamWaitEvent", 0))
        return fake__leave(&call);
    const int i = fake__stream_of(stream, "cudaStreamWaitEvent");
    const struct fake_event *e = recorded_event(event, "cudaStreamWaitEvent");
    if (i < 0 || e == NULL)
        call.error = cudaErrorInvalidResourceHandle;
    else if (flags != cudaEventWaitDefault)
        call.error = cudaErrorInvalidValue;
    else if (e->recorded)
        fake__clock_join(&fake__m.streams[i].next, &e->captured);
    if (call.error == cudaSuccess)
        fake__trace("wait", "", 0, i);
    return fake__leave(&call);
}

/* ---- asking and waiting ---- */

cudaError_t cudaEventQuery(cudaEvent_t event) {
    struct fake_call call;
    if (!fake__enter(&call, "cudaEventQuery", 0))
        return fake__leave(&call);
    const struct fake_event *e = recorded_event(event, "cudaEventQuery");
    if (e == NULL)
        call.error = cudaErrorInvalidResourceHandle;
    else if (e->recorded)
        call.error = fake__ask(&e->captured);
    return fake__leave(&call);
}

static bool has_name_of_waiters(void) {
    char name[16] = "";
    return fake__m.waiters != NULL && pthread_getname_np(pthread_self(), name, sizeof name) == 0 &&
           strcmp(name, fake__m.waiters) == 0;
}

static void check_wait(void) {
    const struct fake_thread *t = fake__thread();
    if (!fake__m.steady || t->as_user)
        return;
    if (t->may_wait || has_name_of_waiters())
        fake__m.waits++;
    else
        fake__forbid_in_steady("cudaEventSynchronize", "this thread may not wait");
}

cudaError_t cudaEventSynchronize(cudaEvent_t event) {
    struct fake_call call;
    if (!fake__enter(&call, "cudaEventSynchronize", FAKE_ALWAYS))
        return fake__leave(&call);
    const struct fake_event *e = recorded_event(event, "cudaEventSynchronize");
    check_wait();
    if (e == NULL) {
        call.error = cudaErrorInvalidResourceHandle;
    } else if (e->recorded) {
        const struct fake_clock captured = e->captured; /* it may be recorded again meanwhile */
        fake__run_until(&captured);
        fake__host_learns(&captured);
    }
    return fake__leave(&call);
}

cudaError_t cudaEventElapsedTime(float *ms, cudaEvent_t start, cudaEvent_t end) {
    struct fake_call call;
    if (!fake__enter(&call, "cudaEventElapsedTime", 0))
        return fake__leave(&call);
    const struct fake_event *a = event_of(start, "cudaEventElapsedTime");
    const struct fake_event *b = event_of(end, "cudaEventElapsedTime");
    if (a == NULL || b == NULL || !a->timed || !b->timed || !a->recorded || !b->recorded)
        call.error = cudaErrorInvalidResourceHandle;
    else if (ms == NULL)
        call.error = cudaErrorInvalidValue;
    else if (!fake__is_done(&a->captured) || !fake__is_done(&b->captured))
        call.error = cudaErrorNotReady;
    else
        *ms = (float)((double)b->time_us - (double)a->time_us) / 1000;
    return fake__leave(&call);
}
