/*
 * See gpu_case.h.
 */
#include "gpu_case.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PAGE_BYTES 4096u

void gpu_fail(const char *file, int line, const char *format, ...) {
    va_list args;
    fprintf(stderr, "%s:%d: ", file, line);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    _Exit(1);
}

void gpu_call(cudaError_t e, const char *call, const char *file, int line) {
    if (e != cudaSuccess)
        gpu_fail(file, line, "%s: %s (%s)", call, cudaGetErrorString(e), cudaGetErrorName(e));
}

int gpu_is_there(void) {
    struct cudaDeviceProp properties;
    int count = 0;
    const cudaError_t e = cudaGetDeviceCount(&count);
    if (e != cudaSuccess || count == 0) {
        printf("skipped: there is no GPU (%s)\n",
               e != cudaSuccess ? cudaGetErrorString(e) : "none is visible");
        return 0;
    }
    GPU_CALL(cudaGetDeviceProperties(&properties, 0));
    printf("on %s\n", properties.name);
    fflush(stdout);
    return 1;
}

int gpu_cases_run(const struct gpu_case *cases, size_t num_cases, const char *only) {
    size_t num_run = 0;
    for (size_t i = 0; i < num_cases; i++) {
        if (only != NULL && strstr(cases[i].name, only) == NULL)
            continue;
        printf("%s\n", cases[i].name);
        fflush(stdout);
        cases[i].run();
        num_run++;
    }
    printf("%zu passed\n", num_run);
    return num_run > 0 ? 0 : 1;
}

void *gpu_host_alloc(size_t n_bytes) {
    const size_t whole = (n_bytes / PAGE_BYTES + 1) * PAGE_BYTES;
    void *p = aligned_alloc(PAGE_BYTES, whole);
    GPU_CHECK(p != NULL, "no %zu bytes of memory", whole);
    memset(p, 0, whole);
    GPU_CALL(cudaHostRegister(p, whole, cudaHostRegisterDefault));
    return p;
}

void gpu_host_free(void *p) {
    GPU_CALL(cudaHostUnregister(p));
    free(p);
}

cudaStream_t gpu_stream(void) {
    cudaStream_t stream;
    GPU_CALL(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking));
    return stream;
}

uint64_t gpu_random(uint64_t *state) { /* splitmix64 */
    uint64_t z = *state += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}
