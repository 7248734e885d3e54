/*
 * Kernels of tests: functions that run when scheduled, and see only what they declared.
 */
#include "fake_kernels.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

static _Thread_local struct fake_op *running;

bool fake__in_kernel(void) {
    return running != NULL;
}

void fake__kernel_run(struct fake_op *op) {
    running = op;
    op->fn(op->arg);
    running = NULL;
}

/* ---- launching ---- */

static bool ranges_are_usable(const struct fake_cuda_range *ranges, size_t num, int device,
                              const char *name) {
    for (size_t i = 0; i < num; i++) {
        const uintptr_t at = (uintptr_t)ranges[i].at;
        if (!fake__is_usable(at, ranges[i].n_bytes, device, name))
            return false;
        if (!fake__is_device_address(at) && !fake__is_registered(at, ranges[i].n_bytes)) {
            fake__violation("'%s' uses %zu bytes at host address 0x%llx, which is not registered",
                            name, ranges[i].n_bytes, (unsigned long long)at);
            return false;
        }
    }
    return true;
}

static void add_accesses(struct fake_op *op, const struct fake_cuda_range *ranges, size_t num,
                         bool writes) {
    for (size_t i = 0; i < num; i++)
        if (ranges[i].n_bytes > 0)
            op->accesses[op->num_accesses++] =
                (struct fake_access){.begin = (uintptr_t)ranges[i].at,
                                     .end = (uintptr_t)ranges[i].at + ranges[i].n_bytes,
                                     .writes = writes};
}

static struct fake_op *new_kernel(const struct fake_cuda_kernel *k) {
    struct fake_op *op = calloc(1, sizeof *op);
    struct fake_access *accesses = calloc(k->num_reads + k->num_writes + 1, sizeof *accesses);
    void *arg = k->arg_bytes > 0 ? malloc(k->arg_bytes) : (void *)(uintptr_t)k->arg;
    if (op == NULL || accesses == NULL || (k->arg_bytes > 0 && arg == NULL))
        abort();
    if (k->arg_bytes > 0)
        memcpy(arg, k->arg, k->arg_bytes);
    op->kind = FAKE_KERNEL;
    op->name = k->name;
    op->fn = k->fn;
    op->arg = arg;
    op->arg_bytes = k->arg_bytes;
    op->accesses = accesses;
    add_accesses(op, k->reads, k->num_reads, false);
    add_accesses(op, k->writes, k->num_writes, true);
    return op;
}

static cudaError_t launch(const struct fake_cuda_kernel *k, int stream) {
    const int device = fake__m.streams[stream].device;
    if (device != fake__thread()->device) {
        fake__violation("'%s' is launched in a stream of device %d while device %d is current",
                        k->name, device, fake__thread()->device);
        return cudaErrorInvalidResourceHandle;
    }
    if (!ranges_are_usable(k->reads, k->num_reads, device, k->name) ||
        !ranges_are_usable(k->writes, k->num_writes, device, k->name))
        return cudaErrorInvalidValue;
    fake__enqueue(new_kernel(k), stream);
    return cudaSuccess;
}

cudaError_t fake_cuda_launch(cudaStream_t stream, const struct fake_cuda_kernel *kernel) {
    struct fake_call call;
    if (!fake__enter(&call, "fake_cuda_launch", FAKE_WORK))
        return fake__leave(&call);
    const int i = fake__stream_of(stream, kernel->name);
    call.error = i < 0 ? cudaErrorInvalidResourceHandle : launch(kernel, i);
    return fake__leave(&call);
}

/* ---- inside a kernel ---- */

static bool is_declared(const struct fake_op *op, uintptr_t begin, size_t n_bytes, bool writes) {
    for (size_t i = 0; i < op->num_accesses; i++) {
        const struct fake_access *a = &op->accesses[i];
        if ((a->writes || !writes) && begin >= a->begin && begin <= a->end &&
            n_bytes <= a->end - begin)
            return true;
    }
    return false;
}

static unsigned char *scratch(struct fake_op *op, size_t n_bytes) {
    struct fake_scratch *s = malloc(sizeof *s);
    unsigned char *bytes = calloc(1, n_bytes + 1);
    if (s == NULL || bytes == NULL)
        abort();
    *s = (struct fake_scratch){op->scratch, n_bytes, bytes};
    op->scratch = s;
    return bytes;
}

static unsigned char *touch(uintptr_t at, size_t n_bytes, bool writes) {
    struct fake_op *op = running;
    if (op == NULL)
        abort(); /* a mistake of the test: only kernels look into device memory */
    if (n_bytes == 0 || is_declared(op, at, n_bytes, writes))
        return fake__bytes(at, n_bytes);
    char where[96];
    fake__address_name(at, where);
    fake__violation("'%s' (operation %llu) %s %zu bytes from %s on without having declared it",
                    op->name, (unsigned long long)op->id, writes ? "writes" : "reads", n_bytes,
                    where);
    return scratch(op, n_bytes);
}

const void *fake_cuda_read(const void *at, size_t n_bytes) {
    return touch((uintptr_t)at, n_bytes, false);
}

void *fake_cuda_write(void *at, size_t n_bytes) {
    return touch((uintptr_t)at, n_bytes, true);
}

void fake_cuda_fault(cudaError_t error) {
    if (running != NULL)
        running->fault = error;
}

void fake_cuda_report(const char *format, ...) {
    char sentence[FAKE_MAX_SENTENCE];
    va_list args;
    va_start(args, format);
    vsnprintf(sentence, sizeof sentence, format, args);
    va_end(args);
    if (running == NULL)
        fake__lock();
    fake__violation("%s", sentence);
    if (running == NULL)
        fake__unlock();
}
