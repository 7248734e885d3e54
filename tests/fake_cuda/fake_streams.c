/*
 * Streams: handles, the legacy and the per-thread ones, waiting, and work that is lost.
 *
 * Invariants:
 *  1. an entry is used for another stream only when its earlier one is destroyed and the host knows
 *     all of its work to be done: so its numbers go on, and mean no order that was not made;
 *  2. no handle is given out twice in the life of the process.
 */
#include "fake_state.h"

#include <stdio.h>
#include <string.h>

void fake__stream_name(int stream, char out[64]) {
    const struct fake_stream *s = &fake__m.streams[stream];
    static const char *const kinds[] = {"the legacy stream", "the per-thread stream", "stream"};
    const int n = snprintf(out, 64, "%s", kinds[s->kind]);
    if (s->kind == FAKE_MADE)
        snprintf(out + n, 64 - (size_t)n, " %d%s", stream, s->live ? "" : " (destroyed)");
    else if (s->device > 0)
        snprintf(out + n, 64 - (size_t)n, " of device %d", s->device);
}

/* ---- handles ---- */

static bool is_free(int i) {
    const struct fake_stream *s = &fake__m.streams[i];
    return !s->live && fake__m.host.at[i] >= s->enqueued;
}

/* An entry for a new stream, or -1. */
static int add(enum fake_stream_kind kind, int device, bool blocking) {
    int i = 0;
    while (i < FAKE_MAX_STREAMS && !is_free(i))
        i++;
    if (i == FAKE_MAX_STREAMS)
        return -1;
    if (i >= fake__m.num_streams)
        fake__m.num_streams = i + 1;
    struct fake_stream *s = &fake__m.streams[i];
    const uint32_t enqueued = s->enqueued;
    *s = (struct fake_stream){.kind = kind,
                              .live = true,
                              .used = true,
                              .blocking = blocking,
                              .device = device,
                              .enqueued = enqueued,
                              .done = enqueued,
                              .last_work = enqueued,
                              .rank = fake__random()};
    return i;
}

/* The legacy or per-thread stream of a device, made at its first use. */
static int implicit_stream(enum fake_stream_kind kind, int device, uint64_t thread) {
    for (int i = 0; i < fake__m.num_streams; i++) {
        const struct fake_stream *s = &fake__m.streams[i];
        if (s->live && s->kind == kind && s->device == device &&
            (kind == FAKE_LEGACY || s->serial == thread))
            return i;
    }
    const int i = add(kind, device, kind == FAKE_PER_THREAD);
    if (i >= 0)
        fake__m.streams[i].serial = thread;
    return i;
}

static cudaStream_t new_handle(int i) {
    static uint64_t serial;
    fake__m.streams[i].serial = (uint64_t)0x51 << 40 | ++serial << 8 | (unsigned)i;
    return (cudaStream_t)(uintptr_t)fake__m.streams[i].serial;
}

int fake__stream_of(cudaStream_t handle, const char *call) {
    const struct fake_thread *t = fake__thread();
    if (handle == NULL || handle == cudaStreamLegacy)
        return implicit_stream(FAKE_LEGACY, t->device, 0);
    if (handle == cudaStreamPerThread)
        return implicit_stream(FAKE_PER_THREAD, t->device, t->number);
    const int i = (int)((uintptr_t)handle & 0xff);
    if (i < FAKE_MAX_STREAMS && fake__m.streams[i].live && fake__m.streams[i].kind == FAKE_MADE &&
        fake__m.streams[i].serial == (uintptr_t)handle)
        return i;
    fake__violation("%s of a stream that is unknown or destroyed (0x%llx)", call,
                    (unsigned long long)(uintptr_t)handle);
    return -1;
}

/* ---- making and destroying ---- */

static cudaError_t create(cudaStream_t *out, unsigned flags) {
    if (out == NULL || (flags & ~(unsigned)cudaStreamNonBlocking) != 0)
        return cudaErrorInvalidValue;
    const int i = add(FAKE_MADE, fake__thread()->device, (flags & cudaStreamNonBlocking) == 0);
    if (i < 0)
        return cudaErrorMemoryAllocation;
    *out = new_handle(i);
    return cudaSuccess;
}

/* Priorities are hints: the scheduler is free not to follow them, and does not. */
cudaError_t cudaStreamCreateWithPriority(cudaStream_t *pStream, unsigned int flags, int priority) {
    struct fake_call call;
    (void)priority;
    if (fake__enter(&call, "cudaStreamCreateWithPriority", FAKE_NOT_STEADY))
        call.error = create(pStream, flags);
    return fake__leave(&call);
}

cudaError_t cudaStreamCreateWithFlags(cudaStream_t *pStream, unsigned int flags) {
    struct fake_call call;
    if (fake__enter(&call, "cudaStreamCreateWithFlags", FAKE_NOT_STEADY))
        call.error = create(pStream, flags);
    return fake__leave(&call);
}

