/*
 * The frame of every function of the runtime that can fail: the lock, what is counted, what is
 * forbidden, what is made to fail, and which operations run meanwhile.
 */
#include "fake_kernels.h"
#include "fake_state.h"

#include <string.h>

void fake__forbid_in_steady(const char *call, const char *what) {
    if (fake__m.steady && !fake__thread()->as_user)
        fake__violation("%s in the steady phase: %s", call, what);
}

static void count_call(const char *name) {
    fake__m.all_calls++;
    struct fake_call_count *c = fake__m.counts;
    for (int i = 0; i < FAKE_MAX_CALLS; i++, c++) {
        if (c->name == NULL)
            c->name = name;
        if (strcmp(c->name, name) == 0) {
            c->calls++;
            return;
        }
    }
}

/* What this call is ordered to return, or cudaSuccess. */
static cudaError_t ordered_fault(const char *name) {
    struct fake_fault_order *f = &fake__m.fault;
    if (f->left == 0 || (f->call != NULL && strcmp(f->call, name) != 0) || --f->left > 0)
        return cudaSuccess;
    f->hit = name;
    if (f->sticky)
        fake__device_fails(fake__thread()->device, f->error);
    return f->error;
}

static cudaError_t missing_driver(void) {
    const struct fake_cuda_config *c = &fake__m.config;
    if (c->driver_error != cudaSuccess)
        return c->driver_error;
    if (c->driver_version / 1000 < c->runtime_version / 1000)
        return cudaErrorInsufficientDriver;
    return cudaSuccess;
}

cudaError_t fake__make_context(int device) {
    struct fake_device *d = &fake__m.devices[device];
    if (fake__m.config.num_devices == 0)
        return cudaErrorNoDevice;
    if (d->has_context)
        return cudaSuccess;
    if (fake__m.config.context_bytes > fake__m.config.device_bytes)
        return cudaErrorMemoryAllocation;
    d->has_context = true;
    return cudaSuccess;
}

/* An error that the function is to return, whatever it does; cudaSuccess: none. */
static cudaError_t imposed_error(const struct fake_call *call) {
    struct fake_thread *t = fake__thread();
    cudaError_t error = t->as_user ? cudaSuccess : ordered_fault(call->name);
    if (error == cudaSuccess && !(call->traits & FAKE_NO_DEVICE))
        error = missing_driver();
    if (error == cudaSuccess && !(call->traits & FAKE_NO_CONTEXT))
        error = fake__make_context(t->device);
    if (error == cudaSuccess && !(call->traits & FAKE_NO_CONTEXT))
        error = fake__m.devices[t->device].sticky;
    return error;
}

static bool refuse(struct fake_call *call, cudaError_t error, const char *why) {
    fake__violation("%s %s", call->name, why);
    call->error = error;
    return false;
}

static void check_thread(const struct fake_call *call) {
    const struct fake_thread *t = fake__thread();
    if ((call->traits & FAKE_WORK) && (t->told >> t->device & 1) != 0)
        fake__violation("%s enqueues work, though this thread was told that device %d has failed",
                        call->name, t->device);
}

bool fake__enter(struct fake_call *call, const char *name, unsigned traits) {
    *call = (struct fake_call){.name = name, .traits = traits};
    if (fake__in_kernel()) /* which holds the lock */
        return refuse(call, cudaErrorNotPermitted, "is called from inside a kernel");
    fake__lock();
    call->locked = true;
    if (fake__m.forked)
        return refuse(call, cudaErrorInitializationError, "is called in a forked child");
    if (!fake__m.active)
        return refuse(call, cudaErrorInitializationError, "is called before fake_cuda_begin()");
    if (!fake__thread()->as_user)
        count_call(name);
    fake__run_some();
    call->imposed = imposed_error(call);
    check_thread(call);
    if (traits & FAKE_NOT_STEADY)
        fake__forbid_in_steady(name, "nothing is made, released or synchronised after open");
    if (call->imposed == cudaSuccess)
        return true;
    call->error = call->imposed;
    return (traits & FAKE_ALWAYS) != 0 && fake__m.devices[fake__thread()->device].has_context;
}

cudaError_t fake__leave(struct fake_call *call) {
    if (!call->locked)
        return call->error;
    struct fake_thread *t = fake__thread();
    if (fake__m.active && !fake__m.forked)
        fake__run_some();
    if (call->imposed != cudaSuccess)
        call->error = call->imposed;
    else if (!(call->traits & FAKE_NO_CONTEXT) && fake__m.devices[t->device].sticky != cudaSuccess)
        call->error = fake__m.devices[t->device].sticky;
    const cudaError_t error = call->error;
    if (error != cudaSuccess) {
        t->last_error = error;
        if (error == fake__m.devices[t->device].sticky)
            t->told |= 1u << t->device;
    }
    fake__trace(call->name, cudaGetErrorName(error), (uint64_t)error, -1);
    fake__unlock();
    return error;
}

/* ---- what is allowed ---- */

void fake_cuda_steady(bool steady) {
    fake__lock();
    fake__m.steady = steady;
    fake__unlock();
}

void fake_cuda_may_wait(bool may) {
    fake__lock();
    fake__thread()->may_wait = may;
    fake__unlock();
}

void fake_cuda_may_wait_named(const char *name) {
    fake__lock();
    fake__m.waiters = name;
    fake__unlock();
}

void fake_cuda_as_user(bool user) {
    fake__lock();
    fake__thread()->as_user = user;
    fake__unlock();
}

void fake_cuda_allow_pageable(bool allow) {
    fake__lock();
    fake__m.pageable = allow;
    fake__unlock();
}

/* ---- faults ---- */

static void order_fault(const char *call, uint64_t nth, cudaError_t error, bool sticky) {
    fake__lock();
    fake__m.fault = (struct fake_fault_order){call, nth, error, sticky, NULL};
    fake__unlock();
}

void fake_cuda_fail(const char *call, uint64_t nth, cudaError_t error) {
    order_fault(call, nth, error, false);
}

void fake_cuda_fail_sticky(const char *call, uint64_t nth, cudaError_t error) {
    order_fault(call, nth, error, true);
}

const char *fake_cuda_failed(void) {
    fake__lock();
    const char *hit = fake__m.fault.hit;
    fake__unlock();
    return hit;
}

uint64_t fake_cuda_calls(const char *call) {
    fake__lock();
    uint64_t calls = call == NULL ? fake__m.all_calls : 0;
    for (int i = 0; call != NULL && i < FAKE_MAX_CALLS && fake__m.counts[i].name != NULL; i++)
        if (strcmp(fake__m.counts[i].name, call) == 0)
            calls = fake__m.counts[i].calls;
    fake__unlock();
    return calls;
}

uint64_t fake_cuda_waits(void) {
    fake__lock();
    const uint64_t waits = fake__m.waits;
    fake__unlock();
    return waits;
}