cudaError_t cudaStreamCreate(cudaStream_t *pStream) {
    struct fake_call call;
    if (fake__enter(&call, "cudaStreamCreate", FAKE_NOT_STEADY))
        call.error = create(pStream, cudaStreamDefault);
    return fake__leave(&call);
}

static bool something_covers(int stream, uint32_t number) {
    if (fake__m.host.at[stream] >= number)
        return true;
    for (int i = 0; i < fake__m.num_streams; i++)
        if (fake__m.streams[i].live && fake__m.streams[i].next.at[stream] >= number)
            return true;
    for (int i = 0; i < fake__m.num_events; i++)
        if (fake__m.events[i].live && fake__m.events[i].captured.at[stream] >= number)
            return true;
    return false;
}

void fake__report_lost_work(const char *call) {
    for (int i = 0; i < fake__m.num_streams; i++) {
        struct fake_stream *s = &fake__m.streams[i];
        if (s->live || s->lost || something_covers(i, s->last_work))
            continue;
        s->lost = true;
        fake__violation("after %s nothing can be made to wait for operation %llu of the destroyed "
                        "stream %d, which the host does not know to be done",
                        call, (unsigned long long)s->last_work_op, i);
    }
}

static cudaError_t destroy(cudaStream_t handle) {
    const int i = fake__stream_of(handle, "cudaStreamDestroy");
    if (i < 0 || fake__m.streams[i].kind != FAKE_MADE)
        return cudaErrorInvalidResourceHandle;
    fake__m.streams[i].live = false;
    fake__report_lost_work("cudaStreamDestroy");
    return cudaSuccess;
}

cudaError_t cudaStreamDestroy(cudaStream_t stream) {
    struct fake_call call;
    if (fake__enter(&call, "cudaStreamDestroy", FAKE_NOT_STEADY | FAKE_ALWAYS))
        call.error = destroy(stream);
    return fake__leave(&call);
}

/* ---- waiting and asking ---- */

void fake__stream_contents(int stream, struct fake_clock *out) {
    const struct fake_stream *s = &fake__m.streams[stream];
    *out = s->next;
    for (int i = 0; s->kind == FAKE_LEGACY && i < fake__m.num_streams; i++)
        if (fake__m.streams[i].used && fake__m.streams[i].blocking &&
            fake__m.streams[i].device == s->device)
            fake__clock_join(out, &fake__m.streams[i].last);
}

cudaError_t cudaStreamSynchronize(cudaStream_t stream) {
    struct fake_call call;
    if (!fake__enter(&call, "cudaStreamSynchronize", FAKE_NOT_STEADY | FAKE_ALWAYS))
        return fake__leave(&call);
    const int i = fake__stream_of(stream, "cudaStreamSynchronize");
    struct fake_clock contents;
    if (i < 0) {
        call.error = cudaErrorInvalidResourceHandle;
    } else {
        fake__stream_contents(i, &contents);
        fake__run_until(&contents);
        fake__host_learns(&contents);
    }
    return fake__leave(&call);
}

cudaError_t fake__ask(const struct fake_clock *contents) {
    if (fake__is_done(contents)) {
        fake__host_learns(contents);
        return cudaSuccess;
    }
    if (!fake__m.hold && fake__random() % 3 == 0)
        fake__run_one(fake__random() % 2 == 0 ? contents : NULL);
    return cudaErrorNotReady;
}

cudaError_t cudaStreamQuery(cudaStream_t stream) {
    struct fake_call call;
    if (!fake__enter(&call, "cudaStreamQuery", 0))
        return fake__leave(&call);
    const int i = fake__stream_of(stream, "cudaStreamQuery");
    struct fake_clock contents;
    if (i < 0) {
        call.error = cudaErrorInvalidResourceHandle;
    } else {
        fake__stream_contents(i, &contents);
        call.error = fake__ask(&contents);
    }
    return fake__leave(&call);
}

cudaError_t cudaStreamGetFlags(cudaStream_t hStream, unsigned int *flags) {
    struct fake_call call;
    if (!fake__enter(&call, "cudaStreamGetFlags", 0))
        return fake__leave(&call);
    const int i = fake__stream_of(hStream, "cudaStreamGetFlags");
    if (i < 0)
        call.error = cudaErrorInvalidResourceHandle;
    else
        *flags = fake__m.streams[i].kind == FAKE_MADE && !fake__m.streams[i].blocking
                     ? cudaStreamNonBlocking
                     : cudaStreamDefault;
    return fake__leave(&call);
}

cudaError_t cudaStreamGetDevice(cudaStream_t hStream, int *device) {
    struct fake_call call;
    if (!fake__enter(&call, "cudaStreamGetDevice", 0))
        return fake__leave(&call);
    const int i = fake__stream_of(hStream, "cudaStreamGetDevice");
    if (i < 0)
        call.error = cudaErrorInvalidResourceHandle;
    else
        *device = fake__m.streams[i].device;
    return fake__leave(&call);
}
